//! A store that yields around every operation and can hang or fail at one of them: where a process can die.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use fuze_agent::store::{
    Batch, Claim, ClaimError, Fence, RunStore, Start, Stop, StoreError, StoredRun, Unanchored,
};
use fuze_agent::testing::MemoryStore;
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::{Hash, Name, RunId};
use tokio::task::yield_now;

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Before the operation is done.
    Before,
    /// After it is done, and before anybody knows.
    After,
}

/// A store that hangs for ever at its `nth` write.
pub struct Fragile {
    inner: Arc<dyn RunStore>,
    at: u32,
    how: Break,
    count: AtomicU32,
    hung: Arc<tokio::sync::Notify>,
    /// Runs begin, and the answer is lost.
    unheard: bool,
}

impl Fragile {
    /// Hangs at the `nth` write from now on; 1 is the next. What it returns beside it is notified then.
    #[must_use]
    pub fn at(inner: &MemoryStore, nth: u32, how: Break) -> (Arc<Self>, Arc<tokio::sync::Notify>) {
        Self::around(Arc::new(inner.clone()), nth, how)
    }

    /// The same around any store.
    #[must_use]
    pub fn around(inner: Arc<dyn RunStore>, nth: u32, how: Break) -> (Arc<Self>, Arc<tokio::sync::Notify>) {
        let hung = Arc::new(tokio::sync::Notify::new());
        let (count, unheard) = (AtomicU32::new(0), false);
        let store = Self { inner, at: nth, how, count, hung: hung.clone(), unheard };
        (Arc::new(store), hung)
    }

    /// Hangs nowhere. Runs begin, and nobody hears of it.
    #[must_use]
    pub fn unheard(inner: &MemoryStore) -> Arc<Self> {
        let (inner, hung): (Arc<dyn RunStore>, _) = (Arc::new(inner.clone()), Arc::default());
        Arc::new(Self { inner, at: 0, how: Break::After, count: AtomicU32::new(0), hung, unheard: true })
    }

    async fn write<T>(&self, operation: impl Future<Output = T>) -> T {
        let here = self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
        yield_now().await;
        if here && self.how == Break::Before {
            self.hung.notify_one();
            return pending().await;
        }
        let done = operation.await;
        if here {
            self.hung.notify_one();
            return pending().await;
        }
        yield_now().await;
        done
    }
}

#[async_trait]
impl RunStore for Fragile {
    fn identity(&self) -> Name {
        self.inner.identity()
    }
    async fn create(&self, run: RunId, batch: Batch) -> Result<Fence, StoreError> {
        let created = self.write(self.inner.create(run, batch)).await;
        match (self.unheard, created) {
            (true, Ok(_)) => Err(StoreError::Unclear("nobody heard".into())),
            (_, created) => created,
        }
    }
    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        self.write(self.inner.commit(fence, batch)).await
    }
    async fn start_effect(&self, fence: Fence, id: Hash, deadline: u64) -> Result<Start, StoreError> {
        self.write(self.inner.start_effect(fence, id, deadline)).await
    }
    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        self.inner.load(run).await
    }
    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.records(run, from, limit).await
    }
    async fn take_over(&self, run: RunId, epoch: u64) -> Result<Fence, StoreError> {
        self.write(self.inner.take_over(run, epoch)).await
    }
    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError> {
        self.write(self.inner.claim(claim)).await
    }
    async fn add_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), StoreError> {
        self.write(self.inner.add_anchor(run, line)).await
    }
    async fn unanchored(&self, after: Option<RunId>, limit: u32) -> Result<Vec<Unanchored>, StoreError> {
        self.inner.unanchored(after, limit).await
    }
    async fn request_stop(&self, run: RunId, stop: Stop) -> Result<(), StoreError> {
        self.inner.request_stop(run, stop).await
    }
    async fn stop_requested(&self, run: RunId) -> Result<Option<Stop>, StoreError> {
        self.inner.stop_requested(run).await
    }
}

/// A [`MemoryStore`] whose runs somebody changes before they are read.
pub struct Altered {
    inner: MemoryStore,
    change: Box<dyn Fn(&mut StoredRun) + Send + Sync>,
}

impl Altered {
    /// Changes each run that is read.
    #[must_use]
    pub fn new(inner: &MemoryStore, change: impl Fn(&mut StoredRun) + Send + Sync + 'static) -> Self {
        Self { inner: inner.clone(), change: Box::new(change) }
    }
}

#[async_trait]
impl RunStore for Altered {
    fn identity(&self) -> Name {
        self.inner.identity()
    }
    async fn create(&self, run: RunId, batch: Batch) -> Result<Fence, StoreError> {
        self.inner.create(run, batch).await
    }
    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        self.inner.commit(fence, batch).await
    }
    async fn start_effect(&self, fence: Fence, id: Hash, deadline: u64) -> Result<Start, StoreError> {
        self.inner.start_effect(fence, id, deadline).await
    }
    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let mut stored = self.inner.load(run).await?;
        (self.change)(&mut stored);
        Ok(stored)
    }
    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        RunStore::records(&self.inner, run, from, limit).await
    }
    async fn take_over(&self, run: RunId, epoch: u64) -> Result<Fence, StoreError> {
        self.inner.take_over(run, epoch).await
    }
    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError> {
        self.inner.claim(claim).await
    }
    async fn add_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), StoreError> {
        self.inner.add_anchor(run, line).await
    }
    async fn unanchored(&self, after: Option<RunId>, limit: u32) -> Result<Vec<Unanchored>, StoreError> {
        let mut page = self.inner.unanchored(after, limit).await?;
        for left in &mut page {
            let stored = self.load(left.run).await?;
            left.opened = stored.anchors.first().cloned().unwrap_or_default();
            left.open_root = stored.open_root.unwrap_or_default();
        }
        Ok(page)
    }
    async fn request_stop(&self, run: RunId, stop: Stop) -> Result<(), StoreError> {
        self.inner.request_stop(run, stop).await
    }
    async fn stop_requested(&self, run: RunId) -> Result<Option<Stop>, StoreError> {
        self.inner.stop_requested(run).await
    }
}
