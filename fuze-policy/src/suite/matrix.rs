//! Which principal is tried on which resource, and what is expected of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cerbos::Effect;

use super::{Fixtures, Names, Table};

/// What one test expects of one principal and resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// By action; what is not here is expected to be denied.
    pub(super) effects: BTreeMap<String, Effect>,
    /// By action, then by rule.
    pub(super) outputs: BTreeMap<String, BTreeMap<String, Option<Value>>>,
}

/// Combinations of principals, resources and actions that one test can ask for: all three multiply.
const MOST_CASES: usize = 100_000;

/// A principal, a resource and what is expected.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) principal: String,
    pub(super) resource: String,
    pub(super) expected: Expected,
}

/// Every combination that a test asks for, in its order. The error is in an author's words.
pub(super) fn elements(
    table: &Table,
    fixtures: &Fixtures,
) -> Result<Vec<Element>, (crate::cerbos::Position, String)> {
    let at = |position| move |message| (position, message);
    let mut expected = expectations(table, fixtures)?;
    let principals =
        resolve(&table.principals, &fixtures.principal_groups, "principal").map_err(at(table.at))?;
    let resources = resolve(&table.resources, &fixtures.resource_groups, "resource").map_err(at(table.at))?;
    match principals.len().saturating_mul(resources.len()).saturating_mul(table.actions.len()) {
        // What expects nothing of nobody holds always.
        0 => {
            let why = "`input` names no principal, no resource or no action, so that nothing is tested";
            return Err((table.at, why.to_owned()));
        }
        cases if cases > MOST_CASES => {
            let why = format!("`input` has {cases} combinations, at most {MOST_CASES} are tested: divide it");
            return Err((table.at, why));
        }
        _ => {}
    }
    let mut elements = Vec::with_capacity(principals.len().saturating_mul(resources.len()));
    for principal in &principals {
        for resource in &resources {
            let expected = expected.remove(&(principal.clone(), resource.clone())).unwrap_or_default();
            elements.push(Element { principal: principal.clone(), resource: resource.clone(), expected });
        }
    }
    match expected.into_keys().next() {
        None => Ok(elements),
        Some((principal, resource)) => Err((
            table.at,
            format!(
                "something is expected of the principal `{principal}` and the resource `{resource}`, which `input` does not name together"
            ),
        )),
    }
}

type Expectations = BTreeMap<(String, String), Expected>;

fn expectations(
    table: &Table,
    fixtures: &Fixtures,
) -> Result<Expectations, (crate::cerbos::Position, String)> {
    let mut all = Expectations::new();
    for expectation in &table.expected {
        let fail = |message| Err((expectation.at, message));
        let actions = expectation.actions.iter().map(|(action, _)| action);
        let outputs = expectation.outputs.iter().map(|(action, _)| action);
        if let Some(action) = actions.chain(outputs).find(|action| !table.actions.contains(action)) {
            return fail(format!(
                "something is expected of the action `{action}`, which `input` does not name"
            ));
        }
        let at = |message| (expectation.at, message);
        let principals =
            resolve(&expectation.principals, &fixtures.principal_groups, "principal").map_err(at)?;
        let resources = resolve(&expectation.resources, &fixtures.resource_groups, "resource").map_err(at)?;
        for principal in &principals {
            for resource in &resources {
                let expected = all.entry((principal.clone(), resource.clone())).or_default();
                for (action, effect) in &expectation.actions {
                    if expected
                        .effects
                        .insert(action.clone(), *effect)
                        .is_some_and(|before| before != *effect)
                    {
                        return fail(format!(
                            "another effect is expected of `{principal}` for `{action}` on `{resource}` above"
                        ));
                    }
                }
                for (action, entries) in &expectation.outputs {
                    let outputs = expected.outputs.entry(action.clone()).or_default();
                    for (source, value) in entries {
                        if outputs
                            .insert(source.clone(), value.clone())
                            .is_some_and(|before| before != *value)
                        {
                            return fail(format!(
                                "another output of `{source}` is expected of `{principal}` for `{action}` on `{resource}` above"
                            ));
                        }
                    }
                }
            }
        }
    }
    Ok(all)
}

/// Keys, then the members of groups that are not among them.
fn resolve(names: &Names, groups: &BTreeMap<String, Vec<String>>, what: &str) -> Result<Vec<String>, String> {
    let mut keys = names.keys.clone();
    for group in &names.groups {
        let members = groups.get(group).ok_or_else(|| format!("there is no {what} group `{group}`"))?;
        for member in members {
            if !keys.contains(member) {
                keys.push(member.clone());
            }
        }
    }
    Ok(keys)
}
