//! Why a run could not be opened, resumed or recovered.

use std::fmt;

use fuze_evidence::{Hash, Name};

use crate::driver::journal::Latched;

/// Why a run could not be opened, resumed or recovered. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// A name cannot be recorded.
    Name {
        /// Which.
        what: &'static str,
        /// What was given.
        found: String,
        /// Why.
        why: String,
    },
    /// The data subject has no name: nobody could find or erase the person's data by it.
    Subject,
    /// The deployment has no store.
    NoStore,
    /// The store cannot.
    Store(crate::store::StoreError),
    /// The tokens could not be claimed.
    Claim(crate::store::ClaimError),
    /// The run does not wait.
    NotSuspended,
    /// Nobody decided in time: the run was closed.
    Expired,
    /// The data subject was erased while the run waited: nobody can open it any more.
    SubjectErased,
    /// The run is not one that a crash left behind.
    NotRunning,
    /// The run's records do not hold.
    Records(String),
    /// What is stored of the run cannot be opened.
    Snapshot(String),
    /// A later version of this library wrote the snapshot.
    SnapshotVersion {
        /// What was found.
        found: u32,
        /// What this version reads.
        known: u32,
    },
    /// The agent is not the one that began the run: its definition has changed.
    Drift {
        /// As the run began.
        began: Hash,
        /// As it is now.
        now: Hash,
    },
    /// The run is of another deployment: its origin is another.
    OtherDeployment {
        /// Of which.
        began: Name,
    },
    /// The run's open root stands in another log than the deployment's.
    OtherLog {
        /// In which.
        began: Name,
        /// The deployment's, if it has one.
        now: Option<Name>,
    },
    /// The registry of overseers is another than the one that the run began with.
    OtherRegistry,
    /// The model is not the one that began the run, and for an Art. 22 decision an overseer must acknowledge that.
    ModelDrift {
        /// As the run began.
        began: Name,
        /// As it is now.
        now: Name,
    },
    /// The arguments that a person put in the place of the model's do not fit the tool.
    ModifiedArguments {
        /// The tool.
        tool: Name,
        /// Why.
        why: String,
    },
    /// The output that a person states does not fit the tool.
    StatedOutput {
        /// The tool.
        tool: Name,
        /// Why.
        why: String,
    },
    /// The token's signature or form no longer holds.
    Token(crate::suspend::TokenError),
    /// Something that should not happen.
    Internal(String),
}

impl RunError {
    pub(crate) fn internal(error: impl fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { what, found, why } => write!(f, "the {what} `{found}` cannot be recorded: {why}"),
            Self::Subject => f.write_str(
                "the data subject is empty: say how the deployment knows the person (GDPR Art. 15, 17)",
            ),
            Self::NoStore => {
                f.write_str("the deployment has no store: only runs in a store can wait or be recovered")
            }
            Self::Store(error) => error.fmt(f),
            Self::Claim(error) => error.fmt(f),
            Self::NotSuspended => f.write_str("the run does not wait for anybody"),
            Self::Expired => {
                f.write_str("nobody decided in time, and silence is a denial: the run was closed")
            }
            Self::SubjectErased => f.write_str(
                "the data subject was erased (GDPR Art. 17): nobody can continue the run; `Deployment::expire` closes it",
            ),
            Self::Records(why) => write!(f, "the run's records do not hold: {why}"),
            Self::NotRunning => f.write_str("the run was not left behind by a crash: it waits, or is closed"),
            Self::Snapshot(why) => write!(f, "what is stored of the run cannot be opened: {why}"),
            Self::SnapshotVersion { found, known } => {
                write!(
                    f,
                    "the snapshot has version {found}, expected {known}: use the fuze-agent that wrote it"
                )
            }
            Self::Drift { began, now } => write!(
                f,
                "the agent's definition has changed since the run began (fingerprint {began}, now {now}): finish the \
                 run with the definition that began it, or let its time run out and close it with `Deployment::expire`"
            ),
            Self::OtherDeployment { began } => write!(f, "the run is of the deployment `{began}`"),
            Self::OtherLog { began, now: Some(now) } => {
                write!(f, "the run is anchored in the log `{began}`, the deployment's is `{now}`: finish the run with that one")
            }
            Self::OtherLog { began, now: None } => {
                write!(f, "the run is anchored in the log `{began}`, and the deployment has none: finish the run with that one")
            }
            Self::OtherRegistry => f.write_str(
                "the registry of overseers is another than the one the run began with: finish the run with that one",
            ),
            Self::ModelDrift { began, now } => write!(
                f,
                "the run began with the model `{began}`, now it is `{now}`: for an Art. 22 decision each overseer \
                 acknowledges the change in the decision"
            ),
            Self::ModifiedArguments { tool, why } => {
                write!(f, "the modified arguments do not fit `{tool}`: {why}")
            }
            Self::StatedOutput { tool, why } => write!(f, "the stated output does not fit `{tool}`: {why}"),
            Self::Token(error) => error.fmt(f),
            Self::Internal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RunError {}

impl From<Latched> for RunError {
    fn from(latched: Latched) -> Self {
        Self::Internal(latched.0)
    }
}

impl From<crate::store::StoreError> for RunError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::store::ClaimError> for RunError {
    fn from(error: crate::store::ClaimError) -> Self {
        Self::Claim(error)
    }
}
