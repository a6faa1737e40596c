//! Runs that a crash left without a close: given up, and then erased from; and what nobody can say of a run that goes on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use common::desk::{Desk, Made, Says};
use common::scan::{find, walk};
use common::{at, name, person, start, times};
use fuze_evidence::annex::{
    AnnexError, Erased, Erasure, ErasureReason, Event, GivenUp, Hold, HoldReason, HoldScope,
};
use fuze_evidence::erase::{Archive, Done, EraseError, GaveUp, Order, Registrar, Target};
use fuze_evidence::keys::SubjectKeys as _;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sink::{JsonlSink, Sink as _, SinkBatch, SinkError};
use fuze_evidence::span::AgentInvoke;
use fuze_evidence::verify::{Chain, ContentCounts, VerifyError, What, verify};
use fuze_evidence::{Annex, Hash, Recorder, RunId, RunKeys, Timestamp};
use serde_json::{Value, json};

const CANARY: &str = "Zoë O'Hara of Ballinasloe";

fn order() -> Order {
    Order { at: at(10_000), by: name("dpo-1"), reason: ErasureReason::Request }
}

fn make(desk: &Desk, closed: bool) -> Made {
    desk.make(&Says {
        input: &json!({"name": CANARY, "case": 17}),
        answers: &[json!("an answer")],
        decisions: &[json!("a rationale")],
        subject: true,
        closed,
    })
}

/// As a crash leaves it: a line that did not arrive whole.
fn tear(desk: &Desk, run: RunId, file: &str) {
    let path = desk.run_directory(run).join(file);
    OpenOptions::new().append(true).open(path).unwrap().write_all(b"{\"hash\":\"00").unwrap();
}

fn give_up(desk: &Desk, run: RunId) -> GaveUp {
    desk.archive().give_up(run, order().at, &name("dpo-1")).unwrap()
}

fn head(desk: &Desk, run: RunId) -> GivenUp {
    let records = fs::read_to_string(desk.run_directory(run).join("records.jsonl")).unwrap();
    let last: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    let count = u64::try_from(records.lines().count()).unwrap();
    GivenUp { run_id: run, count, head: last["hash"].as_str().unwrap().parse().unwrap() }
}

const ALL_GONE: ContentCounts = ContentCounts { verified: 0, erased: 24, withheld: 0, missing: 0 };

