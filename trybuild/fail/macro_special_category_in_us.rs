// rule 3 · GDPR Art. 9, 44 · special-category data with the residency `us`
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

/// Reads dossiers.
#[tool(
    classification = special_category,
    lawful_bases = [consent],
    residency = us,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
    art9_basis = explicit_consent,
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    Ok(Answer { text: id })
}

fn main() {}
