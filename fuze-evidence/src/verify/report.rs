//! What verification answers.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::hash::Hash;
use crate::jcs::ReadError;
use crate::name::Name;
use crate::record::{EntryError, RunId};
use crate::replay::Finding;
use crate::replay::rules::Rules;
use crate::sign::{KeyId, SignatureError};
use crate::time::Timestamp;
use crate::vocab::RunStatus;

/// What holds for a piece of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldStatus {
    /// Opened, and it is what was committed to.
    Verified,
    /// Gone, and an erasure explains it.
    Erased,
    /// There, but the verifier has no key; or content was not given at all.
    Withheld,
    /// Gone, and nothing explains it: a failure.
    Missing,
}

/// How many leaves have which status; decoys are counted like leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentCounts {
    /// [`FieldStatus::Verified`].
    pub verified: u64,
    /// [`FieldStatus::Erased`].
    pub erased: u64,
    /// [`FieldStatus::Withheld`].
    pub withheld: u64,
    /// [`FieldStatus::Missing`].
    pub missing: u64,
}

impl ContentCounts {
    pub(super) const fn add(&mut self, status: FieldStatus, leaves: u64) {
        match status {
            FieldStatus::Verified => self.verified += leaves,
            FieldStatus::Erased => self.erased += leaves,
            FieldStatus::Withheld => self.withheld += leaves,
            FieldStatus::Missing => self.missing += leaves,
        }
    }

    /// Of `leaves` so many are explained; `rest` holds for the others.
    pub(super) fn add_explained(&mut self, explained: u64, rest: FieldStatus, leaves: u64) {
        let explained = explained.min(leaves);
        self.add(FieldStatus::Erased, explained);
        self.add(rest, leaves - explained);
    }
}

/// Where content is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingField {
    /// The record that commits to it.
    pub sequence: u64,
    /// The commitment.
    pub root: Hash,
    /// How many of its leaves.
    pub leaves: u64,
    /// What lacks them: `content.jsonl`, `keys.jsonl`, or the data subject's key.
    pub gone_from: &'static str,
}

/// Whether the run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// The signed close covers all of it.
    Closed(RunStatus),
    /// What is there is intact; whether it is all cannot be said.
    NotClosed,
}

/// A run whose records hold. Whether all is well says [`Report::is_sound`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a report can say that content is missing, that the run has not closed or that it broke the rules"]
pub struct Report {
    /// The run. Compare it with the run that was asked for: another run's files verify as well.
    pub run_id: RunId,
    /// The deployment that ran it.
    pub origin: Name,
    /// On whose behalf.
    pub tenant: Name,
    /// The run's alias for its data subject.
    pub subject: Option<Name>,
    /// Whether it has ended.
    pub chain: Chain,
    /// How many records there are.
    pub records: u64,
    /// The hash of the last.
    pub head: Hash,
    /// SHA-256 of the last signed root: what a log's leaf commits to.
    pub last_root: Option<Hash>,
    /// The key that signs it.
    pub key_id: KeyId,
    /// How many signed roots were verified, the close root included.
    pub roots: u64,
    /// Up to which record a signature covers the run: of a run that is not closed, the rest is only consistent.
    pub signed_records: u64,
    /// What holds for its content.
    pub content: ContentCounts,
    /// Where content is missing: the first [`Report::MAX_MISSING`].
    pub missing: Vec<MissingField>,
    /// Content lines after a crash whose record was never written. Only in a run that is not closed.
    pub orphans: u64,
    /// What the records tell that is against the rules of the loop: the first [`Report::MAX_FINDINGS`]. The chain can be intact and
    /// signed, and what it tells still be forbidden.
    pub findings: Vec<Finding>,
    /// The last record, with its hash, before the first that breaks a rule.
    pub last_sound: Option<(u64, Hash)>,
}

impl Report {
    /// How many findings are listed.
    pub const MAX_FINDINGS: usize = Rules::MAX_FINDINGS;

    /// How many places are listed.
    pub const MAX_MISSING: usize = 1000;

    /// The run has ended, its close is signed by a trusted key, and no content is missing. What it tells can still be against the
    /// rules: see [`Report::is_sound`].
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        matches!(self.chain, Chain::Closed(_)) && self.content.missing == 0
    }

    /// It is verified, and nothing that it tells is against the rules.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.is_verified() && self.findings.is_empty()
    }
}

