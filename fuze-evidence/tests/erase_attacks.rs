//! Attacks on erasure over files: orders that would say something untrue, tell too much, hold nothing, or stand in the way of all others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::desk::{Desk, Made, Says};
use common::scan::walk;
use common::{at, name, person, times};
use fuze_evidence::annex::{
    AnnexError, Contest, Erased, Erasure, ErasureReason, Event, Hold, HoldReason, HoldScope,
};
use fuze_evidence::disclose::{Choice, disclose_run};
use fuze_evidence::erase::{Archive, Done, EraseError, KeysAlone, Order, Registrar, Repeat, Target};
use fuze_evidence::keys::{FileSigner, Signer as _, SubjectKeys as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{ContentCounts, TrustedKeys, VerifyError, What, verify};
use fuze_evidence::{Annex, Timestamp};
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

fn targets(made: &Made) -> [Target; 4] {
    let root = made.contents[0].root;
    [
        Target::Fields { root, pointers: vec!["/name".into()], repeat: Repeat::Refuse },
        Target::Record { root },
        Target::Run,
        Target::Subject,
    ]
}

fn erased(erased: u64) -> ContentCounts {
    ContentCounts { verified: 24 - erased, erased, withheld: 0, missing: 0 }
}

/// The clock of whoever orders stands before the run's close: the statement would be untrue, and the run fail for good.
#[test]
fn a_clock_behind_the_close_makes_no_untrue_statement() {
    for early in [at(0), Timestamp::from_nanos(0).unwrap()] {
        for (number, gone) in [7, 8, 24, 24].into_iter().enumerate() {
            let desk = Desk::new();
            let made = make(&desk);
            let target = targets(&made).into_iter().nth(number).unwrap();
            let order = Order { at: early, ..order() };
            assert_eq!(desk.archive().erase(made.run, &target, &order).unwrap(), Done::Erased);
            let report = desk.verify(made.run).unwrap_or_else(|error| panic!("{target:?}: {error}"));
            assert!(report.is_verified());
            assert_eq!(report.content, erased(gone));
            assert_eq!(desk.annex().entries()[0].at, times(30).ended_at);
        }
    }
}

/// All decoys and nothing else: what is left would be the real leaves, to be counted by anyone.
#[test]
fn naming_no_field_does_not_take_the_decoys() {
    let desk = Desk::new();
    let made = make(&desk);
    let root = made.contents[0].root;
    for repeat in [Repeat::Refuse, Repeat::ShowCount] {
        let nothing = Target::Fields { root, pointers: vec![], repeat };
        let refused = desk.archive().erase(made.run, &nothing, &order());
        assert!(matches!(refused, Err(EraseError::NothingNamed)), "{refused:?}");
    }
    assert_eq!(desk.verify(made.run).unwrap().content, erased(0));
    assert_eq!(desk.archive().annex(&desk.tenant).unwrap().entries(), []);
}

/// A hold in the annex of a tenant that is not the run's would hold nothing, and say that it does.
#[test]
fn what_is_said_of_a_run_is_said_where_it_is_heard() {
    let desk = Desk::new();
    let made = make(&desk);
    let (archive, other) = (desk.archive(), name("other"));
    let held = |run| Hold { scope: HoldScope::Run(run), reason: HoldReason::LegalClaims };
    let hold = held(made.run);
    let contest = Contest { run_id: made.run, root: None, statement: made.contents[0].root };
    for refused in [
        archive.hold(&other, hold, at(5), &name("legal")),
        archive.release(&other, hold, at(5), &name("legal")),
        archive.contest(&other, contest, at(5), &name("legal")),
        archive.late_outcome(&other, contest, at(5), &name("legal")),
    ] {
        assert!(
            matches!(&refused, Err(EraseError::OtherTenant { found }) if *found == desk.tenant),
            "{refused:?}"
        );
    }
    // A run that is not here would not be held either: a slip of the pen, most likely.
    let elsewhere = make(&Desk::new()).run;
    let refused = archive.hold(&desk.tenant, held(elsewhere), at(5), &name("legal"));
    assert!(matches!(refused, Err(EraseError::UnknownRun(run)) if run == elsewhere), "{refused:?}");
    assert!(!desk.place.path().join("annex").exists());
    archive.hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
    archive.contest(&desk.tenant, contest, at(6), &name("legal")).unwrap();
    for target in targets(&made) {
        let refused = archive.erase(made.run, &target, &order());
        assert!(matches!(refused, Err(EraseError::Annex(AnnexError::Held { line: 0, .. }))), "{target:?}");
    }
    // A run that has not closed can be held, and a hold outlives the run's own directory.
    let open =
        desk.make(&Says { input: &json!(1), answers: &[], decisions: &[], subject: true, closed: false });
    archive.hold(&desk.tenant, held(open.run), at(7), &name("legal")).unwrap();
    fs::remove_dir_all(desk.run_directory(made.run)).unwrap();
    archive.release(&desk.tenant, hold, at(8), &name("legal")).unwrap();
}

/// The statement says that a field is gone, the cipher text is there, and whoever looks has no key that would open it.
#[test]
fn a_stranger_sees_that_what_is_said_to_be_gone_is_there() {
    let desk = Desk::new();
    let made = make(&desk);
    let line = String::from_utf8(made.contents[0].content_line.clone()).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let leaves = line["leaves"].as_array().unwrap();
    let (there, gone): (Vec<_>, Vec<_>) = leaves.iter().partition(|leaf| leaf.get("data").is_some());
    let hash = |leaf: &serde_json::Value| leaf["hash"].as_str().unwrap().parse().unwrap();
    let key = PublicKey::from_bytes(desk.signer.public_key()).unwrap();
    let verify = |leaf: &serde_json::Value| {
        let mut annex = Annex::begin(name("hr.example.eu"), desk.tenant.clone());
        let what = Erased::Field { root: made.contents[0].root, leaves: vec![hash(leaf)] };
        let event = Event::Erased(Erasure { run_id: made.run, reason: ErasureReason::Request, what });
        annex.append(order().at, name("dpo-1"), event, &*desk.signer).unwrap();
        verify(&desk.run_directory(made.run), &TrustedKeys::new().run_key(key).annex(&annex))
    };
    // A decoy has no cipher text. That the keys are longer than they would be without its salt, they show to anyone.
    let report = verify(gone[0]).unwrap();
    assert!(!report.is_verified() && report.content.missing == 1, "{report:?}");
    let Err(VerifyError::Failed(failure)) = verify(there[0]) else { panic!("it is there") };
    assert!(matches!(&failure.what, What::StillThere { what } if what.contains("cipher text")), "{failure}");
}

/// All files but the annex.
fn files(desk: &Desk) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = walk(desk.place.path()).into_iter().filter(|path| !path.to_string_lossy().contains("/annex/"));
    all.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A line that cannot be read, found when half of the erasure is done, would leave an intent that nobody can finish, and with it no
/// erasure and no hold of any tenant.
#[test]
fn a_run_that_cannot_be_erased_from_stands_in_nobodys_way() {
    type Spoil = fn(&mut Vec<u8>);
    let spoils: [(&str, Spoil); 4] = [
        ("content.jsonl", |octets| octets.truncate(octets.len() - 1)),
        ("content.jsonl", |octets| octets[0] = b'['),
        ("content.jsonl", |octets| octets.extend_from_slice(b"{}\n")),
        ("keys.jsonl", |octets| octets.truncate(octets.len() - 1)),
    ];
    for (file, spoil) in spoils {
        for target in [0, 1] {
            let desk = Desk::new();
            let (made, other) = (make(&desk), make(&desk));
            let path = desk.run_directory(made.run).join(file);
            let mut octets = fs::read(&path).unwrap();
            spoil(&mut octets);
            fs::write(&path, &octets).unwrap();
            let before = files(&desk);
            let target = targets(&made).into_iter().nth(target).unwrap();
            let refused = desk.archive().erase(made.run, &target, &order());
            assert!(
                matches!(refused, Err(EraseError::Line { .. } | EraseError::Missing { .. })),
                "{file} {target:?}: {refused:?}"
            );
            assert_eq!(files(&desk), before, "{file} {target:?}");
            // Others go on, and the run as a whole can still go.
            assert_eq!(desk.archive().erase(other.run, &Target::Run, &order()).unwrap(), Done::Erased);
            assert_eq!(desk.archive().erase(made.run, &Target::Subject, &order()).unwrap(), Done::Erased);
            assert_eq!(desk.verify(made.run).unwrap().content, erased(24));
        }
    }
    // Something in the run's directory that no run has there.
    let desk = Desk::new();
    let made = make(&desk);
    fs::create_dir(desk.run_directory(made.run).join("x")).unwrap();
    let last = times(30).ended_at.plus_days(3650).unwrap();
    assert!(matches!(desk.archive().retain(made.run, last), Err(EraseError::Line { .. })));
    assert_eq!(desk.verify(made.run).unwrap().content, erased(0));
    fs::remove_dir(desk.run_directory(made.run).join("x")).unwrap();
    assert_eq!(desk.archive().retain(made.run, last).unwrap(), Done::Erased);
}

/// A file that was being written beside another one, and whose order nobody has any more.
#[test]
fn what_lies_beside_a_file_half_written_goes_with_it() {
    for number in 0..4 {
        let desk = Desk::new();
        let made = make(&desk);
        for file in ["content.jsonl", "keys.jsonl"] {
            let path = desk.run_directory(made.run).join(file);
            fs::copy(&path, path.with_extension("jsonl.new")).unwrap();
        }
        let target = targets(&made).into_iter().nth(number).unwrap();
        assert_eq!(desk.archive().erase(made.run, &target, &order()).unwrap(), Done::Erased);
        let left = walk(&desk.run_directory(made.run));
        assert!(left.iter().all(|path| path.extension().is_some_and(|end| end == "jsonl")), "{left:?}");
    }
}

/// One alias in two runs, against all rules: the key goes, so both are said to have gone.
#[test]
fn two_runs_under_one_alias_both_answer() {
    let desk = Desk::new();
    let first = make(&desk);
    let second = make(&desk);
    // The second run again, as if its records had been begun under the first one's alias.
    let (from, to) = (second.alias.clone().unwrap(), first.alias.clone().unwrap());
    let path = desk.run_directory(second.run).join("records.jsonl");
    let text = fs::read_to_string(&path).unwrap().replace(from.as_str(), to.as_str());
    fs::write(&path, text).unwrap();
    let erased =
        desk.archive().keys_alone(KeysAlone::Erase).erase_person(person(&desk.tenant), &order()).unwrap();
    assert_eq!(erased.runs.keys().copied().collect::<Vec<_>>(), {
        let mut runs = vec![first.run, second.run];
        runs.sort_unstable();
        runs
    });
    assert!(erased.runs.values().all(|done| matches!(done, Ok(Done::Erased))), "{erased:?}");
    assert_eq!(erased.keys_alone, [from]);
    for made in [&first, &second] {
        assert!(!desk.run_directory(made.run).join("keys.jsonl").exists());
    }
}

/// A key under whose alias no run is here opens something that is elsewhere: a freeze of the tenant is a freeze of that too.
#[test]
fn a_tenants_hold_keeps_the_keys_of_runs_that_are_elsewhere() {
    let desk = Desk::new();
    let made = make(&desk);
    let orphan = name("s-orphan");
    desk.subjects.create(&orphan, person(&desk.tenant)).unwrap();
    let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::EvidenceFreeze };
    let archive = desk.archive().keys_alone(KeysAlone::Erase);
    archive.hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
    let refused = archive.erase_person(person(&desk.tenant), &order());
    assert!(matches!(refused, Err(EraseError::Annex(AnnexError::Held { line: 0, .. }))), "{refused:?}");
    assert!(desk.subjects.find(&orphan).unwrap().is_some());
    assert_eq!(desk.verify(made.run).unwrap().content, erased(0));
    archive.release(&desk.tenant, hold, at(6), &name("legal")).unwrap();
    let done = archive.erase_person(person(&desk.tenant), &order()).unwrap();
    assert_eq!((done.runs.len(), done.keys_alone), (1, vec![orphan.clone()]));
    assert!(desk.subjects.find(&orphan).unwrap().is_none());
}

