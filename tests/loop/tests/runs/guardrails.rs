//! Guardrails: in their phases, before anything goes on, and without a way to the model itself.

use std::time::Duration;

use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::model::{ModelErrorKind, Usage};
use fuze_agent::prelude::*;
use fuze_agent::store::Stop;
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, World, agent, saying};
use fuze_evidence::vocab::RunStatus;
use serde_json::json;

use super::{run, why};

/// Says a word.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn say(ctx: &Ctx<'_, World>, word: String) -> Result<String, ToolError> {
    ctx.deps().does(format!("say {word}"));
    match word.as_str() {
        "fail" => Err(ToolError::not_applied("bad failure")),
        word => Ok(word.to_owned()),
    }
}

/// Reacts to words in what it is shown.
struct Words(Phase);

#[async_trait::async_trait]
impl Guardrail for Words {
    fn name(&self) -> &'static str {
        "words"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        self.0
    }
    async fn check(&self, content: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        let has = |word: &str| content.contains(word);
        if has("bad") {
            return Ok(Verdict::Trip { reason: format!("found in: {content}") });
        }
        if has("evil") {
            return Ok(Verdict::Block { reason: "an incident".into() });
        }
        if has("unsure") {
            return Err(GuardrailError("cannot tell".into()));
        }
        if has("explode") {
            panic!("guardrail");
        }
        if has("forever") {
            std::future::pending::<()>().await;
        }
        if has("opinion") {
            return match model.ask("Is this fine?").await {
                Ok(answer) if answer == "yes" => Ok(Verdict::Pass),
                Ok(answer) => Ok(Verdict::Trip { reason: answer }),
                Err(error) => Err(error.into()),
            };
        }
        Ok(Verdict::Pass)
    }
}

agent! { Input [say] String steps 40 retries 1 tokens 1_000 guardrails: [Words(Phase::Input)], }
agent! { Results [say] String steps 40 retries 1 tokens 1_000 guardrails: [Words(Phase::ToolResult)], }
agent! { Output [say] String steps 40 retries 1 tokens 1_000 guardrails: [Words(Phase::Output)], }

struct Left {
    outcome: Outcome<String>,
    evidence: Evidence,
    world: World,
}

/// One word, met in one phase.
async fn met(phase: Phase, word: &str, opinions: &[ModelStep]) -> Left {
    let (desk, world) = (Desk::new(), World::new());
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let opine = |model: ScriptedModel| {
        opinions.iter().fold(model, |model, step| match step {
            ModelStep::Says(text) => model.text(*text),
            ModelStep::Fails => model.fail(ModelErrorKind::Refused),
            ModelStep::Stalls => model.stall(),
            ModelStep::Costs(tokens) => {
                let usage = Usage { input_tokens: Some(*tokens), output_tokens: Some(0) };
                model.respond(Ok(fuze_agent::model::ModelResponse { usage, ..saying("yes") }))
            }
        })
    };
    let model = ScriptedModel::new();
    let outcome = match phase {
        Phase::Input => {
            let model = opine(model).call("say", json!({"word": "x"})).answer("x");
            deployment.run(Input, world.clone(), model).input(word).start().await.unwrap()
        }
        Phase::ToolResult => {
            let model = opine(model.call("say", json!({ "word": word }))).answer("x");
            run(&deployment, Results, &world, model).await
        }
        Phase::Output => run(&deployment, Output, &world, opine(model.answer(word))).await,
    };
    let evidence = desk.evidence(outcome.report().run_id);
    Left { outcome, evidence, world }
}

