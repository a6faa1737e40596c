//! AI agents under the GDPR and the EU AI Act: what breaks the rules does not compile; what ran has proof.
//!
//! `#[tool]` and `define_agent!` turn compliance fields into types. Everything they write a person could write by hand:
//! the guarantees live in traits and values.

pub mod agent;
pub mod boundary;
mod ctx;
pub mod deployment;
mod dispatch;
mod driver;
pub mod effect;
mod error;
pub mod guardrail;
pub mod law;
pub mod logic;
pub mod model;
pub mod outcome;
mod panics;
#[cfg(feature = "cerbos")]
pub mod policy;
mod resume;
pub mod run;
mod sealed;
pub mod secret;
pub mod store;
pub mod suspend;
pub mod testing;
pub mod tool;

pub use agent::{Agent, Limits};
pub use ctx::{AppValue, BlockingCtx, Ctx, MayWait, OversightAnswer, ToolCtx};
pub use deployment::{Deployment, Keys};
pub use dispatch::ToolCall;
pub use error::ToolError;
#[cfg(feature = "cerbos")]
pub use fuze_agent_macros::policy;
pub use fuze_agent_macros::{define_agent, tool};
#[cfg(feature = "cerbos")]
pub use fuze_policy::agent_tool::Cerbos;
#[cfg(feature = "cerbos-reload")]
pub use fuze_policy::reload;
#[cfg(feature = "cerbos-remote")]
pub use fuze_policy::remote;
pub use fuze_policy::{Fixed, Obligation, Permissive, Permit, Policy};
pub use law::Retention;
pub use outcome::{Anchored, Outcome};
pub use run::{CancelHandle, RunError, Settled};
pub use secret::{Secret, Secrets};
pub use tool::Tool;

/// What most programs need.
pub mod prelude {
    pub use crate::testing::ScriptedModel;
    pub use crate::{
        Agent, Ctx, Deployment, Keys, Limits, Outcome, OversightAnswer, Retention, Tool, ToolError,
        define_agent, tool,
    };
    pub use fuze_policy::{Fixed, Obligation};
}

/// What the macros' output names. Not for programs.
#[doc(hidden)]
pub mod __private {
    pub use crate::agent::listed::{Listed, NotATool};
    pub use schemars;
    pub use serde;
}
