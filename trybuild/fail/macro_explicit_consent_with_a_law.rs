// rule 1 · GDPR Art. 9(2)(a) · a law for a basis that rests on none
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    classification = special_category,
    lawful_bases = [consent],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
    art9_basis = explicit_consent(law = "§ 22 BDSG"),
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

fn main() {}
