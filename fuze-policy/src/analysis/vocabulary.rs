//! The attributes that a condition about a tool can see, and the values they can have: the tables of `docs/policy.md`.

use crate::cel::Root;

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

/// All of them but the arguments. Annex III is open: the Commission may add to it (AI Act, Art. 7).
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
    of_run("annex_iii", Domain::Text),
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

/// The values that an attribute can have, if they are few.
pub(super) fn values(name: &str) -> Option<&'static [&'static str]> {
    let attribute = ATTRIBUTES.iter().find(|attribute| attribute.name == name)?;
    match attribute.domain {
        Domain::Closed(values) | Domain::OfSpecial(values) => Some(values),
        Domain::Text | Domain::Flag | Domain::Count => None,
    }
}

impl Attribute {
    /// As a condition writes it.
    pub(super) fn written(&self) -> String {
        match self.root {
            Root::PrincipalId => "P.id".to_owned(),
            Root::PrincipalAttr => format!("P.attr.{}", self.name),
            _ => format!("R.attr.{}", self.name),
        }
    }
}
