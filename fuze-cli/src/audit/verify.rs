//! `fuze audit verify`: intact, failed, or cannot say; and what the answer does not prove.

use std::path::{Path, PathBuf};

use fuze_audit::{Anchoring, AuditError};
use fuze_evidence::Hash;
use fuze_evidence::files::open_regular;
use fuze_evidence::replay::Finding;
use fuze_evidence::verify::{Chain, Report, TrustedKeys, VerifyError, What};
use schemars::JsonSchema;
use serde::Serialize;

use crate::anchors::{AnchorArgs, Believed, Unproven};
use crate::gone::{Gone, from_all_annexes};
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::{AnnexArgs, BadAnnex, Place, Source, of_store};
use crate::progress::{CountedFile, Progress};
use crate::text::{BAD, GOOD, Table, UNSURE, plain};
use crate::trust::{ExpectArgs, Trust, TrustArgs, public_key};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run's directory, a `records.jsonl`, a bundle, or a store with `--run`.
    path: PathBuf,
    #[command(flatten)]
    annex: AnnexArgs,
    /// Of a bundle: the hash of a signed root of this run that you know from elsewhere, for instance an earlier bundle's close
    /// root. Another history under the same key does not have it.
    #[arg(long = "known-root", value_name = "HASH")]
    known_roots: Vec<Hash>,
    /// Of a bundle: an overseer's public key, so that the signatures of their decisions are verified.
    #[arg(long = "overseer", value_name = "KEY|FILE")]
    overseers: Vec<String>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    anchors: AnchorArgs,
}

/// What came of the verification.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// `verified`, `failed`, `not_closed` or `cannot_verify`.
    result: &'static str,
    /// The run, if its records hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// What a log says, of a bundle, or where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// Of a bundle: the hash of the signed close root, which names the run's whole evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    close_root: Option<String>,
    /// Of a bundle: the decisions of people.
    #[serde(skip_serializing_if = "Option::is_none")]
    decisions: Option<Decisions>,
    /// Why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the records tell that is against the rules of the loop, though they may be intact: the first 1000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Broken>,
    /// Of a bundle: members for people that are not what this version makes of the evidence. Do not rely on them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    made_otherwise: Vec<&'static str>,
}

impl Document for Verified {
    const SCHEMA: &'static str = "fuze.audit.verify/1";
}

impl Verified {
    const fn of(result: &'static str) -> Self {
        Self {
            result,
            run: None,
            failure: None,
            log: None,
            close_root: None,
            decisions: None,
            reason: None,
            findings: Vec::new(),
            made_otherwise: Vec::new(),
        }
    }
}

/// A record that breaks a rule.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Broken {
    sequence: u64,
    rule: &'static str,
    /// What is wrong.
    message: &'static str,
    /// What must hold.
    expected: &'static str,
}

impl From<&Finding> for Broken {
    fn from(finding: &Finding) -> Self {
        let Finding { sequence, rule } = *finding;
        Self { sequence, rule: rule.as_str(), message: rule.describe(), expected: rule.expected() }
    }
}

/// The decisions of people in a run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Decisions {
    recorded: u64,
    /// How many lie in the bundle with their tokens.
    disclosed: u64,
    /// Of how many the overseer's own signature was verified: with `--overseer`.
    signatures_verified: u64,
}

/// A run whose records hold.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Run {
    run_id: String,
    origin: String,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// How it ended; absent while it is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    records: u64,
    /// The hash of the last record.
    head: String,
    /// The key that signs it; absent if nothing of it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    roots: u64,
    /// Up to which record a signature covers the run.
    signed_records: u64,
    content: Content,
}

impl Run {
    /// Its last record, and the hash of that.
    fn last(&self) -> Option<(u64, Hash)> {
        Some((self.records.checked_sub(1)?, self.head.parse().ok()?))
    }
}

/// How many leaves of content have which status.
#[derive(Debug, Serialize, JsonSchema)]
struct Content {
    verified: u64,
    erased: u64,
    withheld: u64,
    missing: u64,
}

