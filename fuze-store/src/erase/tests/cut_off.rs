//! A crash, a reader or a commit that nobody heard of change nothing of what comes out.

use fuze_agent::store::StoreError;
use fuze_evidence::erase::Done;

use super::super::EraserError;
use super::super::files::STEPS_LEFT;
use super::desk::{Case, Desk, name};
use crate::{Options, SqliteStore, scan};

/// A crash after each step that follows the COMMIT, with another process's eyes in between.
#[tokio::test]
async fn a_crash_after_the_commit_is_finished_later() {
    // After the COMMIT a record and a run take the steps of a field.
    for case in [Case::Field, Case::Subject, Case::All] {
        for step in 0.. {
            let desk = Desk::new();
            let store = desk.open();
            let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
            let set = move |_: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
                STEPS_LEFT.set(Some(step));
                Ok(())
            };
            store.ask(set).await.unwrap();
            let crashed = case.carry_out(&desk.eraser(&store), &made).await;
            store.close().await.unwrap();
            if crashed.is_ok() {
                assert!(step > 5, "{case:?} {step}");
                break;
            }
            let store = desk.open();
            let finished = desk.eraser(&store).recover().await.unwrap();
            assert_eq!(finished, [made.run], "{case:?} {step}");
            assert_eq!(desk.eraser(&store).recover().await.unwrap(), []);
            store.close().await.unwrap();
            case.is_done(&desk, &made, &other).await;
            desk.finds_none(&case.gone(&made));
            let left = scan::walk(desk.place.path());
            assert!(left.iter().all(|path| path.extension().is_none_or(|end| end != "new")), "{left:?}");
        }
    }
}

/// A commit that failed has erased nothing; one that nobody heard of is finished.
#[tokio::test]
async fn an_unclear_commit_erases_all_or_nothing() {
    use crate::database::Fault;
    for fault in [Fault::CommitLost, Fault::CommitUnheard] {
        let desk = Desk::new();
        let store = desk.open();
        let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
        let set = move |keeper: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
            keeper.database.fault = Some(fault);
            Ok(())
        };
        store.ask(set).await.unwrap();
        let unclear = Case::Run.carry_out(&desk.eraser(&store), &made).await;
        assert!(matches!(unclear, Err(EraserError::Store(StoreError::Unclear(_)))), "{unclear:?}");
        let again = Case::Run.carry_out(&desk.eraser(&store), &made).await.unwrap();
        let expected = if matches!(fault, Fault::CommitLost) { Done::Erased } else { Done::Already };
        assert_eq!(again, expected);
        store.close().await.unwrap();
        Case::Run.is_done(&desk, &made, &other).await;
    }
}

/// Somebody who reads keeps the write-ahead log from being cut: the erasure stands, says so, and is finished later.
#[tokio::test]
async fn a_reader_in_the_way_leaves_the_erasure_unfinished() {
    let desk = Desk::new();
    let options = Options::default().busy_timeout(std::time::Duration::from_millis(20));
    let store = SqliteStore::open(desk.place.path().join("store"), &options).unwrap();
    let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let reader = store.evidence(made.run).unwrap();
    let blocked = Case::Run.carry_out(&desk.eraser(&store), &made).await;
    assert!(matches!(blocked, Err(EraserError::Store(StoreError::Locked))), "{blocked:?}");
    drop(reader);
    assert_eq!(desk.eraser(&store).recover().await.unwrap(), [made.run]);
    desk.finds_none(&made.secrets);
    store.close().await.unwrap();
    Case::Run.is_done(&desk, &made, &other).await;
}

/// The file is changed after the COMMIT and before the rest: that erasure stays unfinished, others are begun and finished.
#[tokio::test]
async fn an_erasure_that_is_stuck_holds_up_no_other_tenant() {
    let desk = Desk::new();
    let store = desk.open();
    let (first, second) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let other = desk.make_for(&store, true, name("other")).await;
    assert_eq!(Case::Record.carry_out(&desk.eraser(&store), &first).await.unwrap(), Done::Erased);
    let crash = |_: &mut crate::keeper::Keeper| -> Result<(), StoreError> {
        STEPS_LEFT.set(Some(0));
        Ok(())
    };
    store.ask(crash).await.unwrap();
    assert!(Case::Run.carry_out(&desk.eraser(&store), &second).await.is_err());
    store.close().await.unwrap();
    let path = desk.place.path().join("store/annex").join(fuze_evidence::annex::file_name(&name("acme")));
    std::fs::write(&path, b"something else\n").unwrap();
    let store = desk.open();
    let eraser = desk.eraser(&store);
    assert!(matches!(eraser.recover().await, Err(EraserError::Store(StoreError::Projection(_)))));
    assert_eq!(Case::Run.carry_out(&eraser, &other).await.unwrap(), Done::Erased);
    desk.finds_none(&other.secrets);
    let refused = Case::Run.carry_out(&eraser, &first).await;
    assert!(matches!(refused, Err(EraserError::Store(StoreError::Projection(_)))), "{refused:?}");
    assert!(eraser.compact().await.is_err());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(eraser.recover().await.unwrap(), [second.run]);
    eraser.compact().await.unwrap();
    desk.finds_none(&second.secrets);
    assert_eq!(desk.counts(&store, second.run).erased, 16);
}
