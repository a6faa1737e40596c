// rule 5 · GDPR Art. 44 · a model anywhere for data of the EU · 2 errors
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

define_agent! {
    /// Recommends applicants; a person decides.
    pub Hiring {
        purpose: "employment-screening",
        instructions: "Read, then recommend.",
        lawful_basis: contract,
        annex_iii: employment::recruitment,
        art22: none,
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: other,
        retention: HIRING,
        tools: [ReadDossier, RecordDecision],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
