//! `fuze key`, as a person calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use common::{fuze, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_key_is_made_once_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.key");
    let made = json(&fuze(&["key", "new", "--json", "--role", "run", "--out", path.to_str().unwrap()], 0));
    assert_eq!(made["schema"], "fuze.key.made/1");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).unwrap();
    let again = fuze(&["key", "new", "--role", "run", "--out", path.to_str().unwrap()], 4);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(fs::read(&path).unwrap(), before);

    let shown = json(&fuze(&["key", "show", "--json", path.to_str().unwrap()], 0));
    assert_eq!(shown["keyId"], made["keyId"]);
    assert_eq!(shown["publicKey"], made["publicKey"]);
    let text = fuze(&["key", "show", path.to_str().unwrap()], 0);
    assert!(text.stdout.contains(made["publicKey"].as_str().unwrap()));
    let secret = String::from_utf8(before).unwrap();
    let secret = secret.trim().rsplit(':').next().unwrap();
    assert!(!text.stdout.contains(secret) && !shown.to_string().contains(secret));
}

#[test]
fn a_history_is_begun_rotated_and_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (first, second, history) = (path("1.key"), path("2.key"), path("run.history.jsonl"));
    let made = json(&fuze(
        &[
            "key",
            "new",
            "--json",
            "--role",
            "run",
            "--out",
            &first,
            "--history",
            &history,
            "--origin",
            "hr.example.eu",
        ],
        0,
    ));
    fuze(&["key", "rotate", "--history", &history, "--key", &first, "--out", &second], 0);
    // The old key is not in force any more: it can bring in no other, and leaves no key file behind.
    let refused =
        fuze(&["key", "rotate", "--history", &history, "--key", &first, "--out", &path("3.key")], 1);
    assert!(refused.stderr.contains("key in force"), "{}", refused.stderr);
    assert!(!directory.path().join("3.key").exists());

    let old = made["keyId"].as_str().unwrap();
    fuze(
        &[
            "key",
            "rotate",
            "--history",
            &history,
            "--key",
            &second,
            "--revoke",
            old,
            "--compromised-since",
            "2026-11-21T20:50:56.000000000Z",
        ],
        0,
    );
    let shown = json(&fuze(&["key", "show", "--json", &history], 0));
    let events: Vec<_> =
        shown["history"].as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["introduced", "rotated", "revoked"]);
    assert_eq!(shown["history"][2]["keyId"], old);
    assert_ne!(shown["keyId"], made["keyId"]);

    // A changed line is found, and says where.
    let mut bytes = fs::read(&history).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&history, bytes).unwrap();
    let broken = fuze(&["key", "show", &history], 1);
    assert!(broken.stderr.contains("line 1"), "{}", broken.stderr);
}

/// A rotation that is killed between its two files leaves a key that the history does not know.
#[test]
fn a_key_that_lies_where_the_new_one_is_to_be_is_told_for_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (first, orphan, history) = (path("1.key"), path("2.key"), path("run.jsonl"));
    fuze(
        &["key", "new", "--role", "run", "--out", &first, "--origin", "a.example", "--history", &history],
        0,
    );
    let made = json(&fuze(&["key", "new", "--json", "--role", "run", "--out", &orphan], 0));
    let whole = (fs::read(&history).unwrap(), fs::read(&orphan).unwrap());
    let rotate =
        |out: &str| fuze(&["key", "rotate", "--history", &history, "--key", &first, "--out", out], 4).stderr;
    let said = rotate(&orphan);
    for part in [
        &orphan,
        made["keyId"].as_str().unwrap(),
        "a rotation that was cut off",
        "delete it and rotate again",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(rotate(&first).contains("which is in the history already"));
    assert_eq!((fs::read(&history).unwrap(), fs::read(&orphan).unwrap()), whole);
    // What is no key at all is no rotation's.
    fs::write(&orphan, "a note").unwrap();
    assert!(rotate(&orphan).contains("exists already"));
    // Since when somebody may have had a key is said of one that is revoked.
    let since = ["--out", &path("3.key"), "--compromised-since", "2026-11-21T20:50:56.000000000Z"];
    fuze(&[["key", "rotate", "--history", &history, "--key", &first].as_slice(), &since].concat(), 2);
}

