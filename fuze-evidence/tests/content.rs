//! Commitments, their openings, and content under keys.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::{Counter, Host, Sample, at, name, person};
use fuze_evidence::content::{
    CommitError, DisclosedLeaf, Disclosure, DisclosureError, OpenError, Opening, SealedContent, commit,
    history, inclusion_proof, seal, verify_inclusion,
};
use fuze_evidence::keys::{MasterKey, MemorySubjectKeys, SubjectKeys as _, WrappedRunKeys};
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Hash, Redactor, RunId, RunKeys, jcs, sha256};
use proptest::prelude::*;
use serde_json::{Value, json};

fn keys() -> RunKeys {
    let mut random = OsRandom::new();
    RunKeys::generate(RunId::generate(at(0), &mut random).unwrap(), None, &mut random).unwrap()
}

fn committed(value: Value) -> fuze_evidence::Commitment {
    commit(Redactor::new(&keys()).redact(value), &mut OsRandom::new()).unwrap()
}

/// The document's formulas, written down again with nothing of the crate but SHA-256.
#[test]
fn a_commitment_is_the_one_of_the_document() {
    let commitment = committed(json!({"a/b": {"~": [1, "x", null, {}]}, "e": []}));
    let disclosure = serde_json::to_value(commitment.disclose()).unwrap();
    let mut hashes: Vec<[u8; 32]> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    for leaf in disclosure["leaves"].as_array().unwrap() {
        let text = match (leaf.get("leaf"), leaf.get("decoy")) {
            (Some(leaf), None) => {
                paths.push(leaf["path"].as_str().unwrap().to_owned());
                format!("[\"fuze/leaf/v1\",{},{},{}]", leaf["salt"], leaf["path"], leaf["value"])
            }
            (None, Some(salt)) => format!("[\"fuze/decoy/v1\",{salt}]"),
            _ => panic!("{leaf}"),
        };
        hashes.push(sha256(&[b"\0", text.as_bytes()].concat()).0);
    }
    paths.sort();
    assert_eq!(paths, ["/a~1b/~0/0", "/a~1b/~0/1", "/a~1b/~0/2", "/a~1b/~0/3", "/e"]);
    assert!(hashes.is_sorted() && hashes.len() == 8);
    while hashes.len() > 1 {
        hashes =
            hashes.chunks(2).map(|pair| sha256(&[b"\x01", pair.concat().as_slice()].concat()).0).collect();
    }
    assert_eq!(commitment.root().0, hashes[0]);
    assert_eq!(commitment.leaves(), 8);
}

#[test]
fn the_number_of_leaves_is_padded() {
    for (items, leaves) in [(0, 8), (1, 8), (8, 8), (9, 16), (17, 32)] {
        let commitment = committed(Value::from(vec![1; items]));
        assert_eq!(commitment.leaves(), leaves);
        assert_eq!(commitment.openings().len(), items.max(1));
    }
}

#[test]
fn the_same_value_never_has_the_same_root() {
    assert_ne!(committed(json!(true)).root(), committed(json!(true)).root());
}

#[test]
fn an_array_and_an_object_that_looks_like_one_have_other_leaves() {
    let paths = |value: Value| {
        let commitment = committed(value);
        let mut leaves: Vec<_> =
            commitment.openings().iter().map(|o| (o.path.clone(), o.value.to_string())).collect();
        leaves.sort();
        leaves
    };
    assert_ne!(paths(json!(["x"])), paths(json!({"0": "x"})));
    assert_ne!(paths(json!([["x"]])), paths(json!({"0": ["x"]})));
    assert_ne!(paths(json!([])), paths(json!({})));
    assert_ne!(paths(json!("")), paths(json!([""])));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..100_i64).prop_map(Value::from),
        "[a-c/~0-2]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map("[a-c/~0-2]{0,2}", inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_committed_to_comes_out_again(value in values()) {
        let keys = keys();
        let redactor = Redactor::new(&keys);
        let commitment = commit(redactor.redact(value.clone()), &mut OsRandom::new()).unwrap();
        let root = commitment.root();
        prop_assert_eq!(&commitment.disclose().value(root).unwrap(), &value);
        let sealed = seal(&commitment, &keys, &mut OsRandom::new()).unwrap();
        let opened = sealed.open(&keys).unwrap();
        prop_assert_eq!(&opened, &commitment.disclose());
        let stored: Disclosure = serde_json::from_slice(&jcs::to_vec(&opened).unwrap()).unwrap();
        prop_assert!(stored.opens(root, &redactor.redact(value)));
    }

    #[test]
    fn no_other_value_opens_it(value in values(), other in values()) {
        prop_assume!(value != other);
        let redactor = Redactor::new(&keys());
        let commitment = commit(redactor.redact(value), &mut OsRandom::new()).unwrap();
        prop_assert!(!commitment.disclose().opens(commitment.root(), &redactor.redact(other)));
    }
}

