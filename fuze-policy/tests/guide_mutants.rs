//! The guide's suites hold the guide's policies: a policy that is changed in one place fails its suite.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::Path;

use fuze_policy::analysis::diff;
use fuze_policy::cerbos::{Files, PolicySet, Source, read_directory};
use fuze_policy::suite;

const GUIDE: [&str; 5] = ["payment", "personal", "public", "special", "tenants"];

/// A text with one change, and what was changed.
struct Mutant {
    what: String,
    text: String,
}

/// Replaces each occurrence on its own.
fn replaced(text: &str, from: &str, to: &str, mutants: &mut Vec<Mutant>) {
    for (at, _) in text.match_indices(from) {
        let line = text[..at].lines().count();
        if text[..at].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#')) {
            continue;
        }
        let text = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
        mutants.push(Mutant { what: format!("line {line}: {from} → {to}"), text });
    }
}

/// Leaves out each block that begins with a line of this kind and lasts as long as lines are further in.
fn dropped(text: &str, begins: &str, mutants: &mut Vec<Mutant>) {
    let lines: Vec<&str> = text.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with(begins)) {
        let end = lines.iter().skip(at + 1).position(|next| depth(next) <= depth(line));
        let end = end.map_or(lines.len(), |more| at + 1 + more);
        let rest: Vec<&str> = lines[..at].iter().chain(&lines[end..]).copied().collect();
        mutants.push(Mutant {
            what: format!("line {}: without `{}`", at + 1, line.trim()),
            text: rest.join("\n"),
        });
    }
}

fn mutants(text: &str) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    replaced(text, "EFFECT_ALLOW", "EFFECT_DENY", &mut mutants);
    replaced(text, "EFFECT_DENY", "EFFECT_ALLOW", &mut mutants);
    dropped(text, "- name:", &mut mutants);
    dropped(text, "- expr:", &mut mutants);
    for (from, to) in [
        ("all:", "any:"),
        ("all:", "none:"),
        (" && ", " || "),
        (" == ", " != "),
        (" <= ", " < "),
        (" > ", " >= "),
        (" in ", " == "),
        ("!(", "("),
        (r#", "invoke:auto""#, ""),
        (r#"["invoke"]"#, r#"["invoke", "invoke:auto"]"#),
        (r#""invoke", "#, ""),
    ] {
        replaced(text, from, to, &mut mutants);
    }
    mutants
}

/// Whether a suite notices that the policies are others.
fn killed(files: &Files, policies: &[Source]) -> bool {
    let Ok(set) = PolicySet::load(policies) else { return true };
    files.tests.iter().any(|source| !suite::run(&set, source, &[]).holds())
}

/// Mutants that a suite need not notice, by directory and change.
const SPARED: &[(&str, &str, &str)] = &[];

#[test]
fn every_changed_policy_of_the_guide_fails_its_suite() {
    let mut count = 0;
    let mut survivors = Vec::new();
    for name in GUIDE {
        let files = read_directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guide").join(name)).unwrap();
        let original = PolicySet::load(&files.policies).unwrap();
        assert!(!killed(&files, &files.policies), "{name}: the policy itself");
        for (at, source) in files.policies.iter().enumerate() {
            for mutant in mutants(&source.text) {
                count += 1;
                let mut policies = files.policies.clone();
                policies[at] = Source::new(&source.path, &mutant.text);
                if killed(&files, &policies) {
                    continue;
                }
                // What decides the same about every request is no other policy.
                let set = PolicySet::load(&policies).unwrap();
                let same = diff(&original, &set).is_proven() && diff(&set, &original).is_proven();
                let spared = SPARED.iter().any(|(n, what, _)| *n == name && mutant.what.contains(what));
                if !same && !spared {
                    survivors.push(format!("{name}/{}: {}", source.path, mutant.what));
                } else {
                    println!("spared {name}/{}: {} (same: {same})", source.path, mutant.what);
                }
            }
        }
    }
    assert!(count >= 80, "{count} mutants");
    assert!(
        survivors.is_empty(),
        "of {count} mutants {} survive:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
}
