//! Outputs that can never be read as an approval: each call for which such a rule speaks would halt its run.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value as Json};

use super::{KIND, obligation, rows};
use crate::cel::{Entry, Expr, Kind, Map, Value};
use crate::cerbos::closing::{Closing, Failure, split, value};
use crate::cerbos::{Expression, Params, Place, PolicySet, Problem};

/// Conditionals that are looked into, one within the other.
const MOST_SPLITS: u32 = 4;
/// Outputs with more parts are not looked into, nor are any more once so many have been: they fail when they speak.
const LARGEST: usize = 2_000;
const MOST_IN_ALL: usize = 500_000;

/// The outputs of rules for tools that say what no approval is, as far as that can be seen without a request.
pub(super) fn find(set: &PolicySet, globals: &Map) -> Vec<Problem> {
    let mut found: BTreeMap<Place, String> = BTreeMap::new();
    let mut looked_at = 0;
    let of_roles = set.role_rows().filter(|row| row.resource.matches(KIND)).map(|row| &row.rule);
    for rule in rows(set).map(|row| &row.rule).chain(of_roles) {
        for output in [&rule.output.rule_activated, &rule.output.condition_not_met].into_iter().flatten() {
            if found.contains_key(&output.place) || looked_at > MOST_IN_ALL {
                continue;
            }
            if let Some(why) = why(output, &rule.params, globals, &mut looked_at) {
                let message = format!(
                    "this output is no approval, and each call for which it speaks would halt its run: {why}; an output is \
                     `{{\"approval\": {{…}}}}` with any of {}, or `{{}}`",
                    obligation::MEMBERS.map(|member| format!("`{member}`")).join(", ")
                );
                found.insert(output.place.clone(), message);
            }
        }
    }
    found.into_iter().map(|(place, message)| Problem { place, message }).collect()
}

fn why(output: &Expression, params: &Params, globals: &Map, looked_at: &mut usize) -> Option<String> {
    let mut closing = Closing::new(params, globals);
    let closed = closing.close(output.program.expr());
    *looked_at += closing.parts;
    if !closing.exact || closing.parts > LARGEST {
        return None;
    }
    of_expr(&closed, MOST_SPLITS)
}

/// Why what an expression comes to cannot be read; each branch of a conditional has to be.
fn of_expr(expr: &Expr, splits: u32) -> Option<String> {
    if let Some(value) = value(expr) {
        return match value {
            Ok(json) => obligation::read(&json).err().map(|error| error.to_string()),
            Err(Failure(why)) => Some(why),
        };
    }
    match split(expr, false) {
        Some((_, both)) if splits > 0 => both.iter().find_map(|expr| of_expr(expr, splits - 1)),
        Some(_) => None,
        None => {
            let Kind::Map(entries) = &expr.kind else { return None };
            let known = members(entries, &[obligation::APPROVAL], &|expr| match &expr.kind {
                Kind::Map(entries) => Some(members(entries, &obligation::MEMBERS, &|_| None).into()),
                _ => None,
            });
            obligation::read(&known.into()).err().map(|error| error.to_string())
        }
    }
}

/// The members of a mapping that are known; what looks at something is left out where its name is one of these, and kept without a value
/// where it is not.
fn members(
    entries: &[Entry],
    names: &[&str],
    within: &dyn Fn(&Expr) -> Option<Json>,
) -> JsonMap<String, Json> {
    let mut known = JsonMap::new();
    for entry in entries.iter().filter(|entry| !entry.optional) {
        let Kind::Literal(Value::String(name)) = &entry.key.kind else { continue };
        let json = match value(&entry.value) {
            Some(value) => value.ok(),
            None => within(&entry.value),
        };
        let unknown = (!names.contains(&&**name)).then_some(Json::Null);
        if let Some(json) = json.or(unknown) {
            known.insert(name.as_ref().to_owned(), json);
        }
    }
    known
}
