//! Policy: an engine that cannot answer, a rule that names nothing and a fact that the model wrote never allow.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fuze_agent::RunError;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict as Found};
use fuze_agent::prelude::*;
use fuze_agent::suspend::{Action, DecisionError, Problem};
use fuze_agent_museum::office::{
    Deps, KEPT, Office, Place, World, look, note, office_rules, pay, waiting, work,
};
use fuze_policy::{
    Decision, Engine, EngineError, EngineIdentity, Permissive, Policy, RemoteEngine, Request, RuleId, Verdict,
};
use serde_json::json;

use crate::rows::proof;

type Rule = fn(&Request<'_>) -> Result<Decision, EngineError>;

/// An engine of one rule, that keeps the arguments it was asked about.
#[derive(Clone)]
pub struct Asked {
    rule: Rule,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Asked {
    pub fn new(rule: Rule) -> Self {
        Self { rule, seen: Arc::default() }
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Engine for Asked {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: "asked/1".into(), bundle_hash: [7; 32], permissive: false }
    }

    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError> {
        let said = format!(
            "{} {} {}",
            request.tool.name,
            request.tool.classification,
            std::str::from_utf8(request.call.args).unwrap()
        );
        self.seen.lock().unwrap().push(said);
        (self.rule)(request).map(|decision| Verdict::new(decision, RuleId::new("museum")))
    }
}

/// An engine elsewhere.
struct Elsewhere(Answer);

/// What it answers, if at all.
type Answer = fn() -> Option<Result<Decision, EngineError>>;

#[async_trait]
impl RemoteEngine for Elsewhere {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: "elsewhere/1".into(), bundle_hash: [8; 32], permissive: false }
    }

    fn time_limit(&self) -> Duration {
        Duration::from_millis(50)
    }

    async fn decide(&self, _: &Request<'_>) -> Result<Verdict, EngineError> {
        match (self.0)() {
            None => std::future::pending().await,
            Some(answer) => answer.map(|decision| Verdict::new(decision, RuleId::new("elsewhere"))),
        }
    }
}

/// Trips where it is put, at a word.
struct Wire(Phase, &'static str);

#[async_trait]
impl Guardrail for Wire {
    fn name(&self) -> &'static str {
        "wire"
    }

    fn version(&self) -> &'static str {
        "1"
    }

    fn phase(&self) -> Phase {
        self.0
    }

    async fn check(&self, content: &str, _: &GuardrailModel) -> Result<Found, GuardrailError> {
        Ok(match content.contains(self.1) {
            true => Found::Trip { reason: format!("found {}", self.1) },
            false => Found::Pass,
        })
    }
}

define_agent! {
    /// Works behind three wires.
    Guarded {
        purpose: "office-work",
        instructions: "Work.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [look, note, pay],
        deps: Deps,
        output: String,
        max_steps: 12,
        retry_budget: 1,
        token_budget: 10_000,
        guardrails: [
            Wire(Phase::Input, "bad input"),
            Wire(Phase::ToolResult, "poison"),
            Wire(Phase::ToolResult, "paid 66"),
            Wire(Phase::Output, "leak")
        ],
    }
}

fn guarded_rules() -> Fixed {
    Fixed::new().allow_tool("look").allow_tool("note").allow_tool("pay")
}

