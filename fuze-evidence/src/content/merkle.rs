//! The RFC 6962 Merkle tree over leaf hashes: root, inclusion proof, its verification. Leaves come hashed.

use crate::hash::{BLOCK_BYTES, Hash, sha256_padded, sha256_padded_two};

/// The hash of a node over its two children (RFC 6962 section 2.1).
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Node::over(left, right).hash()
}

/// What a node is the hash of, filled up to whole blocks (FIPS 180-4 section 5.1.1).
struct Node([u8; 2 * BLOCK_BYTES]);

impl Node {
    const EMPTY: Self = {
        let mut octets = [0; 2 * BLOCK_BYTES];
        octets[0] = 1;
        octets[65] = 0x80;
        // The length in bits: 520.
        octets[126] = 2;
        octets[127] = 8;
        Self(octets)
    };

    fn over(left: Hash, right: Hash) -> Self {
        let mut node = Self::EMPTY;
        node.set(0, left);
        node.set(1, right);
        node
    }

    fn set(&mut self, child: usize, hash: Hash) {
        let [_, children @ ..] = &mut self.0;
        if let Some(place) = children.as_chunks_mut().0.get_mut(child) {
            *place = hash.0;
        }
    }

    fn blocks(&self) -> &[[u8; BLOCK_BYTES]] {
        self.0.as_chunks().0
    }

    fn hash(&self) -> Hash {
        sha256_padded(self.blocks())
    }
}

/// The tree hash of `leaves` (RFC 6962 section 2.1); of none, the hash of nothing.
pub fn merkle_root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    // Complete subtrees from large to small, each with its number of levels.
    let mut subtrees: Vec<(u32, Hash)> = Vec::with_capacity(24);
    for leaf in leaves {
        let mut tree = (0, leaf);
        while let Some((_, left)) = subtrees.pop_if(|(levels, _)| *levels == tree.0) {
            tree = (tree.0 + 1, node_hash(left, tree.1));
        }
        subtrees.push(tree);
    }
    let Some((_, mut root)) = subtrees.pop() else { return crate::hash::sha256(b"") };
    while let Some((_, left)) = subtrees.pop() {
        root = node_hash(left, root);
    }
    root
}

/// How many leaves' nodes are in memory at once.
const LEAVES_AT_ONCE: usize = 64;

/// The tree hash of a power of two of leaves, at least two: subtree by subtree, so that what is written stays near.
pub(super) fn perfect_root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut leaves = leaves.into_iter();
    let mut nodes = Vec::with_capacity(leaves.size_hint().1.unwrap_or(0).min(LEAVES_AT_ONCE) / 2);
    let mut root = || subtree_root(&mut nodes, leaves.by_ref().take(LEAVES_AT_ONCE));
    match (root(), root()) {
        (None, _) => Hash::ZERO,
        (Some(root), None) => root,
        (Some(left), Some(right)) => {
            let subtrees: Vec<Hash> = [left, right].into_iter().chain(std::iter::from_fn(root)).collect();
            perfect_root(subtrees)
        }
    }
}

/// As [`perfect_root`], level by level, because hashes that do not wait for each other overlap. `None` of no leaves.
fn subtree_root(nodes: &mut Vec<Node>, leaves: impl Iterator<Item = Hash>) -> Option<Hash> {
    nodes.clear();
    for (at, leaf) in leaves.enumerate() {
        if at % 2 == 0 {
            nodes.push(Node::EMPTY);
        }
        if let Some(parent) = nodes.last_mut() {
            parent.set(at % 2, leaf);
        }
    }
    while nodes.len() > 1 {
        for parent in 0..nodes.len() / 2 {
            let Some([left, right]) = nodes.get(2 * parent..2 * parent + 2) else { continue };
            let [left, right] = sha256_padded_two([left.blocks(), right.blocks()]);
            // Where a parent is put together, its own children have been hashed before.
            if let Some(parent) = nodes.get_mut(parent) {
                parent.set(0, left);
                parent.set(1, right);
            }
        }
        nodes.truncate(nodes.len() / 2);
    }
    nodes.first().map(Node::hash)
}

/// The hashes beside the way from a leaf to the root, nearest first.
pub type Proof = Vec<Hash>;

/// The audit path of leaf `index` (RFC 6962 section 2.1.1); `None` if there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Proof> {
    if index >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let mut rest = leaves;
    let mut at = index;
    while rest.len() > 1 {
        // The largest power of two smaller than the number of leaves.
        let half = rest.len().next_power_of_two() / 2;
        let (left, right) = rest.split_at_checked(half)?;
        if at < half {
            proof.push(merkle_root(right.iter().copied()));
            rest = left;
        } else {
            proof.push(merkle_root(left.iter().copied()));
            rest = right;
            at -= half;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Whether `leaf` is number `index` of `size` leaves under `root` (RFC 9162 section 2.1.3.2). The root must come from elsewhere.
#[must_use]
pub fn verify_inclusion(root: Hash, leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> bool {
    inclusion_root(leaf, index, size, proof) == Some(root)
}

/// The root that `proof` leads to; `None` if there is no such leaf or the proof has not as many hashes as it must.
#[must_use]
pub fn inclusion_root(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for &beside in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|n| sha256(&[0, n])).collect()
    }

    /// The definition of RFC 6962 section 2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(b""),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node_hash(by_definition(&many[..k]), by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn the_root_is_the_one_of_the_definition() {
        for count in 0..40 {
            assert_eq!(merkle_root(leaves(count)), by_definition(&leaves(count)), "{count}");
        }
        let many: Vec<Hash> = (0..1024_u16).map(|n| sha256(&n.to_be_bytes())).collect();
        for levels in 1..=10 {
            let leaves = &many[..1 << levels];
            assert_eq!(perfect_root(leaves.iter().copied()), by_definition(leaves), "{levels}");
        }
    }

    #[test]
    fn a_proof_holds_for_its_leaf_and_place_only() {
        for size in 1..20_u8 {
            let leaves = leaves(size);
            let root = merkle_root(leaves.iter().copied());
            for index in 0..size {
                let proof = inclusion_proof(&leaves, usize::from(index)).unwrap();
                let own = leaves[usize::from(index)];
                for other in 0..size {
                    let holds = verify_inclusion(root, own, u64::from(other), u64::from(size), &proof);
                    assert_eq!(holds, index == other, "{size} {index} {other}");
                }
                let mut longer = proof.clone();
                longer.push(Hash::ZERO);
                assert!(!verify_inclusion(root, own, u64::from(index), u64::from(size), &longer));
                if let [_, shorter @ ..] = proof.as_slice() {
                    assert!(!verify_inclusion(root, own, u64::from(index), u64::from(size), shorter));
                }
            }
            assert_eq!(inclusion_proof(&leaves, usize::from(size)), None);
        }
    }
}
