// rule 20 · AI Act Art. 14(4)(e) · a `once` tool for blocking work that asks a person in its midst
use fuze_agent::prelude::*;
use fuze_agent_proof::*;

/// Writes.
#[tool(
    classification = personal,
    lawful_bases = [contract],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
)]
fn write(ctx: &Ctx<'_, Deps>, id: String) -> Result<Answer, ToolError> {
    let _asked = ctx.request_oversight("go on?");
    Ok(Answer { text: id })
}

fn main() {}
