// rule 19 · AI Act Art. 12, 14 · a tool for blocking work that lends its context to a thread which outlives it
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
    std::thread::spawn(move || ctx.is_cancelled());
    Ok(Answer { text: id })
}

fn main() {}
