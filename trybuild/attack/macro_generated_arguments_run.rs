// rule 10 · AI Act Art. 12, 14 · a tool of the macro run with its arguments and no permit
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
    Ok(Answer { text: id })
}

pub async fn run() {
    let _ = Tool::run(&lookup, "7".to_owned()).await;
}

fn main() {}
