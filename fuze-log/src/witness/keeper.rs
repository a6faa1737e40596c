//! What a witness remembers and when it signs. One directory: for each log the newest checkpoint that it cosigned, replaced at
//! once and made durable before the cosignature leaves. If that file is lost the witness has seen nothing: keep it.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fuze_evidence::sign::SignatureError;
use fuze_evidence::{Signer, sha256};

use super::request::{AddCheckpoint, RequestError};
use crate::checkpoint::Checkpoint;
use crate::cosignature::cosign;
use crate::disk::{At, Disk, FileSystem, Publisher, at, read_file};
use crate::merkle::verify_consistency;
use crate::note::{Algorithm, KeyName, MAX_NOTE_BYTES, Note, NoteSignature, VerifierKey};
use crate::policy::{Policy, PolicyError, VerifiedCheckpoint};

const LOCK: &str = "lock";
const CHECKPOINT: &str = "checkpoint";

/// A clock: how late it is.
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A witness for a fixed set of logs.
pub struct Witness {
    key: VerifierKey,
    signer: Arc<dyn Signer>,
    logs: HashMap<String, Watched>,
    clock: Clock,
    disk: Arc<dyn Disk>,
    store: Mutex<Store>,
}

struct Watched {
    /// The log alone: what a request must meet.
    request: Policy,
    /// The log and this witness: what was stored must meet.
    stored: Policy,
}

struct Store {
    publisher: Publisher,
    lock: File,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.key)
    }
}

impl Witness {
    /// A witness of this name that keeps its state in `directory`, which is made if it is not there, and watches the logs with
    /// these verifier keys.
    ///
    /// # Errors
    /// When a key cannot be used (a log's of the wrong algorithm, twice, or the witness's own) or the directory not be made.
    pub fn open(
        directory: &Path,
        name: KeyName,
        signer: Arc<dyn Signer>,
        logs: impl IntoIterator<Item = VerifierKey>,
    ) -> Result<Self, WitnessSetupError> {
        Self::open_on(Arc::new(FileSystem), directory, name, signer, logs)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        name: KeyName,
        signer: Arc<dyn Signer>,
        logs: impl IntoIterator<Item = VerifierKey>,
    ) -> Result<Self, WitnessSetupError> {
        let key =
            VerifierKey::of(name, Algorithm::Cosignature, signer.as_ref()).map_err(WitnessSetupError::Key)?;
        let mut watched = HashMap::new();
        for log in logs {
            let origin = log.name().to_string();
            let request = Policy::new(log.clone(), Vec::new(), 0).map_err(WitnessSetupError::Log)?;
            let stored = Policy::new(log, vec![key.clone()], 1).map_err(WitnessSetupError::Log)?;
            if watched.insert(origin.clone(), Watched { request, stored }).is_some() {
                return Err(WitnessSetupError::Twice { origin });
            }
        }
        disk.create_dir(directory).map_err(at(directory))?;
        // A directory that a power cut takes away is a witness that has seen nothing.
        let parent = directory.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        disk.sync_dir(parent).map_err(at(parent))?;
        let path = directory.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(&path).map_err(at(&path))?;
        let store = Mutex::new(Store { publisher: Publisher::new(directory.to_owned()), lock });
        Ok(Self { key, signer, logs: watched, clock: Arc::new(SystemTime::now), disk, store })
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Fn() -> SystemTime + Send + Sync>) -> Self {
        self.clock = clock;
        self
    }

    /// Its verifier key, for policies.
    #[must_use]
    pub const fn vkey(&self) -> &VerifierKey {
        &self.key
    }

