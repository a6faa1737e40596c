//! The first whole runs.

use std::sync::Arc;

use fuze_agent::prelude::*;
use fuze_agent::testing::MemoryStore;
use serde_json::json;

const SHORT: Retention = Retention::days("short.v1", 30, 365, 365);

/// Adds two numbers.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}

define_agent! {
    /// Calculates.
    Calculator {
        purpose: "arithmetic",
        instructions: "Add.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: SHORT,
        tools: [add],
        deps: (),
        output: i64,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 10_000,
    }
}

#[tokio::test]
async fn a_tool_runs_and_the_run_completes() {
    let deployment = Deployment::in_memory(Fixed::new().allow_tool("add")).unwrap();
    let model = ScriptedModel::new().call("add", json!({"a": 2, "b": 3})).answer(5);
    let outcome =
        deployment.run(Calculator, (), model).tenant("t").principal("p").input("2+3").start().await.unwrap();
    println!("{}", outcome.report().timeline);
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    assert_eq!(outcome.output(), Some(5));
}

#[tokio::test]
async fn the_same_in_a_store() {
    let store = MemoryStore::new().unwrap();
    let deployment = Deployment::with_store(
        "test",
        Keys::ephemeral().unwrap(),
        Fixed::new().allow_tool("add"),
        Arc::new(store.clone()),
    )
    .build()
    .unwrap();
    let model = ScriptedModel::new().call("add", json!({"a": 2, "b": 3})).answer(5);
    let outcome =
        deployment.run(Calculator, (), model).tenant("t").principal("p").input("2+3").start().await.unwrap();
    println!("{outcome:?}");
    for line in store.records(outcome.report().run_id) {
        println!("{}", String::from_utf8_lossy(&line));
    }
    assert_eq!(outcome.output(), Some(5));
}
