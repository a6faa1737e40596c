//! Agents of every kind, and the facts that `define_agent!` makes of them.

use fuze_agent::prelude::*;

const HIRING: Retention = Retention::days("hiring", 180, 365, 365);

pub struct Deps;

/// Fetches an applicant's dossier.
#[tool(
    classification = personal,
    lawful_bases = [contract, legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
pub async fn lookup_candidate(ctx: &Ctx<'_, Deps>, candidate_id: String) -> Result<String, ToolError> {
    Ok(candidate_id)
}

/// Records a recommendation.
#[tool(
    classification = personal,
    lawful_bases = [legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    needs_approval = always,
)]
pub fn record_recommendation(candidate_id: String, fit: u8) -> Result<(), ToolError> {
    drop((candidate_id, fit));
    Ok(())
}

define_agent! {
    /// Recommends applicants; a human decides.
    pub HiringAgent {
        purpose: "employment-screening",
        instructions: "Read the dossier, then recommend.",
        lawful_basis: legitimate_interests,
        annex_iii: employment::recruitment,
        art22: decides(contract_necessity),
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: HIRING,
        tools: [lookup_candidate, record_recommendation],
        deps: Deps, output: String, max_steps: 8, retry_budget: 1, token_budget: 50_000,
    }
}

#[test]
fn an_agent_has_its_facts() {
    assert_eq!(HiringAgent::NAME, "HiringAgent");
    assert_eq!(HiringAgent::LIMITS, Limits::new(8, 1, 50_000));
}
