//! The log itself: one directory, one key, any number of processes, one writer at a time.
//!
//! ```text
//! log.sqlite        leaves in their order, and each (size, root) before it was signed
//! lock              held by whoever writes
//! checkpoint        the newest signed checkpoint          ┐
//! checkpoint.cosigned  the newest that witnesses signed   │ public: any web server
//! tile/…            tiles and entry bundles               ┘
//! ```
//! A batch goes: leaves and intent in one transaction, durable; tiles, durable; signature; checkpoint, durable; then its
//! callers hear their indexes. What was begun and not finished is finished the same way by whoever comes next. So there are
//! never two roots for one size and never a smaller size later. A database that was rolled back, a checkpoint that was, or a tile
//! that changed halts the log: it signs nothing more.
//!
//! A checkpoint file can be fetched a moment before it is durable. If the power fails just then, the file is one behind until the log is
//! opened again, which signs the same size and root anew.
//!
//! `FULL` durability and the file lock need a local file system. Opening reads the whole log once.

mod anchor;
mod cosign;
#[cfg(test)]
pub(crate) mod crash;
mod database;
mod error;
mod sequencer;
mod worker;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::SystemTime;

use fuze_evidence::anchor::LogLeaf;
use fuze_evidence::{Name, Signer};
use tokio::sync::oneshot;

use crate::cosignature::HEADER;
use crate::disk::{Disk, FileSystem};
use crate::note::{Algorithm, KeyName, VerifierKey};
use crate::policy::{Policy, VerifiedCheckpoint};
use crate::reader::LogReader;

pub use cosign::{CosignError, Cosigning};
pub use error::{Halt, LogError};
use sequencer::Sequencer;
use worker::{Job, Worker};

/// A clock: how late it is.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Bounds and clock of a [`Log`].
#[derive(Clone)]
pub struct LogOptions {
    max_batch_leaves: usize,
    max_waiting_leaves: usize,
    clock: Clock,
}

impl LogOptions {
    /// 256 leaves a batch, 4096 waiting, the system's clock.
    #[must_use]
    pub fn new() -> Self {
        Self { max_batch_leaves: 256, max_waiting_leaves: 4096, clock: Arc::new(SystemTime::now) }
    }

    /// How many leaves one checkpoint may add; at least 1.
    #[must_use]
    pub fn max_batch_leaves(mut self, leaves: usize) -> Self {
        self.max_batch_leaves = leaves.max(1);
        self
    }

    /// How many leaves may wait before [`LogError::Busy`]; at least 1.
    #[must_use]
    pub fn max_waiting_leaves(mut self, leaves: usize) -> Self {
        self.max_waiting_leaves = leaves.max(1);
        self
    }

    /// Where the time of an anchor comes from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("max_batch_leaves", &self.max_batch_leaves)
            .field("max_waiting_leaves", &self.max_waiting_leaves)
            .finish_non_exhaustive()
    }
}

/// A transparency log in a directory. Dropping it waits for the batch under way.
#[derive(Debug)]
pub struct Log {
    origin: Name,
    policy: Policy,
    reader: LogReader,
    clock: LogOptions,
    worker: Worker,
}

impl Log {
    /// Makes a new log in `directory`, which is made if it is not there, and signs its empty tree.
    ///
    /// The origin is the log's name for good, best a URL without its scheme, such as `log.example.eu/runs`.
    ///
    /// # Errors
    /// When there is a log already, the origin cannot be one (`+`, `cosignature/v1`), or a file cannot be written.
    pub fn create(
        directory: &Path,
        origin: &Name,
        signer: Arc<dyn Signer>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        Self::create_on(Arc::new(FileSystem), directory, origin, signer, options)
    }

    /// Opens the log in `directory` and checks it: every leaf against its tiles, the last intents, the checkpoint. What a crash left
    /// unfinished is finished.
    ///
    /// # Errors
    /// When there is none, it is another key's, or it does not fit together ([`LogError::Halted`]).
    pub fn open(directory: &Path, signer: Arc<dyn Signer>, options: LogOptions) -> Result<Self, LogError> {
        Self::open_on(Arc::new(FileSystem), directory, signer, options)
    }

