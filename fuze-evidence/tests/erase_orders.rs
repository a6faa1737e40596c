//! A line that no auditor would accept stays for ever: no key but the runs' own, no other deployment and no misspelt tenant makes one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::sync::Arc;

use common::desk::{Desk, Made, Says};
use common::{at, name};
use fuze_evidence::annex::{Contest, ErasureReason, Hold, HoldReason, HoldScope};
use fuze_evidence::erase::{Archive, Done, EraseError, Order, Registrar, Target};
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{Annex, Name, RunId, sha256};
use serde_json::json;

const ORIGIN: &str = "hr.example.eu";
/// Days after which a run goes as a whole.
const ALL: u32 = 4_000;

fn signer() -> Arc<FileSigner> {
    Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap())
}

fn make(desk: &Desk, closed: bool) -> Made {
    desk.make(&Says { input: &json!({"name": "Zoë"}), answers: &[], decisions: &[], subject: true, closed })
}

fn archive<'d>(desk: &'d Desk, origin: &str, signer: &Arc<FileSigner>) -> Archive<'d> {
    with(desk, Registrar::new(name(origin), signer.clone()).unwrap())
}

fn with(desk: &Desk, registrar: Registrar) -> Archive<'_> {
    Archive::new(desk.place.path(), registrar).master_key(&desk.master).subject_keys(&desk.subjects)
}

fn history(first: &FileSigner, then: &[(u64, &FileSigner)]) -> KeyHistory {
    let mut history = KeyHistory::introduce(name(ORIGIN), KeyRole::Run, at(0), first).unwrap();
    let mut last = first;
    for &(from, next) in then {
        history.rotate(at(from), last, next).unwrap();
        last = next;
    }
    history
}

const HOLD: Hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };

fn order() -> Order {
    Order { at: at(1_000), by: name("dpo-1"), reason: ErasureReason::Request }
}

/// Everything that makes a line, of a closed run and one that crashed.
fn orders(archive: &Archive<'_>, tenant: &Name, closed: RunId, crashed: RunId) -> Vec<EraseError> {
    let (at, by) = (at(1_000), &name("dpo-1"));
    let contest = Contest { run_id: closed, root: None, statement: sha256(b"x") };
    let of_run = Hold { scope: HoldScope::Run(closed), ..HOLD };
    let refused = [
        archive.erase(closed, &Target::Run, &order()).map(drop),
        archive.erase(closed, &Target::Subject, &order()).map(drop),
        archive.retain(closed, at.plus_days(ALL).unwrap()).map(drop),
        archive.give_up(crashed, at, by).map(drop),
        archive.hold(tenant, HOLD, at, by),
        archive.hold(tenant, of_run, at, by),
        archive.release(tenant, HOLD, at, by),
        archive.contest(tenant, contest, at, by),
        archive.late_outcome(tenant, contest, at, by),
    ];
    refused.into_iter().map(Result::unwrap_err).collect()
}

/// Nothing was written, and the right key of the right deployment goes on as if nobody had tried.
fn nothing_happened(desk: &Desk, made: &Made) {
    assert!(!desk.place.path().join("annex").exists());
    let (at, by) = (at(1_000), &name("dpo-1"));
    desk.archive().hold(&desk.tenant, HOLD, at, by).unwrap();
    desk.archive().release(&desk.tenant, HOLD, at, by).unwrap();
    assert_eq!(desk.archive().erase(made.run, &Target::Run, &order()).unwrap(), Done::Erased);
    assert!(desk.verify(made.run).unwrap().is_verified());
}

#[test]
fn no_key_speaks_that_did_not_sign_the_runs() {
    let (desk, stray) = (Desk::new(), signer());
    let (made, crashed) = (make(&desk, true), make(&desk, false));
    // Of a history, too, that has the stray key alone.
    let own = |history: KeyHistory| Registrar::new(name(ORIGIN), stray.clone()).unwrap().history(history);
    let elsewhere = |origin: &str, role| {
        let mut history = KeyHistory::introduce(name(origin), role, at(0), &*desk.signer).unwrap();
        history.rotate(at(1), &*desk.signer, &*stray).unwrap();
        history
    };
    let archives = [
        archive(&desk, ORIGIN, &stray),
        with(&desk, own(history(&stray, &[]))),
        with(&desk, own(history(&signer(), &[(1, &stray)]))),
    ];
    for archive in archives {
        for refused in orders(&archive, &desk.tenant, made.run, crashed.run) {
            let (wrong, right) = (stray.key_id(), desk.signer.key_id());
            assert!(
                matches!(&refused, EraseError::OtherSigner { given, expected, tenant }
                    if (*given, *expected, tenant) == (wrong, right, &desk.tenant)),
                "{refused:?}"
            );
            let said = refused.to_string();
            for part in [&wrong.to_string(), &right.to_string(), "`acme`", "`--key-history`"] {
                assert!(said.contains(part), "{said}");
            }
        }
    }
    // Of another deployment's that has both, and one of keys for something else.
    for (origin, role) in [("other.example", KeyRole::Run), (ORIGIN, KeyRole::Log)] {
        let archive = with(&desk, own(elsewhere(origin, role)));
        for refused in orders(&archive, &desk.tenant, made.run, crashed.run) {
            assert!(
                matches!(&refused, EraseError::SignerRetired { given, current: None, .. } if *given == stray.key_id()),
                "{refused:?}"
            );
            let whose = format!("is a key of `{origin}` for the role `{role}`");
            assert!(refused.to_string().contains(&whose), "{refused}");
        }
    }
    nothing_happened(&desk, &made);
}

