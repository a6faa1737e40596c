//! Expressions of a decision: what they see, variables, conditions, and what becomes of those that fail.

use std::sync::Arc;

use super::super::set::{Condition, DerivedRole, Expression, Params};
use super::evaluate::{Evaluation, Stop, scope_or};
use super::steps::{Outcome, Step};
use super::{CheckError, CheckInput, CheckParams, EvaluationError};
use crate::cel::{self, Activation, EvalError, Key, Map, Value};

impl Evaluation<'_> {
    /// Values of the variables that a policy's rules use. Those that fail are left out: to name one fails again.
    pub(super) fn variables(&mut self, params: &Params) -> Result<Arc<Map>, CheckError> {
        if let Some(values) = self.variables.get(&params.id) {
            return Ok(values.clone());
        }
        let values = self.evaluate_variables(params, false)?;
        self.variables.insert(params.id, values.clone());
        Ok(values)
    }

    /// The same for a derived role. There, as in Cerbos, lenient evaluation takes a variable that fails for `null`.
    pub(super) fn role_variables(&mut self, role: &DerivedRole) -> Result<Arc<Map>, CheckError> {
        if let Some(values) = self.role_variables.get(&role.id) {
            return Ok(values.clone());
        }
        let values = self.evaluate_variables(&role.params, self.params.lenient)?;
        self.role_variables.insert(role.id, values.clone());
        Ok(values)
    }

    fn evaluate_variables(&mut self, params: &Params, null_if_failed: bool) -> Result<Arc<Map>, CheckError> {
        let mut known: Arc<Map> = Arc::default();
        for variable in &params.variables {
            self.bring(&params.constants, &known);
            let value = match self.value(&variable.expr)? {
                Ok(value) => value.into_variable(),
                Err(message) => {
                    self.failed(&variable.expr, message);
                    null_if_failed.then_some(Value::Null)
                }
            };
            let Some(value) = value else { continue };
            // Nobody else holds the map then, unless an expression kept it: that copy is accounted for.
            self.activation.variables = Arc::default();
            let copied = self.budget.step(known.len() as u64 / 16);
            told(&variable.expr, copied)?.ok();
            Arc::make_mut(&mut known).insert(Key::String(variable.name.clone()), value);
        }
        Ok(known)
    }

    /// Whether a condition holds.
    pub(super) fn holds(&mut self, condition: &Condition) -> Result<bool, Stop> {
        match condition {
            Condition::Expr(expression) => self.expression_holds(expression),
            Condition::All(list) => {
                for item in list {
                    if !self.holds(item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(list) => self.any_holds(list),
            Condition::None(list) => self.any_holds(list).map(|held| !held),
        }
    }

    fn any_holds(&mut self, list: &[Condition]) -> Result<bool, Stop> {
        for item in list {
            if self.holds(item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an expression is true; anything else than true does not hold.
    fn expression_holds(&mut self, expression: &Expression) -> Result<bool, Stop> {
        let outcome = match self.value(expression).map_err(Stop::Fatal)? {
            Ok(Value::Bool(true)) => Outcome::Held,
            Ok(_) => Outcome::NotHeld,
            Err(message) => {
                self.failed(expression, message);
                Outcome::Failed
            }
        };
        (self.tell)(Step::Expression { expression, outcome, seen: &self.activation });
        match outcome {
            Outcome::Held => Ok(true),
            Outcome::Failed if !self.params.lenient => Err(Stop::Failed),
            Outcome::NotHeld | Outcome::NotTheRole | Outcome::Failed => Ok(false),
        }
    }

    fn failed(&mut self, expression: &Expression, message: String) {
        let error = EvaluationError { expression: expression.source.clone(), message };
        self.output.evaluation_errors.insert(error);
    }

    /// Lets expressions see these constants and variables.
    pub(super) fn bring(&mut self, constants: &Arc<Map>, variables: &Arc<Map>) {
        self.activation.constants = constants.clone();
        self.activation.variables = variables.clone();
    }

    /// The value of an expression, or why it has none.
    pub(super) fn value(&mut self, expression: &Expression) -> Result<Result<Value, String>, CheckError> {
        told(expression, expression.program.eval(&self.activation, &mut self.budget))
    }
}

/// Keeps apart what an expression's failure is about: the expression, or the whole decision.
pub(super) fn told<T>(
    expression: &Expression,
    found: Result<T, EvalError>,
) -> Result<Result<T, String>, CheckError> {
    match found {
        Ok(value) => Ok(Ok(value)),
        Err(EvalError::Exhausted(limit)) => {
            Err(CheckError::TooCostly { expression: expression.source.clone(), limit })
        }
        Err(EvalError::NoTime) => Err(CheckError::NoTime { expression: expression.source.clone() }),
        Err(error @ EvalError::Failed(_)) => Ok(Err(error.to_string())),
    }
}

/// What expressions see of a request: it as it came, without defaults.
pub(super) fn activation(input: &CheckInput, params: &CheckParams) -> Activation {
    let map = |attributes: &serde_json::Map<String, serde_json::Value>| -> Arc<Map> {
        let entries = attributes.iter().map(|(name, value)| (name.as_str(), Value::from(value.clone())));
        Arc::new(entries.collect())
    };
    // A token by its name has its claims under `claims`, as one alone has not.
    let token = |claims| Value::Map(Arc::new([("claims", Value::Map(map(claims)))].into_iter().collect()));
    let principal = cel::Principal {
        id: input.principal.id.as_str().into(),
        roles: input.principal.roles.iter().cloned().map(Value::String).collect(),
        attr: map(&input.principal.attr),
        policy_version: input.principal.policy_version.as_str().into(),
        scope: scope_or(&input.principal.scope, ""),
    };
    let resource = cel::Resource {
        kind: input.resource.kind.as_str().into(),
        id: input.resource.id.as_str().into(),
        attr: map(&input.resource.attr),
        policy_version: input.resource.policy_version.as_str().into(),
        scope: scope_or(&input.resource.scope, ""),
    };
    let mut activation = Activation::timeless(principal, resource);
    activation.now = params.now;
    activation.aux_data = input.aux_data.as_ref().map(|data| cel::AuxData {
        jwt: map(&data.jwt),
        jwts: Arc::new(data.jwts.iter().map(|(name, claims)| (name.as_str(), token(claims))).collect()),
    });
    activation.globals = params.globals.clone();
    activation
}
