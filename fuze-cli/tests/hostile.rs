//! Evidence that a stranger wrote at whoever looks at it: to paint their terminal, to fill their memory, to never end.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::process::{Command, Stdio};

use common::fuze;
use common::site::{ORIGIN, Site, copy};
use fuze_audit::report::words::is_hidden;
use serde_json::{Value, json};

/// Clears a terminal, says that all is well and hides what follows; and a line more, and what turns the direction of writing.
const EVIL: &str = "\u{1b}[2J\u{1b}[H\u{1b}[1;32mverified\u{1b}[8m\u{9b}2J\u{202e}\u{61c}\u{2066}\r\n  records     19, of which 19";

/// The octets of a JSON line whose first name is [`EVIL`].
fn evil_line(mut line: Value, member: &str) -> Vec<u8> {
    let inner = line[member].as_object_mut().unwrap();
    inner.insert(EVIL.to_owned(), json!(1));
    [fuze_evidence::jcs::to_vec(&line).unwrap(), b"\n".to_vec()].concat()
}

fn lines(path: &str) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a terminal would obey, and lines of standard error that this command did not begin.
fn check(arguments: &[&str], code: i32) {
    for arguments in [arguments.to_vec(), [arguments, &["--json"]].concat()] {
        let called = fuze(&arguments, code);
        assert!(
            format!("{}{}", called.stdout, called.stderr).contains("verified"),
            "it quotes: {arguments:?}"
        );
        for text in [&called.stdout, &called.stderr] {
            assert!(!text.chars().any(|c| c != '\n' && is_hidden(c)), "{arguments:?}: {text:?}");
            assert!(
                !text.lines().any(|line| line.starts_with("  records     19, of")),
                "{arguments:?}: {text}"
            );
        }
    }
}

#[test]
fn nothing_that_evidence_says_moves_the_cursor() {
    let site = Site::with_history();
    let log = site.log();
    site.anchor(&log, 0, false);
    let (run, store, key, vkey) =
        (site.run(0), site.path("store"), site.key.as_str(), log.vkey().to_string());
    let (directory, signing, log_key) =
        (site.path("log"), site.path("keys/signing.key"), site.path("log.key"));
    drop(log);

    let (annex, history) = (site.path("evil.annex"), site.path("evil.history"));
    let own_history = site.path("run.history.jsonl");
    site.erase(&["--hold", "legal-claims", "--tenant", "clinic-7"], 0);
    let stated = fs::read_dir(site.path("store/annex")).unwrap().next().unwrap().unwrap().path();
    fs::write(&annex, evil_line(lines(stated.to_str().unwrap())[0].clone(), "entry")).unwrap();
    fs::write(&history, evil_line(lines(&own_history)[0].clone(), "entry")).unwrap();

    let out = site.path("out.zip");
    let export = ["audit", "export", &run, "--key", key, "--signing-key", &signing, "--out", &out];
    for what in ["verify", "show", "replay"] {
        check(&["audit", what, &run, "--key", key, "--annex", &annex], 1);
        check(&["audit", what, &run, "--key-history", &history, "--root-key", &site.key_id()], 1);
    }
    check(&[export.as_slice(), &["--annex", &annex]].concat(), 1);
    check(&["key", "show", &history], 1);
    let erase = ["audit", "erase", &store, "--origin", ORIGIN, "--signing-key", &signing, "--by", "dpo"];
    check(&[erase.as_slice(), &["--run", &site.runs[0], "--key-history", &history]].concat(), 1);

    // A run's own files, and what a log's files are held against.
    let moved = site.path("moved");
    fs::create_dir_all(site.path("moved/runs")).unwrap();
    let there = format!("{moved}/runs/{}", site.runs[0]);
    copy(&run, &there);
    let mut opened = lines(&format!("{run}/anchors.jsonl"))[0].clone();
    opened.as_object_mut().unwrap().insert(EVIL.to_owned(), json!(1));
    fs::write(
        format!("{there}/anchors.jsonl"),
        [fuze_evidence::jcs::to_vec(&opened).unwrap(), b"\n".to_vec()].concat(),
    )
    .unwrap();
    let believed = ["--log-key", &vkey, "--log", &directory];
    check(&[["audit", "verify", &there, "--key", key].as_slice(), &believed].concat(), 1);
    check(&["log", "verify", &directory, "--log-key", &vkey, "--accounted-by", &moved, "--key", key], 1);
    check(&["log", "anchor", &moved, "--key", key, "--log", &directory, "--log-signing-key", &log_key], 3);
    let records = format!("{there}/records.jsonl");
    let mut whole = lines(&records);
    whole[0]["payload"]["attrs"].as_object_mut().unwrap().insert(EVIL.to_owned(), json!(1));
    let whole: Vec<u8> = whole
        .iter()
        .flat_map(|line| [fuze_evidence::jcs::to_vec(line).unwrap(), b"\n".to_vec()].concat())
        .collect();
    fs::write(&records, whole).unwrap();
    check(&["audit", "verify", &there, "--key", key], 1);
    check(&["audit", "diff", &there, &run, "--key", key], 1);

    // Arguments, which a script may take from evidence.
    check(&["audit", "query", &store, "--after", EVIL], 2);
    check(&["audit", "verify", &format!("{run}{EVIL}"), "--key", key], 4);
    let called = fuze(&["audit", "query", &store, &format!("--{EVIL}")], 2);
    assert!(!called.stderr.chars().any(|c| c != '\n' && is_hidden(c)), "{:?}", called.stderr);
}

