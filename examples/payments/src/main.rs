//! An agent whose policies are checked when it is built: `build.rs` loads, tests and proves them, `policy!` holds them against the tools.

use fuze_agent::prelude::*;
use serde_json::json;

/// As commercial law asks.
const INVOICES: Retention = Retention::days("invoices.v1", 3650, 3650, 3650);

/// Reads an invoice.
#[tool(classification = confidential, residency = eu, retention = INVOICES, threat_boundary(egress = none), effect = read)]
async fn read_invoice(number: String) -> Result<String, ToolError> {
    Ok(format!("invoice {number}: 120 euros for paper"))
}

/// Pays an invoice, in whole euros.
#[tool(classification = confidential, residency = eu, retention = INVOICES, threat_boundary(egress = none), effect = once)]
async fn pay_invoice(number: String, amount_eur: u32) -> Result<String, ToolError> {
    Ok(format!("{amount_eur} euros paid for {number}"))
}

fuze_agent::policy! {
    /// What accounting lets its agents do.
    pub PAYMENTS {
        directory: "policies",
        tools: [read_invoice, pay_invoice],
    }
}

define_agent! {
    /// Pays invoices.
    Payments {
        purpose: "accounts-payable", instructions: "Read the invoice, then pay it.",
        lawful_basis: legal_obligation, annex_iii: none, art22: none,
        oversight: human_approval { plan: "oversight.pay.v1", training: "pay-2026" },
        model_residency: eu, retention: INVOICES, tools: [read_invoice, pay_invoice], deps: (), output: String,
        max_steps: 8, retry_budget: 1, token_budget: 10_000,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let deployment = Deployment::in_memory(PAYMENTS.engine()?)?;
    // In memory nobody can be waited for, so what needs approval is denied; `examples/approval.rs` has a store.
    for amount in [120, 900, 90_000] {
        let model = ScriptedModel::new()
            .call("read_invoice", json!({"number": "2026-11"}))
            .call("pay_invoice", json!({"number": "2026-11", "amount_eur": amount}))
            .answer("Paid.");
        let run = deployment.run(Payments, (), model).tenant("acme").principal("acc-1").roles(["accounting"]);
        let outcome = run.input("Please pay 2026-11.").start().await?;
        println!("{}{amount} euros: the run is {}\n", outcome.report().timeline, outcome.status());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::PAYMENTS;

    #[test]
    fn the_policies_fit_the_arguments_of_the_tools() -> Result<(), Box<dyn std::error::Error>> {
        let findings: Vec<String> = PAYMENTS.review()?.iter().map(ToString::to_string).collect();
        assert_eq!(findings, [] as [String; 0]);
        Ok(())
    }
}
