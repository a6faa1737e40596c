//! Tools of every kind, and the facts that `#[tool]` makes of them.

use fuze_agent::law::data::Classification;
use fuze_agent::prelude::*;

const HIRING: Retention = Retention::days("hiring", 180, 365, 365);

struct Deps {
    greeting: String,
}

/// Fetches an applicant's dossier.
#[tool(
    classification = personal,
    lawful_bases = [contract, legitimate_interests],
    residency = eu,
    retention = HIRING,
    threat_boundary(egress = none),
    effect = read,
)]
async fn lookup_candidate(ctx: &Ctx<'_, Deps>, candidate_id: String) -> Result<String, ToolError> {
    if candidate_id.is_empty() {
        return Err(ToolError::new("empty"));
    }
    let number: u32 = candidate_id.parse()?;
    Ok(format!("{} {number}", ctx.deps().greeting))
}

#[test]
fn a_personal_tool_has_its_facts() {
    assert_eq!(lookup_candidate::NAME, "lookup_candidate");
    assert_eq!(lookup_candidate::DESCRIPTION, "Fetches an applicant's dossier.");
    assert_eq!(<lookup_candidate as Tool>::Data::BASES, ["contract", "legitimate_interests"]);
}