/// A place that has nothing of a person knows nothing of the holds on what the person's keys open elsewhere.
#[test]
fn keys_of_runs_that_are_elsewhere_stay_unless_their_erasure_is_ordered() {
    let desk = Desk::new();
    let made = make(&desk);
    let alias = made.alias.clone().unwrap();
    let hold = Hold { scope: HoldScope::Run(made.run), reason: HoldReason::EvidenceFreeze };
    desk.archive().hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
    // Another directory over the same keys: empty, under the same registrar and under a stranger's.
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap());
    let strange = || Registrar::new(name("any.example.eu"), stranger.clone()).unwrap();
    for registrar in [desk.registrar(), strange()] {
        let archive = Archive::new(elsewhere.path(), registrar).subject_keys(&desk.subjects);
        let done = archive.erase_person(person(&desk.tenant), &order()).unwrap();
        assert!(done.runs.is_empty() && done.keys_alone.is_empty(), "{done:?}");
        assert_eq!(done.keys_left, std::slice::from_ref(&alias));
        // Nor by order, of a tenant of whom nothing is there.
        let archive = archive.keys_alone(KeysAlone::Erase);
        let refused = archive.erase_person(person(&desk.tenant), &order());
        assert!(matches!(refused, Err(EraseError::UnknownTenant { .. })), "{refused:?}");
    }
    assert!(desk.subjects.find(&alias).unwrap().is_some());
    assert_eq!(desk.verify(made.run).unwrap().content, erased(0));
    // Where the tenant is, a stranger's order is no order either.
    let orphan = name("s-orphan");
    desk.subjects.create(&orphan, person(&desk.tenant)).unwrap();
    let archive = Archive::new(desk.place.path(), strange()).subject_keys(&desk.subjects);
    let refused = archive.keys_alone(KeysAlone::Erase).erase_person(person(&desk.tenant), &order());
    assert!(matches!(refused, Err(EraseError::AnnexBroken(_))), "{refused:?}");
    assert!(desk.subjects.find(&orphan).unwrap().is_some());
}

