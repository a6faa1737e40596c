//! Tools that invoke tools: the same pipeline, the same limits, and nothing to catch.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use fuze_agent::prelude::*;
use fuze_agent::store::Stop;
use fuze_agent::suspend::{Action, Suspended};
use fuze_agent_loop_tests::{Desk, Evidence, Person, SHORT, World, agent, asking, person};
use fuze_evidence::vocab::RunStatus;
use serde_json::json;

use super::{run, suspended};

type PayArgs = <pay as Tool>::Args;
type ReadArgs = <read as Tool>::Args;
type DeeperArgs = <deeper as Tool>::Args;
type ApproveArgs = <approve as Tool>::Args;
type OnceArgs = <once_inside as Tool>::Args;
type StallArgs = <stalls as Tool>::Args;

/// Pays.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn pay(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("pay {amount}"));
    match amount {
        0 => Err(ToolError::new("the line went dead")),
        -1 => Err(ToolError::not_applied("nothing to pay")),
        amount => Ok(amount),
    }
}

/// Reads.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn read(ctx: &Ctx<'_, World>, at: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("read {at}"));
    Ok(at)
}

/// Pays what a person approved.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn approve(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("approve {amount}"));
    Ok(amount)
}

/// Goes deeper.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn deeper(ctx: &Ctx<'_, World>, left: i64) -> Result<i64, ToolError> {
    ctx.deps().does("deeper");
    match left {
        0 => Ok(0),
        left => ctx.invoke(deeper, DeeperArgs { left: left - 1 }).await,
    }
}

/// Stalls.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read, time_limit_ms = 60_000, grace_ms = 10)]
async fn stalls(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("stalls");
    tokio::time::sleep(Duration::from_secs(50)).await;
    ctx.deps().does("too late");
    Ok(1)
}

/// Does what the test says.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent, requests_oversight, time_limit_ms = 5_000, grace_ms = 10)]
async fn outer(ctx: &Ctx<'_, World>, how: String) -> Result<i64, ToolError> {
    let world = ctx.deps();
    world.does("outer");
    let first = world.times("outer") == 1;
    match how.as_str() {
        "pay twice" => {
            let one = ctx.invoke(pay, PayArgs { amount: 1 }).await?;
            Ok(one + ctx.invoke(pay, PayArgs { amount: 2 }).await?)
        }
        "pay 0" => ctx.invoke(pay, PayArgs { amount: 0 }).await,
        "catch" => match ctx.invoke(pay, PayArgs { amount: 7 }).await {
            Ok(n) => Ok(n),
            Err(error) => {
                world.does(format!("caught {error}"));
                Ok(-1)
            }
        },
        "pay -1" => match ctx.invoke(pay, PayArgs { amount: -1 }).await {
            Ok(n) => Ok(n),
            Err(error) => {
                world.does(format!("told {}", error.message()));
                Ok(0)
            }
        },
        "unwind" => {
            let call = std::panic::catch_unwind(AssertUnwindSafe(|| ctx.invoke(pay, PayArgs { amount: 7 })));
            let paid = call.map_err(|_| ToolError::new("unwound"))?.await;
            world.does("unwound");
            paid.or(Ok(-1))
        }
        "ignore" => {
            let asked = ctx.invoke(pay, PayArgs { amount: 7 });
            let _ = tokio::time::timeout(Duration::from_millis(1), asked).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.does("went on");
            Ok(-1)
        }
        "join" => {
            let (a, b) =
                tokio::join!(ctx.invoke(read, ReadArgs { at: 1 }), ctx.invoke(read, ReadArgs { at: 2 }));
            Ok(a? + b?)
        }
        "approve" => {
            let paid = ctx.invoke(pay, PayArgs { amount: 3 }).await?;
            let approved = ctx.invoke(approve, ApproveArgs { amount: 4 }).await?;
            Ok(paid + approved)
        }
        "approve twice" => {
            let one = ctx.invoke(approve, ApproveArgs { amount: 4 }).await?;
            let two = ctx.invoke(approve, ApproveArgs { amount: 5 }).await?;
            Ok(one * 100 + two)
        }
        "ask" => {
            ctx.invoke(pay, PayArgs { amount: 5 }).await?;
            match ctx.request_oversight("shall I?").await {
                OversightAnswer::Approved => ctx.invoke(pay, PayArgs { amount: 6 }).await,
                OversightAnswer::Rejected => Ok(-6),
            }
        }
        "ask something else" => match ctx.request_oversight(format!("shall I? {first}")).await {
            OversightAnswer::Approved => Ok(1),
            OversightAnswer::Rejected => Ok(0),
        },
        "change of mind" => {
            let amount = if first { 4 } else { 4_000_000 };
            ctx.invoke(approve, ApproveArgs { amount }).await
        }
        "ask without end" => match ctx.request_oversight("x".repeat(1 << 20)).await {
            OversightAnswer::Approved => Ok(1),
            OversightAnswer::Rejected => Ok(0),
        },
        "panic once" => {
            let paid = ctx.invoke(pay, PayArgs { amount: 8 }).await?;
            if first {
                panic!("boom");
            }
            Ok(paid)
        }
        "stall" => ctx.invoke(stalls, StallArgs {}).await,
        "once" => ctx.invoke(once_inside, OnceArgs { what: "read".into() }).await,
        other => Err(ToolError::new(format!("what is `{other}`?"))),
    }
}

