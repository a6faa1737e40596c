//! What leaves alone tell.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../fuze-evidence/tests/common/mod.rs"]
mod common;

use common::at;
use fuze_evidence::{Hash, Timestamp, sha256};
use fuze_log::{Finding, LogLeaf, Monitor};

fn leaf(kind: &str, tag: u8, deadline: Option<Timestamp>) -> Vec<u8> {
    let deadline = deadline.map(|time| format!("\"deadline\":\"{time}\",")).unwrap_or_default();
    let text = format!(
        "{{\"commit\":\"{}\",{deadline}\"domain\":\"fuze/log-leaf/v1\",\"kind\":\"{kind}\",\"runTag\":\"{}\"}}",
        sha256(b"commit"),
        tag_of(tag)
    );
    LogLeaf::read(text.as_bytes()).unwrap();
    text.into_bytes()
}

fn tag_of(tag: u8) -> Hash {
    sha256(&[tag])
}

fn open(tag: u8, deadline: u64) -> Vec<u8> {
    leaf("run_open", tag, Some(at(deadline)))
}

fn close(tag: u8) -> Vec<u8> {
    leaf("run_close", tag, None)
}

fn report(leaves: &[Vec<u8>], now: u64) -> Vec<Finding> {
    let mut monitor = Monitor::new();
    for (leaf, index) in leaves.iter().zip(0..) {
        monitor.observe(index, leaf);
    }
    monitor.report(at(now))
}

#[test]
fn an_open_without_a_close_is_reported_once_its_deadline_has_passed() {
    let leaves = [open(1, 100), open(2, 200), close(1), leaf("annex", 3, None), leaf("key", 4, None)];
    assert_eq!(report(&leaves, 200), []);
    let overdue = Finding::Overdue { tag: tag_of(2), index: 1, deadline: at(200) };
    assert_eq!(report(&leaves, 201), [overdue]);
    let late = [&leaves[..], &[close(2)]].concat();
    assert_eq!(report(&late, 201), [], "late, but closed");
}

#[test]
fn what_comes_twice_or_alone_is_reported_and_mends_nothing() {
    let (tag, first) = (tag_of(1), 0);
    assert_eq!(
        report(&[open(1, 100), close(1), close(1)], 101),
        [Finding::ClosedTwice { tag, first: 1, again: 2 }]
    );
    // A second open does not put off the deadline.
    assert_eq!(
        report(&[open(1, 100), open(1, 900)], 101),
        [
            Finding::Overdue { tag, index: 0, deadline: at(100) },
            Finding::OpenedTwice { tag, first, again: 1 }
        ]
    );
    assert_eq!(
        report(&[open(1, 100), close(1), open(1, 900)], 901),
        [Finding::OpenedTwice { tag, first: 1, again: 2 }]
    );
    assert_eq!(
        report(&[close(1), open(1, 100)], 101),
        [Finding::ClosedUnopened { tag, index: 0 }, Finding::TagReused { tag, first: 0, again: 1 }]
    );
    assert_eq!(
        report(&[open(1, 100), leaf("annex", 1, None), close(1)], 101),
        [Finding::TagReused { tag, first: 0, again: 1 }]
    );
    assert_eq!(
        report(&[leaf("annex", 1, None), leaf("key", 1, None)], 0),
        [Finding::TagReused { tag, first: 0, again: 1 }]
    );
}

#[test]
fn octets_that_are_no_leaf_are_reported_by_index() {
    let mut broken = open(1, 100);
    broken.push(b' ');
    let found = report(&[close(2), broken], 0);
    assert!(matches!(found[1], Finding::Unreadable { index: 1, .. }), "{found:?}");
}
