// rule 2 · GDPR Art. 44 · personal data without a residency
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    classification = personal,
    lawful_bases = [contract],
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

fn main() {}