/// The first thing that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Failure {
    file: String,
    /// The line, from 0: of `records.jsonl`, the sequence. Absent where it is no line: a whole file, or something that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    message: String,
    /// What must stand there.
    expected: String,
    /// What stands there.
    found: String,
    /// The last record up to which all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_good: Option<Good>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Good {
    sequence: u64,
    hash: String,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let trust = args.trust.read()?;
    let place = Place::find(&args.path, args.expect.run)?;
    let believed = args.anchors.read()?;
    trust.check_used(&[&place], &believed)?;
    let (document, ended) = match &place {
        Place::Bundle(path) => bundle(path, &trust, &believed, args)?,
        place => run_in_place(&place.source()?, &trust, &believed, args)?,
    };
    output.data(&document, || text(&document))?;
    Ok(ended)
}

fn run_in_place(
    source: &Source,
    trust: &Trust,
    believed: &Believed,
    args: &Args,
) -> Result<(Verified, Ended)> {
    if !args.known_roots.is_empty() || !args.overseers.is_empty() {
        return Err(Problem::usage("`--known-root` and `--overseer` are for bundles"));
    }
    if let Some(gone) = gone(source, trust, args)? {
        return Ok((unsure(gone), Ended::Cannot));
    }
    let anchors = believed.ask(source, trust)?;
    let annex = match args.annex.of(source, &trust.keys()) {
        Ok(annex) => annex,
        Err(BadAnnex::Problem(problem)) => return Err(problem),
        Err(BadAnnex::Verdict(error)) => return beneath_a_bad_annex(source, trust, args, error),
    };
    let keys = trust.keys_with(annex.as_ref(), &args.expect);
    let keys = anchors.stood.iter().copied().fold(keys, TrustedKeys::stood_before_revocation);
    let progress = Progress::reading("verifying", source.octets());
    let (mut document, ended) = judge(source.verify(&keys, &progress)?)?;
    let given_up = annex.as_ref().zip(source.run_id()).and_then(|(annex, run)| annex.given_up(run));
    if let Some((at, _)) = given_up.filter(|_| document.result == "not_closed") {
        document.reason = Some(format!("a crash left it so; it was given up at {at}, with all that is here"));
    }
    if document.run.is_some() && document.failure.is_none() {
        // The log is asked about what is intact.
        match anchors.found {
            Ok(Anchoring::None) => {}
            Ok(found) => document.log = Some(crate::anchors::text(&found)),
            Err(Unproven { at: Some((line, what)), .. }) => {
                let failed =
                    refused(ANCHORS.to_owned(), line, &what, document.run.as_ref().and_then(Run::last));
                document = Verified { run: document.run, findings: document.findings, ..failed };
                return Ok((document, Ended::Failed));
            }
            Err(unproven) => return Err(unproven.into()),
        }
    }
    Ok((document, ended))
}

/// What can be said of a run whose annex is not what it must be: up to where its records hold, which come first.
fn beneath_a_bad_annex(
    source: &Source,
    trust: &Trust,
    args: &Args,
    error: VerifyError,
) -> Result<(Verified, Ended)> {
    let failure = match error {
        VerifyError::Failed(failure) => failure,
        VerifyError::Cannot { line, why } => {
            return Ok((unsure(format_args!("the tenant's annex, line {line}: {why}")), Ended::Cannot));
        }
        VerifyError::Io { path, source } => return Err(Problem::file(&path, source)),
        other => return Err(Problem::io(other)),
    };
    let progress = Progress::reading("verifying", source.octets());
    match source.verify_records(&trust.keys_with(None, &args.expect), &progress)? {
        Ok(report) => {
            let whole = report.records.checked_sub(1).map(|last| (last, report.head));
            let document = refused(failure.file.to_owned(), Some(failure.line), &failure.what, whole);
            Ok((document, Ended::Failed))
        }
        earlier => judge(earlier),
    }
}

