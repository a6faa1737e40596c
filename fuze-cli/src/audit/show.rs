//! `fuze audit show` and `replay`: a run read again, nothing of it executed.

use std::path::PathBuf;

use fuze_audit::Reasons;
use fuze_audit::report::words::{self, Story};
use fuze_evidence::Hash;
use fuze_evidence::files::open_regular;
use fuze_evidence::replay::{Content, Replay, Step};
use fuze_evidence::verify::{Chain, FieldStatus, TrustedKeys};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::timeline::{self, Timeline};
use super::verify::{Broken, UNSIGNED};
use crate::anchors::{AnchorArgs, Believed};
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::{AnnexArgs, Place};
use crate::progress::{CountedFile, Progress};
use crate::text::{BAD, FAINT, GOOD, Table, UNSURE, plain};
use crate::trust::{ExpectArgs, Trust, TrustArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A run's directory, a `records.jsonl`, a bundle, or a store with `--run`. A bundle that does not verify is not shown.
    path: PathBuf,
    #[command(flatten)]
    annex: AnnexArgs,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    anchors: AnchorArgs,
}

/// A run, step by step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replayed {
    /// `verified`, `failed`, `not_closed` or `cannot_verify`.
    result: &'static str,
    /// What verification said, if it was not `verified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    duration_nanos: String,
    steps: Vec<Told>,
    /// What is against the rules of the loop, though the chain may hold.
    findings: Vec<Broken>,
}

impl Document for Replayed {
    const SCHEMA: &'static str = "fuze.audit.replay/1";
}

/// One record.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Told {
    sequence: u64,
    step_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u64>,
    depth: usize,
    span: &'static str,
    started_at: String,
    duration_nanos: String,
    /// `signed`, `chained` or `unverified`.
    trust: &'static str,
    summary: String,
    attributes: Map<String, Value>,
    /// The commitment to its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_root: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content: Vec<ToldField>,
}

/// One field of content.
#[derive(Debug, Serialize, JsonSchema)]
struct ToldField {
    /// `verified`, `erased`, `withheld` or `missing`.
    status: &'static str,
    /// JSON Pointer, if it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// How many leaves this stands for, decoys included, if they cannot be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<u64>,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// A line a record.
    Timeline,
    /// With attributes and content.
    Whole,
}

pub(crate) fn run(args: &Args, detail: Detail, output: &Output) -> Result {
    let trust = args.trust.read()?;
    let place = Place::find(&args.path, args.expect.run)?;
    let believed = args.anchors.read()?;
    trust.check_used(&[&place], &believed)?;
    let Seen { replay, reasons, first_key } = read(&place, &trust, &args.annex, &args.expect, &believed)?;
    trust.check_root(&[first_key])?;
    let story = timeline::story(&replay);
    let (document, ended) = told(&replay, &story);
    output.data(&document, || text((&replay, &story, &reasons), &document, detail))?;
    Ok(ended)
}

/// What is shown is in memory as a whole, several times over.
const MAX_SHOWN_BYTES: u64 = 256 << 20;

/// A run that was read again, and the first key of the history that its bundle brings.
struct Seen {
    replay: Replay,
    /// What a bundle discloses beside people's decisions.
    reasons: Reasons,
    first_key: Option<Hash>,
}

/// Reads a run again, wherever it is. What lies in a bundle is verified as a whole before anything of it is shown.
fn read(
    place: &Place,
    trust: &Trust,
    annex: &AnnexArgs,
    expect: &ExpectArgs,
    believed: &Believed,
) -> Result<Seen> {
    if let Place::Bundle(path) = place {
        annex.not_for_bundles()?;
        let file = open_regular(path).map_err(|error| Problem::file(path, error))?;
        let progress = Progress::reading("reading", None);
        let (report, replay) =
            fuze_audit::replay(CountedFile { file, progress: &progress }, &trust.for_bundles(believed))
                .map_err(|error| super::refused(path, &error))?;
        expect.check(&report.run)?;
        believed.look_up(path, &report)?;
        return Ok(Seen { replay, reasons: report.reasons, first_key: report.first_key });
    }
    let source = place.source()?;
    if let Some(octets) = source.octets().filter(|&octets| octets > MAX_SHOWN_BYTES) {
        return Err(Problem::cannot(format_args!(
            "the run's files have {octets} octets, and at most {MAX_SHOWN_BYTES} are held in memory to be shown or compared; \
             `fuze audit verify` reads any length"
        )));
    }
    let anchors = believed.ask(&source, trust)?;
    let annex = annex.of(&source, &trust.keys())?;
    let keys = trust.keys_with(annex.as_ref(), expect);
    let keys = anchors.stood.iter().copied().fold(keys, TrustedKeys::stood_before_revocation);
    let progress = Progress::reading("reading", source.octets());
    let replay = source.replay(&keys, &progress)?;
    if replay.verdict.is_ok() {
        anchors.found?;
    }
    Ok(Seen { replay, reasons: Reasons::default(), first_key: None })
}

