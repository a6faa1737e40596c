// rule 12 · GDPR Art. 32 · a secret read by a tool that does not declare it
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
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
async fn lookup(ctx: &Ctx<'_, Deps>, id: String) -> Result<Answer, ToolError> {
    let _ = ctx.secret("api-key")?;
    Ok(Answer { text: id })
}

fn main() {}