/// openai-agents-python #889 and #991: the input guardrail ran beside the agent, so that tools had run when its tripwire
/// fired. Here guardrails run in the driver, in order: the model is not asked before the input has passed, and the call
/// after a result that trips is never begun.
#[tokio::test]
async fn row_12_no_tool_runs_after_a_tripwire() {
    let place = Place::new();
    let deployment = place.deployment(guarded_rules());
    let begin = async |input: &str, model: Arc<ScriptedModel>, world: &Deps| {
        let run = deployment.run(Guarded, world.clone(), model).tenant("acme").principal("clerk-1");
        run.input(input).start().await.unwrap()
    };
    let world = World::new();
    let model = Arc::new(ScriptedModel::new().call("note", json!({"text": "x"})).answer("ok").keeping());
    let outcome = begin("a bad input", model.clone(), &world).await;
    assert_eq!(outcome.status(), "tripwire");
    assert!(model.seen().is_empty());
    assert!(world.log().is_empty());

    let calls = [("look", json!({"what": "poison"})), ("note", json!({"text": "after"}))];
    let model = Arc::new(ScriptedModel::new().calls(&calls).answer("ok").keeping());
    let outcome = begin("go", model.clone(), &world).await;
    assert_eq!(outcome.status(), "tripwire");
    assert_eq!(world.log(), ["look poison"]);
    assert_eq!(model.seen().len(), 1, "the model saw what tripped");

    let outcome = begin("go", Arc::new(ScriptedModel::new().answer("a leak")), &world).await;
    assert_eq!(outcome.status(), "tripwire");
    let run = outcome.report().run_id;
    assert_eq!(place.spans(run, "guardrail").last().unwrap()["fuze.guardrail.tripped"], true);
    assert!(place.verify(run).unwrap().is_sound());
}

/// omnigent#536: the policy hook timed out, and the call went through. Here an engine's error is no decision: the gate has
/// nothing to mint a permit from, and the run halts with the error on record. The gate, not the engine, keeps the time.
#[tokio::test(start_paused = true)]
async fn row_13_an_engine_that_does_not_answer_halts_the_run() {
    let answers: [Answer; 3] = [
        || None,
        || Some(Err(EngineError::Unreachable("refused".into()))),
        || Some(Err(EngineError::Evaluation("\"5000\" > 1000".into()))),
    ];
    for answer in answers {
        let (place, world) = (Place::new(), World::new());
        let deployment = place.deployment(Policy::remote(Elsewhere(answer)));
        let model = ScriptedModel::new().call("note", json!({"text": "x"})).answer("done");
        let outcome = work(&deployment, &world, model).await;
        assert_eq!(outcome.status(), "halted");
        assert!(world.log().is_empty());
        let decided = place.spans(outcome.report().run_id, "policy.evaluate");
        assert_eq!(decided[0]["fuze.policy.decision"], "error");
        assert_eq!(decided[0]["fuze.policy.engine_error"], true);
    }
}

/// hedera-agent-kit-py#339: the policy named a tool that the kit called otherwise, and so never applied. Here a rule that
/// names a tool the agent lacks refuses the start, a class of data that does not exist halts the first decision, and what
/// no rule names is denied.
#[tokio::test]
async fn row_14_a_misspelt_rule_is_not_a_silent_no_op() {
    let (place, world) = (Place::new(), World::new());
    let model = || ScriptedModel::new().call("note", json!({"text": "x"})).answer("done");
    let misspelt = Fixed::new().allow_classification("confidential").deny_tool("notes");
    let outcome = work(&place.deployment(misspelt), &world, model()).await;
    assert_eq!(outcome.status(), "error");
    let opened = place.spans(outcome.report().run_id, "agent.invoke");
    assert_eq!(opened[0]["fuze.run.outcome"], "refused");

    let no_class = Fixed::new().allow_tool("note").deny_classification("confidental");
    assert_eq!(work(&place.deployment(no_class), &world, model()).await.status(), "halted");
    let none = Fixed::new().allow_tool("look");
    assert_eq!(work(&place.deployment(none), &world, model()).await.status(), "policy_denied");
    assert!(world.log().is_empty());
}