fn told(replay: &Replay, story: &Story) -> (Replayed, Ended) {
    use fuze_evidence::verify::VerifyError;
    let (result, message, ended) = match &replay.verdict {
        Ok(report) => match (report.chain, report.content.missing) {
            (_, 1..) => (
                "failed",
                Some(match report.content.missing {
                    1 => "a leaf of content is missing".to_owned(),
                    missing => format!("{missing} leaves of content are missing"),
                }),
                Ended::Failed,
            ),
            // An intact chain that tells of something forbidden is no proof that all was well.
            _ if !replay.findings.is_empty() => {
                ("failed", Some("intact, and against the rules".to_owned()), Ended::Failed)
            }
            (Chain::NotClosed, 0) => {
                ("not_closed", (report.signed_records == 0).then(|| UNSIGNED.to_owned()), Ended::Cannot)
            }
            (Chain::Closed(_), 0) => ("verified", None, Ended::Well),
        },
        Err(error @ VerifyError::Cannot { .. }) => {
            ("cannot_verify", Some(plain(&error.to_string())), Ended::Cannot)
        }
        Err(error) => ("failed", Some(plain(&error.to_string())), Ended::Failed),
    };
    let ended = if replay.findings.is_empty() { ended } else { Ended::Failed };
    let opened = replay.opened.as_ref();
    let document = Replayed {
        result,
        message,
        run_id: opened.map(|opened| opened.run_id.to_string()),
        agent: opened.map(|opened| opened.invoke.agent_name.to_string()),
        tenant: opened.map(|opened| opened.common.tenant.to_string()),
        status: replay.status.map(|status| status.to_string()),
        duration_nanos: replay.duration_nanos().to_string(),
        steps: replay.steps.iter().map(|it| step(it, story)).collect(),
        findings: replay.findings.iter().map(Broken::from).collect(),
    };
    (document, ended)
}

fn step(step: &Step, story: &Story) -> Told {
    Told {
        sequence: step.sequence,
        step_id: step.step_id,
        parent: step.parent,
        depth: step.depth,
        span: step.span.name(),
        started_at: step.started_at.to_string(),
        duration_nanos: step.duration_nanos().to_string(),
        trust: step.trust.as_str(),
        summary: story.summary(&step.span),
        attributes: step.attributes(),
        content_root: step.content.as_ref().map(|content| content.root.to_string()),
        content: step.content.as_ref().map(fields).unwrap_or_default(),
    }
}

const fn word(status: FieldStatus) -> &'static str {
    match status {
        FieldStatus::Verified => "verified",
        FieldStatus::Erased => "erased",
        FieldStatus::Withheld => "withheld",
        FieldStatus::Missing => "missing",
    }
}

fn fields(content: &Content) -> Vec<ToldField> {
    let mut told: Vec<ToldField> = content
        .fields
        .iter()
        .map(|field| {
            let (path, value) = field.opened.clone().unzip();
            ToldField { status: word(field.status), path, value, leaves: None }
        })
        .collect();
    let alone = told.is_empty();
    // Of a bundle some may be disclosed and some not.
    if alone || content.counts.withheld > 0 {
        let counts = content.counts;
        let all = [
            (FieldStatus::Erased, counts.erased),
            (FieldStatus::Withheld, counts.withheld),
            (FieldStatus::Missing, counts.missing),
        ];
        let some = all
            .into_iter()
            .filter(|(status, leaves)| *leaves > 0 && (alone || *status == FieldStatus::Withheld));
        told.extend(some.map(|(status, leaves)| ToldField {
            status: word(status),
            path: None,
            value: None,
            leaves: Some(leaves),
        }));
    }
    told
}