    /// Opens the log in `directory`, or makes it where there is none.
    ///
    /// # Errors
    /// As [`Log::open`] and [`Log::create`]; [`LogError::OtherOrigin`] when the log that is there has another name.
    pub fn open_or_create(
        directory: &Path,
        origin: &Name,
        signer: Arc<dyn Signer>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        let log = match Self::open(directory, Arc::clone(&signer), options.clone()) {
            Err(LogError::Missing { .. }) => {
                match Self::create(directory, origin, Arc::clone(&signer), options.clone()) {
                    // Another process was faster.
                    Err(LogError::Exists { .. }) => Self::open(directory, signer, options),
                    created => created,
                }
            }
            opened => opened,
        }?;
        match log.origin == *origin {
            true => Ok(log),
            false => Err(LogError::OtherOrigin { expected: origin.clone(), found: log.origin.clone() }),
        }
    }

    fn create_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        origin: &Name,
        signer: Arc<dyn Signer>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        if origin.as_str() == HEADER {
            return Err(LogError::Origin { found: origin.clone() });
        }
        let name = KeyName::new(origin.as_str()).map_err(|_| LogError::Origin { found: origin.clone() })?;
        let key = VerifierKey::of(name, Algorithm::Ed25519, signer.as_ref())?;
        Sequencer::create(disk.as_ref(), directory, &key)?;
        Self::open_on(disk, directory, signer, options)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        signer: Arc<dyn Signer>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        let mut sequencer = Sequencer::open(disk, directory, signer)?;
        sequencer.settle()?;
        let policy = sequencer.policy().clone();
        let origin = Name::new(policy.origin()).map_err(|e| LogError::Corrupt { what: e.to_string() })?;
        let reader = LogReader::new(directory);
        let worker = Worker::start(sequencer, options.max_batch_leaves, options.max_waiting_leaves)?;
        Ok(Self { origin, policy, reader, clock: options, worker })
    }

    /// The log's name.
    #[must_use]
    pub const fn origin(&self) -> &Name {
        &self.origin
    }

    /// Its verifier key: what those who verify are given, by another way than the log.
    #[must_use]
    pub const fn vkey(&self) -> &VerifierKey {
        self.policy.log()
    }

    /// Its public files: checkpoints and proofs.
    #[must_use]
    pub const fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// When it cannot be read, or is not signed by this log.
    pub fn checkpoint(&self) -> Result<VerifiedCheckpoint, LogError> {
        Ok(self.policy.verify(self.reader.checkpoint()?).map_err(crate::ReaderError::Policy)?)
    }

    /// Adds a leaf and returns its index, once it is durable and a checkpoint that covers it is signed and published. The same leaf
    /// again gets the same index. Blocks: not for async code.
    ///
    /// # Errors
    /// [`LogError::Busy`] when too many wait. After any other the leaf may be in the log or not: appending it again tells.
    pub fn append(&self, leaf: &LogLeaf) -> Result<u64, LogError> {
        let (reply, answer) = sync_channel(1);
        // Whoever no longer waits for the answer misses nothing: the leaf is in the log all the same.
        self.worker.send(Job::Append {
            entry: leaf.bytes().to_vec(),
            reply: Box::new(move |result| drop(reply.send(result))),
        })?;
        answer.recv().map_err(|_| LogError::Closed)?
    }

    /// [`Log::append`] without blocking.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub async fn append_async(&self, leaf: &LogLeaf) -> Result<u64, LogError> {
        let (reply, answer) = oneshot::channel();
        self.worker.send(Job::Append {
            entry: leaf.bytes().to_vec(),
            reply: Box::new(move |result| drop(reply.send(result))),
        })?;
        answer.await.map_err(|_| LogError::Closed)?
    }

    fn now(&self) -> SystemTime {
        (self.clock.clock)()
    }
}
