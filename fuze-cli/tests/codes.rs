//! What each command exits with: 0 well, 1 failed, 2 wrong usage, 3 could not be verified, 4 input or output; and with `--json` one
//! document on standard output, whatever happens.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::process::Command;

use common::site::{STRANGER, Site};
use common::{fuze, json};

/// Each command line ends with its code.
fn check(lines: &[(&[&str], i32)]) {
    for (arguments, code) in lines {
        fuze(arguments, *code);
        let document = json(&fuze(&[["--json"].as_slice(), arguments].concat(), *code));
        // Whoever called wrongly is told so, by the reader of the arguments as by the command.
        if *code == 2 {
            assert_eq!(
                (&document["schema"], &document["result"]),
                (&"fuze.problem/1".into(), &"usage".into())
            );
            assert!(!document["message"].as_str().unwrap().is_empty());
        }
    }
}

#[test]
fn of_audit() {
    let site = Site::new();
    let (run, store, key, runs) = (site.run(0), site.path("store"), site.key.as_str(), &site.runs);
    let (signing, master, nowhere) =
        (site.path("keys/signing.key"), site.path("keys/master.key"), site.path("no"));
    let bundle = site.path("run.zip");
    fuze(&["audit", "export", &run, "--out", &bundle, "--key", key, "--signing-key", &signing], 0);
    let broken = site.path("broken.jsonl");
    let mut octets = fs::read(format!("{run}/records.jsonl")).unwrap();
    octets.pop();
    fs::write(&broken, octets).unwrap();
    check(&[
        (&["audit"], 2),
        (&["audit", "verify", &run, "--key", key], 0),
        (&["audit", "verify", &broken, "--key", key], 1),
        (&["audit", "verify", &store, "--key", key], 2),
        (&["audit", "verify", &run, "--key", key, "--any-exporter"], 2),
        (&["audit", "verify", &run, "--key", STRANGER], 3),
        (&["audit", "verify", &run], 3),
        (&["audit", "verify", &nowhere, "--key", key], 4),
        (&["audit", "verify", &store, "--run", "01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1", "--key", key], 4),
        (&["audit", "show", &bundle, "--key", key], 0),
        (&["audit", "show", &broken, "--key", key], 1),
        (&["audit", "show"], 2),
        (&["audit", "show", &bundle, "--key", STRANGER], 3),
        (&["audit", "show", &nowhere, "--key", key], 4),
        (&["audit", "replay", &run, "--key", key], 0),
        (&["audit", "replay", &broken, "--key", key], 1),
        (&["audit", "replay", &run, "--key", key, "--run", "x"], 2),
        (&["audit", "replay", &run, "--key", STRANGER], 3),
        (&["audit", "replay", &run, "--key", key, "--master-key", &nowhere], 4),
        (&["audit", "diff", &run, &bundle, "--key", key], 0),
        (&["audit", "diff", &run, &broken, "--key", key], 1),
        (&["audit", "diff", &run], 2),
        (&["audit", "diff", &run, &bundle, "--key", STRANGER], 3),
        (&["audit", "diff", &run, &nowhere, "--key", key], 4),
        (&["audit", "query", &store], 0),
        (&["audit", "query", &store, "--limit", "0"], 2),
        (&["audit", "query", &nowhere], 4),
    ]);
    let export = |path: &str, out: &str, signing: &str, more: &[&str], code| {
        let base = ["audit", "export", path, "--out", out, "--signing-key", signing];
        check(&[(&[base.as_slice(), more].concat(), code)]);
    };
    let (out, keyed) = (site.path("other.zip"), ["--key", key]);
    export(&run, &out, &signing, &["--key", STRANGER], 3);
    export(&bundle, &out, &signing, &keyed, 2);
    export(&run, &out, &signing, &["--key", key, "--disclose", "0"], 2);
    export(&run, &out, &signing, &["--key", key, "--master-key", &master, "--disclose", "999"], 1);
    export(&run, &bundle, &signing, &keyed, 4);
    export(&run, &out, &nowhere, &keyed, 4);
    export(&run, &out, &signing, &["--key", key, "--decision", &signing], 4);
    export(&run, &out, &signing, &["--key", key, "--annex", &nowhere], 4);
    // A disk that takes no more of it.
    let full = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_fuze")])
        .args(["audit", "export", &run, "--out", &out, "--signing-key", &signing, "--key", key])
        .output()
        .unwrap();
    let said = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(4), "{said}");
    assert!(said.contains(&out) && !fs::exists(&out).unwrap(), "{said}");
    // What the files have and the tables do not, or otherwise, was not read wrongly: somebody changed one of them.
    for (at, file, more) in
        [(0, "records.jsonl", "{}\n"), (1, "content.jsonl", "{}\n"), (2, "keys.jsonl", "{}\n")]
    {
        let path = format!("{}/{file}", site.run(at));
        let whole = fs::read_to_string(&path).unwrap();
        let stored = ["audit", "verify", &store, "--run", &runs[at], "--key", key];
        for tampered in [format!("{whole}{more}"), whole.replacen('1', "2", 1)] {
            fs::write(&path, tampered).unwrap();
            check(&[(&stored, 1)]);
            export(&store, &out, &signing, &["--run", &runs[at], "--key", key], 1);
        }
        fs::write(&path, whole).unwrap();
        check(&[(&stored, 0)]);
    }
    let erase = |directory: &str, more: &[&str], code| {
        let base = ["audit", "erase", directory, "--origin", "ward.example.eu", "--signing-key", &signing];
        check(&[(&[base.as_slice(), &["--by", "dpo"], more].concat(), code)]);
    };
    erase(&store, &["--tenant", "clinic-7", "--hold", "legal-claims"], 0);
    erase(&store, &["--run", &runs[0]], 1);
    erase(&store, &[], 2);
    erase(&nowhere, &["--run", &runs[0]], 4);
}

