//! An embedded tiled transparency log, its witnesses, and the verification of what they prove.
//!
//! Formats, to the letter: RFC 6962 hashing ([`merkle`]); c2sp.org/tlog-tiles ([`tile`]); signed-note ([`note`]);
//! tlog-checkpoint ([`checkpoint`]); tlog-cosignature ([`cosignature`]); tlog-proof ([`proof`]); tlog-witness
//! ([`witness`]). On them stand the [`policy`] that says whom to believe, the [`monitor`] that reports runs that never closed, the
//! reader of a log's public files ([`reader`]) and, with the feature `sqlite`, the [`log`] itself. Leaves are made and
//! opened in [`fuze_evidence::anchor`]; this crate cannot log anything else.
//!
//! Not here: any way to serve files over HTTP (they are static: any web server does), pruning, ML-DSA cosignatures, a log
//! key's rotation (a log with another key is another log; its witnesses and verifiers are told).
//!
//! # Domain separation
//! Everything else that this project signs is a JSON object and begins with `{`. What a log signs is a checkpoint, which
//! begins with its origin, and what a witness signs begins with the line `cosignature/v1`. An origin here is a
//! [`fuze_evidence::Name`] and not `cosignature/v1`: none of the three can be taken for another. Even so a log's key, a
//! witness's key and a run's key are different keys.
//!
//! # Why the formats are written here
//! `tlog_tiles` and `signed_note` (cloudflare/azul, BSD-3-Clause) are sound ports of the Go team's code. What is published of
//! them is version 0.2: it stands on sha2 0.10, ed25519-dalek 2 and `url`, a second copy of the primitives that this
//! project verifies strictly (no small-order keys, one encoding); it asserts where this project returns errors; it has
//! neither proofs nor witnesses, which exist in that repository but not on crates.io. `ct-merkle` is the tree alone and
//! keeps it in memory; `sigsum` speaks another protocol. The formats are some hundred lines, so they are written here, and
//! the two azul crates are what the tests compare with.

pub mod checkpoint;
pub mod cosignature;
mod disk;
mod http;
#[cfg(feature = "sqlite")]
pub mod log;
pub mod merkle;
pub mod monitor;
pub mod note;
pub mod policy;
pub mod proof;
pub mod reader;
mod text;
pub mod tile;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use fuze_evidence::anchor::{
    Anchor, AnchorError, AnchorLine, Blinding, LeafError, LeafKind, LogLeaf, Prepared,
};
#[cfg(feature = "sqlite")]
pub use log::{Log, LogError, LogOptions};
pub use monitor::{Finding, Monitor};
pub use note::{Algorithm, KeyName, Note, VerifierKey};
pub use policy::{Policy, VerifiedCheckpoint};
pub use proof::{TlogProof, verify_anchor, verify_leaf};
pub use reader::{LogReader, ReaderError};
pub use witness::{Witness, WitnessClient, WitnessTransport};
