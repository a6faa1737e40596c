//! One decision: a request against a set, with Cerbos's own evaluation.
//!
//! Strict unless asked otherwise: a condition that fails denies its action, and the answer says what failed, so that an
//! engine can halt. Deliberately kept are Cerbos's own ways where they are odd, because the same files must give the
//! same answers there: they are marked where they stand.

pub(crate) mod bindings;
mod evaluate;
mod expressions;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::model::Effect;
use super::set::PolicySet;
use crate::cel::{Budget, EvalError, Limit, Map, Timestamp};

pub use steps::{Outcome, Step};

/// A request: what a principal wants to do with a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckInput {
    /// Given back with the answer.
    pub request_id: String,
    /// Who asks.
    pub principal: Principal,
    /// What is asked about.
    pub resource: Resource,
    /// What is to be done; each once.
    pub actions: Vec<Arc<str>>,
    /// Verified data beside the request.
    pub aux_data: Option<AuxData>,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Principal {
    /// The ID.
    pub id: String,
    /// The version of its policies; empty for the default.
    pub policy_version: String,
    /// The scope of its policies; empty for the default.
    pub scope: String,
    /// Its roles; one at least.
    pub roles: Vec<Arc<str>>,
    /// Its attributes.
    pub attr: JsonMap<String, Json>,
}

/// What is asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// The kind.
    pub kind: String,
    /// The ID.
    pub id: String,
    /// The version of its policies; empty for the default.
    pub policy_version: String,
    /// The scope of its policies; empty for the default.
    pub scope: String,
    /// Its attributes.
    pub attr: JsonMap<String, Json>,
}

/// Verified data beside the request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuxData {
    /// The claims of the token.
    pub jwt: JsonMap<String, Json>,
    /// The claims of each token by its name, where there are several.
    pub jwts: BTreeMap<String, JsonMap<String, Json>>,
}

/// How to decide.
#[derive(Clone, Debug)]
pub struct CheckParams {
    /// Takes a condition that fails for one that does not hold, as Cerbos does by default. For conformance only.
    pub lenient: bool,
    /// Looks for policies above a scope that has none.
    pub lenient_scope_search: bool,
    /// The version where the request names none.
    pub default_policy_version: String,
    /// The scope where the request names none.
    pub default_scope: String,
    /// `G`, `globals`.
    pub globals: Arc<Map>,
    /// `now()`, one for the whole request. Only a test goes without: then a decision that asks for it is an error, as with `cerbos compile`.
    pub now: Option<Timestamp>,
    /// How much all expressions of the request may cost together.
    pub budget: Budget,
    /// Schemas that attributes must follow.
    #[cfg(feature = "cerbos-schema")]
    pub schemas: Option<super::schema::Enforced>,
}

impl CheckParams {
    /// Strict, with the version `default`, the root scope, no globals and no schemas.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now: Some(now), ..Self::timeless() }
    }

    /// The same without a time, for tests.
    #[must_use]
    pub fn timeless() -> Self {
        Self {
            lenient: false,
            lenient_scope_search: false,
            default_policy_version: "default".to_owned(),
            default_scope: String::new(),
            globals: Arc::default(),
            now: None,
            budget: Budget::default(),
            #[cfg(feature = "cerbos-schema")]
            schemas: None,
        }
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckOutput {
    /// Of the request.
    pub request_id: String,
    /// Of the resource.
    pub resource_id: String,
    /// What was decided, in the order of the request.
    pub actions: Vec<(Arc<str>, ActionEffect)>,
    /// Derived roles that were looked at and held.
    pub effective_derived_roles: BTreeSet<Arc<str>>,
    /// What rules said besides, in the order in which they were evaluated.
    pub outputs: Vec<OutputEntry>,
    /// Expressions that failed. Never empty if a strict decision rests on a failure.
    pub evaluation_errors: BTreeSet<EvaluationError>,
    /// Attributes that do not follow their schema.
    pub validation_errors: Vec<ValidationError>,
}

/// What was decided for an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionEffect {
    /// The decision.
    pub effect: Effect,
    /// The key of the policy that decided, `NO_MATCH` if there is none.
    pub policy: Arc<str>,
    /// The scope in which it was decided.
    pub scope: Arc<str>,
    /// The rule that decided: the policy's key, `#` and its name. Not part of Cerbos's answer.
    pub rule: Option<Arc<str>>,
    /// Strict: the denial stands for a condition that failed. Not part of Cerbos's answer.
    pub rests_on_failure: bool,
}

/// What a rule said.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputEntry {
    /// The policy's key, `#` and the rule's name.
    pub source: Arc<str>,
    /// The action that was evaluated.
    pub action: Arc<str>,
    /// What was said, or why nothing could be.
    pub value: Result<Json, String>,
}

/// An expression that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvaluationError {
    /// As written.
    pub expression: Arc<str>,
    /// Why.
    pub message: String,
}

/// An attribute that does not follow its schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValidationError {
    /// Whose attribute.
    pub of: AttributesOf,
    /// A JSON pointer to it; `/` for all of them.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, path, message } = self;
        match of {
            AttributesOf::Principal => write!(f, "the principal's `{path}`: {message}"),
            AttributesOf::Resource => write!(f, "the resource's `{path}`: {message}"),
        }
    }
}

/// Whose attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributesOf {
    /// The principal's.
    Principal,
    /// The resource's.
    Resource,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckError {
    /// The expressions cost more than they may.
    TooCostly {
        /// The expression that was one too many.
        expression: Arc<str>,
        /// Which limit it reached.
        limit: Limit,
    },
    /// The time was asked for, and [none was given](CheckParams::now).
    NoTime {
        /// The expression that asked.
        expression: Arc<str>,
    },
    /// The rules for a resource are more than can be looked through.
    TooManyRules {
        /// The kind of the resource.
        resource: Arc<str>,
    },
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooCostly { expression, limit } => write!(f, "`{expression}`: {limit}"),
            Self::NoTime { expression } => write!(
                f,
                "`{expression}`: {}; a test gives it as `now: \"2026-01-31T12:00:00Z\"` in `options`",
                EvalError::NoTime
            ),
            Self::TooManyRules { resource } => write!(
                f,
                "the rules for `{resource}` take more steps to look through than allowed: write fewer of them, for fewer roles, \
                 with simpler patterns"
            ),
        }
    }
}

impl std::error::Error for CheckError {}

impl CheckOutput {
    /// What was decided for an action.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&ActionEffect> {
        self.actions.iter().find(|(action, _)| **action == *name).map(|(_, effect)| effect)
    }

    /// Whether an expression failed: of a condition, a variable or an output.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.evaluation_errors.is_empty() || self.outputs.iter().any(|output| output.value.is_err())
    }
}

/// Decides.
///
/// # Errors
/// When the expressions cost more than the budget allows, or ask for a time that is not given. Expressions that fail are no such error: see
/// [`CheckOutput::failed`].
pub fn check(set: &PolicySet, input: &CheckInput, params: &CheckParams) -> Result<CheckOutput, CheckError> {
    check_stepwise(set, input, params, &mut |_| {})
}

/// Decides, and tells each step on the way.
///
/// # Errors
/// See [`check`].
pub fn check_stepwise(
    set: &PolicySet,
    input: &CheckInput,
    params: &CheckParams,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<CheckOutput, CheckError> {
    evaluate::Evaluation::new(set, input, params, tell).run()
}

#[cfg(test)]
mod tests;
