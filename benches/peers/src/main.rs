//! One scripted tool-call job — one tool, two integers in, one out — on `rig` 0.44 and on fuze-agent, in one process.
//!
//! `cargo run --release` in this directory prints CPU time per turn; `-- --long` adds 3 000 turns. What is compared is printed both
//! ways: a whole run divided by its turns, with all that opens, signs, verifies and closes it; and what one more turn costs.

mod fuze;
mod rig;

use std::time::Duration;

fn main() {
    let long = std::env::args().any(|argument| argument == "--long");
    // Turns of a run, runs in a row, and how often: in a row, because a run after one of the other library begins with cold
    // caches, which is not what is measured.
    let mut lengths = vec![(10, 30, 7), (20, 30, 7), (100, 5, 3), (1_000, 1, 3)];
    if long {
        lengths.push((3_000, 1, 1));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("framework CPU per turn, in µs (medians)");
    println!("{:<26} {:>10} {:>12} {:>8}", "", "rig 0.44", "fuze-agent", "ratio");
    let whole: Vec<(u32, f64, f64)> = runtime.block_on(async {
        let mut whole = Vec::new();
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
            let (theirs, ours) = (median(theirs), median(ours));
            row(
                &format!("whole run of {turns}, per turn"),
                theirs / f64::from(turns),
                ours / f64::from(turns),
            );
            whole.push((turns, theirs, ours));
        }
        whole
    });
    for pair in whole.windows(2) {
        if let [(from, theirs, ours), (to, their_next, our_next)] = *pair {
            let turns = f64::from(to - from);
            row(
                &format!("one more turn, {from} to {to}"),
                (their_next - theirs) / turns,
                (our_next - ours) / turns,
            );
        }
    }
    println!("wanted: a ratio of at least 2 at 10 turns, of at least 70 at 1000");
}

fn row(what: &str, theirs: f64, ours: f64) {
    println!("{what:<26} {theirs:>10.1} {ours:>12.1} {:>8.1}", theirs / ours);
}

/// In µs.
fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort_unstable();
    samples[samples.len() / 2].as_secs_f64() * 1e6
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("a time since the thread began")
}