#[test]
fn a_changed_disclosure_opens_nothing() {
    let commitment = committed(json!({"to": "A", "amount": 1}));
    let root = commitment.root();
    let whole = commitment.disclose();
    let place = |d: &Disclosure, path: &str| {
        d.leaves.iter().position(|l| matches!(l, DisclosedLeaf::Leaf(o) if o.path == path)).unwrap()
    };
    let mut changed = whole.clone();
    let at_amount = place(&changed, "/amount");
    let DisclosedLeaf::Leaf(opening) = &mut changed.leaves[at_amount] else { unreachable!() };
    opening.value = json!(1_000_000);
    assert!(matches!(changed.value(root), Err(DisclosureError::Root | DisclosureError::Shape)));
    // A leaf may be withheld, but then the value is not whole.
    let mut part = whole.clone();
    let DisclosedLeaf::Leaf(opening) = part.leaves[at_amount].clone() else { unreachable!() };
    part.leaves[at_amount] = DisclosedLeaf::Hash(opening.leaf_hash().unwrap());
    assert_eq!(part.verify(root), Ok(()));
    assert_eq!(part.value(root), Err(DisclosureError::Incomplete));
    let mut swapped = whole.clone();
    swapped.leaves.swap(0, 1);
    assert_eq!(swapped.verify(root), Err(DisclosureError::Shape));
    let mut fewer = whole.clone();
    fewer.leaves.pop();
    assert_eq!(fewer.verify(root), Err(DisclosureError::Shape));
    assert_eq!(whole.verify(Hash::ZERO), Err(DisclosureError::Root));
}

#[test]
fn one_leaf_can_be_shown_with_a_proof() {
    let commitment = committed(json!({"a": 1, "b": 2}));
    let disclosure = commitment.disclose();
    let mut hashes = Vec::new();
    for leaf in &disclosure.leaves {
        hashes.push(match leaf {
            DisclosedLeaf::Leaf(o) => o.leaf_hash().unwrap(),
            DisclosedLeaf::Decoy(salt) => sha256(
                &[b"\0[\"fuze/decoy/v1\",", serde_json::to_vec(salt).unwrap().as_slice(), b"]"].concat(),
            ),
            DisclosedLeaf::Hash(hash) => *hash,
        });
    }
    let opening: Opening = commitment.openings().swap_remove(0);
    let index = hashes.iter().position(|&h| h == opening.leaf_hash().unwrap()).unwrap();
    let proof = inclusion_proof(&hashes, index).unwrap();
    let place = u64::try_from(index).unwrap();
    assert!(verify_inclusion(commitment.root(), hashes[index], place, 8, &proof));
    let changed = Opening { value: json!(3), ..opening };
    assert!(!verify_inclusion(commitment.root(), changed.leaf_hash().unwrap(), place, 8, &proof));
}

