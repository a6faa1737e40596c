// rule 7 · GDPR Art. 22(4) · a decision with a tool for health data, among tools that fit
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
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: HIRING,
        tools: [RecordDecision, ReadChart, ReadDossier],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