/// Fuze TS, its loop: an effect that the code did not know, `EFFECT_DENIED`, ran the tool. Here a decision is one of three
/// and every reader of it is exhaustive; an engine that reads something else has only an error to return, and that halts.
#[tokio::test]
async fn row_20_an_unknown_effect_is_not_an_allow() {
    proof("attack/decision_as_permit.rs", 10);
    let (place, world) = (Place::new(), World::new());
    let unknown: Rule = |_| Err(EngineError::Malformed("effect `EFFECT_DENIED`".into()));
    let model = ScriptedModel::new().call("note", json!({"text": "x"})).answer("done");
    let outcome = work(&place.deployment(Asked::new(unknown)), &world, model).await;
    assert_eq!(outcome.status(), "halted");
    assert!(world.log().is_empty());
    assert!(place.verify(outcome.report().run_id).unwrap().is_sound());
}

/// Reads a patient's file.
#[tool(
    classification = special_category, art9_basis = explicit_consent, lawful_bases = [consent], residency = eu,
    retention = KEPT, threat_boundary(egress = none), effect = read,
)]
async fn patient(
    ctx: &Ctx<'_, Deps>,
    classification: String,
    residency: String,
) -> Result<String, ToolError> {
    ctx.deps().did(format!("patient {classification} {residency}"));
    Ok("file".to_owned())
}

define_agent! {
    /// Reads patients' files.
    Ward {
        purpose: "care",
        instructions: "Read.",
        lawful_basis: consent,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: KEPT,
        tools: [patient],
        deps: Deps,
        output: String,
        max_steps: 6,
        retry_budget: 0,
        token_budget: 10_000,
    }
}

/// Fuze TS, its Cerbos adapter: the model's arguments were merged into the attributes of the resource, so that
/// `tier: "eu-sovereign"` in them unlocked a special-category tool. Here the facts of a tool come from its declaration and
/// stand in a struct of their own; arguments are octets beside them, and a member that the tool does not know is refused.
#[tokio::test]
async fn row_21_arguments_are_no_attributes() {
    let (place, world) = (Place::new(), World::new());
    let only_public: Rule = |request| {
        let public = request.tool.classification == "public" && request.tool.residency == "eu";
        Ok(if public { Decision::Allow } else { Decision::Deny })
    };
    let engine = Asked::new(only_public);
    let deployment = place.deployment(engine.clone());
    let start = async |args: serde_json::Value| {
        let model = ScriptedModel::new().call("patient", args).answer("done");
        let run = deployment.run(Ward, world.clone(), model).tenant("acme").principal("nurse-1");
        run.subject("patient 9").start().await.unwrap()
    };
    let outcome = start(json!({"classification": "public", "residency": "eu"})).await;
    assert_eq!(outcome.status(), "policy_denied");
    assert_eq!(engine.seen(), [r#"patient special_category {"classification":"public","residency":"eu"}"#]);
    let outcome = start(json!({"classification": "x", "residency": "y", "tier": "eu-sovereign"})).await;
    assert_eq!(outcome.status(), "completed");
    let decided = place.spans(outcome.report().run_id, "policy.evaluate");
    assert_eq!(decided[0]["fuze.policy.reason"], "arguments_invalid");
    assert_eq!(engine.seen().len(), 1, "the engine was asked about arguments that do not fit");
    assert!(world.log().is_empty());
}

/// Files a recommendation.
#[tool(
    classification = personal, lawful_bases = [legitimate_interests], residency = eu, retention = KEPT,
    threat_boundary(egress = none), needs_approval = always,
)]
async fn recommend(ctx: &Ctx<'_, Deps>, invite: bool) -> Result<String, ToolError> {
    ctx.deps().did(format!("recommend {invite}"));
    Ok("filed".to_owned())
}

/// Writes to an applicant.
#[tool(
    classification = personal, lawful_bases = [legitimate_interests], residency = eu, retention = KEPT,
    threat_boundary(egress = none), effect = idempotent,
)]
async fn write(ctx: &Ctx<'_, Deps>, text: String) -> Result<String, ToolError> {
    ctx.deps().did(format!("write {text}"));
    Ok("written".to_owned())
}

