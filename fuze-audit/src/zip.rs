//! The one zip file that a set of members has: stored, in order of names, every other octet fixed (`docs/evidence-format.md`
//! section 15).
//!
//! Reading rebuilds each header from what the members are and compares, so that no octet of the file can be anything
//! else. Not here: compression, zip64, encryption, directories, and what the members mean.

mod crc;
mod format;
mod read;
mod write;

pub use format::{MAX_BYTES, MAX_MEMBERS, MAX_NAME_BYTES};
pub use read::{Archive, Digests, ZipError};
pub use write::Spool;
