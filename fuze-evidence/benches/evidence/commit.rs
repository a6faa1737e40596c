//! Committing to content, beside hashing the same padded leaves and the tree over them with bare SHA-256.

use std::cell::RefCell;
use std::hint::black_box;

use fuze_evidence::content::{Commitment, DisclosedLeaf, commit};
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Hash, Redactor};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::{Host, Sample};
use crate::measure::{Clock, Figures, job};

pub(crate) fn measure(figures: &mut Figures) {
    let (sample, _recorder) = Sample::begin(Host::new());
    let redactor = Redactor::new(&sample.keys);
    let answer: Value =
        (0..128).map(|n| json!({"candidate": n, "remark": "a sentence of some forty characters"})).collect();
    for (what, value, count) in [
        ("two arguments", json!({"a": 2, "b": 3}), 40),
        (
            "a dossier of 24 fields",
            (0..24).map(|n| (format!("field-{n}"), json!("thirty-two characters of content"))).collect(),
            10,
        ),
        ("a text of 16 KB", json!("a sentence of some forty characters. ".repeat(440)), 5),
        ("an answer of 256 fields", answer, 2),
    ] {
        let redacted = || redactor.redact(value.clone());
        let commitment = commit(redacted(), &mut OsRandom::new()).unwrap();
        let preimages = preimages(&commitment);
        assert_eq!(tree(&preimages), commitment.root());
        println!("committing to {what}, {} leaves", commitment.leaves());
        let mut random = OsRandom::new();
        // What is committed to is made just before: redaction is another matter. And it is dropped after, with the commitment.
        let given = RefCell::new(Vec::new());
        let prepare = || given.borrow_mut().extend((0..count).map(|_| redacted()));
        let mut commits = || -> Vec<Commitment> {
            given.take().into_iter().map(|redacted| commit(redacted, &mut random).unwrap()).collect()
        };
        let [ours, bare] = figures.compare(
            Clock::Cpu,
            [
                ("commit", Box::new(prepare), Box::new(|| Box::new(commits()))),
                job("bare SHA-256 over its leaves and tree", || {
                    for _ in 0..count {
                        black_box(tree(black_box(&preimages)));
                    }
                }),
            ],
        );
        figures.at_least(&format!("commit, {what}: speed as a share of bare SHA-256"), bare, ours, 0.85);
    }
}

/// What the leaf hashes are of, in their order.
fn preimages(commitment: &Commitment) -> Vec<Vec<u8>> {
    commitment
        .disclose()
        .leaves
        .iter()
        .map(|leaf| {
            let json = match leaf {
                DisclosedLeaf::Leaf(opening) => {
                    json!(["fuze/leaf/v1", opening.salt, opening.path, opening.value])
                }
                DisclosedLeaf::Decoy(salt) => json!(["fuze/decoy/v1", salt]),
                DisclosedLeaf::Hash(_) => Value::Null,
            };
            [b"\0".as_slice(), &serde_jcs::to_vec(&json).unwrap()].concat()
        })
        .collect()
}

/// RFC 6962 over a power of two of leaves.
fn tree(preimages: &[Vec<u8>]) -> Hash {
    let mut level: Vec<[u8; 32]> = preimages.iter().map(|leaf| Sha256::digest(leaf).into()).collect();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .map(|pair| {
                let mut node = [1; 65];
                node[1..33].copy_from_slice(&pair[0]);
                node[33..].copy_from_slice(&pair[1]);
                Sha256::digest(node).into()
            })
            .collect();
    }
    Hash(level[0])
}
