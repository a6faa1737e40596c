//! The suite over SQLite.

#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

use std::sync::Arc;

use async_trait::async_trait;
use fuze_agent::store::RunStore;
use fuze_store::{Options, SqliteStore};
use fuze_store_suite::Place;

struct Directory(tempfile::TempDir);

#[async_trait]
impl Place for Directory {
    async fn open(&self) -> Result<Arc<dyn RunStore>, String> {
        let store = SqliteStore::open(self.0.path().join("store"), &Options::default());
        Ok(Arc::new(store.map_err(|error| error.to_string())?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_passes() {
    let report =
        fuze_store_suite::run(|| Arc::new(Directory(tempfile::tempdir().expect("a directory")))).await;
    assert!(report.failed().is_empty(), "{report}");
    assert!(report.cases.len() >= 40, "{report}");
}