/// A `once` tool that invokes.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn once_inside(ctx: &Ctx<'_, World>, what: String) -> Result<i64, ToolError> {
    ctx.deps().does("once_inside");
    match what.as_str() {
        "read" => ctx.invoke(read, ReadArgs { at: 9 }).await,
        "fails" => ctx.invoke(pay, PayArgs { amount: -1 }).await,
        _ => ctx.invoke(pay, PayArgs { amount: 9 }).await.or(Ok(-1)),
    }
}

/// Invokes what is not there.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn stranger(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("stranger");
    ctx.invoke(pay, PayArgs { amount: 1 }).await.or(Ok(-1))
}

agent! { Nest [outer, pay, read, approve, stalls, once_inside] i64 }
agent! { Deep [deeper] i64 steps 100 retries 0 tokens 100_000 max_depth: 3, }
agent! { Short [deeper] i64 steps 4 retries 0 tokens 100_000 max_depth: 50, }
agent! { Strange [stranger, read] i64 }

struct Case {
    desk: Desk,
    world: World,
    anna: Person,
    policy: Fixed,
}

impl Case {
    fn new() -> Self {
        Self::under(Fixed::new().allow_classification("public"))
    }

    fn under(policy: Fixed) -> Self {
        Self { desk: Desk::new(), world: World::new(), anna: person("anna"), policy }
    }

    fn deployment(&self) -> Deployment {
        self.desk.deploy(self.policy.clone(), &[&self.anna])
    }

    async fn start(&self, how: &str) -> Outcome<i64> {
        let model = ScriptedModel::new().call("outer", json!({ "how": how })).answer(1);
        run(&self.deployment(), Nest, &self.world, model).await
    }

    async fn resume(&self, waiting: Suspended, action: Action) -> Outcome<i64> {
        let decisions: Vec<_> = waiting.cases().iter().map(|case| self.anna.decides(case, &action)).collect();
        let resumable = waiting.verify(&decisions).unwrap();
        let model = ScriptedModel::new().answer(1);
        self.deployment().resume(Nest, self.world.clone(), model, resumable).go().await.unwrap()
    }

    fn evidence(&self) -> Evidence {
        self.desk.evidence(self.desk.store.runs()[0])
    }
}

