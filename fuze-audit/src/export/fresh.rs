//! A new file that has no name until it is whole, where the system has such files: whoever is killed before leaves nothing.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// A file below a directory that is not in its place yet.
pub(super) enum Fresh {
    /// `O_TMPFILE`, open(2).
    #[cfg(target_os = "linux")]
    Nameless(File),
    /// Elsewhere, and on file systems that have no other: a killed process leaves it.
    Named(NamedTempFile),
}

impl Fresh {
    pub(super) fn new_in(directory: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = nameless(directory) {
            return Ok(Self::Nameless(file));
        }
        NamedTempFile::new_in(directory).map(Self::Named)
    }

    pub(super) fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Nameless(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Puts it in its place, where nothing may be.
    pub(super) fn put(self, path: &Path) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Nameless(file) => link(&file, path),
            Self::Named(file) => file.persist_noclobber(path).map(drop).map_err(|error| error.error),
        }
    }
}

/// Where a process finds its open files: what has no name gets one through it.
#[cfg(target_os = "linux")]
const OPEN_FILES: &str = "/proc/self/fd";

/// `None` where there is no such file: then one with a name says what else is wrong.
#[cfg(target_os = "linux")]
fn nameless(directory: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if !Path::new(OPEN_FILES).is_dir() {
        return None;
    }
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    File::options().read(true).write(true).mode(0o600).custom_flags(flags).open(directory).ok()
}

#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd as _;
    let from = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    Ok(linkat(CWD, from.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}
