//! From a run's `anchors.jsonl` and a log's public files to proofs.

use std::fmt;
use std::io::{self, Read as _};

use fuze_evidence::Name;
use fuze_evidence::anchor::{AnchorLine, LeafError, LeafKind};
use fuze_evidence::sign::SignedRoot;
use fuze_evidence::verify::What;
use fuze_log::proof::ProofError;
use fuze_log::{Checkpoint, LogReader, Policy, ReaderError, verify_anchor, verify_leaf};

use super::{Anchored, KeyAnchor, RunRoots};
use crate::source::{RunFile, RunSource};

/// A run has two leaves. More than these is no `anchors.jsonl`.
const MAX_ANCHORS_BYTES: u64 = 1 << 20;

/// Why a run's anchors are not gathered.
#[derive(Debug)]
#[non_exhaustive]
pub enum GatherError {
    /// `anchors.jsonl` cannot be read.
    Io(io::Error),
    /// A line of it is none.
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        error: LeafError,
    },
    /// The run has no leaf in this log.
    NotAnchored {
        /// The log's origin.
        log: String,
        /// The logs of which there are lines.
        found: Vec<String>,
    },
    /// A line opens to no root of the run: it was changed, or is another run's.
    Another {
        /// The line's number, from 1.
        line: usize,
        /// The log's origin.
        log: String,
        /// The leaf's index, as the line says.
        index: u64,
    },
    /// The close names the leaf of its open, and no line opens that.
    NoOpen {
        /// The index.
        index: u64,
    },
    /// The log has not come to that leaf: its close is not there yet, or this is an older copy of it.
    NotThere {
        /// Which of the run's leaves.
        kind: LeafKind,
        /// Its index.
        index: u64,
        /// How many leaves the log has.
        size: u64,
    },
    /// Open and close do not belong together.
    Apart(LeafError),
    /// The log's files do not give a proof.
    Log(ReaderError),
    /// The proof does not hold under the policy.
    Proof {
        /// The number of the line that names it, from 1, if it is one of the run's.
        line: Option<usize>,
        /// Of which leaf.
        kind: LeafKind,
        /// Why.
        error: ProofError,
    },
}

impl fmt::Display for GatherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "`{}`: {error}", RunFile::Anchors.name()),
            Self::Line { line, error } => write!(f, "`{}` line {line}: {error}", RunFile::Anchors.name()),
            Self::NotAnchored { log, found } if found.is_empty() => {
                write!(f, "the run is anchored in no log, expected `{log}`")
            }
            Self::NotAnchored { log, found } => {
                write!(f, "the run is anchored in [{}], expected `{log}`", found.join(", "))
            }
            Self::Another { log, index, .. } => write!(
                f,
                "the anchor at {index} in `{log}` opens to no root of this run: it was changed, or is another run's"
            ),
            Self::NoOpen { index } => {
                write!(f, "the run's close names leaf {index} as its open, and no line opens that leaf")
            }
            Self::NotThere { kind, index, size } => write!(
                f,
                "the run's leaf `{kind}` is number {index}, and the log has {size} leaves: it is not there yet, or this is \
                 an older copy of the log; get the newest"
            ),
            Self::Apart(error) => write!(f, "the run's two anchors do not belong together: {error}"),
            Self::Log(error) => error.fmt(f),
            Self::Proof { kind, error, .. } => write!(f, "the run's leaf `{kind}`: {error}"),
        }
    }
}

impl std::error::Error for GatherError {}

impl GatherError {
    /// What is wrong with a run's `anchors.jsonl`, and at which line of it, counted from 0, if that can be said. `None` where it is
    /// not the run's file that something is wrong with, or where something is only missing.
    #[must_use]
    pub fn at(&self) -> Option<(Option<u64>, What)> {
        let from_zero = |line: &usize| u64::try_from(*line).ok().and_then(|line| line.checked_sub(1));
        match self {
            Self::Line { line, error } => {
                Some((from_zero(line), What::not("a line about a leaf of a log", error)))
            }
            Self::Another { line, index, .. } => {
                let expected = "a leaf that opens to a signed root of this run";
                let found = format!("leaf {index}, which does not");
                Some((from_zero(line), What::line(self, expected, found)))
            }
            Self::Apart(error) => {
                Some((None, What::line(self, "the open and the close of one run, in one log", error)))
            }
            Self::Proof { line, kind, error } if !self.is_lack() => {
                let expected = format!("the place of the run's leaf `{kind}`, as the log's files prove it");
                Some((line.as_ref().and_then(from_zero), What::line(self, expected, error)))
            }
            _ => None,
        }
    }

    /// Whether nothing is wrong, but something that would be needed is not there: an anchor, a key, enough witnesses.
    #[must_use]
    pub const fn is_lack(&self) -> bool {
        use fuze_log::policy::PolicyError;
        matches!(
            self,
            Self::NotAnchored { .. }
                | Self::NoOpen { .. }
                | Self::NotThere { .. }
                | Self::Proof {
                    error: ProofError::Log { .. }
                        | ProofError::Policy(
                            PolicyError::Witnesses { .. } | PolicyError::LogSignature { .. }
                        ),
                    ..
                }
        )
    }
}

