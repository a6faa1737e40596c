//! Each signature in a bundle, and each under a checkpoint, with the group order added to its S: the same point by another text. A verifier
//! that takes it lets anybody make a second evidence out of one.

use std::io::Cursor;

use base64ct::{Base64, Encoding as _};
use fuze_agent_bundle_tests::forge::{Members, pack, repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Keys, Run, Shape, annex_of};
use fuze_agent_bundle_tests::tamper::{lines, plus_order, remanifest, rewrite};
use fuze_audit::verify::verify;
use fuze_audit::{AuditError, Selection};
use fuze_evidence::jcs;
use fuze_evidence::sign::{read_signature, write_signature};
use serde_json::{Value, json};

fn other(signature: &Value) -> Value {
    json!(write_signature(&plus_order(read_signature(signature.as_str().unwrap()).unwrap())))
}

/// Puts the other text in the place of `member` of line `n`.
fn in_line(members: &mut Members, name: &str, n: usize, member: &str) {
    let mut all = lines(&members[name]);
    let mut value: Value = serde_json::from_slice(&all[n]).unwrap();
    value[member] = other(&value[member]);
    all[n] = [jcs::to_vec(&value).unwrap(), vec![b'\n']].concat();
    members.insert(name.to_owned(), all.concat());
}

/// The same of the third part of a token's or a decision's text.
fn in_text(members: &mut Members, name: &str, member: &str) {
    let mut value: Value = serde_json::from_slice(&members[name]).unwrap();
    let text = value[member].as_str().unwrap().to_owned();
    let (claims, signature) = text.rsplit_once('.').unwrap();
    let changed = other(&json!(signature));
    value[member] = json!(format!("{claims}.{}", changed.as_str().unwrap()));
    members.insert(name.to_owned(), jcs::to_vec(&value).unwrap());
}

/// The same of the n-th signature under a checkpoint: the last 64 octets of its text.
fn in_note(members: &mut Members, name: &str, n: usize) {
    let text = String::from_utf8(members[name].clone()).unwrap();
    let mark = text.lines().filter(|line| line.starts_with('\u{2014}')).nth(n).unwrap();
    let (who, octets) = mark.rsplit_once(' ').unwrap();
    let mut octets = Base64::decode_vec(octets).unwrap();
    let from = octets.len() - 64;
    let changed = plus_order(octets[from..].try_into().unwrap());
    octets[from..].copy_from_slice(&changed);
    let changed = text.replace(mark, &format!("{who} {}", Base64::encode_string(&octets)));
    members.insert(name.to_owned(), changed.into_bytes());
}

#[test]
fn no_signature_counts_in_a_second_text() {
    let run = Run::new(Shape::full(1));
    let (keys, mut world) = (Keys::new(None), World::new("log.example", 1));
    let mut export = run.export(Selection::all());
    export.extras.anchored = Some(world.anchor(&run, true));
    export.extras.history = Some((keys.older.to_bytes(), keys.first));
    export.extras.annex = Some(annex_of(&run, &keys));
    let mut whole = Vec::new();
    export.write(".".as_ref(), &mut whole).unwrap();
    let trust = run.trust().log(world.policy(1)).overseer(run.overseer);
    drop(verify(Cursor::new(&whole), &trust).unwrap());
    let members = unpack(&whole);
    let count = |name: &str| lines(&members[name]).len();
    let decision = members.keys().find(|name| name.starts_with("oversight/")).unwrap().clone();
    type Change<'c> = Box<dyn Fn(&mut Members) + 'c>;
    let mut places: Vec<(String, Change<'_>)> = Vec::new();
    for n in 0..count("roots/roots.jsonl") {
        let change = move |m: &mut Members| in_line(m, "roots/roots.jsonl", n, "signature");
        places.push(("roots/roots.jsonl".to_owned(), Box::new(change)));
    }
    let close = |m: &mut Members| {
        rewrite(m, |all| {
            let signed = &mut all.last_mut().unwrap()["payload"]["signature"];
            signed["signature"] = other(&signed["signature"]);
        });
    };
    places.push(("records.jsonl".to_owned(), Box::new(close)));
    let last = count("annex/annex.jsonl") - 1;
    let annex = move |m: &mut Members| in_line(m, "annex/annex.jsonl", last, "signature");
    places.push(("annex/annex.jsonl".to_owned(), Box::new(annex)));
    let last = count("keys/run.history.jsonl") - 1;
    for part in ["signature", "proof"] {
        let change = move |m: &mut Members| in_line(m, "keys/run.history.jsonl", last, part);
        places.push(("keys/run.history.jsonl".to_owned(), Box::new(change)));
    }
    for part in ["token", "decision"] {
        let name = decision.clone();
        places.push((decision.clone(), Box::new(move |m: &mut Members| in_text(m, &name, part))));
    }
    for proof in ["anchors/open.tlog-proof", "anchors/close.tlog-proof"] {
        // The log's own and the witness's.
        for n in 0..2 {
            places.push((proof.to_owned(), Box::new(move |m: &mut Members| in_note(m, proof, n))));
        }
    }
    assert!(places.len() >= 12, "{}", places.len());
    for (name, change) in &places {
        let mut changed = members.clone();
        change(&mut changed);
        let bundle = if name == "records.jsonl" {
            remanifest(&mut changed, run.signer());
            pack(&changed)
        } else {
            repack(&changed, run.signer())
        };
        match verify(Cursor::new(bundle), &trust) {
            Err(AuditError::Failed(failure)) => assert_eq!(failure.member, *name, "{failure}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    // And the manifest's own.
    let mut changed = members.clone();
    let mut envelope: Value = serde_json::from_slice(&changed["manifest.json"]).unwrap();
    let sig = &mut envelope["signatures"][0]["sig"];
    let octets = Base64::decode_vec(sig.as_str().unwrap()).unwrap();
    *sig = json!(Base64::encode_string(&plus_order(octets.try_into().unwrap())));
    changed.insert("manifest.json".to_owned(), jcs::to_vec(&envelope).unwrap());
    match verify(Cursor::new(pack(&changed)), &trust) {
        Err(AuditError::Failed(failure)) => assert_eq!(failure.member, "manifest.json", "{failure}"),
        other => panic!("{other:?}"),
    }
}
