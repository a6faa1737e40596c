//! The strict reader. Holds the directory in memory, and nothing of the members.

use std::fmt;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

use fuze_evidence::Hash;
use sha2::{Digest as _, Sha256};

use super::crc::Crc;
use super::format::{CENTRAL_BYTES, END_BYTES, Head, MAX_BYTES, MAX_NAME_BYTES, end_record, name_is_safe};

/// Why a file is no bundle's zip.
#[derive(Debug)]
#[non_exhaustive]
pub enum ZipError {
    /// The operating system's own.
    Io(io::Error),
    /// An octet stands where the one way to write these members has another.
    Layout {
        /// Which part.
        what: &'static str,
        /// The offset of the part in the file.
        offset: u64,
    },
    /// A name that is absolute, leads upwards, is too long or has other characters than a bundle's.
    Name {
        /// The name, cut to what can be shown.
        name: String,
    },
    /// Members that are not in ascending order of their names, or one name twice.
    Order {
        /// The later one.
        name: String,
    },
    /// A member is larger than it may be.
    Large {
        /// Which one.
        name: String,
        /// The most octets.
        limit: u64,
    },
    /// More members or octets than a zip without extensions holds.
    Full,
    /// There is no such member.
    Absent {
        /// Which one.
        name: String,
    },
}

impl fmt::Display for ZipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Layout { what, offset } => {
                write!(f, "{what} at octet {offset} is not what a bundle with these members has there")
            }
            Self::Name { name } => write!(f, "`{name}` is no name for a member of a bundle"),
            Self::Order { name } => {
                write!(f, "member `{name}` stands twice or not in the order of the names")
            }
            Self::Large { name, limit } => write!(f, "member `{name}` is larger than {limit} octets"),
            Self::Full => f.write_str("a bundle holds at most 65535 members and stays below 4 GiB"),
            Self::Absent { name } => write!(f, "there is no member `{name}`"),
        }
    }
}

impl std::error::Error for ZipError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ZipError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A bundle's zip whose layout holds: every octet that is not a member's own is the only one it can be.
#[derive(Debug)]
pub struct Archive<R> {
    file: R,
    heads: Vec<Head>,
}

/// What a member's octets hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256.
    pub sha256: Hash,
    /// Whether the zip's own checksum holds.
    pub crc_holds: bool,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory and compares it, and each header, with what the writer would write.
    ///
    /// # Errors
    /// When anything differs, a name is not safe, or the file cannot be read.
    pub fn open(mut file: R) -> Result<Self, ZipError> {
        let length = file.seek(SeekFrom::End(0))?;
        let (end_offset, end) = end_of(&mut file, length)?;
        let wrong_end = ZipError::Layout { what: "the end of the directory", offset: end_offset };
        let field = |at: usize| end.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let (Some(counts), Some(size), Some(offset)) = (field(8), field(12), field(16)) else {
            return Err(wrong_end);
        };
        let [low, high, ..] = counts.to_le_bytes();
        let count = u16::from_le_bytes([low, high]);
        let contiguous = u64::from(offset) + u64::from(size) == end_offset;
        // Bounds what is read into memory next by the number of members.
        let bounded = u64::from(size) <= u64::from(count) * (CENTRAL_BYTES + MAX_NAME_BYTES) as u64;
        if end != end_record(count, size, offset) || !contiguous || !bounded {
            return Err(wrong_end);
        }
        let mut directory = vec![0; usize::try_from(size).map_err(|_| ZipError::Full)?];
        file.seek(SeekFrom::Start(offset.into()))?;
        file.read_exact(&mut directory)?;
        let heads = read_directory(&directory, count, offset)?;
        let mut archive = Self { file, heads };
        archive.check_local()?;
        Ok(archive)
    }

    fn check_local(&mut self) -> Result<(), ZipError> {
        let mut found = Vec::with_capacity(LOCAL_CAPACITY);
        for head in &self.heads {
            let expected = head.local();
            found.clear();
            found.resize(expected.len(), 0);
            self.file.seek(SeekFrom::Start(head.offset.into()))?;
            self.file.read_exact(&mut found)?;
            if found != expected {
                return Err(ZipError::Layout { what: "the header of a member", offset: head.offset.into() });
            }
        }
        Ok(())
    }

    /// The names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(|head| head.name.as_str())
    }

    /// Whether there is such a member.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    fn find(&self, name: &str) -> Result<&Head, ZipError> {
        let at = self.heads.binary_search_by(|head| head.name.as_str().cmp(name));
        at.ok().and_then(|at| self.heads.get(at)).ok_or_else(|| ZipError::Absent { name: name.to_owned() })
    }

    /// A member as a stream from `offset` on. Its checksum is not checked here: [`Archive::digests`] does.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn reader_from(&mut self, name: &str, offset: u64) -> Result<BufReader<Take<&mut R>>, ZipError> {
        let head = self.find(name)?;
        let (data, size) = (u64::from(head.data().ok_or(ZipError::Full)?), u64::from(head.size));
        let offset = offset.min(size);
        self.file.seek(SeekFrom::Start(data + offset))?;
        Ok(BufReader::with_capacity(READ_BYTES, (&mut self.file).take(size - offset)))
    }

    /// Hashes a member, in one pass.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn digests(&mut self, name: &str) -> Result<Digests, ZipError> {
        let expected = self.find(name)?.crc;
        let (mut hasher, mut crc) = (Sha256::new(), Crc::new());
        let mut reader = self.reader_from(name, 0)?;
        loop {
            let buffer = io::BufRead::fill_buf(&mut reader)?;
            if buffer.is_empty() {
                break;
            }
            hasher.update(buffer);
            crc.update(buffer);
            let length = buffer.len();
            io::BufRead::consume(&mut reader, length);
        }
        Ok(Digests { sha256: Hash(hasher.finalize().into()), crc_holds: crc.value() == expected })
    }
}

