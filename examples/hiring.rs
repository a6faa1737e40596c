//! Reads application dossiers, recommends one, and stops before it records the recommendation: a person decides, another
//! process goes on, and a stranger can check what happened.
//!
//! ```text
//! cargo run --example hiring                         # decide at the terminal
//! cargo run --example hiring -- --decide approve     # or reject, or modify
//! cargo run --example hiring --features http-model -- --model-url http://127.0.0.1:8080/v1
//! ```

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, SignedDecision, Suspended};
use fuze_evidence::RunId;
use fuze_store::{Options, SqliteStore};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::{Anyhow, Arguments, Decide, Overseer, Paint};

/// How long the company keeps what its recruiting leaves: content for half a year, decisions for a year.
const HIRING: Retention = Retention::days("hiring.v1", 180, 365, 365);

/// Where the applications are, and where recommendations go.
struct Deps {
    data: PathBuf,
    recommendations: PathBuf,
}

/// An application that is on the desk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
enum Application {
    #[serde(rename = "a-17")]
    A17,
    #[serde(rename = "a-18")]
    A18,
    #[serde(rename = "a-19")]
    A19,
}

/// What an applicant sent.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Dossier {
    application: String,
    position: String,
    experience_years: u32,
    summary: String,
    contact: String,
}

/// What to do with an application.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    Invite,
    Hold,
    Decline,
}

/// Reads one applicant's dossier.
#[tool(
    classification = personal,
    lawful_bases = [contract, legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none, file_system = read),
    effect = read,
)]
async fn read_dossier(ctx: &Ctx<'_, Deps>, application: Application) -> Result<Dossier, ToolError> {
    let id = serde_json::to_value(application)?;
    let path = ctx.deps().data.join(format!("{}.json", id.as_str().unwrap_or_default()));
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Records a recommendation. It reaches the applicant, so a person decides first.
#[tool(
    classification = personal,
    lawful_bases = [contract, legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none, file_system = read_write),
    needs_approval = always,
)]
async fn record_recommendation(
    ctx: &Ctx<'_, Deps>,
    application: Application,
    step: Step,
    reason: String,
) -> Result<String, ToolError> {
    let line = serde_json::to_string(&json!({"application": application, "step": step, "reason": reason}))?;
    support::append_line(&ctx.deps().recommendations, &line)?;
    Ok("recorded".to_owned())
}

/// What the agent answers.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Recommendation {
    application: Application,
    step: Step,
}

define_agent! {
    /// Recommends an applicant; a person decides.
    HiringAgent {
        purpose: "employment-screening",
        instructions: "Read every dossier. Then record one recommendation, and answer with it.",
        lawful_basis: legitimate_interests,
        annex_iii: employment::recruitment,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: HIRING,
        tools: [read_dossier, record_recommendation],
        deps: Deps,
        output: Recommendation,
        max_steps: 16,
        retry_budget: 2,
        token_budget: 50_000,
    }
}

/// One machine of the company: its store, its keys, its policy, and who may decide.
struct Office {
    directory: PathBuf,
    store: Arc<SqliteStore>,
    deployment: Deployment,
    overseer: Overseer,
}

impl Office {
    fn open(directory: &Path) -> Result<Self, Anyhow> {
        let store = Arc::new(SqliteStore::open(directory.join("store"), &Options::default())?);
        let overseer = Overseer::open(&directory.join("overseer"), "hr-lead-1", "hr-2026")?;
        let policy = Fixed::new().allow_tool("read_dossier").allow_tool("record_recommendation");
        let keys = Keys::in_directory(directory.join("keys"))?;
        let deployment = Deployment::with_store("hr.acme.example", keys, policy, store.clone())
            .overseers(overseer.registry()?)
            .log(support::log(directory, "log.acme.example/hr")?)
            .build()?;
        Ok(Self { directory: directory.to_owned(), store, deployment, overseer })
    }

    fn deps(&self) -> Deps {
        Deps { data: support::data(), recommendations: self.directory.join("recommendations.jsonl") }
    }

