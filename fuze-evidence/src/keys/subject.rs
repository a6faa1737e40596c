//! Data subjects' keys: kept apart from runs, so that deleting one erases what it protected everywhere, backups of runs included.
//!
//! A key stands under the alias of one run. So that "erase this person" finds all of them, an index leads from the deployment's
//! own reference for the person to the aliases; it holds no reference, only an HMAC under a secret that stays in here.

mod files;
mod memory;

use std::fmt;
use std::io;
use std::path::Path;

use super::file::KeyFileError;
use super::{Secret, SubjectKey};
use crate::crypto;
use crate::hash::Hash;
use crate::jcs;
use crate::name::Name;
use crate::random::RandomError;

pub use files::FileSubjectKeys;
pub use memory::MemorySubjectKeys;

/// A person, as the deployment calls them on behalf of one tenant: two tenants may give the same reference to different people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    /// The tenant.
    pub tenant: &'a Name,
    /// The deployment's own reference. Identifies the person, and is therefore never stored in clear.
    pub reference: &'a str,
}

impl fmt::Debug for Person<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({})", self.tenant)
    }
}

/// Keeps data subjects' keys under the run's alias for the subject.
pub trait SubjectKeys: Send + Sync {
    /// Makes the key for `alias`, the alias of `person` in one run. Durable when this returns, the index before the key.
    ///
    /// # Errors
    /// When there is one already, or it cannot be stored durably.
    fn create(&self, alias: &Name, person: Person<'_>) -> Result<SubjectKey, SubjectKeyError>;

    /// The key for `alias`, `None` if it was erased or never was.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError>;

    /// Every alias of `person` that was not erased, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn aliases(&self, person: Person<'_>) -> Result<Vec<Name>, SubjectKeyError>;

    /// Whether [`SubjectKeys::erase`] would leave nothing of the key for `alias`: asked before anything is erased.
    ///
    /// # Errors
    /// When something of it would stay, for instance under another name.
    fn check_erasable(&self, _alias: &Name) -> Result<(), SubjectKeyError> {
        Ok(())
    }

    /// Deletes the key for `alias`, and then the alias from the index. Durable when this returns; done again, it does nothing.
    ///
    /// # Errors
    /// When the store cannot be written. The key may be gone all the same; do it again.
    fn erase(&self, alias: &Name) -> Result<(), SubjectKeyError>;
}

/// Why a subject's key was not made, found or erased.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubjectKeyError {
    /// There is one for this alias already.
    Exists {
        /// The alias.
        alias: Name,
    },
    /// Keys were looked for where none were ever made.
    NoKeys {
        /// The directory.
        directory: std::path::PathBuf,
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
            Self::NoKeys { directory } => write!(
                f,
                "`{}` is no directory of subject keys: expected one with an `index.key`, as a deployment makes it with its first subject \
                 (`subjects` below the directory of its keys)",
                directory.display()
            ),
            Self::File(error) => error.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Store(why) => write!(f, "the store of subject keys failed: {why}"),
        }
    }
}

impl std::error::Error for SubjectKeyError {}

impl From<KeyFileError> for SubjectKeyError {
    fn from(error: KeyFileError) -> Self {
        Self::File(error)
    }
}

/// Finds a person's entry in an index without naming them. For stores of subject keys; as secret as their keys.
pub struct SubjectIndexKey(Secret);

impl fmt::Debug for SubjectIndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectIndexKey")
    }
}

impl SubjectIndexKey {
    /// From 32 secret random octets.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Where the index has `person`: an HMAC of tenant and reference.
    ///
    /// # Errors
    /// None in practice; the canonical writer's own.
    pub fn tag(&self, person: Person<'_>) -> Result<Hash, SubjectKeyError> {
        let message = jcs::to_vec(&("fuze/subject-index/v1", person.tenant, person.reference))
            .map_err(|e| SubjectKeyError::Store(e.to_string()))?;
        Ok(Hash(crypto::hmac(&self.0, &[&message])))
    }
}

/// An error of the file system at `path`.
fn io_at(path: &Path) -> impl FnOnce(io::Error) -> SubjectKeyError {
    let path = path.to_owned();
    move |source| SubjectKeyError::File(KeyFileError::Io { path, source })
}
