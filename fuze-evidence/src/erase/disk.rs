//! The few things that an erasure does to files, each durable before the next. In tests each can be the last before a crash.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::EraseError;
use crate::files::{read_own, refuse_link};
use crate::keys::sync_parent;

/// What a file that is not yet whole ends in.
pub(super) const NEW: &str = ".new";

#[derive(Debug, Default)]
pub(super) struct Disk {
    /// How many more steps are taken before a crash.
    #[cfg(test)]
    pub(super) steps_left: std::cell::Cell<Option<u32>>,
    /// What somebody else does while this process waits for its locks.
    #[cfg(test)]
    pub(super) meanwhile: Meanwhile,
}

#[cfg(test)]
#[derive(Default)]
pub(super) struct Meanwhile(pub(super) std::cell::RefCell<Option<Box<dyn FnOnce()>>>);

#[cfg(test)]
impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> EraseError {
    let path = path.to_owned();
    move |source| EraseError::Io { path, source }
}

impl Disk {
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests count steps here"))]
    #[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "tests crash here"))]
    fn step(&self) -> io::Result<()> {
        #[cfg(test)]
        if let Some(left) = self.steps_left.get() {
            self.steps_left.set(Some(left.saturating_sub(1)));
            if left == 0 {
                return Err(io::Error::other("crashed"));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn pause(&self) {
        let meanwhile = self.meanwhile.0.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
    }

    /// Writes `bytes` beside `path`, makes them durable and puts them in its place.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), EraseError> {
        let new = new_name(path);
        let done = || -> io::Result<()> {
            self.step()?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&new)?;
            let (first, second) = bytes.split_at(bytes.len() / 2);
            file.write_all(first)?;
            self.step()?;
            file.write_all(second)?;
            file.sync_all()?;
            self.step()?;
            fs::rename(&new, path)?;
            self.step()?;
            sync_parent(path)
        };
        done().map_err(io(path))
    }

    /// Deletes a file, which may be gone.
    pub(super) fn remove(&self, path: &Path) -> Result<(), EraseError> {
        let done = || -> io::Result<()> {
            self.step()?;
            match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                removed => removed?,
            }
            self.step()?;
            sync_parent(path)
        };
        done().map_err(io(path))
    }

    /// Deletes an empty directory, which may be gone.
    pub(super) fn remove_directory(&self, path: &Path) -> Result<(), EraseError> {
        let done = || -> io::Result<()> {
            self.step()?;
            match fs::remove_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                removed => removed?,
            }
            self.step()?;
            sync_parent(path)
        };
        done().map_err(io(path))
    }

    /// Appends a line to a file that is held.
    pub(super) fn append(&self, mut file: &File, path: &Path, line: &[u8]) -> Result<(), EraseError> {
        let mut done = || -> io::Result<()> {
            let mut octets = line.to_vec();
            octets.push(b'\n');
            self.step()?;
            let (first, second) = octets.split_at(octets.len() / 2);
            file.write_all(first)?;
            self.step()?;
            file.write_all(second)?;
            self.step()?;
            file.sync_all()?;
            sync_parent(path)
        };
        done().map_err(io(path))
    }
}

/// A file of at most `limit` octets as a whole; `None` of one that is not there.
pub(super) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, EraseError> {
    match read_own(path, limit) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(io(path)),
    }
}

/// What `path` is called while it is written.
pub(super) fn new_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(NEW);
    path.with_file_name(name)
}

/// Makes a directory with narrow rights, if it is not there.
pub(super) fn make_directory(path: &Path) -> Result<(), EraseError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).and_then(|()| sync_parent(path)).map_err(io(path))
}

/// Opens a file to read and append, and holds it against other processes.
pub(super) fn hold(path: &Path, create: bool) -> Result<File, EraseError> {
    refuse_link(path).map_err(io(path))?;
    // A pipe would be opened, and never read to its end.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io(path)(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file")));
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(create);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(io(path))?;
    match file.try_lock() {
        // Whoever held it until now may have taken it away, because nothing was said in it.
        Ok(()) if !is_at(&file, path).map_err(io(path))? => Err(EraseError::Locked { path: path.to_owned() }),
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EraseError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io(path)(error)),
    }
}

/// Whether `path` still names this very file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let held = file.metadata()?;
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found.map(|found| (found.dev(), found.ino()) == (held.dev(), held.ino())),
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where files have numbers")]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}