    fn decision_file(&self, run: RunId) -> PathBuf {
        self.directory.join(format!("decision-{run}.json"))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    support::exit(run().await)
}

async fn run() -> Result<(), Anyhow> {
    let arguments = Arguments::parse("hiring")?;
    let office = Office::open(&arguments.directory)?;
    match arguments.run {
        None => start(&office, &arguments).await,
        Some(run) if arguments.resume => resume(&office, run, &arguments).await,
        Some(run) => {
            let suspended = office.deployment.suspended(run).await?;
            decide_and_hand_over(&office, suspended, &arguments)
        }
    }
}

/// The first process: until the run waits.
async fn start(office: &Office, arguments: &Arguments) -> Result<(), Anyhow> {
    let paint = Paint::here();
    println!("{}", paint.title("hiring: three applications, one recommendation"));
    let script = ScriptedModel::new()
        .call("read_dossier", json!({"application": "a-17"}))
        .call("read_dossier", json!({"application": "a-18"}))
        .call("read_dossier", json!({"application": "a-19"}))
        .call(
            "record_recommendation",
            json!({"application": "a-19", "step": "invite", "reason": "Twelve years of experience, two sites."}),
        );
    let outcome = match support::model(arguments)? {
        None => office.run(script).start().await?,
        Some(model) => office.run(model).start().await?,
    };
    paint.timeline(&outcome.report().timeline);
    match outcome {
        Outcome::Suspended { suspended, .. } => decide_and_hand_over(office, suspended, arguments),
        other => {
            println!("the run ended: {}", other.status());
            support::anchored(other.report())?;
            support::check(&office.store.run_directory(other.report().run_id), &office.deployment)
        }
    }
}

impl Office {
    fn run<M: fuze_agent::model::Model<Residency = fuze_agent::law::residency::Eu>>(
        &self,
        model: M,
    ) -> fuze_agent::run::Run<HiringAgent, M, fuze_agent::run::Subject> {
        self.deployment
            .run(HiringAgent, self.deps(), model)
            .tenant("acme")
            .principal("recruiter-3")
            .subject("applicants of opening 2026-11-4")
            .input("Recommend one applicant for the team lead in Gdańsk.")
    }
}

/// The person: sees the case, decides, signs. Then another process goes on.
fn decide_and_hand_over(office: &Office, suspended: Suspended, arguments: &Arguments) -> Result<(), Anyhow> {
    let paint = Paint::here();
    let run = suspended.run_id();
    let mut decisions = Vec::new();
    for case in suspended.cases() {
        paint.case(case);
        let Some(decide) = arguments.decide.or_else(|| Decide::ask(&paint)) else {
            println!("\nThe run waits; nothing was recorded. Go on with");
            println!("  cargo run --example hiring -- --run {run} --decide approve|reject|modify");
            return Ok(());
        };
        let action = match decide {
            Decide::Approve => Action::Approve,
            Decide::Reject => Action::Reject,
            Decide::Modify => {
                let mut args = case.arguments();
                if let Some(args) = args.as_object_mut() {
                    args.insert("step".into(), json!("hold"));
                    args.insert("reason".into(), json!("Strong, but first talk about the place of work."));
                }
                println!("the person changes it to {args}");
                Action::Modify(args)
            }
        };
        decisions.push(office.overseer.sign(case, &action, "Read all three dossiers.")?);
    }
    std::fs::write(office.decision_file(run), serde_json::to_vec(&decisions)?)?;
    println!("\n{} signs; another process goes on", office.overseer.alias());
    let mut next = Command::new(std::env::current_exe()?);
    next.arg("--directory").arg(&office.directory).arg("--run").arg(run.to_string()).arg("--resume");
    if let Some(url) = &arguments.model_url {
        next.arg("--model-url").arg(url);
    }
    match next.status()?.success() {
        true => Ok(()),
        false => Err("the process that goes on has failed".into()),
    }
}

/// The second process: verifies the decision, claims it once, and runs to the end.
async fn resume(office: &Office, run: RunId, arguments: &Arguments) -> Result<(), Anyhow> {
    let paint = Paint::here();
    let decisions: Vec<SignedDecision> = serde_json::from_slice(&std::fs::read(office.decision_file(run))?)?;
    let resumable = office.deployment.suspended(run).await?.verify(&decisions)?;
    let outcome = match support::model(arguments)? {
        None => {
            let answer = ScriptedModel::new().answer(json!({"application": "a-19", "step": "invite"}));
            office.deployment.resume(HiringAgent, office.deps(), answer, resumable).go().await?
        }
        Some(model) => office.deployment.resume(HiringAgent, office.deps(), model, resumable).go().await?,
    };
    paint.timeline(&outcome.report().timeline);
    println!("the run is {}", paint.title(outcome.status()));
    match outcome {
        Outcome::Suspended { suspended, .. } => {
            println!("it waits again: cargo run --example hiring -- --run {}", suspended.run_id());
            Ok(())
        }
        Outcome::Completed { .. } | Outcome::Stopped { .. } | Outcome::Halted { .. } => {
            if let Outcome::Stopped { why, .. } = &outcome {
                println!("{why}");
            }
            support::anchored(outcome.report())?;
            support::check(&office.store.run_directory(run), &office.deployment)
        }
    }
}
