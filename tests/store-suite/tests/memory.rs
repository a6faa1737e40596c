//! The suite over the store in memory that tests of agents use.

use std::sync::Arc;

use async_trait::async_trait;
use fuze_agent::store::RunStore;
use fuze_agent::testing::MemoryStore;
use fuze_store_suite::Place;

struct Memory(MemoryStore);

#[async_trait]
impl Place for Memory {
    async fn open(&self) -> Result<Arc<dyn RunStore>, String> {
        Ok(Arc::new(self.0.clone()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_passes() {
    let report =
        fuze_store_suite::run(|| Arc::new(Memory(MemoryStore::new().expect("its names are constants"))))
            .await;
    assert!(report.failed().is_empty(), "{report}");
}
