//! Guardrails: checks on what goes in, what tools return, and what goes out.
//!
//! A guardrail sees content and a restricted model handle: it can ask one question at a time, without tools and without
//! the run's history. It cannot reach the model itself.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::model::ModelError;

/// A check. An error or a time-out halts the run: a guardrail that cannot answer does not let anything pass.
#[async_trait]
pub trait Guardrail: Send + Sync {
    /// Its name, 1–128 characters of `A–Z a–z 0–9 . _ : / @ + -`.
    fn name(&self) -> &'static str;

    /// Stands for its code in the agent's fingerprint: change it with the code.
    fn version(&self) -> &'static str;

    /// In which phase it looks.
    fn phase(&self) -> Phase;

    /// Looks.
    ///
    /// # Errors
    /// When it cannot tell. The run halts.
    async fn check(&self, content: &str, model: &GuardrailModel) -> Result<Verdict, GuardrailError>;
}

/// When a guardrail looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first model request, at the input.
    Input,
    /// After each tool, at its output, before the model sees it.
    ToolResult,
    /// Before the run completes, at the answer.
    Output,
}

impl Phase {
    /// The wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::ToolResult => "tool_result",
            Self::Output => "output",
        }
    }
}

/// What a guardrail found. Anything but `Pass` ends the run as `tripwire`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing.
    Pass,
    /// Something that ends the run.
    Trip {
        /// Why. Content: redacted, then recorded.
        reason: String,
    },
    /// Something that ends the run and that a person should look at: an incident candidate.
    Block {
        /// Why. Content: redacted, then recorded.
        reason: String,
    },
}

/// A guardrail could not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardrailError(pub String);

impl fmt::Display for GuardrailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GuardrailError {}

impl From<ModelError> for GuardrailError {
    fn from(error: ModelError) -> Self {
        Self(error.to_string())
    }
}

/// The run's model, reduced to one question at a time. What it answers counts against the token budget and is recorded.
// INVARIANT: not `Clone`: a guardrail is lent its handle for one check. A copy, kept, would be a model for any tool.
pub struct GuardrailModel {
    pub(crate) questions: mpsc::Sender<Question>,
}

pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) reply: oneshot::Sender<Result<String, ModelError>>,
}

impl GuardrailModel {
    /// Asks the model a question.
    ///
    /// # Errors
    /// When the model has no answer.
    pub async fn ask(&self, question: impl Into<String>) -> Result<String, ModelError> {
        let (reply, answer) = oneshot::channel();
        // Where the run stops, the driver drops this check; until then it waits.
        if self.questions.send(Question { text: question.into(), reply }).await.is_err() {
            return std::future::pending().await;
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }
}

/// The guardrails of an agent.
#[derive(Clone, Default)]
pub struct Guardrails(Vec<Arc<dyn Guardrail>>);

impl Guardrails {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One more, after those before it.
    #[must_use]
    pub fn with(mut self, guardrail: impl Guardrail + 'static) -> Self {
        self.0.push(Arc::new(guardrail));
        self
    }

    pub(crate) fn all(&self) -> &[Arc<dyn Guardrail>] {
        &self.0
    }
}