#[test]
fn a_key_that_is_not_in_force_speaks_no_more() {
    let (desk, next) = (Desk::new(), signer());
    let (made, crashed) = (make(&desk, true), make(&desk, false));
    let rotated = history(&desk.signer, &[(500, &next)]);
    let mut revoked = rotated.clone();
    revoked.revoke(at(600), desk.signer.key_id(), None, &*next).unwrap();
    for history in [&rotated, &revoked] {
        let archive = with(&desk, desk.registrar().history(history.clone()));
        for refused in orders(&archive, &desk.tenant, made.run, crashed.run) {
            assert!(
                matches!(&refused, EraseError::SignerRetired { given, current, .. }
                    if *given == desk.signer.key_id() && *current == Some(next.key_id())),
                "{refused:?}"
            );
            assert!(refused.to_string().contains(&next.key_id().to_string()), "{refused}");
        }
    }
    assert!(!desk.place.path().join("annex").exists());
    // The one in force, whose history knows the runs' key, speaks; a clock that stands before the rotation makes its line no older.
    let registrar = Registrar::new(name(ORIGIN), next.clone()).unwrap().history(rotated.clone());
    with(&desk, registrar).hold(&desk.tenant, HOLD, at(100), &name("dpo-1")).unwrap();
    let octets = std::fs::read(desk.archive().annex_path(&desk.tenant)).unwrap();
    let annex = Annex::read(&octets, &TrustedKeys::new().history(rotated.clone())).unwrap();
    assert_eq!(annex.entries()[0].at, at(500));
    // The time of a line is not before that of the line before, and a key that has gone until then makes none.
    let third = signer();
    let later = history(&desk.signer, &[(500, &next), (700, &third)]);
    let speaks = |signer: &Arc<FileSigner>| {
        with(&desk, Registrar::new(name(ORIGIN), signer.clone()).unwrap().history(later.clone()))
    };
    speaks(&third).release(&desk.tenant, HOLD, at(900), &name("dpo-1")).unwrap();
    let refused = speaks(&next).hold(&desk.tenant, HOLD, at(650), &name("dpo-1")).unwrap_err();
    assert!(matches!(refused, EraseError::SignerRetired { .. }), "{refused:?}");
}

#[test]
fn another_deployments_name_begins_no_annex() {
    let desk = Desk::new();
    let (made, crashed) = (make(&desk, true), make(&desk, false));
    for refused in orders(&archive(&desk, "other.example", &desk.signer), &desk.tenant, made.run, crashed.run)
    {
        assert!(
            matches!(&refused, EraseError::OtherOrigin { given, found }
                if (given.as_str(), found.as_str()) == ("other.example", ORIGIN)),
            "{refused:?}"
        );
        let said = refused.to_string();
        assert!(said.contains("`other.example`") && said.contains("`--origin hr.example.eu`"), "{said}");
    }
    nothing_happened(&desk, &made);
}

#[test]
fn a_tenant_that_is_not_here_is_not_held() {
    let desk = Desk::new();
    let made = make(&desk, true);
    let refused = desk.archive().hold(&name("acmee"), HOLD, at(1_000), &name("dpo-1")).unwrap_err();
    assert!(
        matches!(&refused, EraseError::UnknownTenant { tenant } if tenant.as_str() == "acmee"),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("`acmee`"), "{refused}");
    nothing_happened(&desk, &made);
}

/// A tenant whose runs have all gone is known by its annex, and so is who speaks for it.
#[test]
fn of_a_tenant_without_runs_its_annex_says_who_speaks() {
    let (desk, stray, next) = (Desk::new(), signer(), signer());
    let made = make(&desk, true);
    let end = at(1_000).plus_days(ALL).unwrap();
    assert_eq!(desk.archive().retain(made.run, end).unwrap(), Done::Erased);
    assert!(!desk.run_directory(made.run).exists());
    let by = name("dpo-1");
    let own = PublicKey::from_bytes(desk.signer.public_key()).unwrap();
    // Even when it is told to accept the lines that are there.
    let accepting = Registrar::new(name(ORIGIN), stray.clone()).unwrap().accept(own);
    let refused = with(&desk, accepting).hold(&desk.tenant, HOLD, end, &by).unwrap_err();
    assert!(matches!(refused, EraseError::OtherSigner { .. }), "{refused:?}");
    desk.archive().hold(&desk.tenant, HOLD, end, &by).unwrap();
    let mut follows = history(&desk.signer, &[]);
    follows.rotate(end, &*desk.signer, &*next).unwrap();
    let registrar = Registrar::new(name(ORIGIN), next.clone()).unwrap().history(follows);
    with(&desk, registrar).release(&desk.tenant, HOLD, end, &by).unwrap();
}

/// Two processes of one deployment with a key each, and no history: each has signed runs of the tenant.
#[test]
fn every_key_of_the_tenants_runs_speaks() {
    let mut desk = Desk::new();
    let (first, second) = (desk.signer.clone(), signer());
    let made = make(&desk, true);
    desk.signer = second.clone();
    make(&desk, true);
    desk.archive().hold(&desk.tenant, HOLD, at(1_000), &name("dpo-1")).unwrap();
    let accepting = Registrar::new(name(ORIGIN), first)
        .unwrap()
        .accept(PublicKey::from_bytes(second.public_key()).unwrap());
    with(&desk, accepting).release(&desk.tenant, HOLD, at(1_000), &name("dpo-1")).unwrap();
    // Also about the run of the other.
    let accepting = Registrar::new(name(ORIGIN), second)
        .unwrap()
        .accept(PublicKey::from_bytes(signer().public_key()).unwrap());
    let refused = with(&desk, accepting).erase(made.run, &Target::Run, &order());
    assert!(matches!(refused, Err(EraseError::AnnexBroken(_))), "{refused:?}");
}
