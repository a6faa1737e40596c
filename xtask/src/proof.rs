//! The audit proof.

/// Directories whose cases must not pass `cargo check`.
pub const CHECKED: &[&str] = &["fail", "attack"];