fn text(
    (replay, story, reasons): (&Replay, &Story, &Reasons),
    document: &Replayed,
    detail: Detail,
) -> String {
    let style = match document.result {
        "verified" => GOOD,
        "failed" => BAD,
        _ => UNSURE,
    };
    let width = timeline::width();
    let mut text = format!(
        "{}  {style}{}{style:#}",
        document.agent.as_deref().unwrap_or("a run"),
        document.result.replace('_', " "),
    );
    text += &match &document.status {
        Some(status) => format!("  {status}\n"),
        None if document.result == "not_closed" => "\n".to_owned(),
        None => "  not closed\n".to_owned(),
    };
    if let Some(message) = &document.message {
        for line in timeline::wrap(message, width, 0) {
            text += &format!("{style}{line}{style:#}\n");
        }
    }
    let times = replay.steps.first().map(|first| {
        format!("{}, took {}", timeline::clock(first.started_at), timeline::duration(replay.duration_nanos()))
    });
    let opened = replay.opened.as_ref();
    text += &Table::default()
        .row_if("run", document.run_id.as_deref())
        .row_if("began", times)
        .row_if(
            "for",
            opened.map(|opened| format!("{}, of tenant {}", opened.invoke.purpose, opened.common.tenant)),
        )
        .row_if("started by", opened.map(|opened| opened.common.principal.to_string()))
        .into_text();
    let Some(timeline) = Timeline::of(replay, story, width) else { return text };
    text += &format!("\n{}", timeline.head());
    for step in &replay.steps {
        text += &timeline.row(step);
        if detail == Detail::Whole {
            text += &whole(step);
        }
    }
    text += &timeline.legend(width);
    if !replay.findings.is_empty() {
        text += &format!("\n{BAD}Against the rules:{BAD:#}\n");
        for finding in &replay.findings {
            text += &format!("  {finding}\n");
        }
    }
    text += &timeline.people(reasons, width);
    if document.result == "verified" {
        text += "\n";
        for line in timeline::wrap(PROVEN, width, 0) {
            text += &format!("{FAINT}{line}{FAINT:#}\n");
        }
    }
    text
}

/// What a reader may take `verified` for, and may not.
const PROVEN: &str = "Verified: the records are as they were signed, with a key that you trust. Not proven: that what was recorded \
    is true, that nothing else happened, and that the person behind an alias is who it says.";

fn whole(step: &Step) -> String {
    let mut text = String::new();
    for (name, value) in step.attributes() {
        text += &format!(
            "{:8}{FAINT}{name}{FAINT:#} {}\n",
            "",
            plain(value.as_str().unwrap_or(&value.to_string()))
        );
    }
    if let Some(content) = &step.content {
        text += &format!("{:8}{FAINT}content{FAINT:#} {}\n", "", content.root);
    }
    for field in step.content.as_ref().map(fields).unwrap_or_default() {
        let what = match (field.path, field.value, field.leaves) {
            (Some(path), Some(value), _) => format!("{} = {}", plain(&path), plain(&value.to_string())),
            (_, _, Some(1)) => format!("a leaf {}", field.status),
            (_, _, Some(leaves)) => format!("{leaves} leaves {}", field.status),
            _ => format!("a field {}", field.status),
        };
        text += &format!("{:8}{what}\n", "");
    }
    text
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// One run: its directory, its records, a bundle, or a store with `--left-run`.
    left: PathBuf,
    /// The other.
    right: PathBuf,
    /// The run that the first one must be; of a store, which of its runs it is.
    #[arg(long, value_name = "RUN")]
    left_run: Option<fuze_evidence::RunId>,
    /// The same of the second one.
    #[arg(long, value_name = "RUN")]
    right_run: Option<fuze_evidence::RunId>,
    /// The annex of the first run's tenant; found beside `runs/` or in the store without this.
    #[arg(long, value_name = "FILE")]
    left_annex: Option<PathBuf>,
    /// The annex of the second run's tenant.
    #[arg(long, value_name = "FILE")]
    right_annex: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    anchors: AnchorArgs,
}

/// Where two runs part.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compared {
    /// Whether both verified, all of their content was compared, and nothing differs but what differs between any two runs: of redacted
    /// values only their kind is compared.
    same: bool,
    differences: Vec<Differs>,
    /// Records that answer each other and whose content was not compared, or not all of it, because it is not open on both sides; without
    /// a difference the exit code is then 3.
    not_compared: Vec<NotCompared>,
}

/// Two records.
#[derive(Debug, Serialize, JsonSchema)]
struct NotCompared {
    /// The record of the first run.
    left: u64,
    /// The record of the second.
    right: u64,
}

impl Document for Compared {
    const SCHEMA: &'static str = "fuze.audit.diff/1";
}

#[derive(Debug, Serialize, JsonSchema)]
struct Differs {
    /// The record of the first run, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    /// The record of the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<u64>,
    /// What differs; empty if only one of them has the record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Changed>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Changed {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<Value>,
}