define_agent! {
    /// Recommends applicants.
    Hiring {
        purpose: "employment-screening",
        instructions: "Recommend.",
        lawful_basis: legitimate_interests,
        annex_iii: employment::recruitment,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: KEPT,
        tools: [look, recommend, write],
        deps: Deps,
        output: String,
        max_steps: 12,
        retry_budget: 0,
        token_budget: 10_000,
    }
}

/// Fuze TS, its loop: `needsApproval` was never called, and an Art. 22 run completed with no human. Here the law's own
/// demand stands beside the tool's and the policy's, under the permissive engine too, and an Art. 22 run in which nobody
/// decided closes as `oversight_missing`.
#[tokio::test]
async fn row_23_an_automated_decision_never_completes_without_a_human() {
    proof("fail/high_risk_without_approval_tool.rs", 6);
    proof("fail/art22_without_oversight.rs", 6);
    let (place, world) = (Place::new(), World::new());
    let policies: [Policy; 2] = [
        Fixed::new().allow_tool("look").allow_tool("recommend").allow_tool("write").into(),
        Permissive::dangerous_allow_everything().into(),
    ];
    for policy in policies {
        let deployment = place.deployment(policy);
        let start = async |model| {
            let run = deployment.run(Hiring, world.clone(), model).tenant("acme").principal("recruiter-1");
            run.subject("applicant 1").start().await.unwrap()
        };
        for (tool, args) in [("recommend", json!({"invite": true})), ("write", json!({"text": "no"}))] {
            let suspended = waiting(start(ScriptedModel::new().call(tool, args)).await);
            let obligation = &suspended.cases()[0].token().claims().obligation;
            assert_eq!(obligation.trainings, ["hr-2026"]);
        }
        let model =
            ScriptedModel::new().call("look", json!({"what": "dossier"})).answer("rejected by machine");
        let outcome = start(model).await;
        assert_eq!(outcome.status(), "oversight_missing");
        let run = outcome.report().run_id;
        assert_eq!(place.spans(run, "run.close")[0]["fuze.run.missing_oversight"], true);
        assert_eq!(outcome.output(), None);
    }
    assert!(!world.log().iter().any(|did| !did.starts_with("look")), "{:?}", world.log());
}

/// Fuze TS, its resume: a run went on under another tenant, edited arguments never met the policy, and guardrails were
/// skipped. Here the tenant is part of the sealed state and of the token, edited arguments are parsed and decided like any
/// others, and a resumed run is driven by the same driver with the same guardrails.
#[tokio::test]
async fn row_30_a_resume_meets_tenant_policy_and_guardrails() {
    let (place, world) = (Place::new(), World::new());
    // The policy denies payments over 1000.
    let small: Rule = |request| {
        let args: serde_json::Value = serde_json::from_slice(request.call.args).unwrap();
        Ok(if args["cents"].as_u64() > Some(1000) { Decision::Deny } else { Decision::Allow })
    };
    let deployment = place.deployment(Asked::new(small));
    let payment = || ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": 1}));
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let run = suspended.run_id();

    // What does not fit the tool changes nothing: the run still waits.
    for args in
        [json!({"to": "bakery"}), json!({"to": "b", "cents": -1}), json!({"to": "b", "cents": 1, "x": 1})]
    {
        let there = deployment.suspended(run).await.unwrap();
        let decisions = place.anna().decide_all(&there, &Action::Modify(args));
        let resumable = there.verify(&decisions).unwrap();
        let refused = deployment.resume(Office, world.clone(), payment(), resumable).go().await.unwrap_err();
        assert!(matches!(refused, RunError::ModifiedArguments { .. }), "{refused}");
    }
    let large = Action::Modify(json!({"to": "bakery", "cents": 5000}));
    let decisions = place.anna().decide_all(&suspended, &large);
    let resumable = suspended.verify(&decisions).unwrap();
    let outcome = deployment.resume(Office, world.clone(), payment(), resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "policy_denied");

    // The guardrail sees the output of the resumed call.
    let deployment = place.deployment(guarded_rules());
    let model = ScriptedModel::new().call("pay", json!({"to": "bakery", "cents": 66}));
    let start =
        deployment.run(Guarded, world.clone(), model).tenant("acme").principal("clerk-1").start().await;
    let suspended = waiting(start.unwrap());
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let model = Arc::new(ScriptedModel::new().answer("done").keeping());
    let outcome = deployment.resume(Guarded, world.clone(), model.clone(), resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "tripwire");
    assert!(model.seen().is_empty());
    assert_eq!(world.log(), ["pay bakery 66"]);

    // A rule that denies now denies, whatever was approved before.
    let deployment = place.office();
    let suspended = waiting(work(&deployment, &world, payment()).await);
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let stricter = place.deployment(office_rules().deny_tool("pay"));
    let outcome = stricter.resume(Office, world.clone(), payment(), resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "policy_denied");
    assert_eq!(world.log(), ["pay bakery 66"]);
}

