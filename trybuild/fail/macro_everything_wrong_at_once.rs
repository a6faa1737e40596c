// rule 18 · GDPR Art. 5(2), AI Act Art. 14 · five mistakes of one agent: all said at once · 5 errors
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

define_agent! {
    /// Recommends applicants; a person decides.
    pub Hiring {
        purpose: "employment-screening",
        instructions: "Read, then recommend.",
        lawful_basis: because,
        annex_iii: employment::firing,
        art22: decides,
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: moon,
        retention: HIRING,
        tools: [ReadDossier, RecordDecision],
        deps: Deps,
        output: Answer,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
