//! What a policy file can hold.

use std::sync::Arc;

use super::super::problem::Position;
use super::super::yaml::{Node, Text};
use super::Condition;
use super::rules::{PrincipalRule, ResourceRule, RoleRule};

/// One policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The file it stands in.
    pub file: Arc<str>,
    /// Where its body begins.
    pub at: Position,
    /// Whether it is switched off: then it is as if the file were not there.
    pub disabled: bool,
    /// What its author says of it.
    pub description: Option<Text>,
    /// `metadata.annotations`.
    pub annotations: Vec<Named<Text>>,
    /// Variables at the top level: the old way.
    pub variables: Vec<Named<Text>>,
    /// What kind of policy it is.
    pub body: Body,
}

/// The kinds of policy.
#[derive(Clone, Debug)]
pub enum Body {
    /// Rules for a kind of resource.
    Resource(ResourcePolicy),
    /// Exceptions for one principal.
    Principal(PrincipalPolicy),
    /// What a role may do at most.
    Role(RolePolicy),
    /// Roles that follow from attributes.
    DerivedRoles(DerivedRolesPolicy),
    /// Variables for others to import.
    ExportVariables(ExportVariables),
    /// Constants for others to import.
    ExportConstants(ExportConstants),
}

/// A name with what it stands for.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// The name.
    pub name: Arc<str>,
    /// Where the name stands.
    pub name_at: Position,
    /// What it stands for.
    pub value: T,
}

/// What a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// `EFFECT_ALLOW`.
    Allow,
    /// `EFFECT_DENY`.
    Deny,
}

impl Effect {
    /// As Cerbos writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "EFFECT_ALLOW",
            Self::Deny => "EFFECT_DENY",
        }
    }
}

/// How a scope relates to its parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScopePermissions {
    /// What this scope decides is decided.
    #[default]
    OverrideParent,
    /// What this scope allows, its parents must allow too.
    RequireParentalConsentForAllows,
}

/// `resourcePolicy`.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    /// The kind of resource.
    pub resource: Text,
    /// The version.
    pub version: Text,
    /// The scope; empty at the root.
    pub scope: Text,
    /// How the scope relates to its parent, if the file says so.
    pub scope_permissions: Option<ScopePermissions>,
    /// Names of imported sets of derived roles.
    pub import_derived_roles: Vec<Text>,
    /// The rules.
    pub rules: Vec<ResourceRule>,
    /// Schemas of the attributes.
    pub schemas: Schemas,
    /// Variables.
    pub variables: Variables,
    /// Constants.
    pub constants: Constants,
}

/// `principalPolicy`.
#[derive(Clone, Debug)]
pub struct PrincipalPolicy {
    /// The principal's ID.
    pub principal: Text,
    /// The version.
    pub version: Text,
    /// The scope; empty at the root.
    pub scope: Text,
    /// How the scope relates to its parent, if the file says so.
    pub scope_permissions: Option<ScopePermissions>,
    /// The rules.
    pub rules: Vec<PrincipalRule>,
    /// Variables.
    pub variables: Variables,
    /// Constants.
    pub constants: Constants,
}

/// `rolePolicy`.
#[derive(Clone, Debug)]
pub struct RolePolicy {
    /// The role.
    pub role: Text,
    /// The version; `default` if the file names none.
    pub version: Text,
    /// The scope; empty at the root.
    pub scope: Text,
    /// Roles whose rules this role has too, narrowed by this policy.
    pub parent_roles: Vec<Text>,
    /// What the role may do.
    pub rules: Vec<RoleRule>,
    /// Variables.
    pub variables: Variables,
    /// Constants.
    pub constants: Constants,
}

/// `derivedRoles`.
#[derive(Clone, Debug)]
pub struct DerivedRolesPolicy {
    /// The name of the set.
    pub name: Text,
    /// The roles.
    pub definitions: Vec<RoleDefinition>,
    /// Variables.
    pub variables: Variables,
    /// Constants.
    pub constants: Constants,
}

/// One derived role.
#[derive(Clone, Debug)]
pub struct RoleDefinition {
    /// Where it begins.
    pub at: Position,
    /// Its name.
    pub name: Text,
    /// Roles of which a principal must have one; `*` for any.
    pub parent_roles: Vec<Text>,
    /// When it holds.
    pub condition: Option<Condition>,
}

/// `exportVariables`.
#[derive(Clone, Debug)]
pub struct ExportVariables {
    /// The name of the set.
    pub name: Text,
    /// The variables.
    pub definitions: Vec<Named<Text>>,
}

/// `exportConstants`.
#[derive(Clone, Debug)]
pub struct ExportConstants {
    /// The name of the set.
    pub name: Text,
    /// The constants.
    pub definitions: Vec<Named<Node>>,
}

/// `variables` of a policy.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// Imported sets.
    pub import: Vec<Text>,
    /// Own ones.
    pub local: Vec<Named<Text>>,
}

/// `constants` of a policy.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    /// Imported sets.
    pub import: Vec<Text>,
    /// Own ones.
    pub local: Vec<Named<Node>>,
}

/// `schemas` of a resource policy.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    /// The schema of the principal's attributes.
    pub principal: Option<SchemaRef>,
    /// The schema of the resource's attributes.
    pub resource: Option<SchemaRef>,
}

/// A schema by its address.
#[derive(Clone, Debug)]
pub struct SchemaRef {
    /// Such as `cerbos:///leave_request.json`.
    pub reference: Text,
    /// Actions (globs) for which it is not enforced.
    pub ignore_when: Vec<Text>,
}
