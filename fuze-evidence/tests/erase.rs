//! Erasure over files: what is gone is gone in every form, what stays verifies, and nothing untrue is said.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use common::desk::{Desk, Given, Made, Says};
use common::scan::{find, prove_itself};
use common::{at, name, person};
use fuze_evidence::annex::{
    AnnexError, Contest, Erased, Erasure, ErasureReason, Event, Hold, HoldReason, HoldScope,
};
use fuze_evidence::disclose::{Choice, DiscloseError, disclose_run};
use fuze_evidence::erase::{Done, EraseError, KeysAlone, Order, Repeat, Target};
use fuze_evidence::keys::SubjectKeys as _;
use fuze_evidence::verify::{ContentCounts, Report, TrustedKeys, VerifyError, What, verify};
use fuze_evidence::{Hash, Timestamp, sha256};
use serde_json::{Value, json};

const NAME: &str = "Zoë \"Q\" \\ O'Hara of Ballinasloe";
const STREET: &str = "17 Unterführung, Überlingen";
const VERDICT: &str = "recommended by the panel of Ü three";
const OTHER: &str = "what stays whatever happens to others";

fn order() -> Order {
    Order { at: at(10_000_000_000), by: name("dpo-1"), reason: ErasureReason::Request }
}

/// A run with three contents: a dossier, an answer, a decision.
fn make(desk: &Desk) -> Made {
    desk.make(&Says {
        input: &json!({"person": {"name": NAME, "homes": [STREET, STREET]}, "case": OTHER}),
        answers: &[json!({"text": VERDICT})],
        decisions: &[json!({"rationale": "a person looked at it for a long time"})],
        subject: true,
        closed: true,
    })
}

fn target(made: &Made, pointers: &[&str]) -> Target {
    let pointers = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
    Target::Fields { root: made.contents[0].root, pointers, repeat: Repeat::Refuse }
}

fn erase(desk: &Desk, made: &Made, pointers: &[&str]) {
    let done = desk.archive().erase(made.run, &target(made, pointers), &order());
    assert_eq!(done.unwrap(), Done::Erased);
}

fn counts(verified: u64, erased: u64, withheld: u64, missing: u64) -> ContentCounts {
    ContentCounts { verified, erased, withheld, missing }
}

fn failure(result: Result<Report, VerifyError>) -> (&'static str, u64, What) {
    match result {
        Err(VerifyError::Failed(failure)) => (failure.file, failure.line, failure.what),
        other => panic!("expected a failure, found {other:?}"),
    }
}

/// The cipher text of a content's leaves whose paths are `under`, and the wrapped keys of all of it, as octets.
fn ciphers(given: &Given, under: &str) -> Vec<Vec<u8>> {
    let line: Value = serde_json::from_slice(&given.content_line).unwrap();
    let keys: Value = serde_json::from_slice(&given.keys_line).unwrap();
    let octets = |value: &Value| Base64UrlUnpadded::decode_vec(value.as_str().unwrap()).unwrap();
    let mut found = vec![octets(&keys["wrapped"]), octets(&keys["nonce"])];
    for (leaf, opened) in line["leaves"].as_array().unwrap().iter().zip(&given.disclosure.leaves) {
        let path = serde_json::to_value(opened).unwrap()["leaf"]["path"].clone();
        if path.as_str().is_some_and(|path| path.starts_with(under)) {
            found.push(octets(&leaf["data"]));
        }
    }
    found
}

fn secrets(made: &Made, content: usize, under: &str) -> Vec<Vec<u8>> {
    let mut secrets = ciphers(&made.contents[content], under);
    secrets.extend([NAME, STREET].map(|text| text.as_bytes().to_vec()));
    secrets
}

#[test]
fn the_scan_can_find() {
    prove_itself();
}