    /// Answers an `add-checkpoint` request: the cosignature, once the checkpoint is remembered for good.
    ///
    /// # Errors
    /// Why it does not sign; [`Refusal::status`] says it in HTTP.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<NoteSignature, Refusal> {
        let request = AddCheckpoint::read(body).map_err(Refusal::Request)?;
        let asked = Checkpoint::read(request.checkpoint.text()).map_err(|e| Refusal::Form(e.to_string()))?;
        let watched = self
            .logs
            .get(asked.origin())
            .ok_or_else(|| Refusal::UnknownOrigin { found: asked.origin().to_owned() })?;
        let new = watched.request.verify_extended(request.checkpoint).map_err(|error| match error {
            PolicyError::EmptyRoot => Refusal::Inconsistent(error.to_string()),
            _ => Refusal::Signature(error),
        })?;
        if request.old > asked.size() {
            return Err(Refusal::OldBeyond { old: request.old, size: asked.size() });
        }
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let path = store.publisher.root().join(LOCK);
        store.lock.lock().map_err(at(&path))?;
        let answer = self.decide(&mut store, watched, request.old, &request.proof, &new);
        let unlocked = store.lock.unlock().map_err(at(&path));
        let line = answer?;
        unlocked?;
        Ok(line)
    }

    /// Under the lock: compares with what was seen, remembers, signs.
    fn decide(
        &self,
        store: &mut Store,
        watched: &Watched,
        old: u64,
        proof: &[fuze_evidence::Hash],
        new: &VerifiedCheckpoint,
    ) -> Result<NoteSignature, Refusal> {
        let origin = new.checkpoint().origin();
        let seen = remembered(store.publisher.root(), origin, watched)?;
        let size = seen.as_ref().map_or(0, |seen| seen.checkpoint().size());
        if old != size {
            return Err(Refusal::Conflict { size });
        }
        match &seen {
            Some(seen) if size > 0 => {
                let (old, new) = (seen.checkpoint(), new.checkpoint());
                if new.size() == size && new.root() != old.root() {
                    return Err(Refusal::Forked { size });
                }
                verify_consistency(size, new.size(), old.root(), new.root(), proof)
                    .map_err(|error| Refusal::Inconsistent(error.to_string()))?;
            }
            // Every tree continues the empty one; there is nothing to prove.
            _ if proof.is_empty() => {}
            _ => return Err(Refusal::Inconsistent("a proof from an empty tree must be empty".into())),
        }
        let time = (self.clock)().duration_since(UNIX_EPOCH).map_err(|_| Refusal::Clock)?.as_secs();
        if time == 0 {
            return Err(Refusal::Clock);
        }
        // A cosignature says that this is the largest tree seen up to its time: a clock that fell back is not believed.
        let time =
            seen.iter().flat_map(VerifiedCheckpoint::cosigned).map(|by| by.time_s).fold(time, u64::max);
        let text = new.note().text();
        let line = cosign(text, time, &self.key, self.signer.as_ref())
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let log = watched.request.log();
        let mut note = Note::unsigned(text.to_owned());
        let signed = new.note().signatures().iter().filter(|s| log.is_named_by(s)).cloned();
        for line in signed.chain([line.clone()]) {
            note.add(line).map_err(|error| Refusal::Failed(error.to_string()))?;
        }
        let note = note.to_string();
        store.publisher.publish(self.disk.as_ref(), [(place(origin), note.as_bytes())])?;
        Ok(line)
    }

    /// The newest checkpoint that it cosigned for the log whose origin has this SHA-256 in lowercase hex: what monitors fetch.
    ///
    /// # Errors
    /// [`Refusal::UnknownOrigin`] when there is none.
    pub fn checkpoint(&self, origin_hash: &str) -> Result<Note, Refusal> {
        let unknown = || Refusal::UnknownOrigin { found: origin_hash.to_owned() };
        let found = self.logs.iter().find(|(origin, _)| hash_of(origin) == origin_hash);
        let (origin, watched) = found.ok_or_else(unknown)?;
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = remembered(store.publisher.root(), origin, watched)?;
        seen.map(|seen| seen.note().clone()).ok_or_else(unknown)
    }
}

