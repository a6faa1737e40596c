//! What a log costs a run: ten turns with one beside the same ten without, alone and many at once, records in memory, the log on disk.
//!
//! `cargo bench -p fuze-log` prints it. Processor time is the whole process's, the log's own thread included; both kinds take turns. The
//! log lies in `FUZE_BENCH_DIR`, else in the system's directory for temporary files: what passes beyond processor time is that disk's.
#![expect(clippy::expect_used, reason = "a measurement that cannot run has nothing to say")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fuze_agent::prelude::*;
use fuze_agent::{Anchored, Deployment};
use fuze_evidence::Name;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sink::MemorySink;
use fuze_log::{Log, LogOptions};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::task::JoinSet;

const SHORT: Retention = Retention::days("short.v1", 30, 365, 365);
const TURNS: u32 = 10;
const ROUNDS: usize = 60;
/// Runs at once.
const MANY: u32 = 64;

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
        max_steps: 100,
        retry_budget: 1,
        token_budget: 1_000_000,
    }
}

fn main() {
    let in_earnest = std::env::args().any(|argument| argument == "--bench");
    let (rounds, many) = if in_earnest { (ROUNDS, MANY) } else { (1, 2) };
    let base = std::env::var_os("FUZE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let place = tempfile::tempdir_in(base).expect("a directory");
    let log = Arc::new(new_log(&place.path().join("log")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("a run of {TURNS} turns, medians of {rounds}, in µs for each run");
    println!("{:<28} {:>14} {:>14}", "", "processor time", "time");
    for at_once in [1, many] {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            without.push(runtime.block_on(runs(None, at_once)));
            with.push(runtime.block_on(runs(Some(&log), at_once)));
        }
        for (what, samples) in [("without a log", without), ("with a log", with)] {
            let (cpu, wall): (Vec<Duration>, Vec<Duration>) = samples.into_iter().unzip();
            println!(
                "{:<28} {:>14.0} {:>14.0}",
                format!("{at_once} at once, {what}"),
                median(cpu),
                median(wall)
            );
        }
    }
}

fn new_log(directory: &Path) -> Log {
    let name = |text| Name::new(text).expect("a name");
    let signer = FileSigner::ephemeral(name("log"), &mut OsRandom::new()).expect("a key");
    Log::create(directory, &name("log.example/bench"), Arc::new(signer), LogOptions::new()).expect("a log")
}

/// Processor time of the process, and time, for each of so many runs.
async fn runs(log: Option<&Arc<Log>>, at_once: u32) -> (Duration, Duration) {
    let keys = Keys::ephemeral().expect("keys");
    let sink = Arc::new(MemorySink::new());
    let mut deployment = Deployment::with_sink("bench", keys, Fixed::new().allow_tool("add"), sink);
    if let Some(log) = log {
        deployment = deployment.log(log.clone());
    }
    let deployment = Arc::new(deployment.build().expect("a deployment"));
    let (cpu, wall) = (cpu_time(), Instant::now());
    let mut started = JoinSet::new();
    for _ in 0..at_once {
        let deployment = Arc::clone(&deployment);
        let model = ScriptedModel::new().repeat("add", json!({"a": 2, "b": 3}), TURNS).answer(5);
        started.spawn(async move {
            deployment.run(Calculator, (), model).input("2+3").timeline(false).start().await
        });
    }
    let outcomes = started.join_all().await;
    let (cpu, wall) = (cpu_time() - cpu, wall.elapsed());
    for outcome in outcomes {
        let outcome = outcome.expect("a run");
        assert_eq!(matches!(outcome.report().anchored, Anchored::Closed { .. }), log.is_some());
        assert_eq!(outcome.output(), Some(5));
    }
    (cpu / at_once, wall / at_once)
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("a time since the process began")
}

fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort_unstable();
    samples.get(samples.len() / 2).map_or(0.0, |median| median.as_secs_f64() * 1e6)
}
