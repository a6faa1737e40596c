//! Reading a policy directory from the disk, and files that are not what they should be.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{input, json, params, shared};
use fuze_policy::cerbos::{PolicySet, Source, check, read_directory};

const POLICY: &str = "apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: expense
  version: default
  rules:
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}
";

/// A directory of its own that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("directory");
            fs::write(path, text).expect("file");
        }
        Self(root)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("removed");
    }
}

fn problems(directory: &Directory) -> Vec<String> {
    match read_directory(&directory.0) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.all().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_directory_is_read_as_cerbos_reads_it() {
    let directory = Directory::new(
        "read",
        &[
            ("b.yaml", POLICY),
            ("a/x.yml", ""),
            ("a/.hidden.yaml", "["),
            (".git/y.yaml", "["),
            ("testdata/y.yaml", "["),
            ("a/testdata/y.yaml", "["),
            ("a/readme.md", "["),
            ("a/x_test.yaml", "suite"),
            ("_schemas/s/t.json", "{}"),
            ("_schemas/ignored.yaml", "["),
        ],
    );
    let files = read_directory(&directory.0).expect("files");
    let paths = |sources: &[Source]| sources.iter().map(|s| s.path.as_ref().to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(&files.policies), ["a/x.yml", "b.yaml"]);
    assert_eq!(paths(&files.schemas), ["s/t.json"]);
    assert_eq!(paths(&files.tests), ["a/x_test.yaml"]);
    assert_eq!(PolicySet::load(&files.policies).expect("set").policies().len(), 1);
}

#[test]
fn what_cannot_be_read_is_told() {
    let directory =
        Directory::new("unread", &[("a/_schemas/s.json", "{}"), ("big.yaml", &" ".repeat((1 << 20) + 1))]);
    fs::write(directory.0.join("latin.yaml"), [0x61, 0xe9]).expect("file");
    assert_eq!(
        problems(&directory),
        [
            "a/_schemas:1:1: `_schemas` must stand at the root of the policy directory",
            "big.yaml:1:1: the file has more than 1048576 bytes, and no more are read",
            "latin.yaml:1:1: the file is not UTF-8",
        ]
    );
    let nowhere = read_directory(&directory.0.join("nowhere")).expect_err("nothing there").to_string();
    assert!(nowhere.starts_with(".:1:1: the directory cannot be read"), "{nowhere}");
}

#[cfg(unix)]
#[test]
fn links_are_refused() {
    let directory = Directory::new("links", &[("a.yaml", POLICY), ("b/c.txt", "")]);
    std::os::unix::fs::symlink(directory.0.join("a.yaml"), directory.0.join("b/link.yaml")).expect("link");
    std::os::unix::fs::symlink(directory.0.join("b"), directory.0.join("loop")).expect("link");
    assert_eq!(
        problems(&directory),
        [
            "b/link.yaml:1:1: it is a link: put the file or directory itself here, so that the set is complete",
            "loop:1:1: it is a link: put the file or directory itself here, so that the set is complete",
        ],
        "what is denied in a linked directory must not be lost"
    );
}

#[test]
fn policies_in_json_decide_the_same() {
    let as_json = r#"{
  "apiVersion": "api.cerbos.dev/v1",
  "resourcePolicy": {
    "resource": "expense", "version": "default",
    "rules": [{"actions": ["view"], "roles": ["user"], "effect": "EFFECT_ALLOW"}]
  }
}"#;
    let question = input(&serde_json::json!({
        "principal": {"id": "anna", "roles": ["user"]}, "resource": {"kind": "expense", "id": "1"}, "actions": ["view", "edit"]
    }));
    let answers = [("p.yaml", POLICY), ("p.json", as_json)].map(|(path, text)| {
        let set = PolicySet::load(&[Source::new(path, text)]).expect(path);
        json(&check(&set, &question, &params()).expect("answer"))
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["actions"]["view"]["effect"], "EFFECT_ALLOW");
}

/// Policies of every kind for the mutations below.
const KINDS: &str = r#"apiVersion: api.cerbos.dev/v1
description: "all \u00e4"
metadata: {annotations: {a: b}}
resourcePolicy:
  resource: expense
  version: "1"
  scope: ""
  scopePermissions: SCOPE_PERMISSIONS_OVERRIDE_PARENT
  variables: {local: {v: R.attr.x, w: V.v + "é"}}
  constants: {local: {c: [1, {a: null}]}}
  schemas: {principalSchema: {ref: cerbos:///p.json, ignoreWhen: {actions: ['list:*']}}}
  rules:
    - name: one
      actions: ['a*', "b"]
      roles: &roles [user, "*"]
      effect: EFFECT_ALLOW
      condition:
        match:
          any:
            of:
              - expr: V.w == "x" && C.c[0] == 1
              - none: {of: [{expr: "P.id in ['a']"}]}
      output:
        when:
          ruleActivated: |-
            {"a": P.id}
          conditionNotMet: "1"
    - {actions: [c], roles: *roles, effect: EFFECT_DENY}
"#;

#[test]
fn no_file_whatever_its_bytes_stops_the_loader() {
    let mut texts = vec![POLICY.to_owned(), KINDS.to_owned()];
    for text in &texts {
        PolicySet::load(&[Source::new("p.yaml", text)]).unwrap_or_else(|problems| panic!("{problems}"));
    }
    if let Some(vectors) = shared("vectors/cerbos") {
        texts.extend(
            read_directory(&vectors.join("store")).expect("store").policies.into_iter().map(|s| s.text),
        );
    }
    // A fixed sequence, so that a failure comes again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below.max(1)
    };
    const ODD: [&str; 14] = ["[", "]", "{", "}", ":", "- ", "\n", "&a ", "*a", "é", "\"", "'", "\t", "<<: "];
    let (mut sound, mut unsound) = (0, 0);
    for round in 0..3000 {
        let mut chars: Vec<char> = texts[round % texts.len()].chars().collect();
        for _ in 0..=next(3) {
            let at = next(chars.len());
            match next(3) {
                0 => drop(chars.drain(at..(at + next(20)).min(chars.len()))),
                1 => drop(chars.splice(at..at, ODD[next(ODD.len())].chars())),
                _ => {
                    let from = next(chars.len());
                    let piece: Vec<char> = chars[from..(from + next(40)).min(chars.len())].to_vec();
                    drop(chars.splice(at..at, piece));
                }
            }
        }
        let text: String = chars.into_iter().collect();
        let lines = text.lines().count() + 1;
        match PolicySet::load(&[Source::new("p.yaml", &text)]) {
            Ok(_) => sound += 1,
            Err(problems) => {
                unsound += 1;
                for problem in problems.all() {
                    let at = problem.place.at;
                    assert!(at.line >= 1 && at.column >= 1 && at.line as usize <= lines, "{problem}\n{text}");
                }
            }
        }
    }
    assert!(sound > 0 && unsound > 0, "{sound} {unsound}");
}
