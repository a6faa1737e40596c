// rule 18 · AI Act Art. 12, 13 · two tools of one name, which only their constants show
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    name = "search",
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
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: HIRING,
        tools: [SearchWeb, ReadDossier, find],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
