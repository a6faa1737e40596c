//! How much one evaluation may cost.

use std::fmt;

use super::error::EvalError;

/// The limit that an evaluation reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Too many steps: nested comprehensions over long lists, costly comparisons or searches.
    Steps,
    /// Too many bytes built: strings, lists or maps that grow with each step.
    Size,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Steps => f.write_str(
                "evaluation takes more steps than allowed: shorten the lists it walks or nest fewer of them",
            ),
            Limit::Size => {
                f.write_str("evaluation builds more data than allowed: build smaller strings and lists")
            }
        }
    }
}

/// Steps and bytes that remain. One budget serves a whole decision, so that many small expressions count as one large one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    steps: u64,
    bytes: u64,
}

impl Budget {
    /// Steps a decision gets unless told otherwise: far more than policies need, and done in some tens of milliseconds at worst.
    pub const STEPS: u64 = 250_000;
    /// Bytes a decision may build unless told otherwise.
    pub const BYTES: u64 = 4 * 1024 * 1024;

    /// A budget of so many steps and so many bytes built.
    #[must_use]
    pub const fn new(steps: u64, bytes: u64) -> Self {
        Budget { steps, bytes }
    }

    /// Steps not yet taken.
    #[must_use]
    pub const fn steps_left(&self) -> u64 {
        self.steps
    }

    /// Takes so many steps.
    pub(crate) fn step(&mut self, steps: u64) -> Result<(), EvalError> {
        self.steps = take(self.steps, steps).ok_or(EvalError::Exhausted(Limit::Steps))?;
        Ok(())
    }

    /// Accounts for so many bytes built, which also takes the steps to find room and to write them.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), EvalError> {
        self.bytes = take(self.bytes, bytes).ok_or(EvalError::Exhausted(Limit::Size))?;
        self.step(2 + bytes / 32)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(Budget::STEPS, Budget::BYTES)
    }
}

fn take(left: u64, wanted: u64) -> Option<u64> {
    left.checked_sub(wanted)
}
