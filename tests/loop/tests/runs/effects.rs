//! Effect classes: what runs again, under which key, and what goes to a person instead.

use std::sync::Arc;

use fuze_agent::deployment::Clock as _;
use fuze_agent::prelude::*;
use fuze_agent::store::{RunStore, Stop};
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::{Break, Desk, Evidence, Fragile, Person, SHORT, SetClock, World, agent, person};
use fuze_evidence::vocab::RunStatus;
use serde_json::json;

use super::{run, suspended};

async fn act(ctx: &Ctx<'_, World>, name: &str, how: &str) -> Result<String, ToolError> {
    ctx.deps().does(name);
    ctx.deps().does(ctx.exec_id());
    let again = ctx.deps().times(name) > 1;
    match how {
        "error" => Err(ToolError::new("broken")),
        "not applied" => Err(ToolError::not_applied("refused at the door")),
        "panic" => panic!("boom"),
        "panic once" if !again => panic!("boom"),
        "stall" => std::future::pending().await,
        "stall once" if !again => std::future::pending().await,
        _ => Ok(how.to_owned()),
    }
}

/// Reads.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read, time_limit_ms = 1_000, grace_ms = 100)]
async fn reads(ctx: &Ctx<'_, World>, how: String) -> Result<String, ToolError> {
    act(ctx, "reads", &how).await
}

/// Puts.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent, time_limit_ms = 1_000, grace_ms = 100)]
async fn puts(ctx: &Ctx<'_, World>, how: String) -> Result<String, ToolError> {
    act(ctx, "puts", &how).await
}

/// Pays.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), time_limit_ms = 1_000, grace_ms = 100)]
async fn pays(ctx: &Ctx<'_, World>, how: String) -> Result<String, ToolError> {
    act(ctx, "pays", &how).await
}

agent! { Doer [reads, puts, pays] String }

struct Left {
    status: String,
    evidence: Evidence,
    world: World,
    desk: Desk,
    anna: Person,
    waiting: Option<fuze_agent::suspend::Suspended>,
}

async fn left(tool: &str, how: &str) -> Left {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[&anna]);
    let model = ScriptedModel::new().call(tool, json!({"how": how})).answer("end");
    let outcome = run(&deployment, Doer, &world, model).await;
    let evidence = desk.evidence(outcome.report().run_id);
    let status = outcome.status().to_owned();
    let waiting = match outcome {
        Outcome::Suspended { suspended, .. } => Some(suspended),
        _ => None,
    };
    Left { status, evidence, world, desk, anna, waiting }
}

/// One tool that behaves in one way: the run's status, the executions on record, how often it ran.
async fn check(tool: &str, how: &str, status: &str, executions: &[&str], times: usize) {
    let left = left(tool, how).await;
    assert_eq!(left.status, status, "{tool} {how}");
    assert_eq!(left.evidence.executions(), executions, "{tool} {how}");
    assert_eq!(left.world.times(tool), times, "{tool} {how}");
    let log = left.world.log();
    let ids: std::collections::BTreeSet<&String> = log.iter().filter(|line| line.len() == 64).collect();
    assert_eq!(ids.len(), 1, "each repetition has the same id: {log:?}");
    assert!(left.evidence.attrs("tool.execute", "fuze.tool.exec_id").iter().all(|id| ids.contains(id)));
}

