//! Records that a stranger can check: canonical form, chain, commitments, redaction, signatures.
//!
//! `docs/evidence-format.md` describes every byte; the modules here write and read them. What goes in is closed: spans
//! hold enumerations, bounded integers and the framework's ids ([`span`]); content is only ever a salted commitment
//! to what was redacted ([`redact`], [`content`]). Not here: any knowledge of agents, tools or policies, the
//! transparency log itself (`fuze-log`), the bundle.

pub mod anchor;
// Unit tests share the helpers of the tests from outside, which know the crate by its name.
#[cfg(test)]
extern crate self as fuze_evidence;

pub mod annex;
mod base64;
pub mod chain;
pub mod content;
mod crypto;
pub mod disclose;
pub mod erase;
pub mod files;
pub mod hash;
pub mod jcs;
pub mod keys;
pub mod name;
pub mod place;
pub mod random;
pub mod record;
pub mod redact;
pub mod replay;
pub mod retention;
pub mod sign;
pub mod sink;
pub mod snapshot;
pub mod span;
pub mod time;
pub mod verify;
pub mod vocab;

pub use anchor::Anchor;
pub use annex::Annex;
pub use chain::{Closed, Recorder};
pub use content::{Commitment, SealedContent};
pub use hash::{Hash, sha256};
pub use keys::{RunKeys, Signer};
pub use name::Name;
pub use record::{Common, Record, RunId};
pub use redact::{Redacted, Redactor};
pub use sign::SignedRoot;
pub use sink::{Sink, SinkBatch};
pub use span::Span;
pub use time::Timestamp;

/// The only version of the record format that this crate writes and reads.
pub const FORMAT_VERSION: u64 = 1;
