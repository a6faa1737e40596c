//! Erasure of a field, a record, a run and a person from evidence that stays verifiable: GDPR Art. 17, 5(1)(e).
//!
//! A [`Plan`] says what goes and what the annex will say about it; it is pure, so that a directory ([`Archive`]) and a database carry
//! out the same one. Only runs that have closed or were given up are erased from, never against a hold. Deliberately not here: overwriting. A
//! file that is replaced or deleted may leave its blocks on the medium, in snapshots of the file system and in backups; what
//! protects those is that the data subject's key, kept elsewhere, is gone as well, and that media are encrypted.

mod archive;
mod disk;
mod facts;
#[cfg(test)]
mod guess;
mod intent;
mod plan;
mod registrar;
mod rewrite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::annex::{AnnexError, ErasureReason, Event};
use crate::content::OpenError;
use crate::hash::Hash;
use crate::keys::{KeyError, SubjectKeyError};
use crate::name::Name;
use crate::place::Misplaced;
use crate::record::RunId;
use crate::sign::{KeyId, SignError};
use crate::sink::SinkError;
use crate::time::Timestamp;
use crate::verify::VerifyError;

pub use archive::{Archive, GaveUp, KeysAlone, PersonErased, Recovered};
pub use facts::{Close, Partition, RunFacts};
pub(crate) use plan::reaches;
pub use plan::{Change, Lines, Plan, Replacement};
pub use registrar::Registrar;

/// What is to be erased of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Fields of one content, each with all below it.
    Fields {
        /// The content.
        root: Hash,
        /// JSON Pointers (RFC 6901) into the redacted value.
        pointers: Vec<String>,
        /// Whether fields of this content may have been erased before.
        repeat: Repeat,
    },
    /// All content of one record.
    Record {
        /// The content.
        root: Hash,
    },
    /// All content of the run, and its keys.
    Run,
    /// As for [`Target::Run`], and the key of the run's data subject with it.
    Subject,
}

/// The first erasure from a content takes all decoys, so that nobody can count what went. A second one finds none to hide behind: its
/// statement lists as many leaves more as it erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Refuse; the whole record can be erased instead.
    Refuse,
    /// Erase, and let the statement show how many leaves went this time.
    ShowCount,
}

/// Who orders an erasure, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// When.
    pub at: Timestamp,
    /// Alias of who orders it.
    pub by: Name,
    /// Why: not a window, which [`Archive::retain`] finds by itself.
    pub reason: ErasureReason,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "says whether anything was there to be erased"]
pub enum Done {
    /// It is gone, and the annex says so.
    Erased,
    /// It was gone before, and the annex said so; nothing was done.
    Already,
}

