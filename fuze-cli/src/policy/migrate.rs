//! `fuze policy migrate`.

use clap::Args;
use fuze_policy::cerbos::read_directory;
use fuze_policy::migrate::migrate;
use schemars::JsonSchema;
use serde::Serialize;

use super::Directory;
use crate::mend::{Mend, Place};
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::text::{GOOD, UNSURE};

/// What to rewrite.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    at: Directory,
    /// Write the files; without it, only say what would be written.
    #[arg(long)]
    write: bool,
}

/// What `fuze policy migrate` did or would do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Migrated {
    written: bool,
    /// Each effect that is rewritten.
    rewritten: Vec<Place>,
    /// What an author has to look at.
    to_decide: Vec<Mend>,
    /// What cannot be rewritten; then nothing is.
    problems: Vec<Mend>,
}

impl Document for Migrated {
    const SCHEMA: &'static str = "fuze.policy.migrate/1";
}

pub(super) fn run(migration: &Migrate, output: &Output) -> Result {
    let directory = &migration.at.directory;
    super::open(directory)?;
    let files = read_directory(directory).map_err(|problems| super::broken(directory, problems.all()))?;
    super::some(directory, !files.policies.is_empty())?;
    let mut done =
        Migrated { written: false, rewritten: Vec::new(), to_decide: Vec::new(), problems: Vec::new() };
    match migrate(&files.policies) {
        Ok(migrated) => {
            done.rewritten = migrated.rewritten.iter().map(Place::from).collect();
            done.to_decide = Mend::all(&migrated.to_decide);
            if migration.write {
                for source in &migrated.files {
                    let path = directory.join(&*source.path);
                    std::fs::write(&path, &source.text).map_err(|error| Problem::file(&path, error))?;
                }
                done.written = true;
            }
        }
        Err(problems) => done.problems = Mend::all(&problems),
    }
    output.data(&done, || text(&done))?;
    let is_done = done.problems.is_empty() && done.to_decide.is_empty();
    Ok(if is_done { Ended::Well } else { Ended::Failed })
}

fn text(done: &Migrated) -> String {
    let mut text: String = done.problems.iter().map(Mend::text).collect();
    for place in &done.rewritten {
        text += &format!("{GOOD}{place}{GOOD:#}: EFFECT_REQUIRES_APPROVAL becomes EFFECT_ALLOW\n");
    }
    for mend in &done.to_decide {
        text += &format!("{UNSURE}to decide{UNSURE:#} {}", mend.text());
    }
    text += match (done.problems.is_empty(), done.rewritten.is_empty(), done.written) {
        (false, ..) => "nothing was written\n",
        (true, true, _) => "nothing to rewrite\n",
        (true, false, true) => "written\n",
        (true, false, false) => "nothing was written; add --write\n",
    };
    text
}
