//! `fuze log`: check a transparency log's public files, and be a witness.

mod add;
mod anchor;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use fuze_audit::{Accounts, GatherError, LeftOut, RunRoots, Trust};
use fuze_evidence::files::open_regular;
use fuze_evidence::sign::KeyId;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{RunId, Timestamp};
use fuze_log::policy::PolicyError;
use fuze_log::witness::{Server, ServerOptions};
use fuze_log::{
    KeyName, Log, LogOptions, LogReader, Monitor, Note, Policy, ReaderError, TlogProof, VerifierKey, Witness,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit;
use crate::gone::{Gone, from_all_annexes};
use crate::key::now;
use crate::moment::moment;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::{Place, Places};
use crate::progress::Progress;
use crate::signing;
use crate::text::{BAD, GOOD, Table, UNSURE, plain};
use crate::trust::{LogArgs, NamedKeys, RunKeyArgs, no_key_but_an_id, read};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a log as a whole: every leaf against its checkpoint, runs that never closed, and an earlier checkpoint if there is one.
    Verify {
        /// The directory with the log's public files (`checkpoint`, `tile/`).
        directory: PathBuf,
        #[command(flatten)]
        log: LogArgs,
        /// A checkpoint of this log that you kept, or a tlog-proof with one, as bundles have them: the log must still begin with
        /// that tree.
        #[arg(long, value_name = "FILE")]
        earlier: Option<PathBuf>,
        /// Judge deadlines as of this time instead of now (RFC 3339).
        #[arg(long, value_name = "TIME", value_parser = moment)]
        as_of: Option<Timestamp>,
        /// Evidence that must account for every run in the log: a store, a directory with `runs`, a run's directory or a bundle;
        /// repeat it for several. A leaf of which none of it has the run is a finding: somebody left a run out. Each run is verified.
        #[arg(long = "accounted-by", value_name = "PATH", requires = "keys")]
        accounted_by: Vec<PathBuf>,
        #[command(flatten)]
        runs: RunKeyArgs,
    },
    /// Put into a log the closes of runs that are open in it: it did not take them when they ended. May be done again.
    #[command(after_help = signing::HELP)]
    Anchor(anchor::Args),
    /// Put into a log the lines of a key history, so that what a key signed before its revocation can be told from what came after.
    #[command(after_help = signing::HELP)]
    Add(add::Args),
    /// Cosign the checkpoints of logs that only ever grow (c2sp.org/tlog-witness), until stopped.
    #[command(after_help = signing::HELP)]
    Witness {
        /// Where to remember what was seen. Losing it is losing the memory that makes a witness.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// The witness's name, best a host name.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Its key (`fuze key new --role log`).
        #[arg(long, value_name = "FILE|PKCS11")]
        key: PathBuf,
        /// A log to watch, by its verifier key; repeat it for several.
        #[arg(long = "log", value_name = "VKEY", required = true)]
        logs: Vec<String>,
        /// Where to listen. It speaks plain HTTP: put a proxy with TLS in front of anything but loopback.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7380")]
        listen: SocketAddr,
    },
}

pub(crate) use add::Added;
pub(crate) use anchor::Settled;

/// A log to write to.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
struct LogWriter {
    /// The log's directory (the one with `log.sqlite`).
    #[arg(long = "log", value_name = "DIR")]
    directory: PathBuf,
    /// The key that signs the log.
    #[arg(long = "log-signing-key", value_name = "FILE|PKCS11")]
    signing_key: PathBuf,
}

impl LogWriter {
    fn open(&self) -> Result<Log> {
        let signer = signing::open(&self.signing_key)?;
        Log::open(&self.directory, signer.into(), LogOptions::new()).map_err(Problem::io)
    }
}

