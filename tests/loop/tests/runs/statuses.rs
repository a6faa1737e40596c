//! Every way in which a run can end, and what each leaves.

use std::sync::Arc;

use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::model::{ModelErrorKind, Usage};
use fuze_agent::prelude::*;
use fuze_agent::testing::MemoryStore;
use fuze_agent_loop_tests::{Desk, SHORT, World, agent, asking, person, saying};
use fuze_evidence::sink::{JsonlSink, MemorySink};
use fuze_evidence::vocab::RunStatus;
use serde_json::json;

use super::{run, why};

/// Looks something up.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
pub(crate) async fn look(ctx: &Ctx<'_, World>, at: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("look {at}"));
    Ok(at)
}

/// Changes something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
pub(crate) async fn change(ctx: &Ctx<'_, World>, to: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("change {to}"));
    match to {
        0 => Err(ToolError::new("the line went dead")),
        _ => Ok(to),
    }
}

agent! { Both [look, change] i64 }
agent! { Brief [look] i64 steps 3 retries 0 tokens 1000 }
agent! { Chatty [look] i64 guardrails: [Curious], }
agent! { Timed [look] i64 steps 50 retries 9 tokens 1000 run_time_limit_ms: 10_000, model_time_limit_ms: 4_000, }

define_agent! {
    /// Decides alone, and may not.
    pub(crate) Judge {
        purpose: "testing",
        instructions: "Decide.",
        lawful_basis: contract,
        annex_iii: none,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "plan.v1", training: "test-2026" },
        model_residency: eu,
        retention: fuze_agent_loop_tests::SHORT,
        tools: [judge],
        deps: World,
        output: i64,
        max_steps: 10,
        retry_budget: 1,
        token_budget: 10_000,
    }
}

/// Judges.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), needs_approval = always,
)]
pub(crate) async fn judge(ctx: &Ctx<'_, World>, verdict: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("judge {verdict}"));
    Ok(verdict)
}

fn allow() -> Fixed {
    Fixed::new().allow_classification("public").allow_classification("personal")
}

/// Runs `Both` and checks how it ended, what it recorded and what it did.
async fn check(policy: Fixed, model: ScriptedModel, status: RunStatus, spans: &[&str], done: &[&str]) {
    let (desk, world) = (Desk::new(), World::new());
    let outcome = run(&desk.deploy(policy, &[]), Both, &world, model).await;
    assert_eq!(outcome.status(), status.as_str(), "{outcome:?}");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.status(), Some(status));
    assert_eq!(evidence.spans(), spans);
    assert_eq!(world.log(), done);
}

#[tokio::test]
async fn completed() {
    let model = ScriptedModel::new().call("look", json!({"at": 1})).answer(1);
    let spans =
        ["agent.invoke", "model.generate", "policy.evaluate", "tool.execute", "model.generate", "run.close"];
    check(allow(), model, RunStatus::Completed, &spans, &["look 1"]).await;
}

#[tokio::test]
async fn policy_denied_ends_the_run_before_any_call_of_the_turn() {
    let model = ScriptedModel::new().calls(&[("look", json!({"at": 1})), ("change", json!({"to": 1}))]);
    let policy = Fixed::new().allow_tool("look").deny_tool("change");
    let spans = ["agent.invoke", "model.generate", "policy.evaluate", "policy.evaluate", "run.close"];
    check(policy, model, RunStatus::PolicyDenied, &spans, &[]).await;
}

#[tokio::test]
async fn in_doubt_without_anybody_to_ask() {
    let model = ScriptedModel::new().call("change", json!({"to": 0})).answer(1);
    let spans = ["agent.invoke", "model.generate", "policy.evaluate", "tool.execute", "run.close"];
    check(allow(), model, RunStatus::InDoubt, &spans, &["change 0"]).await;
}

#[tokio::test]
async fn error_of_the_model() {
    let model = ScriptedModel::new().fail(ModelErrorKind::Refused);
    check(allow(), model, RunStatus::Error, &["agent.invoke", "model.generate", "run.close"], &[]).await;
}

#[tokio::test]
async fn cancelled_before_anything() {
    let (desk, world) = (Desk::new(), World::new());
    let run = desk.deploy(allow(), &[]).run(Both, world.clone(), ScriptedModel::new().answer(1));
    run.cancel_handle().stop(fuze_agent::store::Stop::Operator);
    let outcome = run.start().await.unwrap();
    assert_eq!(outcome.status(), "cancelled");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.spans(), ["agent.invoke", "run.cancel", "run.close"]);
}