#[tokio::test]
async fn nested_calls_are_decided_recorded_and_have_ids_of_their_own() {
    let case = Case::new();
    assert_eq!(case.start("pay twice").await.status(), "completed");
    assert_eq!(case.world.log(), ["outer", "pay 1", "pay 2"]);
    let evidence = case.evidence();
    assert_eq!(evidence.executions(), ["pay ok", "pay ok", "outer ok"]);
    assert_eq!(evidence.count("policy.evaluate"), 3);
    // Who invoked whom is on record: what is nested belongs to the step of its caller.
    let caller = evidence.records.iter().rfind(|r| r["span"] == "tool.execute").unwrap();
    let asked = evidence.records.iter().filter(|r| r["attrs"]["gen_ai.tool.name"] == "pay");
    let asked: Vec<_> =
        asked.filter(|r| r["span"] == "policy.evaluate").map(|r| &r["parentStepId"]).collect();
    assert_eq!(asked, [&caller["stepId"]; 2]);
    let ids = evidence.attrs("tool.execute", "fuze.tool.exec_id");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
}

#[tokio::test]
async fn two_at_once_work_one_after_the_other() {
    let case = Case::new();
    assert_eq!(case.start("join").await.status(), "completed");
    assert_eq!(case.world.log(), ["outer", "read 1", "read 2"]);
    assert_eq!(case.evidence().executions(), ["read ok", "read ok", "outer ok"]);
}

/// A nested call that is denied: the outer tool can do what it likes, the run is over.
async fn denied(how: &str) {
    let policy = Fixed::new().allow_classification("public").deny_tool("pay");
    let case = Case::under(policy);
    let outcome = case.start(how).await;
    assert_eq!(outcome.status(), "policy_denied", "{how}: {outcome:?}");
    assert_eq!(case.world.log(), ["outer"], "{how}");
    let evidence = case.evidence();
    assert_eq!(evidence.status(), Some(RunStatus::PolicyDenied));
    assert_eq!(evidence.decisions(), ["outer allow engine", "pay deny engine"]);
    assert_eq!(evidence.executions(), ["outer cancelled"]);
}

#[tokio::test]
async fn a_denied_nested_call_cannot_be_caught() {
    for how in ["catch", "unwind", "ignore"] {
        denied(how).await;
    }
}

#[tokio::test]
async fn a_nested_failure_is_the_callers_to_handle() {
    let case = Case::new();
    assert_eq!(case.start("pay -1").await.status(), "completed");
    assert_eq!(case.world.log(), ["outer", "pay -1", "told nothing to pay"]);
}

#[tokio::test]
async fn a_nested_call_in_doubt_ends_the_run() {
    let case = Case::new();
    let outcome = case.start("pay 0").await;
    assert_eq!(outcome.status(), "in_doubt", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "pay 0"]);
    assert_eq!(case.evidence().executions()[0], "pay in_doubt");
}

#[tokio::test]
async fn a_tool_that_the_agent_lacks_cannot_be_reached() {
    let case = Case::new();
    let model = ScriptedModel::new().call("stranger", json!({})).answer(1);
    let outcome = run(&case.deployment(), Strange, &case.world, model).await;
    assert_eq!(outcome.status(), "policy_denied", "{outcome:?}");
    assert_eq!(case.evidence().decisions(), ["stranger allow engine", "null deny not_in_agent"]);
    assert_eq!(case.world.log(), ["stranger"]);
}

#[tokio::test]
async fn depth_is_limited() {
    let case = Case::new();
    let model = ScriptedModel::new().call("deeper", json!({"left": 90})).answer(1);
    let outcome = run(&case.deployment(), Deep, &case.world, model).await;
    assert_eq!(outcome.status(), "budget_exceeded", "{outcome:?}");
    assert_eq!(case.world.times("deeper"), 4, "one and three below it");
    assert_eq!(case.evidence().decisions().last().unwrap(), "deeper deny depth_limit");
}

#[tokio::test]
async fn nested_calls_count_as_steps() {
    let case = Case::new();
    let model = ScriptedModel::new().call("deeper", json!({"left": 90})).answer(1);
    let outcome = run(&case.deployment(), Short, &case.world, model).await;
    assert_eq!(outcome.status(), "budget_exceeded", "{outcome:?}");
    assert_eq!(case.world.times("deeper"), 3, "a turn and three calls");
    assert_eq!(case.evidence().decisions().last().unwrap(), "deeper deny step_limit");
}

