//! Reading files that somebody else may have put there.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest annex that is read: 256 MiB, some 500 000 lines.
pub const MAX_ANNEX_BYTES: u64 = 256 << 20;

/// Opens a regular file, or a link to one: a device may never end, and a pipe that nobody writes to never begins.
///
/// # Errors
/// When it is none, or the operating system's own.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        let why =
            "expected a regular file, found a directory, a device or a pipe; copy what it gives into a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    File::open(path)
}

/// Reads a regular file of at most `limit` octets, however many it says that it has.
///
/// # Errors
/// When it is none, is longer, or the operating system's own.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    open_regular(path)?.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
    if octets.len() as u64 > limit {
        let why = format!("it is longer than {limit} octets, the most expected here");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_or_no_beginning_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("annex");
        std::fs::write(&path, b"octets").unwrap();
        assert_eq!(read_regular(&path, 6).unwrap(), b"octets");
        assert_eq!(read_regular(&path, 5).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_regular(place.path(), 5).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_regular(&place.path().join("none"), 5).unwrap_err().kind(), io::ErrorKind::NotFound);
        // Sparse: as long as a disk is large, and nothing in it.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_regular(&path, 1 << 20).unwrap_err().kind(), io::ErrorKind::InvalidData);
        #[cfg(unix)]
        for device in ["/dev/zero", "/dev/tty"] {
            assert!(open_regular(Path::new(device)).is_err(), "{device}");
        }
    }
}
