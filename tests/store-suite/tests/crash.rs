//! A process that is killed at, or refused, each of its system calls that change something.
//!
//! `strace` counts the calls of a whole story and then kills the process, or fails the call, at the n-th of each kind: that enumerates
//! every state of the files that a crash of the process can leave, and needs neither unsafe code nor a file system of SQLite's own.
//! Where `strace` is not there, or may not trace, the test says so; `FUZE_REQUIRE_STRACE=1` makes it fail instead. There are two stories: runs
//! from their beginning to their close, of whose calls one in seven is tried, and content that is erased, of whose calls one in 29 is. Always the
//! same ones, so that what fails fails again; all of them with `FUZE_EXHAUSTIVE=1`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

mod told;

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};

use told::{Seen, holds, scratch};

/// Calls that change files. Those that only lock or read leave nothing behind.
const CHANGES: &[&str] = &[
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "openat",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "fchmod",
    "fchown",
];

fn flag(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value == "1")
}

/// What a holder does, and from which line of what it says on its calls are tried.
#[derive(Clone, Copy)]
struct Story {
    name: &'static str,
    from: Option<&'static str>,
    /// One call in so many, unless all are.
    step: usize,
}

const RUNS: Story = Story { name: "story", from: None, step: 7 };
const ERASING: Story = Story { name: "erasing", from: Some("plan "), step: 29 };

impl Story {
    /// Runs it under `strace` with these arguments, and gives what it said.
    fn run(self, place: &Path, arguments: &[String]) -> std::io::Result<String> {
        let output = Command::new("strace")
            .args(["-f", "-q", "-o"])
            .arg(place.join("trace"))
            .args(arguments)
            .arg(env!("CARGO_BIN_EXE_holder"))
            .args([self.name.as_ref(), place.join("store").as_os_str(), place.join("aside").as_os_str()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Which of each call to try, by the thread that makes it most often: `strace` counts for each thread. `None`: not possible here.
    fn calls(self) -> Option<BTreeMap<&'static str, RangeInclusive<usize>>> {
        let place = scratch();
        let said = self.run(place.path(), &[format!("--trace={}", CHANGES.join(","))]);
        let traced = said.is_ok_and(|said| said.ends_with("closed\n"));
        if !traced {
            assert!(!flag("FUZE_REQUIRE_STRACE"), "`strace` is not there or may not trace");
            println!("SKIPPED: `strace` is not there or may not trace");
            return None;
        }
        let trace = fs::read_to_string(place.path().join("trace")).expect("a trace");
        let mut counts: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
        let mut before = None;
        for line in trace.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
            let begins = self.from.is_none_or(|from| arguments.starts_with(&format!("1, \"{from}")));
            if begins && before.is_none() {
                before = Some(counts.clone());
            }
            if let Some(name) = CHANGES.iter().find(|change| **change == name) {
                *counts.entry((thread, name)).or_default() += 1;
            }
        }
        let before = before.expect("the line from which on calls are tried");
        let mut most: BTreeMap<&str, RangeInclusive<usize>> = BTreeMap::new();
        for (call, count) in counts {
            let range = 1 + before.get(&call).unwrap_or(&0)..=count;
            let entry = most.entry(call.1).or_insert_with(|| range.clone());
            if range.clone().count() > entry.clone().count() {
                *entry = range;
            }
        }
        Some(most)
    }

    /// The numbers to try, of these calls.
    fn chosen(self, calls: &RangeInclusive<usize>, salt: usize) -> impl Iterator<Item = usize> + use<> {
        let step = if flag("FUZE_EXHAUSTIVE") { 1 } else { self.step };
        calls.clone().skip(salt % step).step_by(step)
    }

    async fn is_killed(self, least: usize) {
        let Some(calls) = self.calls() else { return };
        let (mut kills, mut seen) = (0, Seen::default());
        for (salt, (call, numbers)) in calls.iter().enumerate() {
            for nth in self.chosen(numbers, salt) {
                let place = scratch();
                let inject = [format!("--trace={call}"), format!("--inject={call}:signal=KILL:when={nth}")];
                let said = self.run(place.path(), &inject).expect("a process");
                seen += left(place.path(), &said, &format!("killed at {call} {nth}")).await;
                kills += usize::from(!said.ends_with("closed\n"));
            }
        }
        println!("{}: killed {kills} times, {seen:?}; calls: {calls:?}", self.name);
        assert!(kills > least && seen.runs > least, "{kills} {seen:?}: {calls:?}");
        // Something was gone at some kills, and at some it was for the second order to erase.
        assert!(self.from.is_none() || seen.gone > least && seen.again > least, "{kills} {seen:?}");
    }

    async fn is_refused(self, least: usize) {
        let Some(calls) = self.calls() else { return };
        let (mut errors, mut heard, mut seen) = (0, 0, Seen::default());
        for (salt, (call, numbers)) in calls.iter().enumerate() {
            let kinds: &[&str] = match *call {
                "write" | "pwrite64" | "ftruncate" => &["EIO", "ENOSPC"],
                "fsync" | "fdatasync" => &["EIO"],
                // The process cannot even begin without the files that it is made of.
                _ => continue,
            };
            for (kind, nth) in
                kinds.iter().flat_map(|kind| self.chosen(numbers, salt).map(move |nth| (kind, nth)))
            {
                let place = scratch();
                let inject = [format!("--trace={call}"), format!("--inject={call}:error={kind}:when={nth}")];
                let said = self.run(place.path(), &inject).expect("a process");
                seen += left(place.path(), &said, &format!("{kind} at {call} {nth}")).await;
                errors += 1;
                heard += usize::from(!said.ends_with("closed\n"));
            }
        }
        println!("{}: {errors} errors, {heard} of them ended it, {seen:?}; calls: {calls:?}", self.name);
        assert!(heard > least, "{errors} {heard}");
    }
}

/// Opens what was left; what was seen there.
async fn left(place: &Path, said: &str, what: &str) -> Seen {
    let seen = holds(&place.join("store"), &place.join("aside"), &told::read(said)).await;
    seen.unwrap_or_else(|error| panic!("{}: {what}: {error}", place.display()))
}

#[tokio::test]
async fn a_kill_at_any_call_loses_nothing_that_was_acknowledged() {
    RUNS.is_killed(30).await;
}

#[tokio::test]
async fn an_error_of_any_call_loses_nothing_that_was_acknowledged() {
    RUNS.is_refused(10).await;
}

/// What was acknowledged as erased is, and what was not can be ordered again.
#[tokio::test]
async fn a_kill_at_any_call_of_an_erasure_leaves_it_whole_or_to_be_repeated() {
    ERASING.is_killed(10).await;
}

#[tokio::test]
async fn an_error_of_any_call_of_an_erasure_leaves_it_whole_or_to_be_repeated() {
    ERASING.is_refused(10).await;
}
