//! Reading files that somebody else may have put there.
//!
//! A file that somebody names may be a link. What lies in a place of evidence may not ([`Place`](crate::place::Place)): an erasure would
//! take the link and leave what it leads to.

use std::fs::{self, File};
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
    bounded(open_regular(path)?, limit)
}

/// As [`open_regular`], and no link to one.
///
/// # Errors
/// As [`refuse_link`], and as [`open_regular`].
pub fn open_own(path: &Path) -> io::Result<File> {
    refuse_link(path)?;
    let named = fs::symlink_metadata(path)?;
    let file = open_regular(path)?;
    // What was examined must be what was opened: a link put there in between leads elsewhere.
    if is_same(&named, &file.metadata()?) { Ok(file) } else { Err(linked()) }
}

/// As [`read_regular`], and no link to such a file.
///
/// # Errors
/// As [`open_own`], and as [`read_regular`].
pub fn read_own(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    bounded(open_own(path)?, limit)
}

/// Refuses a symbolic link, wherever it leads. Nothing at all is no link.
///
/// # Errors
/// When it is one, or the operating system's own.
pub fn refuse_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(linked()),
        Err(error) if !is_nothing(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Refuses what would stay under another name when this one is deleted or replaced: a link, and a file with a second name.
///
/// # Errors
/// When it is such a thing, or the operating system's own.
pub fn refuse_other_name(path: &Path) -> io::Result<()> {
    refuse_link(path)?;
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && names(&found) > 1 => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the file has another name (a hard link), under which its content would stay; delete that name (`find <where> -samefile` \
             finds it), or put a copy in the place of this one",
        )),
        Err(error) if !is_nothing(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether nothing has that name, or can have.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn linked() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is a symbolic link, and none is followed in a place of evidence; put what it leads to in its place, or name the place that \
         this really is",
    )
}

fn bounded(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
    if octets.len() as u64 > limit {
        let why = format!("it is longer than {limit} octets, the most expected here");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(octets)
}

/// How many names a file has.
#[cfg(unix)]
pub(crate) fn names(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(found)
}

#[cfg(not(unix))]
pub(crate) fn names(_: &fs::Metadata) -> u64 {
    1
}

/// Whether both are one file, whatever its names.
#[cfg(unix)]
pub(crate) fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
pub(crate) fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
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

    #[cfg(unix)]
    #[test]
    fn what_has_another_name_is_told_from_what_has_none() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::write(at("file"), b"octets").unwrap();
        assert_eq!(read_own(&at("file"), 6).unwrap(), b"octets");
        assert_eq!(read_own(&at("none"), 6).unwrap_err().kind(), io::ErrorKind::NotFound);
        for well in ["file", "none", "file/below"] {
            refuse_link(&at(well)).unwrap();
            refuse_other_name(&at(well)).unwrap();
        }
        symlink(at("file"), at("link")).unwrap();
        symlink(at("none"), at("dangling")).unwrap();
        for link in ["link", "dangling"] {
            assert!(open_own(&at(link)).is_err() && refuse_link(&at(link)).is_err(), "{link}");
            assert!(refuse_other_name(&at(link)).is_err(), "{link}");
        }
        std::fs::hard_link(at("file"), at("second")).unwrap();
        for name in ["file", "second"] {
            assert_eq!(read_own(&at(name), 6).unwrap(), b"octets");
            assert!(refuse_other_name(&at(name)).is_err(), "{name}");
        }
    }
}
