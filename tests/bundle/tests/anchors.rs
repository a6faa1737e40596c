//! What a log adds: an earlier checkpoint catches whoever has the run's key. Checked by our code, by `docs/verify.py`, by the Go
//! team's own packages and by `aics-tlog`.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use fuze_agent_bundle_tests::forge::{Members, pack, repack, unpack};
use fuze_agent_bundle_tests::logs::{World, close_root, write_all};
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::{remanifest, replace, resign};
use fuze_agent_bundle_tests::tools::{python, workspace};
use fuze_audit::verify::verify;
use fuze_audit::{Anchored, Anchoring, AuditError, BundleReport, Selection, Trust};
use serde_json::{Value, json};

fn bundle(run: &Run, anchored: Anchored) -> Vec<u8> {
    let mut export = run.export(Selection::nothing());
    export.extras.anchored = Some(anchored);
    let mut out = Vec::new();
    export.write(".".as_ref(), &mut out).unwrap();
    out
}

fn judge(bundle: &[u8], trust: &Trust) -> Result<BundleReport, AuditError> {
    verify(Cursor::new(bundle), trust)
}

#[track_caller]
fn failed_in(result: Result<BundleReport, AuditError>, member: &str) {
    match result {
        Err(AuditError::Failed(failure)) => assert!(failure.member.starts_with(member), "{failure}"),
        other => panic!("expected a failure in {member}, found {other:?}"),
    }
}

#[track_caller]
fn cannot(result: Result<BundleReport, AuditError>) {
    assert!(matches!(result, Err(AuditError::Cannot { .. })), "{result:?}");
}

#[test]
fn an_anchor_counts_only_in_the_log_that_was_named() {
    let run = Run::new(Shape::full(1));
    let mut world = World::new("log.example", 1);
    let anchored = bundle(&run, world.anchor(&run, true));
    let trust = run.trust();
    let report = judge(&anchored, &trust).unwrap();
    assert!(
        matches!(report.anchoring, Anchoring::Unknown { open: Some(5), close: Some(9), .. }),
        "{report:?}"
    );
    let report = judge(&anchored, &trust.clone().log(world.policy(1))).unwrap();
    assert!(
        matches!(report.anchoring, Anchoring::Trusted { witnesses: 1, close: Some(9), .. }),
        "{report:?}"
    );
    // Without an anchor, in another log, or with the same name and another key: nothing can be said.
    cannot(judge(&run.bundle(Selection::nothing()), &trust.clone().log(world.policy(0))));
    cannot(judge(&anchored, &trust.clone().log(World::new("other.example", 2).policy(0))));
    cannot(judge(&anchored, &trust.clone().log(World::new("log.example", 3).policy(0))));
    // Fewer witnesses than asked for.
    let alone = bundle(&run, World::new("log.example", 1).anchor(&run, false));
    assert!(judge(&alone, &trust.clone().log(world.policy(0))).is_ok());
    cannot(judge(&alone, &trust.clone().log(world.policy(1))));
    // The close is what tells that all is there.
    let mut open_only = world.anchor(&run, true);
    open_only.close = None;
    cannot(judge(&bundle(&run, open_only), &trust.log(world.policy(1))));
}

#[test]
fn rewriting_with_the_stolen_key_is_caught_by_an_earlier_checkpoint() {
    let run = Run::new(Shape::full(1));
    let mut world = World::new("log.example", 1);
    let whole = bundle(&run, world.anchor(&run, true));
    let rewrite = |whole: &[u8]| {
        let mut members = unpack(whole);
        resign(&mut members, run.signer(), |all| {
            let last = all.len() - 1;
            all[last]["payload"]["attrs"]["fuze.run.status"] = json!("error");
        });
        remanifest(&mut members, run.signer());
        members
    };
    let mut members = rewrite(&whole);
    failed_in(judge(&pack(&members), &run.trust()), "anchors/close.tlog-proof");
    for name in
        ["anchors/anchors.jsonl", "anchors/log.vkey", "anchors/open.tlog-proof", "anchors/close.tlog-proof"]
    {
        members.remove(name);
    }
    let bare = repack(&members, run.signer());
    assert!(judge(&bare, &run.trust()).is_ok(), "without a log or an earlier root nobody can tell");
    cannot(judge(&bare, &run.trust().log(world.policy(1))));
    failed_in(judge(&bare, &run.trust().known_root(close_root(&run))), "roots/roots.jsonl");
    assert!(judge(&whole, &run.trust().known_root(close_root(&run))).is_ok());
}