#[test]
fn wrong_usage_has_code_2_and_a_missing_file_4() {
    fuze(&["key", "new"], 2);
    fuze(&["key", "frobnicate"], 2);
    fuze(&["key", "show", "/nowhere/at/all"], 4);
    fuze(&["schema", "no.such.command"], 2);
    let problem = json(&fuze(&["key", "show", "--json", "/nowhere/at/all"], 4));
    assert_eq!(problem["result"], "io");
}

#[test]
fn every_document_has_a_schema() {
    let names = fuze(&["schema"], 0).stdout;
    assert!(names.lines().count() >= 3);
    for name in names.lines() {
        let schema = json(&fuze(&["schema", name], 0));
        assert_eq!(schema["properties"]["schema"]["const"], name);
        assert!(schema["required"].as_array().unwrap().iter().any(|member| member == "schema"));
    }
}

/// The history is replaced as a whole: whoever reads it while it is rotated, or after a crash, has the one before or the one after.
#[test]
fn a_history_is_never_there_in_part() {
    use std::os::unix::fs::{MetadataExt as _, symlink};
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (first, second, third) = (path("1.key"), path("2.key"), path("3.key"));
    let (history, link, beside) = (path("run.jsonl"), path("link.jsonl"), path("run.jsonl.new"));
    let new =
        ["key", "new", "--role", "run", "--out", &first, "--origin", "a.example", "--history", &history];
    fuze(&new, 0);
    symlink(&history, &link).unwrap();
    let rotate = |history: &str, old: &str, new: &str, code| {
        fuze(&["key", "rotate", "--history", history, "--key", old, "--out", new], code).stderr
    };
    let (whole, inode) = (fs::read(&history).unwrap(), fs::metadata(&history).unwrap().ino());
    let reader = fs::File::open(&history).unwrap();
    // Where nothing can be written the history stays, and no key that it does not know.
    fs::create_dir(&beside).unwrap();
    rotate(&history, &first, &second, 4);
    assert_eq!(fs::read(&history).unwrap(), whole);
    assert!(!fs::exists(&second).unwrap());
    fs::remove_dir(&beside).unwrap();
    // What a crash left half written, longer than what follows, is nobody's history.
    fs::write(&beside, vec![b'x'; 100_000]).unwrap();
    rotate(&link, &first, &second, 0);
    assert!(!fs::exists(&beside).unwrap() && fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_ne!(fs::metadata(&history).unwrap().ino(), inode);
    assert!(fs::read(&history).unwrap().starts_with(&whole));
    assert_eq!(std::io::read_to_string(reader).unwrap().into_bytes(), whole);
    let lines =
        |code| json(&fuze(&["key", "show", "--json", &history], code))["history"].as_array().unwrap().len();
    assert_eq!(lines(0), 2);
    // One at a time.
    let held = fs::File::open(&history).unwrap();
    held.lock().unwrap();
    let said = rotate(&history, &second, &third, 4);
    assert!(said.contains("another process changes it") && !fs::exists(&third).unwrap(), "{said}");
    drop(held);
    rotate(&history, &second, &third, 0);
    assert_eq!(lines(0), 3);
    // One that is there is not begun anew.
    let again = [
        "key",
        "new",
        "--role",
        "run",
        "--out",
        &path("4.key"),
        "--origin",
        "a.example",
        "--history",
        &history,
    ];
    fuze(&again, 4);
    assert_eq!(lines(0), 3);
}

/// What `--log-key` takes is printed by a command: from the secret key, the public one, or the history of the log's keys.
#[test]
fn a_key_is_shown_as_the_verifier_key_of_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (key, public, history) = (path("log.key"), path("log.hex"), path("log.history.jsonl"));
    let new = ["key", "new", "--json", "--role", "log", "--out", &key, "--history", &history];
    let made = json(&fuze(&[new.as_slice(), &["--origin", "log.example.eu"]].concat(), 0));
    let hex = made["publicKey"].as_str().unwrap();
    fs::write(&public, format!("{hex}\n")).unwrap();
    let octets = hex.parse::<fuze_evidence::Hash>().unwrap().0;
    let expected = fuze_log::VerifierKey::new(
        fuze_log::KeyName::new("log.example.eu/runs").unwrap(),
        fuze_log::Algorithm::Ed25519,
        fuze_evidence::sign::PublicKey::from_bytes(octets).unwrap(),
    );
    for path in [&key, &public, &history] {
        let show = ["key", "show", path, "--log-name", "log.example.eu/runs"];
        let shown = json(&fuze(&[show.as_slice(), &["--json"]].concat(), 0));
        assert_eq!(shown["verifierKey"].as_str(), Some(expected.to_string().as_str()));
        assert!(fuze(&show, 0).stdout.contains(&expected.to_string()));
        assert_eq!(json(&fuze(&["key", "show", path, "--json"], 0)).get("verifierKey"), None);
        fuze(&["key", "show", path, "--log-name", "no name"], 2);
    }
}

