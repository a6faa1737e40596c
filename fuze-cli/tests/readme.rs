//! The commands that README.md shows an auditor do what it says of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::process::Command;

use common::site::{ORIGIN, Site};

const README: &str = include_str!("../../README.md");

/// The command lines, without what is said about them.
fn lines() -> Vec<&'static str> {
    let shown = README.lines().filter_map(|line| line.strip_prefix("$ fuze "));
    shown.map(|line| line.split('#').next().unwrap().trim()).collect()
}

#[test]
fn the_auditors_commands_work_as_they_stand() {
    let site = Site::new();
    let log = site.log();
    site.anchor(&log, 0, true);
    let vkey = log.vkey().to_string();
    fs::copy(site.path("log/checkpoint"), site.path("kept")).unwrap();
    fs::copy(site.path("keys/signing.key"), site.path("run.key")).unwrap();
    let rest = format!(
        "--origin {ORIGIN} --signing-key run.key --by dpo --master-key keys/master.key --subject-keys keys/subjects"
    );
    let mut lines = lines();
    assert_eq!(lines.len(), 7);
    // What is verified and shown has to be there first.
    lines.sort_by_key(|line| !line.starts_with("audit export"));
    for line in lines {
        // A person of whom there is something.
        let line = line
            .replace("p-204", "p-2")
            .replace("9f3c…", &site.key)
            .replace("01a2…", &site.runs[0])
            .replace("--log-key …", &format!("--log-key {vkey}"))
            .replace(" …", &format!(" {rest}"));
        assert!(!line.contains('…'), "{line}");
        let called = Command::new(env!("CARGO_BIN_EXE_fuze"))
            .args(line.split_whitespace())
            .current_dir(site.path("."))
            .output()
            .unwrap();
        assert_eq!(called.status.code(), Some(0), "fuze {line}\n{}", String::from_utf8_lossy(&called.stderr));
        assert!(!called.stdout.is_empty(), "fuze {line}");
    }
}

/// Options that the text names exist.
#[test]
fn the_options_that_it_names_are_there() {
    let help = |command: &str| {
        let called =
            Command::new(env!("CARGO_BIN_EXE_fuze")).args(["audit", command, "--help"]).output().unwrap();
        String::from_utf8(called.stdout).unwrap()
    };
    let (verify, export) = (help("verify"), help("export"));
    for option in ["--log", "--log-key", "--key-history", "--root-key", "--key-anchors"] {
        assert!(README.contains(option), "{option}");
        assert!(
            verify.contains(&format!("{option} <")) && export.contains(&format!("{option} <")),
            "{option}"
        );
    }
}
