// rule 11 · AI Act Art. 12, 14 · a sibling reached through the context of the macro
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
    let _ = ctx.base;
    Ok(Answer { text: id })
}

fn main() {}
