//! The annex: erasures, holds, remarks.

use fuze_agent_bundle_tests::forge::{Members, repack, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape, later};
use fuze_agent_bundle_tests::tamper::Dice;
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use fuze_evidence::content::DisclosedLeaf;
use fuze_evidence::keys::Signer as _;
use fuze_evidence::sign::write_signature;
use fuze_evidence::{Hash, Timestamp, jcs, sha256};
use serde_json::{Value, json};

use crate::judges::{Other, ours};

/// These statements in the tenant's annex, as whoever has the run's key can make them: what is missing of what each has is added.
pub(crate) fn annex(run: &Run, statements: &[Value]) -> Vec<u8> {
    let (mut prev, mut octets) = (Hash::ZERO, Vec::new());
    for (sequence, statement) in statements.iter().enumerate() {
        let mut entry = json!({
            "at": later(), "by": "officer-1", "domain": "fuze/annex/v1", "keyId": run.public_key().id(),
            "origin": "hr.example.eu", "prev": prev, "sequence": sequence, "tenant": "acme",
        });
        for (name, value) in statement.as_object().unwrap() {
            entry[name] = value.clone();
        }
        entry.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let signature = write_signature(&run.signer().sign(&jcs::to_vec(&entry).unwrap()).unwrap());
        let line = jcs::to_vec(&json!({"entry": entry, "signature": signature})).unwrap();
        prev = sha256(&line);
        octets.extend(line);
        octets.push(b'\n');
    }
    octets
}

/// An erasure, a hold or a remark: the statements, and the members after it.
fn after_the_close(run: &Run, dice: &mut Dice) -> (Vec<Value>, Members) {
    let mut members = unpack(&run.bundle(Selection::all()));
    let names: Vec<String> = members.keys().filter(|name| name.starts_with("content/")).cloned().collect();
    let name = &names[dice.below(names.len())];
    let root = name.trim_start_matches("content/").trim_end_matches(".json").to_owned();
    let records = String::from_utf8(members["records.jsonl"].clone()).unwrap();
    let first: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    let id = first["payload"]["runId"].clone();
    let hold = |scope: &str| {
        json!({
            "kind": "hold", "reason": "legal_claims", "runId": if scope == "run" { id.clone() } else { Value::Null }, "scope": scope,
        })
    };
    let released = |scope: &str| {
        let mut release = hold(scope);
        release["kind"] = json!("release");
        [hold(scope), release]
    };
    let erased = |more: Value| {
        let mut erased = json!({"kind": "erased", "reason": "request", "runId": id});
        erased.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        erased
    };
    let mut statements = Vec::new();
    let last: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    if last["payload"]["span"] != "run.close" {
        let (count, head) = (records.lines().count(), &last["hash"]);
        statements.push(json!({"count": count, "head": head, "kind": "given_up", "runId": id}));
    }
    if dice.below(3) == 0 {
        statements.extend(released(["run", "tenant"][dice.below(2)]));
    }
    match dice.below(8) {
        0 => {
            let mut content: Value = serde_json::from_slice(&members[name]).unwrap();
            let mut gone = Vec::new();
            for (n, leaf) in content["leaves"].as_array_mut().unwrap().iter_mut().enumerate() {
                if n == 0 || leaf.get("decoy").is_some() {
                    let read: DisclosedLeaf = serde_json::from_value(leaf.clone()).unwrap();
                    gone.push(read.hash().unwrap());
                    *leaf = json!({"hash": gone.last()});
                }
            }
            members.insert(name.clone(), jcs::to_vec(&content).unwrap());
            statements.push(erased(json!({"leaves": gone, "root": root, "scope": "field"})));
        }
        1 => {
            members.remove(name);
            statements.push(erased(json!({"root": root, "scope": "record"})));
        }
        2 | 3 => {
            members.retain(|name, _| !name.starts_with("content/"));
            let scope = ["run", "subject"][dice.below(2)];
            statements.push(erased(json!({"reason": "consent_withdrawn", "scope": scope})));
        }
        4 => statements.push(json!({"kind": "contested", "root": root, "runId": id, "statement": root})),
        5 => statements.push(hold("run")),
        _ => statements.push(erased_by_window(&mut members, name, &first, &last, dice)),
    }
    if dice.below(3) == 0 {
        statements.push(json!({"kind": "late_outcome", "runId": id, "statement": root}));
    }
    (statements, members)
}

