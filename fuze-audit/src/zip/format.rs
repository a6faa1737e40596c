//! The octets around the members. One function for each header, used by the writer and by the reader's comparison.

/// A bundle is smaller than this: sizes and offsets have 32 bits.
pub const MAX_BYTES: u64 = u32::MAX as u64;
/// The most members: their number has 16 bits.
pub const MAX_MEMBERS: u64 = u16::MAX as u64;
/// The longest name.
pub const MAX_NAME_BYTES: usize = 128;

pub(super) const LOCAL_BYTES: u32 = 30;
pub(super) const CENTRAL_BYTES: usize = 46;
pub(super) const END_BYTES: usize = 22;

const VERSION_NEEDED: u16 = 20;
/// Unix, version 2.0.
const MADE_BY: u16 = 0x0314;
/// Names are UTF-8.
const FLAGS: u16 = 0x0800;
const STORED: u16 = 0;
const MIDNIGHT: u16 = 0;
/// 1980-01-01.
const FIRST_DAY: u16 = 0x0021;
/// A regular file that its owner may write and all may read.
const EXTERNAL: u32 = 0x81a4_0000;

/// What the headers say about a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) crc: u32,
    pub(super) size: u32,
    pub(super) offset: u32,
}

impl Head {
    fn name_length(&self) -> u16 {
        u16::try_from(self.name.len()).unwrap_or(u16::MAX)
    }

    /// Where the header after this member begins, if it is below 4 GiB.
    pub(super) fn end(&self) -> Option<u32> {
        self.data()?.checked_add(self.size)
    }

    /// Where the member's own octets begin.
    pub(super) fn data(&self) -> Option<u32> {
        self.offset.checked_add(LOCAL_BYTES)?.checked_add(u32::from(self.name_length()))
    }

    /// The fields that both headers have, from "version needed" to the length of the extra field.
    fn common(&self, out: &mut Vec<u8>) {
        for field in [VERSION_NEEDED, FLAGS, STORED, MIDNIGHT, FIRST_DAY] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.crc, self.size, self.size] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.name_length(), 0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    /// APPNOTE 4.3.7.
    pub(super) fn local(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04".to_vec();
        self.common(&mut out);
        out.extend_from_slice(self.name.as_bytes());
        out
    }

    /// APPNOTE 4.3.12.
    pub(super) fn central(&self) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend_from_slice(&MADE_BY.to_le_bytes());
        self.common(&mut out);
        // Length of the comment, number of the disk, internal attributes.
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&EXTERNAL.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out
    }
}

/// APPNOTE 4.3.16.
pub(super) fn end_record(count: u16, size: u32, offset: u32) -> [u8; END_BYTES] {
    let mut out = [0; END_BYTES];
    let mut at = out.iter_mut();
    let mut put = |bytes: &[u8]| bytes.iter().zip(&mut at).for_each(|(&from, to)| *to = from);
    put(b"PK\x05\x06\0\0\0\0");
    put(&count.to_le_bytes());
    put(&count.to_le_bytes());
    put(&size.to_le_bytes());
    put(&offset.to_le_bytes());
    out
}

/// Whether a name may stand in a bundle: relative, without empty parts, `.` and `..`, in letters, digits and `._-` alone.
pub(super) fn name_is_safe(name: &str) -> bool {
    let part_is_safe = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    name.len() <= MAX_NAME_BYTES && name.split('/').all(part_is_safe)
}
