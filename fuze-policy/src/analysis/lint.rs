//! Lint: what a reviewer would object to, although it loads.

mod any_name;
mod compared;
mod kinds;
mod names;
mod narrow;
mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Finding, Lint, Policies, Reason, Tools};
use crate::cerbos::{Place, Rule};

pub(super) use names::named_tools;

pub(super) fn lint(policies: &Policies<'_>, tools: &Tools) -> Vec<Finding> {
    let mut found = Findings::default();
    let declared = policies.clone().for_tools(tools);
    // What holds for every tool that could be declared does not depend on those that are today.
    let open = Policies { tools: None, ..policies.clone() };
    narrow::find(&open, &mut found);
    // A role that nobody has is a finding of its own.
    let tools_alone = Tools { roles: None, ..tools.clone() };
    let of_tools = open.clone().for_tools(&tools_alone);
    rules::find(&open, Some(&of_tools).filter(|_| !tools.tools.is_empty()), &mut found);
    names::find(&declared, tools, &mut found);
    kinds::find(policies.set, &mut found);
    found.0.into_iter().collect()
}

/// Findings, each once.
#[derive(Default)]
struct Findings(BTreeSet<Finding>);

impl Findings {
    fn add(&mut self, lint: Lint, place: &Place, message: impl Into<String>) {
        self.0.insert(Finding { place: place.clone(), lint, message: message.into() });
    }

    /// Notes, at the first of them, that it was not judged of some rules whether something is so: to look took too long.
    fn not_judged<'r>(
        &mut self,
        rules: impl IntoIterator<Item = &'r Arc<Rule>>,
        whether: &str,
        reason: &Reason,
    ) {
        let places: BTreeSet<&Place> = rules.into_iter().map(|rule| &rule.place).collect();
        let Some(first) = places.first() else { return };
        let whose = match places.len() - 1 {
            0 => "this rule".to_owned(),
            1 => "this rule, or another after it,".to_owned(),
            more => format!("this rule, or one of {more} others after it,"),
        };
        self.add(Lint::NotJudged, first, format!("whether {whose} {whether} was not judged: {reason}"));
    }
}
