//! A line that no auditor would accept stays for ever, and the tables' triggers see to that: whoever may not make one is refused before.

use std::sync::Arc;

use fuze_evidence::annex::{Contest, Hold, HoldReason, HoldScope};
use fuze_evidence::erase::{Done, EraseError, Registrar};
use fuze_evidence::keys::history::{KeyHistory, KeyRole};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::{Name, sha256};

use super::super::{Eraser, EraserError};
use super::desk::{CASES, Case, Desk, Made, at, name};
use crate::SqliteStore;

const HOLD: Hold = Hold { scope: HoldScope::Tenant, reason: HoldReason::LegalClaims };
const ORIGIN: &str = "hr.example.eu";

fn signer() -> Arc<FileSigner> {
    Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap())
}

fn eraser<'s>(desk: &Desk, store: &'s SqliteStore, registrar: Registrar) -> Eraser<'s> {
    Eraser::new(store, registrar).master_key(desk.master.clone()).subject_keys(desk.subjects.clone())
}

fn why(refused: Result<(), EraserError>) -> EraseError {
    match refused {
        Err(EraserError::Erase(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Everything that makes a line.
async fn orders(eraser: &Eraser<'_>, tenant: &Name, made: &Made) -> Vec<EraseError> {
    let mut refused = Vec::new();
    for case in CASES {
        refused.push(why(case.carry_out(eraser, made).await.map(drop)));
    }
    let (time, by, tenant) = (at(1_000), || name("dpo-1"), || tenant.clone());
    let contest = Contest { run_id: made.run, root: None, statement: sha256(b"x") };
    for hold in [HOLD, Hold { scope: HoldScope::Run(made.run), ..HOLD }] {
        refused.push(why(eraser.hold(tenant(), hold, time, by()).await));
        refused.push(why(eraser.release(tenant(), hold, time, by()).await));
    }
    refused.push(why(eraser.contest(tenant(), contest, time, by()).await));
    refused.push(why(eraser.late_outcome(tenant(), contest, time, by()).await));
    refused
}

/// Nothing was written, and the right key of the right deployment goes on as if nobody had tried.
async fn nothing_happened(desk: &Desk, store: &SqliteStore, made: &Made) {
    let lines = |keeper: &mut crate::keeper::Keeper| {
        keeper.database.snapshot(|connection| {
            let count = "SELECT (SELECT count(*) FROM annex) + (SELECT count(*) FROM unfinished)";
            connection.query_row(count, [], |row| row.get(0)).map_err(crate::error::sql)
        })
    };
    let lines: i64 = store.ask::<_, fuze_agent::store::StoreError>(lines).await.unwrap();
    assert_eq!(lines, 0);
    let eraser = desk.eraser(store);
    eraser.hold(name("acme"), HOLD, at(1_000), name("dpo-1")).await.unwrap();
    eraser.release(name("acme"), HOLD, at(1_000), name("dpo-1")).await.unwrap();
    assert_eq!(Case::Run.carry_out(&eraser, made).await.unwrap(), Done::Erased);
    assert_eq!(desk.counts(store, made.run).erased, 16);
}

#[tokio::test]
async fn no_key_speaks_that_did_not_sign_the_runs() {
    let (desk, stray) = (Desk::new(), signer());
    let store = desk.open();
    let made = desk.make(&store, true).await;
    let registrar = || Registrar::new(name(ORIGIN), stray.clone()).unwrap();
    let unknowing = KeyHistory::introduce(name(ORIGIN), KeyRole::Run, at(0), &*stray).unwrap();
    for registrar in [registrar(), registrar().history(unknowing)] {
        for refused in orders(&eraser(&desk, &store, registrar), &name("acme"), &made).await {
            assert!(
                matches!(&refused, EraseError::OtherSigner { given, expected, .. }
                    if (*given, *expected) == (stray.key_id(), desk.signer.key_id())),
                "{refused:?}"
            );
        }
    }
    nothing_happened(&desk, &store, &made).await;
}

#[tokio::test]
async fn a_key_that_is_not_in_force_speaks_no_more() {
    let (desk, next) = (Desk::new(), signer());
    let store = desk.open();
    let made = desk.make(&store, true).await;
    let mut history = KeyHistory::introduce(name(ORIGIN), KeyRole::Run, at(0), &*desk.signer).unwrap();
    history.rotate(at(500), &*desk.signer, &*next).unwrap();
    let registrar = Registrar::new(name(ORIGIN), desk.signer.clone()).unwrap().history(history);
    for refused in orders(&eraser(&desk, &store, registrar), &name("acme"), &made).await {
        assert!(
            matches!(&refused, EraseError::SignerRetired { current, .. } if *current == Some(next.key_id())),
            "{refused:?}"
        );
    }
    nothing_happened(&desk, &store, &made).await;
}

#[tokio::test]
async fn another_deployments_name_begins_no_annex() {
    let desk = Desk::new();
    let store = desk.open();
    let made = desk.make(&store, true).await;
    let registrar = Registrar::new(name("other.example"), desk.signer.clone()).unwrap();
    for refused in orders(&eraser(&desk, &store, registrar), &name("acme"), &made).await {
        assert!(
            matches!(&refused, EraseError::OtherOrigin { given, found }
                if (given.as_str(), found.as_str()) == ("other.example", ORIGIN)),
            "{refused:?}"
        );
    }
    nothing_happened(&desk, &store, &made).await;
}

#[tokio::test]
async fn a_tenant_that_is_not_here_is_not_held() {
    let desk = Desk::new();
    let store = desk.open();
    let made = desk.make(&store, true).await;
    let refused = desk.eraser(&store).hold(name("acmee"), HOLD, at(1_000), name("dpo-1")).await;
    assert!(matches!(why(refused), EraseError::UnknownTenant { tenant } if tenant == name("acmee")));
    nothing_happened(&desk, &store, &made).await;
}

/// A tenant whose runs have all gone is known by its annex, and so is who speaks for it.
#[tokio::test]
async fn of_a_tenant_without_runs_its_annex_says_who_speaks() {
    let (desk, stray) = (Desk::new(), signer());
    let store = desk.open();
    let made = desk.make(&store, true).await;
    assert_eq!(Case::All.carry_out(&desk.eraser(&store), &made).await.unwrap(), Done::Erased);
    let later = at(21).plus_days(400).unwrap();
    let own = fuze_evidence::sign::PublicKey::from_bytes(desk.signer.public_key()).unwrap();
    let accepting = Registrar::new(name(ORIGIN), stray).unwrap().accept(own);
    let refused = eraser(&desk, &store, accepting).hold(name("acme"), HOLD, later, name("dpo-1")).await;
    assert!(matches!(why(refused), EraseError::OtherSigner { .. }));
    desk.eraser(&store).hold(name("acme"), HOLD, later, name("dpo-1")).await.unwrap();
    desk.eraser(&store).release(name("acme"), HOLD, later, name("dpo-1")).await.unwrap();
}
