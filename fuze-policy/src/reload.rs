//! Policies that are replaced while the process runs: a bad set leaves the good one in force, and says so.
//!
//! Deliberately absent: threads and notifications of the file system. Whoever owns a thread looks; what is looked at is the bytes, since
//! times of files say little. A decision is of one set as a whole: see [`Engine::pinned`].

mod watcher;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::agent_tool::{self, Cerbos, LoadError};
use crate::cerbos::{Files, Source};
use crate::{Engine, EngineError, EngineIdentity, Request, Verdict};

pub use watcher::Watcher;

/// A directory of Cerbos policies, of which the last good state is in force.
///
/// ```
/// use std::sync::Arc;
/// use fuze_policy::{Policy, reload::Reloading};
///
/// let engine = Arc::new(Reloading::load("guide/payment")?);
/// let policy = Policy::Local(Arc::clone(&engine) as _);
/// // Later, once the directory holds other policies:
/// engine.reload()?;
/// # Ok::<(), fuze_policy::agent_tool::LoadError>(())
/// ```
///
/// Put a new set beside the old one and exchange the two by a rename, or by a link from the directory's name: then no state in between is
/// ever seen.
#[derive(Debug)]
pub struct Reloading {
    directory: PathBuf,
    state: RwLock<State>,
    /// Held from reading to taking, so that what was read later is never replaced by what was read before.
    looking: Mutex<()>,
}

#[derive(Debug)]
struct State {
    engine: Arc<Cerbos>,
    last_error: Option<LoadError>,
}

/// What came of looking at the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It holds what is in force.
    Unchanged,
    /// It differs, and is not taken before it has stopped changing. A [`Watcher`] alone says this.
    Settling,
    /// Another set is in force now.
    Replaced {
        /// The hash of the set before.
        from: [u8; 32],
        /// The hash of the set in force.
        to: [u8; 32],
    },
}

/// A directory as it was read at one time.
struct Read {
    files: Files,
    manifest: Option<Source>,
    hash: [u8; 32],
}

impl Reloading {
    /// Loads a directory of policies. Its name may be a link to the directory of the moment.
    ///
    /// # Errors
    /// See [`Cerbos::load`]: there has to be a good set to begin with.
    pub fn load(directory: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let directory = directory.into();
        let Read { files, manifest, .. } = Read::directory(&directory)?;
        let engine = Arc::new(Cerbos::new(&files, manifest.as_ref())?);
        Ok(Self {
            directory,
            state: RwLock::new(State { engine, last_error: None }),
            looking: Mutex::new(()),
        })
    }

    /// Looks at the directory now and takes what it holds. To be called once the directory is complete.
    ///
    /// # Errors
    /// Everything that is wrong with what is there. Then the set before stays in force, and
    /// [`last_error`](Self::last_error) says the same.
    pub fn reload(&self) -> Result<Reload, LoadError> {
        let _one_at_a_time = self.looking();
        let read = self.read()?;
        self.take(&read)
    }

    /// What is in force.
    #[must_use]
    pub fn current(&self) -> Arc<Cerbos> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).engine)
    }

    /// Why the directory, when it was last looked at, could not be taken. `None` once it could be, or holds again what is in force.
    #[must_use]
    pub fn last_error(&self) -> Option<LoadError> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).last_error.clone()
    }

    fn looking(&self) -> MutexGuard<'_, ()> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<Read, LoadError> {
        Read::directory(&self.directory).inspect_err(|error| self.failed(error))
    }

    fn failed(&self, error: &LoadError) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).last_error = Some(error.clone());
    }

    fn is_in_force(&self, read: &Read) -> bool {
        self.current().bundle_hash() == read.hash
    }

    fn take(&self, read: &Read) -> Result<Reload, LoadError> {
        // Loaded before the lock is taken: decisions do not wait for it.
        let loaded = match self.is_in_force(read) {
            true => None,
            false => Some(
                Cerbos::new(&read.files, read.manifest.as_ref()).inspect_err(|error| self.failed(error))?,
            ),
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.last_error = None;
        let Some(loaded) = loaded else { return Ok(Reload::Unchanged) };
        let (from, to) = (state.engine.bundle_hash(), loaded.bundle_hash());
        state.engine = Arc::new(loaded);
        Ok(Reload::Replaced { from, to })
    }
}

impl Read {
    fn directory(directory: &Path) -> Result<Self, LoadError> {
        // One directory to the end, also where its name is a link that is exchanged meanwhile.
        let found = std::fs::canonicalize(directory)
            .map_err(|error| LoadError::about(".", format!("the directory cannot be read: {error}")))?;
        let (files, manifest) = agent_tool::read(&found)?;
        let hash = agent_tool::hash(&files, manifest.as_ref());
        Ok(Self { files, manifest, hash })
    }
}

impl Engine for Reloading {
    fn identity(&self) -> EngineIdentity {
        self.current().identity()
    }

    fn pinned(&self) -> Option<Arc<dyn Engine>> {
        Some(self.current())
    }

    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        self.current().decide(request)
    }

    fn tools_named(&self) -> Vec<String> {
        self.current().tools_named()
    }
}
