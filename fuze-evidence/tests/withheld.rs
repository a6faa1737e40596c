//! Who has no keys cannot read content, and still sees whether it is there: what is gone without a statement is missing, not withheld.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;

use common::desk::{Desk, Made, Says};
use common::{at, name};
use fuze_evidence::annex::ErasureReason;
use fuze_evidence::erase::{Done, Order, Repeat, Target};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{ContentCounts, Report, TrustedKeys, VerifyError, verify};
use fuze_evidence::{Signer as _, jcs};
use serde_json::{Value, json};

/// Three contents: two leaves, nine leaves (of 16 hashes), one leaf.
fn make(desk: &Desk) -> Made {
    desk.make(&Says {
        input: &json!({"name": "Zoë", "case": 17}),
        answers: &[json!([1, 2, 3, 4, 5, 6, 7, 8, 9])],
        decisions: &[json!("a rationale")],
        subject: true,
        closed: true,
    })
}

/// What an auditor without the master key finds.
fn look(desk: &Desk, made: &Made) -> Result<Report, VerifyError> {
    let key = PublicKey::from_bytes(desk.signer.public_key()).unwrap();
    let trusted = TrustedKeys::new().run_key(key);
    let path = desk.archive().annex_path(&desk.tenant);
    if !path.exists() {
        return verify(&desk.run_directory(made.run), &trusted);
    }
    let annex = fuze_evidence::Annex::read(&fs::read(path).unwrap(), &trusted)?;
    verify(&desk.run_directory(made.run), &trusted.annex(&annex))
}

fn counts(erased: u64, withheld: u64, missing: u64) -> ContentCounts {
    ContentCounts { verified: 0, erased, withheld, missing }
}

/// Changes one line of a file of the run.
fn change(desk: &Desk, made: &Made, file: &str, line: usize, change: &dyn Fn(&mut Value)) {
    let path = desk.run_directory(made.run).join(file);
    let text = fs::read_to_string(&path).unwrap();
    let mut octets = Vec::new();
    for (number, text) in text.lines().enumerate() {
        let mut value: Value = serde_json::from_str(text).unwrap();
        if number == line {
            change(&mut value);
        }
        octets.extend(jcs::to_vec(&value).unwrap());
        octets.push(b'\n');
    }
    fs::write(path, octets).unwrap();
}

fn leaves(line: &mut Value) -> impl Iterator<Item = &mut serde_json::Map<String, Value>> {
    line["leaves"].as_array_mut().unwrap().iter_mut().map(|leaf| leaf.as_object_mut().unwrap())
}

/// So many octets under the keys of a content: what is left of `wrapped` is as good as anything, to whoever cannot open it.
fn wrap(octets: usize) -> impl Fn(&mut Value) {
    move |line| line["wrapped"] = json!("A".repeat((octets * 4).div_ceil(3)))
}

#[test]
fn what_nobody_here_can_open_is_withheld_as_long_as_it_is_there() {
    let desk = Desk::new();
    let made = make(&desk);
    assert_eq!(look(&desk, &made).unwrap().content, counts(0, 32, 0));
    let (root, order) = (
        made.contents[1].root,
        Order { at: at(10_000_000_000), by: name("dpo-1"), reason: ErasureReason::Request },
    );
    let pointers = |pointers: &[&str]| pointers.iter().map(|&pointer| pointer.to_owned()).collect();
    // Seven decoys go with the first.
    for (pointer, repeat, erased) in [("/0", Repeat::Refuse, 8), ("/1", Repeat::ShowCount, 10)] {
        let target = Target::Fields { root, pointers: pointers(&[pointer]), repeat };
        assert_eq!(desk.archive().erase(made.run, &target, &order).unwrap(), Done::Erased);
        let report = look(&desk, &made).unwrap();
        assert!(report.is_verified());
        let listed = desk.annex().entries().len();
        assert_eq!(report.content.missing, 0, "{listed} statements");
        assert!(report.content.erased >= erased - 1 && report.content.erased + report.content.withheld == 32);
    }
    // All that is left of it, and then a content of which everything is named.
    let target = Target::Fields {
        root: made.contents[0].root,
        pointers: pointers(&["/name", "/case"]),
        repeat: Repeat::Refuse,
    };
    assert_eq!(desk.archive().erase(made.run, &target, &order).unwrap(), Done::Erased);
    assert_eq!(look(&desk, &made).unwrap().content.missing, 0);
    assert_eq!(desk.archive().erase(made.run, &Target::Record { root }, &order).unwrap(), Done::Erased);
    let report = look(&desk, &made).unwrap();
    assert_eq!(report.content, counts(24, 8, 0));
}

