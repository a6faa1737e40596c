//! Checks a run's files against `docs/evidence-format.md`, line by line, in memory that does not grow with the run's content.
//!
//! Three answers: verified (in a [`Report`]), failed, or cannot verify. What it says holds under the keys that it was given
//! and no others; it does not know whether what was recorded is true, or what was never recorded.

mod chain;
mod chunks;
mod content;
mod explain;
mod frame;
mod lines;
mod ordered;
mod report;
mod run;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::Path;

use crate::annex::Annex;
use crate::files::{open_own, open_regular};
use crate::hash::Hash;
use crate::keys::history::{KeyHistory, Standing};
use crate::keys::{MasterKey, SubjectKeys};
use crate::name::Name;
use crate::record::RunId;
use crate::sign::{KeyId, PublicKey};
use crate::sink::{CONTENT, KEYS, MemoryRun, RECORDS, ROOTS};
use crate::span::AgentInvoke;
use crate::time::Timestamp;

pub use chain::{ChainHead, Look, check_chain};
pub use chunks::Octets;
pub(crate) use content::ContentCheck;
pub(crate) use explain::Explained;
pub use report::{Chain, ContentCounts, Failure, FieldStatus, MissingField, Report, VerifyError, What};

/// What a verifier relies on: which keys may sign runs, and what it was given to open content.
#[derive(Default)]
pub struct TrustedKeys<'k> {
    runs: HashMap<KeyId, PublicKey>,
    histories: Vec<KeyHistory>,
    anchored: Vec<Hash>,
    master: Option<&'k MasterKey>,
    subjects: Option<&'k dyn SubjectKeys>,
    annexes: Vec<&'k Annex>,
    expected: Expected,
}

/// What the auditor asked for. The evidence itself does not say which run, tenant or deployment somebody wanted to see.
#[derive(Debug, Default)]
struct Expected {
    run_id: Option<RunId>,
    tenant: Option<Name>,
    origin: Option<Name>,
}

impl<'k> TrustedKeys<'k> {
    /// Trusts nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs signed by `key` are accepted, unless a history that knows it says otherwise.
    #[must_use]
    pub fn run_key(mut self, key: PublicKey) -> Self {
        self.runs.insert(key.id(), key);
        self
    }

    /// Runs of the history's origin signed by a key that was in force when they began are accepted. About a key that it knows it decides,
    /// whoever else trusts that key, and whatever deployment a run says it is of.
    #[must_use]
    pub fn history(mut self, history: KeyHistory) -> Self {
        self.histories.push(history);
        self
    }

    /// A log proof, verified elsewhere, shows that the signed root, or the line of the annex, with this hash stood there before its
    /// key was revoked.
    #[must_use]
    pub fn stood_before_revocation(mut self, root: Hash) -> Self {
        self.anchored.push(root);
        self
    }

    /// The key that `invoke` names, if it may sign a run that began at `at`.
    fn run_key_at(&self, invoke: &AgentInvoke, at: Timestamp) -> Result<RunKey, String> {
        self.key_at(&invoke.key_id, &invoke.origin, at)
    }

    /// The key `id`, if it may sign for runs of `origin` at `at`.
    pub(crate) fn key_at(&self, id: &KeyId, origin: &Name, at: Timestamp) -> Result<RunKey, String> {
        let knowing = || self.histories.iter().filter(|history| history.knows(id));
        // Whoever stole a key that was replaced or revoked could name a deployment of which no history was given.
        if let Some(why) = knowing().find_map(|history| history.refuses_runs(origin)) {
            return Err(format!("it is signed by the key {id}, which {why}"));
        }
        let (mut why, mut in_force) = (None, None);
        for history in knowing() {
            match history.standing(id, at) {
                Standing::Unknown => {}
                Standing::InForce(key) => in_force = Some(key),
                Standing::Revoked { key, at, .. } => return Ok(RunKey { key, revoked: Some(at) }),
                Standing::NotYet { from } => {
                    why =
                        Some(format!("it began before its key {id} was in force, which was from {from} on"));
                }
                Standing::RotatedOut { at } => {
                    why = Some(format!("it began after its key {id} had been replaced, which was at {at}"));
                }
            }
        }
        // A history that knows the key says more about it than that it is trusted: until when, and whether it was revoked. Of two the
        // stricter counts: the other is older.
        match (why, in_force.or_else(|| self.runs.get(id).copied())) {
            (Some(why), _) => Err(why),
            (None, Some(key)) => Ok(RunKey { key, revoked: None }),
            (None, None) if self.runs.values().any(|key| key.to_bytes() == id.0) => Err(format!(
                "it is signed by the key whose id is {id}, and that id was given as if it were the key; give the key itself, of which it is \
                 the SHA-256"
            )),
            (None, None) => Err(format!("it is signed by the key {id}, which is not trusted")),
        }
    }

    /// Content is opened with `master`; without it, content is withheld.
    #[must_use]
    pub const fn master_key(mut self, master: &'k MasterKey) -> Self {
        self.master = Some(master);
        self
    }

    /// Where the keys of data subjects are.
    #[must_use]
    pub fn subject_keys(mut self, subjects: &'k dyn SubjectKeys) -> Self {
        self.subjects = Some(subjects);
        self
    }

    /// What happened to runs after their close. An annex explains what is gone of the runs of its own origin and tenant, and what it
    /// says of them must be true.
    #[must_use]
    pub fn annex(mut self, annex: &'k Annex) -> Self {
        self.annexes.push(annex);
        self
    }

