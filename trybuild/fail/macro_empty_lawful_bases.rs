// rule 2 · GDPR Art. 6(1) · an empty set of lawful bases
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    classification = personal,
    lawful_bases = [],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

fn main() {}
