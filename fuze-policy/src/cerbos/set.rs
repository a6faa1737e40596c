//! A policy set after resolution: immutable, every name looked up, every expression read, ready to be decided by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::glob::{Glob, Pattern};
use super::model::{Effect, ScopePermissions};
use super::problem::Place;
use crate::cel::{Map, Program};

/// A resolved policy set.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    pub(crate) policies: Vec<PolicyInfo>,
    pub(crate) rows: Vec<Row>,
    /// By scope, then version; a scope is here only if a policy with rows is in it.
    pub(crate) resources: ByScope<ResourceIndex>,
    /// By scope, then version.
    pub(crate) principals: ByScope<PrincipalIndex>,
    pub(crate) scope_permissions: HashMap<Arc<str>, ScopePermissions>,
    /// By scope, then role: all roles above it, nearest first.
    pub(crate) parent_roles: ParentRoles,
    /// By the key of a resource policy: the derived roles its rules name, in the order of their names.
    pub(crate) derived_roles: BTreeMap<Arc<str>, Vec<Arc<DerivedRole>>>,
    /// By the key of a resource policy: the schemas that hold for it, which are those of its root scope.
    pub(crate) schemas: BTreeMap<Arc<str>, SchemaRefs>,
    /// Schemas that policies below a root scope name, where they are not in force.
    pub(crate) idle_schemas: Vec<SchemaRef>,
}

/// All roles above each role, by scope, then role.
pub(crate) type ParentRoles = HashMap<Arc<str>, HashMap<Arc<str>, Vec<Arc<str>>>>;

/// Something by scope, then version.
pub(crate) type ByScope<T> = BTreeMap<Arc<str>, BTreeMap<Arc<str>, T>>;

/// Rules for resources in one scope and version.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceIndex {
    /// By the sanitized name of the resource: rows of resource policies in the order of the file. A policy without
    /// rules is here too, with none.
    pub(crate) regular: HashMap<Arc<str>, Vec<RowId>>,
    /// Rows of role policies.
    pub(crate) roles: Vec<RoleRow>,
}

/// Rules for principals in one scope and version.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrincipalIndex {
    /// By principal: rows of its policy. A policy without rules is here too, with none.
    pub(crate) rows: HashMap<Arc<str>, Vec<RowId>>,
}

/// The number of a row in [`PolicySet::rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(crate) u32);

/// The number of a policy in [`PolicySet::policies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(pub(crate) u32);

/// What kind of policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// A resource policy.
    Resource,
    /// A principal policy.
    Principal,
    /// A role policy.
    Role,
}

/// A policy of the set that can decide.
#[derive(Clone, Debug)]
pub struct PolicyInfo {
    /// Its key, such as `resource.expense.vdefault/acme`.
    pub key: Arc<str>,
    /// Its kind.
    pub kind: PolicyKind,
    /// The resource, principal or role, as written.
    pub name: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The scope; empty at the root.
    pub scope: Arc<str>,
    /// How the scope relates to its parent.
    pub scope_permissions: ScopePermissions,
    /// Where it stands.
    pub place: Place,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
}

/// One way to a rule: for one action and one role (or one kind of resource).
#[derive(Clone, Debug)]
pub struct Row {
    /// The policy.
    pub policy: PolicyId,
    /// The rule.
    pub rule: Arc<Rule>,
    /// For which actions.
    pub action: Pattern,
    /// For whom or what.
    pub whom: Whom,
    /// Rows with the same number share the outcome of their conditions within a request.
    pub(crate) outcome: u32,
}

/// For whom or what a row is.
#[derive(Clone, Debug)]
pub enum Whom {
    /// A resource policy's rule for a role.
    Role(Pattern),
    /// A resource policy's rule for a derived role, by one of its parent roles.
    DerivedRole {
        /// The parent role.
        parent: Pattern,
        /// The derived role.
        role: Arc<DerivedRole>,
    },
    /// A principal policy's rule for a kind of resource.
    Resource(Pattern),
}

/// A rule of a role policy for a kind of resource.
#[derive(Clone, Debug)]
pub struct RoleRow {
    /// The policy.
    pub policy: PolicyId,
    /// The rule; its effect is to allow.
    pub rule: Arc<Rule>,
    /// The role.
    pub role: Arc<str>,
    /// For which resources.
    pub resource: Pattern,
    /// What the role may do; always patterns, stars or not.
    pub allow_actions: Arc<[Glob]>,
    /// Rows with the same number share the outcome of their conditions within a request.
    pub(crate) outcome: u32,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, or the one Cerbos gives it; empty for rules without name of a role policy.
    pub name: Arc<str>,
    /// The policy's key, `#` and the name: what Cerbos calls the source of an output.
    pub source: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What it decides, as written.
    pub effect: Effect,
    /// Whether the scope asks for parental consent, so that a conditional allow becomes a denial while the condition
    /// does not hold.
    pub inverted: bool,
    /// When it holds, as written.
    pub condition: Option<Condition>,
    /// What it says besides.
    pub output: Output,
    /// What its expressions can name.
    pub params: Arc<Params>,
}