#[tokio::test(start_paused = true)]
async fn a_read_runs_again_after_a_panic_or_a_timeout() {
    check("reads", "panic once", "completed", &["reads panicked", "reads ok"], 2).await;
    check("reads", "stall once", "completed", &["reads timeout", "reads ok"], 2).await;
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_runs_again_under_the_same_id() {
    check("puts", "panic once", "completed", &["puts panicked", "puts ok"], 2).await;
    check("puts", "stall once", "completed", &["puts timeout", "puts ok"], 2).await;
}

#[tokio::test(start_paused = true)]
async fn repetitions_end_with_the_budget_and_the_model_is_told() {
    check("reads", "panic", "completed", &["reads panicked"; 3], 3).await;
    check("puts", "stall", "completed", &["puts timeout"; 3], 3).await;
}

#[tokio::test]
async fn an_error_of_the_tools_own_is_told_and_not_repeated() {
    check("reads", "error", "completed", &["reads error"], 1).await;
    check("puts", "error", "completed", &["puts error"], 1).await;
    check("pays", "not applied", "completed", &["pays not_applied"], 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_once_call_that_ends_badly_is_in_doubt_and_never_repeated() {
    for how in ["error", "panic", "stall", "panic once"] {
        check("pays", how, "suspended", &["pays in_doubt"], 1).await;
    }
}

#[tokio::test]
async fn attempts_are_counted() {
    let left = left("reads", "panic once").await;
    assert_eq!(left.evidence.attrs("tool.execute", "fuze.tool.attempt"), ["1", "2"]);
}

async fn said_of_doubt(action: Action) -> (Outcome<String>, Left) {
    let mut left = left("pays", "error").await;
    let waiting = left.waiting.take().unwrap();
    assert_eq!(waiting.cases().len(), 1);
    let decision = left.anna.decides(&waiting.cases()[0], &action);
    let resumable = waiting.verify(&[decision]).unwrap();
    let deployment = left.desk.deploy(Fixed::new().allow_classification("public"), &[&left.anna]);
    let model = ScriptedModel::new().answer("end");
    let outcome = deployment.resume(Doer, left.world.clone(), model, resumable).go().await.unwrap();
    left.evidence = left.desk.evidence(outcome.report().run_id);
    (outcome, left)
}

#[tokio::test]
async fn a_person_says_that_it_was_done() {
    let (outcome, left) = said_of_doubt(Action::Done(json!("paid"))).await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(left.world.times("pays"), 1);
    assert_eq!(left.evidence.executions(), ["pays in_doubt", "pays done_by_statement"]);
}

#[tokio::test]
async fn a_person_says_that_it_was_not_done() {
    let (outcome, left) = said_of_doubt(Action::NotDone).await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(left.world.times("pays"), 1);
    assert_eq!(left.evidence.executions(), ["pays in_doubt", "pays not_done_by_statement"]);
}

#[tokio::test]
async fn a_person_ends_a_run_in_doubt() {
    let (outcome, left) = said_of_doubt(Action::Halt).await;
    assert!(matches!(outcome, Outcome::Stopped { .. }), "{outcome:?}");
    assert_eq!(left.world.times("pays"), 1);
    assert_eq!(left.evidence.executions(), ["pays in_doubt"]);
}

#[tokio::test]
async fn what_is_stated_must_be_an_output_of_the_tool() {
    let mut left = left("pays", "error").await;
    let waiting = left.waiting.take().unwrap();
    let decision = left.anna.decides(&waiting.cases()[0], &Action::Done(json!({"not": "text"})));
    let resumable = waiting.verify(&[decision]).unwrap();
    let deployment = left.desk.deploy(Fixed::new().allow_classification("public"), &[&left.anna]);
    let resumed = deployment.resume(Doer, left.world.clone(), ScriptedModel::new().answer("x"), resumable);
    let error = resumed.go().await.unwrap_err();
    assert!(matches!(error, fuze_agent::RunError::StatedOutput { .. }), "{error}");
    // Nothing was claimed: it can be said again, as it should be.
    let waiting = deployment.suspended(left.evidence.report.run_id).await.unwrap();
    let decision = left.anna.decides(&waiting.cases()[0], &Action::NotDone);
    let resumable = waiting.verify(&[decision]).unwrap();
    let model = ScriptedModel::new().answer("end");
    let outcome = deployment.resume(Doer, left.world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
}

#[tokio::test]
async fn approving_is_no_answer_to_a_doubt() {
    let mut left = left("pays", "error").await;
    let waiting = left.waiting.take().unwrap();
    let decision = left.anna.decides(&waiting.cases()[0], &Action::Approve);
    let refused = waiting.verify(&[decision]).unwrap_err();
    assert!(refused.to_string().contains("`approve` does not fit"), "{refused}");
}

#[tokio::test]
async fn a_store_whose_clock_is_far_ahead_halts_the_run() {
    let clock = fuze_agent_loop_tests::SetClock::now_ish();
    clock.advance_seconds(3600);
    let (desk, world) = (Desk::with_clock(&clock), World::new());
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let model = ScriptedModel::new().call("pays", json!({"how": "x"})).answer("end");
    let outcome = run(&deployment, Doer, &world, model).await;
    assert_eq!(outcome.status(), "halted", "{outcome:?}");
    assert_eq!(world.log(), [""; 0]);
    assert_eq!(desk.evidence(outcome.report().run_id).status(), Some(RunStatus::Halted));
}

#[tokio::test]
async fn each_call_has_an_id_of_its_own() {
    let (desk, world) = (Desk::new(), World::new());
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let how = json!({"how": "same"});
    let model = ScriptedModel::new()
        .calls(&[("pays", how.clone()), ("pays", how.clone())])
        .call("pays", how)
        .answer("end");
    let outcome = run(&deployment, Doer, &world, model).await;
    let evidence = desk.evidence(outcome.report().run_id);
    let ids = evidence.attrs("tool.execute", "fuze.tool.exec_id");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    assert_eq!(evidence.status(), Some(RunStatus::Completed));
}

/// Files something, after approval; the first time it is late, by as many days as it is told.
#[tool(
    classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent,
    time_limit_ms = 1_000, grace_ms = 100, needs_approval = always,
)]
async fn files(ctx: &Ctx<'_, (World, SetClock)>, late: u32, panics: bool) -> Result<String, ToolError> {
    let (world, clock) = ctx.deps();
    world.does("files");
    world.does(ctx.exec_id());
    if world.times("files") == 1 {
        clock.advance_seconds(i128::from(late) * 24 * 3600);
        assert!(!panics, "the first time");
        std::future::pending::<()>().await;
    }
    Ok("filed".into())
}

define_agent! {
    /// Files.
    Archive {
        purpose: "testing", instructions: "File.", lawful_basis: contract, annex_iii: none, art22: none,
        oversight: none, model_residency: eu, retention: SHORT, tools: [files], deps: (World, SetClock), output: String,
        max_steps: 10, retry_budget: 1, token_budget: 10_000,
    }
}

#[tokio::test(start_paused = true)]
async fn an_approval_stands_for_the_retry_of_the_same_call_while_its_token_is_good() {
    for (late, panics) in [(0, false), (0, true), (2, false), (4, false)] {
        let clock = SetClock::now_ish();
        let (desk, world, anna) = (Desk::with_clock(&clock), World::new(), person("anna"));
        let policy = Fixed::new().allow_classification("public");
        let deployment = desk.builder(policy, &[&anna]).clock(Arc::new(clock.clone())).build().unwrap();
        let deps = || (world.clone(), clock.clone());
        let model = ScriptedModel::new().call("files", json!({"late": late, "panics": panics}));
        let waiting = suspended(deployment.run(Archive, deps(), model).start().await.unwrap());
        let first = waiting.cases()[0].token().claims().args_hash;
        let decision = anna.decides_at(&waiting.cases()[0], &Action::Approve, clock.now(), vec![]);
        let resumable = waiting.verify(&[decision]).unwrap();
        let model = ScriptedModel::new().answer("end");
        let outcome = deployment.resume(Archive, deps(), model, resumable).go().await.unwrap();
        let evidence = desk.evidence(outcome.report().run_id);
        let how = if panics { "files panicked" } else { "files timeout" };
        if late < 3 {
            assert_eq!(outcome.status(), "completed", "{late}: {outcome:?}");
            assert_eq!(evidence.executions(), [how, "files ok"]);
            assert_eq!(evidence.attrs("tool.execute", "fuze.tool.attempt"), ["1", "2"]);
            // The policy was asked for the retry as well, about the same arguments, and one person stands behind both.
            assert_eq!(evidence.decisions().last().unwrap(), "files allow engine");
            assert_eq!(evidence.count("policy.evaluate"), 3);
            assert_eq!(evidence.count("human.oversight.decision"), 1);
            let steps = evidence.attrs("tool.execute", "fuze.approval.step");
            assert_eq!(steps[0], steps[1]);
            let roots = evidence.attrs("tool.execute", "fuze.tool.args_hash");
            assert_eq!(roots, [first.to_string(), first.to_string()]);
            let log = world.log();
            assert_eq!(log[1], log[3], "one key for both");
        } else {
            // Its time is over: people are asked again.
            let waiting = suspended(outcome);
            assert_eq!(waiting.cases()[0].token().claims().args_hash, first);
            assert_eq!(evidence.executions(), [how]);
        }
    }
}

#[tokio::test]
async fn what_a_person_found_out_is_known_though_the_run_is_stopped_before_it_goes_on() {
    for action in [Action::Done(json!("paid")), Action::NotDone] {
        let mut left = left("pays", "error").await;
        let waiting = left.waiting.take().unwrap();
        let run = waiting.run_id();
        let decision = left.anna.decides(&waiting.cases()[0], &action);
        let resumable = waiting.verify(&[decision]).unwrap();
        left.desk.store.request_stop(run, Stop::Operator).await.unwrap();
        let deployment = left.desk.deploy(Fixed::new().allow_classification("public"), &[&left.anna]);
        let model = ScriptedModel::new().answer("end");
        let outcome = deployment.resume(Doer, left.world.clone(), model, resumable).go().await.unwrap();
        assert_eq!(outcome.status(), "cancelled", "{outcome:?}");
        assert_eq!(left.desk.evidence(run).executions(), ["pays in_doubt"]);
    }
}

#[tokio::test]
async fn what_had_begun_and_people_stopped_ends_without_a_doubt() {
    for action in [Action::Reject, Action::Modify(json!({"how": "well"}))] {
        let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
        // The second write makes the decision durable, the third the start of the effect.
        let (fragile, hung) = Fragile::at(&desk.store, 3, Break::After);
        let lenient = Fixed::new().allow_classification("public");
        let dying = desk.builder_on(fragile, lenient.clone(), &[&anna]).build().unwrap();
        let model = ScriptedModel::new().call("puts", json!({"how": "well"})).answer("end");
        tokio::select! {
            _ = dying.run(Doer, world.clone(), model).start() => panic!("it should hang"),
            () = hung.notified() => {}
        }
        let run = desk.store.runs()[0];
        let strict = desk.deploy(lenient.approve_tool("puts", Obligation::default()), &[&anna]);
        let model = ScriptedModel::new().answer("end");
        let outcome = strict.recover(Doer, world.clone(), model, run).go().await.unwrap();
        let waiting = super::suspended(outcome);
        let decision = anna.decides(&waiting.cases()[0], &action);
        let resumable = waiting.verify(&[decision]).unwrap();
        desk.store.request_stop(run, Stop::Operator).await.unwrap();
        let model = ScriptedModel::new().answer("end");
        let outcome = strict.resume(Doer, world.clone(), model, resumable).go().await.unwrap();
        assert_eq!(outcome.status(), "cancelled", "{outcome:?}");
        let evidence = desk.evidence(run);
        assert_eq!(evidence.attrs("run.gap", "fuze.gap.what"), ["process", "tool"]);
        assert_eq!(evidence.executions(), [""; 0]);
    }
}
