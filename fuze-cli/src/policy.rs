//! `fuze policy`: what an author and a reviewer of policies do with them.

mod check;
mod example;
mod explain;
mod migrate;
mod once;
mod request;
mod review;
mod test;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fuze_policy::agent_tool::{self, Cerbos, KIND};
use fuze_policy::cerbos::{PolicyInfo, PolicyKind, PolicySet, Problem as PolicyProblem, Schemas};

use crate::mend::Mend;
use crate::outcome::{Ended, Problem, Result};
use crate::output::Output;

pub(crate) use check::Checked;
pub(crate) use explain::Explained;
pub(crate) use migrate::Migrated;
pub(crate) use review::{Linted, Proven};
pub(crate) use test::Tested;

/// What the exit codes mean here.
pub(crate) const CODES: &str = "Exit codes: 0 fine, 1 something is to be mended or was found, 2 the command was called wrongly, \
                                3 nothing can be said, 4 a file or directory cannot be read or written.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads a directory of policies and says everything that is wrong with them.
    Check(Directory),
    /// Runs the tests that lie beside the policies (`*_test.yaml`), and says which do not hold. `cerbos compile` says the same.
    Test(Directory),
    /// Shows for one request which rule decided, and why each other did not.
    Explain(explain::Explain),
    /// Says what a reviewer would object to: what rests on a model's arguments, dead and shadowed rules, names that nobody has.
    Lint(review::Review),
    /// Proves that no special category runs without a person, that nothing crosses tenants, that no rule is dead.
    Prove(review::Prove),
    /// Compares two versions: proves that the new one allows nothing that the old one denied, and asks for no less of an approval, or
    /// shows a request for which it does.
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
    let engine = read(directory).map_err(|problems| broken(directory, &problems))?;
    some(directory, !engine.set().policies().is_empty())?;
    Ok(engine)
}

/// Whether the directory can be read at all.
fn open(directory: &Path) -> Result<()> {
    let shown = directory.display();
    match std::fs::read_dir(directory) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(Problem::io(format_args!("`{shown}` is a file: name the directory that it is in")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Problem::io(format_args!("there is no directory `{shown}`")))
        }
        Err(error) => Err(Problem::file(directory, error)),
    }
}

/// Nothing is said of a directory without policies: whatever is true of none says nothing, and most likely it is the wrong one.
fn some(directory: &Path, are: bool) -> Result<()> {
    if are {
        return Ok(());
    }
    Err(Problem::cannot(format_args!(
        "there is no policy in `{}`: policies are files whose names end in `.yaml`, `.yml` or `.json`; is it the right directory?",
        directory.display()
    )))
}

/// Says so if none of the policies can be about a tool: a resource policy is for one kind, and a principal policy may be for any.
fn about_tools(directory: &Path, engine: &Cerbos, output: &Output) {
    let is = |policy: &PolicyInfo| {
        policy.kind == PolicyKind::Principal || policy.kind == PolicyKind::Resource && &*policy.name == KIND
    };
    if !engine.set().policies().iter().any(is) {
        output.say(&format!(
            "note: no policy in `{}` is about tools (`resource: {KIND}`), so every call of a tool is denied",
            directory.display()
        ));
    }
}

/// What is wrong with policies, each with the directory before it.
fn broken(directory: &Path, problems: &[PolicyProblem]) -> Problem {
    let told = problems.iter().map(|problem| match &*problem.place.file {
        "." => format!("{}: {}", directory.display(), problem.message),
        _ => format!("{}/{problem}", directory.display()),
    });
    let message = told.collect::<Vec<_>>().join("\n");
    Problem::lines(Ended::Failed, message).with_mends(Some(directory), Mend::all(problems))
}