/// A pipe that nobody writes to never begins, and a link leads to what is somebody else's.
#[test]
fn a_history_is_a_regular_file() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (first, history, pipe) = (path("1.key"), path("run.jsonl"), path("pipe"));
    let new = |out: &str, history: &str, code| {
        let new =
            ["key", "new", "--role", "run", "--out", out, "--origin", "a.example", "--history", history];
        fuze(&new, code).stderr
    };
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::os::unix::fs::symlink(path("nothing"), path("link")).unwrap();
    for (history, why) in [(path("link"), "link"), (pipe.clone(), "there is a history already")] {
        assert!(new(&first, &history, 4).contains(why), "{history}");
    }
    assert!(!fs::exists(&first).unwrap() && !fs::exists(path("nothing")).unwrap());
    new(&first, &history, 0);
    let rotate = |history: &str| {
        fuze(&["key", "rotate", "--history", history, "--key", &first, "--out", &path("2.key")], 4).stderr
    };
    assert!(rotate(&pipe).contains("expected a regular file"));
    // Where a new history is written first.
    fs::rename(&pipe, format!("{history}.new")).unwrap();
    assert!(rotate(&history).contains("no regular file"));
    fs::remove_file(format!("{history}.new")).unwrap();
    std::os::unix::fs::symlink(path("nothing"), format!("{history}.new")).unwrap();
    assert!(rotate(&history).contains("no regular file"));
    assert!(!fs::exists(path("nothing")).unwrap());
}

#[test]
fn what_is_no_key_is_said_to_be_none() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    for contents in ["", "log.example.eu/runs+8d2ff2d4+Acccc", "no key\n"] {
        fs::write(&path, contents).unwrap();
        let said = fuze(&["key", "show", path.to_str().unwrap()], 4).stderr;
        assert!(said.contains("found none of them") && !said.contains("consider the key known"), "{said}");
    }
}

#[test]
fn since_when_a_key_was_in_other_hands_is_shown() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (key, next, history) = (path("run.key"), path("next.key"), path("history"));
    let new = [
        "key",
        "new",
        "--json",
        "--role",
        "run",
        "--out",
        &key,
        "--history",
        &history,
        "--origin",
        "a.example",
    ];
    let id = json(&fuze(&new, 0))["keyId"].as_str().unwrap().to_owned();
    fuze(&["key", "rotate", "--history", &history, "--key", &key, "--out", &next], 0);
    // As people write it.
    let since = ["--compromised-since", "2026-01-02T04:04:05+01:00"];
    let revoke = ["key", "rotate", "--history", &history, "--key", &next, "--revoke", &id];
    fuze(&[revoke.as_slice(), &since].concat(), 0);
    let shown = fuze(&["key", "show", &history], 0).stdout;
    assert!(shown.contains("in other hands since 2026-01-02T03:04:05.000000000Z"), "{shown}");
    let shown = json(&fuze(&["key", "show", "--json", &history], 0));
    assert_eq!(shown["history"][2]["compromisedSince"], "2026-01-02T03:04:05.000000000Z", "{shown}");
}

#[test]
fn a_witness_s_key_is_shown_as_what_witness_takes() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (key, log) = (path("w.key"), path("log.key"));
    for key in [&key, &log] {
        fuze(&["key", "new", "--role", "log", "--out", key], 0);
    }
    let shown = |arguments: &[&str]| json(&fuze(arguments, 0))["verifierKey"].as_str().unwrap().to_owned();
    let witness = shown(&["key", "show", "--json", &key, "--witness-name", "w.example"]);
    let log = shown(&["key", "show", "--json", &log, "--log-name", "log.example/runs"]);
    let nowhere = path("nowhere");
    let verify = |witness: &str, code| {
        fuze(&["log", "verify", &nowhere, "--log-key", &log, "--witness", witness], code)
    };
    // The keys are taken; there is no log.
    verify(&witness, 4);
    verify(&shown(&["key", "show", "--json", &key, "--log-name", "w.example"]), 2);
    fuze(&["key", "show", &key, "--log-name", "a", "--witness-name", "b"], 2);
}