async fn budget(model: ScriptedModel, spans: usize, word: &str) {
    let (desk, world) = (Desk::new(), World::new());
    let outcome = run(&desk.deploy(allow(), &[]), Brief, &world, model).await;
    assert_eq!(outcome.status(), "budget_exceeded", "{outcome:?}");
    assert!(why(&outcome).contains(word), "{outcome:?}");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.status(), Some(RunStatus::BudgetExceeded));
    assert_eq!(evidence.count("tool.execute"), spans);
}

#[tokio::test]
async fn budget_of_steps_counts_turns_and_calls() {
    // Turn, call, turn: the fourth step, a call, is one too many.
    budget(ScriptedModel::new().repeat("look", json!({"at": 1}), 9), 1, "steps").await;
}

#[tokio::test]
async fn budget_of_tokens() {
    let mut dear = asking(&[("look", r#"{"at":1}"#)]);
    dear.usage.input_tokens = Some(990);
    dear.usage.output_tokens = Some(11);
    budget(ScriptedModel::new().respond(Ok(dear)), 0, "tokens").await;
}

/// How a run of one call ends whose model counts, or does not, what it reads.
async fn of_input(bytes: usize, counted: Option<u64>) -> Outcome<i64> {
    let answer = |mut answer: fuze_agent::model::ModelResponse| {
        answer.usage = Usage { input_tokens: counted, output_tokens: Some(1) };
        Ok(answer)
    };
    let model =
        ScriptedModel::new().respond(answer(asking(&[("look", r#"{"at":1}"#)]))).respond(answer(saying("1")));
    let desk = Desk::new();
    let run = desk.deploy(allow(), &[]).run(Brief, World::new(), model).input("x".repeat(bytes));
    run.start().await.unwrap()
}

#[tokio::test]
async fn where_the_provider_does_not_count_four_bytes_read_are_a_token() {
    assert_eq!(of_input(4_000, Some(9)).await.status(), "completed");
    assert_eq!(of_input(4, None).await.status(), "completed");
    for bytes in [4_000, 2_000] {
        // 1000 tokens at once, or 500 in each of two requests, and the instructions and tools beside them.
        let outcome = of_input(bytes, None).await;
        assert_eq!(outcome.status(), "budget_exceeded", "{bytes}: {outcome:?}");
        assert!(why(&outcome).contains("tokens"), "{outcome:?}");
        let steps = outcome.report().timeline.events().iter().filter(|event| event.span == "model.generate");
        assert_eq!(steps.count(), if bytes == 4_000 { 1 } else { 2 }, "{bytes}");
    }
}

/// What the model said itself, it reads again at its next turn.
#[tokio::test]
async fn what_was_said_is_read_again() {
    for (bytes, status) in [(40, "completed"), (4_000, "budget_exceeded")] {
        let mut first = asking(&[("look", r#"{"at":1}"#)]);
        first.text = Some("y".repeat(bytes));
        first.usage.output_tokens = Some(1);
        let (desk, world) = (Desk::new(), World::new());
        let model = ScriptedModel::new().respond(Ok(first)).answer(1);
        let outcome = run(&desk.deploy(allow(), &[]), Brief, &world, model).await;
        assert_eq!(outcome.status(), status, "{bytes}: {outcome:?}");
        assert_eq!(world.log(), ["look 1"], "the first turn was within the budget");
    }
}

/// What waits for people is counted again when the run goes on.
#[tokio::test]
async fn a_resumed_run_counts_what_was_said_before() {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    for (bytes, status) in [(4, "completed"), (40_000, "budget_exceeded")] {
        let deployment = desk.deploy(allow(), &[&anna]);
        let mut first = asking(&[("judge", r#"{"verdict":1}"#)]);
        first.usage.input_tokens = Some(1);
        let model = ScriptedModel::new().respond(Ok(first));
        let run = deployment.run(Judge, world.clone(), model).subject("someone").input("x".repeat(bytes));
        let waiting = super::suspended(run.start().await.unwrap());
        let decision = anna.decides(&waiting.cases()[0], &fuze_agent::suspend::Action::Approve);
        let resumable = waiting.verify(&[decision]).unwrap();
        let model = ScriptedModel::new().answer(1);
        let outcome = deployment.resume(Judge, world.clone(), model, resumable).go().await.unwrap();
        assert_eq!(outcome.status(), status, "{bytes}: {outcome:?}");
    }
}

/// Asks the model as much as it is told to.
struct Curious;

#[async_trait::async_trait]
impl Guardrail for Curious {
    fn name(&self) -> &'static str {
        "curious"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::Input
    }
    async fn check(&self, content: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        model.ask("x".repeat(content.len() * 1000)).await?;
        Ok(Verdict::Pass)
    }
}

#[tokio::test]
async fn a_guardrails_question_is_counted_too() {
    // Of 100 000 tokens.
    for (thousands, status) in [(1, "completed"), (401, "budget_exceeded")] {
        let desk = Desk::new();
        let model = ScriptedModel::new().text("yes").answer(1);
        let run = desk.deploy(allow(), &[]).run(Chatty, World::new(), model).input("x".repeat(thousands));
        let outcome = run.start().await.unwrap();
        assert_eq!(outcome.status(), status, "{thousands}: {outcome:?}");
        assert_eq!(desk.evidence(outcome.report().run_id).count("model.generate"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn budget_of_time_though_retries_are_left() {
    let (desk, world) = (Desk::new(), World::new());
    let model = ScriptedModel::new().stall().stall().stall().stall().stall().stall().stall().stall().stall();
    let outcome = run(&desk.deploy(allow(), &[]), Timed, &world, model).await;
    assert_eq!(outcome.status(), "budget_exceeded", "{outcome:?}");
    assert!(why(&outcome).contains("time"), "{outcome:?}");
    let evidence = desk.evidence(outcome.report().run_id);
    assert!(evidence.attrs("model.generate", "fuze.model.error").iter().all(|e| e == "timeout"));
}

#[tokio::test]
async fn oversight_missing() {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    let deployment = desk.deploy(allow(), &[&anna]);
    let run = deployment.run(Judge, world.clone(), ScriptedModel::new().answer(1)).subject("someone");
    let outcome = run.start().await.unwrap();
    assert_eq!(outcome.status(), "oversight_missing");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.status(), Some(RunStatus::OversightMissing));
    assert_eq!(evidence.attrs("run.close", "fuze.run.missing_oversight"), ["true"]);
}

#[tokio::test]
async fn refused_starts_are_on_record() {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    let sink = MemorySink::new();
    let without_store = Deployment::with_sink("test.example", desk.keys(), allow(), Arc::new(sink.clone()))
        .overseers(fuze_agent::suspend::OverseerRegistry::new().with(anna.entry()).unwrap())
        .build()
        .unwrap();
    let run = without_store.run(Judge, world.clone(), ScriptedModel::new().answer(1)).subject("someone");
    let outcome = run.start().await.unwrap();
    assert!(why(&outcome).contains("without a store"), "{outcome:?}");
    let left = sink.run(outcome.report().run_id).unwrap();
    assert!(String::from_utf8_lossy(&left.records).contains(r#""fuze.run.refusal":"store_missing""#));

    let run = desk.deploy(allow(), &[]).run(Judge, world.clone(), ScriptedModel::new().answer(1));
    let outcome = run.subject("someone").start().await.unwrap();
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.spans(), ["agent.invoke", "run.close"]);
    assert_eq!(evidence.attrs("agent.invoke", "fuze.run.refusal"), ["registry_missing"]);
}

#[tokio::test]
async fn a_file_is_evidence_too() {
    let (desk, world, dir) = (Desk::new(), World::new(), tempfile::tempdir().unwrap());
    let sink = Arc::new(JsonlSink::new(dir.path()));
    let deployment =
        Deployment::with_sink("test.example", desk.keys(), allow(), sink.clone()).build().unwrap();
    let model = ScriptedModel::new().call("change", json!({"to": 3})).answer(3);
    let outcome = run(&deployment, Both, &world, model).await;
    assert_eq!(outcome.status(), "completed");
    let place = sink.run_directory(outcome.report().run_id);
    let files = ["records.jsonl", "roots.jsonl", "content.jsonl", "keys.jsonl"]
        .map(|name| (name, std::fs::read(place.join(name)).unwrap()));
    let evidence = fuze_agent_loop_tests::Evidence::read(&desk, &files);
    assert_eq!(evidence.executions(), ["change ok"]);
}

#[tokio::test]
async fn without_a_store_a_call_that_is_in_doubt_ends_the_run_so() {
    let (desk, world, sink) = (Desk::new(), World::new(), MemorySink::new());
    let deployment =
        Deployment::with_sink("test.example", desk.keys(), allow(), Arc::new(sink)).build().unwrap();
    let outcome = run(&deployment, Both, &world, ScriptedModel::new().call("change", json!({"to": 0}))).await;
    assert_eq!(outcome.status(), "in_doubt");
}

/// A sink that fails at its `nth` batch, or panics.
struct Leaky {
    inner: MemorySink,
    left: std::sync::atomic::AtomicU32,
    panics: bool,
}

#[async_trait::async_trait]
impl fuze_evidence::sink::Sink for Leaky {
    fn identity(&self) -> fuze_evidence::Name {
        self.inner.identity()
    }
    async fn append(
        &self,
        batch: &fuze_evidence::sink::SinkBatch,
        durable: bool,
    ) -> Result<(), fuze_evidence::sink::SinkError> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            assert!(!self.panics, "the sink panics");
            return Err(fuze_evidence::sink::SinkError::Other("no space left".into()));
        }
        self.inner.append(batch, durable).await
    }
}

#[tokio::test]
async fn a_sink_that_fails_halts_the_run_and_nothing_happens_off_the_record() {
    for panics in [false, true] {
        let mut completed = 0;
        for left in 0..16 {
            let (desk, world, inner) = (Desk::new(), World::new(), MemorySink::new());
            let sink = Leaky { inner: inner.clone(), left: left.into(), panics };
            let deployment =
                Deployment::with_sink("test.example", desk.keys(), allow(), Arc::new(sink)).build().unwrap();
            let model = ScriptedModel::new()
                .calls(&[("look", json!({"at": 1})), ("change", json!({"to": 1}))])
                .call("change", json!({"to": 2}))
                .answer(1);
            let outcome = run(&deployment, Both, &world, model).await;
            if outcome.status() == "completed" {
                completed += 1;
                continue;
            }
            assert!(matches!(outcome, Outcome::Halted { .. }), "{left}: {outcome:?}");
            let word = if panics { "panicked" } else { "no space left" };
            assert!(why(&outcome).contains(word), "{left}: {outcome:?}");
            let on_record = inner.run(outcome.report().run_id).unwrap_or_default();
            let records = String::from_utf8(on_record.records).unwrap();
            let allowed =
                records.lines().filter(|line| line.contains(r#""fuze.policy.decision":"allow""#)).count();
            assert!(world.log().len() <= allowed, "{left}: {:?} of {allowed} decisions", world.log());
            assert!(!records.contains("run.close"), "{left}");
        }
        assert!(completed > 0, "no batch is left that could fail");
    }
}

/// Looks into the store while it runs.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn peek(ctx: &Ctx<'_, MemoryStore>) -> Result<bool, ToolError> {
    let store = ctx.deps();
    let records = store.records(store.runs()[0]);
    Ok(records.iter().any(|line| String::from_utf8_lossy(line).contains(r#""fuze.policy.decision":"allow""#)))
}

define_agent! {
    /// Peeks.
    Peeper {
        purpose: "testing", instructions: "Peek.", lawful_basis: contract, annex_iii: none, art22: none,
        oversight: none, model_residency: eu, retention: SHORT, tools: [peek], deps: MemoryStore, output: i64,
        max_steps: 10, retry_budget: 1, token_budget: 10_000,
    }
}

#[tokio::test]
async fn what_was_decided_is_durable_before_even_a_read() {
    let desk = Desk::new();
    let model = Arc::new(ScriptedModel::new().keeping().call("peek", json!({})).answer(1));
    let run = desk.deploy(allow(), &[]).run(Peeper, desk.store.clone(), model.clone());
    assert_eq!(run.start().await.unwrap().status(), "completed");
    let seen = serde_json::to_value(model.seen()).unwrap();
    assert_eq!(seen[1][2]["content"], "true");
}

#[tokio::test]
async fn two_deployments_share_a_store_of_many_runs() {
    let (desk, world) = (Desk::new(), World::new());
    let deployment = desk.deploy(allow(), &[]);
    for at in 0..3 {
        let model = ScriptedModel::new().call("look", json!({"at": at})).answer(at);
        assert_eq!(run(&deployment, Both, &world, model).await.output(), Some(at));
    }
    let store: &MemoryStore = &desk.store;
    assert_eq!(store.runs().len(), 3);
    for id in store.runs() {
        assert_eq!(desk.evidence(id).status(), Some(RunStatus::Completed));
    }
}
