//! What an erasure must know of a run, read from its records. Reads strictly, but does not verify the chain.

use std::io::{self, BufRead, Read as _};

use super::EraseError;
use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::keys::{KeyError, MasterKey, RunKeys, SubjectKeys, WrappedRunKeys};
use crate::name::Name;
use crate::record::{Entry, RunId};
use crate::retention::{Windows, is_oversight};
use crate::sign::KeyId;
use crate::span::Span;
use crate::time::Timestamp;

/// The longest line, with its line feed.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// A content of a run, and how long it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// The content.
    pub root: Hash,
    /// Of oversight: it stays for the decision window.
    pub oversight: bool,
}

/// How a run was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// When: the windows count from here.
    pub at: Timestamp,
    /// SHA-256 of JCS of the signed close root.
    pub root: Hash,
}

impl Close {
    /// `at`, or the close if a clock that fell back says less: a statement about a run is never older than the run.
    #[must_use]
    pub fn not_before(self, at: Timestamp) -> Timestamp {
        self.at.max(at)
    }
}

/// A run, as far as an erasure is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// The run.
    pub run_id: RunId,
    /// The deployment.
    pub origin: Name,
    /// The key that signed its open root, as its first record says.
    pub key_id: KeyId,
    /// On whose behalf.
    pub tenant: Name,
    /// Its alias for the data subject.
    pub subject: Option<Name>,
    /// How long what stays.
    pub windows: Windows,
    /// Its contents, in the order of the records.
    pub contents: Vec<Partition>,
    /// How it was closed, if it was.
    pub close: Option<Close>,
    /// How many records it has, and the hash of the last.
    pub head: (u64, Hash),
    /// When the last one ended.
    pub last_at: Timestamp,
    /// The store that has it, as its first record says; none where a sink alone has it.
    pub store: Option<Name>,
    /// It waits for people.
    pub waiting: bool,
}

impl RunFacts {
    /// Reads the lines of a run's records, each without its line feed.
    ///
    /// # Errors
    /// In words, when they are not a run's records.
    pub fn read<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = io::Result<L>>) -> Result<Self, String> {
        let mut facts: Option<Self> = None;
        for line in lines {
            let line = line.map_err(|e| e.to_string())?;
            let entry = Entry::read(line.as_ref()).map_err(|e| e.to_string())?;
            let facts = match (&mut facts, &entry.span) {
                (Some(facts), _) => facts,
                (none, Span::AgentInvoke(invoke)) => none.insert(Self {
                    run_id: entry.run_id,
                    origin: invoke.origin.clone(),
                    key_id: invoke.key_id,
                    tenant: entry.common.tenant.clone(),
                    subject: entry.common.subject.clone(),
                    windows: Windows::of(invoke),
                    contents: Vec::new(),
                    close: None,
                    head: (0, Hash::ZERO),
                    last_at: entry.ended_at,
                    store: invoke.store.clone(),
                    waiting: false,
                }),
                _ => return Err("its first record is not `agent.invoke`".into()),
            };
            if entry.run_id != facts.run_id {
                return Err(format!("it has a record of run {}", entry.run_id));
            }
            if let Some(content) = entry.content {
                let oversight = is_oversight(&entry.span);
                facts.contents.push(Partition { root: content.root, oversight });
            }
            facts.head = (facts.head.0 + 1, entry.hash);
            facts.last_at = entry.ended_at;
            facts.waiting = matches!(entry.span, Span::OversightSuspend(_));
            if let Some(root) = &entry.signature {
                let root = sha256(&jcs::to_vec(root).map_err(|e| e.to_string())?);
                facts.close = Some(Close { at: entry.ended_at, root });
            }
        }
        facts.ok_or_else(|| "it has no records".into())
    }

    /// Reads `records.jsonl`. `torn` says whether a line does not end.
    pub(super) fn read_file(mut file: impl BufRead, torn: &mut bool) -> Result<Self, String> {
        Self::read(std::iter::from_fn(|| {
            let mut line = Vec::new();
            match (&mut file).take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(_) if line.pop() == Some(b'\n') => Some(Ok(line)),
                Ok(_) => {
                    *torn = true;
                    Some(Err(io::Error::new(io::ErrorKind::InvalidData, "a line has no line feed")))
                }
                Err(error) => Some(Err(error)),
            }
        }))
    }

    /// Why nothing is erased from it.
    pub(super) fn not_closed(&self) -> EraseError {
        EraseError::NotClosed { run: self.run_id, waiting: self.waiting, stored: self.store.is_some() }
    }

    /// The run's keys from its own line of `keys.jsonl`, without its line feed.
    ///
    /// # Errors
    /// [`EraseError::KeysNeeded`] when the master key or the subject's was not given or is gone; else when the line does not open.
    pub fn open_keys(
        &self,
        line: &[u8],
        master: Option<&MasterKey>,
        subjects: Option<&dyn SubjectKeys>,
    ) -> Result<RunKeys, EraseError> {
        let master = master.ok_or(EraseError::KeysNeeded)?;
        let subject = match &self.subject {
            None => None,
            Some(alias) => {
                let key = subjects.ok_or(EraseError::KeysNeeded)?.find(alias)?;
                Some((alias.clone(), key.ok_or(EraseError::KeysNeeded)?))
            }
        };
        let wrapped = WrappedRunKeys::from_line(line).map_err(EraseError::Key)?;
        if wrapped.run_id() != self.run_id {
            return Err(EraseError::Key(KeyError::Refused));
        }
        let subject = subject.as_ref().map(|(alias, key)| (alias.clone(), key));
        RunKeys::unwrap(&wrapped, master, subject).map_err(EraseError::Key)
    }
}
