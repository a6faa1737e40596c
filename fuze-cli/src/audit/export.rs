//! `fuze audit export`: a run as one file for a stranger.

use std::path::{Path, PathBuf};

use fuze_agent::suspend::SignedDecision;
use fuze_audit::{Anchored, Anchoring, AuditError, Export, ExportError, Extras, OversightMember, Selection};
use fuze_evidence::keys::{FileSubjectKeys, MasterKeyFile, SubjectKeys};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{TrustedKeys, VerifyError};
use fuze_evidence::{Annex, Hash, RunId, jcs};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::anchors::AnchorArgs;
use crate::key::now;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::{Place, Source, of_store};
use crate::progress::{CountedRun, Progress};
use crate::signing;
use crate::text::Table;
use crate::trust::{self, public_key, read};

/// Octets of a definition or a policy bundle.
const MAX_EXTRA_BYTES: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = signing::HELP)]
pub(crate) struct Args {
    /// A run's directory, or a store with `--run`.
    path: PathBuf,
    /// The run that it must be; of a store, which of its runs it is.
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// The new bundle. A file that is there is never overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The public key that signed the run: 64 hexadecimal digits, or a file.
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
    /// Signs the bundle's list of members: the run's key, or your own.
    #[arg(long = "signing-key", value_name = "FILE|PKCS11")]
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
    /// A decision of a person with its token, to go along: JSON as `oversight/<n>.json` of a bundle has it, or as the deployment signed
    /// it, of which the rationale stays behind; or an array of such. Repeat it for more.
    #[arg(long = "decision", value_name = "FILE")]
    decisions: Vec<PathBuf>,
    /// The tenant's annex, to go along. Where the run lies with its annex, that goes along without being named if it says
    /// something about the run.
    #[arg(long, value_name = "FILE")]
    annex: Option<PathBuf>,
    /// The history of the keys that sign runs, to go along; needed once the run's key has been revoked.
    #[arg(long, value_name = "FILE", requires = "root_key")]
    key_history: Option<PathBuf>,
    /// The id of its first key.
    #[arg(long, value_name = "KEYID", requires = "key_history")]
    root_key: Option<Hash>,
    /// With `--log-key` and `--log`: proofs that the log holds the run's open and close go along.
    #[command(flatten)]
    anchors: AnchorArgs,
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
    /// Where the run's roots stand in the log of which proofs went along.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// Whether proofs of the open alone went along, because the close of a closed run is anchored in no log yet.
    close_not_anchored: bool,
    /// Lines of the tenant's annex that went along.
    annex_lines: u64,
    /// Decisions of people that went along.
    decisions: u64,
    /// Whether a key history went along.
    key_history: bool,
}

impl Document for Exported {
    const SCHEMA: &'static str = "fuze.audit.export/1";
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let source = match Place::find(&args.path, args.run)? {
        place @ (Place::Run(_) | Place::Stored { .. }) => place.source()?,
        Place::Records(path) | Place::Bundle(path) => {
            return Err(Problem::usage(format_args!("`{}` is no run's directory", path.display())));
        }
    };
    if let (Some(run), Some(found)) = (args.run, source.run_id())
        && run != found
    {
        return Err(Problem::failed(format_args!(
            "`{}`: this is another run than was asked for: expected {run}, found {found}",
            args.path.display()
        )));
    }
    if let Source::Stored(evidence) = &source {
        evidence.compare().map_err(|error| of_store(&error))?;
    }
    let run_key = public_key("--key", &args.key)?;
    let master = args.master_key.as_deref().map(MasterKeyFile::load).transpose().map_err(Problem::io)?;
    let subjects = args.subject_keys.as_ref().map(FileSubjectKeys::open).transpose().map_err(Problem::io)?;
    let maker = signing::open(&args.signing_key)?;
    let (anchored, close_not_anchored) = anchored(args, &source, run_key)?;
    let extras = extras(args, &source, anchored, run_key)?;
    let (decisions, key_history) = (extras.oversight.len() as u64, extras.history.is_some());
    let lines = |octets: &Vec<u8>| octets.iter().filter(|&&octet| octet == b'\n').count() as u64;
    let annex_lines = extras.annex.as_ref().map_or(0, lines);
    let progress = Progress::reading("exporting", None);
    let export = Export {
        run: &CountedRun { run: &source, progress: &progress },
        run_key,
        master_key: master.as_ref(),
        subject_keys: subjects.as_ref().map(|subjects| subjects as &dyn SubjectKeys),
        selection: selection(args)?,
        extras,
        maker: maker.as_ref(),
        exported_at: now()?,
    };
    let report = export.to_path(&args.out).map_err(|error| problem(&args.out, &error))?;
    drop(progress);
    let exported = Exported {
        path: args.out.display().to_string(),
        run_id: report.run.run_id.to_string(),
        records: report.run.records,
        disclosed: report.run.content.verified,
        withheld: report.run.content.withheld,
        erased: report.run.content.erased,
        log: places(&report.anchoring),
        close_not_anchored,
        annex_lines,
        decisions,
        key_history,
    };
    if close_not_anchored {
        output.say("The run's close is anchored in no log yet, so only the open's proof went along: nobody can tell from the log that the run ended.");
    }
    if !report.run.findings.is_empty() {
        output.say("The run was exported as it is. What it tells is against the rules of the loop: `fuze audit verify` says which.");
    }
    output.data(&exported, || text(&exported))?;
    Ok(Ended::Well)
}

