//! Ten thousand generated decisions against real Cerbos, strict and lenient, and every seed that ever showed a difference.

use fuze_agent_policy_tests::differential;
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
    assert!(tally.allowed >= 1_000 && tally.outputs >= 100 && tally.refused >= 10, "{tally:?}");
}