/// What a log's files say.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audited {
    /// `verified`, `findings`, or `cannot_verify`: runs are gone, and lawfully so.
    result: &'static str,
    origin: String,
    size: u64,
    root: String,
    /// Witnesses whose cosignatures of the checkpoint hold.
    witnesses: Vec<String>,
    /// The evidence that was asked to account for every run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounted_by: Vec<String>,
    /// Runs that never closed or were left out, tags used twice, leaves that cannot be read.
    findings: Vec<String>,
    /// Leaves that can be of runs that were erased as a whole at the end of their last retention window, as the annexes of the evidence say;
    /// and runs that cannot be verified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unaccounted: Vec<String>,
    /// Whether the log begins with the tree of the earlier checkpoint, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    extends_earlier: Option<bool>,
}

impl Document for Audited {
    const SCHEMA: &'static str = "fuze.log.verify/1";
}

/// Where a witness listens.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Witnessing {
    address: String,
    /// Its verifier key, to be given to those who rely on it.
    vkey: String,
}

impl Document for Witnessing {
    const SCHEMA: &'static str = "fuze.log.witness/1";
}

pub(crate) fn run(command: Command, output: &Output) -> Result {
    match command {
        Command::Verify { directory, log, earlier, as_of, accounted_by, runs } => {
            let evidence = Evidence { paths: accounted_by, keys: runs.read()? };
            verify(directory, &log, earlier, as_of, &evidence, output)
        }
        Command::Anchor(args) => anchor::run(&args, output),
        Command::Add(args) => add::run(&args, output),
        Command::Witness { state, name, key, logs, listen } => {
            witness(&state, &name, &key, &logs, listen, output)
        }
    }
}

fn failed(error: ReaderError) -> Problem {
    match &error {
        ReaderError::Io { .. } | ReaderError::NoCheckpoint { .. } => Problem::io(error),
        // Another log's, or not seen by those who were named: nothing is known to be wrong with it.
        ReaderError::Policy(PolicyError::LogSignature { .. } | PolicyError::Witnesses { .. }) => {
            Problem::cannot(error)
        }
        _ => Problem::failed(error),
    }
}

fn verify(
    directory: PathBuf,
    log: &LogArgs,
    earlier: Option<PathBuf>,
    as_of: Option<Timestamp>,
    evidence: &Evidence,
    output: &Output,
) -> Result {
    let policy = log
        .policy()?
        .ok_or_else(|| Problem::cannot("no log is trusted; name its verifier key with `--log-key`"))?;
    let reader = LogReader::new(&directory);
    let (mut monitor, mut accounts) = (Monitor::new(), Accounts::default());
    let progress = Progress::busy("reading the log");
    let verified = reader
        .audit(&policy, |index, entry| {
            monitor.observe(index, entry);
            if !evidence.paths.is_empty() {
                accounts.observe(index, entry);
            }
        })
        .map_err(failed)?;
    drop(progress);
    let (mut gone, mut troubles) = (BTreeMap::new(), Vec::new());
    for path in &evidence.paths {
        evidence.account(path, &mut accounts, &policy, &mut troubles)?;
        gone.extend(evidence.gone(path)?);
    }
    let now = now()?;
    let findings = monitor.report(as_of.unwrap_or(now));
    let gone = gone.iter().map(|(&run, gone)| fuze_audit::Gone { run, at: gone.at });
    let (left_out, mut unaccounted) = left_out(&accounts, gone.collect(), now);
    let mut findings: Vec<String> = findings.iter().map(ToString::to_string).chain(left_out).collect();
    for (ended, told) in troubles {
        if ended == Ended::Failed { findings.push(told) } else { unaccounted.push(told) }
    }
    let extends_earlier = earlier
        .map(|path| {
            let octets = read(&path, 1 << 20)?;
            let note = match TlogProof::read(&octets) {
                Ok(proof) => Ok(proof.checkpoint().clone()),
                Err(_) => Note::read(&octets),
            };
            let no_checkpoint = |error: &dyn std::fmt::Display| {
                Problem::usage(format_args!(
                    "`--earlier {}`: expected a checkpoint of the log, or a tlog-proof with one: {error}",
                    path.display()
                ))
            };
            let note = note.map_err(|error| no_checkpoint(&error))?;
            let old = policy.verify(note).map_err(|error| {
                let told = format!("`{}`: {error}", path.display());
                // Nothing is known to be wrong with another log's, or with one from before the witnesses.
                match &error {
                    PolicyError::LogSignature { .. } | PolicyError::Witnesses { .. } => Problem::cannot(told),
                    PolicyError::Note(_) | PolicyError::Checkpoint(_) => no_checkpoint(&error),
                    _ => Problem::failed(told),
                }
            })?;
            reader.consistency(old.checkpoint(), verified.checkpoint()).map(|_| true).map_err(|error| {
                Problem::failed(format_args!(
                    "the log does not begin with the earlier tree: it was rolled back or forked: {error}"
                ))
            })
        })
        .transpose()?;
    let audited = Audited {
        result: match (findings.is_empty(), unaccounted.is_empty()) {
            (true, true) => "verified",
            (true, false) => "cannot_verify",
            (false, _) => "findings",
        },
        accounted_by: evidence.paths.iter().map(|path| path.display().to_string()).collect(),
        origin: policy.origin().to_owned(),
        size: verified.checkpoint().size(),
        root: verified.checkpoint().root().to_string(),
        witnesses: verified.cosigned().iter().map(|cosigned| cosigned.witness.to_string()).collect(),
        findings,
        unaccounted,
        extends_earlier,
    };
    output.data(&audited, || text(&audited))?;
    Ok(match (audited.findings.is_empty(), audited.unaccounted.is_empty()) {
        (true, true) => Ended::Well,
        (true, false) => Ended::Cannot,
        (false, _) => Ended::Failed,
    })
}

