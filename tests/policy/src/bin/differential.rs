//! Holds our evaluation against real Cerbos decision points, as long as is asked.
//!
//!     tests/policy/run.sh cargo run --release -p fuze-agent-policy-tests --bin differential -- DECISIONS [FIRST_SEED]
//!
//! With FUZE_SHRINK set, the first difference is made as small as it goes.

use std::path::Path;
use std::process::ExitCode;

use fuze_agent_policy_tests::coverage;
use fuze_agent_policy_tests::differential::{self, Tally};
use fuze_agent_policy_tests::generate::{self, Size};
use fuze_agent_policy_tests::pdp;

const SIZE: Size = Size { questions: 20, resources: 20 };
const AT_ONCE: u64 = 100;

fn main() -> Result<ExitCode, String> {
    let mut arguments =
        std::env::args().skip(1).map(|text| text.parse::<u64>().map_err(|_| format!("{text}: no number")));
    let wanted = arguments.next().transpose()?.unwrap_or(100_000);
    let mut seed = arguments.next().transpose()?.unwrap_or(1);
    let Some(binary) = pdp::binary() else { return Ok(ExitCode::FAILURE) };
    let scratch = std::env::temp_dir().join(format!("fuze-differential-{}", std::process::id()));
    // To make a difference small, its case alone is decided.
    let into = std::env::var_os("FUZE_SHRINK").unwrap_or_default();
    let shrink = !into.is_empty();
    let at_once = if shrink { 1 } else { AT_ONCE };
    let mut sum = Tally::default();
    let mut bad = 0;
    while sum.decisions < wanted {
        let _ = std::fs::remove_dir_all(&scratch);
        let seeds: Vec<u64> = (seed..seed + at_once).collect();
        let (tally, differences, readings) = differential::compare(&binary, &scratch, &seeds, SIZE, 20)?;
        sum.add(tally);
        bad += differences.len() + readings.len();
        for reading in &readings {
            println!("{reading}");
        }
        for difference in &differences {
            println!("seed {} {:?}: {}", difference.seed, difference.mode, difference.told());
        }
        if let Some(first) = differences.first().filter(|_| shrink) {
            let mut cases = vec![generate::case(first.seed, SIZE)];
            let repaired = scratch.join("repaired");
            std::fs::create_dir_all(&repaired).map_err(|error| error.to_string())?;
            fuze_agent_policy_tests::repair::repair(&binary, &repaired, &mut cases)?;
            let small = differential::shrink(&binary, &scratch, &cases[0], first)?;
            let found = differential::Found::new(&small, first.told()).ok_or("no question is left")?;
            let text = serde_json::to_string_pretty(&found).map_err(|error| error.to_string())?;
            let path = Path::new(&into).join(format!("seed-{}.json", first.seed));
            std::fs::write(&path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
            println!("stored as {}", path.display());
        }
        println!(
            "seeds {seed} to {}: {} decisions ({} allowed), {} outputs, {} expressions refused by both, {} answers unstable in Cerbos, {} sets refused as decided by chance or mistake there; {bad} differences",
            seed + at_once - 1,
            sum.decisions,
            sum.allowed,
            sum.outputs,
            sum.refused,
            sum.unstable,
            sum.by_chance
        );
        if bad > 0 && !differences.is_empty() {
            break;
        }
        seed += at_once;
    }
    for (why, count) in &sum.refusals {
        println!("sets refused: {count} {why}");
    }
    for name in coverage::names() {
        println!("used by rules that held: {} {name}", sum.uses.get(name).copied().unwrap_or_default());
    }
    let _ = std::fs::remove_dir_all(&scratch);
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