/// Whoever has the directory puts a held run's first record aside, and orders the person's erasure: the run is here, its keys say so.
#[test]
fn a_run_without_its_first_record_is_still_here() {
    let desk = Desk::new();
    let made = make(&desk);
    let alias = made.alias.clone().unwrap();
    let hold = Hold { scope: HoldScope::Run(made.run), reason: HoldReason::LegalClaims };
    desk.archive().hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
    let records = desk.run_directory(made.run).join("records.jsonl");
    let whole = fs::read(&records).unwrap();
    for left in [None, Some(0), Some(300)] {
        match left {
            None => fs::remove_file(&records).unwrap(),
            Some(length) => fs::write(&records, &whole[..length]).unwrap(),
        }
        for keys_alone in [KeysAlone::Keep, KeysAlone::Erase] {
            let archive = desk.archive().keys_alone(keys_alone);
            let done = archive.erase_person(person(&desk.tenant), &order()).unwrap();
            assert!(matches!(&done.runs[&made.run], Err(EraseError::Line { .. })), "{done:?}");
            assert!(done.keys_alone.is_empty() && done.keys_left.is_empty(), "{done:?}");
        }
    }
    assert!(desk.subjects.find(&alias).unwrap().is_some());
    fs::write(&records, whole).unwrap();
    assert_eq!(desk.verify(made.run).unwrap().content, erased(0));
}

