//! The history of keys.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_agent_bundle_tests::forge::{envelope, repack, statement, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape, signer_of};
use fuze_agent_bundle_tests::tamper::{Dice, set_key};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use fuze_evidence::keys::Signer;
use fuze_evidence::sign::write_signature;
use fuze_evidence::{Hash, jcs, sha256};
use serde_json::{Value, json};

use crate::after_the_close::annex;
use crate::judges::{Other, ours};

/// A key history: of each line the deployment whose key it is about (`of`), whose key signs (`by`; without it the one about which it is),
/// and what stands in it otherwise than in a line that continues the history.
pub(crate) fn history(lines: &[Value]) -> Vec<u8> {
    let (mut prev, mut octets) = (Hash::ZERO, Vec::new());
    for (sequence, line) in lines.iter().enumerate() {
        let key = |of: &str| line[of].as_u64().map(signer_of);
        let subject = key("of").unwrap();
        let signer = key("by").or_else(|| key("of")).unwrap();
        let mut entry = json!({
            "at": "2024-01-01T00:00:00.000000000Z", "domain": "fuze/key/v1", "event": "introduced", "keyId": signer.key_id(),
            "origin": "hr.example.eu", "prev": prev, "publicKey": Base64UrlUnpadded::encode_string(&subject.public_key()),
            "role": "run", "sequence": sequence,
        });
        for (name, value) in line
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "of" | "by" | "proof"))
        {
            entry[name] = value.clone();
        }
        entry.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let message = jcs::to_vec(&entry).unwrap();
        let sign = |key: &dyn Signer| json!(write_signature(&key.sign(&message).unwrap()));
        let mut line_ = json!({"entry": entry, "signature": sign(&signer)});
        match &line["proof"] {
            Value::Null if entry["event"] == "revoked" => {}
            Value::Null => line_["proof"] = sign(&subject),
            _ => line_["proof"] = sign(&signer),
        }
        let line = jcs::to_vec(&line_).unwrap();
        prev = sha256(&line);
        octets.extend(line);
        octets.push(b'\n');
    }
    octets
}

#[test]
fn both_agree_on_keys_over_time() {
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let (mut answers, mut vouched) = ([0; 5], 0);
    let run = Run::new(Shape { turns: 0, ..Shape::full(1) });
    let whole = unpack(&run.bundle(Selection::all()));
    let (before, after) = ("2025-01-01T00:00:00.000000000Z", "2029-01-01T00:00:00.000000000Z");
    for number in 0..900 {
        let mut dice = Dice(number);
        let (either, whose) = ([before, after][dice.below(2)], [1, 6, 4][dice.below(3)]);
        // The run's key is that of deployment 1.
        let mut lines = match dice.below(4) {
            0 => vec![json!({"of": 1})],
            1 => vec![json!({"of": 4}), json!({"of": 1, "by": 4, "event": "rotated", "at": before})],
            2 => vec![json!({"of": 1}), json!({"of": 6, "by": 1, "event": "rotated", "at": (either)})],
            _ => vec![
                json!({"of": 1}),
                json!({"of": 6, "by": 1, "event": "rotated", "at": after}),
                json!({"of": (whose), "by": 6, "event": "revoked", "at": after, "compromisedSince": before}),
            ],
        };
        if number % 3 > 0 {
            let at = dice.below(lines.len());
            let names = [
                "at",
                "domain",
                "event",
                "keyId",
                "origin",
                "prev",
                "role",
                "sequence",
                "compromisedSince",
                "proof",
                "by",
                "of",
                "x",
            ];
            let values = [
                Value::Null,
                json!("rotated"),
                json!("revoked"),
                json!("introduced"),
                json!(0),
                json!(1),
                json!(4),
                json!(after),
                json!(before),
                json!("log"),
                json!("other.example"),
                json!("7".repeat(64)),
                json!("2023-01-01T00:00:00.000000000Z"),
            ];
            let (name, value) = (names[dice.below(names.len())], values[dice.below(values.len())].clone());
            match (name, value.as_u64()) {
                ("by" | "of", of) => lines[at][name] = json!(of.unwrap_or(5)),
                _ => lines[at][name] = value,
            }
        }
        let mut members = whole.clone();
        members.insert("keys/run.history.jsonl".to_owned(), history(&lines));
        if number % 5 == 0 {
            let hold = json!({"kind": "hold", "reason": "legal_claims", "scope": "tenant", "at": (either)});
            members.insert("annex/annex.jsonl".to_owned(), annex(&run, &[hold]));
        }
        // Who made the bundle, and when: the run's key, one of the history, or another.
        let maker = signer_of([1, 6, 6, 5][dice.below(4)]);
        if maker.key_id() != run.public_key().id() {
            set_key(&mut members, "keys/export", &maker);
        }
        let mut said = statement(&members);
        said["predicate"]["exportedAt"] = json!([before, after, after][dice.below(3)]);
        members.insert("manifest.json".to_owned(), envelope(&said, &maker));
        let bundle = repack(&members, &maker);
        let trusted = signer_of([1, 1, 4, 4, 6][dice.below(5)]).key_id();
        let any = number % 3 == 0;
        let (mine, [theirs, alone]) =
            (ours(&bundle, trusted, any, None), other_verifier.judge(&bundle, trusted, any));
        vouched += usize::from(mine.0 == 0 && !any && maker.key_id() != trusted);
        assert_eq!(mine.0, theirs.0, "{number}: ours {mine:?}, theirs {theirs:?}; {trusted} {lines:?}");
        assert_eq!(alone.0, 3, "{number}: {alone:?}");
        answers[usize::from(mine.0)] += 1;
    }
    println!("{answers:?}, {vouched} by a maker for whom the history vouches");
    assert!(answers[0] > 40 && answers[1] > 100 && answers[3] > 100 && vouched > 0, "{answers:?} {vouched}");
    other_verifier.end();
}
