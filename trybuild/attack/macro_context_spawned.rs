// rule 19 · AI Act Art. 12, 14 · the context of a tool of the macro moved to a task
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
    tokio::spawn(async move { ctx.cancelled().await });
    Ok(Answer { text: id })
}

fn main() {}
