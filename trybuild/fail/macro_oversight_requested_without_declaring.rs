// rule 20 · AI Act Art. 14(4)(e) · a tool that asks in its midst and does not declare it
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
    let _ = ctx.request_oversight("go on?").await;
    Ok(Answer { text: id })
}

fn main() {}
