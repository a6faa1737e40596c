//! Engines: whoever answers a [`Request`]. Implementations are trusted; their identity stands in a run's first record.

pub(crate) mod fixed;
pub(crate) mod permissive;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Request, Verdict};

/// Who decides, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineIdentity {
    /// The engine's name and version, such as `fixed/1`.
    pub name: String,
    /// SHA-256 over the rules in force.
    pub bundle_hash: [u8; 32],
    /// Whether the engine allows everything. Recorded with the run.
    pub permissive: bool,
}

/// An engine in the process: synchronous, quick, without I/O.
pub trait Engine: Send + Sync {
    /// Name and rules.
    fn identity(&self) -> EngineIdentity;

    /// The engine as it is now, for ever, of an engine whose rules may be replaced; `None`: this one never changes.
    ///
    /// A gate before a [pinned](crate::Gate::pinned) engine records the rules that decided, whatever is replaced meanwhile. Runs
    /// pin it when they begin and when they are taken up again.
    fn pinned(&self) -> Option<Arc<dyn Engine>> {
        None
    }

    /// Decides. `Err` is the only error path, and it halts the run: an engine that cannot decide never allows.
    ///
    /// # Errors
    /// When the engine cannot decide.
    fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError>;

    /// Names of tools that the rules mention, so that a run can refuse rules that name a tool it does not have.
    fn tools_named(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An engine elsewhere, whose identity does not change. A call that takes longer than [`time_limit`](RemoteEngine::time_limit) is an error.
#[async_trait]
pub trait RemoteEngine: Send + Sync {
    /// Name and rules.
    fn identity(&self) -> EngineIdentity;

    /// How long a decision may take. The gate enforces it.
    fn time_limit(&self) -> Duration;

    /// Decides.
    ///
    /// # Errors
    /// When the engine cannot be reached or cannot decide: the run halts.
    async fn decide(&self, request: &Request<'_>) -> Result<Verdict, EngineError>;
}

/// The engine of a deployment.
#[derive(Clone)]
pub enum Policy {
    /// In the process.
    Local(Arc<dyn Engine>),
    /// Elsewhere.
    Remote(Arc<dyn RemoteEngine>),
}

impl Policy {
    /// An engine in the process.
    pub fn local(engine: impl Engine + 'static) -> Self {
        Self::Local(Arc::new(engine))
    }

    /// An engine elsewhere.
    pub fn remote(engine: impl RemoteEngine + 'static) -> Self {
        Self::Remote(Arc::new(engine))
    }

    /// The policy as it is now, for ever: see [`Engine::pinned`].
    #[must_use]
    pub fn pinned(&self) -> Self {
        match self {
            Self::Local(engine) => Self::Local(engine.pinned().unwrap_or_else(|| Arc::clone(engine))),
            Self::Remote(engine) => Self::Remote(Arc::clone(engine)),
        }
    }

    /// Name and rules in force now.
    #[must_use]
    pub fn identity(&self) -> EngineIdentity {
        match self {
            Self::Local(engine) => engine.identity(),
            Self::Remote(engine) => engine.identity(),
        }
    }

    /// See [`Engine::tools_named`].
    #[must_use]
    pub fn tools_named(&self) -> Vec<String> {
        match self {
            Self::Local(engine) => engine.tools_named(),
            Self::Remote(_) => Vec::new(),
        }
    }
}

impl<E: Engine + 'static> From<E> for Policy {
    fn from(engine: E) -> Self {
        Self::local(engine)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", self.identity().name)
    }
}

/// Why an engine could not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// No answer within the time limit.
    TimedOut {
        /// The limit, in milliseconds.
        limit_ms: u128,
    },
    /// The engine cannot be reached.
    Unreachable(String),
    /// The answer could not be read, or names an effect that is not known.
    Malformed(String),
    /// A rule could not be evaluated.
    Evaluation(String),
    /// The engine elsewhere decides otherwise than the rules that it is held against.
    BundleMismatch(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { limit_ms } => write!(f, "the policy engine gave no answer within {limit_ms} ms"),
            Self::Unreachable(why) => write!(f, "the policy engine cannot be reached: {why}"),
            Self::Malformed(why) => write!(f, "the policy engine's answer cannot be read: {why}"),
            Self::Evaluation(why) => write!(f, "a policy rule cannot be evaluated: {why}"),
            Self::BundleMismatch(why) => {
                write!(f, "the policy engine does not decide by the pinned policies: {why}")
            }
        }
    }
}

impl std::error::Error for EngineError {}
