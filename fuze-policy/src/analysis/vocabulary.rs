//! The attributes that a condition about a tool can see, and the values they can have: the tables of `docs/policy.md`.

use serde_json::Value;

use super::cells::Point;
use crate::cel::Root;
use crate::cerbos::CheckInput;

/// An attribute of a request about a tool.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) root: Root,
    /// Empty for what has a field of its own, such as `P.id`.
    pub(super) name: &'static str,
    pub(super) domain: Domain,
    /// Whether it comes from the tool's declaration.
    pub(super) of_tool: bool,
}

/// What an attribute can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// Any text.
    Text,
    /// Text; these are all the words there are, for now.
    Open(&'static [&'static str]),
    /// One of these.
    Closed(&'static [&'static str]),
    /// One of these for a special category, missing else.
    OfSpecial(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// 0, 1, 2 and so on, as a double.
    Count,
}

pub(super) const SPECIAL: &str = "special_category";
const NONE: &str = "none";

const ART9: &[&str] = &[
    "explicit_consent",
    "vital_interests_incapable",
    "non_profit_members",
    "manifestly_public",
    "legal_claims",
    "employment_social_security",
    "substantial_public_interest",
    "health_or_social_care",
    "public_health",
    "archiving_research_statistics",
];

/// Proofs count with others, too: the Commission may add to Annex III (AI Act, Art. 7).
const ANNEX_III: &[&str] = &[
    NONE,
    "biometrics.remote_identification",
    "biometrics.sensitive_categorisation",
    "biometrics.emotion_recognition",
    "critical_infrastructure.safety_component",
    "education.admission",
    "education.learning_outcomes",
    "education.level_assessment",
    "education.test_monitoring",
    "employment.recruitment",
    "employment.work_relationship_decisions",
    "essential_services.public_benefits",
    "essential_services.creditworthiness",
    "essential_services.life_health_insurance",
    "essential_services.emergency_dispatch",
    "law_enforcement.victim_risk",
    "law_enforcement.polygraph",
    "law_enforcement.evidence_reliability",
    "law_enforcement.offending_risk",
    "law_enforcement.profiling",
    "migration.polygraph",
    "migration.entry_risk",
    "migration.application_examination",
    "migration.person_detection",
    "justice_democracy.judicial_assistance",
    "justice_democracy.election_influence",
];

const fn of_tool(name: &'static str, domain: Domain) -> Attribute {
    Attribute { root: Root::ResourceAttr, name, domain, of_tool: true }
}

const fn of_run(name: &'static str, domain: Domain) -> Attribute {
    Attribute { root: Root::PrincipalAttr, name, domain, of_tool: false }
}

pub(super) const TOOL_NAME: usize = 0;
pub(super) const CLASSIFICATION: usize = 1;
pub(super) const ART9_BASIS: usize = 2;
pub(super) const TENANT: usize = 7;
pub(super) const PRINCIPAL: usize = 13;

/// All of them but the arguments.
pub(super) static ATTRIBUTES: [Attribute; 14] = [
    of_tool("tool_name", Domain::Text),
    of_tool("classification", Domain::Closed(&["public", "confidential", "personal", SPECIAL])),
    of_tool("art9_basis", Domain::OfSpecial(ART9)),
    of_tool("residency", Domain::Closed(&["eu", "eea", "adequate", "us", "other"])),
    of_tool("effect", Domain::Closed(&["read", "idempotent", "once"])),
    of_tool("egress", Domain::Closed(&[NONE, "eu", "eea", "hosts", "any"])),
    Attribute { root: Root::ResourceAttr, name: "depth", domain: Domain::Count, of_tool: false },
    of_run("tenant", Domain::Text),
    of_run("purpose", Domain::Text),
    of_run(
        "lawful_basis",
        Domain::Closed(&[
            "consent",
            "contract",
            "legal_obligation",
            "vital_interests",
            "public_task",
            "legitimate_interests",
        ]),
    ),
    of_run("annex_iii", Domain::Open(ANNEX_III)),
    of_run("art22", Domain::Closed(&[NONE, "contract_necessity", "authorised_by_law", "explicit_consent"])),
    of_run("has_subject", Domain::Flag),
    Attribute { root: Root::PrincipalId, name: "", domain: Domain::Text, of_tool: false },
];

/// The name under which the model's arguments stand.
pub(super) const ARGS: &str = "args";

/// The attribute at the beginning of a path.
pub(super) fn attribute(root: Root, first: Option<&str>) -> Option<usize> {
    match (root, first) {
        // The ID of a tool is its name.
        (Root::ResourceId, _) => Some(TOOL_NAME),
        (Root::PrincipalId, _) => Some(PRINCIPAL),
        (root, Some(first)) => ATTRIBUTES.iter().position(|a| a.root == root && a.name == first),
        (_, None) => None,
    }
}