enum ModelStep {
    Says(&'static str),
    Fails,
    Stalls,
    Costs(u64),
}

const PHASES: [Phase; 3] = [Phase::Input, Phase::ToolResult, Phase::Output];

async fn check(word: &str, status: RunStatus, outcome: &str) {
    for phase in PHASES {
        let left = met(phase, word, &[]).await;
        assert_eq!(left.outcome.status(), status.as_str(), "{phase:?} {word}: {:?}", left.outcome);
        assert_eq!(left.evidence.status(), Some(status));
        assert_eq!(left.evidence.attrs("guardrail", "fuze.guardrail.outcome"), [outcome], "{phase:?} {word}");
        assert_eq!(left.evidence.attrs("guardrail", "fuze.guardrail.phase"), [phase.name()]);
        if status != RunStatus::Completed {
            let requests = left.evidence.count("model.generate");
            assert_eq!(
                requests,
                if phase == Phase::Input { 0 } else { 1 },
                "nothing goes on: {phase:?} {word}"
            );
        }
    }
}

#[tokio::test]
async fn what_passes_goes_on() {
    check("good", RunStatus::Completed, "passed").await;
}

#[tokio::test]
async fn what_trips_ends_the_run() {
    check("bad", RunStatus::Tripwire, "tripped").await;
}

#[tokio::test]
async fn what_is_blocked_is_marked() {
    check("evil", RunStatus::Tripwire, "tripped").await;
    let left = met(Phase::Input, "evil", &[]).await;
    assert_eq!(left.evidence.attrs("guardrail", "fuze.guardrail.hard_block"), ["true"]);
}

#[tokio::test]
async fn a_guardrail_that_cannot_tell_halts() {
    check("unsure", RunStatus::Halted, "error").await;
}

#[tokio::test]
async fn a_guardrail_that_panics_halts() {
    check("explode", RunStatus::Halted, "error").await;
}

#[tokio::test(start_paused = true)]
async fn a_guardrail_that_takes_for_ever_halts() {
    check("forever", RunStatus::Halted, "error").await;
}

#[tokio::test]
async fn no_tool_runs_after_a_trip() {
    assert_eq!(met(Phase::Input, "bad", &[]).await.world.log(), [""; 0]);
}

#[tokio::test]
async fn errors_of_tools_are_looked_at_too() {
    let left = met(Phase::ToolResult, "fail", &[]).await;
    assert_eq!(left.outcome.status(), "tripwire");
}

#[tokio::test]
async fn a_guardrail_asks_the_model_and_it_is_on_record() {
    for phase in PHASES {
        let left = met(phase, "opinion", &[ModelStep::Says("yes")]).await;
        assert_eq!(left.outcome.status(), "completed", "{phase:?}: {:?}", left.outcome);
        let left = met(phase, "opinion", &[ModelStep::Says("no")]).await;
        assert_eq!(left.outcome.status(), "tripwire", "{phase:?}");
        assert!(left.evidence.said().contains("Is this fine?"), "{}", left.evidence.said());
        let left = met(phase, "opinion", &[ModelStep::Fails]).await;
        assert_eq!(left.outcome.status(), "halted", "{phase:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_keeps_a_guardrail_waiting_halts() {
    for phase in PHASES {
        let left = met(phase, "opinion", &[ModelStep::Stalls]).await;
        assert_eq!(left.outcome.status(), "halted", "{phase:?}: {:?}", left.outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_cut_off_is_on_record() {
    let (desk, world) = (Desk::new(), World::new());
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let run = deployment.run(Input, world.clone(), ScriptedModel::new().stall()).input("opinion");
    let handle = run.cancel_handle();
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop(Stop::Operator);
    };
    let (outcome, ()) = tokio::join!(run.start(), later);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status(), "cancelled");
    let evidence = desk.evidence(outcome.report().run_id);
    assert_eq!(evidence.attrs("model.generate", "fuze.model.error"), ["cancelled"]);
    assert_eq!(evidence.contents("model.generate"), [&json!({"question": "Is this fine?"})]);
}

#[tokio::test]
async fn what_a_guardrail_asks_costs_tokens() {
    let left = met(Phase::Input, "opinion", &[ModelStep::Costs(1_001)]).await;
    assert_eq!(left.outcome.status(), "budget_exceeded", "{:?}", left.outcome);
    assert!(why(&left.outcome).contains("tokens"));
    assert_eq!(left.world.log(), [""; 0]);
}

#[tokio::test]
async fn the_reason_is_redacted_before_it_is_recorded() {
    let left = met(Phase::Input, "bad anna.maier@example.eu", &[]).await;
    assert_eq!(left.outcome.status(), "tripwire");
    assert!(!left.evidence.said().contains("anna.maier"), "{}", left.evidence.said());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_guardrail() {
    let (desk, world) = (Desk::new(), World::new());
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let run = deployment.run(Input, world.clone(), ScriptedModel::new()).input("forever");
    let handle = run.cancel_handle();
    let begun = tokio::time::Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop(Stop::Operator);
    };
    let (outcome, ()) = tokio::join!(run.start(), later);
    assert_eq!(begun.elapsed().as_secs(), 1);
    assert_eq!(outcome.unwrap().status(), "cancelled");
}
