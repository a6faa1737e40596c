//! Rules.

use super::super::problem::Position;
use super::super::yaml::Text;
use super::{Condition, Effect, Output};

/// A rule of a resource policy.
#[derive(Clone, Debug)]
pub struct ResourceRule {
    /// Where it begins.
    pub at: Position,
    /// Its name, if it has one.
    pub name: Option<Text>,
    /// Actions, globs among them.
    pub actions: Vec<Text>,
    /// Roles, globs among them.
    pub roles: Vec<Text>,
    /// Derived roles.
    pub derived_roles: Vec<Text>,
    /// What it decides.
    pub effect: Effect,
    /// When it holds.
    pub condition: Option<Condition>,
    /// What it says besides.
    pub output: Option<Output>,
}

/// The rules of a principal policy for a kind of resource.
#[derive(Clone, Debug)]
pub struct PrincipalRule {
    /// Where it begins.
    pub at: Position,
    /// The kind of resource, or a glob.
    pub resource: Text,
    /// The rules.
    pub actions: Vec<ActionRule>,
}

/// One rule of a principal policy.
#[derive(Clone, Debug)]
pub struct ActionRule {
    /// Where it begins.
    pub at: Position,
    /// Its name, if it has one.
    pub name: Option<Text>,
    /// The action, or a glob.
    pub action: Text,
    /// What it decides.
    pub effect: Effect,
    /// When it holds.
    pub condition: Option<Condition>,
    /// What it says besides.
    pub output: Option<Output>,
}

/// A rule of a role policy.
#[derive(Clone, Debug)]
pub struct RoleRule {
    /// Where it begins.
    pub at: Position,
    /// Its name, if it has one.
    pub name: Option<Text>,
    /// The kind of resource, or a glob.
    pub resource: Text,
    /// What the role may do, globs among them.
    pub allow_actions: Vec<Text>,
    /// When it may.
    pub condition: Option<Condition>,
    /// What it says besides.
    pub output: Option<Output>,
}
