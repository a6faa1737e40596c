//! `fuze policy`: what an author and a reviewer of policies do with them.

mod check;
mod example;
mod explain;
mod migrate;
mod review;
mod test;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fuze_policy::agent_tool::{self, Cerbos};
use fuze_policy::cerbos::{PolicySet, Problem as PolicyProblem, Schemas};
use schemars::JsonSchema;
use serde::Serialize;

use crate::outcome::{Ended, Problem, Result};
use crate::output::Output;
use crate::text::{BAD, plain};

pub(crate) use check::Checked;
pub(crate) use explain::Explained;
pub(crate) use migrate::Migrated;
pub(crate) use review::{Linted, Proven};
pub(crate) use test::Tested;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads a directory of policies and says everything that is wrong with them.
    Check(Directory),
    /// Runs the suites (`*_test.yaml`) of a directory, with the results of `cerbos compile`.
    Test(Directory),
    /// Shows for one request which rule decided, and why each other did not.
    Explain(explain::Explain),
    /// Says what a reviewer would object to: what rests on a model's arguments, dead and shadowed rules, names that nobody has.
    Lint(review::Review),
    /// Proves that no special category runs without a person, that nothing crosses tenants, that no rule is dead.
    Prove(review::Prove),
    /// Proves that the new policies allow nothing that the old ones denied, with no less of an approval, or shows a request that they do.
    Diff(review::Diff),
    /// Rewrites EFFECT_REQUIRES_APPROVAL, which Cerbos does not know, into an ALLOW of `invoke` alone.
    Migrate(migrate::Migrate),
}

/// Where policies are.
#[derive(Debug, Args)]
pub(crate) struct Directory {
    /// The directory of the policies, with `fuze-policy.manifest` and `_schemas` if there are any.
    pub(crate) directory: PathBuf,
}

pub(crate) fn run(command: Command, output: &Output) -> Result {
    match command {
        Command::Check(at) => check::run(&at, output),
        Command::Test(at) => test::run(&at, output),
        Command::Explain(explain) => explain::run(&explain, output),
        Command::Lint(review) => review::lint(&review, output),
        Command::Prove(prove) => review::prove(&prove, output),
        Command::Diff(diff) => review::diff(&diff, output),
        Command::Migrate(migration) => migrate::run(&migration, output),
    }
}

/// Loads a directory: its policies, and the schemas that they name.
fn read(directory: &Path) -> std::result::Result<Cerbos, Vec<PolicyProblem>> {
    let (files, manifest) = agent_tool::read(directory).map_err(|error| error.problems().to_vec())?;
    let unusable = |set: &PolicySet| match Schemas::load(set, &files.schemas) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.all().to_vec(),
    };
    let (engine, mut problems) = match Cerbos::new(&files, manifest.as_ref()) {
        Ok(engine) => {
            let unusable = unusable(engine.set());
            (Some(engine), unusable)
        }
        // What an engine refuses may well be a set, whose schemas are looked at all the same.
        Err(error) => {
            let more = PolicySet::load(&files.policies).map(|set| unusable(&set)).unwrap_or_default();
            (None, error.problems().iter().cloned().chain(more).collect())
        }
    };
    match engine {
        Some(engine) if problems.is_empty() => Ok(engine),
        _ => {
            problems.sort();
            problems.dedup();
            Err(problems)
        }
    }
}

/// As [`read`], with everything that is wrong in one text.
fn load(directory: &Path) -> Result<Cerbos> {
    open(directory)?;
    read(directory).map_err(|problems| broken(directory, &problems))
}

/// Whether the directory can be read at all.
fn open(directory: &Path) -> Result<()> {
    std::fs::read_dir(directory).map(drop).map_err(|error| Problem::file(directory, error))
}

/// What is wrong with policies, each with the directory before it.
fn broken(directory: &Path, problems: &[PolicyProblem]) -> Problem {
    let told = problems.iter().map(|problem| match &*problem.place.file {
        "." => format!("{}: {}", directory.display(), problem.message),
        _ => format!("{}/{problem}", directory.display()),
    });
    Problem::lines(Ended::Failed, told.collect::<Vec<_>>().join("\n"))
}

/// One thing to mend.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Mend {
    /// Relative to the directory.
    file: String,
    /// From 1.
    line: u32,
    /// From 1, in characters.
    column: u32,
    message: String,
}

impl Mend {
    pub(crate) fn all(problems: &[PolicyProblem]) -> Vec<Self> {
        problems
            .iter()
            .map(|problem| Self {
                file: plain(&problem.place.file),
                line: problem.place.at.line,
                column: problem.place.at.column,
                message: plain(&problem.message),
            })
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        format!("{BAD}{}:{}:{}{BAD:#}: {}\n", self.file, self.line, self.column, self.message)
    }
}
