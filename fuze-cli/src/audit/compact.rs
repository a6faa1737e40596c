//! `fuze audit compact`: writes a store's database anew, so that no page keeps a part of what was erased.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuze_evidence::keys::{FileSubjectKeys, SubjectKeys};
use fuze_store::{EraserError, Options, SqliteStore};
use schemars::JsonSchema;
use serde::Serialize;

use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::STORE;
use crate::progress::Progress;
use crate::text::{GOOD, Table};

/// Takes as long as copying the database, and as much room again; whoever else uses the store waits.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    directory: PathBuf,
    /// The directory with the keys of data subjects: needed only to finish an erasure that a crash cut off.
    #[arg(long, value_name = "DIR")]
    subject_keys: Option<PathBuf>,
}

/// How large the database was and is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compacted {
    bytes_before: u64,
    bytes_after: u64,
}

impl Document for Compacted {
    const SCHEMA: &'static str = "fuze.audit.compact/1";
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let database = args.directory.join(STORE);
    if !database.exists() {
        return Err(Problem::file(
            &args.directory,
            format_args!("expected a store with `{STORE}`; files of a sink have nothing to compact"),
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Problem::io)?;
    let progress = Progress::busy("writing the database anew");
    let bytes_before = length(&database)?;
    let store = SqliteStore::open(&args.directory, &Options::default()).map_err(Problem::io)?;
    let subjects = args.subject_keys.as_ref().map(FileSubjectKeys::open).transpose().map_err(Problem::io)?;
    let subjects = subjects.map(|subjects| Arc::new(subjects) as Arc<dyn SubjectKeys>);
    runtime.block_on(store.compact(subjects)).map_err(|error| match error {
        EraserError::Erase(error) => Problem::failed(error),
        other => Problem::io(other),
    })?;
    runtime.block_on(store.close()).map_err(Problem::io)?;
    let compacted = Compacted { bytes_before, bytes_after: length(&database)? };
    drop(progress);
    output.data(&compacted, || {
        format!("{GOOD}written anew{GOOD:#}\n")
            + &Table::default()
                .row("before", format_args!("{} octets", compacted.bytes_before))
                .row("now", format_args!("{} octets", compacted.bytes_after))
                .into_text()
    })?;
    Ok(Ended::Well)
}

fn length(database: &Path) -> Result<u64> {
    fs::metadata(database).map(|found| found.len()).map_err(|error| Problem::file(database, error))
}
