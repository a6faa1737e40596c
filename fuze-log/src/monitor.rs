//! What a log's leaves say about its runs: opened and never closed, opened or closed twice. Needs nothing that is not public.
//! Not here: which run is meant; that is known to whoever has the run's `anchors.jsonl`.

use std::collections::HashMap;
use std::fmt;

use fuze_evidence::anchor::{LeafError, LeafKind, LogLeaf};
use fuze_evidence::{Hash, Timestamp};

/// Reads the leaves of a log in their order. Memory grows with the number of tags: duplicates are found whenever they come.
#[derive(Debug, Default)]
pub struct Monitor {
    tags: HashMap<Hash, Seen>,
    findings: Vec<Finding>,
}

#[derive(Debug)]
enum Seen {
    Open {
        index: u64,
        deadline: Timestamp,
    },
    Closed {
        index: u64,
    },
    /// A close without an open, or a leaf that is of no run.
    Alone {
        index: u64,
    },
}

impl Seen {
    const fn index(&self) -> u64 {
        match self {
            Self::Open { index, .. } | Self::Closed { index } | Self::Alone { index } => *index,
        }
    }
}

impl Monitor {
    /// Has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next leaf's octets.
    pub fn observe(&mut self, index: u64, entry: &[u8]) {
        let leaf = match LogLeaf::read(entry) {
            Ok(leaf) => leaf,
            Err(error) => return self.findings.push(Finding::Unreadable { index, error }),
        };
        let tag = leaf.run_tag();
        let before = self.tags.remove(&tag);
        let (now, finding) = match (leaf.kind(), leaf.deadline(), before) {
            (LeafKind::RunOpen, Some(deadline), None) => (Seen::Open { index, deadline }, None),
            (LeafKind::RunClose, _, Some(Seen::Open { .. })) => (Seen::Closed { index }, None),
            (LeafKind::RunClose, _, Some(Seen::Closed { index: first })) => {
                (Seen::Closed { index: first }, Some(Finding::ClosedTwice { tag, first, again: index }))
            }
            (LeafKind::RunClose, _, None) => {
                (Seen::Alone { index }, Some(Finding::ClosedUnopened { tag, index }))
            }
            (LeafKind::Annex | LeafKind::Key, _, None) => (Seen::Alone { index }, None),
            (LeafKind::RunOpen, _, Some(seen @ (Seen::Open { .. } | Seen::Closed { .. }))) => {
                let first = seen.index();
                (seen, Some(Finding::OpenedTwice { tag, first, again: index }))
            }
            (_, _, Some(seen)) => {
                let first = seen.index();
                (seen, Some(Finding::TagReused { tag, first, again: index }))
            }
            // A `run_open` has a deadline, or it is not read.
            (LeafKind::RunOpen, None, None) => (Seen::Alone { index }, None),
        };
        self.findings.extend(finding);
        self.tags.insert(tag, now);
    }

    /// What is wrong as of `now`, by index.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Vec<Finding> {
        let overdue = self.tags.iter().filter_map(|(tag, seen)| match seen {
            Seen::Open { index, deadline } if *deadline < now => {
                Some(Finding::Overdue { tag: *tag, index: *index, deadline: *deadline })
            }
            _ => None,
        });
        let mut findings: Vec<Finding> = self.findings.iter().cloned().chain(overdue).collect();
        findings.sort_by_key(Finding::index);
        findings
    }
}

/// Something that an auditor asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A run was opened, its deadline has passed, and no close has come.
    Overdue {
        /// The run's tag.
        tag: Hash,
        /// Where its open is.
        index: u64,
        /// Until when the close was due.
        deadline: Timestamp,
    },
    /// A second open under one tag.
    OpenedTwice {
        /// The tag.
        tag: Hash,
        /// The leaf that had it first.
        first: u64,
        /// The second.
        again: u64,
    },
    /// A second close under one tag.
    ClosedTwice {
        /// The tag.
        tag: Hash,
        /// The first close.
        first: u64,
        /// The second.
        again: u64,
    },
    /// A close with no open before it.
    ClosedUnopened {
        /// The tag.
        tag: Hash,
        /// Where the close is.
        index: u64,
    },
    /// A tag that must be new and is not.
    TagReused {
        /// The tag.
        tag: Hash,
        /// The leaf that had it first.
        first: u64,
        /// The second.
        again: u64,
    },
    /// Octets that are no leaf.
    Unreadable {
        /// Where.
        index: u64,
        /// Why.
        error: LeafError,
    },
}

impl Finding {
    /// The leaf that it is about; of two, the later.
    #[must_use]
    pub const fn index(&self) -> u64 {
        match self {
            Self::Overdue { index, .. }
            | Self::ClosedUnopened { index, .. }
            | Self::Unreadable { index, .. } => *index,
            Self::OpenedTwice { again, .. }
            | Self::ClosedTwice { again, .. }
            | Self::TagReused { again, .. } => *again,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overdue { tag, index, deadline } => {
                write!(
                    f,
                    "leaf {index}: a run was opened, its close was due until {deadline} and is not there (tag {tag})"
                )
            }
            Self::OpenedTwice { tag, first, again } => {
                write!(f, "leaf {again}: opens a run that leaf {first} has opened (tag {tag})")
            }
            Self::ClosedTwice { tag, first, again } => {
                write!(f, "leaf {again}: closes a run that leaf {first} has closed (tag {tag})")
            }
            Self::ClosedUnopened { tag, index } => {
                write!(f, "leaf {index}: closes a run that no leaf before it has opened (tag {tag})")
            }
            Self::TagReused { tag, first, again } => {
                write!(f, "leaf {again}: has the tag of leaf {first} and must have its own (tag {tag})")
            }
            Self::Unreadable { index, error } => write!(f, "leaf {index}: {error}"),
        }
    }
}
