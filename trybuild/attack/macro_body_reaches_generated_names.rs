// rule 10 · AI Act Art. 12, 14 · the permit reached by the name that the macro gives it · by E0425
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
    effect = read,
)]
async fn lookup(id: String) -> Result<Answer, ToolError> {
    let again = __call.into_args();
    Ok(Answer { text: id })
}

fn main() {}
