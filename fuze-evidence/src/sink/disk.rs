//! What a sink asks of a file system, and nothing else: so that a test can be the disk that loses what was not made durable.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

use crate::files::refuse_link;

/// Makes directories and files.
pub(super) trait Disk: Send + Sync {
    /// Makes a directory and those above it that are not there, for the owner alone. One that is there stays as it is, and may be no link.
    fn make_directories(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory that must not be there, for the owner alone.
    fn make_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes a file that must not be there, for the owner alone, and locks it. [`io::ErrorKind::WouldBlock`]: somebody else has it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Makes the entries of a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// A file that grows.
pub(super) trait DiskFile: Send {
    /// Writes at the end, in one go: a crash leaves a prefix.
    fn append(&mut self, octets: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The operating system's.
pub(super) struct OsDisk;

fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

impl Disk for OsDisk {
    fn make_directories(&self, path: &Path) -> io::Result<()> {
        builder().recursive(true).create(path)?;
        // No erasure would follow it.
        refuse_link(path)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        builder().create(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)?.sync_all()
    }
}

impl DiskFile for File {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.write_all(octets)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