#[test]
fn a_field_goes_with_all_below_it_and_the_rest_stays() {
    let desk = Desk::new();
    let made = make(&desk);
    let before = secrets(&made, 0, "/person");
    // Cipher text and wrapped keys are there before, so that not finding them afterwards says something.
    for cipher in ciphers(&made.contents[0], "/person") {
        assert!(find(desk.place.path(), &cipher).is_some());
    }
    erase(&desk, &made, &["/person"]);
    for secret in &before {
        assert_eq!(find(desk.place.path(), secret), None);
    }
    let report = desk.verify(made.run).unwrap();
    assert!(report.is_verified(), "{report:?}");
    // Three leaves and four decoys of the first content are gone, its last leaf and the other contents are there.
    assert_eq!(report.content, counts(1 + 8 + 8, 7, 0, 0));
    made.contents.iter().for_each(Given::still_holds);
    // The chain is the one before, octet for octet, and stands without the annex.
    let bare = verify(&desk.run_directory(made.run), &desk.trusted()).unwrap();
    assert_eq!((bare.head, bare.content), (report.head, counts(17, 0, 0, 7)));
    let left = disclose_run(&desk.run_directory(made.run), &desk.master, Some(&desk.subjects), &all(&made));
    let left = left.unwrap();
    let fields = left[0].fields(made.contents[0].root).unwrap();
    assert_eq!(fields, BTreeMap::from([("/case", &json!(OTHER))]));
}

fn all(made: &Made) -> BTreeMap<Hash, Choice> {
    made.contents.iter().map(|given| (given.root, Choice::All)).collect()
}

