//! A typed, compliant tool and agent, run to its end.
use fuze_agent::prelude::*;

const SHORT: Retention = Retention::days("short.v1", 30, 365, 365);
/// Adds two numbers.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}
define_agent! {
    /// Calculates.
    Calculator {
        purpose: "arithmetic", instructions: "Add the numbers with the tool, then answer with the sum.",
        lawful_basis: contract, annex_iii: none, art22: none, oversight: none, model_residency: eu,
        retention: SHORT, tools: [add], deps: (), output: i64, max_steps: 4, retry_budget: 1, token_budget: 10_000,
    }
}
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new().call("add", serde_json::json!({"a": 2, "b": 3})).answer(5);
    let deployment = Deployment::in_memory(Fixed::new().allow_tool("add"))?;
    let outcome = deployment.run(Calculator, (), model).input("2 + 3?").start().await?;
    println!("{}answer: {:?}", outcome.report().timeline.clone(), outcome.output());
    Ok(())
}
