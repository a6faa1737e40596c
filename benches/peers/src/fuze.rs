//! The job on fuze-agent, with gate, canonical form, chain, commitments, redaction and encryption on.

use std::sync::Arc;
use std::time::Duration;

use fuze_agent::prelude::*;
use fuze_evidence::sink::MemorySink;
use serde_json::json;

use crate::cpu_time;

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
        max_steps: 10_000,
        retry_budget: 1,
        token_budget: 10_000_000_000,
    }
}

/// CPU time of one run, from start to closed and signed. Keys, model and script are there before.
pub(crate) async fn run(turns: u32) -> Duration {
    let sink = MemorySink::new();
    let keys = Keys::ephemeral().expect("keys");
    let deployment =
        Deployment::with_sink("bench", keys, Fixed::new().allow_tool("add"), Arc::new(sink.clone()))
            .build()
            .expect("a deployment");
    let model = ScriptedModel::new().repeat("add", json!({"a": 2, "b": 3}), turns).answer(5);
    let run = deployment.run(Calculator, (), model).input("2+3").timeline(false);
    let before = cpu_time();
    let outcome = run.start().await.expect("a run");
    let spent = cpu_time() - before;
    let id = outcome.report().run_id;
    assert_eq!(outcome.output(), Some(5));
    let lines = sink.run(id).expect("its records").records.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(lines, 3 + 3 * turns as usize);
    spent
}
