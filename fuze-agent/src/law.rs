//! The law's words as types: GDPR Art. 6, 9 and 22, residency, AI Act Annex III, retention, oversight.
//!
//! Marker type, wire name and article come from one line each. What these words do not do: they state what a developer
//! declared, and make declarations fit together; they do not decide whether a declaration is true.

pub mod annex_iii;
pub mod art22;
pub mod art9;
pub mod data;
pub mod lawful;
pub mod oversight;
pub mod residency;
mod retention;

pub use retention::Retention;
pub(crate) use retention::is_name as retention_is_name;

/// Which state of the law the vocabulary follows. Stands in every run's first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegalProfile {
    /// The day, as `YYYY-MM-DD`.
    pub as_of: &'static str,
    /// The acts.
    pub source: &'static str,
}

impl LegalProfile {
    /// The profile that this version of the library was written against.
    pub const CURRENT: Self = Self { as_of: "2026-11-01", source: "eu-2016-679+eu-2024-1689+eu-2026-1744" };
}