/// Calls the command with two gigabytes of memory.
fn with_little_memory(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_fuze")])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_line_without_an_end_fills_no_memory() {
    let site = Site::new();
    let (run, key) = (site.path("endless"), site.key.as_str());
    fs::create_dir(&run).unwrap();
    let records = fs::File::create(format!("{run}/records.jsonl")).unwrap();
    records.set_len(3 << 30).unwrap();
    for (what, expected) in [("verify", 1), ("show", 3), ("replay", 3)] {
        let (code, said) = with_little_memory(&["audit", what, &run, "--key", key]);
        assert_eq!(code, Some(expected), "{what}: {said}");
    }
    let (code, said) = with_little_memory(&["audit", "diff", &run, &site.run(0), "--key", key]);
    assert_eq!(code, Some(3), "{said}");
}

#[test]
fn a_device_or_a_pipe_is_no_file() {
    let site = Site::new();
    let (run, key, pipe) = (site.run(0), site.key.as_str(), site.path("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for endless in ["/dev/zero", pipe.as_str()] {
        for arguments in [
            ["key", "show", endless].as_slice(),
            &["audit", "verify", endless, "--key", key],
            &["audit", "verify", &run, "--key", endless],
            &["audit", "verify", &run, "--key", key, "--annex", endless],
            &["audit", "show", &run, "--key-history", endless, "--root-key", &site.key_id()],
        ] {
            let (code, said) = with_little_memory(arguments);
            assert_eq!(code, Some(4), "{arguments:?}: {said}");
            assert!(said.contains(endless) && said.contains("expected a regular file"), "{said}");
        }
    }
    // In a run's directory as well.
    for file in ["records.jsonl", "roots.jsonl", "content.jsonl", "keys.jsonl"] {
        let moved = site.path(file);
        copy(&run, &moved);
        fs::remove_file(format!("{moved}/{file}")).unwrap();
        fs::rename(&pipe, format!("{moved}/{file}")).unwrap();
        let (code, said) = with_little_memory(&["audit", "verify", &moved, "--key", key]);
        assert_eq!(code, Some(4), "{file}: {said}");
        fs::rename(format!("{moved}/{file}"), &pipe).unwrap();
    }
}