    /// Another run than `run_id` is a failure: files of another run verify as well.
    #[must_use]
    pub const fn expect_run(mut self, run_id: RunId) -> Self {
        self.expected.run_id = Some(run_id);
        self
    }

    /// A run of another tenant is a failure.
    #[must_use]
    pub fn expect_tenant(mut self, tenant: Name) -> Self {
        self.expected.tenant = Some(tenant);
        self
    }

    /// A run of another deployment is a failure.
    #[must_use]
    pub fn expect_origin(mut self, origin: Name) -> Self {
        self.expected.origin = Some(origin);
        self
    }

    /// What the annexes say of the run.
    pub(crate) fn explained(
        &self,
        origin: &Name,
        tenant: &Name,
        run: RunId,
    ) -> Result<Explained<'k>, VerifyError> {
        Explained::new(&self.annexes, origin, tenant, run)
    }

    /// Whether a log had this before a revocation.
    pub(crate) fn stood(&self, hash: &Hash) -> bool {
        self.anchored.contains(hash)
    }
}

/// A key that a run may be signed with.
#[derive(Clone, Copy)]
pub(crate) struct RunKey {
    pub(crate) key: PublicKey,
    /// When it was revoked: then only what a log had before counts.
    pub(crate) revoked: Option<Timestamp>,
}

impl std::fmt::Debug for TrustedKeys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.runs.keys()).finish()
    }
}

/// How a verification goes about its work. What it accepts is the same whatever stands here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    threads: Option<NonZeroUsize>,
    second_reader: bool,
}

impl Options {
    /// As many threads as there are processors, and one reader.
    #[must_use]
    pub const fn new() -> Self {
        Self { threads: None, second_reader: false }
    }

    /// How many threads look at records. A short run is looked at by one, whatever stands here.
    #[must_use]
    pub const fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Has every record read and written again by `serde_json` and `serde_jcs`, too: for whoever trusts our reader of the
    /// canonical form no more than our recorder. Both accept the same octets; this takes three times as long.
    #[must_use]
    pub const fn with_second_reader(mut self) -> Self {
        self.second_reader = true;
        self
    }

    fn threads(&self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(all)
    }
}

/// A run's files as streams. Without roots, content and keys only the records are judged.
pub struct RunFiles<'f> {
    /// `records.jsonl`.
    pub records: Box<dyn BufRead + 'f>,
    /// `roots.jsonl`.
    pub roots: Option<Box<dyn BufRead + 'f>>,
    /// `content.jsonl` and `keys.jsonl`. A file that is gone is an empty stream.
    pub content: Option<(Box<dyn BufRead + 'f>, Box<dyn BufRead + 'f>)>,
}

impl std::fmt::Debug for RunFiles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunFiles")
    }
}

impl<'f> From<&'f MemoryRun> for RunFiles<'f> {
    fn from(run: &'f MemoryRun) -> Self {
        Self {
            records: Box::new(run.records.as_slice()),
            roots: Some(Box::new(run.roots.as_slice())),
            content: Some((Box::new(run.content.as_slice()), Box::new(run.keys.as_slice()))),
        }
    }
}

/// Verifies a run's directory, or a `records.jsonl` alone.
///
/// # Errors
/// [`VerifyError::Failed`] with the first thing that is wrong, [`VerifyError::Cannot`] when nothing can be said, or the
/// operating system's own.
pub fn verify(path: &Path, keys: &TrustedKeys<'_>) -> Result<Report, VerifyError> {
    verify_with(path, keys, &Options::new())
}

/// [`verify`], with a say in how.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(path: &Path, keys: &TrustedKeys<'_>, options: &Options) -> Result<Report, VerifyError> {
    let io = |path: &Path, source| VerifyError::Io { path: path.to_owned(), source };
    let buffered = |file| -> Box<dyn BufRead> { Box::new(BufReader::with_capacity(64 * 1024, file)) };
    if !std::fs::metadata(path).map_err(|e| io(path, e))?.is_dir() {
        let records = buffered(open_regular(path).map_err(|e| io(path, e))?);
        let files = RunFiles { records, roots: None, content: None };
        return verify_files_with(files, keys, options);
    }
    let open = |path: &Path| open_own(path).map(buffered).map_err(|e| io(path, e));
    // Erasure may take whole files away; what is missing then is judged line by line.
    let open_or_empty = |name: &str| -> Result<Box<dyn BufRead>, VerifyError> {
        match open(&path.join(name)) {
            Err(VerifyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Box::new(io::empty()))
            }
            other => other,
        }
    };
    let files = RunFiles {
        records: open(&path.join(RECORDS))?,
        roots: Some(open_or_empty(ROOTS)?),
        content: Some((open_or_empty(CONTENT)?, open_or_empty(KEYS)?)),
    };
    verify_files_with(files, keys, options)
}

/// Verifies a run's files wherever they come from: a store's table, a bundle, memory.
///
/// # Errors
/// As [`verify`].
pub fn verify_files(files: RunFiles<'_>, keys: &TrustedKeys<'_>) -> Result<Report, VerifyError> {
    verify_files_with(files, keys, &Options::new())
}

/// [`verify_files`], with a say in how.
///
/// # Errors
/// As [`verify`].
pub fn verify_files_with(
    files: RunFiles<'_>,
    keys: &TrustedKeys<'_>,
    options: &Options,
) -> Result<Report, VerifyError> {
    run::verify_run(files, keys, options)
}
