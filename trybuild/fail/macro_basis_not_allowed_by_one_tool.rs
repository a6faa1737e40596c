// rule 4 · GDPR Art. 6(1) · one of two tools of the macro does not allow the agent's lawful basis
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    classification = personal,
    lawful_bases = [consent],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
async fn letters(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}
define_agent! {
    /// Recommends applicants; a person decides.
    pub Hiring {
        purpose: "employment-screening",
        instructions: "Read, then recommend.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: HIRING,
        tools: [ReadDossier, letters],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