/// What is wrong with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// Nothing there.
    Empty,
    /// The last line does not end: a crash, or a cut.
    PartialLine,
    /// A line is longer than 16 MiB.
    LongLine,
    /// A line is not what it must be.
    Line {
        /// In words.
        why: String,
        /// What must stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A value is another than it must be.
    Differs {
        /// Which one.
        what: &'static str,
        /// What must stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// It is another run, or of another tenant or deployment, than was asked for. Nothing more was looked at.
    Other {
        /// The run, the tenant or the deployment.
        what: &'static str,
        /// What was asked for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A statement of the annex says that something is gone, and it is there.
    StillThere {
        /// What is there, in words.
        what: String,
    },
    /// A statement of the annex is about something that the run does not have.
    Unknown {
        /// What it names, in words.
        what: String,
    },
    /// A statement of the annex erases what a hold protects.
    Held {
        /// The line of the annex that ordered the hold.
        line: u64,
    },
    /// A statement of the annex releases a hold that does not stand.
    NothingHeld,
    /// A statement of the annex erases before the run closed, or before the window that it names had ended.
    Early {
        /// Not before.
        from: Timestamp,
        /// The statement's time.
        at: Timestamp,
    },
}

impl What {
    /// A line is not what it must be: why, what must stand there, and what stands there.
    pub fn line(why: impl fmt::Display, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Line { why: why.to_string(), expected: expected.to_string(), found: found.to_string() }
    }

    /// What is not `expected`, for a reason that is known in words alone.
    pub fn not(expected: impl fmt::Display, why: impl fmt::Display) -> Self {
        let found = format!("none: {why}");
        Self::line(why, expected, found)
    }

    /// What must stand there, and what stands there, each in words of its own.
    #[must_use]
    pub fn sides(&self) -> (String, String) {
        let (expected, found) = match self {
            Self::Empty => ("at least one line", "none"),
            Self::PartialLine => ("a line feed at the end of the last line", "a line that does not end"),
            Self::LongLine => ("lines of at most 16 MiB", "a longer one"),
            Self::Line { expected, found, .. }
            | Self::Differs { expected, found, .. }
            | Self::Other { expected, found, .. } => (expected.as_str(), found.as_str()),
            Self::StillThere { what } => {
                return (format!("that {what} is gone, as the annex says"), "it is there".to_owned());
            }
            Self::Unknown { what } => ("a statement about what the run has", what.as_str()),
            Self::Held { line } => {
                return (
                    "no erasure while a hold stands".to_owned(),
                    format!("the hold of line {line} stands"),
                );
            }
            Self::NothingHeld => ("a hold that stands", "none"),
            Self::Early { from, at } => return (format!("a time from {from} on"), at.to_string()),
        };
        (expected.to_owned(), found.to_owned())
    }
}

impl From<&ReadError> for What {
    fn from(error: &ReadError) -> Self {
        let at = |side: &dyn fmt::Display| format!("at octet {}: {side}", error.offset);
        Self::line(error, at(&error.expected), at(&error.found_there()))
    }
}

impl From<&EntryError> for What {
    fn from(error: &EntryError) -> Self {
        match error {
            EntryError::Canonical(error) => error.into(),
            EntryError::Member { member, expected } => {
                let found = match *expected {
                    EntryError::THERE => "nothing",
                    EntryError::ABSENT => "one",
                    _ => "something else",
                };
                Self::line(error, format_args!("`{member}`: {expected}"), format_args!("`{member}`: {found}"))
            }
            EntryError::Attribute(attribute) => {
                let (expected, found) = attribute.sides();
                Self::line(error, expected, found)
            }
            other => Self::not("a record", other),
        }
    }
}

impl From<&SignatureError> for What {
    fn from(error: &SignatureError) -> Self {
        let (expected, found) = match error {
            SignatureError::Canonical(error) => return error.into(),
            SignatureError::Key => ("a canonical Ed25519 point of full order", "another key"),
            SignatureError::KeyText => {
                ("64 lowercase hexadecimal digits, or a PEM `PUBLIC KEY` of Ed25519", "something else")
            }
            SignatureError::Signature => {
                ("a signature that holds for this key and message", "one that does not")
            }
            SignatureError::Encoding => ("64 octets in base64url without padding", "something else"),
            SignatureError::Domain { expected } => (*expected, "another domain"),
            SignatureError::Members(why) => {
                return Self::not("the members of what is signed here", why).said(error);
            }
        };
        Self::line(error, expected, found)
    }
}

impl What {
    /// The same in other words.
    fn said(self, why: impl fmt::Display) -> Self {
        match self {
            Self::Line { expected, found, .. } => Self::line(why, expected, found),
            other => other,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::PartialLine => f.write_str(
                "the last line has no line feed: a crash or a cut; the deployment's own recovery, when it opens its sink or \
                 store again, cuts it off and says so",
            ),
            Self::LongLine => f.write_str("a line is longer than 16 MiB"),
            Self::Line { why, .. } => f.write_str(why),
            Self::Differs { what, expected, found } => {
                write!(f, "{what}: expected `{expected}`, found `{found}`")
            }
            Self::Other { what, expected, found } => {
                write!(f, "this is another {what} than was asked for: expected `{expected}`, found `{found}`")
            }
            Self::StillThere { what } => write!(f, "it says that {what} is gone, which is there"),
            Self::Unknown { what } => write!(f, "it is about {what}, which the run does not have"),
            Self::Held { line } => write!(f, "it erases what the hold of line {line} protects"),
            Self::NothingHeld => f.write_str("it releases a hold that does not stand"),
            Self::Early { from, at } => write!(f, "it erases at {at} what stays until {from}"),
        }
    }
}

/// The first thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which file.
    pub file: &'static str,
    /// Which line of it, from 0: of `records.jsonl`, the sequence.
    pub line: u64,
    /// What is wrong.
    pub what: What,
    /// The last record up to which all is well, and its hash.
    pub last_good: Option<(u64, Hash)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed at `{}` line {}: {}", self.file, self.line, self.what)?;
        match (&self.what, self.last_good) {
            (What::Other { .. }, _) => f.write_str("; whether it is intact was not looked at"),
            (_, Some((sequence, hash))) => write!(f, "; intact up to record {sequence}, hash {hash}"),
            (_, None) => f.write_str("; nothing before it is known to be intact"),
        }
    }
}

/// Why a run is not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// The evidence is not intact.
    Failed(Box<Failure>),
    /// This verifier cannot say anything: an unknown version or suite, a key that nobody vouched for.
    Cannot {
        /// Which line of `records.jsonl`.
        line: u64,
        /// Why.
        why: String,
    },
    /// A file cannot be read.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Cannot { line, why } => write!(f, "cannot verify, line {line}: {why}"),
            Self::Io { path, source } => write!(f, "cannot read `{}`: {source}", path.display()),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
