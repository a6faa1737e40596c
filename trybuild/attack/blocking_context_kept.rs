// rule 19 · AI Act Art. 12, 14 · a tool for blocking work that keeps what it was lent
use std::sync::Mutex;

use fuze_agent::prelude::*;
use fuze_agent_proof::*;

static KEPT: Mutex<Option<&'static Deps>> = Mutex::new(None);

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
    if let Ok(mut kept) = KEPT.lock() {
        *kept = Some(ctx.deps());
    }
    Ok(Answer { text: id })
}

fn main() {}
