//! The operations that change files, each behind one method, so that tests can make each one fail. Reads go to the file
//! system directly. Not here: what the files mean.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use fuze_evidence::files::open_regular;

/// A file that is being written.
pub(crate) trait Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// What changes something on disk.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory; fine if it is there.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes a file, empties one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Puts `from` in the place of `to`, at once.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a directory's entries durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with what is in it; fine if it is not there.
    #[cfg(feature = "sqlite")]
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Ends a transaction of a database.
    #[cfg(feature = "sqlite")]
    fn commit(&self, commit: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        commit()
    }
}

/// The file system as it is.
#[derive(Debug)]
pub(crate) struct FileSystem;

impl Output for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Disk for FileSystem {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            done => done,
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(File::create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(feature = "sqlite")]
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// A failure, and where.
#[derive(Debug)]
pub(crate) struct At {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> At {
    let path = path.to_owned();
    move |error| At { path, error }
}

/// Publishes files below one directory: whole or not at all, each of them, and durable when it returns.
#[derive(Debug)]
pub(crate) struct Publisher {
    root: PathBuf,
    /// Directories whose own entry is known to be durable.
    durable: HashSet<PathBuf>,
}

impl Publisher {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, durable: HashSet::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes each file beside its place, syncs it, puts it in its place, and syncs the directories.
    pub(crate) fn publish<'f>(
        &mut self,
        disk: &dyn Disk,
        files: impl IntoIterator<Item = (PathBuf, &'f [u8])>,
    ) -> Result<(), At> {
        let mut changed: Vec<PathBuf> = Vec::new();
        for (path, bytes) in files {
            let path = self.root.join(path);
            let parent = path.parent().unwrap_or(&self.root).to_owned();
            self.make_dirs(disk, &parent, &mut changed)?;
            let mut beside = path.clone().into_os_string();
            beside.push(".tmp");
            let beside = PathBuf::from(beside);
            let mut file = disk.create(&beside).map_err(at(&beside))?;
            file.write(bytes).map_err(at(&beside))?;
            file.sync().map_err(at(&beside))?;
            drop(file);
            disk.rename(&beside, &path).map_err(at(&path))?;
            remember(&mut changed, parent);
        }
        for directory in &changed {
            disk.sync_dir(directory).map_err(at(directory))?;
        }
        // Whatever was made is now in a directory that has been synced.
        self.durable.extend(changed);
        Ok(())
    }

    /// A directory may be there and its entry not yet durable, after a crash between the two: so each is synced once.
    fn make_dirs(&self, disk: &dyn Disk, directory: &Path, changed: &mut Vec<PathBuf>) -> Result<(), At> {
        let missing = directory
            .ancestors()
            .take_while(|path| *path != self.root && !self.durable.contains(*path))
            .collect::<Vec<_>>();
        for path in missing.into_iter().rev() {
            disk.create_dir(path).map_err(at(path))?;
            remember(changed, path.to_owned());
            remember(changed, path.parent().unwrap_or(&self.root).to_owned());
        }
        Ok(())
    }

    /// Removes a directory that nobody needs any more.
    #[cfg(feature = "sqlite")]
    pub(crate) fn remove_dir(&mut self, disk: &dyn Disk, path: &Path) -> Result<(), At> {
        let path = self.root.join(path);
        disk.remove_dir(&path).map_err(at(&path))?;
        self.durable.remove(&path);
        Ok(())
    }
}

fn remember(paths: &mut Vec<PathBuf>, path: PathBuf) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}

/// Reads a file of at most `most` octets; `None` if there is none.
pub(crate) fn read_file(path: &Path, most: u64) -> Result<Option<Vec<u8>>, At> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(At { path: path.to_owned(), error }),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(at(path))?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found <= most) {
        Ok(Some(bytes))
    } else {
        let error = io::Error::new(io::ErrorKind::InvalidData, format!("longer than {most} octets"));
        Err(At { path: path.to_owned(), error })
    }
}