/// Whether a request is one that a tool and a run can make: each attribute is a text that says something or one of its words, and a basis
/// of GDPR Art. 9(2) is there for a special category and for nothing else. Proofs look at these requests alone, and an explanation of another
/// would explain nothing.
///
/// # Errors
/// What no tool or run can be, in the words of `fuze policy explain --request`.
pub fn possible(input: &CheckInput) -> Result<(), String> {
    let is = |attribute: &Attribute| match attribute.root {
        Root::PrincipalId => Some(input.principal.id.as_str()),
        Root::PrincipalAttr => input.principal.attr.get(attribute.name)?.as_str(),
        _ => input.resource.attr.get(attribute.name)?.as_str(),
    };
    for (attribute, text) in ATTRIBUTES.iter().filter_map(|attribute| Some((attribute, is(attribute)?))) {
        let asked = attribute.asked();
        match attribute.domain {
            Domain::Text | Domain::Open(_) if text.is_empty() => {
                return Err(format!("`{asked}` is empty, which it never is"));
            }
            Domain::Closed(words) | Domain::OfSpecial(words) if !words.contains(&text) => {
                return Err(format!(
                    "`{asked}` is `{text}`, which does not exist; there are {}",
                    words.join(", ")
                ));
            }
            _ => {}
        }
    }
    let attributes = &input.resource.attr;
    let classification = attributes.get("classification").and_then(Value::as_str).unwrap_or_default();
    basis_fits(classification, attributes.contains_key("art9_basis")).map_err(|why| format!("`tool`: {why}"))
}

/// Whether a tool has a basis of GDPR Art. 9(2) if and only if it needs one.
pub(super) fn basis_fits(classification: &str, has_basis: bool) -> Result<(), String> {
    match (classification == SPECIAL, has_basis) {
        (true, false) => Err(format!(
            "`{SPECIAL}` without `art9_basis`, which no tool is (GDPR Art. 9(2)); there are {}",
            ART9.join(", ")
        )),
        (false, true) => Err(format!("`art9_basis` belongs to `{SPECIAL}`, and it is `{classification}`")),
        _ => Ok(()),
    }
}

/// The words that an attribute of a tool or a run can have, such as those of `classification`; `None` where it has no list of words.
#[must_use]
pub fn words_of(attribute: &str) -> Option<&'static [&'static str]> {
    ATTRIBUTES.iter().find(|known| known.name == attribute)?.domain.words()
}

impl Domain {
    pub(super) fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Open(words) | Self::Closed(words) | Self::OfSpecial(words) => Some(words),
            Self::Text | Self::Flag | Self::Count => None,
        }
    }

    /// Values that are cells of their own, whatever conditions name, and so have to be cells of all that is compared with them.
    pub(super) fn points(self) -> Vec<Point> {
        match self {
            Self::Closed(words) | Self::OfSpecial(words) => {
                words.iter().map(|word| Point::Text((*word).into())).collect()
            }
            Self::Count => vec![Point::number(0.0)],
            // The other words of an open list are a region, and truth values are cells of everything that can be one.
            Self::Text | Self::Open(_) | Self::Flag => Vec::new(),
        }
    }
}

impl Attribute {
    /// As a request of `fuze policy explain` calls it.
    fn asked(&self) -> String {
        match self.root {
            Root::PrincipalId => "run.principal".to_owned(),
            Root::PrincipalAttr => format!("run.{}", self.name),
            _ if self.name == "tool_name" => "tool.name".to_owned(),
            _ => format!("tool.{}", self.name),
        }
    }

    /// As a condition writes it.
    pub(super) fn written(&self) -> String {
        match self.root {
            Root::PrincipalId => "P.id".to_owned(),
            Root::PrincipalAttr => format!("P.attr.{}", self.name),
            _ => format!("R.attr.{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::agent_tool::question;
    use crate::{CallFacts, Request, RunFacts, ToolFacts};

    /// What is asked has these attributes and no other.
    #[test]
    fn these_are_the_attributes_of_a_question() {
        let tool = ToolFacts {
            name: "t",
            classification: SPECIAL,
            art9_basis: Some("explicit_consent"),
            residency: "eu",
            effect: "read",
            egress: "none",
        };
        let run = RunFacts {
            tenant: "acme",
            principal: "ann",
            roles: &["a".to_owned()],
            purpose: "care",
            lawful_basis: "consent",
            annex_iii: "none",
            art22: "none",
            has_subject: false,
        };
        let request = Request { tool, run, call: CallFacts { args: b"{}", depth: 0 } };
        let asked = question(&request, "").unwrap();
        let known = |root: Root| -> BTreeSet<&str> {
            ATTRIBUTES
                .iter()
                .filter(|attribute| attribute.root == root)
                .map(|attribute| attribute.name)
                .collect()
        };
        let mut of_resource = known(Root::ResourceAttr);
        of_resource.insert(ARGS);
        assert_eq!(asked.resource.attr.keys().map(String::as_str).collect::<BTreeSet<_>>(), of_resource);
        assert_eq!(
            asked.principal.attr.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            known(Root::PrincipalAttr)
        );
    }
}
