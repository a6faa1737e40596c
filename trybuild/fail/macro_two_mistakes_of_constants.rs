// rule 8 · AI Act Art. 19, 26(6) · a retention too short and two tools of one name · 2 errors
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    name = "record",
    classification = personal,
    lawful_bases = [contract],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
pub async fn find(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

define_agent! {
    /// Recommends applicants; a person decides.
    pub Hiring {
        purpose: "employment-screening",
        instructions: "Read, then recommend.",
        lawful_basis: contract,
        annex_iii: employment::recruitment,
        art22: none,
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: SHORT,
        tools: [RecordDecision, find],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
