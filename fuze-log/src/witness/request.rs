//! The body of `add-checkpoint`.

use std::fmt;

use fuze_evidence::Hash;

use crate::merkle::{MAX_PROOF_HASHES, MAX_TREE_SIZE};
use crate::note::{MAX_NOTE_BYTES, Note};
use crate::text::{excerpt, read_decimal, read_hash, write_base64};

/// A longer body is refused.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 8 * 1024;

/// A checkpoint, and the proof that it continues what the witness has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// How many leaves the witness has seen.
    pub old: u64,
    /// The consistency proof from there.
    pub proof: Vec<Hash>,
    /// The checkpoint, not verified.
    pub checkpoint: Note,
}

impl AddCheckpoint {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not in its form.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let refuse = |why: &str, found: &str| RequestError { why: why.to_owned(), found: excerpt(found) };
        if body.len() > MAX_REQUEST_BYTES {
            return Err(refuse("it is too long", ""));
        }
        let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8", ""))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or_else(|| refuse("no empty line before the checkpoint", text))?;
        let mut lines = head.split('\n');
        let line = lines.next().unwrap_or("");
        let old = line
            .strip_prefix("old ")
            .and_then(|size| read_decimal(size, MAX_TREE_SIZE))
            .ok_or_else(|| refuse("expected a line `old <size>`", line))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF_HASHES {
                return Err(refuse("more than 63 hashes", line));
            }
            proof.push(read_hash(line).ok_or_else(|| refuse("a line is no SHA-256 in base64", line))?);
        }
        let checkpoint =
            Note::read(checkpoint.as_bytes()).map_err(|error| refuse(&error.to_string(), checkpoint))?;
        Ok(Self { old, proof, checkpoint })
    }
}

/// The body.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", write_base64(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a body is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    why: String,
    found: String,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no add-checkpoint request: {}", self.why)?;
        if self.found.is_empty() { Ok(()) } else { write!(f, ", at {:?}", self.found) }
    }
}

impl std::error::Error for RequestError {}
