//! What a library exports: declarations that leave nothing for the compiler's lints to say.
//!
//! The tests stand in `tests/`.

#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unnameable_types,
    missing_debug_implementations,
    missing_copy_implementations,
    elided_lifetimes_in_paths,
    unused_qualifications,
    unused_lifetimes,
    single_use_lifetimes,
    private_interfaces,
    private_bounds,
    trivial_casts,
    unused_results,
    clippy::pedantic,
    reason = "whatever an author forbids, the macros' output keeps to"
)]

use fuze_agent::prelude::*;

/// Kept for a month.
pub const MONTH: Retention = Retention::days("month", 30, 365, 365);

/// What the tools share.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// Added to every sum.
    pub offset: i64,
}

/// Adds.
#[tool(classification = public, retention = MONTH, threat_boundary(egress = none), effect = read)]
pub async fn add(ctx: &Ctx<'_, Shared>, a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(ctx.deps().offset + a + b)
}

/// Reads a patient's record.
#[tool(
    classification = special_category,
    art9_basis = health_or_social_care(law = "§ 22(1) no. 1 b BDSG"),
    lawful_bases = [legal_obligation],
    residency = eu,
    retention = MONTH,
    threat_boundary(egress = hosts(eu, "records.example.eu")),
    needs_approval = |args| args.id > 3,
)]
pub fn patient(id: u32) -> Result<String, ToolError> {
    Ok(id.to_string())
}

/// Files a record.
#[tool(classification = confidential, retention = MONTH, threat_boundary(egress = any), needs_approval = always)]
#[deprecated = "file it by hand"]
pub fn file() -> Result<(), ToolError> {
    Ok(())
}

define_agent! {
    /// Adds and reads.
    pub Clerk {
        purpose: "records", instructions: "Add and read.", lawful_basis: legal_obligation,
        annex_iii: essential_services::public_benefits, art22: none,
        oversight: human_approval { plan: "oversight.clerk.v1", training: "clerk-2026" },
        model_residency: eu, retention: MONTH, tools: [add, patient, inner::stamp], deps: Shared, output: String,
        max_steps: 3, retry_budget: 1, token_budget: 9, max_depth: 2,
    }
}

/// Tools of a module of their own.
pub mod inner {
    use super::{MONTH, ToolError, tool};

    /// Stamps.
    #[tool(classification = public, retention = MONTH, threat_boundary(egress = none), needs_approval = always)]
    pub fn stamp(text: String) -> Result<String, ToolError> {
        Ok(text)
    }
}
