//! The document's tables of attributes.

use std::io::{BufRead as _, Write as _};

use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::lines;
use fuze_agent_bundle_tests::tools::python;
use fuze_evidence::jcs;
use serde_json::{Value, json};

use crate::judges::Other;

/// The attributes of a record, of which any is taken away, added, or made another value: what the document's tables allow, as the
/// second verifier reads them there, and what our reader takes are the same.
#[test]
fn the_documents_tables_are_what_our_reader_takes() {
    use fuze_evidence::record::Entry;
    let Some(python) = python() else { return };
    let mut other_verifier = Other::start(&python);
    let mut records: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    for seed in 0..40 {
        let run = Run::new(Shape { deployment: 1, ..Shape::of(seed) });
        for line in lines(&run.files.records) {
            let record: Value = serde_json::from_slice(&line).unwrap();
            let span = record["payload"]["span"].as_str().unwrap().to_owned();
            let longest = record["payload"]["attrs"].as_object().unwrap().len();
            let kept =
                records.get(&span).map_or(0, |kept| kept["payload"]["attrs"].as_object().unwrap().len());
            if longest > kept {
                records.insert(span, record);
            }
        }
    }
    let names: std::collections::BTreeSet<String> = records
        .values()
        .flat_map(|record| record["payload"]["attrs"].as_object().unwrap().keys().cloned())
        .chain(["app.x", "app.X", "app.", "x", "fuze.gap.what", "fuze.tool.exec_id"].map(str::to_owned))
        .collect();
    let words = [
        "",
        "a b",
        "name",
        "none",
        "error",
        "ok",
        "eu",
        "tool",
        "tool_result",
        "input",
        "refused",
        "started",
        "subject_missing",
        "tripped",
        "passed",
        "modify",
        "approve",
        "timeout",
        "completed",
        "oversight_missing",
        "requested",
        "engine",
        "deny",
        "2026-11-21T20:50:56.123456789Z",
        "2026-11-31T20:50:56.123456789Z",
        "employment.recruitment",
        "consent",
    ];
    let hash = "7".repeat(64);
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(4_294_967_295_u64),
        json!(4_294_967_296_u64),
        json!(9_007_199_254_740_991_u64),
        json!([]),
        json!(hash),
        json!("a".repeat(129)),
    ];
    let values: Vec<Value> = values.into_iter().chain(words.map(|word| json!(word))).collect();
    let (mut taken, mut refused) = (0, 0);
    let mut same = |record: &Value, what: &dyn std::fmt::Debug| {
        let mine = Entry::read(&jcs::to_vec(record).unwrap()).map(drop);
        writeln!(other_verifier.to, "{}", json!({"payload": record["payload"]})).unwrap();
        other_verifier.to.flush().unwrap();
        let mut line = String::new();
        other_verifier.from.read_line(&mut line).unwrap();
        let theirs: (u8, String) = serde_json::from_str(&line).unwrap();
        assert_eq!(mine.is_ok(), theirs.0 == 0, "{what:?}: ours {mine:?}, theirs {theirs:?}");
        *if theirs.0 == 0 { &mut taken } else { &mut refused } += 1;
    };
    assert!(records.len() >= 8, "{:?}", records.keys());
    for (span, record) in &records {
        same(record, span);
        for part in ["attrs", "common"] {
            let here: Vec<String> = record["payload"][part].as_object().unwrap().keys().cloned().collect();
            let all = here.iter().chain(names.iter().filter(|_| part == "attrs"));
            for name in all.collect::<std::collections::BTreeSet<_>>() {
                let mut changed = record.clone();
                if changed["payload"][part].as_object_mut().unwrap().remove(name).is_some() {
                    same(&changed, &(span, "without", name));
                }
                for value in &values {
                    changed["payload"][part][name] = value.clone();
                    same(&changed, &(span, name, value));
                }
            }
        }
    }
    println!("taken {taken}, refused {refused}");
    assert!(taken > 500 && refused > 5_000);
    other_verifier.end();
}
