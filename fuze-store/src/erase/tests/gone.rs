//! What was erased is in no file, and in no part of a page.

use fuze_agent::store::{RunStore as _, StoreError};
use fuze_evidence::erase::{Done, EraseError};

use super::desk::{CASES, Case, Desk, desk_first};
use crate::erase::EraserError;
use crate::{SqliteStore, scan};

/// With the store open and after it was closed: database, -wal, -shm, files of runs, annex, keys.
#[tokio::test]
async fn what_was_erased_is_in_no_file() {
    scan::prove_itself();
    for case in CASES {
        let desk = Desk::new();
        let store = desk.open();
        let mut made = Vec::new();
        for _ in 0..4 {
            made.push(desk.make(&store, true).await);
        }
        let (own, other) = (&made[1], &made[2]);
        let both = [own.secrets.clone(), other.secrets.clone()].concat();
        assert!(desk.find(&both).iter().all(Option::is_some), "{case:?}");
        assert_eq!(case.carry_out(&desk.eraser(&store), own).await.unwrap(), Done::Erased);
        let mut gone = case.gone(own);
        if matches!(case, Case::Field | Case::Record) {
            let first = desk_first(own);
            gone.extend(first);
        }
        desk.finds_none(&gone);
        assert!(desk.find(&other.secrets).iter().all(Option::is_some), "{case:?}");
        if case != Case::All {
            match case.carry_out(&desk.eraser(&store), own).await {
                Ok(done) => assert_eq!(done, Done::Already),
                // Of fields nobody can tell any more.
                Err(error) => assert!(matches!(
                    (case, error),
                    (Case::Field, EraserError::Erase(EraseError::NothingLeft { .. }))
                )),
            }
        }
        store.close().await.unwrap();
        desk.finds_none(&gone);
        case.is_done(&desk, own, other).await;
    }
}

/// It is not corrupt, and asking for it makes no files.
#[tokio::test]
async fn a_run_that_was_erased_says_so_when_it_is_loaded() {
    for case in [Case::Run, Case::Subject, Case::All] {
        let desk = Desk::new();
        let store = desk.open();
        let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
        assert!(store.load(made.run).await.is_ok());
        assert_eq!(case.carry_out(&desk.eraser(&store), &made).await.unwrap(), Done::Erased);
        let refused = store.load(made.run).await;
        assert_eq!(refused.map(drop), Err(StoreError::Erased), "{case:?}");
        assert_eq!(store.run_directory(made.run).exists(), case != Case::All);
        assert!(store.load(other.run).await.is_ok());
        store.close().await.unwrap();
        case.is_done(&desk, &made, &other).await;
    }
}

/// How many rows of content there are, their octets, and those that are blank.
async fn content_rows(store: &SqliteStore) -> (i64, i64, i64) {
    let count = |keeper: &mut crate::keeper::Keeper| {
        keeper.database.snapshot(|connection| {
            let sql =
                "SELECT count(*), sum(length(content) + length(keys)), sum(substr(content, 1, 1) = x'20')
                       FROM contents";
            connection
                .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .map_err(crate::error::sql)
        })
    };
    store.ask::<_, StoreError>(count).await.unwrap()
}

/// When a row goes or becomes smaller, SQLite moves its neighbours, and of what it moved a copy may stay behind and outlive its
/// erasure. So content is overwritten where it stands, until all pages are written anew.
#[tokio::test]
async fn content_is_overwritten_where_it_stands() {
    for case in CASES {
        let desk = Desk::new();
        let store = desk.open();
        let mut made = Vec::new();
        for _ in 0..6 {
            made.push(desk.make(&store, true).await);
        }
        let (rows, octets, blank) = content_rows(&store).await;
        assert_eq!((rows, blank), (12, 0));
        let eraser = desk.eraser(&store).compact_later();
        let mut gone = Vec::new();
        for one in [&made[4], &made[0], &made[2]] {
            assert_eq!(case.carry_out(&eraser, one).await.unwrap(), Done::Erased);
            gone.extend(case.gone(one));
            if matches!(case, Case::Field | Case::Record) {
                gone.extend(desk_first(one));
            }
        }
        let blanks = match case {
            Case::Field => 0,
            Case::Record => 3,
            Case::Run | Case::Subject | Case::All => 6,
        };
        assert_eq!(content_rows(&store).await, (rows, octets, blanks), "{case:?}");
        desk.finds_none(&gone);
        // All pages anew, and without the blanks.
        eraser.compact().await.unwrap();
        let (left, shorter, blank) = content_rows(&store).await;
        assert_eq!((left, blank), (rows - blanks, 0), "{case:?}");
        assert!(shorter < octets, "{case:?}");
        desk.finds_none(&gone);
        store.close().await.unwrap();
        case.is_done(&desk, &made[4], &made[1]).await;
    }
}

/// Nothing is in the file that no row has, whatever was moved about before: here as if a page had kept it.
#[tokio::test]
async fn compacting_leaves_nothing_in_unused_octets() {
    let desk = Desk::new();
    let store = desk.open();
    let (made, other) = (desk.make(&store, true).await, desk.make(&store, true).await);
    let careless = |keeper: &mut crate::keeper::Keeper| {
        let run = |connection: &rusqlite::Connection| {
            connection.execute("DELETE FROM progress", []).map(drop).map_err(crate::error::sql)
        };
        keeper.database.fresh().and_then(|connection| {
            connection.pragma_update(None, "secure_delete", "OFF").map_err(crate::error::sql)?;
            run(&connection)
        })
    };
    store.ask::<_, StoreError>(careless).await.unwrap();
    let progress = [made.secrets[made.secrets.len() - 2].clone()];
    assert!(desk.find(&progress)[0].is_some());
    desk.eraser(&store).compact().await.unwrap();
    desk.finds_none(&progress);
    assert_eq!(desk.counts(&store, made.run).verified, 16);
    assert_eq!(desk.counts(&store, other.run).verified, 16);
}
