//! A crash after each step of an erasure, and after each step of the recovery from it.

#[path = "../../tests/common/mod.rs"]
pub(super) mod common;

use std::fs;

use serde_json::json;

use self::common::desk::{Desk, Made, Says};
use self::common::scan::{find, walk};
use self::common::{at, name, person, times};
use super::{Archive, Done, EraseError, Order, Repeat, Target};
use crate::annex::{ErasureReason, Event, Hold, HoldReason, HoldScope};
use crate::keys::SubjectKeys as _;
use crate::verify::ContentCounts;

const NAME: &str = "Zoë O'Hara of Ballinasloe";

fn make(desk: &Desk) -> Made {
    desk.make(&Says {
        input: &json!({"name": NAME, "case": 17}),
        answers: &[json!("an answer")],
        decisions: &[json!("a rationale")],
        subject: true,
        closed: true,
    })
}

/// What is asked for, how many statements it makes, and what is left.
#[derive(Clone, Copy, Debug)]
enum Case {
    Field,
    Record,
    Run,
    Subject,
    Content,
    All,
}

const CASES: [Case; 6] = [Case::Field, Case::Record, Case::Run, Case::Subject, Case::Content, Case::All];

impl Case {
    fn carry_out(self, archive: &Archive<'_>, made: &Made) -> Result<Done, EraseError> {
        let root = made.contents[0].root;
        let order = Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::ConsentWithdrawn };
        let later = |days| times(30).ended_at.plus_days(days).unwrap();
        let target = match self {
            Self::Field => Target::Fields { root, pointers: vec!["/name".into()], repeat: Repeat::Refuse },
            Self::Record => Target::Record { root },
            Self::Run => Target::Run,
            Self::Subject => Target::Subject,
            Self::Content => return archive.retain(made.run, later(30)),
            Self::All => return archive.retain(made.run, later(3650)),
        };
        archive.erase(made.run, &target, &order)
    }

    fn statements(self) -> usize {
        if matches!(self, Self::Content) { 2 } else { 1 }
    }

    fn left(self) -> Option<ContentCounts> {
        let (verified, erased) = match self {
            Self::Field => (17, 7),
            Self::Record => (16, 8),
            Self::Run | Self::Subject => (0, 24),
            Self::Content => (8, 16),
            Self::All => return None,
        };
        Some(ContentCounts { verified, erased, withheld: 0, missing: 0 })
    }

    /// All is as if nothing had ever been in the way.
    fn is_done(self, desk: &Desk, made: &Made) {
        let annex = desk.annex();
        assert_eq!(annex.entries().len(), self.statements(), "{self:?}");
        match self.left() {
            Some(left) => {
                let report = desk.verify(made.run).unwrap();
                assert!(report.is_verified());
                assert_eq!(report.content, left, "{self:?}");
            }
            None => assert!(!desk.run_directory(made.run).exists()),
        }
        let key = desk.subjects.find(made.alias.as_ref().unwrap()).unwrap();
        assert_eq!(key.is_none(), matches!(self, Self::Subject | Self::All), "{self:?}");
        assert_eq!(find(desk.place.path(), NAME.as_bytes()), None);
        nothing_under_way(desk);
    }
}

fn nothing_under_way(desk: &Desk) {
    let files = walk(desk.place.path());
    let left = files.iter().find(|path| {
        let path = path.to_string_lossy();
        path.ends_with(".new") || path.contains("/erasures/")
    });
    assert_eq!(left, None);
}

fn crashing(desk: &Desk, steps: u32) -> Archive<'_> {
    let archive = desk.archive();
    archive.disk.steps_left.set(Some(steps));
    archive
}

/// The number of steps that `case` takes.
fn steps(case: Case) -> u32 {
    const MANY: u32 = 1_000;
    let desk = Desk::new();
    let made = make(&desk);
    let archive = crashing(&desk, MANY);
    assert_eq!(case.carry_out(&archive, &made).unwrap(), Done::Erased);
    case.is_done(&desk, &made);
    MANY - archive.disk.steps_left.get().unwrap()
}

