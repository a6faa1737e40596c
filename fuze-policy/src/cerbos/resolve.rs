//! From typed policies to a set: names looked up, scopes checked, rules laid out as Cerbos lays out its rule table.

mod chance;
mod definitions;
mod expressions;
mod library;
mod mixed;
mod named;
mod parents;
mod rows;
mod scopes;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::Source;
use super::model::{Body, Policy};
use super::names;
use super::problem::{Collector, Place, Problems};
use super::set::PolicySet;

impl PolicySet {
    /// Reads and resolves policies.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its place.
    pub fn load(policies: &[Source]) -> Result<Self, Problems> {
        let mut out = Collector::default();
        let policies = read_all(policies, &mut out);
        let set = resolve(&policies, &mut out);
        out.into_result(set)
    }
}

/// Reads policies; disabled ones are left out once they are known to be well-formed, as in Cerbos.
fn read_all(sources: &[Source], out: &mut Collector) -> Vec<Policy> {
    let mut policies: Vec<Policy> =
        sources.iter().filter_map(|source| Policy::read_into(source, out)).collect();
    policies.retain(|policy| !policy.disabled);
    policies
}

fn resolve(policies: &[Policy], out: &mut Collector) -> PolicySet {
    let by_key = by_key(policies, out);
    scopes::agree(&by_key, out);
    let library = library::Library::new(policies, &by_key, out);
    let mut builder = rows::Builder::new(&library);
    // In the order of their keys, so that the same policies give the same set whatever their files are called.
    for (key, policy) in &by_key {
        ancestors_exist(policy, &by_key, out);
        builder.add(key, policy, out);
    }
    let set = builder.finish();
    mixed::tell(&set, out);
    set
}

/// Policies by their keys; a key that comes twice is a problem.
fn by_key<'p>(policies: &'p [Policy], out: &mut Collector) -> BTreeMap<Arc<str>, &'p Policy> {
    let mut all: BTreeMap<Arc<str>, &Policy> = BTreeMap::new();
    for policy in policies {
        let key = key_of(policy);
        if let Some(other) = all.get(&key) {
            let place = Place { file: other.file.clone(), at: other.at };
            out.add(
                &policy.file,
                policy.at,
                format!(
                    "{} is defined at {place} already (both are `{key}`): take one of them out, or put their rules into one",
                    title(policy)
                ),
            );
        } else {
            all.insert(key, policy);
        }
    }
    all
}

fn key_of(policy: &Policy) -> Arc<str> {
    match &policy.body {
        Body::Resource(p) => names::resource_key(&p.resource.value, &p.version.value, &p.scope.value),
        Body::Principal(p) => names::principal_key(&p.principal.value, &p.version.value, &p.scope.value),
        Body::Role(p) => names::role_key(&p.role.value, &p.version.value, &p.scope.value),
        Body::DerivedRoles(p) => names::set_key(DERIVED_ROLES, &p.name.value),
        Body::ExportVariables(p) => names::set_key(EXPORT_VARIABLES, &p.name.value),
        Body::ExportConstants(p) => names::set_key(EXPORT_CONSTANTS, &p.name.value),
    }
    .into()
}

const DERIVED_ROLES: &str = "derived_roles";
const EXPORT_VARIABLES: &str = "export_variables";
const EXPORT_CONSTANTS: &str = "export_constants";

/// What a policy is called in a message.
fn title(policy: &Policy) -> String {
    let scoped = |kind: &str, name: &str, scope: &str| {
        if scope.is_empty() {
            format!("{kind} `{name}`")
        } else {
            format!("{kind} `{name}` of the scope `{scope}`")
        }
    };
    match &policy.body {
        Body::Resource(p) => scoped("resource policy", &p.resource.value, &p.scope.value),
        Body::Principal(p) => scoped("principal policy", &p.principal.value, &p.scope.value),
        Body::Role(p) => scoped("role policy", &p.role.value, &p.scope.value),
        Body::DerivedRoles(p) => format!("the set of derived roles `{}`", p.name.value),
        Body::ExportVariables(p) => format!("the set of variables `{}`", p.name.value),
        Body::ExportConstants(p) => format!("the set of constants `{}`", p.name.value),
    }
}

/// Each scope above a policy's own needs the same policy, even if it is an empty one.
fn ancestors_exist(policy: &Policy, by_key: &BTreeMap<Arc<str>, &Policy>, out: &mut Collector) {
    let scope = match &policy.body {
        Body::Resource(p) => &p.scope,
        Body::Principal(p) => &p.scope,
        Body::Role(_) | Body::DerivedRoles(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => return,
    };
    for parent in names::parents(&scope.value) {
        let key = match &policy.body {
            Body::Resource(p) => names::resource_key(&p.resource.value, &p.version.value, parent),
            Body::Principal(p) => names::principal_key(&p.principal.value, &p.version.value, parent),
            Body::Role(_) | Body::DerivedRoles(_) | Body::ExportVariables(_) | Body::ExportConstants(_) => {
                return;
            }
        };
        if !by_key.contains_key(&*key) {
            let parent =
                if parent.is_empty() { "the root scope".to_owned() } else { format!("the scope `{parent}`") };
            let message =
                format!("{} needs the same policy in {parent}: `{key}` is not there", title(policy));
            out.add(&policy.file, scope.at, message);
        }
    }
}

#[cfg(test)]
mod tests;
