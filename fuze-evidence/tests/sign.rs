//! Signatures: strict verification, and what a signature may be used for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::{Host, Sample, name};
use fuze_evidence::keys::Signer;
use fuze_evidence::sign::{
    PublicKey, SignError, SignatureError, SignedObject, SignedRoot, read_object, read_signature, sign_object,
    verify_object, write_signature,
};
use fuze_evidence::{Hash, Name, sha256};
use serde::{Deserialize, Serialize};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// What strict verification must not accept; every other vector that is consistent must pass.
#[test]
fn edge_cases_of_ed25519() {
    let Some(folder) = common::shared("vectors/ed25519") else { return };
    #[derive(Deserialize)]
    struct Vector {
        number: u32,
        key: String,
        sig: String,
        msg: String,
        flags: Option<Vec<String>>,
    }
    let file = std::fs::read(folder.join("ed25519vectors.json")).unwrap();
    let vectors: Vec<Vector> = serde_json::from_slice(&file).unwrap();
    let refused_for = [
        "low_order_R",
        "low_order_A",
        "low_order_residue",
        "non_canonical_A",
        "non_canonical_R",
        "reencoded_k",
    ];
    let mut accepted = 0;
    for vector in &vectors {
        let flags = vector.flags.clone().unwrap_or_default();
        let expected = !flags.iter().any(|flag| refused_for.contains(&flag.as_str()));
        let key: [u8; 32] = hex(&vector.key).try_into().unwrap();
        let signature: [u8; 64] = hex(&vector.sig).try_into().unwrap();
        let found =
            PublicKey::from_bytes(key).and_then(|key| key.verify(vector.msg.as_bytes(), &signature)).is_ok();
        assert_eq!(found, expected, "vector {} {flags:?}", vector.number);
        accepted += u32::from(found);
    }
    assert!(vectors.len() > 100 && accepted > 0, "{} vectors, {accepted} accepted", vectors.len());
}

#[test]
fn weak_and_non_canonical_keys_are_no_keys() {
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    let mut p_plus_3 = p;
    p_plus_3[0] = 0xf0;
    let mut identity = [0; 32];
    identity[0] = 1;
    for key in [[0; 32], identity, p, p_plus_3, [0xff; 32]] {
        assert_eq!(PublicKey::from_bytes(key), Err(SignatureError::Key), "{key:?}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Decision {
    action: String,
    #[serde(rename = "tokenHash")]
    token_hash: Hash,
    note: Option<String>,
}

impl SignedObject for Decision {
    const DOMAIN: &'static str = "fuze/decision/v1";
}

fn decision() -> Decision {
    Decision { action: "approve".into(), token_hash: sha256(b"t"), note: None }
}

#[test]
fn an_object_verifies_for_its_key_domain_and_octets_only() {
    let host = Host::new();
    let signed = sign_object(&decision(), &host.signer).unwrap();
    assert!(String::from_utf8(signed.bytes.clone()).unwrap().contains("\"domain\":\"fuze/decision/v1\""));
    let key = host.public_key();
    assert_eq!(verify_object::<Decision>(&signed.bytes, &signed.signature, &key).unwrap(), decision());
    assert_eq!(signed.hash(), sha256(&signed.bytes));
    for bit in (0..signed.bytes.len() * 8).step_by(13) {
        let mut changed = signed.bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            verify_object::<Decision>(&changed, &signed.signature, &key),
            Err(SignatureError::Signature)
        );
    }
    for bit in (0..512).step_by(5) {
        let mut changed = signed.signature;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verify_object::<Decision>(&signed.bytes, &changed, &key), Err(SignatureError::Signature));
    }
    let other = Host::new().public_key();
    assert_eq!(
        verify_object::<Decision>(&signed.bytes, &signed.signature, &other),
        Err(SignatureError::Signature)
    );
}

#[test]
fn a_signature_for_one_domain_is_none_for_another() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Token {
        action: String,
        #[serde(rename = "tokenHash")]
        token_hash: Hash,
        note: Option<String>,
    }
    impl SignedObject for Token {
        const DOMAIN: &'static str = "fuze/resume/v1";
    }
    let host = Host::new();
    let signed = sign_object(&decision(), &host.signer).unwrap();
    let read = verify_object::<Token>(&signed.bytes, &signed.signature, &host.public_key());
    assert_eq!(read.unwrap_err(), SignatureError::Domain { expected: "fuze/resume/v1" });
}

