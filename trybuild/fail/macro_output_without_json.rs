// rule 10 · AI Act Art. 12 · an output that is no JSON, of a tool and of its agent · 2 errors
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

pub struct Dossier {
    pub text: String,
}

/// Reads dossiers.
#[tool(
    classification = personal,
    lawful_bases = [contract],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
pub async fn lookup(id: String) -> Result<Dossier, ToolError> {
    Ok(Dossier { text: id })
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
        tools: [lookup],
        deps: Deps,
        output: Dossier,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
