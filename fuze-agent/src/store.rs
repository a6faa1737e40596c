//! Where a run lives while it must survive its process: records, ledger of effects, progress, resume tokens.
//!
//! One batch is one transaction. A backend knows nothing of agents, tools or plain content: everything that could tell
//! about a person reaches it sealed. Implementations are trusted; they bind a run's state to its fencing epoch, so that
//! of two processes that believe to own a run one is stopped at its next step.

use std::fmt;

use async_trait::async_trait;
use fuze_evidence::anchor::{AnchorLine, LeafKind};
use fuze_evidence::keys::WrappedRunKeys;
use fuze_evidence::{Hash, Name, Record, RunId, SealedContent, SignedRoot};

/// A durable store of runs.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Its name and version, as they stand in a run's first record.
    fn identity(&self) -> Name;

    /// Creates a run at epoch 1 with its first batch, durably.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the run exists; else why the store cannot.
    async fn create(&self, run: RunId, batch: Batch) -> Result<Fence, StoreError>;

    /// Applies a batch, durably when this returns. The batch's first record must follow the store's last one.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the run is at another epoch or closed; else why the store cannot.
    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError>;

    /// The last check before an effect, and its mark in the ledger, in one step: the fence holds, nobody stopped the run,
    /// the deadline (Unix milliseconds, by the store's clock) is ahead, and the execution's intent stands and has not
    /// started. Durable when this returns [`Start::Go`].
    ///
    /// # Errors
    /// Why the store cannot.
    async fn start_effect(
        &self,
        fence: Fence,
        exec_id: Hash,
        deadline_unix_ms: u64,
    ) -> Result<Start, StoreError>;

    /// Everything that the store knows of a run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else why the store cannot.
    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError>;

    /// At most `limit` lines of a run's records, from the sequence `from` on, without their line feeds.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else why the store cannot.
    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Takes a run over after a crash: the epoch grows by one, so that whoever held it is fenced off.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Fenced`] when the run is at another epoch than `expected` or not running;
    /// else why the store cannot.
    async fn take_over(&self, run: RunId, expected_epoch: u64) -> Result<Fence, StoreError>;

    /// Claims every token of a suspended run and continues or closes it, in one transaction: each token is unused; by the
    /// store's own clock they are in time or not, as [`Ground`] demands; the epoch is `claim.epoch` and grows by one; the
    /// batch is applied. A claim that returns `Ok` has been committed. After a commit whose result is unclear the store
    /// reads back the claim id.
    ///
    /// # Errors
    /// [`ClaimError`]: then nothing has changed, except where it says that the result is unclear.
    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError>;

    /// Asks a run to stop. Whoever runs it sees it before the next effect.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else why the store cannot.
    async fn request_stop(&self, run: RunId, stop: Stop) -> Result<(), StoreError>;

    /// Keeps where a root of the run stands in a log, durably: first that of the open root, then that of the close root of a
    /// closed run. A line of the same leaf that is there already is as good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Rejected`] when the run has a line of that kind with another leaf, or has
    /// not what must come before; else why the store cannot.
    async fn add_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), StoreError>;

    /// At most `limit` closed runs whose open root stands in a log and whose close root does not yet, beginning with those
    /// after `after`, in the order of their ids. Those whose evidence was erased as a whole are none; of others an erasure leaves all
    /// that this needs.
    ///
    /// # Errors
    /// Why the store cannot.
    async fn unanchored(&self, after: Option<RunId>, limit: u32) -> Result<Vec<Unanchored>, StoreError>;

    /// Whether a stop was asked for.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else why the store cannot.
    async fn stop_requested(&self, run: RunId) -> Result<Option<Stop>, StoreError>;
}

/// The right to write a run: held by whoever runs it, void as soon as the epoch grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The run.
    pub run: RunId,
    /// Its epoch: 1 when created, one more at each claim and take-over.
    pub epoch: u64,
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records, in sequence.
    pub records: Vec<Record>,
    /// Sealed content and wrapped keys that the records commit to.
    pub contents: Vec<SealedContent>,
    /// The run's wrapped secret: with the first batch, and there alone.
    pub keys: Option<WrappedRunKeys>,
    /// The data subject's alias, under which the subject's key is kept: with the first batch, if there is a subject.
    pub subject: Option<Name>,
    /// Signed roots, at open and suspend.
    pub roots: Vec<SignedRoot>,
    /// Ledger entries.
    pub effects: Vec<EffectEntry>,
    /// Sealed progress.
    pub progress: Option<Progress>,
    /// Tokens issued: claimable until they expire.
    pub tokens: Vec<IssuedToken>,
    /// The state afterwards.
    pub state: RunState,
}

