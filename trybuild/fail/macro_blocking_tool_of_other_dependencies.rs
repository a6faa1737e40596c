// rule 17 · GDPR Art. 5(1)(b) · a tool for blocking work whose agent has other dependencies
use fuze_agent::prelude::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    classification = personal,
    lawful_bases = [contract],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
fn lookup(ctx: &Ctx<'_, OtherDeps>, id: String) -> Result<Answer, ToolError> {
    let _deps: &OtherDeps = ctx.deps();
    Ok(Answer { text: id })
}

define_agent! {
    /// Recommends applicants; a person decides.
    pub Hiring {
        purpose: "employment-screening",
        instructions: "Read the dossier, then recommend.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: HIRING,
        tools: [lookup],
        deps: Deps,
        output: Answer,
        max_steps: 8,
        retry_budget: 1,
        token_budget: 50_000,
    }
}

fn main() {}