/// Fuze TS, its resume, once more: edited arguments escaped the rule that they would have met. Here the approval of a small
/// payment does not stand in for that of a large one: what the policy demands for the edited arguments, or demands today,
/// is held against who approved, and where that is not enough the run waits again.
#[tokio::test]
async fn row_30_an_approval_is_worth_no_more_than_its_approvers() {
    let world = World::new();
    let place = Place::with(&["anna", "ben"]);
    // Two persons for large payments.
    let four_eyes: Rule = |request| {
        let args: serde_json::Value = serde_json::from_slice(request.call.args).unwrap();
        let approvers = if args["cents"].as_u64() > Some(1000) { 2 } else { 1 };
        Ok(Decision::RequiresApproval(Obligation { approvers, ..Obligation::default() }))
    };
    let deployment = place.deployment(Asked::new(four_eyes));
    let model = ScriptedModel::new().call("refund", json!({"to": "bakery", "cents": 5}));
    let suspended = waiting(work(&deployment, &world, model).await);
    assert_eq!(suspended.cases().len(), 1);
    let large = Action::Modify(json!({"to": "anna", "cents": 1_000_000}));
    let decisions = place.anna().decide_all(&suspended, &large);
    let resumable = suspended.verify(&decisions).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    let suspended = waiting(outcome);
    assert!(world.log().is_empty(), "one person paid what needs two: {:?}", world.log());
    assert_eq!(suspended.cases().len(), 2);
    // Her own second approval is not another person's.
    let twice = place.anna().decide_all(&suspended, &Action::Approve);
    let refused = suspended.verify(&twice).unwrap_err();
    let expected = DecisionError::SamePerson { overseer: place.anna().alias.clone() };
    assert_eq!(refused.problems[0].1, Problem::Decision(expected));
    let suspended = refused.suspended;
    let both: Vec<_> = suspended
        .cases()
        .iter()
        .zip(&place.people)
        .map(|(case, person)| person.decide(case, &Action::Approve))
        .collect();
    let resumable = suspended.verify(&both).unwrap();
    let model = ScriptedModel::new().answer("done");
    let outcome = deployment.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["refund anna 1000000"]);

    // The policy in force at the resume names other approvers.
    let rules = || Fixed::new().allow_tool("look").allow_tool("note").allow_tool("pay");
    let by =
        |alias: &str| Obligation { may_approve: Some([alias.to_owned()].into()), ..Obligation::default() };
    let deployment = place.deployment(rules().approve_tool("refund", by("anna")));
    let model = ScriptedModel::new().call("refund", json!({"to": "bakery", "cents": 5}));
    let suspended = waiting(work(&deployment, &world, model).await);
    let decisions = place.anna().decide_all(&suspended, &Action::Approve);
    let resumable = suspended.verify(&decisions).unwrap();
    let today = place.deployment(rules().approve_tool("refund", by("ben")));
    let model = ScriptedModel::new().answer("done");
    let outcome = today.resume(Office, world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(outcome.status(), "suspended");
    assert_eq!(world.log().len(), 1);
}