/// What the annex says of a run of a store that has no records any more.
fn gone(source: &Source, trust: &Trust, args: &Args) -> Result<Option<Gone>> {
    let (Source::Stored(evidence), Some(run), None) = (source, args.expect.run, source.run_id()) else {
        return Ok(None);
    };
    let gone = from_all_annexes(&args.path, &trust.keys())?.remove(&run);
    if gone.is_some() {
        // Files where the tables have nothing are no lawful end.
        evidence.compare().map_err(|error| of_store(&error))?;
    }
    Ok(gone)
}

fn bundle(path: &Path, named: &Trust, believed: &Believed, args: &Args) -> Result<(Verified, Ended)> {
    args.annex.not_for_bundles()?;
    let file = open_regular(path).map_err(|error| Problem::file(path, error))?;
    let mut trust = named.for_bundles(believed);
    trust = args.known_roots.iter().copied().fold(trust, fuze_audit::Trust::known_root);
    let mut overseers = Vec::new();
    for overseer in &args.overseers {
        let key = public_key("--overseer", overseer)?;
        overseers.push((overseer, key.id()));
        trust = trust.overseer(key);
    }
    let progress = Progress::reading("verifying", None);
    match fuze_audit::verify::verify(CountedFile { file, progress: &progress }, &trust) {
        Ok(report) => {
            believed.look_up(path, &report)?;
            named.check_root(&[report.first_key])?;
            if let Some((text, _)) = overseers.iter().find(|(_, id)| !report.overseers.contains(id)) {
                return Err(Problem::usage(format_args!(
                    "`--overseer {text}`: no decision that is disclosed in the bundle is by this key, so it was not looked at; leave it out, \
                     or name the key of who decided"
                )));
            }
            let (log, close_root) = (crate::anchors::text(&report.anchoring), report.close_root);
            let (decisions, made_otherwise) = (report.decisions, report.made_otherwise);
            let (mut document, ended) = reported(report.run, &args.expect);
            document.log = Some(log);
            document.made_otherwise = made_otherwise;
            document.close_root = close_root.map(|root| root.to_string());
            document.decisions = Some(Decisions {
                recorded: decisions.recorded,
                disclosed: decisions.disclosed,
                signatures_verified: decisions.signatures_verified,
            });
            Ok((document, ended))
        }
        Err(AuditError::Failed(failure)) => {
            let at =
                format!("the bundle's {}", if failure.member.is_empty() { "zip" } else { &failure.member });
            Ok((refused(at, failure.line, &failure.what, failure.last_good), Ended::Failed))
        }
        Err(AuditError::Cannot { why }) => Ok((unsure(why), Ended::Cannot)),
        Err(AuditError::Io(error)) => Err(Problem::file(path, error)),
        Err(other) => Err(Problem::io(other)),
    }
}

fn refused(file: String, line: Option<u64>, what: &What, last_good: Option<(u64, Hash)>) -> Verified {
    let (expected, found) = what.sides();
    let unjudged = matches!(what, What::Other { .. }).then_some("; whether it is intact was not looked at");
    let failure = Failure {
        file,
        line,
        message: plain(&what.to_string()) + unjudged.unwrap_or_default(),
        expected: plain(&expected),
        found: plain(&found),
        last_good: last_good.map(Good::from),
    };
    Verified { failure: Some(failure), ..Verified::of("failed") }
}

impl From<(u64, Hash)> for Good {
    fn from((sequence, hash): (u64, Hash)) -> Self {
        Self { sequence, hash: hash.to_string() }
    }
}

const RECORDS: &str = "records.jsonl";
const ANCHORS: &str = "anchors.jsonl";
/// About records without a root that covers one of them.
pub(super) const UNSIGNED: &str = "nothing here is signed, so nobody vouches for any of it: whoever writes such records can name any key, \
                                   tenant and deployment";

fn unsure(why: impl std::fmt::Display) -> Verified {
    let reason = Some(plain(&why.to_string()));
    Verified { reason, ..Verified::of("cannot_verify") }
}