pub(crate) fn diff(args: &DiffArgs, output: &Output) -> Result {
    use fuze_evidence::replay::{Change, Comparison, Difference, diff};
    let trust = args.trust.read()?;
    let (left, right) = (Place::find(&args.left, args.left_run)?, Place::find(&args.right, args.right_run)?);
    let believed = args.anchors.read()?;
    trust.check_used(&[&left, &right], &believed)?;
    let replayed = |path: &PathBuf, place: &Place, run, annex: &Option<PathBuf>| -> Result<Seen> {
        let annex = AnnexArgs::named(annex.clone());
        let expect = ExpectArgs { run, ..ExpectArgs::default() };
        let seen = read(place, &trust, &annex, &expect, &believed)?;
        match &seen.replay.verdict {
            Ok(_) => Ok(seen),
            Err(error @ fuze_evidence::verify::VerifyError::Cannot { .. }) => {
                Err(Problem::cannot(format_args!("`{}`: {error}", path.display())))
            }
            Err(error) => Err(Problem::failed(format_args!("`{}`: {error}", path.display()))),
        }
    };
    let left = replayed(&args.left, &left, args.left_run, &args.left_annex)?;
    let right = replayed(&args.right, &right, args.right_run, &args.right_annex)?;
    trust.check_root(&[left.first_key, right.first_key])?;
    let (left, right) = (left.replay, right.replay);
    let changed = |change: Change| Changed { what: change.what, left: change.left, right: change.right };
    let Comparison { differences, not_compared } = diff(&left, &right);
    let not_compared: Vec<NotCompared> =
        not_compared.iter().map(|pair| NotCompared { left: pair.left, right: pair.right }).collect();
    let differences: Vec<Differs> = differences
        .into_iter()
        .map(|difference| match difference {
            Difference::Run(change) => Differs { left: None, right: None, changes: vec![changed(change)] },
            Difference::OnlyLeft { sequence } => {
                Differs { left: Some(sequence), right: None, changes: Vec::new() }
            }
            Difference::OnlyRight { sequence } => {
                Differs { left: None, right: Some(sequence), changes: Vec::new() }
            }
            Difference::Changed { left, right, changes } => Differs {
                left: Some(left),
                right: Some(right),
                changes: changes.into_iter().map(changed).collect(),
            },
        })
        .collect();
    let same = differences.is_empty() && not_compared.is_empty();
    let compared = Compared { same, differences, not_compared };
    output.data(&compared, || diff_text(&compared, &left, &right))?;
    Ok(match compared.differences.is_empty() {
        true if same => Ended::Well,
        true => Ended::Cannot,
        false => Ended::Failed,
    })
}

fn diff_text(compared: &Compared, left: &Replay, right: &Replay) -> String {
    if compared.same {
        return format!("{GOOD}no difference{GOOD:#} but what differs between any two runs\n");
    }
    let summary = |replay: &Replay, sequence: u64| {
        let found = replay.steps.iter().find(|step| step.sequence == sequence);
        found.map(|step| plain(&words::summary(&step.span))).unwrap_or_default()
    };
    let mut text = String::new();
    if compared.differences.is_empty() {
        text += &format!("{UNSURE}no difference in what could be compared{UNSURE:#}\n");
    }
    for difference in &compared.differences {
        text += &match (difference.left, difference.right) {
            (Some(at), None) => format!("{BAD}- {at:>4}{BAD:#}  {}\n", summary(left, at)),
            (None, Some(at)) => format!("{GOOD}+ {at:>4}{GOOD:#}  {}\n", summary(right, at)),
            (Some(at), Some(_)) => format!("{UNSURE}~ {at:>4}{UNSURE:#}  {}\n", summary(left, at)),
            (None, None) => format!("{UNSURE}~{UNSURE:#}       the run\n"),
        };
        for change in &difference.changes {
            let value = |value: &Option<Value>| {
                value.as_ref().map_or("nothing".to_owned(), |value| plain(&value.to_string()))
            };
            text += &format!(
                "        {}: {} → {}\n",
                plain(&change.what),
                value(&change.left),
                value(&change.right)
            );
        }
    }
    if !compared.not_compared.is_empty() {
        let places: Vec<String> = compared.not_compared.iter().map(|pair| pair.left.to_string()).collect();
        text += &format!(
            "{UNSURE}content of {} records not compared{UNSURE:#}, or not all of it, because it is not open on both sides: {}\n",
            places.len(),
            abridged(&places),
        );
    }
    text
}

/// The first of many.
fn abridged(places: &[String]) -> String {
    const SHOWN: usize = 20;
    let more = if places.len() > SHOWN { ", …" } else { "" };
    places.get(..SHOWN).unwrap_or(places).join(", ") + more
}