#[tokio::test]
async fn a_nested_approval_suspends_and_the_caller_runs_again_from_its_journal() {
    let case = Case::new();
    let waiting = suspended(case.start("approve").await);
    assert_eq!(case.world.log(), ["outer", "pay 3"]);
    assert_eq!(waiting.cases()[0].tool().as_str(), "approve");
    let outcome = case.resume(waiting, Action::Approve).await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "pay 3", "outer", "approve 4"]);
    assert_eq!(case.evidence().executions(), ["pay ok", "approve ok", "outer ok"]);
}

#[tokio::test]
async fn a_nested_rejection_is_told_to_the_caller() {
    let case = Case::new();
    let waiting = suspended(case.start("approve").await);
    let outcome = case.resume(waiting, Action::Reject).await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "pay 3", "outer"]);
    assert_eq!(case.evidence().executions(), ["pay ok", "approve rejected", "outer error"]);
}

#[tokio::test]
async fn a_nested_call_that_was_modified_stays_so_when_its_caller_runs_a_third_time() {
    let case = Case::new();
    let waiting = suspended(case.start("approve twice").await);
    let waiting = suspended(case.resume(waiting, Action::Modify(json!({"amount": 3}))).await);
    let outcome = case.resume(waiting, Action::Approve).await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "outer", "approve 3", "outer", "approve 5"]);
}

#[tokio::test]
async fn an_approval_for_one_thing_is_none_for_another() {
    let case = Case::new();
    let waiting = suspended(case.start("change of mind").await);
    let outcome = case.resume(waiting, Action::Approve).await;
    assert_eq!(outcome.status(), "policy_denied", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "outer"]);
    assert_eq!(case.evidence().decisions().last().unwrap(), "approve deny arguments_unstable");
}

async fn asked(action: Action, log: &[&str]) {
    let case = Case::new();
    let waiting = suspended(case.start("ask").await);
    assert_eq!(waiting.cases()[0].data().question.as_deref(), Some("shall I?"));
    let outcome = case.resume(waiting, action).await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(case.world.log(), log);
}

#[tokio::test]
async fn a_question_is_answered_and_what_was_paid_before_is_not_paid_again() {
    asked(Action::Approve, &["outer", "pay 5", "outer", "pay 6"]).await;
    asked(Action::Reject, &["outer", "pay 5", "outer"]).await;
}

#[tokio::test]
async fn a_question_that_changes_ends_the_run_on_record() {
    let case = Case::new();
    let waiting = suspended(case.start("ask something else").await);
    let outcome = case.resume(waiting, Action::Approve).await;
    assert_eq!(outcome.status(), "policy_denied", "{outcome:?}");
    assert_eq!(case.evidence().status(), Some(RunStatus::PolicyDenied));
}

#[tokio::test]
async fn a_question_without_end_is_not_asked() {
    let case = Case::new();
    let outcome = case.start("ask without end").await;
    assert_eq!(outcome.status(), "error", "{outcome:?}");
    assert!(super::why(&outcome).contains("1048576 bytes"), "{outcome:?}");
    assert_eq!(case.evidence().status(), Some(RunStatus::Error));
}

