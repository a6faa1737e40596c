//! Ten thousand generated decisions against real Cerbos, strict and lenient, and every seed that ever showed a difference.

use std::path::Path;

use fuze_agent_policy_tests::coverage;
use fuze_agent_policy_tests::differential::{self, Found};
use fuze_agent_policy_tests::generate::Size;
use fuze_agent_policy_tests::pdp;

/// Seeds to keep, one a line.
const SEEDS: &str = include_str!("seeds.txt");

#[test]
fn generated_decisions_are_those_of_cerbos() {
    let Some(binary) = pdp::binary() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let seeds = pdp::seeds(SEEDS);
    let size = Size { questions: 8, resources: 10 };
    let (tally, differences, readings) =
        differential::compare(&binary, scratch.path(), &seeds, size, 10).unwrap();
    assert!(readings.is_empty(), "{readings:#?}");
    for difference in &differences {
        eprintln!("seed {} {:?}: {}", difference.seed, difference.mode, difference.told());
    }
    assert!(differences.is_empty());
    assert!(tally.decisions >= 10_000, "{tally:?}");
    // What is forgiven stays rare.
    assert!(
        tally.unstable <= tally.decisions / 1_000 && tally.by_chance * 10 <= seeds.len() as u64,
        "{tally:?}"
    );
    let unused: Vec<_> = coverage::names().filter(|name| !tally.uses.contains_key(name)).collect();
    assert!(unused.is_empty(), "no rule that held made use of {unused:?}: {tally:?}");
    assert!(tally.allowed >= 1_000 && tally.outputs >= 100 && tally.refused >= 10, "{tally:?}");
}

/// Differences that were found once, made small and stored by the command of the same name (`FUZE_SHRINK=tests/policy/tests/found`).
#[test]
fn what_was_found_once_holds() {
    let Some(binary) = pdp::binary() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/found");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let found: Found = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if let Err(differs) = found.hold(&binary, scratch.path()) {
            panic!("{}: {}\n{differs}", path.display(), found.about);
        }
        count += 1;
    }
    assert!(count >= 6, "{count} cases are stored");
}