impl Anchored {
    /// Proves from the log's public files that it holds the run's open root, and its close root if a line says so: every line of this
    /// log. Of several lines for one root the first counts.
    ///
    /// # Errors
    /// When there is no line of this log, or none of the open that the close names, a leaf is not covered by the log's checkpoint, or
    /// something does not hold.
    pub fn gather(
        run: &dyn RunSource,
        roots: &RunRoots,
        reader: &LogReader,
        policy: &Policy,
    ) -> Result<Self, GatherError> {
        let log = policy.origin().to_owned();
        let (lines, others): (Vec<_>, Vec<_>) =
            (1..).zip(lines_of(run)?).partition(|(_, line)| line.log().as_str() == log);
        if lines.is_empty() {
            let mut found: Vec<String> = others.iter().map(|(_, line)| line.log().to_string()).collect();
            found.dedup();
            return Err(GatherError::NotAnchored { log, found });
        }
        let (mut open, mut close) = (None, None);
        for (number, line) in lines {
            let roots =
                [(&roots.open, LeafKind::RunOpen, &mut open), (&roots.close, LeafKind::RunClose, &mut close)];
            let of =
                |root: &Option<SignedRoot>| root.as_ref().is_some_and(|root| line.opens_to(root).is_ok());
            let Some((Some(root), kind, first)) = roots.into_iter().find(|(root, ..)| of(root)) else {
                return Err(GatherError::Another { line: number, log, index: line.index() });
            };
            let proof = prove(&line, kind, reader)?;
            verify_anchor(root, &line, &proof, policy).map(drop).map_err(|error| GatherError::Proof {
                line: Some(number),
                kind,
                error,
            })?;
            first.get_or_insert((line, proof));
        }
        if let (Some((closed, _)), Some(root)) = (&close, &roots.close) {
            match (&open, root.root().open_leaf) {
                (Some((opened, _)), _) => closed.closes(root, opened).map_err(GatherError::Apart)?,
                (None, Some(index)) => return Err(GatherError::NoOpen { index }),
                (None, None) => {}
            }
        }
        Ok(Self { log: policy.log().clone(), open, close, revocations: Vec::new() })
    }
}

/// What the log named `log` lacks of a closed run: its close root, and the line of the open root that is there. `None` where the run is
/// not closed, is in another log or in none, or lacks nothing.
///
/// # Errors
/// When the run's `anchors.jsonl` cannot be read.
pub fn missing_close(
    run: &dyn RunSource,
    roots: &RunRoots,
    log: &Name,
) -> Result<Option<(SignedRoot, AnchorLine)>, GatherError> {
    let (Some(open), Some(close)) = (&roots.open, &roots.close) else { return Ok(None) };
    let mut lines = lines_of(run)?;
    lines.retain(|line| line.log() == log);
    if lines.iter().any(|line| line.opens_to(close).is_ok()) {
        return Ok(None);
    }
    let opened = lines.into_iter().find(|line| line.opens_to(open).is_ok());
    Ok(opened.map(|opened| (close.clone(), opened)))
}

impl KeyAnchor {
    /// Proves each line from the log's public files. Lines of other logs and kinds are passed over.
    ///
    /// # Errors
    /// When a line is none, a leaf is not covered by the log's checkpoint, or a proof does not hold.
    pub fn gather(file: &[u8], reader: &LogReader, policy: &Policy) -> Result<Vec<Self>, GatherError> {
        let all = AnchorLine::read_all(file).map_err(|(line, error)| GatherError::Line { line, error })?;
        let kind = LeafKind::Key;
        let of_log = |line: &AnchorLine| line.log().as_str() == policy.origin() && line.leaf().kind() == kind;
        let prove = |line: AnchorLine| {
            let proof = prove(&line, kind, reader)?;
            verify_leaf(&line, &proof, policy).map(drop).map_err(|error| GatherError::Proof {
                line: None,
                kind,
                error,
            })?;
            Ok(Self { line, proof })
        };
        all.into_iter().filter(of_log).map(prove).collect()
    }
}

/// Whether the log's public files hold these leaves in their places. A proof in a bundle may be of a tree that the log's owner shows
/// to nobody else; a copy of the log that came another way does not have it.
///
/// # Errors
/// When a leaf is not covered by the checkpoint there, or another one stands in its place.
pub fn check_leaves(lines: &[AnchorLine], reader: &LogReader, policy: &Policy) -> Result<(), GatherError> {
    for line in lines {
        let kind = line.leaf().kind();
        let proof = prove(line, kind, reader)?;
        verify_leaf(line, &proof, policy).map(drop).map_err(|error| GatherError::Proof {
            line: None,
            kind,
            error,
        })?;
    }
    Ok(())
}

/// The lines of a run's `anchors.jsonl`; none of a run that was not anchored.
pub(crate) fn lines_of(run: &dyn RunSource) -> Result<Vec<AnchorLine>, GatherError> {
    let mut octets = Vec::new();
    let file = run.open(RunFile::Anchors).map_err(GatherError::Io)?;
    file.take(MAX_ANCHORS_BYTES).read_to_end(&mut octets).map_err(GatherError::Io)?;
    AnchorLine::read_all(&octets).map_err(|(line, error)| GatherError::Line { line, error })
}

/// On the newest checkpoint that witnesses have cosigned if that covers it, else on the newest.
fn prove(line: &AnchorLine, kind: LeafKind, reader: &LogReader) -> Result<Vec<u8>, GatherError> {
    let note = reader.checkpoint().map_err(GatherError::Log)?;
    let size = Checkpoint::read(note.text()).map_err(|e| GatherError::Log(e.into()))?.size();
    if line.index() >= size {
        return Err(GatherError::NotThere { kind, index: line.index(), size });
    }
    Ok(reader.proof(line.index()).map_err(GatherError::Log)?.to_string().into_bytes())
}
