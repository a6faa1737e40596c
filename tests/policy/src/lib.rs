//! What the policy engine is held against: real Cerbos decision points, over generated policies and requests.

pub mod coverage;
pub mod differential;
pub mod expression;
pub mod file;
pub mod generate;
pub mod ours;
pub mod pdp;
pub mod repair;
pub mod rewrite;
pub mod suites;
pub mod tools;
