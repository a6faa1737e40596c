// honest · the example of the documentation: a public agent with private tools, and what they take and give
use fuze_agent::prelude::*;

const HIRING: Retention = Retention::days("hiring", 30, 365, 365);

/// What the tools share.
pub struct Deps;

/// What is read.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Dossier {
    text: String,
}

/// The answer.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Recommendation {
    text: String,
}

/// Fetches an applicant's dossier.
#[tool(
    classification = personal,
    lawful_bases = [contract, legitimate_interests],
    residency = eu,
    retention = HIRING,                       // a `const HIRING: Retention`
    threat_boundary(egress = none),
    effect = read,                            // default: once
)]
async fn lookup_candidate(ctx: &Ctx<'_, Deps>, candidate_id: String) -> Result<Dossier, ToolError> {
    let _deps: &Deps = ctx.deps();
    Ok(Dossier { text: candidate_id })
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
async fn record_recommendation(text: String) -> Result<(), ToolError> {
    drop(text);
    Ok(())
}

define_agent! {
    /// Recommends applicants; a human decides.
    pub HiringAgent {
        purpose: "employment-screening",
        instructions: "Read the dossier, then recommend.",
        lawful_basis: legitimate_interests,
        annex_iii: employment::recruitment,
        art22: decides(contract_necessity),   // or `none`
        oversight: human_approval { plan: "oversight.hr.v1", training: "hr-2026" },
        model_residency: eu,
        retention: HIRING,
        tools: [lookup_candidate, record_recommendation],
        deps: Deps, output: Recommendation, max_steps: 8, retry_budget: 1, token_budget: 50_000,
    }
}

fn main() {}