/// The leaves of which none of the evidence has the run: as findings; or as what cannot be accounted for, if all of them can be of the runs
/// that were erased as a whole, with what would open their leaves, as annexes say that cannot be shown to be wrong at `now`.
fn left_out(
    accounts: &Accounts,
    mut gone: Vec<fuze_audit::Gone>,
    now: Timestamp,
) -> (Vec<String>, Vec<String>) {
    let said = gone.len();
    gone.retain(|gone| gone.can_be(now));
    let (gone, lawful) = (gone.len(), accounts.can_be_of(&gone));
    let told = accounts.left_out().map(|LeftOut { index, kind, .. }| {
        let known = match (lawful, gone) {
            (true, _) => format!(
                "nothing is left to say whose: the annexes say that {gone} runs were erased as a whole at the end of their last retention \
                 window, and that is the word of whoever has the key"
            ),
            (false, 0) if said == 0 => "it was left out".to_owned(),
            (false, 0) => format!(
                "it was left out; the annexes say of {said} runs that they were erased as a whole, before they were made or in the future"
            ),
            (false, _) => format!(
                "it was left out, or is one of the {gone} runs that were erased as a whole, as the annexes say, which are fewer than those of \
                 which there is no evidence, or were erased before these leaves were in the log"
            ),
        };
        format!("leaf {index}: a `{kind}`, and none of the evidence has the run: {known}")
    });
    let told: Vec<String> = told.collect();
    if lawful { (Vec::new(), told) } else { (told, Vec::new()) }
}

/// Evidence that accounts for runs, and the keys that signed them.
struct Evidence {
    paths: Vec<PathBuf>,
    keys: NamedKeys,
}

impl Evidence {
    /// The runs that the annexes at `path` say were erased as a whole.
    fn gone(&self, path: &Path) -> Result<BTreeMap<RunId, Gone>> {
        let named = self.keys.keys();
        let keys = named.iter().fold(TrustedKeys::new(), |keys, &key| keys.run_key(key));
        from_all_annexes(path, &keys)
    }