fn judge(outcome: std::result::Result<Report, VerifyError>) -> Result<(Verified, Ended)> {
    match outcome {
        Ok(report) => Ok(reported(report, &ExpectArgs::default())),
        Err(VerifyError::Failed(failure)) => {
            let document =
                refused(failure.file.to_owned(), Some(failure.line), &failure.what, failure.last_good);
            Ok((document, Ended::Failed))
        }
        Err(VerifyError::Cannot { line, why }) => {
            Ok((unsure(format_args!("record {line}: {why}")), Ended::Cannot))
        }
        Err(VerifyError::Io { path, source }) => Err(Problem::file(&path, source)),
        Err(other) => Err(Problem::io(other)),
    }
}

/// What is wrong with a run where it lies, or why that cannot be said. `None` of one that holds, whether it is closed or not.
pub(crate) fn trouble(
    source: &Source,
    trusted: impl Fn() -> TrustedKeys<'static>,
) -> Result<Option<(Ended, String)>> {
    let annex = AnnexArgs::named(None).of(source, &trusted())?;
    let keys: TrustedKeys<'_> = trusted();
    let keys = annex.iter().fold(keys, TrustedKeys::annex);
    let progress = Progress::reading("verifying", source.octets());
    Ok(match source.verify(&keys, &progress)? {
        Ok(report) => wrong_with(&report).map(|why| (Ended::Failed, why)),
        Err(VerifyError::Failed(failure)) => Some((Ended::Failed, VerifyError::Failed(failure).to_string())),
        Err(error @ VerifyError::Cannot { .. }) => Some((Ended::Cannot, error.to_string())),
        Err(VerifyError::Io { path, source }) => return Err(Problem::file(&path, source)),
        Err(other) => return Err(Problem::io(other)),
    })
}

/// What is wrong with a run whose records hold, in words.
pub(crate) fn wrong_with(report: &Report) -> Option<String> {
    objection(report, &ExpectArgs::default()).map(|failure| failure.message)
}

/// What is wrong with a run whose records hold, if something is.
fn objection(report: &Report, expect: &ExpectArgs) -> Option<Failure> {
    let whole = report.records.checked_sub(1).map(|last| Good::from((last, report.head)));
    if let Some((what, expected, found)) = expect.differs(report) {
        return Some(Failure {
            file: RECORDS.to_owned(),
            line: Some(0),
            message: format!("this is another {what} than was asked for"),
            expected,
            found,
            last_good: whole,
        });
    }
    if let Some(place) = report.missing.first() {
        return Some(Failure {
            file: place.gone_from.to_owned(),
            line: None,
            message: format!(
                "{} leaves of content are gone and no erasure explains it; the first are {} of record {}",
                report.content.missing, place.leaves, place.sequence
            ),
            expected: format!("what opens the content {} of record {}", place.root, place.sequence),
            found: format!("nothing for {} of its leaves", place.leaves),
            last_good: whole,
        });
    }
    let first = report.findings.first()?;
    Some(Failure {
        file: RECORDS.to_owned(),
        line: Some(first.sequence),
        message: format!(
            "against the rules: {}{}. The records are as they were written; what they tell was not allowed",
            first.rule.describe(),
            match report.findings.len() {
                1 => String::new(),
                more => format!(", and {} more", more - 1),
            },
        ),
        expected: first.rule.expected().to_owned(),
        found: first.rule.describe().to_owned(),
        last_good: report.last_sound.map(Good::from),
    })
}

fn reported(report: Report, expect: &ExpectArgs) -> (Verified, Ended) {
    let failure = objection(&report, expect);
    let (result, ended) = match (&failure, report.chain) {
        (Some(_), _) => ("failed", Ended::Failed),
        (None, Chain::NotClosed) => ("not_closed", Ended::Cannot),
        (None, Chain::Closed(_)) => ("verified", Ended::Well),
    };
    let signed = report.signed_records > 0;
    let reason = (!signed).then(|| UNSIGNED.to_owned());
    let findings = report.findings.iter().map(Broken::from).collect();
    let run = Run {
        run_id: report.run_id.to_string(),
        origin: report.origin.to_string(),
        tenant: report.tenant.to_string(),
        subject: report.subject.map(|alias| alias.to_string()),
        status: match report.chain {
            Chain::Closed(status) => Some(status.to_string()),
            Chain::NotClosed => None,
        },
        records: report.records,
        head: report.head.to_string(),
        key_id: signed.then(|| report.key_id.to_string()),
        roots: report.roots,
        signed_records: report.signed_records,
        content: Content {
            verified: report.content.verified,
            erased: report.content.erased,
            withheld: report.content.withheld,
            missing: report.content.missing,
        },
    };
    (Verified { run: Some(run), failure, reason, findings, ..Verified::of(result) }, ended)
}

