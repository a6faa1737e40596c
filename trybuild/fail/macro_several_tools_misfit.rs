// rule 4 · GDPR Art. 6(1), 44 · two tools that do not fit their agent, one of them twice · 3 errors
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

define_agent! {
    /// Recommends applicants; a person decides.
    pub Hiring {
        purpose: "employment-screening",
        instructions: "Read, then recommend.",
        lawful_basis: vital_interests,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: us,
        retention: HIRING,
        tools: [SearchWeb, ReadDossier, ReadPrices],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