fn hash_of(origin: &str) -> String {
    sha256(origin.as_bytes()).to_string()
}

fn place(origin: &str) -> PathBuf {
    Path::new(&hash_of(origin)).join(CHECKPOINT)
}

/// What was cosigned last. A file that this witness did not write stops it: forgetting would let a log be rolled back.
fn remembered(root: &Path, origin: &str, watched: &Watched) -> Result<Option<VerifiedCheckpoint>, Refusal> {
    let path = root.join(place(origin));
    let most = u64::try_from(MAX_NOTE_BYTES).unwrap_or(u64::MAX);
    let Some(bytes) = read_file(&path, most)? else { return Ok(None) };
    let verified =
        Note::read(&bytes).map_err(PolicyError::Note).and_then(|note| watched.stored.verify_extended(note));
    verified.map(Some).map_err(|error| Refusal::Failed(format!("`{}`: {error}", path.display())))
}

/// Why a witness does not sign.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The body is no request.
    Request(RequestError),
    /// The checkpoint is none.
    Form(String),
    /// A log that it does not watch, or of which it has seen nothing.
    UnknownOrigin {
        /// The one asked for.
        found: String,
    },
    /// The log has not signed the checkpoint.
    Signature(PolicyError),
    /// The old size is beyond the checkpoint.
    OldBeyond {
        /// The old size.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The witness has seen another size.
    Conflict {
        /// The one that it has seen.
        size: u64,
    },
    /// The witness has seen another tree of this size: the log has forked.
    Forked {
        /// The size of both.
        size: u64,
    },
    /// The proof does not hold: perhaps a fork.
    Inconsistent(String),
    /// The clock stands before 1970.
    Clock,
    /// The witness itself fails.
    Failed(String),
}

impl Refusal {
    /// The HTTP status of c2sp.org/tlog-witness.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Request(_) | Self::Form(_) | Self::OldBeyond { .. } => 400,
            Self::Signature(_) => 403,
            Self::UnknownOrigin { .. } => 404,
            Self::Conflict { .. } | Self::Forked { .. } => 409,
            Self::Inconsistent(_) => 422,
            Self::Clock | Self::Failed(_) => 500,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Form(why) => f.write_str(why),
            Self::UnknownOrigin { found } => write!(f, "the log `{found}` is not known here"),
            Self::Signature(error) => error.fmt(f),
            Self::OldBeyond { old, size } => {
                write!(f, "the old size {old} is beyond the checkpoint's, {size}")
            }
            Self::Conflict { size } => write!(f, "the size seen last is {size}"),
            Self::Forked { size } => {
                write!(
                    f,
                    "what was seen last is another tree of {size} leaves, with another root: the log has forked"
                )
            }
            Self::Inconsistent(why) => write!(f, "it does not continue what was seen last: {why}"),
            Self::Clock => f.write_str("the witness's clock stands before 1970"),
            Self::Failed(why) => write!(f, "the witness failed: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<At> for Refusal {
    fn from(At { path, error }: At) -> Self {
        Self::Failed(format!("`{}`: {error}", path.display()))
    }
}

/// Why there is no witness.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessSetupError {
    /// The signer's public key is none.
    Key(SignatureError),
    /// A log's key cannot be used.
    Log(PolicyError),
    /// One origin twice.
    Twice {
        /// Which.
        origin: String,
    },
    /// The directory cannot be used.
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

impl fmt::Display for WitnessSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "the witness's key: {error}"),
            Self::Log(error) => write!(f, "a log's key: {error}"),
            Self::Twice { origin } => write!(f, "the log `{origin}` is given twice"),
            Self::Io { path, why } => write!(f, "`{}`: {why}", path.display()),
        }
    }
}

impl std::error::Error for WitnessSetupError {}

impl From<At> for WitnessSetupError {
    fn from(At { path, error }: At) -> Self {
        Self::Io { path, why: error.to_string() }
    }
}
