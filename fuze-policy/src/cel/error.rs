//! What can go wrong: reading an expression, evaluating it.

use std::borrow::Cow;
use std::fmt;

use super::budget::Limit;

/// Why an expression is not accepted, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong and how to mend it, in the words of a policy author.
    pub message: String,
    /// Line inside the expression, from 1.
    pub line: u32,
    /// Column in characters inside the line, from 1.
    pub column: u32,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, column {} of the expression)", self.message, self.line, self.column)
    }
}

impl std::error::Error for ParseError {}

/// Why an evaluation has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an expression without a value must not pass for one that is false"]
pub enum EvalError {
    /// An error of the language. `&&`, `||`, `all` and `exists` absorb it where another operand decides.
    Failed(Cow<'static, str>),
    /// A limit of the [`Budget`](super::Budget) was reached. Nothing absorbs it.
    Exhausted(Limit),
    /// `now()` or `timeSince` was asked where [no time was given](super::Activation::now). Nothing absorbs it.
    NoTime,
}

impl EvalError {
    /// An error of the language with the given text.
    pub(super) fn failed(message: impl Into<Cow<'static, str>>) -> Self {
        EvalError::Failed(message.into())
    }

    /// Whether no operand and no macro may go on after it: it is not about the expression's values.
    pub(super) fn is_final(&self) -> bool {
        match self {
            EvalError::Failed(_) => false,
            EvalError::Exhausted(_) | EvalError::NoTime => true,
        }
    }

    /// Operands of kinds for which there is no such operation.
    pub(super) const NO_SUCH_OVERLOAD: EvalError = EvalError::Failed(Cow::Borrowed("no such overload"));
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EvalError::Failed(message) => f.write_str(message),
            EvalError::Exhausted(limit) => write!(f, "{limit}"),
            EvalError::NoTime => f.write_str("the time is asked for, and none was given"),
        }
    }
}

impl std::error::Error for EvalError {}