/// The whole way: refused, given up, erased; nothing is left of the person, and nobody is told that the run had ended.
#[test]
fn a_run_that_crashed_is_given_up_and_then_erased() {
    for target in [Target::Run, Target::Subject] {
        let desk = Desk::new();
        let made = make(&desk, false);
        let given_up = head(&desk, made.run);
        let refused = desk.archive().erase(made.run, &target, &order()).unwrap_err();
        assert!(
            matches!(refused, EraseError::NotClosed { waiting: false, stored: false, .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("`Archive::give_up`"), "{refused}");
        for file in ["records.jsonl", "content.jsonl", "keys.jsonl", "roots.jsonl"] {
            tear(&desk, made.run, file);
        }
        let refused = desk.archive().erase(made.run, &target, &order()).unwrap_err();
        assert!(matches!(refused, EraseError::NotClosed { stored: false, .. }), "{refused:?}");
        let GaveUp::Run { already: false, cut } = give_up(&desk, made.run) else { panic!() };
        assert_eq!(cut.iter().map(|(_, octets)| octets).collect::<Vec<_>>(), [&11; 4]);
        assert_eq!(give_up(&desk, made.run), GaveUp::Run { already: true, cut: Vec::new() });
        assert_eq!(desk.annex().given_up(made.run), Some((order().at, given_up)));
        assert_eq!(desk.archive().erase(made.run, &target, &order()).unwrap(), Done::Erased);
        assert_eq!(desk.archive().erase(made.run, &target, &order()).unwrap(), Done::Already);
        let report = desk.verify(made.run).unwrap();
        assert_eq!((report.chain, report.content), (Chain::NotClosed, ALL_GONE));
        assert!(!report.is_verified());
        assert_eq!((report.records, report.head), (given_up.count, given_up.head));
        assert_eq!(find(desk.place.path(), CANARY.as_bytes()), None);
        let key = desk.subjects.find(made.alias.as_ref().unwrap()).unwrap();
        assert_eq!(key.is_none(), target == Target::Subject);
        assert!(!desk.run_directory(made.run).join("keys.jsonl").exists());
    }
}

#[test]
fn a_person_with_a_run_that_crashed_is_erased_when_it_was_given_up() {
    let desk = Desk::new();
    let (closed, open) = (make(&desk, true), make(&desk, false));
    let erase = || desk.archive().erase_person(person(&desk.tenant), &order()).unwrap().runs;
    let runs = erase();
    assert!(matches!(runs[&closed.run], Ok(Done::Erased)));
    assert!(matches!(runs[&open.run], Err(EraseError::NotClosed { .. })));
    assert!(matches!(give_up(&desk, open.run), GaveUp::Run { already: false, .. }));
    assert!(matches!(erase()[&open.run], Ok(Done::Erased)));
    assert_eq!(desk.subjects.aliases(person(&desk.tenant)).unwrap(), []);
}

/// Whoever writes the run holds its files; as long as that process lives nobody says that there will be no more.
#[tokio::test]
async fn a_run_that_somebody_writes_is_not_given_up() {
    let desk = Desk::new();
    let random = &mut OsRandom::new();
    let run = RunId::generate(at(0), random).unwrap();
    let keys = RunKeys::generate(run, None, random).unwrap();
    let begin = |store: Option<&str>| {
        let start = AgentInvoke { store: store.map(name), ..start(&desk.signer) };
        Recorder::open(run, common::common(None), start, None, times(0), &*desk.signer).unwrap()
    };
    let opened = begin(None);
    let sink = JsonlSink::new(desk.place.path());
    let batch = SinkBatch {
        keys: Some(keys.wrap(&desk.master, random).unwrap()),
        records: vec![opened.record],
        roots: vec![opened.root],
        ..SinkBatch::new(run)
    };
    sink.append(&batch, true).await.unwrap();
    let refused = desk.archive().give_up(run, order().at, &name("dpo-1"));
    assert!(matches!(refused, Err(EraseError::Locked { .. })), "{refused:?}");
    assert!(!desk.place.path().join("annex").exists());
    drop(sink);
    assert!(matches!(give_up(&desk, run), GaveUp::Run { already: false, .. }));
    // And nobody goes on with it: a sink writes a run from its beginning.
    let opened = begin(None);
    let batch = SinkBatch { records: vec![opened.record], roots: vec![opened.root], ..batch };
    assert!(matches!(
        JsonlSink::new(desk.place.path()).append(&batch, true).await,
        Err(SinkError::Exists { .. })
    ));
    // A store's run is its store's to end: nothing is known of who goes on with it.
    let stored = begin(Some("sqlite")).record;
    let path = desk.run_directory(run).join("records.jsonl");
    fs::write(&path, [stored.bytes(), b"\n"].concat()).unwrap();
    let refused = desk.archive().give_up(run, order().at, &name("dpo-1")).unwrap_err();
    assert!(matches!(refused, EraseError::NotClosed { stored: true, .. }), "{refused:?}");
    assert!(refused.to_string().contains("`Deployment::abandon`"));
}

#[test]
fn what_is_not_to_be_given_up_is_left_alone() {
    let desk = Desk::new();
    let closed = make(&desk, true);
    let give_up = |run| desk.archive().give_up(run, order().at, &name("dpo-1"));
    assert!(matches!(give_up(closed.run), Err(EraseError::Closed(run)) if run == closed.run));
    let elsewhere = make(&Desk::new(), false).run;
    assert!(matches!(give_up(elsewhere), Err(EraseError::UnknownRun(run)) if run == elsewhere));
    let open = make(&desk, false);
    let registrar = Registrar::new(name("elsewhere"), desk.signer.clone()).unwrap();
    let foreign = Archive::new(desk.place.path(), registrar);
    tear(&desk, open.run, "records.jsonl");
    let before = fs::read(desk.run_directory(open.run).join("records.jsonl")).unwrap();
    let refused = foreign.give_up(open.run, order().at, &name("dpo-1"));
    assert!(matches!(refused, Err(EraseError::OtherOrigin { .. })), "{refused:?}");
    // Damage that no crash explains is for whoever looks into it.
    let roots = desk.run_directory(open.run).join("roots.jsonl");
    let (root, records) = (fs::read(&roots).unwrap(), desk.run_directory(open.run).join("records.jsonl"));
    fs::write(&roots, [root.clone(), root.clone()].concat()).unwrap();
    fs::write(&records, b"").unwrap();
    assert!(matches!(give_up(open.run), Err(EraseError::Line { .. })));
    fs::write(&roots, root).unwrap();
    fs::write(&records, &before).unwrap();
    assert!(!desk.place.path().join("annex").exists());
    // A run whose beginning was never durable is none: it is put aside, and nothing is said.
    fs::write(&records, b"").unwrap();
    let GaveUp::Unbegun(path) = give_up(open.run).unwrap() else { panic!() };
    assert!(path.is_dir() && !desk.run_directory(open.run).exists());
    assert!(!desk.place.path().join("annex").exists());
}

/// Giving up erases nothing, so a hold does not stand against it; against the erasure it does.
#[test]
fn a_hold_stands_against_erasing_a_run_that_was_given_up() {
    let desk = Desk::new();
    let made = make(&desk, false);
    let hold = Hold { scope: HoldScope::Run(made.run), reason: HoldReason::LegalClaims };
    desk.archive().hold(&desk.tenant, hold, at(1), &name("legal")).unwrap();
    assert!(matches!(give_up(&desk, made.run), GaveUp::Run { already: false, .. }));
    let refused = desk.archive().erase(made.run, &Target::Run, &order());
    assert!(matches!(refused, Err(EraseError::Annex(AnnexError::Held { line: 0, .. }))), "{refused:?}");
    assert_eq!(desk.verify(made.run).unwrap().content.verified, 24);
}

/// The windows of a run that never closed count from when it was given up; its records stay, for no root says which they were.
#[test]
fn windows_begin_when_a_run_was_given_up() {
    let desk = Desk::new();
    let made = make(&desk, false);
    let after = |days| order().at.plus_days(days).unwrap();
    let just_before =
        |days| Timestamp::from_nanos(i128::try_from(after(days).as_nanos()).unwrap() - 1).unwrap();
    let retain = |now| desk.archive().retain(made.run, now);
    assert!(matches!(retain(after(4_000)), Err(EraseError::NotClosed { .. })));
    assert!(matches!(give_up(&desk, made.run), GaveUp::Run { already: false, .. }));
    let counts = |verified, erased| ContentCounts { verified, erased, withheld: 0, missing: 0 };
    for (now, done, left) in [
        (just_before(30), Done::Already, counts(24, 0)),
        (after(30), Done::Erased, counts(8, 16)),
        (just_before(184), Done::Already, counts(8, 16)),
        (after(184), Done::Erased, ALL_GONE),
        (after(4_000), Done::Already, ALL_GONE),
    ] {
        assert_eq!(retain(now).unwrap(), done, "{now}");
        let report = desk.verify(made.run).unwrap();
        assert_eq!((report.chain, report.content), (Chain::NotClosed, left), "{now}");
    }
}

type Wrong = fn(&What) -> bool;

/// Each statement that could be made to hide something: that a run that went on had ended, that one that closed had not, that
/// content went before anybody gave the run up.
#[test]
fn what_is_not_true_of_a_run_without_a_close_fails_it() {
    let desk = Desk::new();
    let (open, closed) = (make(&desk, false), make(&desk, true));
    let (given_up, ended) = (head(&desk, open.run), head(&desk, closed.run));
    let erasure = |reason| Event::Erased(Erasure { run_id: open.run, reason, what: Erased::Run });
    let request = || erasure(ErasureReason::Request);
    let differs: Wrong = |what| matches!(what, What::Differs { .. });
    let early: Wrong = |what| matches!(what, What::Early { .. });
    let given = |given_up| Event::GivenUp(given_up);
    let last = times(30).ended_at;
    let before = Timestamp::from_nanos(i128::try_from(last.as_nanos()).unwrap() - 1).unwrap();
    let content_window = last.plus_days(30).unwrap();
    let files = ["content.jsonl", "keys.jsonl"].map(|file| desk.run_directory(open.run).join(file));
    let octets = files.clone().map(|file| fs::read(file).unwrap());
    let remove = || files.iter().for_each(|file| fs::remove_file(file).unwrap());
    let judge = |run, statements: &[(Timestamp, Event)]| {
        let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
        for (at, event) in statements {
            let by =
                if matches!(event, Event::Erased(e) if e.reason.is_window()) { "retention" } else { "dpo-1" };
            annex.append(*at, name(by), event.clone(), &*desk.signer).unwrap();
        }
        verify(&desk.run_directory(run), &desk.trusted().annex(&annex))
    };
    let refused = |run, statements: &[(Timestamp, Event)], wrong: Wrong| match judge(run, statements) {
        Err(VerifyError::Failed(failure)) if failure.file == "annex.jsonl" && wrong(&failure.what) => {}
        other => panic!("{statements:?}: {other:?}"),
    };
    refused(closed.run, &[(last, given(ended))], differs);
    refused(open.run, &[(last, given(GivenUp { count: given_up.count - 1, ..given_up }))], differs);
    refused(open.run, &[(last, given(GivenUp { count: given_up.count + 1, ..given_up }))], differs);
    refused(open.run, &[(last, given(GivenUp { head: Hash::ZERO, ..given_up }))], differs);
    refused(open.run, &[(before, given(given_up))], early);
    assert_eq!(judge(open.run, &[(last, given(given_up))]).unwrap().chain, Chain::NotClosed);
    remove();
    refused(open.run, &[(last, request())], differs);
    refused(open.run, &[(last, request()), (last, given(given_up))], differs);
    let window = || erasure(ErasureReason::ContentWindow);
    refused(open.run, &[(last, given(given_up)), (content_window, window())], early);
    let report = judge(open.run, &[(last, given(given_up)), (last, request())]).unwrap();
    assert_eq!((report.chain, report.content), (Chain::NotClosed, ALL_GONE));
    // A record more or one less than when it was given up is not the same run.
    files.iter().zip(&octets).for_each(|(file, octets)| fs::write(file, octets).unwrap());
    let records = desk.run_directory(open.run).join("records.jsonl");
    let whole = fs::read(&records).unwrap();
    let cut = whole[..whole.len() - 1].iter().rposition(|&octet| octet == b'\n').unwrap() + 1;
    fs::write(&records, &whole[..cut]).unwrap();
    let shorter = head(&desk, open.run);
    refused(open.run, &[(last, given(given_up))], differs);
    fs::write(&records, whole).unwrap();
    refused(open.run, &[(last, given(shorter))], differs);
    assert!(walk(desk.place.path()).iter().all(|path| !path.to_string_lossy().contains("/annex/")));
}

/// Whoever orders an erasure finds out before anything goes.
#[test]
fn a_run_that_went_on_after_it_was_given_up_is_not_erased() {
    let desk = Desk::new();
    let made = make(&desk, false);
    let records = desk.run_directory(made.run).join("records.jsonl");
    let whole = fs::read(&records).unwrap();
    let cut = whole[..whole.len() - 1].iter().rposition(|&octet| octet == b'\n').unwrap() + 1;
    fs::write(&records, &whole[..cut]).unwrap();
    assert!(matches!(give_up(&desk, made.run), GaveUp::Run { already: false, .. }));
    fs::write(&records, &whole).unwrap();
    let erased = desk.archive().erase(made.run, &Target::Run, &order());
    assert!(matches!(erased, Err(EraseError::WentOn { run }) if run == made.run), "{erased:?}");
    let again = desk.archive().give_up(made.run, order().at, &name("dpo-1"));
    assert!(matches!(again, Err(EraseError::WentOn { .. })), "{again:?}");
    assert!(desk.run_directory(made.run).join("keys.jsonl").exists());
}

/// What never began is no run: it goes when its content would, at once where nothing says when that is, and with its person.
#[test]
fn what_never_began_goes_with_its_window_and_with_its_person() {
    let desk = Desk::new();
    let runs: Vec<Made> = (0..5).map(|_| make(&desk, false)).collect();
    let path = |at: usize| desk.place.path().join("runs").join(format!("{}.unbegun", runs[at].run));
    let first_line = |octets: &[u8]| octets.split_inclusive(|&octet| octet == b'\n').next().unwrap().to_vec();
    for (number, made) in runs.iter().enumerate() {
        let directory = desk.run_directory(made.run);
        let records = fs::read(directory.join("records.jsonl")).unwrap();
        // Of the first two not even the first record arrived.
        fs::write(directory.join("records.jsonl"), if number < 2 { vec![] } else { first_line(&records) })
            .unwrap();
        fs::write(directory.join("roots.jsonl"), b"").unwrap();
        assert_eq!(give_up(&desk, made.run), GaveUp::Unbegun(path(number)));
    }
    fs::create_dir(desk.place.path().join("runs/some.unbegun")).unwrap();
    assert_eq!(runs[0].run.made_at(), at(0));
    let hold = Hold { scope: HoldScope::Run(runs[4].run), reason: HoldReason::LegalClaims };
    let octets = fs::read(path(4).join("records.jsonl")).unwrap();
    fs::create_dir(desk.run_directory(runs[4].run)).unwrap();
    fs::write(desk.run_directory(runs[4].run).join("records.jsonl"), octets).unwrap();
    desk.archive().hold(&desk.tenant, hold, at(1), &name("legal")).unwrap();
    fs::remove_dir_all(desk.run_directory(runs[4].run)).unwrap();
    // A person's, whichever of the two files says so.
    for at in [0, 2] {
        let alias = runs[at].alias.clone().unwrap();
        let others: Vec<_> =
            runs.iter().map(|made| made.alias.clone().unwrap()).filter(|a| *a != alias).collect();
        others.iter().for_each(|alias| desk.subjects.erase(alias).unwrap());
        let erased = desk.archive().erase_person(person(&desk.tenant), &order()).unwrap();
        assert_eq!((erased.unbegun, erased.keys_alone), (vec![runs[at].run], vec![alias]));
        assert!(!path(at).exists());
        if at == 0 {
            let key = runs[2].alias.clone().unwrap();
            fs::remove_dir_all(desk.place.path().join("subjects")).unwrap();
            desk.subjects.create(&key, person(&desk.tenant)).unwrap();
        }
    }
    let end = at(0).plus_days(30).unwrap();
    let before = Timestamp::from_nanos(i128::try_from(end.as_nanos()).unwrap() - 1).unwrap();
    let registrar = Registrar::new(name("elsewhere"), desk.signer.clone()).unwrap();
    assert_eq!(Archive::new(desk.place.path(), registrar).retain_unbegun(end).unwrap(), [runs[1].run]);
    assert_eq!(desk.archive().retain_unbegun(before).unwrap(), []);
    assert!(path(3).join("keys.jsonl").exists());
    assert_eq!(desk.archive().retain_unbegun(end).unwrap(), [runs[3].run]);
    assert!(!path(1).exists() && !path(3).exists());
    assert!(path(4).exists(), "a hold keeps it");
    desk.archive().release(&desk.tenant, hold, at(2), &name("legal")).unwrap();
    assert_eq!(desk.archive().retain_unbegun(end).unwrap(), [runs[4].run]);
    assert_eq!(find(desk.place.path(), CANARY.as_bytes()), None);
}