#[test]
fn of_key_and_schema() {
    let site = Site::new();
    let (signing, nowhere) = (site.path("keys/signing.key"), site.path("no"));
    let (history, first) = (site.path("h.jsonl"), site.path("first.key"));
    let new = ["key", "new", "--role", "run", "--out", &first, "--history", &history, "--origin", "a"];
    fuze(&new, 0);
    check(&[
        (&["key", "show", &signing], 0),
        (&["key", "show", &nowhere], 4),
        (&["key", "show", "pkcs11:token=a"], 2),
        (&["key", "new", "--role", "run", "--out", &signing], 4),
        (&["key", "new", "--role", "none", "--out", &nowhere], 2),
        (&["key", "rotate", "--history", &history, "--key", &signing, "--out", &nowhere], 1),
        (&["key", "rotate", "--history", &history, "--key", &first], 2),
        (&["key", "rotate", "--history", &nowhere, "--key", &first, "--out", &nowhere], 4),
        (&["schema", "no.such"], 2),
    ]);
    assert!(!fs::exists(&nowhere).unwrap(), "a key that took nobody's place is kept nowhere");
    for same in [["audit.show", "audit.replay"], ["key.new", "key.made"], ["key.rotate", "key.made"]] {
        let [a, b] = same.map(|name| fuze(&["schema", name], 0).stdout);
        assert_eq!(a, b);
    }
}

/// `fuze schema` prints text for people and, asked for JSON, a document like every other command.
#[test]
fn of_schemas_and_of_arguments_that_nobody_knows() {
    check(&[
        (&[], 2),
        (&["no-such-command"], 2),
        (&["audit", "verify"], 2),
        (&["audit", "verify", "--no-such-option", "x"], 2),
        (&["schema", "audit.verify"], 0),
        (&["schema"], 0),
    ]);
    let all = json(&fuze(&["schema", "--json"], 0));
    let text = fuze(&["schema"], 0).stdout;
    assert_eq!(all["names"].as_array().unwrap().len(), text.lines().count());
    let one = json(&fuze(&["schema", "--json", "audit.verify"], 0));
    assert_eq!(one["names"], serde_json::json!(["fuze.audit.verify/1"]));
    let alone: serde_json::Value =
        serde_json::from_str(&fuze(&["schema", "audit.verify"], 0).stdout).unwrap();
    assert_eq!(one["definition"], alone);
    // A path of that name is no wish for JSON.
    assert!(fuze(&["audit", "verify", "--", "--json", "more"], 2).stdout.is_empty());
}

/// Where a command was called without what it needs, the reader of its arguments says what.
#[test]
fn help_is_no_failure() {
    for arguments in [
        ["--help"].as_slice(),
        &["audit", "verify", "--help"],
        &["audit", "export", "--help"],
        &["log", "witness", "--help"],
        &["key", "rotate", "--help"],
        &["--version"],
    ] {
        assert!(!fuze(arguments, 0).stdout.is_empty());
    }
}
