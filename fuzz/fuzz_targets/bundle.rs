//! A bundle. As it comes: what the zip reader takes, its writer writes; and nothing that nobody vouched for verifies. And the sample
//! with one member replaced (the first octet says which) under a new manifest by whoever may make bundles: that verifies only if the
//! member says what it said before.
#![no_main]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;
use std::sync::LazyLock;

use base64ct::{Base64, Encoding as _};
use fuze_audit::verify::verify;
use fuze_audit::zip::{Archive, Spool};
use fuze_audit::{Trust, Verdict};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::{Signer as _, jcs, sha256};
use fuze_fuzz::signer;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

type Members = BTreeMap<String, Vec<u8>>;

static SIGNER: LazyLock<FileSigner> = LazyLock::new(signer);
static SAMPLE: LazyLock<Members> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/sample.zip");
    let octets = std::fs::read(path).expect("`fuzz/run.sh` writes it");
    let members = unpack(&octets).expect("a bundle");
    assert!(trusting(&octets), "the sample is not signed by the key of this target");
    members
});

/// The members, if this is a zip in its one form.
fn unpack(octets: &[u8]) -> Option<Members> {
    let mut archive = Archive::open(Cursor::new(octets)).ok()?;
    let names: Vec<String> = archive.names().map(str::to_owned).collect();
    let mut members = Members::new();
    for name in names {
        let mut octets = Vec::new();
        archive.reader_from(&name, 0).ok()?.read_to_end(&mut octets).ok()?;
        if !archive.digests(&name).ok()?.crc_holds {
            return None;
        }
        members.insert(name, octets);
    }
    Some(members)
}

fn pack(members: &Members) -> Vec<u8> {
    let mut spool = Spool::new(Path::new("."));
    for (name, octets) in members {
        spool.add(name, octets.as_slice()).expect("a name");
    }
    let mut out = Vec::new();
    spool.finish(&mut out).expect("a bundle");
    out
}

fn trusting(octets: &[u8]) -> bool {
    let trust = Trust::new().run_key(SIGNER.key_id());
    verify(Cursor::new(octets), &trust)
        .map_err(|error| error.to_string())
        .is_ok_and(|report| report.verdict() == Verdict::Verified)
}

/// A manifest that fits the members.
fn manifest(members: &Members) -> Option<Vec<u8>> {
    let envelope: Value = serde_json::from_slice(members.get("manifest.json")?).ok()?;
    let mut statement: Value =
        serde_json::from_slice(&Base64::decode_vec(envelope["payload"].as_str()?).ok()?).ok()?;
    let listed = members.iter().filter(|(name, _)| *name != "manifest.json");
    statement["subject"] =
        listed.map(|(name, octets)| json!({"digest": {"sha256": sha256(octets)}, "name": name})).collect();
    let payload = jcs::to_vec(&statement).ok()?;
    let mut message = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    let signature = SIGNER.sign(&message).ok()?;
    let made = json!({
        "payload": Base64::encode_string(&payload), "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": SIGNER.key_id(), "sig": Base64::encode_string(&signature)}],
    });
    jcs::to_vec(&made).ok()
}

/// Whether a member may say this instead and still be true.
fn says_the_same(name: &str, before: &[u8], after: &[u8]) -> bool {
    if before == after || matches!(name, "README.txt" | "report.html") {
        return true;
    }
    // Less may be disclosed of a decision: its case, what was opened.
    let (Ok(before), Ok(after)) = (jcs::from_slice(before), jcs::from_slice(after)) else { return false };
    name.starts_with("oversight/")
        && before["token"] == after["token"]
        && before["decision"] == after["decision"]
        && ["case", "opened"].iter().all(|part| {
            after.get(part).is_none_or(|after| {
                let (Some(after), Some(before)) = (after.as_object(), before[part].as_object()) else {
                    return false;
                };
                after.iter().all(|(name, value)| before.get(name) == Some(value))
            })
        })
}

fuzz_target!(|octets: &[u8]| {
    if let Some(members) = unpack(octets) {
        assert_eq!(pack(&members), octets);
    }
    assert!(verify(Cursor::new(octets), &Trust::new()).map_err(|error| error.to_string()).is_err());

    let Some((&which, after)) = octets.split_first() else { return };
    let mut members = SAMPLE.clone();
    let Some((name, before)) = SAMPLE.iter().nth(usize::from(which) % SAMPLE.len()) else { return };
    members.insert(name.clone(), after.to_vec());
    if name != "manifest.json"
        && let Some(made) = manifest(&members)
    {
        members.insert("manifest.json".to_owned(), made);
    }
    assert!(!trusting(&pack(&members)) || says_the_same(name, before, after), "{name}");
});
