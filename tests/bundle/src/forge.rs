//! What a forger does: takes a bundle apart, changes it, puts it together again, with or without keys.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use fuze_audit::zip::{Archive, Spool};
use fuze_evidence::keys::Signer;
use fuze_evidence::{jcs, sha256};
use serde_json::{Value, json};

/// A bundle's members.
pub type Members = BTreeMap<String, Vec<u8>>;

/// Takes a bundle apart.
pub fn unpack(bundle: &[u8]) -> Members {
    let mut archive = Archive::open(Cursor::new(bundle)).unwrap();
    let names: Vec<String> = archive.names().map(str::to_owned).collect();
    let mut members = Members::new();
    for name in names {
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut archive.reader_from(&name, 0).unwrap(), &mut octets).unwrap();
        members.insert(name, octets);
    }
    members
}

/// Puts members together as they are: whoever has no key.
pub fn pack(members: &Members) -> Vec<u8> {
    let mut spool = Spool::new(Path::new("."));
    for (name, octets) in members {
        spool.add(name, octets.as_slice()).unwrap();
    }
    let mut out = Vec::new();
    spool.finish(&mut out).unwrap();
    out
}

/// Puts members together under a manifest of one's own: whoever may make bundles.
pub fn repack(members: &Members, maker: &dyn Signer) -> Vec<u8> {
    let mut members = members.clone();
    let statement = statement(&members);
    members.insert("manifest.json".to_owned(), envelope(&refreshed(statement, &members), maker));
    pack(&members)
}

/// The manifest's statement.
pub fn statement(members: &Members) -> Value {
    let envelope: Value = serde_json::from_slice(&members["manifest.json"]).unwrap();
    let payload = Base64::decode_vec(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn refreshed(mut statement: Value, members: &Members) -> Value {
    let subject = members.iter().filter(|(name, _)| *name != "manifest.json");
    let subject = subject.map(|(name, octets)| json!({"digest": {"sha256": sha256(octets)}, "name": name}));
    statement["subject"] = subject.collect();
    statement
}

/// A signed envelope of any statement.
pub fn envelope(statement: &Value, maker: &dyn Signer) -> Vec<u8> {
    let payload = jcs::to_vec(statement).unwrap();
    let kind = "application/vnd.in-toto+json";
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    let sig = Base64::encode_string(&maker.sign(&message).unwrap());
    let envelope = json!({
        "payload": Base64::encode_string(&payload), "payloadType": kind, "signatures": [{"keyid": maker.key_id(), "sig": sig}],
    });
    jcs::to_vec(&envelope).unwrap()
}
