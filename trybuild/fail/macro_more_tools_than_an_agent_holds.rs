// rule 17 · AI Act Art. 14 · more tools than one agent may have
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
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: HIRING,
        tools: [
            t::a1, t::a2, t::a3, t::a4, t::a5, t::a6, t::a7, t::a8,
            t::a9, t::a10, t::a11, t::a12, t::a13, t::a14, t::a15, t::a16, t::a17,
        ],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
