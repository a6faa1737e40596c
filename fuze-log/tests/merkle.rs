//! The tree: the published vectors, and every tree of up to 256 leaves against another implementation.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../fuze-evidence/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};

use fuze_evidence::Hash;
use fuze_log::merkle::{
    MerkleError, consistency_proof, empty_root, inclusion_proof, leaf_hash, root, verify_consistency,
    verify_inclusion,
};
use serde::Deserialize;
use tlog_tiles::HashReader;

const LARGEST: u64 = 256;

/// The Go team's tree, ported by somebody else.
struct Oracle(Vec<tlog_tiles::Hash>);

impl HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

/// Ours as leaf hashes, theirs as they store them.
fn trees() -> (Vec<Hash>, Oracle) {
    let (mut ours, mut oracle) = (Vec::new(), Oracle(Vec::new()));
    for index in 0..LARGEST {
        ours.push(leaf_hash(&entry(index)));
        let new = tlog_tiles::stored_hashes(index, &entry(index), &oracle).unwrap();
        oracle.0.extend(new);
    }
    (ours, oracle)
}

fn raw(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

/// `hash` with one bit changed, another one for each `which`.
fn flipped(mut hash: Hash, which: u64) -> Hash {
    let bit = usize::try_from(which % 256).unwrap();
    hash.0[bit / 8] ^= 1 << (bit % 8);
    hash
}

/// The proof with one bit changed, another one for each `which`; nothing for the empty proof.
fn changed(proof: &[Hash], which: u64) -> Option<Vec<Hash>> {
    let mut changed = proof.to_vec();
    let at = usize::try_from(which).unwrap().checked_rem(proof.len())?;
    changed[at] = flipped(changed[at], which);
    Some(changed)
}

/// Every proof that has one hash more or less.
fn resized(proof: &[Hash]) -> [Vec<Hash>; 3] {
    let mut longer = proof.to_vec();
    longer.push(empty_root());
    let shorter = proof.split_last().map_or_else(|| longer.clone(), |(_, rest)| rest.to_vec());
    let headless = proof.split_first().map_or_else(|| longer.clone(), |(_, rest)| rest.to_vec());
    [longer, shorter, headless]
}

#[test]
fn every_inclusion_in_every_tree() {
    let (ours, oracle) = trees();
    let mut proofs = 0;
    for size in 1..=LARGEST {
        let top = root(size, ours.as_slice()).unwrap();
        assert_eq!(top, Hash(tlog_tiles::tree_hash(size, &oracle).unwrap().0), "{size}");
        for index in 0..size {
            let proof = inclusion_proof(index, size, ours.as_slice()).unwrap();
            assert_eq!(proof, raw(tlog_tiles::prove_record(size, index, &oracle).unwrap()));
            let leaf = ours[usize::try_from(index).unwrap()];
            let check = |root, leaf, index, proof: &[Hash]| verify_inclusion(root, leaf, index, size, proof);
            assert_eq!(check(top, leaf, index, &proof), Ok(()), "{index} of {size}");
            let which = index * 7 + size;
            for wrong in resized(&proof).into_iter().chain(changed(&proof, which)) {
                assert!(check(top, leaf, index, &wrong).is_err(), "{index} of {size}");
            }
            assert!(check(flipped(top, which), leaf, index, &proof).is_err());
            assert!(check(top, flipped(leaf, which), index, &proof).is_err());
            for bit in [0, which % 8, 9] {
                assert!(check(top, leaf, index ^ 1 << bit, &proof).is_err(), "{index} of {size}, bit {bit}");
            }
            proofs += 1;
        }
    }
    assert_eq!(proofs, LARGEST * (LARGEST + 1) / 2);
}

#[test]
fn every_consistency_between_every_two_trees() {
    let (ours, oracle) = trees();
    let roots: Vec<Hash> = (0..=LARGEST).map(|size| root(size, ours.as_slice()).unwrap()).collect();
    let mut proofs = 0;
    for new in 1..=LARGEST {
        for old in 1..new {
            let proof = consistency_proof(old, new, ours.as_slice()).unwrap();
            assert_eq!(proof, raw(tlog_tiles::prove_tree(new, old, &oracle).unwrap()), "{old} {new}");
            let (first, then) = (roots[old as usize], roots[new as usize]);
            assert_eq!(verify_consistency(old, new, first, then, &proof), Ok(()), "{old} {new}");
            let which = old * 11 + new;
            for wrong in resized(&proof).into_iter().chain(changed(&proof, which)) {
                assert!(verify_consistency(old, new, first, then, &wrong).is_err(), "{old} {new}");
            }
            assert!(verify_consistency(old, new, flipped(first, which), then, &proof).is_err());
            assert!(verify_consistency(old, new, first, flipped(then, which), &proof).is_err());
            for bit in [0, which % 8, 9] {
                // Another old size is another tree, and has another root.
                assert!(verify_consistency(old ^ 1 << bit, new, first, then, &proof).is_err());
            }
            assert!(verify_consistency(new, old, then, first, &proof).is_err());
            proofs += 1;
        }
        assert_eq!(consistency_proof(new, new, ours.as_slice()), Ok(vec![]));
        assert_eq!(consistency_proof(0, new, ours.as_slice()), Ok(vec![]));
        let (top, shrinks) = (roots[new as usize], consistency_proof(new, new - 1, ours.as_slice()));
        assert_eq!(shrinks, Err(MerkleError::Shrinks { old: new, new: new - 1 }));
        assert_eq!(verify_consistency(new, new, top, top, &[]), Ok(()));
        assert!(verify_consistency(new, new, top, top, &[top]).is_err());
        assert!(verify_consistency(new, new, flipped(top, new), top, &[]).is_err());
        assert_eq!(verify_consistency(0, new, roots[0], top, &[]), Err(MerkleError::FromNothing));
    }
    assert_eq!(proofs, LARGEST * (LARGEST - 1) / 2);
}

#[test]
fn a_leaf_that_is_not_there_has_no_proof() {
    let (ours, _) = trees();
    assert_eq!(inclusion_proof(7, 7, ours.as_slice()), Err(MerkleError::Beyond { index: 7, size: 7 }));
    // More leaves than the source holds.
    assert!(root(LARGEST + 1, ours.as_slice()).is_err());
    assert!(verify_inclusion(ours[0], ours[0], 0, 0, &[]).is_err());
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn octets(base64: &str) -> Vec<u8> {
    use base64ct::{Base64, Encoding as _};
    Base64::decode_vec(base64).unwrap()
}

/// What has no 32 octets is no hash, and so refused.
fn hash(base64: &str) -> Option<Hash> {
    octets(base64).try_into().ok().map(Hash)
}

/// Some roots are placeholders and no hashes: each stands for its own, so that what is equal stays equal.
fn root_or_placeholder(base64: &str) -> Hash {
    hash(base64).unwrap_or_else(|| fuze_evidence::sha256(&octets(base64)))
}

fn hashes(base64: Option<Vec<String>>) -> Option<Vec<Hash>> {
    base64.unwrap_or_default().iter().map(|text| hash(text)).collect()
}

#[test]
fn published_inclusion_proofs() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Case {
        leaf_idx: u64,
        tree_size: u64,
        root: String,
        leaf_hash: String,
        proof: Option<Vec<String>>,
        want_err: bool,
    }
    let Some(folder) = common::shared("vectors/rfc6962/inclusion") else { return };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let mut accepted = 0;
    for path in &paths {
        let case: Case = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let verify = || {
            let (root, leaf, proof) = (hash(&case.root)?, hash(&case.leaf_hash)?, hashes(case.proof)?);
            verify_inclusion(root, leaf, case.leaf_idx, case.tree_size, &proof).ok()
        };
        let found = verify();
        assert_eq!(found.is_none(), case.want_err, "{}", path.display());
        accepted += usize::from(found.is_some());
    }
    assert!(paths.len() > 60 && accepted == 3, "{} files, {accepted} accepted", paths.len());
}

#[test]
fn published_consistency_proofs() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Case {
        size1: u64,
        size2: u64,
        root1: String,
        root2: String,
        proof: Option<Vec<String>>,
        want_err: bool,
    }
    let Some(folder) = common::shared("vectors/rfc6962/consistency") else { return };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let mut accepted = 0;
    for path in &paths {
        let case: Case = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let verify = || {
            let (old, new) = (root_or_placeholder(&case.root1), root_or_placeholder(&case.root2));
            let proof = hashes(case.proof)?;
            verify_consistency(case.size1, case.size2, old, new, &proof).ok()
        };
        let found = verify();
        assert_eq!(found.is_none(), case.want_err, "{}", path.display());
        accepted += usize::from(found.is_some());
    }
    assert!(paths.len() > 50 && accepted == 4, "{} files, {accepted} accepted", paths.len());
}
