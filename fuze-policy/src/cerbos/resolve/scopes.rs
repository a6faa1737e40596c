//! How the scopes of a set relate to their parents.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::model::{Body, Policy, ScopePermissions};
use super::super::problem::{Collector, Place, Position};
use super::title;

/// A policy with what it says of its scope.
struct Said<'p> {
    policy: &'p Policy,
    scope: &'p str,
    at: Position,
    permissions: Option<ScopePermissions>,
}

/// Tells scopes whose policies do not agree on how it relates to its parent.
pub(super) fn agree(by_key: &BTreeMap<Arc<str>, &Policy>, out: &mut Collector) {
    let mut all: Vec<Said<'_>> = by_key.values().map(|policy| said(policy)).collect();
    // In the order in which Cerbos walks a directory.
    all.sort_by(|a, b| a.policy.file.split('/').cmp(b.policy.file.split('/')));
    same_meaning(&all, out);
    same_words(&all, out);
}

fn said(policy: &Policy) -> Said<'_> {
    let (scope, at, permissions): (&str, Position, _) = match &policy.body {
        Body::Resource(p) => (&p.scope.value, p.scope.at, p.scope_permissions),
        Body::Principal(p) => (&p.scope.value, p.scope.at, p.scope_permissions),
        Body::Role(p) => (&p.scope.value, p.scope.at, None),
        Body::DerivedRoles(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => ("", policy.at, None),
    };
    Said { policy, scope, at, permissions }
}

/// Cerbos keeps one answer for each scope: which of two it would be is chance.
fn same_meaning(all: &[Said<'_>], out: &mut Collector) {
    let mut first: HashMap<&str, &Said<'_>> = HashMap::new();
    for said in all {
        if !matches!(said.policy.body, Body::Resource(_) | Body::Principal(_)) {
            continue;
        }
        let other = *first.entry(said.scope).or_insert(said);
        if other.permissions.unwrap_or_default() != said.permissions.unwrap_or_default() {
            differ(said, other, "policies of one scope must have the same `scopePermissions`", out);
        }
    }
}

/// Cerbos refuses a set where the files of a scope use different words, of which silence is one; it does not look at
/// the first file of a scope.
fn same_words(all: &[Said<'_>], out: &mut Collector) {
    let mut seen: HashMap<&str, Option<&Said<'_>>> = HashMap::new();
    for said in all {
        match seen.get_mut(said.scope) {
            None => {
                seen.insert(said.scope, None);
            }
            Some(second @ None) => *second = Some(said),
            Some(Some(second)) if second.permissions != said.permissions => {
                let rule = "all files of a scope must say the same `scopePermissions` or say nothing, sets of \
                            derived roles, variables and constants count for the root scope: Cerbos refuses that";
                differ(said, second, rule, out);
            }
            Some(Some(_)) => {}
        }
    }
}

fn differ(said: &Said<'_>, other: &Said<'_>, rule: &str, out: &mut Collector) {
    let place = Place { file: other.policy.file.clone(), at: other.policy.at };
    let message = format!("{rule}: {} and {} ({place}) differ", title(said.policy), title(other.policy));
    out.add(&said.policy.file, said.at, message);
}
