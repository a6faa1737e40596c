// rule 19 · AI Act Art. 12, 14 · the context of a tool of the macro kept in a static
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

static KEPT: std::sync::Mutex<Vec<&'static Ctx<'static, Deps>>> = std::sync::Mutex::new(Vec::new());

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
    KEPT.lock().unwrap().push(ctx);
    Ok(Answer { text: id })
}

fn main() {}
