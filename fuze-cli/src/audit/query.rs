//! `fuze audit query`: which runs a store holds. A listing verifies nothing.

use std::path::PathBuf;

use fuze_agent::store::RunState;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, RunId, Timestamp};
use fuze_store::{Cursor, Query, RunSummary};
use schemars::JsonSchema;
use serde::Serialize;

use crate::moment::moment;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::place::open_store;
use crate::text::{BAD, FAINT, GOOD, UNSURE};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's directory.
    store: PathBuf,
    /// Only this run.
    #[arg(long)]
    run: Option<RunId>,
    /// Runs on behalf of this tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<Name>,
    /// Runs whose data subject has this alias.
    #[arg(long, value_name = "ALIAS")]
    subject: Option<Name>,
    /// Runs of this agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<Name>,
    /// Runs that stand so.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Runs that ended so, for instance `completed`.
    #[arg(long)]
    status: Option<RunStatus>,
    /// Runs opened at this time or later (RFC 3339, for instance `2026-11-23T09:30:00Z`).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// Runs opened before this time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    before: Option<Timestamp>,
    /// Where the last page ended: its `next`.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// How many runs at most.
    #[arg(long, default_value_t = Query::PAGE, value_parser = clap::value_parser!(u32).range(1..=i64::from(Query::MAX_PAGE)))]
    limit: u32,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum State {
    Running,
    Suspended,
    Closed,
}

/// Runs of a store, oldest first. Nothing of it was verified.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// Always `false`: a listing says what the store's index says, which whoever writes to the store can change. `fuze audit verify`
    /// verifies a run.
    verified: bool,
    runs: Vec<Run>,
    /// For `--after`, if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Document for Listed {
    const SCHEMA: &'static str = "fuze.audit.query/1";
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Run {
    run_id: String,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    agent: String,
    opened_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    state: &'static str,
    records: u64,
    head: String,
    /// How many leaves it has in a log.
    anchors: u64,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let reader = open_store(&args.store)?;
    let page = reader.query(&query(args)?).map_err(|error| Problem::file(&args.store, error))?;
    let listed = Listed {
        verified: false,
        runs: page.runs.iter().map(told).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    };
    output.data(&listed, || text(&listed))?;
    Ok(Ended::Well)
}

fn query(args: &Args) -> Result<Query> {
    let mut query = Query::new().limit(args.limit);
    if let Some(run) = args.run {
        query = query.run(run);
    }
    if let Some(tenant) = args.tenant.clone() {
        query = query.tenant(tenant);
    }
    if let Some(subject) = args.subject.clone() {
        query = query.subject(subject);
    }
    if let Some(agent) = args.agent.clone() {
        query = query.agent(agent);
    }
    if let Some(state) = args.state {
        query = query.state(match state {
            State::Running => RunState::Running,
            State::Suspended => RunState::Suspended,
            State::Closed => RunState::Closed,
        });
    }
    if let Some(status) = args.status {
        query = query.status(status);
    }
    if let Some(from) = args.from {
        query = query.opened_from(from);
    }
    if let Some(before) = args.before {
        query = query.opened_before(before);
    }
    if let Some(after) = &args.after {
        let cursor: Cursor = after
            .parse()
            .map_err(|_| Problem::usage(format_args!("`--after {after}` is not where a page ended")))?;
        query = query.after(cursor);
    }
    Ok(query)
}

fn told(run: &RunSummary) -> Run {
    Run {
        run_id: run.run.to_string(),
        tenant: run.tenant.to_string(),
        subject: run.subject.as_ref().map(ToString::to_string),
        agent: run.agent.to_string(),
        opened_at: run.opened_at.to_string(),
        closed_at: run.closed.map(|(at, _)| at.to_string()),
        status: run.closed.map(|(_, status)| status.to_string()),
        state: match run.state {
            RunState::Running => "running",
            RunState::Suspended => "suspended",
            RunState::Closed => "closed",
        },
        records: run.head.0,
        head: run.head.1.to_string(),
        anchors: run.anchors,
    }
}

fn text(listed: &Listed) -> String {
    let mut text = String::new();
    for run in &listed.runs {
        let (word, style) = match (&run.status, run.state) {
            (Some(status), _) if status == "completed" => (status.as_str(), GOOD),
            (Some(status), _) => (status.as_str(), BAD),
            (None, state) => (state, UNSURE),
        };
        text += &format!(
            "{}  {FAINT}{}{FAINT:#}  {style}{word:18}{style:#} {:4} records  {}  {}{}\n",
            run.run_id,
            run.opened_at,
            run.records,
            run.agent,
            run.tenant,
            if run.anchors > 0 { "  anchored" } else { "" },
        );
    }
    if let Some(next) = &listed.next {
        text += &format!("{FAINT}more with --after {next}{FAINT:#}\n");
    }
    text + &format!(
        "{UNSURE}not verified{UNSURE:#}: as the store's index has it; `fuze audit verify` verifies a run\n"
    )
}
