//! The close names the leaf of its open: without that leaf, whoever asks about a log is not told that the run is anchored; and each line of a
//! run's `anchors.jsonl` that is there has to be right.

use std::io::Cursor;

use fuze_agent_bundle_tests::forge::{Members, repack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{lines, resign_with};
use fuze_agent_bundle_tests::tools::{python, workspace};
use fuze_audit::verify::verify;
use fuze_audit::{Anchored, Anchoring, AuditError, GatherError, RunRoots, Selection};
use serde_json::json;

/// The first leaf that a run puts into a new [`World`].
const OPEN: u64 = 5;

/// A run that was put into the log when it began, so that its close names where.
fn run() -> Run {
    let mut run = Run::new(Shape::full(1));
    let mut members = unpack(&run.bundle(Selection::nothing()));
    let closes = lines(&members["roots/roots.jsonl"]).len();
    let name_open = |n: usize, root: &mut serde_json::Value| {
        if n == closes {
            root["openLeaf"] = json!(OPEN);
        }
    };
    resign_with(&mut members, run.signer(), |_| {}, name_open);
    run.files.records = members["records.jsonl"].clone();
    run.files.roots = members["roots/roots.jsonl"].clone();
    run
}

fn without_the_open(members: &Members) -> Members {
    let mut members = members.clone();
    members.remove("anchors/open.tlog-proof");
    let close = lines(&members["anchors/anchors.jsonl"])[1].clone();
    members.insert("anchors/anchors.jsonl".to_owned(), close);
    members
}

#[test]
fn an_open_that_was_taken_out_of_a_bundle_is_missed() {
    let mut run = run();
    let mut world = World::new("log.example", 1);
    run.anchored = Some(world.anchor(&run, true));
    let whole = run.bundle(Selection::nothing());
    let bare = repack(&without_the_open(&unpack(&whole)), run.signer());
    let trust = run.trust().log(world.policy(1));
    let report = verify(Cursor::new(&whole), &trust).unwrap();
    assert!(matches!(report.anchoring, Anchoring::Trusted { open: Some(OPEN), .. }), "{report:?}");
    match verify(Cursor::new(&bare), &trust) {
        Err(AuditError::Cannot { why }) => assert!(why.contains("leaf 5"), "{why}"),
        other => panic!("{other:?}"),
    }
    // Whoever asks about no log is told of none.
    assert!(verify(Cursor::new(&bare), &run.trust()).is_ok());
    let Some(python) = python() else { return };
    let place = tempfile::tempdir().unwrap();
    for (bundle, expected) in [(&whole, 0), (&bare, 3)] {
        let path = place.path().join("b.zip");
        std::fs::write(&path, bundle).unwrap();
        for script in ["docs/verify_bundle.py", "docs/verify.py"] {
            let mut command = std::process::Command::new(&python);
            command.arg("-B").arg(workspace(script)).arg("--key-id").arg(run.public_key().id().to_string());
            let said = command.arg("--log").arg(world.vkey().to_string()).arg(&path).output().unwrap();
            assert_eq!(said.status.code(), Some(expected), "{script}: {said:?}");
        }
    }
}

/// Where a run lies: each bit of its lines, but in when they were written, which proves nothing; and each line.
#[test]
fn every_bit_of_a_runs_anchors_is_looked_at() {
    let mut run = run();
    let mut world = World::new("log.example", 1);
    let anchored = world.anchor(&run, true);
    let both = [&anchored.open, &anchored.close].map(|anchor| {
        let (line, _) = anchor.as_ref().unwrap();
        [line.bytes(), b"\n"].concat()
    });
    let (key, policy) = (run.public_key(), world.policy(1));
    let mut gather = |anchors: Vec<u8>| {
        run.files.anchors = anchors;
        let roots = RunRoots::read(&run.files, |_, _| Some(key)).unwrap();
        Anchored::gather(&run.files, &roots, world.reader(), &policy).map(|found| found.close.is_some())
    };
    assert!(gather(both.concat()).unwrap());
    // The same leaf told twice is no contradiction; an open alone is that of a run whose close is not there yet.
    assert!(gather([both[1].clone(), both.concat(), both[0].clone()].concat()).unwrap());
    assert!(!gather(both[0].clone()).unwrap());
    assert!(matches!(gather(both[1].clone()), Err(GatherError::NoOpen { index: OPEN })));
    let octets = both.concat();
    let times: Vec<usize> =
        octets.windows(6).enumerate().filter(|(_, w)| w == b"\"at\":\"").map(|(at, _)| at + 6).collect();
    let mut passed = Vec::new();
    for bit in 0..octets.len() * 8 {
        if times.iter().any(|&from| (from..from + 30).contains(&(bit / 8))) {
            continue;
        }
        let mut changed = octets.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // A close in a log of another name is a close that this log lacks.
        if gather(changed).is_ok_and(|closed| closed) {
            passed.push(bit);
        }
    }
    assert_eq!((times.len(), passed), (2, Vec::new()));
}
