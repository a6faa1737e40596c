//! Keys in files of a directory of their own:
//!
//! - `index.key`: the secret of the index.
//! - `<h>.key`: a key; h is the SHA-256 of the alias, so that no alias can name a file elsewhere.
//! - `<h>.index`: the person's tag, so that an alias finds its entry in the index when it is erased.
//! - `index/<tag>/<h>`: the alias.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Person, SubjectIndexKey, SubjectKey, SubjectKeyError, SubjectKeys, io_at};
use crate::hash::{Hash, sha256};
use crate::keys::file::{self, INDEX, KeyFileError, SUBJECT, sync_parent};
use crate::name::Name;
use crate::random::OsRandom;

/// One file for each alias in a directory of its own.
#[derive(Debug)]
pub struct FileSubjectKeys {
    directory: PathBuf,
}

impl FileSubjectKeys {
    /// Keys are in `directory`, which is made when the first key is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Keys that are in `directory` already, for whoever looks for some: where none were ever made, a person's aliases would be
    /// taken for none.
    ///
    /// # Errors
    /// [`SubjectKeyError::NoKeys`] when it has no index; else why that cannot be read.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, SubjectKeyError> {
        let keys = Self::new(directory);
        match keys.find_index_key()? {
            Some(_) => Ok(keys),
            None => Err(SubjectKeyError::NoKeys { directory: keys.directory }),
        }
    }

    fn path(&self, alias: &Name, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", alias_hash(alias)))
    }

    fn index(&self, tag: &str) -> PathBuf {
        self.directory.join("index").join(tag)
    }

    /// The index's secret; `None` when there is none yet.
    fn find_index_key(&self) -> Result<Option<SubjectIndexKey>, SubjectKeyError> {
        match file::load(&self.directory.join("index.key"), INDEX) {
            Ok(secret) => Ok(Some(SubjectIndexKey::new(secret))),
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn index_key(&self) -> Result<SubjectIndexKey, SubjectKeyError> {
        if let Some(key) = self.find_index_key()? {
            return Ok(key);
        }
        match file::create(&self.directory.join("index.key"), INDEX, &mut OsRandom::new()) {
            Ok(secret) => Ok(SubjectIndexKey::new(secret)),
            // Somebody else was first.
            Err(KeyFileError::Exists { .. }) => self
                .find_index_key()?
                .ok_or_else(|| SubjectKeyError::Store("the index's key came and went".into())),
            Err(error) => Err(error.into()),
        }
    }
}

impl SubjectKeys for FileSubjectKeys {
    fn create(&self, alias: &Name, person: Person<'_>) -> Result<SubjectKey, SubjectKeyError> {
        make_directory(&self.directory)?;
        let path = self.path(alias, "key");
        if path.exists() {
            return Err(SubjectKeyError::Exists { alias: alias.clone() });
        }
        let tag = self.index_key()?.tag(person)?.to_string();
        let index = self.index(&tag);
        // INVARIANT: no key without its entry in the index, or an erasure of the person would miss it.
        write(&self.path(alias, "index"), tag.as_bytes())?;
        let entry = index.join(alias_hash(alias).to_string());
        make_directory(&index)?;
        if write(&entry, alias.as_str().as_bytes()).is_err() {
            // The person's last other alias may have been erased just now, and the directory with it.
            make_directory(&index)?;
            write(&entry, alias.as_str().as_bytes())?;
        }
        match file::create(&path, SUBJECT, &mut OsRandom::new()) {
            Ok(secret) => Ok(SubjectKey(secret)),
            Err(KeyFileError::Exists { .. }) => Err(SubjectKeyError::Exists { alias: alias.clone() }),
            Err(error) => Err(error.into()),
        }
    }

    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError> {
        match file::load(&self.path(alias, "key"), SUBJECT) {
            Ok(secret) => Ok(Some(SubjectKey(secret))),
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn aliases(&self, person: Person<'_>) -> Result<Vec<Name>, SubjectKeyError> {
        let Some(key) = self.find_index_key()? else { return Ok(Vec::new()) };
        let index = self.index(&key.tag(person)?.to_string());
        let entries = match fs::read_dir(&index) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_at(&index))?,
        };
        let mut aliases = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_at(&index))?.path();
            let alias = fs::read_to_string(&path).map_err(io_at(&path))?;
            // A crash while the entry was made leaves part of an alias, and no key.
            let whole = |alias: &Name| path.file_name() == Some(alias_hash(alias).to_string().as_ref());
            aliases.extend(Name::new(&alias).ok().filter(whole));
        }
        aliases.sort_unstable();
        Ok(aliases)
    }

    fn check_erasable(&self, alias: &Name) -> Result<(), SubjectKeyError> {
        file::check_erasable(&self.path(alias, "key"))?;
        Ok(file::check_erasable(&self.path(alias, "index"))?)
    }

    fn erase(&self, alias: &Name) -> Result<(), SubjectKeyError> {
        if !self.directory.exists() {
            return Ok(());
        }
        self.check_erasable(alias)?;
        let key = self.path(alias, "key");
        for left in file::left_by_crash(&key)? {
            remove(&left)?;
        }
        remove(&key)?;
        let marker = self.path(alias, "index");
        match fs::read_to_string(&marker) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            tag => {
                let tag = tag.map_err(io_at(&marker))?;
                // Only a tag names a place: a marker that a crash cut short has no entry.
                if tag.parse::<Hash>().is_ok() {
                    let index = self.index(&tag);
                    if index.exists() {
                        remove(&index.join(alias_hash(alias).to_string()))?;
                        remove_if_empty(&index)?;
                    }
                }
            }
        }
        remove(&marker)
    }
}

fn alias_hash(alias: &Name) -> Hash {
    sha256(alias.as_str().as_bytes())
}

fn write(path: &Path, octets: &[u8]) -> Result<(), SubjectKeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let done = || -> io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(octets)?;
        file.sync_all()?;
        sync_parent(path)
    };
    done().map_err(io_at(path))
}

/// Deletes a file, which may be gone, durably.
fn remove(path: &Path) -> Result<(), SubjectKeyError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.map_err(io_at(path))?,
    }
    sync_parent(path).map_err(io_at(path))
}

fn remove_if_empty(path: &Path) -> Result<(), SubjectKeyError> {
    match fs::remove_dir(path) {
        Ok(()) => sync_parent(path).map_err(io_at(path)),
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => {
            Ok(())
        }
        Err(error) => Err(io_at(path)(error)),
    }
}

fn make_directory(path: &Path) -> Result<(), SubjectKeyError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).and_then(|()| sync_parent(path)).map_err(io_at(path))
}
