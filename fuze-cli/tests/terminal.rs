//! What is drawn on a terminal, and that nothing of it is anywhere else. `script` (util-linux) lends the terminal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::process::{Command, Stdio};

use common::fuze;
use common::site::Site;
use fuze_agent_bundle_tests::runs::{Run, Shape};
use fuze_audit::Selection;

/// What a terminal shows of a shell command, or `None` where there is no `script`: said aloud, and with `FUZE_REQUIRE_TOOLS=1` a
/// failure.
fn on_a_terminal(command: &str, variables: &[(&str, &str)]) -> Option<String> {
    let called = Command::new("script")
        .args(["-q", "-e", "-c", command, "/dev/null"])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = called else {
        assert!(std::env::var_os("FUZE_REQUIRE_TOOLS").is_none_or(|v| v != "1"), "`script` is not there");
        println!("SKIPPED: `script` is not there");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn progress_is_for_who_looks_at_a_terminal() {
    let site = Site::new();
    let (program, run, key) = (env!("CARGO_BIN_EXE_fuze"), site.run(0), &site.key);
    let verify = format!("{program} audit verify {run} --key {key}");
    let Some(shown) = on_a_terminal(&verify, &[]) else { return };
    assert!(shown.contains("verifying ["), "{shown:?}");
    assert!(shown.contains("\u{1b}[1m\u{1b}[32mverified"), "in colours: {shown:?}");
    // It is gone when the answer comes.
    let answer = shown.rfind("verified").unwrap();
    assert!(!shown[answer..].contains("verifying"), "{shown:?}");

    let plain = on_a_terminal(&verify, &[("NO_COLOR", "1")]).unwrap();
    assert!(plain.contains("verifying ["), "{plain:?}");
    let colours =
        plain.split('\u{1b}').skip(1).filter(|code| code.split_once('m').is_some_and(|(n, _)| is_sgr(n)));
    assert_eq!(colours.count(), 0, "{plain:?}");
    let dumb = on_a_terminal(&verify, &[("TERM", "dumb")]).unwrap();
    assert!(!dumb.contains("verifying"), "{dumb:?}");

    // Data in a pipe or a file is data, whatever the terminal shows beside it.
    let out = site.path("out.json");
    let piped = format!("{verify} --json | cat > {out}");
    let shown = on_a_terminal(&piped, &[]).unwrap();
    assert!(shown.contains("verifying ["), "{shown:?}");
    let document: serde_json::Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(document["result"], "verified");
}

#[test]
fn a_stranger_s_words_are_shown_and_not_obeyed() {
    let site = Site::new();
    let annex = site.path("evil.jsonl");
    // Clears the screen, goes to its top, is green, hides what follows.
    let evil = "\\u001b[2J\\u001b[H\\u001b[1;32mverified\\u001b[8m\u{9b}2J\u{202e}";
    fs::write(&annex, format!("{{\"entry\":{{\"{evil}\":1}},\"signature\":\"\"}}\n")).unwrap();
    let (program, run, key) = (env!("CARGO_BIN_EXE_fuze"), site.run(0), &site.key);
    // The code that it ends with is another test's.
    let verify = format!("{program} audit verify {run} --key {key} --annex {annex} 2> /dev/null; true");
    for variables in [[].as_slice(), &[("NO_COLOR", "1")]] {
        let Some(shown) = on_a_terminal(&verify, variables) else { return };
        assert!(shown.contains("[1;32mverified"), "it is quoted: {shown:?}");
        let own = |code: &str| ["[1m", "[31m", "[2m", "[0m"].iter().any(|own| code.starts_with(own));
        assert!(shown.split('\u{1b}').skip(1).all(own), "{shown:?}");
        assert_eq!(shown.contains('\u{1b}'), variables.is_empty(), "{shown:?}");
        assert!(!shown.contains(['\u{9b}', '\u{202e}']), "{shown:?}");
        // Each line is this command's own.
        let plain = shown.replace(['\u{1b}'], "").replace("[2m", "").replace("[0m", "");
        let begun: Vec<&str> =
            plain.lines().skip(1).map(|line| line.trim().split(' ').next().unwrap()).collect();
        assert_eq!(begun, ["where", "what", "expected", "found", "last"], "{shown:?}");
    }
}

#[test]
fn an_explanation_has_colours_where_they_are_seen_and_wanted() {
    let at = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain");
    let scratch = tempfile::tempdir().unwrap();
    let request = scratch.path().join("request.json");
    let asked = r#"{"tool": {"name": "t", "classification": "personal", "residency": "eu", "effect": "once", "egress": "eu"},
        "run": {"tenant": "acme", "principal": "ann", "roles": ["staff"], "purpose": "p", "lawful_basis": "contract",
        "annex_iii": "none", "art22": "none", "has_subject": false}}"#;
    fs::write(&request, asked).unwrap();
    let (program, request) = (env!("CARGO_BIN_EXE_fuze"), request.display());
    let explain = format!("{program} policy explain {at}/staff --request {request}");
    let Some(shown) = on_a_terminal(&explain, &[]) else { return };
    assert!(shown.contains("\u{1b}[1m\u{1b}[32m✓"), "{shown:?}");
    let plain = on_a_terminal(&explain, &[("NO_COLOR", "1")]).unwrap();
    assert!(plain.contains("✓ EFFECT_ALLOW") && !plain.contains('\u{1b}'), "{plain:?}");
}

/// The rows of a run that waited two hours for a person, on terminals of several widths: none is wider than its terminal, the axis
/// is broken where nothing happened, and each row has its record's number.
#[test]
fn a_run_that_waited_is_readable_on_any_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("run.zip");
    let run = Run::new(Shape::full(1));
    fs::write(&bundle, run.bundle(Selection::all())).unwrap();
    let key = hex(&run.public_key().to_bytes());
    let show = format!("{} audit show {} --key {key}", env!("CARGO_BIN_EXE_fuze"), bundle.display());
    for (columns, who) in [(60, false), (80, false), (120, true)] {
        let shown = format!("stty rows 40 cols {columns}; {show}");
        let variables = [("NO_COLOR", "1"), ("TERM", "dumb")];
        let Some(shown) = on_a_terminal(&shown, &variables) else { return };
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= columns), "{columns}\n{shown}");
        let row = |number: usize| {
            let begins = format!("{number:>3}  ");
            let after = |line: &str| line.strip_prefix(&begins)?.trim_start().strip_prefix('+').map(str::len);
            let found = lines.iter().find(|line| after(line).is_some());
            *found.unwrap_or_else(|| panic!("{number}\n{shown}"))
        };
        assert!(row(0).contains("+0.000s") && row(4).contains("+2h14m01s"), "{shown}");
        assert_eq!(row(0).contains(" ✓ Agent "), who, "{shown}");
        let whole = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(whole.contains("took 2h14m") && whole.contains("overseer-3 approved record_recommendation"));
        assert!(whole.contains("asked in record 3, answered after 2h14m"), "{shown}");
        assert!(whole.contains("“the dossier holds”") && whole.contains("Not proven:"), "{shown}");
        if columns == 60 {
            continue;
        }
        // The break stands in the head, and in each row at the same place; the wait fills it.
        assert!(lines.iter().any(|line| line.contains("No.") && line.contains("2h14m")), "{shown}");
        let bar = |number: usize| {
            let of_bar = |c: &char| matches!(c, '━' | '░' | '/' | '·');
            let found = row(number).split_whitespace().find(|word| word.chars().all(|c| of_bar(&c)));
            let at = found.map(|bar| row(number).find(bar).unwrap());
            let before = at.map(|at| row(number).get(..at).unwrap().chars().count());
            (before.unwrap_or_else(|| panic!("{number}\n{shown}")), found.unwrap())
        };
        for number in 0..10 {
            assert_eq!(bar(number).0, bar(0).0, "in line: {shown}");
            assert_eq!(bar(number).1.chars().count(), bar(0).1.chars().count(), "{shown}");
        }
        assert!(bar(0).1.starts_with('━') && bar(0).1.contains("//"), "{shown}");
        assert!(bar(3).1.contains("━░░"), "{shown}");
        // After the wait the bars are apart again.
        let begins = |number| bar(number).1.chars().position(|c| c == '━').unwrap();
        assert!(begins(1) < begins(4) && begins(4) < begins(8), "{shown}");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// `[1;32` and the like.
fn is_sgr(code: &str) -> bool {
    code.strip_prefix('[').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == ';'))
}

#[test]
fn without_a_terminal_nothing_is_drawn() {
    let site = Site::new();
    let (run, store, signing, out) =
        (site.run(0), site.path("store"), site.path("keys/signing.key"), site.path("run.zip"));
    let export = ["audit", "export", &run, "--out", &out, "--key", &site.key, "--signing-key", &signing];
    let erase = [
        "audit",
        "erase",
        &store,
        "--origin",
        "ward.example.eu",
        "--signing-key",
        &signing,
        "--by",
        "dpo",
        "--run",
        &site.runs[0],
    ];
    for arguments in [
        ["audit", "verify", &run, "--key", &site.key].as_slice(),
        &["audit", "replay", &run, "--key", &site.key],
        &export,
        &["audit", "verify", &out, "--key", &site.key],
        &["audit", "show", &out, "--key", &site.key],
        &erase,
    ] {
        assert_eq!(fuze(arguments, 0).stderr, "", "{arguments:?}");
    }
}
