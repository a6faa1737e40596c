//! A store whose answers somebody changes: what a person with the database, and without the keys, could do.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fuze_agent::store::{
    Batch, Claim, ClaimError, Fence, RunStore, SealedProgress, Start, Stop, StoreError, StoredRun, Unanchored,
};
use fuze_agent::testing::MemoryStore;
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::{Hash, Name, RunId};
use tokio::sync::Barrier;

type Change<T> = Box<dyn FnMut(&mut T) + Send>;

/// Passes everything on, changed where a test says so, and keeps each piece of progress that it saw.
#[derive(Clone)]
pub struct Tampered {
    inner: MemoryStore,
    hands: Arc<Mutex<Hands>>,
}

#[derive(Default)]
struct Hands {
    load: Option<Change<StoredRun>>,
    claim: Option<Change<Claim>>,
    start: Option<Start>,
    together: Option<Arc<Barrier>>,
    pieces: Vec<SealedProgress>,
}

impl Tampered {
    /// Around a store.
    #[must_use]
    pub fn new(inner: &MemoryStore) -> Self {
        Self { inner: inner.clone(), hands: Arc::default() }
    }

    /// Changes what is loaded.
    pub fn on_load(&self, change: impl FnMut(&mut StoredRun) + Send + 'static) {
        self.hands.lock().unwrap().load = Some(Box::new(change));
    }

    /// Changes what is claimed.
    pub fn on_claim(&self, change: impl FnMut(&mut Claim) + Send + 'static) {
        self.hands.lock().unwrap().claim = Some(Box::new(change));
    }

    /// Lets no claim begin before this many have come.
    pub fn claims_together(&self, count: usize) {
        self.hands.lock().unwrap().together = Some(Arc::new(Barrier::new(count)));
    }

    /// Answers every start of an effect with this, whatever the ledger says.
    pub fn on_start(&self, start: Start) {
        self.hands.lock().unwrap().start = Some(start);
    }

    /// Each piece of progress that was stored, oldest first, those that were replaced too.
    #[must_use]
    pub fn pieces(&self) -> Vec<SealedProgress> {
        self.hands.lock().unwrap().pieces.clone()
    }

    fn keep(&self, batch: &Batch) {
        use fuze_agent::store::Progress::{Append, Replace};
        if let Some(Append(piece) | Replace(piece)) = &batch.progress {
            self.hands.lock().unwrap().pieces.push(piece.clone());
        }
    }
}

#[async_trait]
impl RunStore for Tampered {
    fn identity(&self) -> Name {
        self.inner.identity()
    }

    async fn create(&self, run: RunId, batch: Batch) -> Result<Fence, StoreError> {
        self.keep(&batch);
        self.inner.create(run, batch).await
    }

    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        self.keep(&batch);
        self.inner.commit(fence, batch).await
    }

    async fn start_effect(
        &self,
        fence: Fence,
        exec_id: Hash,
        deadline_unix_ms: u64,
    ) -> Result<Start, StoreError> {
        let forced = self.hands.lock().unwrap().start;
        match forced {
            Some(start) => Ok(start),
            None => self.inner.start_effect(fence, exec_id, deadline_unix_ms).await,
        }
    }

    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let mut stored = self.inner.load(run).await?;
        if let Some(change) = &mut self.hands.lock().unwrap().load {
            change(&mut stored);
        }
        Ok(stored)
    }

    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        RunStore::records(&self.inner, run, from, limit).await
    }

    async fn take_over(&self, run: RunId, expected_epoch: u64) -> Result<Fence, StoreError> {
        self.inner.take_over(run, expected_epoch).await
    }

    async fn claim(&self, mut claim: Claim) -> Result<Fence, ClaimError> {
        if let Some(change) = &mut self.hands.lock().unwrap().claim {
            change(&mut claim);
        }
        self.keep(&claim.batch);
        let together = self.hands.lock().unwrap().together.clone();
        if let Some(together) = together {
            together.wait().await;
        }
        self.inner.claim(claim).await
    }

    async fn add_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), StoreError> {
        self.inner.add_anchor(run, line).await
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
