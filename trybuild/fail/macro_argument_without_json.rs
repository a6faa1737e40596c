// rule 10 · AI Act Art. 12, 14 · arguments that are no JSON: what was decided on could not be shown or recorded · 2 errors
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

pub struct Candidate {
    pub id: String,
}

/// With one derive of three.
#[derive(serde::Serialize)]
pub struct Period {
    pub days: u32,
}

/// Reads dossiers.
#[tool(
    classification = personal,
    lawful_bases = [contract],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
pub async fn lookup(candidate: Candidate, period: Period, note: Option<String>) -> Result<Answer, ToolError> {
    let _ = (period.days, note);
    Ok(Answer { text: candidate.id })
}

fn main() {}