/// Why nothing was erased, or not all of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum EraseError {
    /// A hold, or the statement could not be made.
    Annex(AnnexError),
    /// The annex that is there does not hold.
    AnnexBroken(VerifyError),
    /// The run is not here.
    UnknownRun(RunId),
    /// The run has not closed.
    NotClosed {
        /// The run.
        run: RunId,
        /// It waits for people.
        waiting: bool,
        /// A store has it, which can end it.
        stored: bool,
    },
    /// The run has closed, so that there is nothing to give up.
    Closed(RunId),
    /// The run was given up, and has other records now.
    WentOn {
        /// The run.
        run: RunId,
    },
    /// The run belongs to another deployment than the registrar.
    OtherOrigin {
        /// The registrar's.
        given: Name,
        /// Whose it is.
        found: Name,
    },
    /// No run of this tenant is here, and its annex has not begun: what would be said would never be heard.
    UnknownTenant {
        /// The tenant.
        tenant: Name,
    },
    /// The signer did not sign the tenant's runs, and no history of keys has it in the place of the one that did: no auditor would
    /// accept the line, and it could never be taken back.
    OtherSigner {
        /// The tenant.
        tenant: Name,
        /// The signer's key.
        given: KeyId,
        /// The key of the run, or of the newest one.
        expected: KeyId,
    },
    /// The history of keys has the signer as one that is not in force.
    SignerRetired {
        /// The signer's key.
        given: KeyId,
        /// Why it is not.
        why: String,
        /// The key in force.
        current: Option<KeyId>,
    },
    /// No record of the run commits to this content.
    UnknownContent {
        /// The content.
        root: Hash,
    },
    /// Nothing stands at one of the pointers.
    NoSuchField {
        /// Which of the pointers, from 0. Pointers are content, so that it is not spelt out.
        index: usize,
    },
    /// Nothing stands at one of the pointers, and fields of this content were erased before: whether this is one of them, or the pointer
    /// was mistyped and its field stays, nobody can tell. Nothing was erased.
    NothingLeft {
        /// Which of the pointers, from 0.
        index: usize,
    },
    /// Fields without a single pointer.
    NothingNamed,
    /// The run is another tenant's: what is said in this one's annex would never be heard.
    OtherTenant {
        /// Whose it is.
        found: Name,
    },
    /// Fields of this content were erased before.
    Repeated,
    /// Fields cannot be erased of what is not there any more, unexplained.
    Missing {
        /// The content.
        root: Hash,
    },
    /// Erasing fields needs the master key, and the subject's if the run has one.
    KeysNeeded,
    /// The run has no data subject.
    NoSubject,
    /// Ordered for a window of the retention policy.
    Window,
    /// The run's keys.
    Key(KeyError),
    /// Content or keys do not open.
    Open(OpenError),
    /// The data subject's key.
    Subject(SubjectKeyError),
    /// The intent could not be signed.
    Sign(SignError),
    /// A line of the run is not what it must be.
    Line {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// An earlier erasure or hold was cut off.
    Unfinished {
        /// What it left.
        path: PathBuf,
    },
    /// An intent that no key of this deployment signed, as far as it is known here, names a run of this tenant.
    Stray {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else writes to it.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The operating system's own.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl fmt::Display for EraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annex(error) => error.fmt(f),
            Self::AnnexBroken(error) => write!(f, "the tenant's annex does not hold: {error}"),
            Self::UnknownRun(run) => write!(f, "there is no run {run} here"),
            Self::NotClosed { run, waiting: true, .. } => write!(
                f,
                "run {run} waits for people, and only closed runs are erased from; end it first with `Deployment::abandon`"
            ),
            Self::NotClosed { run, waiting: false, stored: true } => write!(
                f,
                "run {run} has not closed, and only closed runs are erased from; let it end, or after a crash recover it or end it with \
                 `Deployment::abandon`"
            ),
            Self::NotClosed { run, waiting: false, stored: false } => write!(
                f,
                "run {run} has not closed, and only closed runs are erased from; let it end, or if a crash left it and nobody writes it \
                 any more give it up (`Archive::give_up`, `fuze audit erase --given-up`)"
            ),
            Self::Closed(run) => write!(f, "run {run} has closed: there is nothing to give up, erase from it"),
            Self::WentOn { run } => write!(
                f,
                "run {run} was given up, and its records are others now; verify it, and keep it for whoever looks into it"
            ),
            Self::OtherOrigin { given, found } => write!(
                f,
                "the run belongs to the deployment `{found}`, and this order is `{given}`'s; if it is the same one, name it `{found}` \
                 (`--origin {found}`), else give the order there, under its key"
            ),
            Self::UnknownTenant { tenant } => write!(
                f,
                "no run of the tenant `{tenant}` is here, so that nobody would ever hear of it; expected the name that the runs have \
                 (`fuze.tenant.id` in their first record): check the spelling, and that this is their directory"
            ),
            Self::OtherSigner { tenant, given, expected } => write!(
                f,
                "the key {given} did not sign the runs of the tenant `{tenant}`, so that no auditor would accept its line, and lines stay; \
                 expected the key {expected}: sign with that one, or with the one that took its place, and give the history of keys that \
                 has both (`--key-history`)"
            ),
            Self::SignerRetired { given, why, current } => {
                write!(f, "the key {given} {why}, so that no auditor would accept its line, and lines stay")?;
                match current {
                    Some(current) => write!(f, "; expected the key in force, {current}: sign with that one"),
                    None => Ok(()),
                }
            }
            Self::UnknownContent { root } => write!(f, "no record of the run commits to the content {root}"),
            Self::NoSuchField { index } => write!(
                f,
                "the content has no field where pointer number {} of those named points",
                index.saturating_add(1)
            ),
            Self::NothingLeft { index } => write!(
                f,
                "nothing is left where pointer number {} of those named points; whether it ever was cannot be told, because fields of this \
                 content were erased before. Nothing was erased now: if the pointer is right the field is gone, if it is not the field \
                 stays, so check it against the content",
                index.saturating_add(1)
            ),
            Self::NothingNamed => f.write_str("no field is named; give a pointer, or erase the record"),
            Self::OtherTenant { found } => {
                write!(f, "the run belongs to the tenant `{found}`; say it in that one's annex")
            }
            Self::Repeated => f.write_str(
                "fields of this content were erased before, and a second erasure shows how many leaves it takes; \
                 erase the record, or accept that (`Repeat::ShowCount`, `fuze audit erase --again`)",
            ),
            Self::Missing { root } => {
                write!(f, "part of the content {root} is missing and nothing explains it; verify the run first")
            }
            Self::KeysNeeded => f.write_str(
                "fields are found only with the master key and the data subject's; give them, or erase the record",
            ),
            Self::NoSubject => f.write_str("the run has no data subject; erase the run"),
            Self::Window => f.write_str("what a window of the retention policy ends, `retain` erases"),
            Self::Key(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Subject(error) => error.fmt(f),
            Self::Sign(error) => error.fmt(f),
            Self::Line { path, why } => write!(f, "`{}`: {why}; verify the run first", path.display()),
            Self::Unfinished { path } => {
                write!(
                    f,
                    "another order left `{}` and is not complete; whatever order `fuze audit erase` is given here completes it first \
                     (`Archive::recover`), unless a process is still carrying it out",
                    path.display()
                )
            }
            Self::Stray { path, why } => write!(
                f,
                "`{}` is no erasure that this deployment ordered: {why}; give the history of keys that has its key, or keep the file for \
                 whoever looks into it and move it away",
                path.display()
            ),
            Self::Locked { path } => write!(f, "`{}` is being written by another process", path.display()),
            Self::Io { path, source } => write!(f, "`{}`: {source}", path.display()),
        }
    }
}

