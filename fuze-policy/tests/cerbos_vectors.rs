//! The public conformance cases of Cerbos, decided by the same code that decides for agents.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{input, json, params, shared, wanted};
use fuze_policy::cel::{Map, Value};
use fuze_policy::cerbos::yaml::{self, Limits};
use fuze_policy::cerbos::{CheckParams, PolicySet, check, read_directory};

/// The store that all cases are decided by.
fn store(vectors: &Path) -> PolicySet {
    let files = read_directory(&vectors.join("store")).unwrap_or_else(|problems| panic!("{problems}"));
    PolicySet::load(&files.policies).unwrap_or_else(|problems| panic!("{problems}"))
}

/// As Cerbos's own tests decide: lenient, with one global.
fn lenient() -> CheckParams {
    let globals: Map = [("environment", Value::from("test"))].into_iter().collect();
    CheckParams { lenient: true, globals: Arc::new(globals), ..params() }
}

fn cases(directory: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// Decides every case of a directory; all differences are told together.
fn decide(set: &PolicySet, directory: &Path, params: &CheckParams) -> usize {
    let (mut decided, mut differences) = (0, Vec::new());
    for path in cases(directory) {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("case");
        let case =
            yaml::read(&name.as_str().into(), &text, Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        let case = case.first().expect("document").to_json().expect("plain text");
        let (inputs, outputs) = (case["inputs"].as_array(), case["wantOutputs"].as_array());
        for (question, answer) in inputs.expect("inputs").iter().zip(outputs.expect("outputs")) {
            let found = json(&check(set, &input(question), params).expect("an answer"));
            let want = wanted(answer.clone());
            if found != want {
                differences.push(format!("{name}\n  found {found}\n  want  {want}"));
            }
            decided += 1;
        }
    }
    assert!(differences.is_empty(), "{} of {decided} differ:\n{}", differences.len(), differences.join("\n"));
    decided
}

#[test]
fn engine() {
    let Some(vectors) = shared("vectors/cerbos") else { return };
    let set = store(&vectors);
    assert_eq!(decide(&set, &vectors.join("engine"), &lenient()), 27);
    let strict_search = vectors.join("engine_strict_scope_search");
    assert_eq!(decide(&set, &strict_search, &lenient()), 1);
}

#[test]
fn lenient_scope_search() {
    let Some(vectors) = shared("vectors/cerbos") else { return };
    let set = store(&vectors);
    let params = CheckParams { lenient_scope_search: true, ..lenient() };
    assert_eq!(decide(&set, &vectors.join("engine"), &params), 27);
    assert_eq!(decide(&set, &vectors.join("engine_lenient_scope_search"), &params), 1);
}

#[cfg(feature = "cerbos-schema")]
#[test]
fn schema_enforcement() {
    use fuze_policy::cerbos::{Enforced, Enforcement, Schemas};

    let Some(vectors) = shared("vectors/cerbos") else { return };
    let files = read_directory(&vectors.join("store")).unwrap_or_else(|problems| panic!("{problems}"));
    let set = store(&vectors);
    let schemas = Schemas::load(&set, &files.schemas).unwrap_or_else(|problems| panic!("{problems}"));
    let schemas = Arc::new(schemas);
    for (name, enforcement) in [("warn", Enforcement::Warn), ("reject", Enforcement::Reject)] {
        let enforced = Enforced { schemas: schemas.clone(), enforcement };
        let params = CheckParams { schemas: Some(enforced), ..lenient() };
        assert_eq!(decide(&set, &vectors.join("engine_schema_enforcement").join(name), &params), 2);
    }
}