const LOCAL_CAPACITY: usize = 30 + MAX_NAME_BYTES;
/// A small bundle is read often, a large one in pieces that are worth a system call.
const READ_BYTES: usize = 32 * 1024;

/// The last 22 octets and where they begin.
fn end_of<R: Read + Seek>(file: &mut R, length: u64) -> Result<(u64, [u8; END_BYTES]), ZipError> {
    let offset = length.checked_sub(END_BYTES as u64);
    let Some(offset) = offset.filter(|_| length <= MAX_BYTES) else {
        return Err(ZipError::Layout { what: "the size of the file", offset: length });
    };
    let mut end = [0; END_BYTES];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut end)?;
    Ok((offset, end))
}

/// Reads the directory's entries. Members must lie one after the other from octet 0 to the directory at `directory_offset`.
fn read_directory(directory: &[u8], count: u16, directory_offset: u32) -> Result<Vec<Head>, ZipError> {
    let mut heads: Vec<Head> = Vec::with_capacity(count.into());
    let mut rest = directory;
    let mut offset = 0;
    for _ in 0..count {
        let at = u64::from(directory_offset) + (directory.len() - rest.len()) as u64;
        let wrong = || ZipError::Layout { what: "an entry of the directory", offset: at };
        let (fixed, after) = rest.split_at_checked(CENTRAL_BYTES).ok_or_else(wrong)?;
        let length = fixed.get(28..30).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes);
        let (name, after) = after.split_at_checked(length.into()).ok_or_else(wrong)?;
        let word = |at: usize| fixed.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let (Some(crc), Some(size)) = (word(16), word(20)) else { return Err(wrong()) };
        let shown = || String::from_utf8_lossy(name).chars().take(MAX_NAME_BYTES).collect::<String>();
        let name = match std::str::from_utf8(name) {
            Ok(name) if name_is_safe(name) => name.to_owned(),
            _ => return Err(ZipError::Name { name: shown().escape_debug().to_string() }),
        };
        if heads.last().is_some_and(|last| last.name >= name) {
            return Err(ZipError::Order { name });
        }
        let head = Head { name, crc, size, offset };
        if head.central() != rest.get(..rest.len() - after.len()).unwrap_or_default() {
            return Err(wrong());
        }
        offset = head.end().ok_or_else(wrong)?;
        heads.push(head);
        rest = after;
    }
    if !rest.is_empty() || offset != directory_offset {
        let offset = u64::from(offset);
        return Err(ZipError::Layout { what: "the place after the last member", offset });
    }
    Ok(heads)
}
