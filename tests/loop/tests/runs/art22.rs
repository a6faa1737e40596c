//! GDPR Art. 22: which human decision lets a run's answer out.

use fuze_agent::law::residency::Eu;
use fuze_agent::model::{Message, Model, ModelError, ModelIdentity, ModelRequest, ModelResponse};
use fuze_agent::prelude::*;
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, World, asking, person, saying};
use fuze_evidence::vocab::RunStatus;
use serde_json::{Value, json};

/// Judges. The line goes dead at 0; nothing is done below it.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), needs_approval = always,
)]
async fn judge(ctx: &Ctx<'_, World>, verdict: i64) -> Result<i64, ToolError> {
    match verdict {
        ..0 => Err(ToolError::not_applied("the court is closed")),
        0 => Err(ToolError::new("the line went dead")),
        _ => {
            ctx.deps().does(format!("judge {verdict}"));
            Ok(verdict)
        }
    }
}

type JudgeArgs = <judge as Tool>::Args;

/// Judges by itself, and may do so twice.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), effect = idempotent,
)]
async fn rule(ctx: &Ctx<'_, World>, verdict: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("rule {verdict}"));
    Ok(verdict)
}

/// Reads a file, which the policy lets nobody do unasked.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), effect = read,
)]
async fn read(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("read");
    Ok(1)
}

/// Proposes a verdict: what people decide by.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), effect = read, needs_approval = always,
)]
async fn propose(ctx: &Ctx<'_, World>, verdict: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("propose {verdict}"));
    Ok(verdict)
}

/// Asks for a verdict, and forgets it when it runs again.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), effect = read,
)]
async fn forgets(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("forgets");
    match ctx.deps().times("forgets") {
        1 => ctx.invoke(judge, JudgeArgs { verdict: 3 }).await,
        _ => Ok(0),
    }
}

/// Asks a person something.
#[tool(
    classification = personal, lawful_bases = [contract], residency = eu, retention = SHORT,
    threat_boundary(egress = none), effect = read, requests_oversight,
)]
async fn ask(ctx: &Ctx<'_, World>) -> Result<bool, ToolError> {
    Ok(matches!(ctx.request_oversight("Is this well?").await, OversightAnswer::Approved))
}

define_agent! {
    /// Decides about people.
    Court {
        purpose: "testing",
        instructions: "Decide.",
        lawful_basis: contract,
        annex_iii: none,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "plan.v1", training: "test-2026" },
        model_residency: eu,
        retention: fuze_agent_loop_tests::SHORT,
        tools: [judge, rule, read, propose, ask, forgets],
        deps: World,
        output: i64,
        max_steps: 20,
        retry_budget: 1,
        token_budget: 100_000,
    }
}

/// Asks for one call after the other, by how far the history goes; then answers by itself.
struct ByHistory(Vec<(String, Value)>);

#[async_trait::async_trait]
impl Model for ByHistory {
    type Residency = Eu;
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "test".into(), model: "by-history".into(), snapshot: "1".into() }
    }
    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        let turn = request.messages.iter().filter(|said| matches!(said, Message::Assistant { .. })).count();
        Ok(self.0.get(turn).map_or_else(|| saying("7"), |(tool, args)| asking(&[(tool, &args.to_string())])))
    }
}

/// One call after the other, each with what people say about it in turn; then the model answers by itself.
async fn ends(calls: &[(&str, Value, &[Action])]) -> (Outcome<i64>, Evidence) {
    let (desk, world, anna) = (Desk::new(), World::new(), person("anna"));
    let policy = Fixed::new().allow_classification("personal").approve_tool("read", Obligation::default());
    let deployment = desk.deploy(policy, &[&anna]);
    let plan = || ByHistory(calls.iter().map(|(tool, args, _)| ((*tool).to_owned(), args.clone())).collect());
    let mut said = calls.iter().flat_map(|(_, _, actions)| actions.iter());
    let run = deployment.run(Court, world.clone(), plan()).principal("p").subject("someone");
    let mut outcome = run.start().await.unwrap();
    while let Outcome::Suspended { suspended, .. } = outcome {
        let decision = anna.decides(&suspended.cases()[0], said.next().expect("a case too many"));
        let resumable = suspended.verify(&[decision]).unwrap();
        outcome = deployment.resume(Court, world.clone(), plan(), resumable).go().await.unwrap();
    }
    assert_eq!(said.next(), None, "a case too few");
    let evidence = desk.evidence(outcome.report().run_id);
    (outcome, evidence)
}

