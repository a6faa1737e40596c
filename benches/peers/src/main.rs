//! One scripted tool-call job — one tool, two integers in, one out — on `rig` 0.44 and on fuze-agent, in one process.
//!
//! `cargo run --release` in this directory prints CPU time per turn; `-- --long` adds 3 000 turns. A run's whole time is divided by
//! its turns, opening, signing and closing included.

mod fuze;
mod rig;

use std::time::Duration;

const WANTED: [(u32, f64); 2] = [(10, 2.0), (1_000, 70.0)];

fn main() {
    let long = std::env::args().any(|argument| argument == "--long");
    // Turns of a run, runs in a row, and how often: in a row, because a run after one of the other library begins with cold
    // caches, which is not what is measured.
    let mut lengths = vec![(10, 30, 7), (100, 5, 3), (1_000, 1, 3)];
    if long {
        lengths.push((3_000, 1, 1));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("framework CPU per turn, in µs (medians)");
    println!("{:>6} {:>12} {:>12} {:>8}", "turns", "rig 0.44", "fuze-agent", "ratio");
    runtime.block_on(async {
        for _ in 0..5 {
            rig::run(20).await;
            fuze::run(20).await;
        }
        for (turns, in_a_row, rounds) in lengths {
            let (mut theirs, mut ours) = (Vec::new(), Vec::new());
            // In turns, so that a machine that slows down slows both.
            for _ in 0..rounds {
                for _ in 0..in_a_row {
                    theirs.push(rig::run(turns).await);
                }
                for _ in 0..in_a_row {
                    ours.push(fuze::run(turns).await);
                }
            }
            let per_turn = |samples| median(samples).as_secs_f64() * 1e6 / f64::from(turns);
            let (theirs, ours) = (per_turn(theirs), per_turn(ours));
            let ratio = theirs / ours;
            let wanted = WANTED.iter().find(|(at, _)| *at == turns).map(|(_, least)| {
                format!("  at least {least:.0}: {}", if ratio >= *least { "held" } else { "MISSED" })
            });
            println!("{turns:>6} {theirs:>12.1} {ours:>12.1} {ratio:>8.1}{}", wanted.unwrap_or_default());
        }
    });
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("a time since the thread began")
}