impl std::error::Error for EraseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::AnnexBroken(error) => Some(error),
            _ => None,
        }
    }
}

impl Event {
    /// Whether the annex of `tenant` is where this is heard of `run`, which is here for the tenant `found`, if it is here at all.
    ///
    /// # Errors
    /// When the run is another tenant's; of a hold also when the run is not here, and so nothing would be held.
    pub fn check_whose(&self, tenant: &Name, run: RunId, found: Option<Name>) -> Result<(), EraseError> {
        match (found, self) {
            (Some(found), _) if found != *tenant => Err(EraseError::OtherTenant { found }),
            (None, Self::Hold(_)) => Err(EraseError::UnknownRun(run)),
            _ => Ok(()),
        }
    }
}

impl From<Misplaced> for EraseError {
    fn from(Misplaced { path, source }: Misplaced) -> Self {
        Self::Io { path, source }
    }
}

impl From<AnnexError> for EraseError {
    fn from(error: AnnexError) -> Self {
        Self::Annex(error)
    }
}

impl From<OpenError> for EraseError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<SinkError> for EraseError {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Io { path, source } => Self::Io { path, source },
            SinkError::Locked { path } => Self::Locked { path },
            SinkError::Exists { ref path } | SinkError::Damaged { ref path, .. } => {
                Self::Line { path: path.clone(), why: error.to_string() }
            }
            SinkError::Keys | SinkError::Sequence { .. } | SinkError::Stopped | SinkError::Other(_) => {
                Self::Line { path: PathBuf::new(), why: error.to_string() }
            }
        }
    }
}

impl From<SubjectKeyError> for EraseError {
    fn from(error: SubjectKeyError) -> Self {
        Self::Subject(error)
    }
}
