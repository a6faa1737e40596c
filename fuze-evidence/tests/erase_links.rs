//! What has another name or place: an erasure that took one of two would say that something is gone which is still there.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::desk::{Desk, Made, Says};
use common::scan::walk;
use common::{at, name, person};
use fuze_evidence::annex::{ErasureReason, Hold, HoldReason, HoldScope};
use fuze_evidence::erase::{Archive, Done, EraseError, Order, Repeat, Target};
use fuze_evidence::keys::SubjectKeys as _;
use fuze_evidence::sha256;
use serde_json::json;

fn order() -> Order {
    Order { at: at(10_000_000_000), by: name("dpo-1"), reason: ErasureReason::Request }
}

fn make(desk: &Desk) -> Made {
    desk.make(&Says {
        input: &json!({"name": "Zoë", "case": 17}),
        answers: &[json!("an answer")],
        decisions: &[json!("a rationale")],
        subject: true,
        closed: true,
    })
}

/// Moves what is at `path` to `to`, with a link in its place.
fn lead_to(path: &Path, to: &Path) {
    fs::rename(path, to).unwrap();
    symlink(to, path).unwrap();
}

/// Every file below `directory` with its octets.
fn all(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = walk(directory)
        .into_iter()
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn key(desk: &Desk, made: &Made, ending: &str) -> PathBuf {
    let alias = made.alias.as_ref().unwrap();
    desk.place.path().join("subjects").join(format!("{}.{ending}", sha256(alias.as_str().as_bytes())))
}

fn erase(archive: &Archive<'_>, made: &Made, target: &Target) -> Result<Done, EraseError> {
    archive.erase(made.run, target, &order())
}

#[test]
fn nothing_is_erased_that_would_stay_elsewhere() {
    type Prepare = fn(&Desk, &Made, &Path);
    let anywhere: [(&str, Prepare); 10] = [
        ("content.jsonl", |desk, made, to| {
            lead_to(&desk.run_directory(made.run).join("content.jsonl"), &to.join("moved"));
        }),
        ("keys.jsonl", |desk, made, to| {
            lead_to(&desk.run_directory(made.run).join("keys.jsonl"), &to.join("moved"));
        }),
        ("content.jsonl", |desk, made, to| {
            fs::hard_link(desk.run_directory(made.run).join("content.jsonl"), to.join("second")).unwrap();
        }),
        ("keys.jsonl", |desk, made, to| {
            fs::hard_link(desk.run_directory(made.run).join("keys.jsonl"), to.join("second")).unwrap();
        }),
        ("content.jsonl.new", |desk, made, to| {
            symlink(to.join("nothing"), desk.run_directory(made.run).join("content.jsonl.new")).unwrap();
        }),
        ("runs/", |desk, made, to| lead_to(&desk.run_directory(made.run), &to.join("moved"))),
        ("runs", |desk, _, to| lead_to(&desk.place.path().join("runs"), &to.join("moved"))),
        ("annex", |desk, _, to| symlink(to, desk.place.path().join("annex")).unwrap()),
        ("erasures", |desk, _, to| symlink(to, desk.place.path().join("erasures")).unwrap()),
        (".jsonl", |desk, _, to| {
            let path = desk.archive().annex_path(&desk.tenant);
            fs::create_dir(path.parent().unwrap()).unwrap();
            symlink(to.join("annex"), path).unwrap();
        }),
    ];
    let of_keys: [(&str, Prepare); 4] = [
        (".key", |desk, made, to| lead_to(&key(desk, made, "key"), &to.join("moved"))),
        (".key", |desk, made, to| fs::hard_link(key(desk, made, "key"), to.join("second")).unwrap()),
        (".index", |desk, made, to| lead_to(&key(desk, made, "index"), &to.join("moved"))),
        (".index", |desk, made, to| fs::hard_link(key(desk, made, "index"), to.join("second")).unwrap()),
    ];
    let elsewhere = tempfile::tempdir().unwrap();
    let mut number = 0;
    for (cases, subject_alone) in [(anywhere.as_slice(), false), (of_keys.as_slice(), true)] {
        for (named, prepare) in cases {
            let desk = Desk::new();
            let made = make(&desk);
            let to = elsewhere.path().join(number.to_string());
            fs::create_dir(&to).unwrap();
            number += 1;
            prepare(&desk, &made, &to);
            let before = (all(desk.place.path()), all(&to));
            let root = made.contents[0].root;
            let targets = [
                Target::Fields { root, pointers: vec!["/name".into()], repeat: Repeat::Refuse },
                Target::Record { root },
                Target::Run,
                Target::Subject,
            ];
            for target in targets.iter().filter(|target| !subject_alone || **target == Target::Subject) {
                let refused = erase(&desk.archive(), &made, target).unwrap_err().to_string();
                assert!(refused.contains(named), "{named}: {target:?}: {refused}");
                assert!(refused.contains("link"), "{named}: {target:?}: {refused}");
            }
            if let Ok(erased) = desk.archive().erase_person(person(&desk.tenant), &order()) {
                assert!(erased.runs.values().all(Result::is_err), "{named}: {erased:?}");
            }
            assert_eq!((all(desk.place.path()), all(&to)), before, "{named}");
        }
    }
}

/// Through a link a held run would be erased from a place where nothing of the hold is known.
#[test]
fn a_hold_is_not_passed_through_a_link() {
    let desk = Desk::new();
    let made = make(&desk);
    let hold = Hold { scope: HoldScope::Run(made.run), reason: HoldReason::LegalClaims };
    desk.archive().hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let before = all(desk.place.path());
    let attempt = || Archive::new(other.path(), desk.registrar()).erase(made.run, &Target::Run, &order());
    symlink(desk.place.path().join("runs"), other.path().join("runs")).unwrap();
    assert!(attempt().unwrap_err().to_string().contains("link"));
    fs::remove_file(other.path().join("runs")).unwrap();
    fs::create_dir(other.path().join("runs")).unwrap();
    let run = other.path().join("runs").join(made.run.to_string());
    symlink(desk.run_directory(made.run), &run).unwrap();
    assert!(attempt().unwrap_err().to_string().contains("link"));
    fs::remove_file(&run).unwrap();
    fs::create_dir(&run).unwrap();
    for entry in fs::read_dir(desk.run_directory(made.run)).unwrap() {
        let entry = entry.unwrap();
        fs::hard_link(entry.path(), run.join(entry.file_name())).unwrap();
    }
    assert!(attempt().unwrap_err().to_string().contains("another name"));
    assert_eq!(all(desk.place.path()), before);
}

/// A crash while a key was made leaves its first name beside it: that goes with the key, and keeps nobody from erasing it.
#[test]
fn what_a_crash_left_of_a_key_goes_with_it() {
    let desk = Desk::new();
    let made = make(&desk);
    let path = key(&desk, &made, "key");
    let left = path.with_extension("key.abcdefghijk.new");
    fs::hard_link(&path, &left).unwrap();
    assert_eq!(erase(&desk.archive(), &made, &Target::Subject).unwrap(), Done::Erased);
    assert!(!left.exists() && !path.exists());
    assert!(desk.subjects.find(made.alias.as_ref().unwrap()).unwrap().is_none());
}
