//! What is told on the way to a decision, in the order in which it happens.

use super::super::model::Effect;
use super::super::set::{DerivedRole, Expression, PolicyKind, Rule};
use crate::cel::Activation;

/// A step on the way to a decision.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// From here on it is about this action.
    Action(&'a str),
    /// From here on it is about policies of this kind, for one role of the principal.
    Role {
        /// Principal or resource policies.
        kind: PolicyKind,
        /// The role; principal policies ask for none.
        role: &'a str,
    },
    /// From here on it is about this scope.
    Scope(&'a str),
    /// A derived role was looked at, once for each scope.
    DerivedRole {
        /// Which.
        role: &'a DerivedRole,
        /// With what result.
        outcome: Outcome,
    },
    /// An expression of a condition was evaluated.
    Expression {
        /// Which.
        expression: &'a Expression,
        /// Whether it held.
        outcome: Outcome,
        /// What it saw.
        seen: &'a Activation,
    },
    /// A rule for the action and role was looked at.
    Rule {
        /// Which; none for a role policy that does not name the action.
        rule: Option<&'a Rule>,
        /// The policy's key.
        policy: &'a str,
        /// What it decides if it holds. `None`: a role policy's rule, which only says something.
        effect: Option<Effect>,
        /// Whether it held.
        outcome: Outcome,
    },
    /// The scope allows, under a condition: its parents must allow too.
    ConsentNeeded(&'a str),
    /// It is decided.
    Decided(Effect),
}

/// How something came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Held,
    /// It did not hold.
    NotHeld,
    /// The derived role it is for did not hold, or is for roles that the principal does not have.
    NotTheRole,
    /// It failed.
    Failed,
}
