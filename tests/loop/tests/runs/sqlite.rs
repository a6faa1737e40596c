//! The same runs in SQLite: the loop and the store agree about every step of the ledger, and the files verify.

use std::sync::Arc;

use fuze_agent::prelude::*;
use fuze_agent_loop_tests::{Break, Evidence, Fragile};
use fuze_evidence::vocab::RunStatus;
use fuze_store::{Options, Query, SqliteStore};

use super::crash::{Case, PLAIN, Scene, WAITING};

/// The process dies at every third write, and another one opens what it left.
async fn process_dies(scene: Scene, how: Break) {
    for nth in (1..).step_by(3) {
        let (case, dir) = (Case::new(scene), tempfile::tempdir().unwrap());
        // The store makes its own directory, for its owner alone.
        let place = dir.path().join("store");
        let policy = || Fixed::new().allow_classification("public");
        let store = Arc::new(SqliteStore::open(&place, &Options::default()).unwrap());
        let (fragile, hung) = Fragile::around(store.clone(), nth, how);
        let deployment = case.desk.builder_on(fragile, policy(), &[&case.anna]).build().unwrap();
        let ended = tokio::select! {
            outcome = case.all_in_one(&deployment) => Some(outcome),
            () = hung.notified() => None,
        };
        drop((deployment, store));
        let store = Arc::new(SqliteStore::open(&place, &Options::default()).unwrap());
        let deployment = case.desk.builder_on(store.clone(), policy(), &[&case.anna]).build().unwrap();
        let runs = store.query(Query::new()).await.unwrap().runs;
        let Some(run) = runs.first() else {
            assert_eq!(case.world.log(), [""; 0], "nothing happens before the run is on record");
            continue;
        };
        case.finish(&deployment, run.run).await;
        let place = store.run_directory(run.run);
        let files = ["records.jsonl", "roots.jsonl", "content.jsonl", "keys.jsonl"]
            .map(|name| (name, std::fs::read(place.join(name)).unwrap()));
        let evidence = Evidence::read(&case.desk, &files);
        case.holds(&evidence, &format!("{how:?} write {nth}"));
        if let Some(outcome) = ended {
            assert_eq!(outcome.status(), "completed");
            assert_eq!(evidence.status(), Some(RunStatus::Completed));
            return;
        }
    }
}

#[tokio::test]
async fn the_process_dies() {
    process_dies(PLAIN, Break::Before).await;
    process_dies(PLAIN, Break::After).await;
}

#[tokio::test]
async fn the_process_dies_while_people_decide() {
    process_dies(WAITING, Break::Before).await;
    process_dies(WAITING, Break::After).await;
}