    /// Takes the leaves of the runs at `path`. A run whose evidence is not what it was accounts for itself, and its `troubles` are told.
    fn account(
        &self,
        path: &Path,
        accounts: &mut Accounts,
        policy: &Policy,
        troubles: &mut Vec<(Ended, String)>,
    ) -> Result<()> {
        let sources = match Place::all(path)? {
            Places::Bundle(path) => {
                let trust = self.keys.ids().fold(Trust::new(), Trust::run_key);
                let file = open_regular(&path).map_err(|error| Problem::file(&path, error))?;
                let report = accounts
                    .bundle(file, &trust.any_exporter().log(policy.clone()))
                    .map_err(|error| audit::refused(&path, &error))?;
                let told =
                    |why| format!("`{}`: its evidence is here, and does not verify: {why}", path.display());
                troubles.extend(audit::verify::wrong_with(&report.run).map(|why| (Ended::Failed, told(why))));
                return Ok(());
            }
            Places::Runs(places) => places,
        };
        self.keys.check_keys("--key")?;
        let keys = self.keys.keys();
        for place in sources {
            let source = place.source()?;
            let named_by_id = Cell::new(None);
            let find = |id: &KeyId, _| {
                if self.keys.names_id(id) {
                    named_by_id.set(Some(*id));
                }
                keys.iter().find(|key| key.id() == *id).copied()
            };
            // A run of a key that was not named, or whose roots do not hold, accounts for nothing.
            let roots = RunRoots::read(&source, find);
            if let Some(id) = named_by_id.take() {
                return Err(no_key_but_an_id("--key", &id.to_string()));
            }
            if let Ok(roots) = roots {
                accounts.run(&source, &roots, policy).map_err(|error| match error {
                    GatherError::Io(_) => Problem::file(path, error),
                    other => Problem::failed(format_args!("`{}`: {other}", path.display())),
                })?;
                let trusted = || keys.iter().fold(TrustedKeys::new(), |keys, &key| keys.run_key(key));
                let run = source.run_id().map_or_else(String::new, |run| format!("run {run}: "));
                let told = |why| format!("{run}its evidence is here, and does not verify: {why}");
                troubles
                    .extend(audit::verify::trouble(&source, trusted)?.map(|(ended, why)| (ended, told(why))));
            }
        }
        Ok(())
    }
}

fn text(audited: &Audited) -> String {
    let head = match audited.result {
        "verified" => format!("{GOOD}verified{GOOD:#}\n"),
        "cannot_verify" => {
            format!("{UNSURE}the log holds together; not all of its runs can be accounted for{UNSURE:#}\n")
        }
        _ => format!("{BAD}the log holds together, but{BAD:#}\n"),
    };
    let findings: String = audited
        .findings
        .iter()
        .chain(&audited.unaccounted)
        .map(|finding| format!("  {}\n", plain(finding)))
        .collect();
    head + &findings
        + &Table::default()
            .row("log", &audited.origin)
            .row("leaves", audited.size)
            .row("root", &audited.root)
            .row(
                "witnesses",
                if audited.witnesses.is_empty() { "none".to_owned() } else { audited.witnesses.join(", ") },
            )
            .row_if("earlier", audited.extends_earlier.map(|_| "the log begins with that tree"))
            .into_text()
}

fn witness(
    state: &Path,
    name: &str,
    key: &Path,
    logs: &[String],
    listen: SocketAddr,
    output: &Output,
) -> Result {
    let usage = |what: &str, error: &dyn std::fmt::Display| Problem::usage(format_args!("`{what}`: {error}"));
    let name = KeyName::new(name).map_err(|error| usage(name, &error))?;
    let logs = logs
        .iter()
        .map(|text| text.parse::<VerifierKey>().map_err(|error| usage(text, &error)))
        .collect::<Result<Vec<_>>>()?;
    let witness = Witness::open(state, name, signing::open(key)?.into(), logs).map_err(Problem::io)?;
    let vkey = witness.vkey().to_string();
    let listener =
        TcpListener::bind(listen).map_err(|error| Problem::io(format_args!("`{listen}`: {error}")))?;
    let server = Server::start(listener, Arc::new(witness), ServerOptions::default()).map_err(Problem::io)?;
    let witnessing = Witnessing { address: server.address().to_string(), vkey };
    output.data(&witnessing, || {
        Table::default()
            .row("listens on", &witnessing.address)
            .row("verifier key", &witnessing.vkey)
            .into_text()
    })?;
    server.wait();
    Ok(Ended::Well)
}
