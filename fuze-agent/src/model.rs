//! Models: the trait, what goes in and what comes out. Providers live elsewhere (`fuze-model`), a scripted model in
//! [`testing`](crate::testing).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::law::residency::Residency;

/// A language model. An implementation makes exactly one request for each call: it never retries, because the loop alone
/// decides and records repetitions. Implementations are trusted.
#[async_trait]
pub trait Model: Send + Sync {
    /// Where the model is hosted, as whoever configured the endpoint states.
    type Residency: Residency;

    /// Who answers.
    fn identity(&self) -> ModelIdentity;

    /// One request, one answer.
    ///
    /// # Errors
    /// When there is no usable answer. The loop decides whether to repeat.
    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError>;
}

/// Who answers. All three are names of 1–128 characters of `A–Z a–z 0–9 . _ : / @ + -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelIdentity {
    /// The provider, such as `mistral` or `scripted`.
    pub provider: String,
    /// The model as it is requested.
    pub model: String,
    /// The snapshot that the operator pins; the model's name where the provider has none.
    pub snapshot: String,
}

/// One request. Borrowed: nothing copies the history for it.
#[derive(Clone, Copy, Debug)]
pub struct ModelRequest<'a> {
    /// The agent's instructions.
    pub system: &'a str,
    /// The history, in the order of the API: user, then assistant with its calls, then their results, and so on.
    pub messages: &'a [Message],
    /// The tools on offer.
    pub tools: &'a [ToolSpec],
    /// The JSON Schema of the final answer. `None`: text.
    pub output_schema: Option<&'a Value>,
    /// Sampling.
    pub parameters: &'a Parameters,
    /// How long the request may take.
    pub time_limit: Duration,
}

/// A tool as the model sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// Sampling parameters. `None`: the provider's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// The most tokens to write.
    pub max_tokens: Option<u32>,
    /// Sampling seed, for providers that take one.
    pub seed: Option<u64>,
    /// Whether the model must call a tool, may, or must not.
    pub tool_choice: ToolChoice,
}

/// Whether the model calls tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It must call one.
    Required,
    /// It must not.
    None,
}

/// A part of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// What the principal says.
    User {
        /// The text.
        text: String,
    },
    /// What the model said.
    Assistant {
        /// The text, if any.
        text: Option<String>,
        /// The calls it asked for, in its order.
        calls: Vec<RequestedCall>,
    },
    /// What a call came to.
    Tool {
        /// The id of the call.
        call_id: String,
        /// The tool's name as the model wrote it.
        name: String,
        /// JSON: the output, or an object with `error`.
        content: String,
        /// Whether it is an error.
        is_error: bool,
    },
}

/// A call as the model asked for it: nothing in it is checked yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedCall {
    /// The provider's id of the call.
    pub id: String,
    /// The name of a tool, as the model wrote it.
    pub name: String,
    /// The arguments as text; JSON, if all is well.
    pub arguments: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelResponse {
    /// The text, if any.
    pub text: Option<String>,
    /// The calls it asks for.
    pub calls: Vec<RequestedCall>,
    /// Why it stopped.
    pub finish: FinishReason,
    /// What it cost.
    pub usage: Usage,
    /// The provider's fingerprint of its system, if it gives one.
    pub system_fingerprint: Option<String>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It asks for tools.
    ToolCalls,
    /// It ran out of tokens: the answer is cut off.
    Length,
    /// The provider withheld the answer.
    ContentFilter,
    /// The provider gave no reason, or one that is not known.
    Unknown,
}

/// Tokens, as the provider counts them. `None`: it does not say, and the loop counts four bytes a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// What kind of failure.
    pub kind: ModelErrorKind,
    /// What happened, in words. Content: it may quote the provider, and is redacted before it is recorded.
    pub message: String,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelErrorKind {
    /// No answer in time.
    Timeout,
    /// Too many requests (HTTP 429).
    RateLimited,
    /// The provider is down or overloaded (HTTP 5xx).
    Unavailable,
    /// The provider refuses: credentials, quota, unknown model, bad request (other HTTP 4xx).
    Refused,
    /// The answer could not be read.
    Malformed,
    /// The answer holds neither text nor a call.
    Empty,
    /// The connection failed.
    Transport,
}

impl ModelErrorKind {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Timeout
            | Self::RateLimited
            | Self::Unavailable
            | Self::Transport
            | Self::Malformed
            | Self::Empty => true,
            Self::Refused => false,
        }
    }
}

impl ModelError {
    /// An error.
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ModelErrorKind::Timeout => "the model gave no answer in time",
            ModelErrorKind::RateLimited => "the provider limits the rate of requests",
            ModelErrorKind::Unavailable => "the provider is not available",
            ModelErrorKind::Refused => "the provider refuses the request",
            ModelErrorKind::Malformed => "the model's answer cannot be read",
            ModelErrorKind::Empty => "the model's answer is empty",
            ModelErrorKind::Transport => "the connection to the model failed",
        };
        write!(f, "{kind}: {}", self.message)
    }
}

impl std::error::Error for ModelError {}
