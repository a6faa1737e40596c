//! Why a chain does not go on.

use std::fmt;

use super::Recorder;
use crate::anchor::LeafError;
use crate::jcs;
use crate::record::EntryError;
use crate::sign::SignError;
use crate::span::AttrError;

/// Why nothing was appended. The chain is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// An attribute that may not be written.
    Attribute(AttrError),
    /// Ends before it begins, or begins before the run.
    Time,
    /// The step was recorded already.
    Step {
        /// The step.
        step_id: u64,
    },
    /// The parent is not an earlier step.
    Parent {
        /// The parent.
        parent_step_id: u64,
    },
    /// This span cannot stand here.
    Order {
        /// The span.
        span: &'static str,
        /// What holds instead.
        expected: &'static str,
    },
    /// The commitment stands in another record already.
    ContentUsed,
    /// The definition names another key than the signer has.
    Key,
    /// A number beyond 2^53−1.
    Range,
    /// The common attributes have no canonical form.
    Canonical(jcs::Error),
    /// The signer failed.
    Sign(SignError),
    /// The run is anchored already.
    Anchored,
    /// The line is not that of the run's open root.
    Anchor(LeafError),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(error) => error.fmt(f),
            Self::Time => f.write_str("a step ends before it begins, or begins before its run"),
            Self::Step { step_id } => {
                write!(f, "step {step_id} was recorded already; give each record its own step")
            }
            Self::Parent { parent_step_id } => {
                write!(
                    f,
                    "parent step {parent_step_id} is not earlier than the step; every record but the first has an earlier parent"
                )
            }
            Self::Order { span, expected } => write!(f, "`{span}` cannot stand here: {expected}"),
            Self::ContentUsed => {
                f.write_str("this commitment stands in another record already; commit again")
            }
            Self::Key => f.write_str("`fuze.key_id` and `fuze.identity.signer` must be those of the signer"),
            Self::Range => f.write_str("a counter is beyond 2^53-1"),
            Self::Canonical(error) => error.fmt(f),
            Self::Sign(error) => error.fmt(f),
            Self::Anchored => f.write_str("the run is anchored already: it is opened once"),
            Self::Anchor(error) => write!(f, "the run is not anchored by this line: {error}"),
        }
    }
}

impl std::error::Error for AppendError {}

impl From<AttrError> for AppendError {
    fn from(error: AttrError) -> Self {
        Self::Attribute(error)
    }
}

impl From<SignError> for AppendError {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

/// A close that failed; the run is still open.
#[derive(Debug)]
pub struct CloseError {
    /// To try again.
    pub recorder: Box<Recorder>,
    /// Why.
    pub source: AppendError,
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the run was not closed: {}", self.source)
    }
}

impl std::error::Error for CloseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Why a stored record or root does not continue this chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FollowError {
    /// No record.
    Entry(EntryError),
    /// Of another run, out of sequence, or its hashes do not fit.
    Chain {
        /// What does not fit.
        what: &'static str,
    },
    /// It could not have been appended.
    Append(AppendError),
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(error) => error.fmt(f),
            Self::Chain { what } => {
                write!(f, "the stored record does not continue this chain: its {what} is another")
            }
            Self::Append(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FollowError {}
