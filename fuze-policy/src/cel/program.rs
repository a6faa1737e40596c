//! An expression that was read and checked.

use super::activation::Activation;
use super::ast::Expr;
use super::budget::Budget;
use super::error::{EvalError, ParseError};
use super::value::Value;

/// An expression that was read and checked.
#[derive(Clone, Debug)]
pub struct Program {
    expr: Expr,
}

impl Program {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// If it is not CEL, names what is not declared, applies a function to kinds it is not for, or is too large.
    pub fn parse(source: &str) -> Result<Program, ParseError> {
        let _ = source;
        Err(ParseError { message: "not yet".to_owned(), line: 1, column: 1 })
    }

    /// The expression, for lowering, lint and proofs.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// Errors of the language, and a spent budget.
    pub fn eval(&self, activation: &Activation, budget: &mut Budget) -> Result<Value, EvalError> {
        let _ = (activation, budget.step(1)?);
        Err(EvalError::NO_SUCH_OVERLOAD)
    }
}