fn text(verified: &Verified) -> String {
    let mut text = match verified.result {
        "verified" => format!("{GOOD}verified{GOOD:#}\n"),
        "failed" => format!("{BAD}FAILED{BAD:#}\n"),
        "not_closed" if verified.run.as_ref().is_some_and(|run| run.signed_records == 0) => {
            format!(
                "{UNSURE}not closed and not signed{UNSURE:#}: the lines fit together, as anybody can make them\n"
            )
        }
        "not_closed" => format!(
            "{UNSURE}not closed{UNSURE:#}: what is there is intact; whether it is all cannot be said\n"
        ),
        _ => format!("{UNSURE}cannot verify{UNSURE:#}\n"),
    };
    if let Some(reason) = &verified.reason {
        text += &Table::default().row("because", reason).into_text();
    }
    if let Some(failure) = &verified.failure {
        let good = failure
            .last_good
            .as_ref()
            .map(|good| format!("up to record {}, hash {}", good.sequence, good.hash));
        let place = match failure.line {
            Some(line) => format!("{} line {line}", failure.file),
            None => failure.file.clone(),
        };
        text += &Table::default()
            .row("where", place)
            .row("what", &failure.message)
            .row("expected", &failure.expected)
            .row("found", &failure.found)
            .row("last good", good.as_deref().unwrap_or("none that is known"))
            .into_text();
        for broken in &verified.findings {
            text += &format!("  record {}: {}\n", broken.sequence, broken.message);
        }
    }
    if let Some(run) = &verified.run {
        let content = &run.content;
        text += &Table::default()
            .row("run", &run.run_id)
            .row("deployment", &run.origin)
            .row("tenant", &run.tenant)
            .row_if("subject", run.subject.as_ref())
            .row("status", run.status.as_deref().unwrap_or("not closed"))
            .row("records", format_args!("{}, of which {} are signed", run.records, run.signed_records))
            .row("head", &run.head)
            .row(
                "signed by",
                run.key_id.as_ref().map_or("nobody".to_owned(), |key| format!("{key} ({} roots)", run.roots)),
            )
            .row(
                "content",
                format_args!(
                    "{} leaves verified, {} erased, {} withheld, {} missing",
                    content.verified, content.erased, content.withheld, content.missing
                ),
            )
            .row_if("log", verified.log.as_ref())
            .row_if("close root", verified.close_root.as_ref())
            .row_if(
                "decisions",
                verified.decisions.as_ref().filter(|decisions| decisions.recorded > 0).map(|decisions| {
                    format!(
                        "{} recorded, {} disclosed, of {} the overseer's signature was verified",
                        decisions.recorded, decisions.disclosed, decisions.signatures_verified
                    )
                }),
            )
            .into_text();
    }
    for member in &verified.made_otherwise {
        text += &format!(
            "{UNSURE}do not rely on {member}{UNSURE:#}: it is not what this version makes of the evidence; it is of another version, or somebody else wrote it\n"
        );
    }
    if verified.result == "verified" {
        text += "Nothing in it is against the rules of the loop. It does not prove that the inputs were true, that every run was recorded, or, without a log that others watch,\n\
                 that whoever holds the key did not write all of it anew.\n";
        if verified.decisions.as_ref().is_some_and(|decisions| decisions.recorded > 0) {
            text += "What people were shown is held against the records as far as both are disclosed, and not where redaction left a mark; who they are the deployment says.\n";
        }
    }
    text
}
