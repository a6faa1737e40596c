//! A tool's own failure.

use std::fmt;

/// What a tool reports when it fails. It goes to the model, which may try something else.
///
/// Any error type turns into it by `?`; for a `once` tool that means in doubt, because the tool had started. Only
/// [`not_applied`](Self::not_applied) says that nothing happened.
// It does not implement `std::error::Error`, because the blanket conversion below would then overlap with itself.
pub struct ToolError {
    message: String,
    not_applied: bool,
}

impl ToolError {
    /// The call failed; whether it had an effect is not known.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), not_applied: false }
    }

    /// The call failed and certainly had no effect: a `once` tool that reports this is not in doubt.
    pub fn not_applied(message: impl Into<String>) -> Self {
        Self { message: message.into(), not_applied: true }
    }

    /// What the tool says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the tool says that nothing happened.
    #[must_use]
    pub const fn is_not_applied(&self) -> bool {
        self.not_applied
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for ToolError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolError({:?})", self.message)
    }
}
