//! Which log is believed, and what it says about runs that lie in no bundle.

use std::path::{Path, PathBuf};

use clap::Args;
use fuze_audit::{
    Anchored, Anchoring, BundleReport, GatherError, KeyAnchor, RootsError, RunRoots, RunSource, check_leaves,
};
use fuze_evidence::Hash;
use fuze_evidence::verify::What;
use fuze_log::{LogReader, Policy};

use crate::outcome::{Problem, Result};
use crate::trust::{LogArgs, Trust, read};

/// Octets of a file with lines of `anchors.jsonl`.
const MAX_ANCHORS_BYTES: u64 = 16 << 20;

/// A log that is believed, and its files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct AnchorArgs {
    #[command(flatten)]
    log: LogArgs,
    /// The log's public files (`checkpoint`, `tile/`) or a copy of them. A run's anchors are proven from it. A bundle brings its
    /// proofs; those are then looked up in this copy, too, which a forked log does not survive.
    #[arg(long = "log", value_name = "DIR", requires = "log_key")]
    log_directory: Option<PathBuf>,
    /// Where the log has lines of the key history, each like a line of a run's `anchors.jsonl`, as you were told when they were
    /// written: what a key signed before its revocation then still counts.
    #[arg(long, value_name = "FILE", requires = "log_directory")]
    key_anchors: Option<PathBuf>,
}

/// What is believed about a log.
pub(crate) struct Believed {
    pub(crate) policy: Option<Policy>,
    reader: Option<LogReader>,
    pub(crate) revocations: Vec<KeyAnchor>,
}

impl AnchorArgs {
    /// Reads the keys and files that are named.
    pub(crate) fn read(&self) -> Result<Believed> {
        let policy = self.log.policy()?;
        let reader = self.log_directory.as_ref().map(LogReader::new);
        let revocations = match (&self.key_anchors, &reader, &policy) {
            (Some(path), Some(reader), Some(policy)) => {
                let octets = read(path, MAX_ANCHORS_BYTES)?;
                KeyAnchor::gather(&octets, reader, policy)
                    .map_err(|error| problem(format_args!("`{}`: {error}", path.display()), &error))?
            }
            _ => Vec::new(),
        };
        Ok(Believed { policy, reader, revocations })
    }
}

/// What a log says about a run.
pub(crate) struct Anchors {
    /// Where its roots stand, or why that cannot be said. For when the run verified.
    pub(crate) found: std::result::Result<Anchoring, Unproven>,
    /// Roots that stood there before their key was revoked.
    pub(crate) stood: Vec<Hash>,
}

/// Why a log says nothing about a run, or nothing good.
pub(crate) struct Unproven {
    problem: Problem,
    /// What is wrong with the run's `anchors.jsonl`, and at which line, if it is that.
    pub(crate) at: Option<(Option<u64>, What)>,
}

impl From<Problem> for Unproven {
    fn from(problem: Problem) -> Self {
        Self { problem, at: None }
    }
}

impl From<GatherError> for Unproven {
    fn from(error: GatherError) -> Self {
        Self { at: error.at(), problem: problem(&error, &error) }
    }
}

impl From<Unproven> for Problem {
    fn from(unproven: Unproven) -> Self {
        unproven.problem
    }
}

impl Believed {
    /// Asks the log about a run. Without a log nothing is asked.
    pub(crate) fn ask(&self, run: &dyn RunSource, trust: &Trust) -> Result<Anchors> {
        let Some(gathered) = self.gather(run, |id, at| trust.find(id, at)) else {
            return match self.policy {
                None => Ok(Anchors { found: Ok(Anchoring::None), stood: Vec::new() }),
                Some(_) => Err(Problem::usage(
                    "the anchors of a run that is in no bundle are proven from the log's files: name them with `--log`",
                )),
            };
        };
        let (anchored, roots, policy) = match gathered {
            Ok(gathered) => gathered,
            Err(unproven) => return Ok(Anchors { found: Err(unproven), stood: Vec::new() }),
        };
        let stood = trust.history().map(|history| anchored.roots_before_revocation(&roots, history, policy));
        let found = match anchored.judge(&roots, policy) {
            Ok(Anchoring::Trusted { close: None, .. }) if roots.close.is_some() => {
                Err(Problem::cannot("the run is closed and its close is anchored in no log").into())
            }
            other => other.map_err(|error| Problem::failed(error).into()),
        };
        Ok(Anchors { found, stood: stood.unwrap_or_default() })
    }

    /// Looks up in the log's files what a bundle says that it holds, if files were named.
    pub(crate) fn look_up(&self, path: &Path, report: &BundleReport) -> Result<()> {
        let Some((policy, reader)) = self.policy.as_ref().zip(self.reader.as_ref()) else { return Ok(()) };
        check_leaves(&report.anchor_lines, reader, policy).map_err(|error| {
            let said =
                format!("`{}` and the log in `{}`: {error}", path.display(), reader.directory().display());
            problem(said, &error)
        })
    }

    /// The run's anchors with proofs, if log and files were named.
    pub(crate) fn gather(
        &self,
        run: &dyn RunSource,
        find: impl Fn(&Hash, fuze_evidence::Timestamp) -> Option<fuze_evidence::sign::PublicKey>,
    ) -> Option<std::result::Result<(Anchored, RunRoots, &Policy), Unproven>> {
        let (policy, reader) = self.policy.as_ref().zip(self.reader.as_ref())?;
        let roots = match RunRoots::read(run, find) {
            Ok(roots) => roots,
            Err(error @ RootsError::Io { .. }) => return Some(Err(Problem::io(error).into())),
            Err(other) => return Some(Err(Problem::cannot(other).into())),
        };
        let gathered = Anchored::gather(run, &roots, reader, policy)
            .map_err(Unproven::from)
            .map(|anchored| (Anchored { revocations: self.revocations.clone(), ..anchored }, roots, policy));
        Some(gathered)
    }
}

fn problem(said: impl std::fmt::Display, error: &GatherError) -> Problem {
    match error {
        GatherError::Io(_) | GatherError::Log(fuze_log::ReaderError::Io { .. }) => Problem::io(said),
        GatherError::Log(fuze_log::ReaderError::NoCheckpoint { .. }) => Problem::io(said),
        error if error.is_lack() => Problem::cannot(said),
        _ => Problem::failed(said),
    }
}

/// In words.
pub(crate) fn text(anchoring: &Anchoring) -> String {
    let indexes = |open: &Option<u64>, close: &Option<u64>| {
        let at = |index: &Option<u64>| index.map_or("nowhere".to_owned(), |index| format!("at {index}"));
        format!("open {}, close {}", at(open), at(close))
    };
    match anchoring {
        Anchoring::None => "not anchored".to_owned(),
        Anchoring::Unknown { log, open, close } => {
            format!(
                "{log} says {}; it was not named with `--log-key`, so that proves nothing",
                indexes(open, close)
            )
        }
        Anchoring::Trusted { log, open, close, witnesses } => {
            format!("{log}: {}; {witnesses} witnesses", indexes(open, close))
        }
    }
}