#[test]
fn nobody_but_a_recorder_signs_a_close() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Close {
        count: u64,
    }
    impl SignedObject for Close {
        const DOMAIN: &'static str = "fuze/run-close/v1";
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Smuggled {
        domain: String,
    }
    impl SignedObject for Smuggled {
        const DOMAIN: &'static str = "fuze/decision/v1";
    }
    let host = Host::new();
    assert!(matches!(sign_object(&Close { count: 1 }, &host.signer), Err(SignError::Reserved { .. })));
    let smuggled = Smuggled { domain: "fuze/run-close/v1".into() };
    assert_eq!(sign_object(&smuggled, &host.signer), Err(SignError::Shape));
}

#[test]
fn members_that_serde_would_ignore_are_refused() {
    for octets in [
        &br#"{"action":"a","domain":"fuze/decision/v1","extra":1,"note":null,"tokenHash":"TH"}"#[..],
        br#"{"action":"a","domain":"fuze/decision/v1","tokenHash":"TH"}"#,
        br#"{"action":"a","note":null,"tokenHash":"TH"}"#,
        br#"{"action":"a", "domain":"fuze/decision/v1","note":null,"tokenHash":"TH"}"#,
    ] {
        let octets = String::from_utf8_lossy(octets).replace("TH", &sha256(b"t").to_string());
        assert!(read_object::<Decision>(octets.as_bytes()).is_err(), "{octets}");
    }
}

#[test]
fn a_signer_whose_signature_does_not_hold_signs_nothing() {
    struct Faulty(fuze_evidence::keys::FileSigner);
    impl Signer for Faulty {
        fn key_id(&self) -> Hash {
            self.0.key_id()
        }
        fn public_key(&self) -> [u8; 32] {
            self.0.public_key()
        }
        fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
            self.0.sign(&sha256(message).0)
        }
        fn identity(&self) -> Name {
            name("faulty")
        }
    }
    assert_eq!(sign_object(&decision(), &Faulty(Host::new().signer)), Err(SignError::Wrong));
}

#[test]
fn a_root_is_read_with_its_key_or_not_at_all() {
    let sample = Sample::closed();
    let line = sample.files.roots.split(|&b| b == b'\n').next().unwrap();
    let key = sample.host.public_key();
    let root = SignedRoot::read(line, |id| (*id == key.id()).then_some(key)).unwrap();
    assert_eq!((root.root().run_id, root.root().count, root.bytes()), (sample.run_id, 1, line));
    assert_eq!(SignedRoot::read(line, |_| None), Err(SignatureError::Key));
    let other = Host::new().public_key();
    assert_eq!(SignedRoot::read(line, |_| Some(other)), Err(SignatureError::Key));
    let spaced = [line, b" "].concat();
    assert!(matches!(SignedRoot::read(&spaced, |_| Some(key)), Err(SignatureError::Canonical(_))));
}

#[test]
fn a_signature_has_one_spelling() {
    let text = write_signature(&[7; 64]);
    assert_eq!(read_signature(&text), Ok([7; 64]));
    let mut loose = text.clone();
    loose.pop();
    for wrong in
        [format!("{text}=="), format!("{loose}x"), loose.clone(), text.replace('B', "+"), String::new()]
    {
        assert_eq!(read_signature(&wrong), Err(SignatureError::Encoding), "{wrong}");
    }
}

#[test]
fn a_public_key_is_read_from_hex_and_from_pem() {
    // RFC 8410 section 10.1.
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let key = PublicKey::from_text(pem).unwrap();
    assert_eq!(key.to_pem(), pem);
    let text = Hash(key.to_bytes()).to_string();
    assert_eq!(PublicKey::from_text(&format!(" {text}\n")).unwrap(), key);
    let x25519 = pem.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
    for other in
        ["", "abc", &text[..62], &text.to_uppercase(), &pem[..60], &x25519, &pem.replace("PUBLIC", "PRIVATE")]
    {
        assert_eq!(PublicKey::from_text(other), Err(SignatureError::KeyText), "{other}");
    }
    assert_eq!(PublicKey::from_text(&"0".repeat(64)), Err(SignatureError::Key));
}
