//! The RFC 6962 tree over a log's leaves: proofs made from the hashes of complete subtrees, and their verification.
//!
//! Where the hashes come from is the [`Subtrees`]' business; node hashing and inclusion are those of
//! [`fuze_evidence::content`], one tree for both.

use std::fmt;

use fuze_evidence::content::{inclusion_root, merkle_root, node_hash};
use fuze_evidence::{Hash, sha256};

/// The largest tree: what fits 63 levels, as many as a consistency proof may have lines (c2sp.org/tlog-witness).
pub const MAX_TREE_SIZE: u64 = (1 << 63) - 1;

/// No proof has more hashes.
pub const MAX_PROOF_HASHES: usize = 63;

/// The hash of a leaf (RFC 6962 section 2.1).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut octets = Vec::with_capacity(entry.len() + 1);
    octets.push(0);
    octets.extend_from_slice(entry);
    sha256(&octets)
}

/// The root of the tree without leaves: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(b"")
}

/// Hashes of complete subtrees: of the leaves from `index`·2^`level` up to, not including, (`index`+1)·2^`level`.
pub trait Subtrees {
    /// What can go wrong there.
    type Error;

    /// The hash.
    ///
    /// # Errors
    /// The source's own.
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl Subtrees for [Hash] {
    type Error = MerkleError;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, MerkleError> {
        let range = || {
            let width = 1_usize.checked_shl(level)?;
            let start = usize::try_from(index).ok()?.checked_mul(width)?;
            self.get(start..start.checked_add(width)?)
        };
        let found = to_u64(self.len());
        let leaves = range().ok_or(MerkleError::Beyond { index: index.saturating_add(1), size: found })?;
        Ok(merkle_root(leaves.iter().copied()))
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The root over the first `size` leaves.
///
/// # Errors
/// The source's.
pub fn root<S: Subtrees + ?Sized>(size: u64, source: &S) -> Result<Hash, S::Error> {
    if size == 0 { Ok(empty_root()) } else { range_root(0, size, source) }
}

/// The hash over the leaves `from..to`, as a node that RFC 6962 splits off: complete subtrees, from large to small.
fn range_root<S: Subtrees + ?Sized>(from: u64, to: u64, source: &S) -> Result<Hash, S::Error> {
    let mut subtrees = Vec::with_capacity(64);
    let mut start = from;
    while start < to {
        let level = (to - start).ilog2();
        subtrees.push(source.subtree(level, start >> level)?);
        start += 1 << level;
    }
    let last = subtrees.pop().unwrap_or_else(empty_root);
    Ok(subtrees.into_iter().rev().fold(last, |right, left| node_hash(left, right)))
}

/// Where RFC 6962 splits `leaves` leaves, at least 2: the largest power of two below.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 section 2.1.1), nearest hash first.
///
/// # Errors
/// When there is no such leaf, and the source's.
pub fn inclusion_proof<S>(index: u64, size: u64, source: &S) -> Result<Vec<Hash>, S::Error>
where
    S: Subtrees + ?Sized,
    S::Error: From<MerkleError>,
{
    if index >= size {
        return Err(MerkleError::Beyond { index, size }.into());
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range_root(middle, to, source)?);
            to = middle;
        } else {
            proof.push(range_root(from, middle, source)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962 section 2.1.2). Empty if they are the
/// same, and from 0 leaves, which every tree begins with.
///
/// # Errors
/// When `old` is larger, and the source's.
pub fn consistency_proof<S>(old: u64, new: u64, source: &S) -> Result<Vec<Hash>, S::Error>
where
    S: Subtrees + ?Sized,
    S::Error: From<MerkleError>,
{
    if old > new {
        return Err(MerkleError::Shrinks { old, new }.into());
    }
    let (mut from, mut to, mut proof) = (0, new, Vec::new());
    if old == 0 {
        return Ok(proof);
    }
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range_root(middle, to, source)?);
            to = middle;
        } else {
            proof.push(range_root(from, middle, source)?);
            from = middle;
        }
    }
    // The old tree as a whole is known to whoever verifies.
    if from != 0 {
        proof.push(range_root(from, to, source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `entry`'s leaf hash is number `index` of `size` leaves under `root` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// When the proof leads to another root or has not as many hashes as it must.
pub fn verify_inclusion(
    root: Hash,
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if index >= size {
        return Err(MerkleError::Beyond { index, size });
    }
    match inclusion_root(leaf, index, size, proof) {
        Some(found) if found == root => Ok(()),
        Some(found) => Err(MerkleError::Root { expected: root, found }),
        None => Err(MerkleError::Length { found: proof.len() }),
    }
}

/// Whether the tree of `new` leaves under `new_root` begins with that of `old` leaves under `old_root` (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// When it cannot be shown. A proof from 0 leaves says nothing and is refused: every tree begins with the empty one.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: Hash,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old > new {
        return Err(MerkleError::Shrinks { old, new });
    }
    if old == 0 {
        return Err(MerkleError::FromNothing);
    }
    if old == new {
        if !proof.is_empty() {
            return Err(MerkleError::Length { found: proof.len() });
        }
        return same(new_root, old_root);
    }
    // A complete old tree is itself the first hash on the way.
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return Err(MerkleError::Length { found: 0 }),
    };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut of_old, mut of_new) = (first, first);
    for &beside in rest {
        if last == 0 {
            return Err(MerkleError::Length { found: proof.len() });
        }
        if at & 1 == 1 || at == last {
            of_old = node_hash(beside, of_old);
            of_new = node_hash(beside, of_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node_hash(of_new, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::Length { found: proof.len() });
    }
    same(old_root, of_old)?;
    same(new_root, of_new)
}

fn same(expected: Hash, found: Hash) -> Result<(), MerkleError> {
    if expected == found { Ok(()) } else { Err(MerkleError::Root { expected, found }) }
}

/// Why a proof was not made or does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MerkleError {
    /// There is no such leaf.
    Beyond {
        /// The one asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// The new tree is smaller than the old.
    Shrinks {
        /// Leaves of the old.
        old: u64,
        /// Leaves of the new.
        new: u64,
    },
    /// A consistency proof from the empty tree.
    FromNothing,
    /// Too many hashes or too few.
    Length {
        /// How many there are.
        found: usize,
    },
    /// The proof leads to another root.
    Root {
        /// The root that was given.
        expected: Hash,
        /// Where the proof leads.
        found: Hash,
    },
}

impl fmt::Display for MerkleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beyond { index, size } => write!(f, "there is no leaf {index} in a tree of {size}"),
            Self::Shrinks { old, new } => write!(f, "a tree of {new} leaves cannot follow one of {old}"),
            Self::FromNothing => f.write_str("a consistency proof from an empty tree says nothing"),
            Self::Length { found } => write!(f, "the proof has {found} hashes, too many or too few"),
            Self::Root { expected, found } => {
                write!(f, "the proof leads to another root: expected {expected}, found {found}")
            }
        }
    }
}

impl std::error::Error for MerkleError {}