#[tokio::test]
async fn a_caller_that_is_repeated_finds_what_it_did_in_its_journal() {
    let case = Case::new();
    let outcome = case.start("panic once").await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "pay 8", "outer"]);
    assert_eq!(case.evidence().executions(), ["pay ok", "outer panicked", "outer ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_has_no_more_time_than_its_caller() {
    let case = Case::new();
    let before = tokio::time::Instant::now();
    let outcome = case.start("stall").await;
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    // Five seconds and the two graces, three times: the retry budget is two.
    assert!(before.elapsed() < Duration::from_secs(17), "{:?}", before.elapsed());
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(case.world.times("too late"), 0);
    assert!(
        case.evidence().executions().contains(&"stalls timeout".to_owned()),
        "{:?}",
        case.evidence().executions()
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_a_run_stops_a_nested_call() {
    let case = Case::new();
    let model = ScriptedModel::new().call("outer", json!({"how": "stall"})).answer(1);
    let run = case.deployment().run(Nest, case.world.clone(), model);
    let handle = run.cancel_handle();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop(Stop::Operator);
    };
    let (outcome, ()) = tokio::join!(run.start(), stop);
    assert_eq!(outcome.unwrap().status(), "cancelled");
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(case.world.log(), ["outer", "stalls"]);
    assert_eq!(case.evidence().executions(), ["stalls cancelled", "outer cancelled"]);
    assert_eq!(case.evidence().count("run.cancel"), 1);
}

/// Trips over what is paid, and is asynchronous about it.
struct NoSeven;

#[async_trait::async_trait]
impl fuze_agent::guardrail::Guardrail for NoSeven {
    fn name(&self) -> &'static str {
        "no-seven"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> fuze_agent::guardrail::Phase {
        fuze_agent::guardrail::Phase::ToolResult
    }
    async fn check(
        &self,
        content: &str,
        _: &fuze_agent::guardrail::GuardrailModel,
    ) -> Result<fuze_agent::guardrail::Verdict, fuze_agent::guardrail::GuardrailError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(match content {
            "7" => fuze_agent::guardrail::Verdict::Trip { reason: "seven".into() },
            _ => fuze_agent::guardrail::Verdict::Pass,
        })
    }
}

agent! { Guarded [outer, pay, read, approve, stalls, once_inside] i64 guardrails: [NoSeven], }

#[tokio::test(start_paused = true)]
async fn a_nested_result_that_trips_ends_the_run_whatever_its_caller_does() {
    let case = Case::new();
    let model = ScriptedModel::new().call("outer", json!({"how": "catch"})).answer(1);
    let outcome = run(&case.deployment(), Guarded, &case.world, model).await;
    assert_eq!(outcome.status(), "tripwire", "{outcome:?}");
    assert_eq!(case.world.log(), ["outer", "pay 7"]);
    let evidence = case.evidence();
    assert_eq!(evidence.executions(), ["pay ok", "outer cancelled"]);
    assert_eq!(evidence.count("guardrail"), 1, "nothing is looked at after the trip");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_recorded_once_though_a_guardrail_takes_its_time() {
    let case = Case::new();
    let model = ScriptedModel::new().call("outer", json!({"how": "stall"})).answer(1);
    let run = case.deployment().run(Guarded, case.world.clone(), model);
    let handle = run.cancel_handle();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop(Stop::Operator);
    };
    let (outcome, ()) = tokio::join!(run.start(), stop);
    assert_eq!(outcome.unwrap().status(), "cancelled");
    assert_eq!(case.evidence().count("run.cancel"), 1);
}

#[tokio::test]
async fn inside_a_once_tool_nothing_waits_whatever_the_policy_says() {
    let policy = Fixed::new().allow_classification("public").approve_tool("pay", Obligation::default());
    let case = Case::under(policy);
    let model = ScriptedModel::new().respond(Ok(asking(&[("once_inside", "{\"what\":\"pay\"}")]))).answer(1);
    let outcome = run(&case.deployment(), Nest, &case.world, model).await;
    // The policy ended it, and a person must find out what had been done: that is what its end says.
    assert_eq!(outcome.status(), "in_doubt", "{outcome:?}");
    assert!(format!("{outcome:?}").contains("policy_denied"), "{outcome:?}");
    assert_eq!(case.world.log(), ["once_inside"]);
    // It had begun, and whether it did something is not known.
    assert_eq!(case.evidence().executions(), ["once_inside in_doubt"]);
}

#[tokio::test]
async fn that_a_nested_call_was_not_applied_does_not_say_it_of_its_caller() {
    let case = Case::new();
    let model = ScriptedModel::new().call("once_inside", json!({"what": "fails"})).answer(1);
    let outcome = run(&case.deployment(), Nest, &case.world, model).await;
    assert_eq!(outcome.status(), "suspended", "{outcome:?}");
    assert_eq!(case.evidence().executions(), ["pay not_applied", "once_inside in_doubt"]);
}

#[tokio::test]
async fn inside_a_once_tool_what_never_waits_runs() {
    let case = Case::new();
    assert_eq!(case.start("once").await.status(), "completed");
    assert_eq!(case.world.log(), ["outer", "once_inside", "read 9"]);
}
