//! A process that is killed at, or refused, each of its system calls that change something.
//!
//! `strace` counts the calls of a whole story and then kills the process, or fails the call, at the n-th of each kind: that enumerates
//! every state of the files that a crash of the process can leave, and needs neither unsafe code nor a file system of SQLite's own.
//! Where `strace` is not there, or may not trace, the test says so; `FUZE_REQUIRE_STRACE=1` makes it fail instead. One call in seven is
//! tried, another one each time; all of them with `FUZE_EXHAUSTIVE=1`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use fuze_agent::store::{EffectState, RunState, RunStore as _};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::{Hash, RunId};
use fuze_store::{Agreement, Options, Query, SqliteStore};

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

/// What was acknowledged of one run.
#[derive(Default)]
struct Told {
    key: Option<[u8; 32]>,
    records: u64,
    epoch: u64,
    started: Option<Hash>,
}

fn read(said: &str) -> BTreeMap<RunId, Told> {
    let mut told: BTreeMap<RunId, Told> = BTreeMap::new();
    // A line that a kill cut short was not said.
    for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let words: Vec<&str> = line.split(' ').collect();
        let of = |run: &str| -> RunId { run.parse().expect("a run id") };
        match words.as_slice() {
            ["key", run, key] => {
                let octets =
                    (0..32).map(|at| u8::from_str_radix(key.get(2 * at..2 * at + 2).expect("hex"), 16));
                let key: Vec<u8> = octets.collect::<Result<_, _>>().expect("hex");
                told.entry(of(run)).or_default().key = key.try_into().ok();
            }
            ["has", run, records, epoch] => {
                let told = told.entry(of(run)).or_default();
                told.records = records.parse().expect("a number");
                told.epoch = epoch.parse().expect("a number");
            }
            ["started", run, exec_id] => told.entry(of(run)).or_default().started = exec_id.parse().ok(),
            ["closed"] => {}
            other => panic!("{other:?}"),
        }
    }
    told
}

/// Opens what was left: all that was acknowledged is there, everything verifies, and the runs go on.
async fn holds(place: &Path, said: &str, what: &str) -> usize {
    let told = read(said);
    let directory = place.join("store");
    let store = SqliteStore::open(&directory, &Options::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(store.bad_runs().is_empty(), "{what}: {:?}", store.bad_runs());
    let listed = store.query(Query::new()).await.expect("a listing").runs;
    for (run, told) in &told {
        if told.records == 0 {
            continue;
        }
        let stored = store.load(*run).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(stored.head.0 >= told.records && stored.epoch >= told.epoch, "{what}: {:?}", stored.head);
        // One step more than was acknowledged may have been done, and no more.
        assert!(stored.head.0 <= told.records + 1 && stored.epoch <= told.epoch + 1, "{what}");
        if let Some(started) = told.started {
            let found = stored.effects.iter().find(|effect| effect.exec_id == started).map(|e| e.state);
            assert_eq!(found, Some(EffectState::Started), "{what}");
        }
    }
    for summary in &listed {
        let run = summary.run;
        let key = told.get(&run).and_then(|told| told.key).expect("a key that was said before the run began");
        let keys = TrustedKeys::new().run_key(PublicKey::from_bytes(key).expect("a key"));
        let tables = store.verify(run, &keys).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(tables.files, Agreement::Whole, "{what}: opening completes the files");
        let files =
            verify(&store.run_directory(run), &keys).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(files, tables.report, "{what}");
        let closed = matches!(files.chain, Chain::Closed(_));
        assert_eq!(closed, summary.state == RunState::Closed, "{what}");
        if summary.state == RunState::Running {
            store.take_over(run, summary.epoch).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
    store.close().await.expect("closed");
    told.len()
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
            begun += usize::from(holds(place.path(), &said, &format!("killed at {call} {nth}")).await > 0);
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
            holds(place.path(), &said, &format!("{kind} at {call} {nth}")).await;
            errors += 1;
            heard += usize::from(!said.ends_with("closed\n"));
        }
    }
    println!("{errors} errors, {heard} of them ended the story; calls: {counts:?}");
    assert!(heard > 10, "{errors} {heard}");
}
