//! Requests about tools: drawn at random, or one of them with what is usual.

use std::sync::Arc;

use fastrand::Rng;
use fuze_policy::cerbos::{CheckInput, Principal, Resource};
use fuze_policy::{RunFacts, ToolFacts};
use serde_json::{Map, Value as Json};

/// A tool that pays, once.
pub(crate) const TOOL: ToolFacts<'static> = ToolFacts {
    name: "pay",
    classification: "public",
    art9_basis: None,
    residency: "eu",
    effect: "once",
    egress: "none",
};

/// A run about nobody, for nobody in particular.
pub(crate) const RUN: RunFacts<'static> = RunFacts {
    tenant: "acme",
    principal: "agent-1",
    roles: &[],
    purpose: "care",
    lawful_basis: "consent",
    annex_iii: "none",
    art22: "none",
    has_subject: false,
};

pub(crate) fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

/// The members of what is an object.
pub(crate) fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// Where a random test begins and how often it goes round, unless `FUZE_SEED` and `FUZE_ROUNDS` say otherwise.
pub(crate) fn seed_and_rounds(seed: u64, rounds: u64) -> (u64, u64) {
    let given = |name: &str| std::env::var(name).ok().and_then(|given| given.parse().ok());
    (given("FUZE_SEED").unwrap_or(seed), given("FUZE_ROUNDS").unwrap_or(rounds))
}

/// Both questions about a tool: whoever asks, with roles and attributes, and the tool, with its own.
pub(crate) fn both_questions(
    (who, roles, run): (&str, Vec<Arc<str>>, Map<String, Json>),
    (tool, attributes): (&str, Map<String, Json>),
) -> CheckInput {
    CheckInput {
        principal: Principal { id: who.to_owned(), roles, attr: run, ..Principal::default() },
        resource: Resource {
            kind: "agent.tool".to_owned(),
            id: tool.to_owned(),
            attr: attributes,
            ..Resource::default()
        },
        actions: vec!["invoke".into(), "invoke:auto".into()],
        ..CheckInput::default()
    }
}
