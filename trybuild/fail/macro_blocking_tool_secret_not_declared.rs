// rule 12 · GDPR Art. 32 · a secret read by a tool for blocking work that does not declare it
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
fn lookup(ctx: &Ctx<'_, Deps>, id: String) -> Result<Answer, ToolError> {
    let _key = ctx.secret("key")?;
    Ok(Answer { text: id })
}

fn main() {}
