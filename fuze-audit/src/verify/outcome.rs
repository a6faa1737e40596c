//! What verifying a bundle answers.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::sign::KeyId;
use fuze_evidence::time::Timestamp;
use fuze_evidence::verify::{self as evidence, Chain, Report, VerifyError, What};
use fuze_evidence::{Hash, Name};

use crate::oversight::Reasons;
use crate::zip::ZipError;

/// Who made a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// The key that signed the manifest.
    pub key_id: KeyId,
    /// Whether the verifier trusts it for bundles.
    pub trusted: bool,
}

/// The decisions of people in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decisions {
    /// How many records of decisions there are.
    pub recorded: u64,
    /// How many of them are disclosed, with their tokens.
    pub disclosed: u64,
    /// Of how many the overseer's own signature was verified, by a key that the verifier was given.
    pub signatures_verified: u64,
}

/// What a transparency log says about the run. Indexes are those of the leaves of its open and close root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchoring {
    /// The bundle has no anchors, and none was asked for.
    None,
    /// It has anchors that hold together; no log was named to check them by, so they prove nothing.
    Unknown {
        /// The log.
        log: Name,
        /// Of the open root.
        open: Option<u64>,
        /// Of the close root.
        close: Option<u64>,
    },
    /// The log that the verifier named holds the roots.
    Trusted {
        /// The log.
        log: Name,
        /// Of the open root.
        open: Option<u64>,
        /// Of the close root.
        close: Option<u64>,
        /// How many of the named witnesses cosigned each checkpoint, at least.
        witnesses: usize,
    },
}

/// A bundle whose every octet is accounted for. Whether the run is whole says [`BundleReport::verdict`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a report can say that the run has not closed or broke the rules"]
pub struct BundleReport {
    /// The run. Compare it with the run that was asked for: another run's bundle verifies as well.
    pub run: Report,
    /// The hash of the signed close root: names the run's whole evidence.
    pub close_root: Option<Hash>,
    /// Who made the bundle.
    pub maker: Maker,
    /// When, as its maker says.
    pub exported_at: Timestamp,
    /// The decisions of people.
    pub decisions: Decisions,
    /// Why they decided so, where it is disclosed beside what they signed.
    pub reasons: Reasons,
    /// The overseers' keys, of those that the verifier was given, by which a decision is signed.
    pub overseers: BTreeSet<KeyId>,
    /// The first key of the history that the bundle brings, whoever vouches for it.
    pub first_key: Option<KeyId>,
    /// What a transparency log says.
    pub anchoring: Anchoring,
    /// The lines of `anchors.jsonl` that open to the run's roots.
    pub anchor_lines: Vec<AnchorLine>,
    /// Members for people, `report.html` and `README.txt`, that are not what this version makes of the evidence: of another version, or
    /// by somebody who wants to be believed. What they say is not to be relied on.
    pub made_otherwise: Vec<&'static str>,
}

/// What can be said of a bundle in which nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The run has ended, its close is signed by a trusted key, no content is missing, no rule is broken.
    Verified,
    /// What is there is intact; whether it is all cannot be said.
    NotClosed,
    /// It is intact, and tells of something that is against the rules of the loop: [`Report::findings`].
    AgainstRules,
}

impl Verdict {
    /// What a command exits with: 0, 3, which is "could not be verified", or 1: what broke the rules is not valid.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::NotClosed => 3,
            Self::AgainstRules => 1,
        }
    }
}

impl BundleReport {
    /// The answer in one word.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self.run.chain {
            _ if !self.run.findings.is_empty() => Verdict::AgainstRules,
            Chain::Closed(_) => Verdict::Verified,
            Chain::NotClosed => Verdict::NotClosed,
        }
    }
}

/// The first thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which member of the bundle; empty for the zip itself.
    pub member: String,
    /// Which line of it, from 0: of `records.jsonl`, the sequence.
    pub line: Option<u64>,
    /// What is wrong: where it can be said, with what was expected and what was found.
    pub what: What,
    /// The last record up to which all is well, and its hash.
    pub last_good: Option<(u64, Hash)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member.as_str() {
            "" => f.write_str("failed at the zip file")?,
            member => write!(f, "failed at `{member}`")?,
        }
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {}", self.what)?;
        match self.last_good {
            Some((sequence, hash)) => write!(f, "; intact up to record {sequence}, hash {hash}"),
            None => f.write_str("; nothing before it is known to be intact"),
        }
    }
}

/// Why a bundle is not accepted.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuditError {
    /// It is not intact.
    Failed(Box<Failure>),
    /// This verifier cannot say anything: an unknown version or suite, a key that nobody vouched for.
    Cannot {
        /// Why.
        why: String,
    },
    /// It cannot be read.
    Io(io::Error),
}

impl AuditError {
    /// What a command exits with: 1 failed, 3 could not be verified, 4 could not be read.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Cannot { .. } => 3,
            Self::Io(_) => 4,
        }
    }

    pub(crate) fn at(member: &str, what: What) -> Self {
        Self::Failed(Box::new(Failure { member: member.to_owned(), line: None, what, last_good: None }))
    }

    /// At a line of a member, counted from 1.
    pub(crate) fn at_line(member: &str, line: usize, what: What) -> Self {
        let line = u64::try_from(line).ok().and_then(|line| line.checked_sub(1));
        Self::Failed(Box::new(Failure { member: member.to_owned(), line, what, last_good: None }))
    }

    /// What is there is not `expected`, for a reason that is known in words alone.
    pub(crate) fn not(member: &str, expected: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::at(member, What::not(expected, why))
    }

    /// Why, what must stand there, and what stands there.
    pub(crate) fn line(
        member: &str,
        why: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::at(member, What::line(why, expected, found))
    }

    pub(crate) fn differs(
        member: &str,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        let (expected, found) = (expected.to_string(), found.to_string());
        Self::at(member, What::Differs { what, expected, found })
    }

    pub(crate) fn of_zip(member: &str, error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => Self::Io(error),
            other => Self::not(member, "a zip file as bundles are written", other),
        }
    }

    pub(crate) fn of_annex(error: VerifyError) -> Self {
        match error {
            VerifyError::Cannot { line, why } => {
                Self::Cannot { why: format!("`{}` line {line}: {why}", crate::member::ANNEX) }
            }
            other => Self::of_run(other),
        }
    }

    pub(crate) fn of_run(error: VerifyError) -> Self {
        match error {
            VerifyError::Failed(failure) => {
                let evidence::Failure { file, line, what, last_good } = *failure;
                let member = match file {
                    "roots.jsonl" => crate::member::ROOTS,
                    "annex.jsonl" => crate::member::ANNEX,
                    other => other,
                };
                Self::Failed(Box::new(Failure {
                    member: member.to_owned(),
                    line: Some(line),
                    what,
                    last_good,
                }))
            }
            VerifyError::Cannot { line, why } => {
                Self::Cannot { why: format!("`{}` line {line}: {why}", crate::member::RECORDS) }
            }
            VerifyError::Io { source, .. } => Self::Io(source),
            other => Self::Cannot { why: other.to_string() },
        }
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Cannot { why } => write!(f, "cannot verify: {why}"),
            Self::Io(error) => write!(f, "cannot read the bundle: {error}"),
        }
    }
}

impl std::error::Error for AuditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
