//! Lists of tools whose types an agent does not show: what its value hands over is what runs, and what the record says.

use fuze_agent::agent::{ToolOf, ToolsOf};
use fuze_agent::law::oversight::NoOversight;
use fuze_agent::law::{annex_iii, art22, lawful, residency};
use fuze_agent::logic::No;
use fuze_agent::prelude::*;
use fuze_agent_loop_tests::{Desk, SHORT, World};
use serde_json::json;

use super::run;

/// Adds.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}

/// Subtracts.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn subtract(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a - b)
}

/// An agent of one type and two lists.
#[derive(Clone, Copy)]
enum Calculator {
    Up,
    Down,
    Both,
}

impl Agent for Calculator {
    type LawfulBasis = lawful::Contract;
    type AnnexIii = annex_iii::None;
    type Art22 = art22::None;
    type Oversight = NoOversight;
    type ModelResidency = residency::Eu;
    type Deps = World;
    type Output = i64;
    type Tools = ToolsOf<Self, No, No>;
    const NAME: &'static str = "calculator";
    const DESCRIPTION: &'static str = "Calculates.";
    const PURPOSE: &'static str = "arithmetic";
    const INSTRUCTIONS: &'static str = "Calculate.";
    const RETENTION: Retention = SHORT;
    const LIMITS: Limits = Limits::new(8, 1, 50_000);
    fn tools(&self) -> Self::Tools {
        match self {
            Self::Up => ToolsOf::new((add,)),
            Self::Down => ToolsOf::new((subtract,)),
            Self::Both => ToolsOf::new((ToolOf::new(add), ToolOf::new(subtract))),
        }
    }
}

#[tokio::test]
async fn the_fingerprint_is_of_the_list_that_runs() {
    let desk = Desk::new();
    let deployment = desk.deploy(Fixed::new().allow_classification("public"), &[]);
    let mut fingerprints = Vec::new();
    for (agent, called, ran) in [
        (Calculator::Up, "add", &["add ok"][..]),
        (Calculator::Down, "subtract", &["subtract ok"]),
        (Calculator::Both, "subtract", &["subtract ok"]),
        // Not in its list: the model is told so.
        (Calculator::Up, "subtract", &[]),
    ] {
        let model = ScriptedModel::new().call(called, json!({"a": 2, "b": 1})).answer(1);
        let outcome = run(&deployment, agent, &World::new(), model).await;
        assert_eq!(outcome.status(), "completed", "{outcome:?}");
        let evidence = desk.evidence(outcome.report().run_id);
        assert_eq!(evidence.executions(), ran);
        fingerprints.extend(evidence.attrs("agent.invoke", "fuze.agent.fingerprint"));
    }
    let [up, down, both, up_again] = <[String; 4]>::try_from(fingerprints).unwrap();
    assert!(up != down && down != both && up != both);
    assert_eq!(up, up_again);
}
