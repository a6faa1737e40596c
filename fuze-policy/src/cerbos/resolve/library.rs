//! Sets that policies import: derived roles, variables, constants. Each is read once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::model::{self, Body, DerivedRolesPolicy, Policy};
use super::super::names;
use super::super::problem::{Collector, Place};
use super::super::set::DerivedRole;
use super::super::yaml::Text;
use super::definitions::{self, Defined, Definitions, ParamsPool, Read};
use super::expressions::Expressions;
use super::{DERIVED_ROLES, EXPORT_CONSTANTS, EXPORT_VARIABLES, title};

/// The derived roles of a set by name; `None` for those that could not be read.
type RoleSet = BTreeMap<Arc<str>, Option<Arc<DerivedRole>>>;

/// What can be imported, by the key of the set.
pub(super) struct Library {
    constants: HashMap<Arc<str>, Vec<Defined<serde_json::Value>>>,
    variables: HashMap<Arc<str>, Vec<Defined<Read>>>,
    derived_roles: HashMap<Arc<str>, RoleSet>,
    pub(super) params: RefCell<ParamsPool>,
}

impl Library {
    pub(super) fn new(
        policies: &[Policy],
        by_key: &BTreeMap<Arc<str>, &Policy>,
        out: &mut Collector,
    ) -> Self {
        let mut library = Self {
            constants: HashMap::new(),
            variables: HashMap::new(),
            derived_roles: HashMap::new(),
            params: RefCell::default(),
        };
        // A second set of the same name was told already; it is read for its own problems.
        for policy in policies {
            let key = super::key_of(policy);
            let counts = by_key.get(&key).is_some_and(|first| std::ptr::eq(*first, policy));
            match &policy.body {
                Body::ExportConstants(set) => {
                    let read = definitions::constants(&policy.file, &set.definitions, out);
                    if counts {
                        library.constants.insert(key, read);
                    }
                }
                Body::ExportVariables(set) => {
                    let read = definitions::variables(&policy.file, &set.definitions, out);
                    if counts {
                        library.variables.insert(key, read);
                    }
                }
                Body::Resource(_) | Body::Principal(_) | Body::Role(_) | Body::DerivedRoles(_) => {}
            }
        }
        let mut number = 0;
        for (key, policy) in by_key {
            if let Body::DerivedRoles(set) = &policy.body {
                let roles = library.read_roles(key, policy, set, &mut number, out);
                library.derived_roles.insert(key.clone(), roles);
            }
        }
        library
    }

    fn read_roles(
        &self,
        key: &Arc<str>,
        policy: &Policy,
        set: &DerivedRolesPolicy,
        number: &mut u32,
        out: &mut Collector,
    ) -> RoleSet {
        let definitions = self.definitions(policy, &set.variables, &set.constants, out);
        let mut roles = BTreeMap::new();
        for role in &set.definitions {
            let mut expressions = Expressions::new(&policy.file, &definitions);
            let read = role.condition.as_ref().map(|condition| expressions.condition(condition, out));
            let params = self.params.borrow_mut().params(&definitions, &expressions.usage);
            *number = number.saturating_add(1);
            let name = &role.name.value;
            let whole = match read {
                Some(None) => None,
                Some(Some(condition)) => Some(Some(condition)),
                None => Some(None),
            };
            let read = whole.map(|condition| {
                Arc::new(DerivedRole {
                    id: *number,
                    name: name.clone(),
                    set: key.clone(),
                    place: Place { file: policy.file.clone(), at: role.at },
                    parent_roles: roles_or_any(&role.parent_roles),
                    condition,
                    params,
                })
            });
            roles.entry(name.clone()).or_insert(read);
        }
        roles
    }

    /// What the expressions of a policy can name.
    pub(super) fn definitions(
        &self,
        policy: &Policy,
        variables: &model::Variables,
        constants: &model::Constants,
        out: &mut Collector,
    ) -> Definitions {
        let mut all_constants = definitions::constants(&policy.file, &constants.local, out);
        for import in &constants.import {
            all_constants.extend(self.imported(
                policy,
                import,
                "constants",
                EXPORT_CONSTANTS,
                &self.constants,
                out,
            ));
        }
        let mut all_variables = definitions::variables(&policy.file, &variables.local, out);
        all_variables.extend(definitions::variables(&policy.file, &policy.variables, out));
        for import in &variables.import {
            all_variables.extend(self.imported(
                policy,
                import,
                "variables",
                EXPORT_VARIABLES,
                &self.variables,
                out,
            ));
        }
        Definitions::new(policy, all_constants, all_variables, out)
    }

    fn imported<T: Clone>(
        &self,
        policy: &Policy,
        import: &Text,
        what: &str,
        kind: &str,
        sets: &HashMap<Arc<str>, Vec<Defined<T>>>,
        out: &mut Collector,
    ) -> Vec<Defined<T>> {
        let found = sets.get(names::set_key(kind, &import.value).as_str());
        if found.is_none() {
            let member = if kind == EXPORT_VARIABLES { "exportVariables" } else { "exportConstants" };
            let message = format!(
                "{} imports the {what} `{}`, which no file exports: {}",
                title(policy),
                import.value,
                to_mend(member, &import.value)
            );
            out.add(&policy.file, import.at, message);
        }
        found.cloned().unwrap_or_default()
    }

    /// The derived roles of a set that a policy imports.
    pub(super) fn roles(&self, policy: &Policy, import: &Text, out: &mut Collector) -> Option<&RoleSet> {
        let found = self.derived_roles.get(names::set_key(DERIVED_ROLES, &import.value).as_str());
        if found.is_none() {
            let message = format!(
                "{} imports the derived roles `{}`, which no file defines: {}",
                title(policy),
                import.value,
                to_mend("derivedRoles", &import.value)
            );
            out.add(&policy.file, import.at, message);
        }
        found
    }
}

/// Roles as Cerbos keeps them: `*` among them makes all others needless.
pub(super) fn roles_or_any(roles: &[Text]) -> Vec<Arc<str>> {
    if let Some(any) = roles.iter().find(|role| &*role.value == "*") {
        return vec![any.value.clone()];
    }
    roles.iter().map(|role| role.value.clone()).collect()
}

/// What to do about an import of what is not there.
fn to_mend(member: &str, name: &str) -> String {
    format!(
        "write its name as it stands behind `name` there, or add a file with `{member}` of the name `{name}`"
    )
}
