//! For tests: a scripted model, and single tools run through the same pipeline as in a run.

mod scripted;

pub use scripted::ScriptedModel;
