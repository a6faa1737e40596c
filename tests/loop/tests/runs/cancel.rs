//! Stops and time limits: what was told to stop has stopped, or the record says that it could not be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fuze_agent::prelude::*;
use fuze_agent::store::{RunStore, Stop};
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, World, agent, person};
use fuze_evidence::vocab::RunStatus;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{run, suspended};

/// Lasts.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read, time_limit_ms = 10_000, grace_ms = 2_000)]
async fn lasts(ctx: &Ctx<'_, World>, how: String) -> Result<String, ToolError> {
    ctx.deps().does("begins");
    last(ctx, &how).await
}

/// Lasts, and changes something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), time_limit_ms = 10_000, grace_ms = 2_000)]
async fn changes(ctx: &Ctx<'_, World>, how: String) -> Result<String, ToolError> {
    ctx.deps().does("begins");
    last(ctx, &how).await
}

async fn last(ctx: &Ctx<'_, World>, how: &str) -> Result<String, ToolError> {
    match how {
        "deaf" => sleep(Duration::from_secs(60)).await,
        "listens" => {
            ctx.cancelled().await;
            assert!(ctx.is_cancelled());
            sleep(Duration::from_secs(1)).await;
            ctx.deps().does("tidies up");
            return Err(ToolError::not_applied("stopped in time"));
        }
        "finishes" => {
            ctx.cancelled().await;
            return Ok("done all the same".into());
        }
        "stops badly" => {
            ctx.cancelled().await;
            return Err(ToolError::new("stopped somewhere"));
        }
        _ => {}
    }
    ctx.deps().does("side effect");
    Ok("end".into())
}

static RELEASE: AtomicBool = AtomicBool::new(false);

/// Blocks a thread.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read, time_limit_ms = 200, grace_ms = 50)]
fn blocks() -> Result<String, ToolError> {
    while !RELEASE.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok("end".into())
}

/// Blocks a thread, and changes something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), time_limit_ms = 200, grace_ms = 50)]
fn blocks_and_changes() -> Result<String, ToolError> {
    blocks_for_good()
}

fn blocks_for_good() -> Result<String, ToolError> {
    while !RELEASE.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok("end".into())
}

/// Panics on a thread.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
fn panics() -> Result<String, ToolError> {
    panic!("on a thread")
}

/// Panics on a thread, and may have changed something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
fn panics_and_changes() -> Result<String, ToolError> {
    panic!("on a thread")
}

/// Asks for a stop of its own run from elsewhere, as an operator would.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn quick(ctx: &Ctx<'_, World>) -> Result<String, ToolError> {
    ctx.deps().does("quick");
    Ok("quick".into())
}

agent! { Slow [lasts, changes, blocks, blocks_and_changes, panics, panics_and_changes, quick] String steps 40 retries 0 tokens 100_000 }
agent! { Patient [lasts, quick] String steps 40 retries 5 tokens 100_000 run_time_limit_ms: 4_000, }

fn policy() -> Fixed {
    Fixed::new().allow_classification("public")
}

/// Stops a run after a second, and waits long enough to see whether anything lands afterwards.
async fn stopped(tool: &str, how: &str, stop: Stop) -> (Outcome<String>, Evidence, World, Duration) {
    let (desk, world) = (Desk::new(), World::new());
    let model = ScriptedModel::new().call(tool, json!({ "how": how })).answer("end");
    let run = desk.deploy(policy(), &[]).run(Slow, world.clone(), model);
    let handle = run.cancel_handle();
    let begun = Instant::now();
    let later = async {
        sleep(Duration::from_secs(1)).await;
        handle.stop(stop);
    };
    let (outcome, ()) = tokio::join!(run.start(), later);
    let took = begun.elapsed();
    sleep(Duration::from_secs(120)).await;
    let outcome = outcome.unwrap();
    let evidence = desk.evidence(outcome.report().run_id);
    (outcome, evidence, world, took)
}