#[test]
fn a_fork_and_backdating_need_a_root_that_the_log_does_not_have() {
    let (run, fork) = (Run::new(Shape::full(1)), Run::new(Shape { turns: 1, ..Shape::full(1) }));
    let mut world = World::new("log.example", 1);
    let ours = world.anchor(&run, true);
    let theirs = world.anchor(&fork, true);
    let policy = world.policy(1);
    assert!(judge(&bundle(&run, ours.clone()), &run.trust().log(policy.clone())).is_ok());
    // The other branch under the first one's anchors does not leave the house.
    let mut export = fork.export(Selection::nothing());
    export.extras.anchored = Some(ours.clone());
    assert!(export.write(".".as_ref(), Vec::new()).is_err());
    // Lines and proofs of two runs do not go together.
    let mixed = Anchored { close: theirs.close, ..ours };
    let mut export = run.export(Selection::nothing());
    export.extras.anchored = Some(mixed);
    assert!(export.write(".".as_ref(), Vec::new()).is_err());
}

/// Everything in `anchors/` that a forger can change and sign a manifest for.
fn forgeries(members: &Members) -> Vec<(&'static str, Members)> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, change: &dyn Fn(&mut Members)| {
        let mut changed = members.clone();
        change(&mut changed);
        all.push((name, changed));
    };
    let line = |members: &mut Members, n: usize, change: &dyn Fn(&mut Value)| {
        let text = String::from_utf8(members["anchors/anchors.jsonl"].clone()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        change(&mut lines[n]);
        let octets =
            lines.iter().flat_map(|line| [fuze_evidence::jcs::to_vec(line).unwrap(), vec![b'\n']].concat());
        members.insert("anchors/anchors.jsonl".to_owned(), octets.collect());
    };
    add("another index", &|m| line(m, 0, &|l| l["index"] = json!(6)));
    add("another salt", &|m| line(m, 0, &|l| l["salt"] = json!("A".repeat(43))));
    add("another tag", &|m| line(m, 1, &|l| l["leaf"]["runTag"] = json!("0".repeat(64))));
    add("another log", &|m| line(m, 0, &|l| l["log"] = json!("elsewhere")));
    add("another version", &|m| line(m, 0, &|l| l["v"] = json!(2)));
    add("a later deadline", &|m| {
        line(m, 0, &|l| l["leaf"]["deadline"] = json!("2099-01-01T00:00:00.000000000Z"))
    });
    add("another index in the proof", &|m| replace(m, "anchors/open.tlog-proof", "index 5", "index 6"));
    add("another size", &|m| replace(m, "anchors/close.tlog-proof", "log.example\n1", "log.example\n2"));
    add("no proof of the close", &|m| {
        m.remove("anchors/close.tlog-proof");
    });
    add("no lines", &|m| {
        m.insert("anchors/anchors.jsonl".to_owned(), Vec::new());
    });
    add("no key", &|m| {
        m.remove("anchors/log.vkey");
    });
    add("proofs exchanged", &|m| {
        let close = m["anchors/close.tlog-proof"].clone();
        let open = m.insert("anchors/open.tlog-proof".to_owned(), close).unwrap();
        m.insert("anchors/close.tlog-proof".to_owned(), open);
    });
    add("the log's signature removed", &|m| {
        let proof = String::from_utf8(m["anchors/open.tlog-proof"].clone()).unwrap();
        let kept: String =
            proof.split_inclusive('\n').filter(|l| !l.starts_with("\u{2014} log.example")).collect();
        m.insert("anchors/open.tlog-proof".to_owned(), kept.into_bytes());
    });
    all
}

/// What `verify_bundle.py` and `verify.py` say.
fn python_says(python: &Path, place: &Path, arguments: &[&str], bundle: &[u8]) -> [Option<i32>; 2] {
    write_all(place, &[("b.zip", bundle)]);
    ["docs/verify_bundle.py", "docs/verify.py"].map(|script| {
        let script = std::fs::canonicalize(workspace(script)).unwrap();
        let mut command = Command::new(python);
        command.arg("-B").arg(script).args(arguments).arg("b.zip").current_dir(place);
        command.output().unwrap().status.code()
    })
}

