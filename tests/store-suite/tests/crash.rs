//! A process that is killed at, or refused, each of its system calls that change something.
//!
//! `strace` counts the calls of a whole story and then kills the process, or fails the call, at the n-th of each kind: that enumerates
//! every state of the files that a crash of the process can leave, and needs neither unsafe code nor a file system of SQLite's own.
//! Where `strace` is not there, or may not trace, the test says so; `FUZE_REQUIRE_STRACE=1` makes it fail instead. One call in seven is
//! tried, another one each time; all of them with `FUZE_EXHAUSTIVE=1`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

mod told;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use told::holds;

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

/// Runs the story under `strace` with these arguments, and gives what it said.
fn story(place: &Path, arguments: &[String]) -> std::io::Result<String> {
    let output = Command::new("strace")
        .args(["-f", "-q", "-o"])
        .arg(place.join("trace"))
        .args(arguments)
        .arg(env!("CARGO_BIN_EXE_holder"))
        .arg("story")
        .arg(place.join("store"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How often the story makes each call, in the thread that makes it most often: `strace` counts for each thread. `None`: not possible here.
fn counts() -> Option<BTreeMap<&'static str, usize>> {
    let place = tempfile::tempdir().expect("a directory");
    let said = story(place.path(), &[format!("--trace={}", CHANGES.join(","))]);
    let traced = said.is_ok_and(|said| said.ends_with("closed\n"));
    if !traced {
        assert!(!flag("FUZE_REQUIRE_STRACE"), "`strace` is not there or may not trace");
        println!("SKIPPED: `strace` is not there or may not trace");
        return None;
    }
    let trace = fs::read_to_string(place.path().join("trace")).expect("a trace");
    let mut counts: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if let Some(name) = CHANGES.iter().find(|change| **change == name) {
            *counts.entry((thread, name)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in counts {
        let entry = most.entry(name).or_insert(0);
        *entry = count.max(*entry);
    }
    Some(most)
}

/// The numbers to try, of `count` calls.
fn chosen(count: usize, salt: usize) -> impl Iterator<Item = usize> {
    let step = if flag("FUZE_EXHAUSTIVE") { 1 } else { 7 };
    (1 + salt % step..=count).step_by(step)
}

/// Opens what was left; how many runs had been spoken of.
async fn left(place: &Path, said: &str, what: &str) -> usize {
    let seen = holds(&place.join("store"), &told::read(said)).await;
    seen.unwrap_or_else(|error| panic!("{what}: {error}")).runs
}

#[tokio::test]
async fn a_kill_at_any_call_loses_nothing_that_was_acknowledged() {
    let Some(counts) = counts() else { return };
    let (mut kills, mut begun) = (0, 0);
    for (salt, (call, count)) in counts.iter().enumerate() {
        for nth in chosen(*count, salt) {
            let place = tempfile::tempdir().expect("a directory");
            let inject = [format!("--trace={call}"), format!("--inject={call}:signal=KILL:when={nth}")];
            let said = story(place.path(), &inject).expect("a process");
            begun += usize::from(left(place.path(), &said, &format!("killed at {call} {nth}")).await > 0);
            kills += usize::from(!said.ends_with("closed\n"));
        }
    }
    println!("killed {kills} times, {begun} of them with a run; calls: {counts:?}");
    assert!(kills > 40 && begun > 30, "{kills} {begun}: {counts:?}");
}

#[tokio::test]
async fn an_error_of_any_call_loses_nothing_that_was_acknowledged() {
    let Some(counts) = counts() else { return };
    let (mut errors, mut heard) = (0, 0);
    for (salt, (call, count)) in counts.iter().enumerate() {
        let kinds: &[&str] = match *call {
            "write" | "pwrite64" | "ftruncate" => &["EIO", "ENOSPC"],
            "fsync" | "fdatasync" => &["EIO"],
            // The process cannot even begin without the files that it is made of.
            _ => continue,
        };
        for (kind, nth) in kinds.iter().flat_map(|kind| chosen(*count, salt).map(move |nth| (kind, nth))) {
            let place = tempfile::tempdir().expect("a directory");
            let inject = [format!("--trace={call}"), format!("--inject={call}:error={kind}:when={nth}")];
            let said = story(place.path(), &inject).expect("a process");
            left(place.path(), &said, &format!("{kind} at {call} {nth}")).await;
            errors += 1;
            heard += usize::from(!said.ends_with("closed\n"));
        }
    }
    println!("{errors} errors, {heard} of them ended the story; calls: {counts:?}");
    assert!(heard > 10, "{errors} {heard}");
}