fn places(anchoring: &Anchoring) -> Option<String> {
    match anchoring {
        Anchoring::None => None,
        Anchoring::Unknown { log, open, close } | Anchoring::Trusted { log, open, close, .. } => {
            let place = |what: &str, index: &Option<u64>| index.map(|index| format!("{what} at {index}"));
            let places: Vec<String> = place("open", open).into_iter().chain(place("close", close)).collect();
            Some(format!("{log}: {}", places.join(", ")))
        }
    }
}

fn text(exported: &Exported) -> String {
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
        .row_if("log", exported.log.as_ref())
        .row_if(
            "annex",
            Some(exported.annex_lines).filter(|&lines| lines > 0).map(|lines| format!("{lines} lines")),
        )
        .row_if("decisions", Some(exported.decisions).filter(|&decisions| decisions > 0))
        .row_if("keys", exported.key_history.then_some("with their history"))
        .into_text()
}

/// The run's anchors with proofs, and whether the close of a closed run is not among them.
fn anchored(args: &Args, source: &Source, run_key: PublicKey) -> Result<(Option<Anchored>, bool)> {
    let believed = args.anchors.read()?;
    match believed.gather(source, |id, _| (*id == run_key.id()).then_some(run_key)) {
        None if believed.policy.is_some() => {
            Err(Problem::usage("proofs are made from the log's files: name them with `--log`"))
        }
        None => Ok((None, false)),
        Some(gathered) => {
            let (anchored, roots, _) = gathered?;
            let close_missing = roots.close.is_some() && anchored.close.is_none();
            Ok((Some(anchored), close_missing))
        }
    }
}

fn extras(args: &Args, source: &Source, anchored: Option<Anchored>, run_key: PublicKey) -> Result<Extras> {
    let extra = |path: &Option<PathBuf>| path.as_deref().map(|path| read(path, MAX_EXTRA_BYTES)).transpose();
    let history = match (&args.key_history, args.root_key) {
        (Some(path), Some(root)) => Some((trust::history(path, root)?, root)),
        _ => None,
    };
    let trusted = || match &history {
        Some((history, _)) => TrustedKeys::new().history(history.clone()),
        None => TrustedKeys::new().run_key(run_key),
    };
    let annex = match source.annex_octets(args.annex.as_deref())? {
        // What says nothing about this run goes along only if it was named.
        Some(octets) if args.annex.is_none() => {
            let run = source.run_id();
            let says = |annex: Annex| run.is_some_and(|run| annex.of_run(run).next().is_some());
            let annex = Annex::read(&octets, &trusted()).map_err(|error| {
                let told = format!("the annex that lies with the run: {error}");
                match error {
                    VerifyError::Cannot { .. } => Problem::cannot(told),
                    _ => Problem::failed(told),
                }
            })?;
            says(annex).then_some(octets)
        }
        other => other,
    };
    Ok(Extras {
        definition: extra(&args.definition)?,
        policy: extra(&args.policy)?,
        oversight: decisions(&args.decisions)?,
        anchored,
        annex,
        history: history.map(|(history, root)| (history.to_bytes(), root)),
    })
}

/// The decisions of the files, of which each has one or an array of them.
fn decisions(paths: &[PathBuf]) -> Result<Vec<OversightMember>> {
    let mut all = Vec::new();
    for path in paths {
        let wrong = |why: &dyn std::fmt::Display| {
            Problem::file(
                path,
                format_args!(
                    "expected a decision with its token as `oversight/<n>.json` of a bundle has it, or an array of such: {why}"
                ),
            )
        };
        let octets = read(path, MAX_EXTRA_BYTES)?;
        let members = match jcs::parse(&octets).map_err(|error| wrong(&error))? {
            Value::Array(members) => members,
            member => vec![member],
        };
        for (n, member) in members.into_iter().enumerate() {
            all.push(decision(member).map_err(|error| wrong(&format_args!("number {n}: {error}")))?);
        }
    }
    Ok(all)
}

/// A decision as a bundle has it; or as a deployment signs and keeps it, and then without what opens its commitments: that is content, and
/// nobody named it.
fn decision(member: Value) -> serde_json::Result<OversightMember> {
    match serde_json::from_value(member.clone()) {
        Ok(SignedDecision { token, decision, .. }) => {
            Ok(OversightMember { case: None, decision, opened: None, token })
        }
        Err(_) => serde_json::from_value(member),
    }
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
        // It says which file.
        ExportError::Io { .. } => Problem::io(error),
        error if error.is_io() => Problem::io(format_args!("`{}` was not made: {error}", path.display())),
        ExportError::Run(VerifyError::Cannot { .. }) | ExportError::Bundle(AuditError::Cannot { .. }) => {
            Problem::cannot(format_args!("`{}` was not made: {error}", path.display()))
        }
        other => Problem::failed(format_args!("`{}` was not made: {other}", path.display())),
    }
}
