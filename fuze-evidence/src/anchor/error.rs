//! Why octets are no leaf, a leaf is not the one that it should be, or a root is not anchored.

use std::fmt;

use super::LeafKind;
use crate::hash::Hash;
use crate::jcs;
use crate::name::Name;
use crate::random::RandomError;
use crate::sign::RootDomain;
use crate::time::Timestamp;

/// Why octets are no leaf or no line, or a leaf is not the one that it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeafError {
    /// The source of randomness failed.
    Random(RandomError),
    /// Longer than any.
    TooLong {
        /// The bound, in octets.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// Not canonical JSON.
    Canonical(jcs::ReadError),
    /// Not the members that it must have.
    Members(String),
    /// A version that this reader does not know: it cannot verify.
    Version {
        /// The one there.
        found: u64,
    },
    /// A root of another kind.
    Root {
        /// What was needed.
        expected: RootDomain,
        /// What it is.
        found: RootDomain,
    },
    /// A deadline that is not after the opening.
    Deadline {
        /// The deadline.
        deadline: Timestamp,
        /// When the run was opened.
        opened: Timestamp,
    },
    /// A leaf of another kind.
    Kind {
        /// What was needed.
        expected: LeafKind,
        /// What it is.
        found: LeafKind,
    },
    /// The commitment does not open to this.
    Commit {
        /// What salt and object give.
        expected: Hash,
        /// What the leaf has.
        found: Hash,
    },
    /// The close root names another leaf as the run's first.
    OpenLeaf {
        /// What the root names.
        expected: u64,
        /// Where the open is.
        found: u64,
    },
    /// The two leaves have different tags.
    Tag {
        /// That of the open.
        expected: Hash,
        /// That of the close.
        found: Hash,
    },
    /// The two leaves are in different logs.
    Log {
        /// That of the open.
        expected: Name,
        /// That of the close.
        found: Name,
    },
    /// The close does not stand after the open.
    Order {
        /// Index of the open.
        opened: u64,
        /// Index of the close.
        closed: u64,
    },
}

impl fmt::Display for LeafError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => error.fmt(f),
            Self::TooLong { most, found } => write!(f, "expected at most {most} octets, found {found}"),
            Self::Canonical(error) => write!(f, "not canonical: {error}"),
            Self::Members(why) => write!(f, "not the members that it must have: {why}"),
            Self::Version { found } => write!(f, "this reader knows version 1, found version {found}"),
            Self::Root { expected, found } => write!(f, "expected a root of `{expected}`, found `{found}`"),
            Self::Deadline { deadline, opened } => {
                write!(f, "the deadline {deadline} is not after the opening at {opened}")
            }
            Self::Kind { expected, found } => write!(f, "expected a leaf `{expected}`, found `{found}`"),
            Self::Commit { expected, found } => {
                write!(f, "the leaf is another's: expected the commitment {expected}, found {found}")
            }
            Self::OpenLeaf { expected, found } => {
                write!(f, "the close root names leaf {expected} as the run's first, found it at {found}")
            }
            Self::Tag { expected, found } => {
                write!(f, "open and close are of different runs: expected the tag {expected}, found {found}")
            }
            Self::Log { expected, found } => {
                write!(f, "the open is in the log `{expected}`, the close in `{found}`")
            }
            Self::Order { opened, closed } => {
                write!(f, "the close is leaf {closed}, not after the open, leaf {opened}")
            }
        }
    }
}

impl std::error::Error for LeafError {}

/// Why a root is not anchored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorError {
    /// It cannot be: another root, another run's open.
    Leaf(LeafError),
    /// The place takes no more just now: try again.
    Busy(String),
    /// The place failed, in its own words. The leaf may be there; nothing may be claimed about it.
    Place(String),
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(error) => write!(f, "the root cannot be anchored: {error}"),
            Self::Busy(why) | Self::Place(why) => write!(f, "the root is not anchored: {why}"),
        }
    }
}

impl std::error::Error for AnchorError {}

impl From<LeafError> for AnchorError {
    fn from(error: LeafError) -> Self {
        Self::Leaf(error)
    }
}
