//! Roles above roles, which role policies name.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::model::{Policy, RolePolicy};
use super::super::problem::{Collector, Place, Position};
use super::super::set::ParentRoles;

/// Parent roles as they are gathered, by scope and role.
#[derive(Default)]
pub(super) struct Parents(BTreeMap<Arc<str>, BTreeMap<Arc<str>, Named>>);

struct Named {
    parents: Vec<Arc<str>>,
    file: Arc<str>,
    at: Position,
}

impl Parents {
    /// Notes the parents of a role policy's role.
    pub(super) fn add(&mut self, policy: &Policy, body: &RolePolicy, out: &mut Collector) {
        let parents: Vec<Arc<str>> = body.parent_roles.iter().map(|role| role.value.clone()).collect();
        let of_scope = self.0.entry(body.scope.value.clone()).or_default();
        let Some(other) = of_scope.get(&body.role.value) else {
            of_scope
                .insert(body.role.value.clone(), Named { parents, file: policy.file.clone(), at: policy.at });
            return;
        };
        // Cerbos keeps the parents by scope and role and forgets the version: whichever it reads last wins.
        let same = |a: &[Arc<str>], b: &[Arc<str>]| {
            a.iter().collect::<HashSet<_>>() == b.iter().collect::<HashSet<_>>()
        };
        if !same(&other.parents, &parents) {
            let place = Place { file: other.file.clone(), at: other.at };
            let message = format!(
                "all versions of the policy of the role `{}` must have the same `parentRoles` in a scope, {place} has others",
                body.role.value
            );
            out.add(&policy.file, policy.at, message);
        }
    }

    /// All roles above each role, nearest first. Roles may be above each other: each comes once.
    pub(super) fn finish(self) -> ParentRoles {
        let above = |of_scope: &BTreeMap<Arc<str>, Named>, role: &Arc<str>| {
            let mut all: Vec<Arc<str>> = Vec::new();
            let mut seen: HashSet<Arc<str>> = HashSet::new();
            let mut next = vec![role.clone()];
            while let Some(role) = next.pop() {
                for parent in of_scope.get(&role).into_iter().flat_map(|named| &named.parents) {
                    if seen.insert(parent.clone()) {
                        all.push(parent.clone());
                        next.push(parent.clone());
                    }
                }
            }
            all
        };
        self.0
            .iter()
            .map(|(scope, roles)| {
                let all = roles.keys().map(|role| (role.clone(), above(roles, role))).collect();
                (scope.clone(), all)
            })
            .collect()
    }
}
