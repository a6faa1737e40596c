//! `fuze audit export`: a run as one file for a stranger.

use std::path::{Path, PathBuf};

use fuze_audit::{Export, ExportError, Extras, RunDirectory, Selection};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::keys::{FileSubjectKeys, MasterKeyFile, SubjectKeys};
use fuze_evidence::{Name, RunId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::key::now;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::Place;
use crate::text::Table;
use crate::trust::{public_key, read};

/// Octets of a definition or a policy bundle.
const MAX_EXTRA_BYTES: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run's directory, or a store with `--run`.
    path: PathBuf,
    /// Which run of a store.
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// The new bundle. A file that is there is never overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The public key that signed the run: 64 hexadecimal digits, or a file.
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
    /// Signs the bundle's list of members: the run's key, or your own.
    #[arg(long = "signing-key", value_name = "FILE")]
    signing_key: PathBuf,
    /// Opens what is to be disclosed.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// The directory with the keys of data subjects.
    #[arg(long, value_name = "DIR", requires = "master_key")]
    subject_keys: Option<PathBuf>,
    /// Disclose content: `RECORD` or `RECORD:POINTER`, for instance `4:/grade`; repeat it for more. Nothing is disclosed unless named.
    #[arg(long, value_name = "RECORD[:POINTER]", requires = "master_key")]
    disclose: Vec<String>,
    /// Disclose all content.
    #[arg(long, requires = "master_key", conflicts_with = "disclose")]
    disclose_all: bool,
    /// The agent's definition, to go along.
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    /// The policy bundle, to go along.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// A bundle that was written, and verified as it stands on the disk.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exported {
    path: String,
    run_id: String,
    records: u64,
    /// Leaves of content that are disclosed, decoys included.
    disclosed: u64,
    withheld: u64,
    erased: u64,
}

impl Document for Exported {
    const SCHEMA: &'static str = "fuze.audit.export/1";
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let directory = match Place::find(&args.path, args.run)? {
        Place::Run(directory) => directory,
        Place::Stored { store, run } => store.join("runs").join(run.to_string()),
        Place::Records(path) | Place::Bundle(path) => {
            return Err(Problem::usage(format_args!("`{}` is no run's directory", path.display())));
        }
    };
    let master = args.master_key.as_deref().map(MasterKeyFile::load).transpose().map_err(Problem::io)?;
    let subjects = args.subject_keys.as_ref().map(FileSubjectKeys::new);
    let maker =
        FileSigner::load(&args.signing_key, Name::new("file").map_err(Problem::io)?).map_err(Problem::io)?;
    let extra = |path: &Option<PathBuf>| path.as_deref().map(|path| read(path, MAX_EXTRA_BYTES)).transpose();
    let export = Export {
        run: &RunDirectory(directory),
        run_key: public_key(&args.key)?,
        master_key: master.as_ref(),
        subject_keys: subjects.as_ref().map(|subjects| subjects as &dyn SubjectKeys),
        selection: selection(args)?,
        extras: Extras {
            definition: extra(&args.definition)?,
            policy: extra(&args.policy)?,
            ..Extras::default()
        },
        maker: &maker,
        exported_at: now()?,
    };
    let report = export.to_path(&args.out).map_err(|error| problem(&args.out, &error))?;
    let exported = Exported {
        path: args.out.display().to_string(),
        run_id: report.run.run_id.to_string(),
        records: report.run.records,
        disclosed: report.run.content.verified,
        withheld: report.run.content.withheld,
        erased: report.run.content.erased,
    };
    output.data(&exported, || {
        Table::default()
            .row("bundle", &exported.path)
            .row("run", &exported.run_id)
            .row("records", exported.records)
            .row(
                "content",
                format_args!(
                    "{} leaves disclosed, {} withheld, {} erased",
                    exported.disclosed, exported.withheld, exported.erased
                ),
            )
            .into_text()
    })?;
    Ok(Ended::Well)
}

fn selection(args: &Args) -> Result<Selection> {
    if args.disclose_all {
        return Ok(Selection::all());
    }
    let mut selection = Selection::nothing();
    for text in &args.disclose {
        let wrong =
            |error: &dyn std::fmt::Display| Problem::usage(format_args!("`--disclose {text}`: {error}"));
        let (record, pointer) = match text.split_once(':') {
            Some((record, pointer)) => (record, Some(pointer)),
            None => (text.as_str(), None),
        };
        let record = record
            .parse()
            .map_err(|_| wrong(&"expected a record's number, then perhaps `:` and a JSON Pointer"))?;
        selection = match pointer {
            None => selection.record(record),
            Some(pointer) => selection.field(record, pointer).map_err(|error| wrong(&error))?,
        };
    }
    Ok(selection)
}

fn problem(path: &Path, error: &ExportError) -> Problem {
    match error {
        ExportError::Io { .. } => Problem::io(error),
        other => Problem::failed(format_args!("`{}` was not made: {other}", path.display())),
    }
}