#[test]
fn an_erasure_cut_off_at_any_step_is_finished_or_was_never_begun() {
    for case in CASES {
        let (mut begun, mut not_begun) = (0, 0);
        for step in 0..steps(case) {
            let desk = Desk::new();
            let made = make(&desk);
            let crashed = case.carry_out(&crashing(&desk, step), &made);
            assert!(matches!(crashed, Err(EraseError::Io { .. })), "{case:?} {step}: {crashed:?}");
            let intents = || fs::read_dir(desk.place.path().join("erasures")).map_or(0, Iterator::count);
            if intents() > 0 {
                // Nothing is ordered before it is finished: a hold would make the statement to come untrue.
                let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
                let refused = desk.archive().hold(&desk.tenant, hold, at(2_000), &name("legal"));
                assert!(matches!(refused, Err(EraseError::Unfinished { .. })), "{refused:?}");
                let refused = case.carry_out(&desk.archive(), &made);
                assert!(matches!(refused, Err(EraseError::Unfinished { .. })), "{refused:?}");
            }
            let recovered = desk.archive().recover().unwrap();
            nothing_under_way(&desk);
            if recovered.finished.is_empty() && intents() == 0 && annex_is_empty(&desk) {
                not_begun += 1;
                assert!(desk.subjects.find(made.alias.as_ref().unwrap()).unwrap().is_some());
                let report = desk.verify(made.run).unwrap();
                assert_eq!((report.content.verified, report.content.erased), (24, 0));
                assert_eq!(case.carry_out(&desk.archive(), &made).unwrap(), Done::Erased);
            } else {
                begun += 1;
            }
            case.is_done(&desk, &made);
            let again = desk.archive().recover().unwrap();
            assert_eq!(again, super::Recovered::default());
            if case.left().is_some() {
                match case.carry_out(&desk.archive(), &made) {
                    Ok(done) => assert_eq!(done, Done::Already),
                    // Of fields nobody can tell any more.
                    Err(error) => {
                        assert!(matches!((case, error), (Case::Field, EraseError::NothingLeft { .. })))
                    }
                }
            }
            case.is_done(&desk, &made);
        }
        assert!(begun > 5 && not_begun > 1, "{case:?}: {begun} {not_begun}");
    }
}

fn annex_is_empty(desk: &Desk) -> bool {
    fs::read(desk.archive().annex_path(&desk.tenant)).unwrap_or_default().is_empty()
}

#[test]
fn a_recovery_cut_off_at_any_step_is_finished_by_the_next() {
    for case in [Case::Field, Case::Subject, Case::All] {
        // Just after the intent stands, all of the rest is the recovery's.
        let first = 4;
        for step in 0.. {
            let desk = Desk::new();
            let made = make(&desk);
            assert!(case.carry_out(&crashing(&desk, first), &made).is_err());
            let crashed = crashing(&desk, step).recover();
            desk.archive().recover().map(drop).unwrap();
            case.is_done(&desk, &made);
            if crashed.is_ok() {
                assert!(step > 5);
                break;
            }
        }
    }
}

/// Whoever can write a file in the directory does not make the deployment say that something was erased.
#[test]
fn an_intent_that_the_deployment_did_not_sign_is_refused() {
    let (desk, other) = (Desk::new(), Desk::new());
    let made = make(&desk);
    let foreign = make(&other);
    assert!(Case::Run.carry_out(&crashing(&desk, 4), &made).is_err());
    assert!(Case::Run.carry_out(&crashing(&other, 4), &foreign).is_err());
    let path = |desk: &Desk| {
        fs::read_dir(desk.place.path().join("erasures")).unwrap().next().unwrap().unwrap().path()
    };
    let own = fs::read(path(&desk)).unwrap();
    let stray = || {
        let recovered = desk.archive().recover().unwrap();
        assert_eq!((recovered.finished.len(), recovered.strays.len()), (0, 1));
        let refused = Case::Run.carry_out(&desk.archive(), &made);
        assert!(
            matches!(&refused, Err(EraseError::Stray { path: named, .. }) if *named == path(&desk)),
            "{refused:?}"
        );
    };
    fs::write(path(&desk), fs::read(path(&other)).unwrap()).unwrap();
    stray();
    for at in 0..own.len() {
        let mut changed = own.clone();
        changed[at] ^= 1;
        fs::write(path(&desk), changed).unwrap();
        stray();
    }
    assert_eq!(desk.verify(made.run).unwrap().content.verified, 24);
    fs::write(path(&desk), own).unwrap();
    assert_eq!(desk.archive().recover().unwrap().finished, [made.run]);
    Case::Run.is_done(&desk, &made);
}

