//! Turns, medians, ratios.

use std::any::Any;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One thing to be measured: its name, what is done before the clock starts, and the work. What that gives is dropped when the clock has
/// stopped.
pub(crate) type Job<'j> = (&'static str, Box<dyn FnMut() + 'j>, Box<dyn FnMut() -> Box<dyn Any> + 'j>);

/// Work with nothing before and after it.
pub(crate) fn job<'j, T>(name: &'static str, mut work: impl FnMut() -> T + 'j) -> Job<'j> {
    let work = move || -> Box<dyn Any> {
        black_box(work());
        Box::new(())
    };
    (name, Box::new(|| ()), Box::new(work))
}

/// The clock that a comparison goes by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// CPU time of this thread: for what runs on it alone.
    Cpu,
    /// CPU time of the whole process: for what runs on several threads.
    Process,
    /// Time as it passes.
    Wall,
}

/// The figures so far.
pub(crate) struct Figures {
    rounds: usize,
    missed: bool,
}

impl Figures {
    pub(crate) const fn new(in_earnest: bool) -> Self {
        Self { rounds: if in_earnest { 41 } else { 1 }, missed: false }
    }

    pub(crate) const fn in_earnest(&self) -> bool {
        self.rounds > 1
    }

    pub(crate) const fn missed(&self) -> bool {
        self.missed
    }

    /// The time of each job: of CPU time the median; of time as it passes the least, since whatever else runs only adds to it.
    /// Jobs take turns, so that a machine that slows down slows all of them.
    pub(crate) fn compare<const N: usize>(&self, clock: Clock, mut jobs: [Job<'_>; N]) -> [f64; N] {
        let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        let began = Instant::now();
        for round in 0..self.rounds {
            // What takes long varies little.
            if round >= 5 && began.elapsed() > Duration::from_secs(5) {
                break;
            }
            for ((_, prepare, work), samples) in jobs.iter_mut().zip(&mut samples) {
                prepare();
                let before = now(clock);
                let given = work();
                samples.push((now(clock) - before).as_secs_f64());
                drop(given);
            }
        }
        let times = samples.map(|samples| match clock {
            Clock::Cpu | Clock::Process => median(samples),
            Clock::Wall => samples.into_iter().fold(f64::INFINITY, f64::min),
        });
        for ((name, ..), seconds) in jobs.iter().zip(times) {
            println!("  {name:<58} {:>10.3} ms", seconds * 1e3);
        }
        times
    }

    /// How often the time of `ours` goes into that of `other`: at least `wanted`.
    pub(crate) fn at_least(&mut self, what: &str, other: f64, ours: f64, wanted: f64) {
        let found = other / ours;
        let held = found >= wanted || !self.in_earnest();
        self.missed |= !held;
        println!("{what:<60} {found:>7.2}  at least {wanted:>5.2}  {}", if held { "held" } else { "MISSED" });
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn now(clock: Clock) -> Duration {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    match clock {
        Clock::Wall => BEGAN.elapsed(),
        Clock::Cpu | Clock::Process => cpu_time(clock).unwrap_or_else(|| BEGAN.elapsed()),
    }
}

#[cfg(unix)]
fn cpu_time(clock: Clock) -> Option<Duration> {
    let id = match clock {
        Clock::Process => rustix::time::ClockId::ProcessCPUTime,
        Clock::Cpu | Clock::Wall => rustix::time::ClockId::ThreadCPUTime,
    };
    let now = rustix::time::clock_gettime(id);
    Some(Duration::try_from(now).expect("a time since the thread began"))
}

#[cfg(not(unix))]
fn cpu_time(_: Clock) -> Option<Duration> {
    None
}