/// What a retention window took, at its end or a nanosecond before.
fn erased_by_window(
    members: &mut Members,
    name: &str,
    first: &Value,
    last: &Value,
    dice: &mut Dice,
) -> Value {
    let over = match last["payload"]["span"] == "run.close" {
        true => last["payload"]["endedAt"].as_str().unwrap().parse().unwrap(),
        false => later(),
    };
    let window = ["content", "decision"][dice.below(2)];
    let days =
        &first["payload"]["attrs"][format!("fuze.retention.{}_days", ["content", "decision"][dice.below(2)])];
    let end = over.plus_days(days.as_u64().unwrap().try_into().unwrap()).unwrap();
    let early = i128::from(dice.below(3) == 0);
    let at = Timestamp::from_nanos(i128::try_from(end.as_nanos()).unwrap() - early).unwrap();
    let mut statement = json!({
        "at": at, "by": "retention", "kind": "erased", "reason": format!("{window}_window"),
        "runId": first["payload"]["runId"], "scope": "record",
    });
    if dice.below(2) == 0 {
        members.remove(name);
        statement["root"] = json!(name.trim_start_matches("content/").trim_end_matches(".json"));
    } else {
        members.retain(|name, _| !name.starts_with("content/"));
        statement["scope"] = json!("run");
    }
    statement
}

/// Something else in a statement than what belongs there.
fn spoil(statements: &mut Vec<Value>, dice: &mut Dice) {
    let at = dice.below(statements.len());
    const NAMES: [&str; 15] = [
        "at", "by", "count", "domain", "head", "kind", "leaves", "origin", "prev", "reason", "root", "runId",
        "scope", "sequence", "tenant",
    ];
    let name = NAMES[dice.below(NAMES.len())];
    let hash = "7".repeat(64);
    let values = [
        Value::Null,
        json!("record"),
        json!("run"),
        json!("tenant"),
        json!("field"),
        json!("erased"),
        json!("release"),
        json!("hold"),
        json!("content_window"),
        json!("hash_window"),
        json!("retention"),
        json!("evidence_freeze"),
        json!(hash),
        json!([hash]),
        json!([]),
        json!(0),
        json!(3),
        json!(true),
        json!("given_up"),
        json!("a b"),
        json!("hr.example.eu"),
        json!("2026-01-01T00:00:00.000000000Z"),
        json!("01a1ffe0-5b80-72ec-8aea-5ec1eadfffe2"),
    ];
    match dice.below(8) {
        0 => {
            statements.remove(at);
        }
        1 => statements.push(statements[at].clone()),
        2 => statements.reverse(),
        3 => statements[at]["closeRoot"] = json!(hash),
        _ => statements[at][name] = values[dice.below(values.len())].clone(),
    }
}

#[test]
fn both_agree_on_what_happened_after_the_close() {
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let (mut answers, mut windows) = ([0; 5], [0; 5]);
    for number in 0..1_200 {
        let mut dice = Dice(number);
        let run = Run::new(Shape { closed: number % 3 > 0, deployment: 1, ..Shape::of(number / 50) });
        let (mut statements, mut members) = after_the_close(&run, &mut dice);
        if number % 4 > 0 {
            spoil(&mut statements, &mut dice);
        }
        if number % 16 == 15 {
            // What was erased is still there.
            members = unpack(&run.bundle(Selection::all()));
        }
        if !statements.is_empty() {
            members.insert("annex/annex.jsonl".to_owned(), annex(&run, &statements));
        }
        let bundle = repack(&members, run.signer());
        let id = run.public_key().id();
        let (mine, [theirs, alone]) =
            (ours(&bundle, id, false, None), other_verifier.judge(&bundle, id, false));
        assert_eq!(mine.0, theirs.0, "{number}: ours {mine:?}, theirs {theirs:?}; {statements:?}");
        let reason = |s: &Value| s["reason"].as_str().is_some_and(|reason| reason.ends_with("_window"));
        if statements.iter().any(reason) {
            windows[usize::from(mine.0)] += 1;
        }
        // `verify.py` does not read it. It verifies nothing that has an annex, and refuses only what is refused.
        let unread = alone.0 == 3 || (alone.0, mine.0) == (1, 1);
        assert!(
            unread || statements.is_empty(),
            "{number}: ours {mine:?}, verify.py {alone:?}; {statements:?}"
        );
        answers[usize::from(mine.0)] += 1;
    }
    println!("verified {}, failed {}, could not be verified {}", answers[0], answers[1], answers[3]);
    // Windows that had ended, and some that had not.
    assert!(windows[0] > 20 && windows[1] > 50 && windows[3] > 5, "{windows:?}");
    assert!(answers[0] > 200 && answers[1] > 250 && answers[3] > 100, "{answers:?}");
    other_verifier.end();
}
