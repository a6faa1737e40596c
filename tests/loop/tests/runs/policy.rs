//! Engines that fail, rules that name nothing, and experiments that say so.

use std::time::Duration;

use fuze_agent::prelude::*;
use fuze_agent::{Permissive, Policy};
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, World, agent};
use fuze_evidence::vocab::RunStatus;
use fuze_policy::{Decision, Engine, EngineError, EngineIdentity, RemoteEngine, Request, RuleId, Verdict};
use serde_json::json;

use super::{run, why};

/// Acts.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn act(ctx: &Ctx<'_, World>, tier: String) -> Result<String, ToolError> {
    ctx.deps().does("act");
    Ok(tier)
}

agent! { Actor [act] String }

/// An engine, here or elsewhere, that behaves in one way.
#[derive(Clone, Copy)]
enum Way {
    Allows,
    Fails,
    Stalls,
    Panics,
    Malformed,
    Mismatches,
}

struct Odd(Way);

fn identity() -> EngineIdentity {
    EngineIdentity { name: "odd".into(), bundle_hash: [3; 32], permissive: false }
}

fn odd(way: Way) -> Result<Verdict, EngineError> {
    match way {
        Way::Allows | Way::Stalls => Ok(Verdict::new(Decision::Allow, RuleId::new("all"))),
        Way::Fails => Err(EngineError::Unreachable("no route".into())),
        Way::Malformed => Err(EngineError::Malformed("EFFECT_DENIED".into())),
        Way::Mismatches => Err(EngineError::BundleMismatch("`invoke` is denied here".into())),
        Way::Panics => panic!("engine"),
    }
}

impl Engine for Odd {
    fn identity(&self) -> EngineIdentity {
        identity()
    }
    fn decide(&self, _: &Request<'_>) -> Result<Verdict, EngineError> {
        odd(self.0)
    }
}

#[async_trait::async_trait]
impl RemoteEngine for Odd {
    fn identity(&self) -> EngineIdentity {
        identity()
    }
    fn time_limit(&self) -> Duration {
        Duration::from_secs(2)
    }
    async fn decide(&self, _: &Request<'_>) -> Result<Verdict, EngineError> {
        if let Way::Stalls = self.0 {
            std::future::pending::<()>().await;
        }
        odd(self.0)
    }
}

async fn under(policy: impl Into<Policy>) -> (Outcome<String>, Evidence, World) {
    let (desk, world) = (Desk::new(), World::new());
    let model = ScriptedModel::new().call("act", json!({"tier": "eu-sovereign"})).answer("end");
    let outcome = run(&desk.deploy(policy, &[]), Actor, &world, model).await;
    let evidence = desk.evidence(outcome.report().run_id);
    (outcome, evidence, world)
}

async fn halts(policy: Policy, code: &str) {
    let (outcome, evidence, world) = under(policy).await;
    assert_eq!(outcome.status(), "halted", "{code}: {outcome:?}");
    assert_eq!(evidence.status(), Some(RunStatus::Halted));
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.decision"), ["error"]);
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.engine_error"), ["true"]);
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.error"), [code]);
    assert_eq!(world.log(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_decide_halts_the_run() {
    for way in [Way::Fails, Way::Malformed, Way::Mismatches, Way::Panics] {
        let code = match way {
            Way::Fails => "transport",
            Way::Mismatches => "bundle_mismatch",
            Way::Panics => "evaluation",
            _ => "internal",
        };
        halts(Policy::local(Odd(way)), code).await;
        halts(Policy::remote(Odd(way)), code).await;
    }
    halts(Policy::remote(Odd(Way::Stalls)), "timeout").await;
}

#[tokio::test]
async fn an_engine_elsewhere_allows() {
    let (outcome, evidence, world) = under(Policy::remote(Odd(Way::Allows))).await;
    assert_eq!(outcome.status(), "completed");
    assert_eq!(evidence.attrs("agent.invoke", "fuze.policy.engine"), ["odd"]);
    assert_eq!(world.log(), ["act"]);
}

#[tokio::test]
async fn silence_of_the_rules_is_a_denial() {
    let (outcome, evidence, world) = under(Fixed::new()).await;
    assert_eq!(outcome.status(), "policy_denied");
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.rule"), ["default:deny"]);
    assert_eq!(world.log(), [""; 0]);
}

#[tokio::test]
async fn a_rule_for_a_tool_that_is_not_there_refuses_the_start_on_record() {
    let (outcome, evidence, world) = under(Fixed::new().allow_tool("act").deny_tool("akt")).await;
    assert!(why(&outcome).contains("`akt`"), "{outcome:?}");
    assert_eq!(evidence.attrs("agent.invoke", "fuze.run.outcome"), ["refused"]);
    assert_eq!(evidence.spans(), ["agent.invoke", "run.close"]);
    assert_eq!(world.log(), [""; 0]);
    let shared = Fixed::new().allow_tool("act").deny_tool("akt").shared_between_agents();
    assert_eq!(under(shared).await.0.status(), "completed");
}

#[tokio::test]
async fn a_rule_for_a_classification_that_does_not_exist_halts() {
    halts(Fixed::new().allow_tool("act").deny_classification("publik").into(), "evaluation").await;
}

#[tokio::test]
async fn the_permissive_engine_stands_in_the_first_record() {
    let (outcome, evidence, _) = under(Permissive::dangerous_allow_everything()).await;
    assert_eq!(outcome.status(), "completed");
    assert_eq!(evidence.attrs("agent.invoke", "fuze.policy.permissive"), ["true"]);
    let (_, evidence, _) = under(Fixed::new().allow_tool("act")).await;
    assert_eq!(evidence.attrs("agent.invoke", "fuze.policy.permissive"), ["false"]);
}

#[tokio::test]
async fn the_strictest_rule_wins_whatever_the_order() {
    for policy in [
        Fixed::new().deny_tool("act").allow_classification("public"),
        Fixed::new().allow_classification("public").deny_tool("act"),
    ] {
        assert_eq!(under(policy).await.0.status(), "policy_denied");
    }
}
