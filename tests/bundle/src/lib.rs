//! Runs, bundles of them, and what a forger does to both. Everything comes from a seed, so that a failure can be repeated.

#[path = "../../../fuze-evidence/tests/common/mod.rs"]
mod common;

pub mod forge;
pub mod logged;
pub mod logs;
pub mod runs;
pub mod tamper;
pub mod tools;
