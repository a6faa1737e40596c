//! Records and roots in which something is another value than belongs there, signed anew by the run's key: what only types, members and the
//! order of the checks tell.

use fuze_agent_bundle_tests::forge::pack;
use fuze_agent_bundle_tests::forge::{Members, unpack};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{Dice, lines, remanifest, resign_with};
use fuze_agent_bundle_tests::tools::python;
use fuze_audit::Selection;
use serde_json::{Value, json};

use crate::after_the_close::annex;
use crate::judges::{Other, ours};

fn odd(dice: &mut Dice) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(-1),
        json!(0.5),
        json!(8),
        json!(9),
        json!(16),
        json!(9_007_199_254_740_991_u64),
        json!(""),
        json!("8"),
        json!("../x"),
        json!("name"),
        json!("7".repeat(64)),
        json!("F".repeat(64)),
        json!("2026-11-21T20:50:56.123456789Z"),
        json!("2026-11-31T20:50:56.123456789Z"),
        json!("2126-11-21T20:50:56.123456789Z"),
        json!({}),
        json!([]),
    ];
    values[dice.below(values.len())].clone()
}

const MEMBERS: [&str; 12] = [
    "v",
    "v",
    "stepId",
    "parentStepId",
    "startedAt",
    "endedAt",
    "role",
    "span",
    "runId",
    "content",
    "attrs",
    "unknown",
];
const OF_ROOT: [&str; 14] = [
    "openLeaf",
    "openLeaf",
    "openLeaf",
    "at",
    "at",
    "closeHash",
    "count",
    "openedAt",
    "segment",
    "status",
    "suite",
    "tenant",
    "domain",
    "unknown",
];

/// One odd value in a record, or two, or one in a root, or one in what a record says of content that was erased. Whether a root has it.
fn spoil(run: &Run, members: &mut Members, dice: &mut Dice) -> (String, bool) {
    let count = lines(&members["records.jsonl"]).len();
    let (mut said, mut gone) = (Vec::new(), None);
    let kind = dice.below(4);
    let mut records: Vec<(usize, &str, Option<usize>, Value)> = Vec::new();
    let many = [1, 2, 0, 0][kind];
    for _ in 0..many {
        let member = MEMBERS[dice.below(MEMBERS.len())];
        let within = (member == "attrs" || member == "content").then(|| dice.below(40));
        records.push((dice.below(count), member, within, odd(dice)));
    }
    let root = (kind == 2).then(|| (dice.below(3), OF_ROOT[dice.below(OF_ROOT.len())], odd(dice)));
    let of_content = (kind == 3).then(|| (["leaves", "root"][dice.below(2)], odd(dice)));
    let change = |values: &mut Vec<Value>| {
        for (at, member, within, value) in &records {
            let payload = &mut values[*at]["payload"];
            let inside = within.and_then(|nth| {
                let names: Vec<String> = payload.get(member)?.as_object()?.keys().cloned().collect();
                names.get(nth % names.len().max(1)).cloned()
            });
            match inside {
                Some(name) => payload[*member][name.as_str()] = value.clone(),
                None => payload[*member] = value.clone(),
            }
        }
        if let Some((member, value)) = &of_content {
            let with = values.iter_mut().find(|record| record["payload"].get("content").is_some()).unwrap();
            gone = Some(with["payload"]["content"]["root"].clone());
            with["payload"]["content"][*member] = value.clone();
        }
    };
    resign_with(members, run.signer(), change, |n, signed| {
        if let Some((at, member, value)) = root.as_ref().filter(|(at, ..)| *at == n) {
            signed[*member] = value.clone();
            said.push(format!("root {at}: {member} {value}"));
        }
    });
    let of_root = !said.is_empty();
    said.push(format!("{records:?} {of_content:?}"));
    if let Some(root) = gone {
        let first: Value = serde_json::from_slice(&lines(&members["records.jsonl"])[0]).unwrap();
        members.remove(&format!("content/{}.json", root.as_str().unwrap()));
        let gone = of_content.filter(|(member, _)| *member == "root").map_or(root, |(_, value)| value);
        let statement = json!({
            "kind": "erased", "reason": "request", "root": gone, "runId": first["payload"]["runId"], "scope": "record",
        });
        members.insert("annex/annex.jsonl".to_owned(), annex(run, &[statement]));
    }
    remanifest(members, run.signer());
    (said.join(", "), of_root)
}

#[test]
fn the_verifiers_agree_on_odd_values_that_the_runs_key_has_signed() {
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let (mut answers, mut roots) = ([0; 5], [0; 5]);
    for number in 0..1_600 {
        let mut dice = Dice(number);
        let run = Run::new(Shape { waits: number % 2 == 0, deployment: 1, ..Shape::of(number / 20) });
        let mut members = unpack(&run.bundle(Selection::all()));
        let (what, of_root) = spoil(&run, &mut members, &mut dice);
        let (bundle, id) = (pack(&members), run.public_key().id());
        let (mine, [theirs, alone]) =
            (ours(&bundle, id, false, None), other_verifier.judge(&bundle, id, false));
        assert_eq!(mine.0, theirs.0, "{number}: ours {mine:?}, theirs {theirs:?}; {what}");
        answers[usize::from(mine.0)] += 1;
        // `verify.py` does not look at what records say; what roots say it does, but for what is no time.
        if of_root && !what.contains(": at ") {
            assert_eq!(mine.0, alone.0, "{number}: ours {mine:?}, verify.py {alone:?}; {what}");
            roots[usize::from(mine.0)] += 1;
        }
    }
    println!("{answers:?}, of roots {roots:?}");
    assert!(answers[0] > 30 && answers[1] > 800 && answers[3] > 50, "{answers:?}");
    assert!(roots[0] > 3 && roots[1] > 100, "{roots:?}");
    other_verifier.end();
}
