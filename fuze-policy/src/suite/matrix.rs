//! Which principal is tried on which resource, and what is expected of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cerbos::{Effect, Position};

use super::{Fixtures, Names, Table};

/// What one test expects of one principal and resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected<'t> {
    /// By action; what is not here is expected to be denied.
    pub(super) effects: BTreeMap<&'t str, Effect>,
    /// By action, then by rule.
    pub(super) outputs: BTreeMap<&'t str, BTreeMap<&'t str, Option<&'t Value>>>,
}

/// Combinations of principals, resources and actions that one test can ask for, and can say something of: all three multiply.
const MOST_CASES: usize = 100_000;

/// A principal, a resource and what is expected.
#[derive(Clone, Debug)]
pub(super) struct Element<'t> {
    pub(super) principal: &'t str,
    pub(super) resource: &'t str,
    pub(super) expected: Expected<'t>,
}

/// Why there are none, in an author's words, and where.
type Problem = (Position, String);

/// Every combination that a test asks for, in its order.
pub(super) fn elements<'t>(table: &'t Table, fixtures: &'t Fixtures) -> Result<Vec<Element<'t>>, Problem> {
    let at = |message| (table.at, message);
    let principals = resolve(&table.principals, &fixtures.principal_groups, "principal").map_err(at)?;
    let resources = resolve(&table.resources, &fixtures.resource_groups, "resource").map_err(at)?;
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
    let mut expected = expectations(table, fixtures)?;
    let mut elements = Vec::with_capacity(principals.len().saturating_mul(resources.len()));
    for &principal in &principals {
        for &resource in &resources {
            let expected = expected.remove(&(principal, resource)).unwrap_or_default();
            elements.push(Element { principal, resource, expected });
        }
    }
    match expected.into_keys().next() {
        None => Ok(elements),
        Some((principal, resource)) => Err((
            table.at,
            format!(
                "something is expected of the principal `{principal}` and the resource `{resource}`, which `input` does not name together: it names the \
                 principals {} and the resources {}",
                listed(principals),
                listed(resources)
            ),
        )),
    }
}

type Expectations<'t> = BTreeMap<(&'t str, &'t str), Expected<'t>>;

fn expectations<'t>(table: &'t Table, fixtures: &'t Fixtures) -> Result<Expectations<'t>, Problem> {
    let mut all = Expectations::new();
    let mut combinations = 0usize;
    for expectation in &table.expected {
        let fail = |message| Err((expectation.at, message));
        let actions = expectation.actions.iter().map(|(action, _)| action);
        let outputs = expectation.outputs.iter().map(|(action, _)| action);
        if let Some(action) = actions.chain(outputs).find(|action| !table.actions.contains(action)) {
            return fail(format!(
                "something is expected of the action `{action}`, which `input` does not name: it names {}",
                listed(table.actions.iter().map(String::as_str))
            ));
        }
        let at = |message| (expectation.at, message);
        let principals =
            resolve(&expectation.principals, &fixtures.principal_groups, "principal").map_err(at)?;
        let resources = resolve(&expectation.resources, &fixtures.resource_groups, "resource").map_err(at)?;
        let said = expectation.outputs.iter().map(|(_, said)| said.len()).sum::<usize>();
        let each = expectation.actions.len().max(said).max(1);
        let more = principals.len().saturating_mul(resources.len()).saturating_mul(each);
        combinations = combinations.saturating_add(more);
        if combinations > MOST_CASES {
            return fail(format!(
                "with this one `expected` has {combinations} combinations, at most {MOST_CASES} are looked at: divide the test"
            ));
        }
        for &principal in &principals {
            for &resource in &resources {
                let expected = all.entry((principal, resource)).or_default();
                for (action, effect) in &expectation.actions {
                    if expected.effects.insert(action, *effect).is_some_and(|before| before != *effect) {
                        return fail(format!(
                            "another effect is expected of `{principal}` for `{action}` on `{resource}` above"
                        ));
                    }
                }
                for (action, entries) in &expectation.outputs {
                    let outputs = expected.outputs.entry(action).or_default();
                    for (source, value) in entries {
                        let value = value.as_ref();
                        if outputs.insert(source, value).is_some_and(|before| before != value) {
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

/// The first of some names.
fn listed<'t>(names: impl IntoIterator<Item = &'t str>) -> String {
    const MOST: usize = 8;
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = if names.next().is_some() { " and others" } else { "" };
    first.join(", ") + more
}

/// Keys, then the members of groups that are not among them.
fn resolve<'t>(
    names: &'t Names,
    groups: &'t BTreeMap<String, Vec<String>>,
    what: &str,
) -> Result<Vec<&'t str>, String> {
    let mut keys: Vec<&str> = names.keys.iter().map(String::as_str).collect();
    let mut seen: BTreeSet<&str> = keys.iter().copied().collect();
    for group in &names.groups {
        let members = groups.get(group).ok_or_else(|| format!("there is no {what} group `{group}`"))?;
        keys.extend(members.iter().map(String::as_str).filter(|member| seen.insert(member)));
    }
    Ok(keys)
}
