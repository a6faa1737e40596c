//! Plain functions as tools: what they are lent on the blocking pool, and that it is no more theirs than what is lent to
//! others.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use fuze_agent::prelude::*;
use fuze_agent::{Secret, Secrets};
use fuze_agent_loop_tests::{Desk, SHORT, SetClock};
use serde_json::json;

/// No `Clone`, and in part no `Sync` without its lock: the deps are the run's own, not a copy.
struct Deps {
    clock: SetClock,
    /// Held back until the test lets go.
    release: Mutex<Receiver<()>>,
    told: Sender<String>,
}

/// Says all that it is lent.
#[tool(
    classification = public, retention = SHORT, threat_boundary(egress = none, observes_secrets), effect = idempotent,
)]
fn report(ctx: &Ctx<'_, Deps>, loud: bool) -> Result<String, ToolError> {
    let before = ctx.now_unix_ns();
    ctx.deps().clock.advance_seconds(3);
    ctx.attribute("seconds", i64::try_from((ctx.now_unix_ns() - before) / 1_000_000_000)?)?;
    ctx.deps().told.send(format!("{} {loud} {}", ctx.exec_id(), ctx.is_cancelled()))?;
    Ok(ctx.secret("key")?.expose().to_owned())
}

/// Stops when it is told to.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), time_limit_ms = 1, grace_ms = 600_000)]
fn careful(ctx: &Ctx<'_, Deps>) -> Result<i64, ToolError> {
    while !ctx.is_cancelled() {
        std::thread::yield_now();
    }
    Err(ToolError::not_applied("undone before it counted"))
}

/// Does not stop until it is let go, long after nobody waits for it.
#[tool(
    classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent, time_limit_ms = 1,
    grace_ms = 1,
)]
fn stubborn(ctx: &Ctx<'_, Deps>) -> Result<i64, ToolError> {
    let released = ctx.deps().release.lock().map(|held| held.recv().is_ok());
    let noted = ctx.attribute("late", true).is_ok();
    ctx.deps().told.send(format!("{released:?} {noted} {}", ctx.is_cancelled()))?;
    Ok(1)
}

define_agent! {
    /// Works on the blocking pool.
    Worker {
        purpose: "testing", instructions: "Work.", lawful_basis: contract, annex_iii: none, art22: none,
        oversight: none, model_residency: eu, retention: SHORT, tools: [report, careful, stubborn], deps: Deps,
        output: i64, max_steps: 10, retry_budget: 0, token_budget: 10_000,
    }
}

/// One call of the tool, its evidence, and both ends of what it holds.
async fn called(
    tool: &str,
    args: serde_json::Value,
) -> (fuze_agent_loop_tests::Evidence, Sender<()>, Receiver<String>) {
    let clock = SetClock::now_ish();
    let desk = Desk::with_clock(&clock);
    let secrets = Secrets::none().with("key", Secret::new("hunter2-hunter2".into()));
    let builder = desk.builder(Fixed::new().allow_classification("public"), &[]);
    let deployment = builder.secrets(secrets).clock(Arc::new(clock.clone())).build().unwrap();
    let (let_go, held) = channel();
    let (told, tells) = channel();
    let deps = Deps { clock, release: Mutex::new(held), told };
    let model = ScriptedModel::new().call(tool, args).answer(1);
    let outcome = deployment.run(Worker, deps, model).start().await.unwrap();
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    (desk.evidence(outcome.report().run_id), let_go, tells)
}

#[tokio::test]
async fn a_plain_function_has_its_dispatch() {
    let (evidence, _let_go, tells) = called("report", json!({"loud": false})).await;
    assert_eq!(evidence.executions(), ["report ok"]);
    assert_eq!(evidence.attrs("tool.execute", "app.seconds"), ["3"]);
    let told = tells.try_recv().unwrap();
    let (exec_id, rest) = told.split_once(' ').unwrap();
    assert_eq!(rest, "false false");
    assert_eq!(evidence.attrs("tool.execute", "fuze.tool.exec_id"), [exec_id]);
    // The secret that it returned is not in what it left.
    assert!(!evidence.said().contains("hunter2"), "{}", evidence.said());
}

#[tokio::test]
async fn a_plain_function_is_told_to_stop() {
    let (evidence, ..) = called("careful", json!({})).await;
    assert_eq!(evidence.attrs("tool.execute", "fuze.tool.outcome"), ["not_applied"]);
}

#[tokio::test]
async fn what_outlives_its_call_knows_it_and_leaves_nothing() {
    let (evidence, let_go, tells) = called("stubborn", json!({})).await;
    assert_eq!(evidence.executions(), ["stubborn cancellation_truncated"]);
    assert_eq!(evidence.attrs("tool.execute", "app.late"), ["null"]);
    let_go.send(()).unwrap();
    assert_eq!(tells.recv().unwrap(), "Ok(true) true true");
}