/// A hold's line that was cut short was never acknowledged: it is cut off, and that is reported.
#[test]
fn a_torn_annex_is_mended_by_recovery_alone() {
    let desk = Desk::new();
    let made = make(&desk);
    let hold = Hold { scope: HoldScope::Run(made.run), reason: HoldReason::LegalClaims };
    desk.archive().hold(&desk.tenant, hold, at(1), &name("legal")).unwrap();
    assert!(crashing(&desk, 1).hold(&desk.tenant, hold, at(2), &name("legal")).is_err());
    let refused = desk.archive().release(&desk.tenant, hold, at(3), &name("legal"));
    assert!(matches!(refused, Err(EraseError::Unfinished { .. })));
    let recovered = desk.archive().recover().unwrap();
    assert_eq!((recovered.finished.len(), recovered.cut.len()), (0, 1));
    assert!(recovered.cut[0].1 > 100);
    desk.archive().release(&desk.tenant, hold, at(3), &name("legal")).unwrap();
    assert!(matches!(desk.annex().entries()[1].event, Event::Release(_)));
}

/// A waiting run is named as one, with what to do.
#[test]
fn a_run_that_waits_is_told_apart() {
    use self::common::{Host, Sample};
    let (mut sample, mut recorder) = Sample::begin(Host::new());
    let (args, sealed) = sample.commit(json!({"n": 1}));
    let suspended = self::common::suspend(args.root(), 0, 1);
    let record = recorder.append(1, 0, times(1), &suspended, Some(&args)).unwrap();
    sample.add(&record, Some(&sealed));
    let desk = Desk::new();
    let directory = desk.run_directory(sample.run_id);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("records.jsonl"), &sample.files.records).unwrap();
    let order = Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request };
    let refused = desk.archive().erase(sample.run_id, &Target::Run, &order).unwrap_err();
    assert!(matches!(refused, EraseError::NotClosed { waiting: true, .. }));
    assert!(refused.to_string().contains("`Deployment::abandon`"));
}

/// While somebody writes the run or the annex, nothing is erased.
#[test]
fn a_run_that_is_held_by_another_process_is_left_alone() {
    let desk = Desk::new();
    let made = make(&desk);
    for path in [desk.run_directory(made.run).join("records.jsonl"), desk.archive().annex_path(&desk.tenant)]
    {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let held = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        held.try_lock().unwrap();
        let refused = Case::Run.carry_out(&desk.archive(), &made);
        assert!(matches!(refused, Err(EraseError::Locked { .. })), "{refused:?}");
    }
    assert_eq!(desk.subjects.aliases(person(&desk.tenant)).unwrap().len(), 1);
    assert_eq!(Case::Run.carry_out(&desk.archive(), &made).unwrap(), Done::Erased);
}

/// Reads an intent, waits for the locks, and in the meantime its owner has finished it and erased the next field: what the old intent
/// would put in place still has that one.
#[test]
fn an_intent_that_somebody_else_finished_meanwhile_brings_nothing_back() {
    let desk = std::rc::Rc::new(Desk::new());
    let made = make(&desk);
    let fields = |pointer: &str, repeat| Target::Fields {
        root: made.contents[0].root,
        pointers: vec![pointer.into()],
        repeat,
    };
    let order = Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request };
    assert!(crashing(&desk, 4).erase(made.run, &fields("/case", Repeat::Refuse), &order).is_err());
    let waiting = desk.archive();
    let (other, run, next) = (desk.clone(), made.run, fields("/name", Repeat::ShowCount));
    *waiting.disk.meanwhile.0.borrow_mut() = Some(Box::new(move || {
        assert_eq!(other.archive().recover().unwrap().finished, [run]);
        let order = Order { at: at(2_000), by: name("dpo-1"), reason: ErasureReason::Request };
        assert_eq!(other.archive().erase(run, &next, &order).unwrap(), Done::Erased);
    }));
    assert_eq!(waiting.recover().unwrap(), super::Recovered::default());
    let report = desk.verify(made.run).unwrap();
    assert!(report.is_verified());
    assert_eq!(report.content, ContentCounts { verified: 16, erased: 8, withheld: 0, missing: 0 });
}

/// As above, and the other one crashed within the next: the file is there and says something else.
#[test]
fn an_intent_that_became_another_one_meanwhile_is_not_carried_out() {
    let desk = std::rc::Rc::new(Desk::new());
    let made = make(&desk);
    let fields = |pointer: &str, repeat| Target::Fields {
        root: made.contents[0].root,
        pointers: vec![pointer.into()],
        repeat,
    };
    let order = Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request };
    assert!(crashing(&desk, 4).erase(made.run, &fields("/case", Repeat::Refuse), &order).is_err());
    let waiting = desk.archive();
    let (other, run, next) = (desk.clone(), made.run, fields("/name", Repeat::ShowCount));
    *waiting.disk.meanwhile.0.borrow_mut() = Some(Box::new(move || {
        assert_eq!(other.archive().recover().unwrap().finished, [run]);
        let order = Order { at: at(2_000), by: name("dpo-1"), reason: ErasureReason::Request };
        assert!(crashing(&other, 4).erase(run, &next, &order).is_err());
    }));
    assert!(matches!(waiting.recover(), Err(EraseError::Locked { .. })));
    assert_eq!(desk.archive().recover().unwrap().finished, [made.run]);
    let report = desk.verify(made.run).unwrap();
    assert!(report.is_verified());
    assert_eq!(report.content.erased, 8);
}