/// A step of an effect's ledger. `started` is written by [`RunStore::start_effect`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectEntry {
    /// The execution.
    pub exec_id: Hash,
    /// Where it stands.
    pub state: EffectState,
}

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectState {
    /// Allowed, not begun. May be written again over `Intent`, never over a later state.
    Intent,
    /// Begun; whether it happened is not known.
    Started,
    /// Over: it happened, certainly did not, or its result is recorded.
    Done,
    /// Over for the loop, but whether it happened is not known: a person says.
    InDoubt,
}

impl EffectState {
    /// The wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Started => "started",
            Self::Done => "done",
            Self::InDoubt => "in_doubt",
        }
    }
}

/// Sealed state of a run, bound to run, sequence and epoch.
#[derive(Debug)]
pub enum Progress {
    /// After what is stored already.
    Append(SealedProgress),
    /// Instead of what is stored already.
    Replace(SealedProgress),
}

/// One sealed piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedProgress {
    /// The sequence of the run's last record when it was sealed: what it is bound to.
    pub sequence: u64,
    /// The epoch it is bound to.
    pub epoch: u64,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// A token that may be claimed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// SHA-256 of the token's JCS bytes.
    pub token_hash: Hash,
    /// Unix milliseconds after which it cannot be claimed.
    pub expires_at_unix_ms: u64,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// Somebody runs it, or did until a crash.
    #[default]
    Running,
    /// It waits for people.
    Suspended,
    /// It is over: nothing may be added.
    Closed,
}

/// A closed run whose close root stands in no log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanchored {
    /// The run.
    pub run: RunId,
    /// The signed open root's canonical bytes.
    pub open_root: Vec<u8>,
    /// The line of `anchors.jsonl` for the open root.
    pub opened: Vec<u8>,
    /// Its last record, without its line feed: the close.
    pub close: Vec<u8>,
}

/// What the store knows of a run.
#[derive(Debug)]
pub struct StoredRun {
    /// Its epoch.
    pub epoch: u64,
    /// Where it stands.
    pub state: RunState,
    /// How many records it has, and the hash of the last.
    pub head: (u64, Hash),
    /// The wrapped run secret.
    pub keys: WrappedRunKeys,
    /// The data subject's alias.
    pub subject: Option<Name>,
    /// The lines of the records whose sequence is beyond that of the last piece of progress, in sequence, without their line feeds.
    pub records_after_progress: Vec<Vec<u8>>,
    /// The signed open root's canonical bytes.
    pub open_root: Option<Vec<u8>>,
    /// The last signed root's canonical bytes.
    pub last_root: Option<Vec<u8>>,
    /// Where its roots stand in a log: the lines of `anchors.jsonl`, the one of the open root first.
    pub anchors: Vec<Vec<u8>>,
    /// Sealed progress, oldest first: one snapshot, then what was appended to it.
    pub progress: Vec<SealedProgress>,
    /// The ledger.
    pub effects: Vec<EffectEntry>,
    /// Whether a stop was asked for.
    pub stop: Option<Stop>,
}

/// Whether an effect may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Start {
    /// It may, and the ledger says `started`.
    Go,
    /// Somebody asked the run to stop.
    Stopped(Stop),
    /// The run is at another epoch: somebody else has it.
    Fenced,
    /// The permit's time is over.
    TooLate,
    /// The ledger says that it had started, or was done, before: it must not run again.
    AlreadyStarted,
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Wait for the running tool's grace.
    Operator,
    /// Do not wait.
    Abort,
}

/// What entitles to claim a suspended run's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// People decided: every token is in time.
    Decided,
    /// Nobody did: the time of at least one token is over, so that no decision can continue the run. The batch closes it.
    Silence,
    /// The data subject was erased, so that nobody can open what the run was; tokens may be in time or not. The batch
    /// closes it.
    Erased,
    /// An operator ended it; tokens may be in time or not. The batch closes it.
    Abandoned,
}

/// All that continues, or closes, a suspended run.
#[derive(Debug)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// The epoch at which it was suspended.
    pub epoch: u64,
    /// A random id, by which a claim whose commit was unclear is recognised.
    pub claim_id: [u8; 16],
    /// What entitles to it.
    pub ground: Ground,
    /// The tokens, all of them.
    pub tokens: Vec<Hash>,
    /// What the transaction also writes.
    pub batch: Batch,
}