#[test]
fn forged_anchors_are_refused_by_both_verifiers() {
    let python = python();
    let place = tempfile::tempdir().unwrap();
    let run = Run::new(Shape::full(1));
    let mut world = World::new("log.example", 1);
    let whole = bundle(&run, world.anchor(&run, true));
    let members = unpack(&whole);
    let (id, log) = (run.public_key().id().to_string(), world.vkey().to_string());
    let other = World::new("log.example", 3).vkey().to_string();
    if let Some(python) = &python {
        let bare = run.bundle(Selection::nothing());
        for (arguments, bundle, expected) in [
            (vec!["--key-id", &id], &whole, 0),
            (vec!["--key-id", &id, "--log", &log], &whole, 0),
            (vec!["--key-id", &id, "--log", &other], &whole, 3),
            (vec!["--key-id", &id, "--log", &log], &bare, 3),
        ] {
            let says = python_says(python, place.path(), &arguments, bundle);
            assert_eq!(says, [Some(expected); 2], "{arguments:?}");
        }
    }
    for (name, forged) in forgeries(&members) {
        let forged = repack(&forged, run.signer());
        failed_in(judge(&forged, &run.trust()), "anchors/");
        if let Some(python) = &python {
            let bundles = python_says(python, place.path(), &["--key-id", &id], &forged)[0];
            assert_eq!(bundles, Some(1), "{name}");
            // Asked about the log, `verify.py` looks; what changes neither what is proved nor where is no matter to it.
            let evidence = python_says(python, place.path(), &["--key-id", &id, "--log", &log], &forged)[1];
            let expected = match name {
                "another version" => 0,
                // Nothing says that it is about this log.
                "no key" => 3,
                _ => 1,
            };
            assert_eq!(evidence, Some(expected), "{name}");
        }
    }
}

/// The leaf's octets, the key and the proof as files, for programs that know logs and not us.
fn files(place: &Path, members: &Members, which: &str) {
    let n = usize::from(which == "close");
    let line = members["anchors/anchors.jsonl"].split(|&b| b == b'\n').nth(n).unwrap();
    let line: Value = serde_json::from_slice(line).unwrap();
    let leaf = fuze_evidence::jcs::to_vec(&line["leaf"]).unwrap();
    let proof = &members[&format!("anchors/{which}.tlog-proof")];
    write_all(place, &[("vkey", &members["anchors/log.vkey"]), ("leaf", &leaf), ("proof", proof)]);
}

/// `program` accepts both proofs, and none with a bit changed in the leaf or in what counts of the proof.
fn agrees(mut program: impl FnMut(&Path) -> bool) {
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let mut world = World::new("log.example", 1);
    let members = unpack(&bundle(&run, world.anchor(&run, true)));
    for which in ["open", "close"] {
        files(place.path(), &members, which);
        assert!(program(place.path()), "{which}");
        for (name, at) in [("leaf", 20), ("leaf", 40), ("proof", 60), ("proof", 110)] {
            let path = place.path().join(name);
            let whole = std::fs::read(&path).unwrap();
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(!program(place.path()), "{which}: {name} octet {at}");
            std::fs::write(&path, &whole).unwrap();
        }
        let other = World::new("log.example", 3).vkey().to_string();
        write_all(place.path(), &[("vkey", format!("{other}\n").as_bytes())]);
        assert!(!program(place.path()), "{which}: another key");
    }
}

#[test]
fn the_go_teams_own_code_accepts_the_proofs() {
    let Some(python) = python() else { return };
    let place = tempfile::tempdir().unwrap();
    let go = python.with_file_name("go");
    let built =
        Command::new(workspace("tests/bundle/go/build.sh")).arg(go).arg(place.path()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let check = place.path().join("check");
    agrees(|place| {
        let status =
            Command::new(&check).args(["vkey", "leaf", "proof"]).current_dir(place).output().unwrap();
        assert!(matches!(status.status.code(), Some(0 | 1)), "{status:?}");
        status.status.success()
    });
}

#[test]
fn aics_tlog_accepts_the_proofs() {
    let Some(python) = python() else { return };
    let script = std::fs::canonicalize(workspace("tests/bundle/python/aics.py")).unwrap();
    agrees(|place| {
        let output = Command::new(&python)
            .arg(&script)
            .args(["vkey", "leaf", "proof"])
            .current_dir(place)
            .output()
            .unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        output.status.success()
    });
}
