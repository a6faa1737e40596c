//! The programs as an auditor calls them.

use std::process::Command;

use fuze_agent_bundle_tests::forge::{pack, unpack};
use fuze_agent_bundle_tests::logs::World;
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_agent_bundle_tests::tamper::replace;
use fuze_agent_bundle_tests::tools::{python, workspace};
use fuze_audit::Selection;
use fuze_evidence::Hash;

use fuze_log::{Algorithm, KeyName, VerifierKey};

/// Keys that would count twice, or be looked at by nobody, are no way to ask.
#[test]
fn witnesses_are_of_a_log_and_each_counts_once() {
    let Some(python) = python() else { return };
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("good.zip"), run.bundle(Selection::all())).unwrap();
    let world = World::new("log.example", 1);
    let (log, key) = (world.vkey(), world.policy(1).witnesses()[0].clone());
    let alias = VerifierKey::new(KeyName::new("alias.example").unwrap(), Algorithm::Cosignature, *key.key());
    let of_log = VerifierKey::new(log.name().clone(), Algorithm::Cosignature, *log.key());
    let [log, witness, alias, of_log] = [log, key, alias, of_log].map(|key| key.to_string());
    let id = run.public_key().id().to_string();
    let overseer = Hash(run.overseer.to_bytes()).to_string();
    for (arguments, expected) in [
        // The bundle is in no log.
        (vec!["--log", &log, "--witness", &witness], 3),
        (vec!["--log", &log, "--witness", &witness, "--witness", &alias], 2),
        (vec!["--log", &log, "--witness", &of_log], 2),
        (vec!["--log", &witness], 2),
        (vec!["--log", &log, "--witness", &log], 2),
        (vec!["--witness", &witness], 2),
        (vec!["--overseer", &overseer], 0),
        (vec!["--overseer", "00"], 2),
    ] {
        let script = std::fs::canonicalize(workspace("docs/verify_bundle.py")).unwrap();
        let mut command = Command::new(&python);
        command.arg("-B").arg(script).args(["--key-id", &id]).args(&arguments).arg("good.zip");
        let output = command.current_dir(place.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {output:?}");
    }
}

/// The programs as an auditor calls them.
#[test]
fn the_programs_exit_as_they_say() {
    let Some(python) = python() else { return };
    let run = Run::new(Shape::full(1));
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, bundle: &[u8]| std::fs::write(place.path().join(name), bundle).unwrap();
    let whole = run.bundle(Selection::all());
    let mut changed = unpack(&whole);
    replace(&mut changed, "records.jsonl", "HiringAgent", "FiringAgent");
    write("good.zip", &whole);
    write("bad.zip", &pack(&changed));
    write("open.zip", &Run::new(Shape { closed: false, ..Shape::full(1) }).bundle(Selection::nothing()));
    // What a compressed member would become nobody has to find out, and what evidence says is no order to a terminal.
    let compress = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1]) as a, zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as b:\n    [b.writestr(n, a.read(n)) for n in a.namelist()]";
    let made = Command::new(&python)
        .args(["-c", compress, "good.zip", "small.zip"])
        .current_dir(place.path())
        .status();
    assert!(made.unwrap().success());
    let mut escapes = unpack(&whole);
    replace(&mut escapes, "records.jsonl", "\"startedAt\":\"2", "\"startedAt\":\"\\u001b]0;2");
    write("escapes.zip", &pack(&escapes));
    let id = run.public_key().id().to_string();
    let other = Hash([1; 32]).to_string();
    for (arguments, expected) in [
        (vec!["--key-id", &id, "good.zip"], 0),
        (vec!["--key-id", &id, "bad.zip"], 1),
        (vec!["--key-id", &id, "small.zip"], 1),
        (vec!["--key-id", &id, "escapes.zip"], 1),
        (vec!["--key-id", &id], 2),
        (vec!["good.zip"], 2),
        (vec!["--key-id", &id, "open.zip"], 3),
        (vec!["--key-id", &other, "good.zip"], 3),
        (vec!["--key-id", &id, "absent.zip"], 4),
        (vec!["--key-id", &id, "good.zip", "bad.zip"], 1),
    ] {
        for script in ["docs/verify.py", "docs/verify_bundle.py"] {
            let script = std::fs::canonicalize(workspace(script)).unwrap();
            let mut command = Command::new(&python);
            command.arg("-B").arg(script).args(&arguments).current_dir(place.path());
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {output:?}");
            assert!(!output.stdout.contains(&0x1b), "{arguments:?}: {output:?}");
        }
    }
}