#[test]
fn cipher_text_and_keys_that_are_gone_are_missing_to_whoever_cannot_open_them() {
    type Harm = fn(&Desk, &Made);
    let harms: [(&str, Harm, u64); 9] = [
        (
            "all cipher text of a content",
            |desk, made| {
                change(desk, made, "content.jsonl", 1, &|line| {
                    leaves(line).for_each(|leaf| drop(leaf.remove("data")))
                });
            },
            9,
        ),
        (
            "the cipher text of one leaf",
            |desk, made| {
                change(desk, made, "content.jsonl", 1, &|line| {
                    leaves(line).find(|leaf| leaf.contains_key("data")).unwrap().remove("data");
                });
            },
            1,
        ),
        (
            "what the cipher texts say",
            |desk, made| {
                change(desk, made, "content.jsonl", 0, &|line| {
                    for leaf in leaves(line).filter(|leaf| leaf.contains_key("data")) {
                        leaf.insert("data".into(), json!(""));
                    }
                });
            },
            2,
        ),
        ("all but a tag of the keys", |desk, made| change(desk, made, "keys.jsonl", 1, &wrap(16)), 8),
        ("all but the keys' kinds", |desk, made| change(desk, made, "keys.jsonl", 2, &wrap(16 + 16)), 16),
        (
            "the keys of one leaf",
            |desk, made| change(desk, made, "keys.jsonl", 1, &wrap(16 + 65 + 6 * 33 + 1)),
            8,
        ),
        (
            "an octet of the keys",
            |desk, made| change(desk, made, "keys.jsonl", 1, &wrap(16 + 2 * 65 + 6 * 33 - 1)),
            8,
        ),
        (
            "cipher text, and the keys as if there had been decoys alone",
            |desk, made| {
                change(desk, made, "content.jsonl", 0, &|line| {
                    leaves(line).for_each(|leaf| drop(leaf.remove("data")))
                });
                change(desk, made, "keys.jsonl", 1, &wrap(16 + 8 * 33));
            },
            8,
        ),
        (
            "cipher text, and the keys as if there had been fewer leaves than a list of 16 has",
            |desk, made| {
                change(desk, made, "content.jsonl", 1, &|line| {
                    leaves(line)
                        .filter(|leaf| leaf.contains_key("data"))
                        .take(1)
                        .for_each(|leaf| drop(leaf.remove("data")));
                });
                change(desk, made, "keys.jsonl", 2, &wrap(16 + 8 * 65 + 8 * 33));
            },
            16,
        ),
    ];
    for (what, harm, missing) in harms {
        let desk = Desk::new();
        let made = make(&desk);
        harm(&desk, &made);
        let report = look(&desk, &made).unwrap();
        assert!(!report.is_verified(), "{what}");
        assert_eq!(report.content, counts(0, 32 - missing, missing), "{what}");
    }
    // More cipher text than keys, or than a decoy ever has, is no content.
    let desk = Desk::new();
    let made = make(&desk);
    change(&desk, &made, "content.jsonl", 0, &|line| {
        leaves(line).for_each(|leaf| drop(leaf.insert("data".into(), json!("A".repeat(40)))));
    });
    assert!(matches!(look(&desk, &made), Err(VerifyError::Failed(_))));
}

/// A statement about fields explains these, and no other.
#[test]
fn a_statement_explains_no_more_than_it_lists() {
    let desk = Desk::new();
    let made = make(&desk);
    let order = Order { at: at(10_000_000_000), by: name("dpo-1"), reason: ErasureReason::Request };
    let target =
        Target::Fields { root: made.contents[1].root, pointers: vec!["/0".into()], repeat: Repeat::Refuse };
    assert_eq!(desk.archive().erase(made.run, &target, &order).unwrap(), Done::Erased);
    change(&desk, &made, "content.jsonl", 1, &|line| leaves(line).for_each(|leaf| drop(leaf.remove("data"))));
    assert_eq!(look(&desk, &made).unwrap().content, counts(8, 16, 8));
}
