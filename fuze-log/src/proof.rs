//! Proofs that stand alone (c2sp.org/tlog-proof): index, inclusion, checkpoint; and what they prove about a signed root.

use std::fmt;

use fuze_evidence::anchor::{AnchorLine, LeafError};
use fuze_evidence::{Hash, SignedRoot};

use crate::checkpoint::Checkpoint;
use crate::merkle::{MAX_PROOF_HASHES, MAX_TREE_SIZE, MerkleError, leaf_hash, verify_inclusion};
use crate::note::{MAX_NOTE_BYTES, Note, NoteError};
use crate::policy::{Policy, PolicyError, VerifiedCheckpoint};
use crate::text::{excerpt, read_base64, read_decimal, read_hash, write_base64};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Longer opaque data is refused. This project writes none and trusts none.
const MAX_EXTRA_BYTES: usize = 4096;

/// A longer text is no proof.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 16 * 1024;

/// A proof as it is written, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: Note,
}

impl TlogProof {
    /// From its parts.
    #[must_use]
    pub const fn new(index: u64, hashes: Vec<Hash>, checkpoint: Note) -> Self {
        Self { extra: None, index, hashes, checkpoint }
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// When it is not in its form.
    pub fn read(bytes: &[u8]) -> Result<Self, ProofError> {
        let refuse = |why: &'static str, found: &str| ProofError::Form { why, found: excerpt(found) };
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(refuse("it is too long", ""));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8", ""))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| refuse("it has no empty line before a checkpoint", text))?;
        let mut lines = head.split('\n').peekable();
        match lines.next() {
            Some(HEADER) => {}
            other => {
                return Err(refuse("its first line is not `c2sp.org/tlog-proof@v1`", other.unwrap_or("")));
            }
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            None => None,
            Some(line) => Some(
                line.strip_prefix("extra ")
                    .and_then(read_base64)
                    .filter(|extra| extra.len() <= MAX_EXTRA_BYTES)
                    .ok_or_else(|| refuse("its extra data is not base64, or too long", line))?,
            ),
        };
        let line = lines.next().unwrap_or("");
        let index = line
            .strip_prefix("index ")
            .and_then(|number| read_decimal(number, MAX_TREE_SIZE))
            .ok_or_else(|| refuse("expected a line `index <number>`", line))?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_PROOF_HASHES {
                return Err(refuse("it has more than 63 hashes", line));
            }
            hashes.push(read_hash(line).ok_or_else(|| refuse("a line is no SHA-256 in base64", line))?);
        }
        let checkpoint = Note::read(checkpoint.as_bytes()).map_err(ProofError::Note)?;
        Checkpoint::read(checkpoint.text())
            .map_err(|error| ProofError::Policy(PolicyError::Checkpoint(error)))?;
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// The place of the leaf.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The audit path, nearest hash first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The checkpoint, not verified.
    #[must_use]
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Opaque data that nobody signed.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Verifies that `entry` is the leaf at this index of a log that `policy` trusts.
    ///
    /// # Errors
    /// When the checkpoint is not accepted or the leaf is not there.
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<VerifiedCheckpoint, ProofError> {
        let verified = policy.verify(self.checkpoint.clone()).map_err(ProofError::Policy)?;
        self.verify_under(verified.checkpoint(), entry)?;
        Ok(verified)
    }

    /// Only the tree: whether `entry` is the leaf at this index under `checkpoint`.
    pub(crate) fn verify_under(&self, checkpoint: &Checkpoint, entry: &[u8]) -> Result<(), ProofError> {
        let leaf = leaf_hash(entry);
        verify_inclusion(checkpoint.root(), leaf, self.index, checkpoint.size(), &self.hashes)
            .map_err(ProofError::Merkle)
    }
}

/// The proof's octets.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", write_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", write_base64(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// That a root stands in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it says where the root stands and who has seen it"]
pub struct Anchored {
    /// The place of its leaf.
    pub index: u64,
    /// The checkpoint that covers it.
    pub checkpoint: VerifiedCheckpoint,
}

/// Verifies that `root` stands in a log that `policy` trusts: `line` opens the leaf, `proof` shows the leaf.
///
/// # Errors
/// When the line is another root's or another log's, the proof is another leaf's, or the checkpoint is not accepted.
pub fn verify_anchor(
    root: &SignedRoot,
    line: &AnchorLine,
    proof: &[u8],
    policy: &Policy,
) -> Result<Anchored, ProofError> {
    line.opens_to(root).map_err(ProofError::Leaf)?;
    verify_leaf(line, proof, policy)
}

/// Verifies that the leaf of `line` stands in a log that `policy` trusts. What the leaf opens to is for the caller to check
/// ([`AnchorLine::opens_to_hash`]); for a root use [`verify_anchor`].
///
/// # Errors
/// As [`verify_anchor`].
pub fn verify_leaf(line: &AnchorLine, proof: &[u8], policy: &Policy) -> Result<Anchored, ProofError> {
    if line.log().as_str() != policy.origin() {
        return Err(ProofError::Log {
            expected: policy.origin().to_owned(),
            found: line.log().as_str().to_owned(),
        });
    }
    let proof = TlogProof::read(proof)?;
    if proof.index() != line.index() {
        return Err(ProofError::Index { expected: line.index(), found: proof.index() });
    }
    let checkpoint = proof.verify(line.leaf().bytes(), policy)?;
    Ok(Anchored { index: proof.index(), checkpoint })
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// Not a proof's text.
    Form {
        /// What is wrong.
        why: &'static str,
        /// Where, by its beginning.
        found: String,
    },
    /// Its checkpoint is no note.
    Note(NoteError),
    /// Its checkpoint is not accepted.
    Policy(PolicyError),
    /// The leaf is not there.
    Merkle(MerkleError),
    /// The line is not the root's.
    Leaf(LeafError),
    /// The line is about another log.
    Log {
        /// The trusted one.
        expected: String,
        /// The line's.
        found: String,
    },
    /// The proof is about another leaf.
    Index {
        /// The line's.
        expected: u64,
        /// The proof's.
        found: u64,
    },
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { why, found } if found.is_empty() => write!(f, "no tlog-proof: {why}"),
            Self::Form { why, found } => write!(f, "no tlog-proof: {why}, at {found:?}"),
            Self::Note(error) => write!(f, "the proof's checkpoint: {error}"),
            Self::Policy(error) => write!(f, "the proof's checkpoint is not accepted: {error}"),
            Self::Merkle(error) => write!(f, "the leaf is not there: {error}"),
            Self::Leaf(error) => write!(f, "the line of `anchors.jsonl` is not this root's: {error}"),
            Self::Log { expected, found } => {
                write!(f, "expected an anchor in the log `{expected}`, found one in `{found}`")
            }
            Self::Index { expected, found } => {
                write!(f, "expected a proof for leaf {expected}, found one for leaf {found}")
            }
        }
    }
}

impl std::error::Error for ProofError {}
