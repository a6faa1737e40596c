//! `race prepare <dir>` suspends a run; `race resume <dir> <tasks> <n>` resumes it in that many tasks at once, as the nth
//! of several processes. What a tool did stands in `<dir>/effects`, one line for each time.
//!
//! Prints what came of it: `won`, `lost`, and `other` for anything that should not happen.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fuze_agent::RunError;
use fuze_agent::prelude::*;
use fuze_agent::store::{ClaimError, StoreError};
use fuze_agent::suspend::{Action, OverseerRegistry};
use fuze_agent_museum::office::{KEPT, Person, waiting};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Name, RunId};
use fuze_store::{Options, SqliteStore};
use serde_json::json;
use tokio::sync::Barrier;

/// Appends to a file. Must not happen twice.
#[tool(
    classification = confidential, retention = KEPT, threat_boundary(egress = none, file_system = read_write),
    needs_approval = always,
)]
fn transfer(file: String, cents: u64) -> Result<String, ToolError> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file)?;
    writeln!(file, "transferred {cents} in {}", std::process::id())?;
    file.sync_all()?;
    Ok("transferred".to_owned())
}

define_agent! {
    /// Transfers money.
    Bank {
        purpose: "bank",
        instructions: "Transfer.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [transfer],
        deps: (),
        output: String,
        max_steps: 8,
        retry_budget: 0,
        token_budget: 10_000,
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn deployment(directory: &Path, anna: &Person) -> Result<Deployment, Failed> {
    let keys = Keys::in_directory(directory.join("keys"))?;
    let options = Options::default().busy_timeout(Duration::from_secs(60));
    let store = Arc::new(SqliteStore::open(directory.join("store"), &options)?);
    let registry = OverseerRegistry::new().with(anna.entry())?;
    Ok(Deployment::with_store("race.test", keys, Fixed::new().allow_tool("transfer"), store)
        .overseers(registry)
        .build()?)
}

fn anna(directory: &Path) -> Result<Person, Failed> {
    let path = directory.join("anna.key");
    let identity = Name::new("overseer")?;
    let key = match path.exists() {
        true => FileSigner::load(&path, identity)?,
        false => FileSigner::create(&path, identity, &mut OsRandom::new())?,
    };
    Ok(Person { alias: Name::new("anna")?, key })
}

async fn prepare(directory: &Path) -> Result<(), Failed> {
    let deployment = deployment(directory, &anna(directory)?)?;
    let file = directory.join("effects").to_string_lossy().into_owned();
    let model = ScriptedModel::new().call("transfer", json!({"file": file, "cents": 5}));
    let run = deployment.run(Bank, (), model).tenant("acme").principal("clerk-1").start().await?;
    std::fs::write(directory.join("run"), waiting(run).run_id().to_string())?;
    Ok(())
}

#[derive(PartialEq)]
enum End {
    Won,
    Lost,
    Other(String),
}

async fn resume(directory: PathBuf, tasks: usize, nth: usize) -> Result<(), Failed> {
    let anna = anna(&directory)?;
    let deployment = deployment(&directory, &anna)?;
    let run: RunId = std::fs::read_to_string(directory.join("run"))?.parse()?;
    let suspended = deployment.suspended(run).await?;
    let decisions = Arc::new(anna.decide_all(&suspended, &Action::Approve));
    let together = Arc::new(Barrier::new(tasks + 1));
    let mut ready = Vec::with_capacity(tasks);
    for _ in 0..tasks {
        let suspended = deployment.suspended(run).await?;
        let resumable = suspended.verify(&decisions).map_err(|refused| refused.to_string())?;
        let (deployment, together) = (deployment.clone(), Arc::clone(&together));
        ready.push(tokio::spawn(async move {
            together.wait().await;
            let model = ScriptedModel::new().answer("done");
            match deployment.resume(Bank, (), model, resumable).go().await {
                Ok(outcome) if outcome.status() == "completed" => End::Won,
                Err(
                    RunError::NotSuspended
                    | RunError::Store(StoreError::Fenced)
                    | RunError::Claim(ClaimError::Used(_) | ClaimError::Store(StoreError::Fenced)),
                ) => End::Lost,
                Ok(outcome) => End::Other(format!("{outcome:?}")),
                Err(error) => End::Other(format!("{error:?}")),
            }
        }));
    }
    // All processes begin together: each says that it is ready, and waits until all have.
    std::fs::write(directory.join(format!("ready-{nth}")), "")?;
    while !directory.join("go").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    together.wait().await;
    let (mut won, mut lost, mut other) = (0, 0, 0);
    for task in ready {
        match task.await? {
            End::Won => won += 1,
            End::Lost => lost += 1,
            End::Other(what) => {
                eprintln!("{what}");
                other += 1;
            }
        }
    }
    println!("won {won} lost {lost} other {other}");
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["prepare", directory] => prepare(Path::new(directory)).await,
        ["resume", directory, tasks, nth] => {
            resume(PathBuf::from(directory), tasks.parse()?, nth.parse()?).await
        }
        _ => Err("expected `race prepare <dir>` or `race resume <dir> <tasks> <n>`".into()),
    }
}