/// Whether `line` may come after `there`, the lines that a run has, for a store's [`RunStore::add_anchor`]: `false` when it is there
/// already.
///
/// # Errors
/// [`StoreError::Rejected`] with what speaks against it.
pub fn anchor_follows(there: &[AnchorLine], closed: bool, line: &AnchorLine) -> Result<bool, StoreError> {
    let rejected = |why: &str| Err(StoreError::Rejected(why.into()));
    let same = |known: &AnchorLine| known.leaf() == line.leaf() && known.log() == line.log();
    if there.iter().any(|known| same(known) && known.index() == line.index()) {
        return Ok(false);
    }
    match (line.leaf().kind(), there) {
        (LeafKind::RunOpen, []) => Ok(true),
        (LeafKind::RunOpen, _) => {
            rejected("the run's open root stands in a log already: a run is opened once")
        }
        (LeafKind::RunClose, [open]) if open.leaf().run_tag() != line.leaf().run_tag() => {
            rejected("the leaf of a close has the tag of its run's open: this is another run's")
        }
        (LeafKind::RunClose, [_]) if !closed => rejected("the run is not closed: it has no close root"),
        (LeafKind::RunClose, [_]) => Ok(true),
        (LeafKind::RunClose, []) => rejected("the run's open root is in no log: nothing is there to close"),
        (LeafKind::RunClose, [_, _, ..]) => rejected("the run's close root stands in a log already"),
        (LeafKind::Annex | LeafKind::Key, _) => rejected("the line is of no root of a run"),
    }
}

/// Why the store cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The run exists already.
    Exists,
    /// There is no such run.
    NotFound,
    /// The run was erased (GDPR Art. 17, or its retention ended): nothing of it can be opened or taken up.
    Erased,
    /// The run is at another epoch, in another state, or its last record is another: somebody else has it.
    Fenced,
    /// Another process holds the store, and did not let go in time.
    Locked,
    /// No room.
    Full,
    /// The store cannot be read as what it should be.
    Corrupt(String),
    /// A later version of this library wrote the store.
    NewerVersion {
        /// What was found.
        found: u32,
        /// The newest that this version reads.
        known: u32,
    },
    /// The store lacks, or has otherwise, what its projection holds.
    Projection(String),
    /// Whether the transaction was committed is not known.
    Unclear(String),
    /// The batch contradicts itself or the store.
    Rejected(String),
    /// Anything else.
    Io(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("the store has a run of this id already"),
            Self::NotFound => f.write_str("the store has no run of this id"),
            Self::Erased => f.write_str(
                "the run was erased, with all that opens it; what is kept of it can only be read and verified",
            ),
            Self::Fenced => {
                f.write_str("somebody else has this run: its epoch, state or last record is another")
            }
            Self::Locked => f.write_str("another process holds the store; try again when it is done"),
            Self::Full => f.write_str("the store has no room left; free some and recover the run"),
            Self::Corrupt(what) => write!(f, "the store is corrupt: {what}"),
            Self::NewerVersion { found, known } => {
                write!(
                    f,
                    "the store has the format version {found}, expected at most {known}: use a newer fuze-agent"
                )
            }
            Self::Projection(what) => write!(f, "the record file does not match the store: {what}"),
            Self::Unclear(what) => write!(f, "whether the transaction was committed is not known: {what}"),
            Self::Rejected(what) => write!(f, "the store refuses the batch: {what}"),
            Self::Io(what) => write!(f, "the store failed: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a claim failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// The token was used before.
    Used(Hash),
    /// The token has expired.
    Expired(Hash),
    /// Every token is in time: people may still decide.
    InTime,
    /// The store never issued this token for this run.
    Unknown(Hash),
    /// The run waits for more tokens than were given.
    Incomplete,
    /// The store cannot.
    Store(StoreError),
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used(token) => {
                write!(f, "the token {token} was used before: a suspended run is resumed or closed once")
            }
            Self::Expired(token) => write!(f, "the token {token} has expired: silence counts as a denial"),
            Self::InTime => f.write_str("every token is in time: people may still decide"),
            Self::Unknown(token) => write!(f, "the token {token} was never issued for this run"),
            Self::Incomplete => f.write_str("the run waits for more decisions than were given"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClaimError {}

impl From<StoreError> for ClaimError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