/// Another process begins an erasure and crashes within it while this one waits for the annex: a hold that came in between would make
/// what is to be finished untrue, and nobody could finish it.
#[test]
fn what_another_process_left_meanwhile_comes_first() {
    let desk = std::rc::Rc::new(Desk::new());
    let made = make(&desk);
    for order in 0..2 {
        let (archive, other, crashed) = (desk.archive(), desk.clone(), make(&desk));
        let run = crashed.run;
        *archive.disk.meanwhile.0.borrow_mut() = Some(Box::new(move || {
            assert!(Case::Run.carry_out(&crashing(&other, 4), &crashed).is_err());
        }));
        let refused = match order {
            0 => {
                let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
                archive.hold(&desk.tenant, hold, at(2_000), &name("legal"))
            }
            _ => Case::Run.carry_out(&archive, &made).map(drop),
        };
        assert!(matches!(refused, Err(EraseError::Unfinished { .. })), "{refused:?}");
        assert_eq!(desk.archive().recover().unwrap().finished, [run]);
    }
    assert_eq!(desk.verify(made.run).unwrap().content.verified, 24);
}

/// The key was replaced between the crash and the recovery: the intent still counts, and the new key's line is not older than the key.
#[test]
fn an_erasure_is_finished_under_the_next_key() {
    use crate::keys::FileSigner;
    use crate::keys::history::{KeyHistory, KeyRole};
    use crate::random::OsRandom;
    use crate::verify::TrustedKeys;
    let desk = Desk::new();
    let made = make(&desk);
    assert!(Case::Run.carry_out(&crashing(&desk, 4), &made).is_err());
    let next = std::sync::Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap());
    let origin = name("hr.example.eu");
    let mut history = KeyHistory::introduce(origin.clone(), KeyRole::Run, at(0), &*desk.signer).unwrap();
    history.rotate(at(5_000), &*desk.signer, &*next).unwrap();
    let registrar = || super::Registrar::new(origin.clone(), next.clone()).unwrap().history(history.clone());
    let archive = || Archive::new(desk.place.path(), registrar()).subject_keys(&desk.subjects);
    // Without the history the key that signed the intent is a stranger's.
    let without = super::Registrar::new(origin.clone(), next.clone()).unwrap();
    let without = Archive::new(desk.place.path(), without).subject_keys(&desk.subjects);
    assert_eq!(without.recover().unwrap().strays.len(), 1);
    let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
    let refused = without.hold(&desk.tenant, hold, at(2_000), &name("legal"));
    assert!(matches!(&refused, Err(EraseError::Stray { .. })), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("history of keys"));
    assert_eq!(archive().recover().unwrap().finished, [made.run]);
    // An auditor who has the history alone.
    let octets = fs::read(archive().annex_path(&desk.tenant)).unwrap();
    let annex = crate::Annex::read(&octets, &TrustedKeys::new().history(history.clone())).unwrap();
    assert_eq!((annex.entries().len(), annex.entries()[0].at), (1, at(5_000)));
    let trusted = TrustedKeys::new().history(history.clone()).annex(&annex);
    assert!(crate::verify::verify(&desk.run_directory(made.run), &trusted).unwrap().is_verified());
    nothing_under_way(&desk);
}

/// An intent by a key that was revoked since is nobody's order any more.
#[test]
fn an_intent_of_a_revoked_key_is_refused() {
    use crate::keys::history::{KeyHistory, KeyRole};
    use crate::keys::{FileSigner, Signer as _};
    use crate::random::OsRandom;
    let desk = Desk::new();
    let made = make(&desk);
    assert!(Case::Run.carry_out(&crashing(&desk, 4), &made).is_err());
    let next = std::sync::Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap());
    let origin = name("hr.example.eu");
    let mut history = KeyHistory::introduce(origin.clone(), KeyRole::Run, at(0), &*desk.signer).unwrap();
    history.rotate(at(5_000), &*desk.signer, &*next).unwrap();
    history.revoke(at(6_000), desk.signer.key_id(), None, &*next).unwrap();
    let registrar = super::Registrar::new(origin, next).unwrap().history(history);
    let archive = Archive::new(desk.place.path(), registrar).subject_keys(&desk.subjects);
    let recovered = archive.recover().unwrap();
    assert_eq!((recovered.finished.len(), recovered.strays.len()), (0, 1));
    assert_eq!(desk.verify(made.run).unwrap().content.verified, 24);
}