/// An order that was refused leaves the evidence as it was for whoever verifies next.
#[test]
fn a_refused_order_says_nothing() {
    let desk = Desk::new();
    let made = make(&desk);
    let nothing = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
    let refused = desk.archive().release(&desk.tenant, nothing, at(5), &name("legal"));
    assert!(matches!(refused, Err(EraseError::Annex(AnnexError::NothingHeld))));
    let nowhere = Target::Record { root: fuze_evidence::Hash::ZERO };
    assert!(desk.archive().erase(made.run, &nowhere, &order()).is_err());
    // A file in which nothing is said is no annex, and a verifier that finds one refuses every run of the tenant.
    let path = desk.archive().annex_path(&desk.tenant);
    assert!(!path.exists());
    // What was left of one that was cut off goes too.
    for left in ["", "{\"entry\""] {
        fs::write(&path, left).unwrap();
        assert_eq!(desk.archive().recover().unwrap().cut.len(), usize::from(!left.is_empty()));
        assert!(!path.exists());
    }
    assert!(desk.verify(made.run).unwrap().is_verified());
    desk.archive().hold(&desk.tenant, nothing, at(6), &name("legal")).unwrap();
    assert!(matches!(desk.annex().entries()[0].event, Event::Hold(_)));
}

/// A key of an object and an index of an array, an empty key, an escaped key and one that only begins alike.
#[test]
fn a_pointer_discloses_what_it_names_and_no_neighbour() {
    let value = json!({
        "a": {"b": 1, "bc": 2, "": 3}, "a/b": 4, "a~1b": 5, "": {"": 6, "a": 7}, "l": [8, [9], {"0": 10}],
    });
    let cases: [(&str, &[&str]); 9] = [
        ("/a/b", &["/a/b"]),
        ("/a~1b", &["/a~1b"]),
        ("/a~01b", &["/a~01b"]),
        ("/a/", &["/a/"]),
        ("/", &["//", "//a"]),
        ("//", &["//"]),
        ("/l/1", &["/l/1/0"]),
        ("/l/2", &["/l/2", "/l/2/0"]),
        ("/l/2/0", &["/l/2/0"]),
    ];
    let desk = Desk::new();
    let made = desk.make(&Says { input: &value, answers: &[], decisions: &[], subject: false, closed: true });
    let root = made.contents[0].root;
    for (pointer, expected) in cases {
        let choices = BTreeMap::from([(root, Choice::Fields(vec![pointer.to_owned()]))]);
        let chosen = disclose_run(&desk.run_directory(made.run), &desk.master, None, &choices).unwrap();
        let fields = chosen[0].fields(root).unwrap();
        assert_eq!(fields.keys().copied().collect::<Vec<_>>(), expected, "{pointer}");
        // Of nothing else a salt, a value or a path: all that is not chosen is one hash each.
        let text = String::from_utf8(chosen[0].to_bytes().unwrap()).unwrap();
        assert_eq!(text.matches("\"salt\"").count(), expected.len(), "{pointer}");
        assert_eq!(text.matches("{\"hash\"").count(), 16 - expected.len(), "{pointer}");
    }
    for nothing in ["/A/b", "/a/b/", "/l/01", "/l/-", "/a~2b", "/é", "/e\u{301}", "a", "/l/1/0/0"] {
        let choices = BTreeMap::from([(root, Choice::Fields(vec![nothing.to_owned()]))]);
        assert!(
            disclose_run(&desk.run_directory(made.run), &desk.master, None, &choices).is_err(),
            "{nothing}"
        );
    }
}

