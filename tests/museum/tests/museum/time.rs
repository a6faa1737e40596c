//! Time: what was stopped has stopped, or the record says that it has not.

use fuze_agent::prelude::*;
use fuze_agent::suspend::Action;
use fuze_agent_museum::office::{Deps, KEPT, Place, World, waiting};
use fuze_evidence::vocab::SuspendReason;
use serde_json::{Value, json};

use std::time::Duration;

/// Transfers money, slowly.
#[tool(
    classification = confidential, retention = KEPT, threat_boundary(egress = none), time_limit_ms = 100, grace_ms = 10,
)]
async fn transfer(ctx: &Ctx<'_, Deps>, cents: u64) -> Result<String, ToolError> {
    ctx.deps().did(format!("begin {cents}"));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    ctx.deps().did(format!("transferred {cents}"));
    Ok("transferred".to_owned())
}

/// Fetches, slowly.
#[tool(
    classification = public, retention = KEPT, threat_boundary(egress = none), effect = read,
    time_limit_ms = 100, grace_ms = 10,
)]
async fn fetch(ctx: &Ctx<'_, Deps>) -> Result<String, ToolError> {
    ctx.deps().did("begin");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    ctx.deps().did("fetched");
    Ok("fetched".to_owned())
}

/// Ends in a safe state when it is told to stop.
#[tool(
    classification = confidential, retention = KEPT, threat_boundary(egress = none), time_limit_ms = 100, grace_ms = 5_000,
)]
async fn careful(ctx: &Ctx<'_, Deps>) -> Result<String, ToolError> {
    ctx.cancelled().await;
    ctx.deps().did("undone");
    Err(ToolError::not_applied("undone before it counted"))
}

/// Cannot be stopped: it runs on the blocking pool, and is released by a file.
#[tool(
    classification = confidential, retention = KEPT, threat_boundary(egress = none, file_system = read_write),
    effect = idempotent, time_limit_ms = 100, grace_ms = 10,
)]
fn stubborn(directory: String) -> Result<String, ToolError> {
    let directory = std::path::PathBuf::from(directory);
    // At most ten seconds, so that a failure elsewhere does not hang here.
    for _ in 0..10_000 {
        if directory.join("release").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::write(directory.join("landed"), "late")?;
    Ok("landed".to_owned())
}

define_agent! {
    /// Is out of time.
    Late {
        purpose: "late",
        instructions: "Hurry.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [transfer, fetch, careful, stubborn],
        deps: Deps,
        output: String,
        max_steps: 8,
        retry_budget: 0,
        token_budget: 10_000,
    }
}

fn rules() -> Fixed {
    ["transfer", "fetch", "careful", "stubborn"].into_iter().fold(Fixed::new(), Fixed::allow_tool)
}

async fn start(place: &Place, world: &Deps, tool: &str, args: Value) -> Outcome<String> {
    let model = ScriptedModel::new().call(tool, args).answer("done");
    let run = place.deployment(rules()).run(Late, world.clone(), model).tenant("acme").principal("clerk-1");
    run.start().await.unwrap()
}

/// Fuze TS and its guard SDK: a tool past its time was left alone, and its side effect landed after the run had failed.
/// Here the call is told, given its grace, then dropped, and with it everything it awaits. Of a `once` tool that leaves a
/// doubt, which goes to a person; what runs on the blocking pool cannot be dropped, and the record says that it was not.
#[tokio::test(start_paused = true)]
async fn row_34_nothing_lands_after_its_run_has_ended() {
    let (place, world) = (Place::new(), World::new());
    let outcome = start(&place, &world, "fetch", json!({})).await;
    assert_eq!(outcome.status(), "completed");
    let run = outcome.report().run_id;
    assert_eq!(place.spans(run, "tool.execute")[0]["fuze.tool.outcome"], "timeout");

    let suspended = waiting(start(&place, &world, "transfer", json!({"cents": 5})).await);
    let run = suspended.run_id();
    assert_eq!(suspended.cases()[0].token().claims().reason, SuspendReason::InDoubt);
    assert_eq!(place.spans(run, "tool.execute")[0]["fuze.tool.outcome"], "in_doubt");
    // A day later nothing has landed, because nothing was left.
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(world.log(), ["begin", "begin 5"]);
    // A person may not simply have it run again.
    let again = place.anna().decide_all(&suspended, &Action::Approve);
    let refused = suspended.verify(&again).unwrap_err();
    let found = place.anna().decide_all(&refused.suspended, &Action::NotDone);
    let resumable = refused.suspended.verify(&found).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = place.deployment(rules()).resume(Late, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["begin", "begin 5"]);

    // Told to stop, a tool may say that nothing happened: then nobody need be asked.
    let outcome = start(&place, &world, "careful", json!({})).await;
    assert_eq!(outcome.status(), "completed");
    assert_eq!(place.spans(outcome.report().run_id, "tool.execute")[0]["fuze.tool.outcome"], "not_applied");
    assert_eq!(world.log(), ["begin", "begin 5", "undone"]);
}

/// The same report, of the one kind of work that cannot be stopped: the record of the call does not claim that it was.
#[tokio::test]
async fn row_34_what_cannot_be_stopped_is_said() {
    let (place, world) = (Place::new(), World::new());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_string_lossy().into_owned();
    let outcome = start(&place, &world, "stubborn", json!({"directory": path})).await;
    let run = outcome.report().run_id;
    assert!(!directory.path().join("landed").exists());
    let executed = place.spans(run, "tool.execute");
    assert_eq!(executed[0]["fuze.tool.outcome"], "cancellation_truncated");
    // It lands all the same, as the record said that it might.
    std::fs::write(directory.path().join("release"), "").unwrap();
    while !directory.path().join("landed").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