/// A key that is told to accept an intent, and that no history has in the place of the one that signed it, would finish it with a line that
/// no auditor accepts.
#[test]
fn an_intent_is_not_finished_by_a_key_that_nobody_would_hear() {
    use crate::keys::{FileSigner, Signer as _};
    use crate::sign::PublicKey;
    let desk = Desk::new();
    let made = make(&desk);
    assert!(Case::Run.carry_out(&crashing(&desk, 4), &made).is_err());
    let stray = FileSigner::ephemeral(name("test"), &mut crate::random::OsRandom::new()).unwrap();
    let own = PublicKey::from_bytes(desk.signer.public_key()).unwrap();
    let registrar = super::Registrar::new(name("hr.example.eu"), std::sync::Arc::new(stray)).unwrap();
    let archive = Archive::new(desk.place.path(), registrar.accept(own)).subject_keys(&desk.subjects);
    let refused = archive.recover();
    assert!(
        matches!(&refused, Err(EraseError::OtherSigner { expected, .. }) if *expected == own.id()),
        "{refused:?}"
    );
    assert_eq!(desk.verify(made.run).unwrap().content.verified, 24);
    assert_eq!(desk.archive().recover().unwrap().finished, [made.run]);
    nothing_under_way(&desk);
}

/// What lies in `erasures/` and is nobody's intent is in nobody's way; one that a tenant's erasure left is in that tenant's alone.
#[test]
fn what_is_under_way_stops_its_own_tenant_alone() {
    let mut desk = Desk::new();
    desk.tenant = name("other");
    make(&desk);
    desk.tenant = name("acme");
    let (made, later) = (make(&desk), make(&desk));
    let erasures = desk.place.path().join("erasures");
    fs::create_dir_all(&erasures).unwrap();
    fs::create_dir_all(desk.place.path().join("annex/a directory.jsonl")).unwrap();
    for stray in [".DS_Store", "note.json", "x.new", "01a1ffe0.json.new"] {
        fs::write(erasures.join(stray), b"{}").unwrap();
    }
    fs::create_dir(erasures.join("sub")).unwrap();
    assert_eq!(desk.archive().recover().unwrap(), super::Recovered::default());
    assert_eq!(Case::Run.carry_out(&desk.archive(), &made).unwrap(), Done::Erased);
    let hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
    let order_hold = |tenant: &str| desk.archive().hold(&name(tenant), hold, at(2_000), &name("legal"));
    assert!(Case::Run.carry_out(&crashing(&desk, 4), &later).is_err());
    order_hold("other").unwrap();
    assert!(matches!(order_hold("acme"), Err(EraseError::Unfinished { .. })));
    // Its annex was changed: nothing of that tenant goes on, and all of the other.
    let path = desk.archive().annex_path(&desk.tenant);
    let octets = fs::read(&path).unwrap();
    fs::write(&path, [b"x".as_slice(), &octets].concat()).unwrap();
    assert!(matches!(desk.archive().recover(), Err(EraseError::AnnexBroken(_))));
    desk.archive().release(&name("other"), hold, at(3_000), &name("legal")).unwrap();
    fs::write(&path, octets).unwrap();
    assert_eq!(desk.archive().recover().unwrap().finished, [later.run]);
    order_hold("acme").unwrap();
}

/// Giving a run up is one line: whole, or cut off and never acknowledged.
#[test]
fn giving_up_cut_off_at_any_step_is_said_once_when_it_is_said_again() {
    use super::GaveUp;
    for step in 0.. {
        let desk = Desk::new();
        let says = Says {
            input: &json!({"name": NAME}),
            answers: &[],
            decisions: &[],
            subject: true,
            closed: false,
        };
        let made = desk.make(&says);
        let crashed = crashing(&desk, step).give_up(made.run, at(1_000), &name("dpo-1"));
        desk.archive().recover().map(drop).unwrap();
        let gave_up = desk.archive().give_up(made.run, at(1_000), &name("dpo-1")).unwrap();
        assert!(matches!(gave_up, GaveUp::Run { ref cut, .. } if cut.is_empty()));
        assert_eq!(desk.annex().entries().len(), 1, "step {step}");
        assert!(!desk.verify(made.run).unwrap().is_verified());
        if crashed.is_ok() {
            assert!(step > 2);
            break;
        }
    }
}