/// A first record that cannot be read hides whose the run is, and keeps nothing of anybody else.
#[test]
fn a_run_that_cannot_be_read_stops_for_itself_alone() {
    // Its keys still say whose it is, or are gone; and then a hold may stand on it.
    for (keys, held) in [(true, false), (false, false), (false, true)] {
        let desk = Desk::new();
        let (first, harmed, last) = (make(&desk), make(&desk), make(&desk));
        let hold = Hold { scope: HoldScope::Run(harmed.run), reason: HoldReason::LegalClaims };
        if held {
            desk.archive().hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
        }
        let records = desk.run_directory(harmed.run).join("records.jsonl");
        let text = fs::read_to_string(&records).unwrap();
        fs::write(&records, text.replacen('{', "[", 1)).unwrap();
        if !keys {
            fs::remove_file(desk.run_directory(harmed.run).join("keys.jsonl")).unwrap();
        }
        let archive = desk.archive().keys_alone(KeysAlone::Erase);
        let done = archive.erase_person(person(&desk.tenant), &order()).unwrap();
        assert_eq!(done.runs.len(), 3);
        for made in [&first, &last] {
            assert!(matches!(done.runs[&made.run], Ok(Done::Erased)), "{done:?}");
            assert_eq!(desk.verify(made.run).unwrap().content, erased(24));
        }
        let refused = done.runs[&harmed.run].as_ref().unwrap_err();
        assert!(matches!(refused, EraseError::Line { path, .. } if *path == records), "{refused}");
        // Its key stays with what it opens; one of which nothing here says what it opens goes, but not past a hold.
        let alias = harmed.alias.clone().unwrap();
        let gone = !keys && !held;
        assert_eq!(done.keys_alone, if gone { vec![alias.clone()] } else { vec![] });
        assert_eq!(desk.subjects.find(&alias).unwrap().is_none(), gone);
        // Of somebody else whom its keys do not name it is no answer.
        let other_tenant = name("other");
        let done = desk.archive().erase_person(person(&other_tenant), &order()).unwrap();
        assert_eq!(
            done.runs.keys().copied().collect::<Vec<_>>(),
            if keys { vec![] } else { vec![harmed.run] }
        );
    }
}
