//! Framework CPU per tool-call turn: one scripted request, one tool with two integers in and one out, with gate, canonical form,
//! chain, commitments, redaction and encryption on, and records in memory.
//!
//! `cargo bench -p fuze-agent` prints the figures; with `-- --check` it fails where one is missed. Times are CPU times of the one
//! thread that runs everything, so that a busy machine does not count; what is compared was measured in one process.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot run has nothing to say"
)]

use std::sync::Arc;
use std::time::Duration;

use fuze_agent::prelude::*;
use fuze_evidence::sink::MemorySink;
use serde_json::json;

const SHORT: Retention = Retention::days("short.v1", 30, 365, 365);

/// Adds two numbers.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}

define_agent! {
    /// Calculates.
    Calculator {
        purpose: "arithmetic",
        instructions: "Add.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: SHORT,
        tools: [add],
        deps: (),
        output: i64,
        max_steps: 10_000,
        retry_budget: 1,
        token_budget: 10_000_000_000,
    }
}

/// Turns of a run, and how often it is run. 20 is there for the marginal cost at 10.
const LENGTHS: [(u32, usize); 5] = [(10, 150), (20, 150), (100, 45), (1_000, 9), (3_000, 5)];
const ROUNDS: usize = 3;
const MOST_US: f64 = 50.0;
const MOST_GROWTH: f64 = 1.2;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    if !has("--bench") {
        // `cargo test --benches`: that it runs, not how fast.
        runtime.block_on(run(3));
        return;
    }
    if let Some(turns) = only(&arguments) {
        runtime.block_on(async {
            for _ in 0..30_000_u32.div_ceil(turns) {
                run(turns).await;
            }
        });
        return;
    }
    let mut samples: [Vec<f64>; LENGTHS.len()] = Default::default();
    runtime.block_on(async {
        run(100).await;
        // Lengths take turns, so that a machine that slows down slows all of them.
        for _ in 0..ROUNDS {
            for ((turns, repetitions), samples) in LENGTHS.into_iter().zip(&mut samples) {
                for _ in 0..repetitions.div_ceil(ROUNDS) {
                    samples.push(run(turns).await.as_secs_f64() * 1e6);
                }
            }
        }
    });
    let [ten, twenty, hundred, thousand, three] = samples.map(median);
    println!("framework CPU of a run, in µs (medians)");
    println!("{:>6} {:>12} {:>10}", "turns", "whole run", "per turn");
    for (turns, time) in [(10, ten), (20, twenty), (100, hundred), (1_000, thousand), (3_000, three)] {
        println!("{turns:>6} {time:>12.0} {:>10.1}", time / f64::from(turns));
    }
    let first = (twenty - ten) / 10.0;
    let last = (three - thousand) / 2_000.0;
    println!();
    println!("one more turn, without opening, closing and signing:");
    println!("  after 10 turns     {first:>6.1} µs   (t(20) - t(10)) / 10");
    println!("  after 1 000 turns  {last:>6.1} µs   (t(3000) - t(1000)) / 2000");
    println!();
    let held = [
        figure("one more turn after 10, µs", first, MOST_US),
        figure("one more turn after 1 000, µs", last, MOST_US),
        figure("per turn of a run of 10, µs", ten / 10.0, MOST_US),
        figure("growth of one more turn", last / first, MOST_GROWTH),
        figure("growth per turn of a run, 3 000 to 10", (three / 3_000.0) / (ten / 10.0), MOST_GROWTH),
    ];
    if has("--check") && held.contains(&false) {
        std::process::exit(1);
    }
}

/// `--only N`: many runs of N turns and no figures, for a profiler.
fn only(arguments: &[String]) -> Option<u32> {
    let at = arguments.iter().position(|argument| argument == "--only")?;
    arguments.get(at + 1)?.parse().ok()
}

fn figure(what: &str, found: f64, most: f64) -> bool {
    let held = found <= most;
    println!("{what:<40} {found:>7.2}  at most {most:>5.1}  {}", if held { "held" } else { "MISSED" });
    held
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// CPU time of one run, from start to closed and signed. Keys, model and script are there before.
async fn run(turns: u32) -> Duration {
    let sink = MemorySink::new();
    let keys = Keys::ephemeral().expect("keys");
    let deployment =
        Deployment::with_sink("bench", keys, Fixed::new().allow_tool("add"), Arc::new(sink.clone()))
            .build()
            .expect("a deployment");
    let model = ScriptedModel::new().repeat("add", json!({"a": 2, "b": 3}), turns).answer(5);
    let run = deployment.run(Calculator, (), model).input("2+3").timeline(false);
    let before = cpu_time();
    let outcome = run.start().await.expect("a run");
    let spent = cpu_time() - before;
    let id = outcome.report().run_id;
    assert_eq!(outcome.output(), Some(5));
    let lines = sink.run(id).expect("its records").records.iter().filter(|&&byte| byte == b'\n').count();
    // Start, close, the last answer, and three records for each turn: nothing was left out.
    assert_eq!(lines, 3 + 3 * turns as usize);
    spent
}

#[cfg(unix)]
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("a time since the thread began")
}

#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}
