//! Tools as Cerbos resources: what is asked about a call, what the answers mean, and what a policy for tools may not say.
//!
//! The decision itself is [`cerbos::check`](crate::cerbos::check)'s, or its flat form's. Deliberately absent: a third effect. That a call
//! needs approval is what two plain answers say together.

mod asked;
mod engine;
mod manifest;
pub(crate) mod obligation;
mod question;
mod shared;
mod truthless;
mod unasked;
mod unreadable;
mod widening;

pub(crate) use asked::rows;
pub(crate) use engine::decide_lowered;
#[cfg(feature = "cerbos-reload")]
pub(crate) use engine::hash;
pub use engine::{Cerbos, LoadError, read, verdict};
pub use manifest::{FILE as MANIFEST, Manifest};
pub use question::question;
pub use widening::Widening;

/// The kind of resource that a tool is.
pub const KIND: &str = "agent.tool";
/// The action that asks whether a tool may be used at all.
pub const INVOKE: &str = "invoke";
/// The action that asks whether it may be used without a person.
pub const INVOKE_AUTO: &str = "invoke:auto";
/// The version of policies that is asked.
pub(crate) const VERSION: &str = "default";
/// What is asked about each call, in this order.
pub(crate) const ACTIONS: [&str; 2] = [INVOKE, INVOKE_AUTO];

/// A rule as records name it: Cerbos's source of an output, its `#` written as `:`, because a record's names have none.
pub(crate) fn rule_id(source: &str) -> crate::RuleId {
    crate::RuleId::new(&source.replace('#', ":"))
}
