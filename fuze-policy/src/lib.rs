//! The policy gate: engines decide, the gate is the only mint of permits.
//!
//! This crate knows no agent and no tool, only facts about them. What it deliberately leaves out: parsing of arguments,
//! records, suspension; those belong to the crate that owns the run.

#[cfg(feature = "cerbos")]
pub mod agent_tool;
#[cfg(feature = "cerbos")]
pub mod analysis;
#[cfg(feature = "cerbos")]
pub mod build;
#[cfg(feature = "cerbos")]
pub mod cel;
#[cfg(feature = "cerbos")]
pub mod cerbos;
mod decision;
mod engine;
mod facts;
mod gate;
#[cfg(feature = "cerbos")]
mod lower;
#[cfg(feature = "cerbos")]
pub mod migrate;
#[cfg(feature = "cerbos-reload")]
pub mod reload;
#[cfg(feature = "cerbos-remote")]
pub mod remote;
#[cfg(feature = "cerbos")]
mod strict;
#[cfg(feature = "cerbos")]
pub mod suite;

pub use decision::{Approver, Decision, Obligation, RuleId, Verdict};
pub use engine::fixed::{Fixed, FixedError};
pub use engine::permissive::Permissive;
pub use engine::{Engine, EngineError, EngineIdentity, Policy, RemoteEngine};
pub use facts::{CallFacts, Request, RunFacts, ToolFacts};
pub use gate::{Call, Conditions, Decided, Denied, DenyReason, Gate, Opening, Permit, RequiredBy, Waiting};
