//! Where a run's lines go. A sink keeps what it is given, in order, or says that it did not; it judges nothing.

mod answer;
mod disk;
mod jsonl;
mod later;
mod memory;
mod recover;

use std::fmt;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::anchor::AnchorLine;
use crate::content::SealedContent;
use crate::keys::WrappedRunKeys;
use crate::name::Name;
use crate::record::{Record, RunId};
use crate::sign::SignedRoot;

pub use jsonl::JsonlSink;
pub(crate) use jsonl::{CONTENT, KEYS, RECORDS, ROOTS};
pub use later::keep_anchor;
pub use memory::{MemoryRun, MemorySink};
pub(crate) use recover::UNBEGUN;
pub use recover::{Recovered, recover};

/// What one step adds to a run.
#[derive(Debug)]
pub struct SinkBatch {
    /// The run.
    pub run_id: RunId,
    /// The run's wrapped secret: in the first batch, and there alone.
    pub keys: Option<WrappedRunKeys>,
    /// Content of the records, in their order.
    pub content: Vec<SealedContent>,
    /// Records, in sequence.
    pub records: Vec<Record>,
    /// Signed open and suspend roots. A close root is inside its record.
    pub roots: Vec<SignedRoot>,
    /// Where its roots stand in a log; also after the close.
    pub anchors: Vec<AnchorLine>,
}

impl SinkBatch {
    /// Nothing yet.
    #[must_use]
    pub const fn new(run_id: RunId) -> Self {
        Self {
            run_id,
            keys: None,
            content: Vec::new(),
            records: Vec::new(),
            roots: Vec::new(),
            anchors: Vec::new(),
        }
    }
}

/// Keeps a run's lines. Trusted: its identity stands in the first record.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What the first record says about it, for instance `jsonl`.
    fn identity(&self) -> Name;

    /// Appends a batch, whole and in order. With `durable` it returns after the batch has reached the disk: content and keys
    /// before the records that name them.
    ///
    /// # Errors
    /// When anything of it may not have been kept. The run must stop: after an error nothing more is taken for it.
    async fn append(&self, batch: &SinkBatch, durable: bool) -> Result<(), SinkError>;
}

/// Why a sink did not keep a batch.
#[derive(Debug)]
#[non_exhaustive]
pub enum SinkError {
    /// The operating system's own: no space, no rights, a short write.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The run is there already.
    Exists {
        /// Its directory.
        path: PathBuf,
    },
    /// Another process writes to it.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A crash does not explain what is there.
    Damaged {
        /// The file.
        path: PathBuf,
        /// How many of its lines are good.
        line: u64,
        /// Why it is no crash.
        why: &'static str,
    },
    /// A first batch without the run's keys, or a later one with them.
    Keys,
    /// Records that do not continue the run.
    Sequence {
        /// The sequence that would come next.
        expected: u64,
        /// What was to be appended.
        found: u64,
    },
    /// An earlier batch failed; nothing more is taken.
    Stopped,
    /// Another kind of sink, in its own words.
    Other(String),
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "cannot write `{}`: {source}", path.display()),
            Self::Exists { path } => {
                write!(f, "run `{}` exists already; a run is written once", path.display())
            }
            Self::Locked { path } => write!(f, "`{}` is being written by another process", path.display()),
            Self::Damaged { path, line, why } => write!(
                f,
                "`{}` is damaged after {line} good lines, and no crash explains it: {why}; nothing was changed, keep it for whoever looks into it",
                path.display()
            ),
            Self::Keys => f.write_str("the first batch of a run, and no other, brings its wrapped keys"),
            Self::Sequence { expected, found } => write!(f, "expected record {expected}, found {found}"),
            Self::Stopped => f.write_str("an earlier batch of this run was not kept; the run must stop"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Where a run stands in a sink, shared by the two kinds below.
#[derive(Debug)]
struct Progress {
    begun: bool,
    next: u64,
    head: crate::hash::Hash,
    stopped: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { begun: false, next: 0, head: crate::hash::Hash::ZERO, stopped: false }
    }
}

impl Progress {
    /// Refuses a batch that does not continue the run, before anything of it is written.
    fn check(&self, batch: &SinkBatch) -> Result<(), SinkError> {
        if self.stopped {
            return Err(SinkError::Stopped);
        }
        let foreign_keys = batch.keys.as_ref().is_some_and(|keys| keys.run_id() != batch.run_id);
        if batch.keys.is_some() == self.begun || foreign_keys {
            return Err(SinkError::Keys);
        }
        let mut head = self.head;
        for (expected, record) in (self.next..).zip(&batch.records) {
            if record.sequence() != expected || record.prev_hash() != head {
                return Err(SinkError::Sequence { expected, found: record.sequence() });
            }
            head = record.hash();
        }
        Ok(())
    }

    fn advance(&mut self, batch: &SinkBatch) {
        self.begun = true;
        if let Some(last) = batch.records.last() {
            self.next = last.sequence() + 1;
            self.head = last.hash();
        }
    }
}