#[tokio::test(start_paused = true)]
async fn an_operator_waits_for_the_grace_and_an_abort_does_not() {
    for (stop, seconds) in [(Stop::Operator, 3), (Stop::Abort, 1)] {
        let (outcome, evidence, world, took) = stopped("lasts", "deaf", stop).await;
        assert_eq!(outcome.status(), "cancelled");
        assert_eq!(took.as_secs(), seconds, "{took:?}");
        assert_eq!(world.log(), ["begins"], "nothing lands afterwards");
        assert_eq!(evidence.executions(), ["lasts cancelled"]);
        let by = if stop == Stop::Operator { "operator" } else { "abort" };
        assert_eq!(evidence.attrs("run.cancel", "fuze.run.cancelled_by"), [by]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_listens_ends_in_a_safe_state() {
    let (outcome, evidence, world, took) = stopped("changes", "listens", Stop::Operator).await;
    assert_eq!(outcome.status(), "cancelled", "{outcome:?}");
    assert_eq!(took.as_secs(), 2);
    assert_eq!(world.log(), ["begins", "tidies up"]);
    assert_eq!(evidence.executions(), ["changes not_applied"]);
}

#[tokio::test(start_paused = true)]
async fn a_once_tool_that_was_stopped_is_in_doubt() {
    for (how, stop) in [("deaf", Stop::Operator), ("deaf", Stop::Abort), ("stops badly", Stop::Operator)] {
        let (outcome, evidence, world, _) = stopped("changes", how, stop).await;
        assert_eq!(outcome.status(), "in_doubt", "{outcome:?}");
        assert_eq!(world.log(), ["begins"]);
        assert_eq!(evidence.executions(), ["changes in_doubt"]);
        assert_eq!(evidence.count("run.cancel"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_once_tool_that_finished_while_it_was_stopped_is_done() {
    let (outcome, evidence, _, _) = stopped("changes", "finishes", Stop::Operator).await;
    assert_eq!(outcome.status(), "cancelled", "{outcome:?}");
    assert_eq!(evidence.executions(), ["changes ok"]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_cuts_the_grace_of_an_operators_stop_short() {
    let (desk, world) = (Desk::new(), World::new());
    let model = ScriptedModel::new().call("lasts", json!({"how": "deaf"})).answer("end");
    let run = desk.deploy(policy(), &[]).run(Slow, world.clone(), model);
    let handle = run.cancel_handle();
    let begun = Instant::now();
    let later = async {
        sleep(Duration::from_secs(1)).await;
        handle.stop(Stop::Operator);
        sleep(Duration::from_millis(500)).await;
        handle.stop(Stop::Abort);
        handle.stop(Stop::Operator);
    };
    let (outcome, ()) = tokio::join!(run.start(), later);
    assert_eq!(begun.elapsed(), Duration::from_millis(1500));
    let evidence = desk.evidence(outcome.unwrap().report().run_id);
    assert_eq!(evidence.attrs("run.cancel", "fuze.run.cancelled_by"), ["abort"]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_past_its_time_is_stopped_and_its_side_effect_never_lands() {
    for (tool, status, execution) in
        [("lasts", "completed", "lasts timeout"), ("changes", "in_doubt", "changes in_doubt")]
    {
        let (desk, world) = (Desk::new(), World::new());
        let model = ScriptedModel::new().call(tool, json!({"how": "deaf"})).answer("end");
        let outcome = run(&desk.deploy(policy(), &[]), Slow, &world, model).await;
        assert_eq!(outcome.status(), status, "{outcome:?}");
        sleep(Duration::from_secs(120)).await;
        assert_eq!(world.log(), ["begins"]);
        assert_eq!(desk.evidence(outcome.report().run_id).executions(), [execution]);
    }
}

#[tokio::test]
async fn what_cannot_be_stopped_is_said_to_be_cut_off() {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    let deployment = desk.deploy(policy(), &[&anna]);
    let model = ScriptedModel::new().call("blocks", json!({})).call("blocks_and_changes", json!({}));
    let outcome = run(&deployment, Slow, &world, model).await;
    let evidence = desk.evidence(outcome.report().run_id);
    RELEASE.store(true, Ordering::SeqCst);
    drop(suspended(outcome));
    assert_eq!(evidence.executions(), ["blocks cancellation_truncated", "blocks_and_changes in_doubt"]);
}

#[tokio::test]
async fn a_panic_on_a_thread_is_a_panic() {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    let deployment = desk.deploy(policy(), &[&anna]);
    let model = ScriptedModel::new().call("panics", json!({})).call("panics_and_changes", json!({}));
    let outcome = run(&deployment, Slow, &world, model).await;
    let evidence = desk.evidence(outcome.report().run_id);
    drop(suspended(outcome));
    assert_eq!(evidence.executions(), ["panics panicked", "panics_and_changes in_doubt"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_being_asked_is_left() {
    let (desk, world) = (Desk::new(), World::new());
    let run = desk.deploy(policy(), &[]).run(Slow, world.clone(), ScriptedModel::new().stall());
    let handle = run.cancel_handle();
    let begun = Instant::now();
    let later = async {
        sleep(Duration::from_secs(1)).await;
        handle.stop(Stop::Operator);
    };
    let (outcome, ()) = tokio::join!(run.start(), later);
    assert_eq!(begun.elapsed().as_secs(), 1);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status(), "cancelled");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.attrs("model.generate", "fuze.model.error"), ["cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_before_a_repetition_can_be_stopped() {
    let (desk, world) = (Desk::new(), World::new());
    let mut model = ScriptedModel::new();
    for _ in 0..5 {
        model = model.fail(fuze_agent::model::ModelErrorKind::RateLimited);
    }
    let run = desk.deploy(policy(), &[]).run(Patient, world.clone(), model.answer("end"));
    let handle = run.cancel_handle();
    let begun = Instant::now();
    let later = async {
        sleep(Duration::from_millis(300)).await;
        handle.stop(Stop::Abort);
    };
    let (outcome, ()) = tokio::join!(run.start(), later);
    assert_eq!(begun.elapsed().as_millis(), 300);
    assert_eq!(outcome.unwrap().status(), "cancelled");
}

#[tokio::test(start_paused = true)]
async fn the_runs_time_ends_a_tool_too() {
    let (desk, world) = (Desk::new(), World::new());
    let model = ScriptedModel::new().call("lasts", json!({"how": "deaf"})).answer("end");
    let begun = Instant::now();
    let outcome = run(&desk.deploy(policy(), &[]), Patient, &world, model).await;
    assert_eq!(outcome.status(), "budget_exceeded", "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stop_asked_for_in_the_store_is_seen_before_the_next_effect() {
    let (desk, world) = (Desk::new(), World::new());
    let deployment = desk.deploy(policy(), &[]);
    let store = desk.store.clone();
    // The model itself is the moment: while it answers, somebody else in the house stops the run.
    struct Elsewhere(fuze_agent::testing::MemoryStore);
    #[async_trait::async_trait]
    impl fuze_agent::model::Model for Elsewhere {
        type Residency = fuze_agent::law::residency::Eu;
        fn identity(&self) -> fuze_agent::model::ModelIdentity {
            fuze_agent::model::ModelIdentity { provider: "p".into(), model: "m".into(), snapshot: "s".into() }
        }
        async fn generate(
            &self,
            _: fuze_agent::model::ModelRequest<'_>,
        ) -> Result<fuze_agent::model::ModelResponse, fuze_agent::model::ModelError> {
            self.0.request_stop(self.0.runs()[0], Stop::Operator).await.unwrap();
            Ok(fuze_agent_loop_tests::asking(&[("quick", "{}"), ("changes", "{\"how\":\"\"}")]))
        }
    }
    let outcome = run(&deployment, Slow, &world, Elsewhere(store)).await;
    assert_eq!(outcome.status(), "cancelled", "{outcome:?}");
    assert_eq!(world.log(), [""; 0]);
    assert_eq!(desk.evidence(outcome.report().run_id).count("run.cancel"), 1);
}

#[tokio::test]
async fn a_stop_survives_the_process_that_should_have_seen_it() {
    let (desk, world) = (Desk::new(), World::new());
    let (fragile, hung) =
        fuze_agent_loop_tests::Fragile::at(&desk.store, 2, fuze_agent_loop_tests::Break::After);
    let deployment = desk.builder_on(fragile, policy(), &[]).build().unwrap();
    let model = ScriptedModel::new().call("changes", json!({"how": ""})).answer("end");
    tokio::select! {
        _ = run(&deployment, Slow, &world, model) => panic!("it should hang"),
        () = hung.notified() => {}
    }
    let id = desk.store.runs()[0];
    desk.store.request_stop(id, Stop::Operator).await.unwrap();
    let model = ScriptedModel::new().answer("end");
    let outcome = desk.deploy(policy(), &[]).recover(Slow, world.clone(), model, id).go().await.unwrap();
    assert_eq!(outcome.status(), "cancelled", "{outcome:?}");
    assert_eq!(world.log(), [""; 0]);
    assert_eq!(desk.evidence(id).status(), Some(RunStatus::Cancelled));
}