async fn released(calls: &[(&str, Value, &[Action])]) {
    let (outcome, evidence) = ends(calls).await;
    assert_eq!(outcome.status(), "completed", "{calls:?}: {outcome:?}");
    assert_eq!(evidence.attrs("run.close", "fuze.run.missing_oversight"), ["false"]);
    assert_eq!(outcome.output(), Some(7));
}

async fn withheld(calls: &[(&str, Value, &[Action])]) {
    let (outcome, evidence) = ends(calls).await;
    assert_eq!(evidence.status(), Some(RunStatus::OversightMissing), "{calls:?}: {outcome:?}");
    assert_eq!(evidence.attrs("run.close", "fuze.run.missing_oversight"), ["true"]);
    assert!(format!("{outcome:?}").contains("Art. 22(3)"), "{outcome:?}");
    assert_eq!(outcome.output(), None);
}

fn verdict(verdict: i64) -> Value {
    json!({ "verdict": verdict })
}

#[tokio::test]
async fn an_answer_rests_on_a_call_that_a_person_approved_and_that_was_done() {
    released(&[("judge", verdict(1), &[Action::Approve])]).await;
    released(&[("judge", verdict(1), &[Action::Modify(verdict(2))])]).await;
    released(&[("rule", verdict(1), &[Action::Approve])]).await;
    // A tool that reads counts where it is declared as what people decide by.
    released(&[("propose", verdict(1), &[Action::Approve])]).await;
}

#[tokio::test]
async fn after_a_rejection_the_model_does_not_answer_by_itself() {
    withheld(&[("judge", verdict(1), &[Action::Reject])]).await;
    withheld(&[("judge", verdict(1), &[Action::Approve]), ("judge", verdict(2), &[Action::Reject])]).await;
    withheld(&[("judge", verdict(1), &[Action::Approve]), ("read", json!({}), &[Action::Reject])]).await;
    // Unless a person then approves something else.
    released(&[("judge", verdict(1), &[Action::Reject]), ("judge", verdict(2), &[Action::Approve])]).await;
}

#[tokio::test]
async fn what_was_approved_and_did_not_happen_is_nobodys_decision() {
    withheld(&[("judge", verdict(-1), &[Action::Approve])]).await;
    withheld(&[("judge", verdict(1), &[Action::Approve]), ("judge", verdict(-1), &[Action::Approve])]).await;
}

#[tokio::test]
async fn what_a_tool_asked_for_and_then_forgot_was_refused_or_did_not_happen() {
    for action in [Action::Reject, Action::Approve, Action::Modify(verdict(4))] {
        withheld(&[("judge", verdict(1), &[Action::Approve]), ("forgets", json!({}), &[action])]).await;
    }
}

#[tokio::test]
async fn to_find_out_whether_something_happened_is_not_to_decide() {
    let done = [Action::Approve, Action::Done(json!(1))];
    released(&[("judge", verdict(0), &done)]).await;
    withheld(&[("judge", verdict(0), &[Action::Approve, Action::NotDone])]).await;
}

#[tokio::test]
async fn neither_an_answer_to_a_tool_nor_leave_to_look_is_a_decision() {
    withheld(&[]).await;
    withheld(&[("ask", json!({}), &[Action::Approve])]).await;
    withheld(&[("read", json!({}), &[Action::Approve])]).await;
    // And neither takes anything from one that was made.
    released(&[
        ("judge", verdict(1), &[Action::Approve]),
        ("ask", json!({}), &[Action::Reject]),
        ("read", json!({}), &[Action::Approve]),
    ])
    .await;
}