/// RFC 6962 inclusion proofs from elsewhere, most of them to be refused.
#[test]
fn inclusion_proofs_of_rfc_6962() {
    let Some(folder) = common::shared("vectors/rfc6962/inclusion") else { return };
    use base64ct::{Base64, Encoding as _};
    let hash =
        |v: &Value| -> Option<Hash> { Base64::decode_vec(v.as_str()?).ok()?.try_into().ok().map(Hash) };
    let mut count = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let proof: Option<Vec<Hash>> = match &vector["proof"] {
                Value::Null => Some(vec![]),
                proof => proof.as_array().unwrap().iter().map(hash).collect(),
            };
            let holds = (|| {
                let (root, leaf) = (hash(&vector["root"])?, hash(&vector["leafHash"])?);
                let (index, size) = (vector["leafIdx"].as_u64()?, vector["treeSize"].as_u64()?);
                Some(verify_inclusion(root, leaf, index, size, &proof?))
            })()
            .unwrap_or(false);
            assert_eq!(holds, !vector["wantErr"].as_bool().unwrap(), "{path:?}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn content_opens_with_its_run_and_subject_only() {
    let mut sample = Sample::closed();
    let (commitment, sealed) = sample.commit(json!({"name": "A", "n": [1, 2]}));
    assert_eq!(sealed.open(&sample.keys).unwrap(), commitment.disclose());
    assert!(matches!(sealed.open(&keys()), Err(OpenError::Key(_))));
    let other_subject = MemorySubjectKeys::default();
    let alias = name("subject-1f8a");
    let other = other_subject.create(&alias, person(&name("acme"))).unwrap();
    let wrapped = sample.keys.wrap(&sample.host.master, &mut OsRandom::new()).unwrap();
    let wrong = RunKeys::unwrap(&wrapped, &sample.host.master, Some((alias.clone(), &other))).unwrap();
    assert_eq!(sealed.open(&wrong), Err(OpenError::Refused));
    let own = sample.host.subjects.find(&alias).unwrap().unwrap();
    let right = RunKeys::unwrap(&wrapped, &sample.host.master, Some((alias, &own))).unwrap();
    assert!(sealed.open(&right).is_ok());
    let lines =
        SealedContent::from_lines(sealed.content_line().to_vec(), sealed.keys_line().to_vec()).unwrap();
    assert_eq!(lines, sealed);
    let (_, other) = sample.commit(json!(1));
    assert!(SealedContent::from_lines(sealed.content_line().to_vec(), other.keys_line().to_vec()).is_err());
}

#[test]
fn wrapped_keys_open_under_their_master_and_run_only() {
    let (mut random, keys) = (OsRandom::new(), keys());
    let (master, other) =
        (MasterKey::ephemeral(&mut random).unwrap(), MasterKey::ephemeral(&mut random).unwrap());
    let wrapped = keys.wrap(&master, &mut random).unwrap();
    let line = wrapped.to_line().unwrap();
    assert_eq!(WrappedRunKeys::from_line(&line).unwrap(), wrapped);
    let again = RunKeys::unwrap(&wrapped, &master, None).unwrap();
    assert_eq!(again.exec_id(b"x"), keys.exec_id(b"x"));
    assert!(RunKeys::unwrap(&wrapped, &other, None).is_err());
    let text = String::from_utf8(line).unwrap();
    let run = keys.run_id().to_string();
    let moved = text.replace(&run, "01890a5d-ac96-774b-bcce-b302099a8057");
    let moved = WrappedRunKeys::from_line(moved.as_bytes()).unwrap();
    assert!(RunKeys::unwrap(&moved, &master, None).is_err());
}

#[test]
fn secrets_do_not_show() {
    let host = Host::new();
    let keys = keys();
    let shown = format!("{:?} {:?} {:?}", host.master, keys, host.signer);
    assert!(shown.len() < 300 && !shown.contains('['), "{shown}");
}

#[test]
fn what_has_no_canonical_form_is_not_committed_to() {
    let redactor = Redactor::new(&keys());
    let too_big = commit(redactor.redact(json!(u64::MAX - 1)), &mut OsRandom::new());
    assert!(matches!(too_big, Err(CommitError::Canonical(_))), "{too_big:?}");
    let deep = (0..65).fold(json!(1), |v, _| json!([v]));
    assert!(matches!(commit(redactor.redact(deep), &mut OsRandom::new()), Err(CommitError::Canonical(_))));
}

#[test]
fn history_is_a_chain_of_roots() {
    let one = history(Hash::ZERO, sha256(b"1"));
    let text = format!("[\"fuze/hist/v1\",\"{}\",\"{}\"]", "0".repeat(64), sha256(b"1"));
    assert_eq!(one, sha256(text.as_bytes()));
    assert_ne!(history(one, sha256(b"2")), history(Hash::ZERO, sha256(b"2")));
    let _ = Counter(0);
}
