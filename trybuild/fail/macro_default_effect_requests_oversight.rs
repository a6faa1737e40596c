// rule 20 · AI Act Art. 14(4)(e) · a tool without an effect, so `once`, that declares to ask in its midst
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
    requests_oversight,
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

fn main() {}