/// A condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// An expression.
    Expr(Arc<Expression>),
    /// All of them.
    All(Vec<Condition>),
    /// One of them at least.
    Any(Vec<Condition>),
    /// None of them.
    None(Vec<Condition>),
}

/// What a rule says besides its effect.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// When the rule holds.
    pub rule_activated: Option<Arc<Expression>>,
    /// When its condition does not hold.
    pub condition_not_met: Option<Arc<Expression>>,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expression {
    /// As written.
    pub source: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// As read.
    pub program: Program,
}

/// Constants and variables that the expressions of a policy use.
#[derive(Clone, Debug)]
pub struct Params {
    /// Policies that use the same constants and variables have the same number, and share the variables' values.
    pub(crate) id: u32,
    /// The constants.
    pub constants: Arc<Map>,
    /// The variables, each after those it names.
    pub variables: Vec<Variable>,
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// What it stands for.
    pub expr: Arc<Expression>,
}

/// A derived role.
#[derive(Clone, Debug)]
pub struct DerivedRole {
    pub(crate) id: u32,
    /// Its name.
    pub name: Arc<str>,
    /// The key of the set that defines it.
    pub set: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// Roles of which a principal must have one; `*` alone for any.
    pub parent_roles: Vec<Arc<str>>,
    /// When it holds.
    pub condition: Option<Condition>,
    /// What its condition can name.
    pub params: Arc<Params>,
}

/// Schemas of a resource policy.
#[derive(Clone, Debug, Default)]
pub struct SchemaRefs {
    /// Of the principal's attributes.
    pub principal: Option<SchemaRef>,
    /// Of the resource's attributes.
    pub resource: Option<SchemaRef>,
}

/// A schema by its address.
#[derive(Clone, Debug)]
pub struct SchemaRef {
    /// Such as `cerbos:///leave_request.json`.
    pub reference: Arc<str>,
    /// Where the address stands.
    pub place: Place,
    /// Actions for which it is not enforced.
    pub ignore_when: Vec<Glob>,
}

impl PolicySet {
    /// The policies that can decide, in the order of their keys.
    #[must_use]
    pub fn policies(&self) -> &[PolicyInfo] {
        &self.policies
    }

    /// A policy of the set.
    #[must_use]
    pub fn policy(&self, id: PolicyId) -> Option<&PolicyInfo> {
        self.policies.get(id.0 as usize)
    }

    /// The rows of resource and principal policies, in the order of policies and rules.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of role policies.
    pub fn role_rows(&self) -> impl Iterator<Item = &RoleRow> {
        self.resources.values().flat_map(BTreeMap::values).flat_map(|index| &index.roles)
    }

    /// The derived roles that resource policies name, by the policy's key.
    pub fn derived_roles(&self) -> impl Iterator<Item = (&Arc<str>, &[Arc<DerivedRole>])> {
        self.derived_roles.iter().map(|(key, roles)| (key, roles.as_slice()))
    }

    /// The schemas in force, by the key of the resource policy.
    pub fn schemas(&self) -> impl Iterator<Item = (&Arc<str>, &SchemaRefs)> {
        self.schemas.iter()
    }

    /// Every schema that a policy names, also below a root scope: those are not in force, and have to be there for `cerbos compile`.
    pub fn named_schemas(&self) -> impl Iterator<Item = &SchemaRef> {
        let in_force = self.schemas.values().flat_map(|refs| [&refs.principal, &refs.resource]);
        in_force.flatten().chain(&self.idle_schemas)
    }

    /// Scopes of the set's policies.
    #[must_use]
    pub fn scopes(&self) -> BTreeSet<Arc<str>> {
        self.policies.iter().map(|policy| policy.scope.clone()).collect()
    }

    /// The roles and all roles above them in a scope, each role's parents after all roles.
    pub(crate) fn with_parent_roles(&self, scope: &str, roles: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut all = roles.to_vec();
        if let Some(of_scope) = self.parent_roles.get(scope) {
            all.extend(roles.iter().filter_map(|role| of_scope.get(role)).flatten().cloned());
        }
        all
    }

    pub(crate) fn row(&self, id: RowId) -> Option<&Row> {
        self.rows.get(id.0 as usize)
    }
}
