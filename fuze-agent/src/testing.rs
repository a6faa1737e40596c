//! For tests: a scripted model, a store in memory, and single tools run through the same pipeline as in a run.

mod call;
mod scripted;
mod store;

pub use call::{CallError, ToolTest, call};
pub use scripted::ScriptedModel;
pub use store::MemoryStore;
