//! The writer. Members come in any order and are spooled, to memory first and then to a file without a name, so that
//! nothing of them is left behind; they are written in the order of their names.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fuze_evidence::Hash;
use sha2::{Digest as _, Sha256};
use tempfile::SpooledTempFile;

use super::crc::Crc;
use super::format::{Head, MAX_BYTES, MAX_MEMBERS, end_record, name_is_safe};
use super::read::ZipError;

/// How much is kept in memory before it goes to the disk.
const MEMORY_BYTES: usize = 1 << 20;

/// Members of a bundle that is being made.
#[derive(Debug)]
pub struct Spool {
    file: SpooledTempFile,
    length: u64,
    members: BTreeMap<String, Member>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    start: u64,
    size: u32,
    crc: u32,
    sha256: Hash,
}

impl Spool {
    /// Without members. What does not fit into memory goes to a nameless file in `directory`.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let file = tempfile::spooled_tempfile_in(MEMORY_BYTES, directory);
        Self { file, length: 0, members: BTreeMap::new() }
    }

    /// Takes a member.
    ///
    /// # Errors
    /// When its name is not safe or there already, the bundle becomes too large, or it cannot be read or kept.
    pub fn add(&mut self, name: &str, mut from: impl BufRead) -> Result<(), ZipError> {
        if !name_is_safe(name) {
            return Err(ZipError::Name { name: name.escape_debug().to_string() });
        }
        if self.members.contains_key(name) {
            return Err(ZipError::Order { name: name.to_owned() });
        }
        let start = self.length;
        self.file.seek(SeekFrom::Start(start))?;
        let (mut hasher, mut crc) = (Sha256::new(), Crc::new());
        loop {
            let buffer = from.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            self.file.write_all(buffer)?;
            hasher.update(buffer);
            crc.update(buffer);
            let length = buffer.len();
            self.length += length as u64;
            if self.length > MAX_BYTES {
                return Err(ZipError::Full);
            }
            from.consume(length);
        }
        let size = u32::try_from(self.length - start).map_err(|_| ZipError::Full)?;
        let member = Member { start, size, crc: crc.value(), sha256: Hash(hasher.finalize().into()) };
        self.members.insert(name.to_owned(), member);
        Ok(())
    }

    /// The members' names and SHA-256, ascending.
    pub fn digests(&self) -> impl Iterator<Item = (&str, Hash)> {
        self.members.iter().map(|(name, member)| (name.as_str(), member.sha256))
    }

    /// Whether there is such a member.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A member as a stream from `offset` on.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn reader_from(&mut self, name: &str, offset: u64) -> Result<impl BufRead + '_, ZipError> {
        let member = self.members.get(name).ok_or_else(|| ZipError::Absent { name: name.to_owned() })?;
        let size = u64::from(member.size);
        let offset = offset.min(size);
        self.file.seek(SeekFrom::Start(member.start + offset))?;
        Ok(io::BufReader::new((&mut self.file).take(size - offset)))
    }

    /// Writes the zip.
    ///
    /// # Errors
    /// When there are too many members, the whole is too large, or it cannot be written.
    pub fn finish(mut self, mut out: impl Write) -> Result<(), ZipError> {
        let count = u16::try_from(self.members.len()).map_err(|_| ZipError::Full)?;
        debug_assert!(u64::from(count) <= MAX_MEMBERS, "16 bits");
        let (mut directory, mut offset) = (Vec::new(), 0);
        for (name, member) in &self.members {
            let head = Head { name: name.clone(), crc: member.crc, size: member.size, offset };
            offset = head.end().ok_or(ZipError::Full)?;
            out.write_all(&head.local())?;
            self.file.seek(SeekFrom::Start(member.start))?;
            let copied = io::copy(&mut (&mut self.file).take(member.size.into()), &mut out)?;
            if copied != u64::from(member.size) {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            directory.extend_from_slice(&head.central());
        }
        let size = u32::try_from(directory.len()).map_err(|_| ZipError::Full)?;
        let end = end_record(count, size, offset);
        if u64::from(offset) + u64::from(size) + end.len() as u64 > MAX_BYTES {
            return Err(ZipError::Full);
        }
        out.write_all(&directory)?;
        out.write_all(&end)?;
        out.flush()?;
        Ok(())
    }
}
