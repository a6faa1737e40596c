//! The power fails: what was written and not synced may be lost, torn, or there without what was written before it.
//!
//! `strace` records what a store writes, truncates, renames, unlinks and syncs while runs begin, wait, go on, close and are erased; what the
//! store acknowledges stands in the same record. From that the disk is built as it can be at each moment before and after a
//! sync and after each acknowledgement, and a store is opened on it. All that was acknowledged by then must be there. The record is made
//! anew each time; which parts of it are lost is drawn from fixed seeds. What `mmap` writes is not seen: SQLite's `-shm` alone, which it
//! makes anew.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

mod disk;
mod log;
#[path = "../told/mod.rs"]
mod told;
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use disk::Unsynced;
use told::{Seen, holds, scratch};
use trace::Step;

/// What a holder did below `place`, from its first file on. `None`: not possible here.
fn record(place: &Path, what: &str, directory: &str, more: &[&Path]) -> Option<Vec<Step>> {
    let root = place.canonicalize().expect("a path");
    let traced = Command::new("strace")
        .args(["-f", "-q", "-y", "-xx", "-s", "1000000000", "-o"])
        .arg(root.with_extension("trace"))
        .arg(format!("--trace={}", trace::CALLS))
        .arg(env!("CARGO_BIN_EXE_holder"))
        .arg(what)
        .arg(root.join(directory))
        .args(more)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout.ends_with(b"closed\n"));
    if !traced {
        let required = std::env::var_os("FUZE_REQUIRE_STRACE").is_some_and(|value| value == "1");
        assert!(!required, "`strace` is not there or may not trace");
        println!("SKIPPED: `strace` is not there or may not trace");
        return None;
    }
    let trace = std::fs::read_to_string(root.with_extension("trace")).expect("a trace");
    Some(trace::read(&trace, &root))
}

/// A store's steps, and where the keys are that a power failure does not touch.
fn record_store() -> Option<(Vec<Step>, tempfile::TempDir)> {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path().join("place");
    std::fs::create_dir(&root).expect("a directory");
    let steps = record(&root, "erasing", "store", &[&aside(&place)])?;
    Some((steps, place))
}

fn aside(place: &tempfile::TempDir) -> PathBuf {
    place.path().join("aside")
}

/// All that had been said.
fn said(steps: &[Step]) -> String {
    let said = steps.iter().filter_map(|step| match step {
        Step::Said(line) => Some(line.as_str()),
        _ => None,
    });
    said.collect()
}

/// Opens the disk as it is after these steps.
async fn after(steps: &[Step], unsynced: Unsynced, aside: &Path) -> Result<Seen, String> {
    let place = scratch();
    disk::image(steps, unsynced, place.path());
    holds(&place.path().join("store"), aside, &told::read(&said(steps))).await
}

/// The moments to look at: how many steps have been taken, and what is left of those that were not synced. With `FUZE_EXHAUSTIVE=1`
/// after each step, in eight ways more.
fn moments(steps: &[Step]) -> Vec<(usize, Unsynced)> {
    let mut moments = Vec::new();
    if std::env::var_os("FUZE_EXHAUSTIVE").is_some_and(|value| value == "1") {
        let ways = |at: usize| (0..8).map(move |n| Unsynced::Some(at as u64 * 1_000 + 100 + n));
        moments.extend((1..=steps.len()).flat_map(|at| ways(at).map(move |unsynced| (at, unsynced))));
    }
    for (at, step) in steps.iter().enumerate() {
        let seed = |n: u64| Unsynced::Some(at as u64 * 1_000 + n);
        match step {
            Step::Sync(_) | Step::SyncDirectory(_) => {
                moments.extend([Unsynced::Lost, seed(0), seed(1)].map(|unsynced| (at, unsynced)));
                moments.extend([Unsynced::Lost, Unsynced::Kept].map(|unsynced| (at + 1, unsynced)));
            }
            // Of several in a row the last one.
            Step::Said(_) if matches!(steps.get(at + 1), Some(Step::Said(_))) => {}
            Step::Said(_) => moments.extend([Unsynced::Lost, seed(2)].map(|unsynced| (at + 1, unsynced))),
            _ => {}
        }
    }
    moments
}

#[tokio::test]
async fn a_power_failure_loses_nothing_that_was_acknowledged() {
    let Some((steps, kept)) = record_store() else { return };
    let moments = moments(&steps);
    let mut all = Seen::default();
    for (count, unsynced) in &moments {
        let steps = steps.get(..*count).expect("steps");
        match after(steps, *unsynced, &aside(&kept)).await {
            Ok(seen) => all += seen,
            Err(what) => panic!("after {count} steps, {unsynced:?}, last {:?}: {what}", steps.last()),
        }
    }
    println!("{} steps, {} images: {all:?}", steps.len(), moments.len());
    assert!(
        moments.len() > 200 && all.runs > 200 && all.tokens > 50 && all.gone > 20 && all.again > 20,
        "{} {all:?}",
        moments.len()
    );
}

type LeftOut<'s> = &'s dyn Fn(&Step) -> bool;

/// A store that leaves out some of its syncs: the images find what it loses by each of them.
#[tokio::test]
async fn without_any_kind_of_sync_it_would() {
    let Some((steps, kept)) = record_store() else { return };
    let file_of = |name: &str| {
        steps.iter().rev().find_map(|step| match step {
            Step::Create(path, file) if path.ends_with(name) => Some(*file),
            _ => None,
        })
    };
    let (log, database) = (file_of("fuze.sqlite-wal"), file_of("fuze.sqlite"));
    assert!(log.is_some() && database.is_some(), "{log:?} {database:?}");
    let kinds: [(&str, LeftOut<'_>); 4] = [
        ("the write-ahead log", &|step| matches!(step, Step::Sync(file) if Some(*file) == log)),
        ("the database", &|step| matches!(step, Step::Sync(file) if Some(*file) == database)),
        ("names", &|step| matches!(step, Step::SyncDirectory(_))),
        ("anything", &|step| matches!(step, Step::Sync(_) | Step::SyncDirectory(_))),
    ];
    for (what, left_out) in kinds {
        let steps: Vec<Step> = steps.iter().filter(|step| !left_out(step)).cloned().collect();
        let said = steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Said(_)));
        let mut lost = 0;
        let mut images = 0;
        for (at, _) in said {
            for unsynced in [Unsynced::Lost, Unsynced::Some(at as u64)] {
                let found = after(steps.get(..=at).expect("steps"), unsynced, &aside(&kept)).await;
                images += 1;
                lost += usize::from(found.is_err());
            }
        }
        println!("without syncing {what}: {lost} of {images} images are not good");
        assert!(lost > 0, "{what}");
    }
}
