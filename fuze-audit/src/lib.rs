//! Bundles: what a run's evidence is when it goes to a stranger, who has no network and trusts neither us nor the operator.
//!
//! [`export`] makes a bundle from a run's files, [`verify`] checks it with trust roots given from outside, and
//! [`report`] draws a run for people. `docs/evidence-format.md` section 15 has every octet. Not here: commands,
//! terminals, networks, and the judging of single records, which is `fuze-evidence`'s.

pub mod account;
pub mod anchored;
pub mod disclose;
mod dsse;
pub mod export;
mod manifest;
pub mod member;
pub mod oversight;
mod readme;
pub mod replay;
pub mod report;
pub mod source;
mod spki;
pub mod verify;
pub mod zip;

pub use account::{Accounts, Gone, LeftOut};
pub use anchored::{Anchored, GatherError, KeyAnchor, RootsError, RunRoots, check_leaves, missing_close};
pub use disclose::Selection;
pub use export::{Export, ExportError, Extras};
pub use oversight::{Opened, Openings, OversightMember, Reasons};
pub use replay::replay;
pub use source::{RunDirectory, RunSource};
pub use verify::{Anchoring, AuditError, BundleReport, Failure, Trust, Verdict};
