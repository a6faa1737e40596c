// rule 2 · GDPR Art. 5(2) · a tool that does not say what it touches
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

fn main() {}