#[test]
fn each_of_the_four_states_is_told_apart() {
    let desk = Desk::new();
    let made = make(&desk);
    erase(&desk, &made, &["/person/name"]);
    let (annex, directory) = (desk.annex(), desk.run_directory(made.run));
    // VERIFIED and ERASED with the keys.
    let keys = || desk.trusted().annex(&annex);
    assert_eq!(verify(&directory, &keys()).unwrap().content, counts(3 + 16, 5, 0, 0));
    // WITHHELD without: what is erased is told apart all the same.
    let public =
        fuze_evidence::sign::PublicKey::from_bytes(fuze_evidence::keys::Signer::public_key(&*desk.signer));
    let stranger = TrustedKeys::new().run_key(public.unwrap()).annex(&annex);
    let report = verify(&directory, &stranger).unwrap();
    assert!(report.is_verified());
    assert_eq!(report.content, counts(0, 5, 19, 0));
    // From the records alone as well.
    let report = verify(&directory.join("records.jsonl"), &stranger).unwrap();
    assert_eq!(report.content, counts(0, 5, 19, 0));
    // MISSING: the statement explains five leaves and not a sixth.
    let path = directory.join("content.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let leaves = lines[0]["leaves"].as_array_mut().unwrap();
    let data = leaves.iter_mut().find(|leaf| leaf.get("data").is_some()).unwrap();
    data.as_object_mut().unwrap().remove("data");
    let text: String = lines
        .iter()
        .map(|line| fuze_evidence::jcs::to_vec(line).unwrap())
        .fold(String::new(), |all, line| all + std::str::from_utf8(&line).unwrap() + "\n");
    fs::write(&path, text).unwrap();
    let report = verify(&directory, &keys()).unwrap();
    assert!(!report.is_verified());
    assert_eq!(report.content, counts(2 + 16, 5, 0, 1));
    assert_eq!((report.missing[0].root, report.missing[0].leaves), (made.contents[0].root, 1));
}

#[test]
fn a_record_a_run_and_a_person_go() {
    for scope in 0..3 {
        let desk = Desk::new();
        let (made, other) = (make(&desk), make(&desk));
        let (erase, gone, stays): (Target, Vec<usize>, _) = match scope {
            0 => (Target::Record { root: made.contents[0].root }, vec![0], counts(16, 8, 0, 0)),
            1 => (Target::Run, vec![0, 1, 2], counts(0, 24, 0, 0)),
            _ => (Target::Subject, vec![0, 1, 2], counts(0, 24, 0, 0)),
        };
        let mut secrets: Vec<Vec<u8>> = gone.iter().flat_map(|&at| ciphers(&made.contents[at], "")).collect();
        if scope > 0 {
            let line: Value = serde_json::from_slice(&made.run_line).unwrap();
            secrets.push(Base64UrlUnpadded::decode_vec(line["wrapped"].as_str().unwrap()).unwrap());
        }
        let key_file = desk
            .place
            .path()
            .join("subjects")
            .join(format!("{}.key", sha256(made.alias.as_ref().unwrap().as_str().as_bytes())));
        if scope > 1 {
            let line = fs::read_to_string(&key_file).unwrap();
            let text = line.trim_end().rsplit(':').next().unwrap();
            secrets.push(Base64UrlUnpadded::decode_vec(text).unwrap());
        }
        for secret in &secrets {
            assert!(find(desk.place.path(), secret).is_some());
        }
        assert_eq!(desk.archive().erase(made.run, &erase, &order()).unwrap(), Done::Erased);
        for secret in &secrets {
            assert_eq!(find(desk.place.path(), secret), None, "scope {scope}");
        }
        let report = desk.verify(made.run).unwrap();
        assert!(report.is_verified());
        assert_eq!((report.content, report.records), (stays, 4));
        assert_eq!(key_file.exists(), scope < 2);
        // Another run of the same person, and its key, are untouched.
        assert_eq!(desk.verify(other.run).unwrap().content, counts(24, 0, 0, 0));
        made.contents.iter().for_each(Given::still_holds);
        // Once more changes nothing.
        let annex = fs::read(desk.archive().annex_path(&desk.tenant)).unwrap();
        assert_eq!(desk.archive().erase(made.run, &erase, &order()).unwrap(), Done::Already);
        assert_eq!(fs::read(desk.archive().annex_path(&desk.tenant)).unwrap(), annex);
    }
}

#[test]
fn all_runs_of_a_person_are_found_and_those_that_are_held_stay() {
    let desk = Desk::new();
    let (first, second, held) = (make(&desk), make(&desk), make(&desk));
    let open =
        desk.make(&Says { input: &json!(NAME), answers: &[], decisions: &[], subject: true, closed: false });
    let other_tenant = name("other");
    let stranger = name("s-stranger");
    desk.subjects.create(&stranger, person(&other_tenant)).unwrap();
    let orphan = name("s-orphan");
    desk.subjects.create(&orphan, person(&desk.tenant)).unwrap();
    let hold = Hold { scope: HoldScope::Run(held.run), reason: HoldReason::LegalClaims };
    let archive = desk.archive().keys_alone(KeysAlone::Erase);
    archive.hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
    let erased = archive.erase_person(person(&desk.tenant), &order()).unwrap();
    assert_eq!(erased.runs.len(), 4);
    assert!(matches!(erased.runs[&first.run], Ok(Done::Erased)));
    assert!(matches!(erased.runs[&second.run], Ok(Done::Erased)));
    assert!(matches!(erased.runs[&held.run], Err(EraseError::Annex(AnnexError::Held { line: 0, .. }))));
    assert!(matches!(erased.runs[&open.run], Err(EraseError::NotClosed { waiting: false, .. })));
    assert_eq!(erased.keys_alone, [orphan]);
    assert_eq!(desk.subjects.aliases(person(&desk.tenant)).unwrap().len(), 2);
    assert_eq!(desk.subjects.aliases(person(&other_tenant)).unwrap(), [stranger]);
    assert_eq!(desk.verify(held.run).unwrap().content, counts(24, 0, 0, 0));
    for made in [&first, &second] {
        assert_eq!(desk.verify(made.run).unwrap().content, counts(0, 24, 0, 0));
    }
    // Released, it goes as well; those that are gone are not there twice.
    archive.release(&desk.tenant, hold, at(6), &name("legal")).unwrap();
    let again = archive.erase_person(person(&desk.tenant), &order()).unwrap();
    assert_eq!(again.runs.len(), 2);
    assert!(matches!(again.runs[&held.run], Ok(Done::Erased)));
    assert_eq!(desk.annex().entries().len(), 5);
}

#[test]
fn a_hold_stands_against_every_erasure() {
    let desk = Desk::new();
    let made = make(&desk);
    let archive = desk.archive();
    let before = snapshot(&desk);
    for scope in [HoldScope::Run(made.run), HoldScope::Tenant] {
        for reason in [HoldReason::LegalClaims, HoldReason::EvidenceFreeze] {
            let hold = Hold { scope, reason };
            archive.hold(&desk.tenant, hold, at(5), &name("legal")).unwrap();
            for target in [
                target(&made, &["/person"]),
                Target::Record { root: made.contents[0].root },
                Target::Run,
                Target::Subject,
            ] {
                let refused = archive.erase(made.run, &target, &order());
                assert!(matches!(refused, Err(EraseError::Annex(AnnexError::Held { .. }))), "{target:?}");
            }
            for day in [30, 184, 3650] {
                let refused = archive.retain(made.run, later(day));
                assert!(matches!(refused, Err(EraseError::Annex(AnnexError::Held { .. }))), "{day}");
            }
            assert_eq!(snapshot(&desk), before);
            archive.release(&desk.tenant, hold, at(6), &name("legal")).unwrap();
        }
    }
    assert_eq!(archive.erase(made.run, &Target::Run, &order()).unwrap(), Done::Erased);
}

/// All files but the annex.
fn snapshot(desk: &Desk) -> BTreeMap<String, Vec<u8>> {
    let files = common::scan::walk(desk.place.path()).into_iter();
    let files = files.map(|path| (path.display().to_string(), fs::read(path).unwrap()));
    files.filter(|(path, _)| !path.contains("/annex/")).collect()
}

fn later(days: u32) -> Timestamp {
    at(40).plus_days(days).unwrap()
}

#[test]
fn windows_end_one_after_the_other() {
    let desk = Desk::new();
    let made = make(&desk);
    let archive = desk.archive();
    let just_before =
        |days| Timestamp::from_nanos(i128::try_from(closed(days).as_nanos()).unwrap() - 1).unwrap();
    assert_eq!(archive.retain(made.run, just_before(30)).unwrap(), Done::Already);
    assert_eq!(archive.retain(made.run, closed(30)).unwrap(), Done::Erased);
    assert_eq!(desk.verify(made.run).unwrap().content, counts(8, 16, 0, 0));
    assert_eq!(archive.retain(made.run, just_before(184)).unwrap(), Done::Already);
    assert_eq!(archive.retain(made.run, closed(184)).unwrap(), Done::Erased);
    assert_eq!(desk.verify(made.run).unwrap().content, counts(0, 24, 0, 0));
    assert_eq!(archive.retain(made.run, just_before(3650)).unwrap(), Done::Already);
    assert_eq!(archive.retain(made.run, closed(3650)).unwrap(), Done::Erased);
    assert!(!desk.run_directory(made.run).exists());
    assert!(desk.subjects.find(made.alias.as_ref().unwrap()).unwrap().is_none());
    let annex = desk.annex();
    let reasons: Vec<String> = annex
        .entries()
        .iter()
        .map(|entry| match &entry.event {
            Event::Erased(erasure) => erasure.reason.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reasons, ["content_window", "content_window", "decision_window", "hash_window"]);
    assert!(annex.entries().iter().all(|entry| entry.by == name("retention")));
    made.contents.iter().for_each(Given::still_holds);
    assert!(matches!(archive.retain(made.run, later(4000)), Err(EraseError::UnknownRun(_))));
}

/// When a window of so many days ends for the runs of these tests.
fn closed(days: u32) -> Timestamp {
    let at_close: Timestamp = common::times(30).ended_at;
    at_close.plus_days(days).unwrap()
}

/// A copy of a run whose directory is gone, given back to a verifier: the annex says that it is no longer held.
#[test]
fn a_run_that_is_said_to_be_gone_as_a_whole_is_not_there() {
    let desk = Desk::new();
    let made = make(&desk);
    let files = snapshot(&desk);
    let last = closed(3650);
    assert_eq!(desk.archive().retain(made.run, last).unwrap(), Done::Erased);
    fs::create_dir_all(desk.run_directory(made.run)).unwrap();
    for (path, octets) in files.iter().filter(|(path, _)| path.contains("/runs/")) {
        fs::write(path, octets).unwrap();
    }
    let (file, line, what) = failure(desk.verify(made.run));
    assert!(matches!(what, What::StillThere { .. }), "{what}");
    assert_eq!((file, line), ("annex.jsonl", 0));
    // The close root in the statement is the run's.
    let records = fs::read_to_string(desk.run_directory(made.run).join("records.jsonl")).unwrap();
    let close: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    let root = sha256(&fuze_evidence::jcs::to_vec(&close["payload"]["signature"]).unwrap());
    let annex = desk.annex();
    let Event::Erased(erasure) = &annex.entries()[0].event else { panic!() };
    assert_eq!(erasure.what, Erased::Directory { close_root: root });
}

type Untrue<'m> = (Event, fn(&What) -> bool);

#[test]
fn a_statement_that_is_not_true_fails_the_run() {
    let desk = Desk::new();
    let made = make(&desk);
    let root = made.contents[0].root;
    let leaves: Vec<Hash> = made.contents[0].proofs.iter().map(|(leaf, _)| *leaf).collect();
    let erased = |reason, what| Event::Erased(Erasure { run_id: made.run, reason, what });
    let still: fn(&What) -> bool = |what| matches!(what, What::StillThere { .. });
    let unknown: fn(&What) -> bool = |what| matches!(what, What::Unknown { .. });
    let request = ErasureReason::Request;
    let contest = Contest { run_id: made.run, root: Some(Hash::ZERO), statement: Hash::ZERO };
    let cases: Vec<Untrue<'_>> = vec![
        (erased(request, Erased::Run), still),
        (erased(request, Erased::Subject), still),
        (erased(request, Erased::Record { root }), still),
        (erased(request, Erased::Field { root, leaves: leaves.clone() }), still),
        (erased(request, Erased::Field { root, leaves: leaves[..1].to_vec() }), still),
        (erased(request, Erased::Field { root, leaves: vec![Hash([0xff; 32])] }), unknown),
        (erased(request, Erased::Field { root: Hash::ZERO, leaves: leaves.clone() }), unknown),
        (erased(request, Erased::Record { root: Hash::ZERO }), unknown),
        (Event::Contested(contest), unknown),
        (Event::LateOutcome(contest), unknown),
    ];
    for (event, expected) in cases {
        let mut annex = fuze_evidence::Annex::begin(name("hr.example.eu"), name("acme"));
        annex.append(at(1_000), name("dpo-1"), event.clone(), &*desk.signer).unwrap();
        let (file, line, what) =
            failure(verify(&desk.run_directory(made.run), &desk.trusted().annex(&annex)));
        assert!(expected(&what), "{event:?}: {what}");
        assert_eq!((file, line), ("annex.jsonl", 0));
        // An annex of another tenant or deployment says nothing about this run.
        for (origin, tenant) in [("hr.example.eu", "other"), ("elsewhere", "acme")] {
            let mut foreign = fuze_evidence::Annex::begin(name(origin), name(tenant));
            foreign.append(at(1_000), name("dpo-1"), event.clone(), &*desk.signer).unwrap();
            let report = verify(&desk.run_directory(made.run), &desk.trusted().annex(&foreign)).unwrap();
            assert_eq!(report.content, counts(24, 0, 0, 0));
        }
    }
    // The cipher text went and the salt stayed: whoever has the keys sees that the statement is half true.
    let path = desk.run_directory(made.run).join("content.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let mut line: Value = serde_json::from_str(first).unwrap();
    for leaf in line["leaves"].as_array_mut().unwrap() {
        leaf.as_object_mut().unwrap().remove("data");
    }
    let first = String::from_utf8(fuze_evidence::jcs::to_vec(&line).unwrap()).unwrap();
    fs::write(&path, format!("{first}\n{rest}")).unwrap();
    let mut annex = fuze_evidence::Annex::begin(name("hr.example.eu"), name("acme"));
    let event = erased(request, Erased::Field { root, leaves });
    annex.append(at(1_000), name("dpo-1"), event, &*desk.signer).unwrap();
    let (_, _, what) = failure(verify(&desk.run_directory(made.run), &desk.trusted().annex(&annex)));
    assert!(matches!(&what, What::StillThere { what } if what.contains("salt")), "{what}");
}

/// The run's lines went and the person's key did not: the statement that both did is half true.
#[test]
fn a_subject_whose_key_is_still_there_was_not_erased() {
    let desk = Desk::new();
    let made = make(&desk);
    let alias = made.alias.clone().unwrap();
    assert_eq!(desk.archive().erase(made.run, &Target::Run, &order()).unwrap(), Done::Erased);
    assert!(desk.verify(made.run).unwrap().is_verified());
    let mut annex = desk.annex();
    let what = Erased::Subject;
    let event = Event::Erased(Erasure { run_id: made.run, reason: ErasureReason::Request, what });
    annex.append(order().at, name("dpo-1"), event, &*desk.signer).unwrap();
    let check = || verify(&desk.run_directory(made.run), &desk.trusted().annex(&annex));
    let (_, line, what) = failure(check());
    assert!(matches!(&what, What::StillThere { what } if what.contains("key")), "{what}");
    assert_eq!(line, 1);
    desk.subjects.erase(&alias).unwrap();
    assert!(check().unwrap().is_verified());
}

#[test]
fn an_erasure_before_its_time_fails_the_run() {
    let desk = Desk::new();
    let made = make(&desk);
    let directory = desk.run_directory(made.run);
    fs::remove_file(directory.join("content.jsonl")).unwrap();
    fs::remove_file(directory.join("keys.jsonl")).unwrap();
    let cases = [
        ("dpo-1", ErasureReason::Request, closed(0)),
        // All of it, oversight too: not before the later window.
        ("retention", ErasureReason::ContentWindow, closed(184)),
        ("retention", ErasureReason::DecisionWindow, closed(184)),
    ];
    for (by, reason, from) in cases {
        for early in [false, true] {
            let nanos = i128::try_from(from.as_nanos()).unwrap() - i128::from(early);
            let when = Timestamp::from_nanos(nanos).unwrap();
            let mut annex = fuze_evidence::Annex::begin(name("hr.example.eu"), name("acme"));
            let erasure = Erasure { run_id: made.run, reason, what: Erased::Run };
            annex.append(when, name(by), Event::Erased(erasure), &*desk.signer).unwrap();
            let result = verify(&directory, &desk.trusted().annex(&annex));
            match early {
                false => assert!(result.unwrap().is_verified(), "{reason}"),
                true => assert_eq!(failure(result).2, What::Early { from, at: when }),
            }
        }
    }
}

#[test]
fn what_cannot_be_erased_is_said_and_nothing_is_touched() {
    let desk = Desk::new();
    let made = make(&desk);
    let archive = desk.archive();
    let unsubjected =
        desk.make(&Says { input: &json!(OTHER), answers: &[], decisions: &[], subject: false, closed: true });
    let open =
        desk.make(&Says { input: &json!(OTHER), answers: &[], decisions: &[], subject: true, closed: false });
    let before = snapshot(&desk);
    let refused = |run, target: &Target| archive.erase(run, target, &order()).unwrap_err();
    assert!(matches!(
        refused(made.run, &target(&made, &["/case", "/persons"])),
        EraseError::NoSuchField { index: 1 }
    ));
    // A pointer is no prefix of a text.
    assert!(matches!(refused(made.run, &target(&made, &["/pers"])), EraseError::NoSuchField { index: 0 }));
    let nowhere = Target::Record { root: Hash::ZERO };
    assert!(matches!(refused(made.run, &nowhere), EraseError::UnknownContent { .. }));
    let elsewhere = Target::Fields { root: Hash::ZERO, pointers: vec![], repeat: Repeat::Refuse };
    assert!(matches!(refused(made.run, &elsewhere), EraseError::UnknownContent { .. }));
    assert!(matches!(refused(unsubjected.run, &Target::Subject), EraseError::NoSubject));
    assert!(matches!(refused(open.run, &Target::Run), EraseError::NotClosed { waiting: false, .. }));
    let window = Order { reason: ErasureReason::ContentWindow, ..order() };
    assert!(matches!(archive.erase(made.run, &Target::Run, &window), Err(EraseError::Window)));
    let blind = fuze_evidence::erase::Archive::new(desk.place.path(), desk.registrar());
    for target in [target(&made, &["/case"]), Target::Subject] {
        assert!(
            matches!(blind.erase(made.run, &target, &order()), Err(EraseError::KeysNeeded)),
            "{target:?}"
        );
    }
    let registrar = fuze_evidence::erase::Registrar::new(name("elsewhere"), desk.signer.clone()).unwrap();
    let foreign = fuze_evidence::erase::Archive::new(desk.place.path(), registrar);
    assert!(matches!(foreign.erase(made.run, &Target::Run, &order()), Err(EraseError::OtherOrigin { .. })));
    assert_eq!(snapshot(&desk), before);
    assert_eq!(archive.annex(&desk.tenant).unwrap().entries(), []);
}

#[test]
fn a_second_field_shows_its_count_only_if_that_is_accepted() {
    let desk = Desk::new();
    let made = make(&desk);
    let archive = desk.archive();
    assert_eq!(archive.erase(made.run, &target(&made, &["/case"]), &order()).unwrap(), Done::Erased);
    // The same again, and one that was never there: nobody can tell the two apart any more, so neither is "done".
    let before = snapshot(&desk);
    for (pointers, nothing_at) in [
        (&["/case"][..], 0),
        (&["/never"], 0),
        (&["/person/homes", "/never"], 1),
        (&["/case", "/person/homes"], 0),
    ] {
        for repeat in [Repeat::Refuse, Repeat::ShowCount] {
            let Target::Fields { root, pointers, .. } = target(&made, pointers) else { panic!() };
            let again = Target::Fields { root, pointers, repeat };
            let left = archive.erase(made.run, &again, &order());
            assert!(
                matches!(left, Err(EraseError::NothingLeft { index }) if index == nothing_at),
                "{again:?} {left:?}"
            );
        }
    }
    assert_eq!(snapshot(&desk), before);
    let second = archive.erase(made.run, &target(&made, &["/person/homes"]), &order());
    assert!(matches!(second, Err(EraseError::Repeated)));
    let Target::Fields { root, pointers, .. } = target(&made, &["/person/homes"]) else { panic!() };
    let accepted = Target::Fields { root, pointers, repeat: Repeat::ShowCount };
    assert_eq!(archive.erase(made.run, &accepted, &order()).unwrap(), Done::Erased);
    let listed: Vec<usize> = desk
        .annex()
        .entries()
        .iter()
        .map(|entry| match &entry.event {
            Event::Erased(Erasure { what: Erased::Field { leaves, .. }, .. }) => leaves.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(listed, [5, 7]);
    assert_eq!(desk.verify(made.run).unwrap().content, counts(1 + 16, 7, 0, 0));
    // All of it at once is one statement and shows nothing.
    let all = Target::Record { root };
    assert_eq!(archive.erase(made.run, &all, &order()).unwrap(), Done::Erased);
    assert_eq!(desk.verify(made.run).unwrap().content, counts(16, 8, 0, 0));
    assert_eq!(archive.erase(made.run, &accepted, &order()).unwrap(), Done::Already);
}

/// An index of an array and a key that looks like one; the empty pointer; escapes.
#[test]
fn pointers_reach_what_they_name() {
    let value = json!({"a": [1, 2, {"b": 3}], "o": {"0": "x", "1": "y"}, "s/t": {"~": 1}, "": 5});
    let cases: [(&[&str], &[&str]); 7] = [
        (&["/a/2"], &["/a/2/b"]),
        (&["/a"], &["/a/0", "/a/1", "/a/2/b"]),
        (&["/o"], &["/o", "/o/0", "/o/1"]),
        (&["/o/0"], &["/o/0"]),
        (&["/s~1t/~0"], &["/s~1t/~0"]),
        (&["/"], &["/"]),
        (&[""], &["/", "/a/0", "/a/1", "/a/2/b", "/o", "/o/0", "/o/1", "/s~1t/~0"]),
    ];
    for (pointers, gone) in cases {
        let desk = Desk::new();
        let made =
            desk.make(&Says { input: &value, answers: &[], decisions: &[], subject: false, closed: true });
        erase(&desk, &made, pointers);
        assert!(desk.verify(made.run).unwrap().is_verified());
        let root = made.contents[0].root;
        let left = disclose_run(&desk.run_directory(made.run), &desk.master, None, &all(&made)).unwrap();
        let before = made.contents[0].disclosure.fields(root).unwrap();
        let after = left[0].fields(root).unwrap();
        let lost: Vec<&str> = before.keys().filter(|path| !after.contains_key(*path)).copied().collect();
        assert_eq!(lost, gone, "{pointers:?}");
    }
}

#[test]
fn chosen_fields_are_disclosed_and_checked_without_any_key() {
    let desk = Desk::new();
    let made = make(&desk);
    let directory = desk.run_directory(made.run);
    let root = made.contents[0].root;
    let choose = |choice| {
        let choices = BTreeMap::from([(root, choice)]);
        disclose_run(&directory, &desk.master, Some(&desk.subjects), &choices)
    };
    let chosen = choose(Choice::Fields(vec!["/person/homes".into()])).unwrap();
    assert_eq!(chosen.len(), 3);
    let octets = chosen[0].to_bytes().unwrap();
    let read = fuze_evidence::content::Disclosure::from_bytes(&octets).unwrap();
    let street = json!(STREET);
    let expected = BTreeMap::from([("/person/homes/0", &street), ("/person/homes/1", &street)]);
    assert_eq!(read.fields(root).unwrap(), expected);
    // Nothing else is in it: not the name, and not how many of the other leaves are real.
    let text = String::from_utf8(octets.clone()).unwrap();
    assert!(!text.contains("O'Hara") && !text.contains("decoy"));
    assert_eq!(text.matches("\"hash\"").count(), 6);
    for other in &chosen[1..] {
        assert!(other.fields(other.root).unwrap().is_empty());
    }
    // Each octet counts: a changed one no longer opens the root.
    for at in 0..octets.len() {
        let mut changed = octets.clone();
        changed[at] ^= 1;
        let opened = fuze_evidence::content::Disclosure::from_bytes(&changed);
        assert!(!opened.is_ok_and(|opened| opened.fields(root).is_ok()), "octet {at}");
    }
    let missing = choose(Choice::Fields(vec!["/person/homes".into(), "/nothing".into()]));
    assert!(matches!(missing, Err(DiscloseError::NoSuchField { index: 1, .. })));
    let unknown = BTreeMap::from([(Hash::ZERO, Choice::All)]);
    let unknown = disclose_run(&directory, &desk.master, Some(&desk.subjects), &unknown);
    assert!(matches!(unknown, Err(DiscloseError::UnknownContent { .. })));
    // After the erasure of the field, what was disclosed before is still good, and no new disclosure has it.
    erase(&desk, &made, &["/person/homes"]);
    assert_eq!(read.fields(root).unwrap(), expected);
    assert!(matches!(
        choose(Choice::Fields(vec!["/person/homes".into()])),
        Err(DiscloseError::NoSuchField { .. })
    ));
    let annex = desk.annex();
    let left = choose(Choice::All).unwrap();
    let explained = left[0].leaves.iter().filter(|leaf| annex.explains(made.run, root, leaf.hash().unwrap()));
    assert_eq!(explained.count(), 2 + 4);
}

/// Two leaves of one path: both are committed to, and a reader who is shown one of them must not believe it.
#[test]
fn a_content_that_contradicts_itself_discloses_nothing() {
    use fuze_evidence::content::{DisclosedLeaf, Disclosure, Opening, Salt, merkle_root};
    let salt: fn(u8) -> Salt =
        |octet| serde_json::from_value(json!(Base64UrlUnpadded::encode_string(&[octet; 32]))).unwrap();
    let build = |leaves: &[(&str, Value)]| {
        let mut built: Vec<DisclosedLeaf> = (0..)
            .zip(leaves)
            .map(|(at, (path, value))| {
                DisclosedLeaf::Leaf(Opening { path: (*path).into(), value: value.clone(), salt: salt(at) })
            })
            .collect();
        built.extend((100..).take(8 - leaves.len()).map(|at| DisclosedLeaf::Decoy(salt(at))));
        built.sort_by_key(|leaf| leaf.hash().unwrap());
        let root = merkle_root(built.iter().map(|leaf| leaf.hash().unwrap()));
        (Disclosure { leaves: built, root }, root)
    };
    let holds = |leaves: &[(&str, Value)]| {
        let (disclosure, root) = build(leaves);
        disclosure.verify(root).unwrap();
        disclosure.fields(root).is_ok()
    };
    assert!(holds(&[("/a", json!(1)), ("/b/c", json!(2))]));
    assert!(holds(&[("/o", json!({})), ("/o/0", json!(2))]));
    assert!(!holds(&[("/a", json!(1)), ("/a", json!(2))]));
    assert!(!holds(&[("/a", json!(1)), ("/a/b", json!(2))]));
    assert!(!holds(&[("", json!("x")), ("/a/b", json!(2))]));
    // An object that is empty has no members; one that looks like an array has elements.
    assert!(!holds(&[("/o", json!({})), ("/o/a", json!(2))]));
    assert!(!holds(&[("/o", json!({})), ("/o/00", json!(2))]));
    assert!(!holds(&[("/o", json!({})), ("/o/0", json!(2)), ("/o/0/a", json!(2))]));
    // What is no leaf, and what is no pointer; however deep, at once.
    for (path, value) in [("/a", json!([1])), ("/a", json!({"b": 1})), ("a", json!(1)), ("/~", json!(1))] {
        assert!(!holds(&[(path, value)]), "{path}");
    }
    assert!(holds(&[(&"/a".repeat(64), json!(1))]));
    assert!(!holds(&[(&"/a".repeat(65), json!(1))]));
    assert!(!holds(&[(&"/".repeat(1 << 22), json!(1))]));
}
