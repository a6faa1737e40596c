//! Data subjects' keys: kept apart from runs, so that deleting one erases what it protected everywhere, backups of runs included.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use super::file::{self, KeyFileError, SUBJECT};
use super::{SubjectKey, fresh};
use crate::hash::sha256;
use crate::name::Name;
use crate::random::{OsRandom, RandomError};

/// Keeps data subjects' keys under the run's alias for the subject.
pub trait SubjectKeys: Send + Sync {
    /// Makes the key for `alias`.
    ///
    /// # Errors
    /// When there is one already, or it cannot be stored durably.
    fn create(&self, alias: &Name) -> Result<SubjectKey, SubjectKeyError>;

    /// The key for `alias`, `None` if it was erased or never was.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError>;
}

/// Why a subject's key was not made or found.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubjectKeyError {
    /// There is one for this alias already.
    Exists {
        /// The alias.
        alias: Name,
    },
    /// Its file.
    File(KeyFileError),
    /// The source of randomness failed.
    Random(RandomError),
    /// Another kind of store, in its own words.
    Store(String),
}

impl fmt::Display for SubjectKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { alias } => {
                write!(f, "the data subject `{alias}` has a key already; aliases are random and per run")
            }
            Self::File(error) => error.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Store(why) => write!(f, "the store of subject keys failed: {why}"),
        }
    }
}

impl std::error::Error for SubjectKeyError {}

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

    /// A hash of the alias, so that no alias can name a file elsewhere.
    fn path(&self, alias: &Name) -> PathBuf {
        self.directory.join(format!("{}.key", sha256(alias.as_str().as_bytes())))
    }
}

impl SubjectKeys for FileSubjectKeys {
    fn create(&self, alias: &Name) -> Result<SubjectKey, SubjectKeyError> {
        let path = self.path(alias);
        let made = create_private_directory(&self.directory)
            .map_err(|source| KeyFileError::Io { path: self.directory.clone(), source })
            .and_then(|()| file::create(&path, SUBJECT, &mut OsRandom::new()));
        match made {
            Ok(secret) => Ok(SubjectKey(secret)),
            Err(KeyFileError::Exists { .. }) => Err(SubjectKeyError::Exists { alias: alias.clone() }),
            Err(error) => Err(SubjectKeyError::File(error)),
        }
    }

    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError> {
        match file::load(&self.path(alias), SUBJECT) {
            Ok(secret) => Ok(Some(SubjectKey(secret))),
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SubjectKeyError::File(error)),
        }
    }
}

fn create_private_directory(directory: &std::path::Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    file::sync_parent(directory)
}

/// Keys in memory: for tests and for runs that leave nothing behind.
#[derive(Default)]
pub struct MemorySubjectKeys(Mutex<HashMap<Name, crate::crypto::Secret>>);

impl fmt::Debug for MemorySubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemorySubjectKeys")
    }
}

impl MemorySubjectKeys {
    fn locked(
        &self,
    ) -> Result<std::sync::MutexGuard<'_, HashMap<Name, crate::crypto::Secret>>, SubjectKeyError> {
        self.0.lock().map_err(|_| SubjectKeyError::Store("a thread panicked while it held the keys".into()))
    }
}

impl SubjectKeys for MemorySubjectKeys {
    fn create(&self, alias: &Name) -> Result<SubjectKey, SubjectKeyError> {
        let secret = fresh(&mut OsRandom::new()).map_err(SubjectKeyError::Random)?;
        let mut keys = self.locked()?;
        if keys.contains_key(alias) {
            return Err(SubjectKeyError::Exists { alias: alias.clone() });
        }
        keys.insert(alias.clone(), secret.clone());
        Ok(SubjectKey(secret))
    }

    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError> {
        Ok(self.locked()?.get(alias).cloned().map(SubjectKey))
    }
}
