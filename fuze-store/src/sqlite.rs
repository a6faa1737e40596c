//! The store: one thread that owns the connection and the files, and the callers who wait for its answers.
//!
//! One request is one step that stands or does not; those that wait share a transaction (see `group`). An answer is only
//! given after its COMMIT.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use fuze_agent::store::{
    Batch, Claim, ClaimError, Fence, RunState, RunStore, Start, Stop, StoreError, StoredRun, Unanchored,
};
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{Hash, Name, RunId};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, Ended};
use crate::erase::Unsettled;
use crate::evidence::{EvidenceError, StoredEvidence, StoredReport};
use crate::group::{self, Pending, Request};
use crate::keeper::{Keeper, known};
use crate::projection::Projection;
use crate::query::{Page, Query};
use crate::{apply, claim, network, place, query, read, rows};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    busy_timeout: Duration,
    queue: usize,
    max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(10), queue: 1024, max_bytes: None }
    }
}

impl Options {
    /// How long a request waits for another process before [`StoreError::Locked`]; 10 seconds unless told.
    #[must_use]
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many requests may wait; further callers wait to get into the queue. 1024 unless told, at least 1.
    #[must_use]
    pub const fn queue(mut self, requests: usize) -> Self {
        self.queue = if requests == 0 { 1 } else { requests };
        self
    }

    /// How large the database file may grow, in bytes; beyond it [`StoreError::Full`]. Unlimited unless told.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// Runs in one SQLite file, shared by the processes of one machine.
///
/// Writes go through one thread, and those that wait share a COMMIT. A request that was handed over is carried out even if its caller
/// stops waiting. When the store is dropped, what is in the queue is still carried out; [`SqliteStore::close`] waits for that.
///
/// After a COMMIT the run's files under `runs/<id>/` are brought up to date. If that fails the batch stands all the same: [`RunStore::commit`]
/// returns the failure for a run that goes on or has closed, so that it stops; when a run was suspended or claimed the
/// call succeeds, because its outcome must be known, and the next operation on the run fails until its files agree.
pub struct SqliteStore {
    requests: mpsc::Sender<Request>,
    ended: oneshot::Receiver<Result<(), StoreError>>,
    identity: Name,
    directory: PathBuf,
    bad: BTreeMap<RunId, StoreError>,
    bad_annexes: BTreeMap<Name, StoreError>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in `directory`, which is made if it is not there (with the rights 0700), brings a file of an earlier version up to
    /// date, and completes the files of runs that a crash left behind. Reads and writes files on the calling thread: open it where that
    /// may block.
    ///
    /// A run or an annex whose files hold what the store does not, or cannot be written, does not keep the store from opening: see
    /// [`SqliteStore::bad_runs`] and [`SqliteStore::bad_annexes`].
    ///
    /// # Errors
    /// When the directory or the file is a link, open to others or on a network file system; [`StoreError::NewerVersion`], [`StoreError::Corrupt`] when
    /// the file is something else; else why not.
    pub fn open(directory: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let directory = place::directory(directory.as_ref())?;
        network::refuse(&directory)?;
        let file = place::file(&directory);
        place::database(&file)?;
        let database = Database::open(file, options.busy_timeout, options.max_bytes)?;
        let projection = Projection::new(&directory, options.busy_timeout)?;
        let mut keeper = Keeper { database, projection };
        let Unsettled { runs, annexes } = keeper.settle_files()?;
        let mut bad = keeper.sweep()?;
        bad.extend(runs);
        let identity = Name::new(concat!("fuze-store-sqlite/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| StoreError::Io(error.to_string()))?;
        let (requests, mut queue) = mpsc::channel::<Request>(options.queue);
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("fuze-store".into())
            .spawn(move || {
                group::serve(&mut keeper, &mut queue);
                // Nobody may be waiting; then nobody wants to know.
                drop(end.send(keeper.database.close()));
            })
            .map_err(|error| StoreError::Io(format!("no thread for the store: {error}")))?;
        Ok(Self { requests, ended, identity, directory, bad, bad_annexes: annexes })
    }

    /// Waits until everything asked for is done and the file is closed.
    ///
    /// # Errors
    /// When the file cannot be closed.
    pub async fn close(self) -> Result<(), StoreError> {
        let Self { requests, ended, .. } = self;
        drop(requests);
        ended.await.map_err(|_| gone())?
    }

    /// The runs that were not in order when the store was opened, and why: each refuses to go on until it is mended, the others
    /// go on. Among them directories under `runs/` of runs that the store does not know: was the database replaced?
    #[must_use]
    pub const fn bad_runs(&self) -> &BTreeMap<RunId, StoreError> {
        &self.bad
    }

    /// The tenants whose annex, as a file, was not in step with the store when that was opened, and why: nothing of theirs is erased
    /// or held until that file is mended; the others are not concerned.
    #[must_use]
    pub const fn bad_annexes(&self) -> &BTreeMap<Name, StoreError> {
        &self.bad_annexes
    }

    /// Where the store is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a run's files are, or will be: what `fuze_evidence::verify` reads.
    #[must_use]
    pub fn run_directory(&self, run: RunId) -> PathBuf {
        self.directory.join("runs").join(run.to_string())
    }

    /// At most `limit` lines of a run's records, from the sequence `from` on, without their line feeds.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else why the store cannot.
    pub async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        self.ask(move |keeper| {
            keeper.database.snapshot(|connection| {
                let row = rows::require(connection, run)?;
                read::lines(connection, row.id, from, limit.into())
            })
        })
        .await
    }

    /// The runs that `query` asks for, oldest first.
    ///
    /// # Errors
    /// Why the store cannot.
    pub async fn query(&self, query: Query) -> Result<Page, StoreError> {
        self.ask(move |keeper| keeper.database.snapshot(|c| query::page(c, &query))).await
    }

    /// A run as it stands now, to be read as files. Reads on the calling thread, beside whoever writes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; else why the store cannot.
    pub fn evidence(&self, run: RunId) -> Result<StoredEvidence, StoreError> {
        StoredEvidence::open(&self.directory, run)
    }

    /// Verifies a run straight from the tables, and that its files hold nothing else. Reads on the calling thread.
    ///
    /// # Errors
    /// When it is not found, not intact, or its files differ.
    pub fn verify(&self, run: RunId, keys: &TrustedKeys<'_>) -> Result<StoredReport, EvidenceError> {
        self.evidence(run)?.verify(keys)
    }

    #[cfg(test)]
    pub(crate) const fn requests(&self) -> &mpsc::Sender<Request> {
        &self.requests
    }

    /// Hands a request to the thread and waits for its answer.
    pub(crate) async fn ask<T, E>(
        &self,
        request: impl FnOnce(&mut Keeper) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request = move |keeper: &mut Keeper| {
            // A caller that stopped waiting reads the outcome from the store, as after a crash.
            drop(answer.send(request(keeper)));
        };
        self.hand_over(Request::Alone(Box::new(request)), answered).await
    }

    /// Hands a write to the thread, which may carry it out together with others, and waits for its answer.
    async fn write<T, E>(
        &self,
        run: RunId,
        bytes: usize,
        apply: impl FnMut(&Connection, &mut Projection) -> Result<T, E> + Send + 'static,
        finish: impl FnOnce(&mut Keeper, Ended<T, E>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let pending = Pending { run, bytes, apply, finish, applied: None, answer };
        self.hand_over(Request::Write(Box::new(pending)), answered).await
    }

    async fn hand_over<T, E: From<StoreError>>(
        &self,
        request: Request,
        answered: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E> {
        self.requests.send(request).await.map_err(|_| E::from(gone()))?;
        answered.await.map_err(|_| E::from(gone()))?
    }
}

fn gone() -> StoreError {
    StoreError::Unclear("the store's thread has ended; open the store again and load the run".into())
}

#[async_trait]
impl RunStore for SqliteStore {
    fn identity(&self) -> Name {
        self.identity.clone()
    }

    async fn create(&self, run: RunId, batch: Batch) -> Result<Fence, StoreError> {
        apply::examine(run, &batch, true)?;
        let (state, bytes) = (batch.state, apply::bytes(&batch));
        let apply = move |connection: &Connection, projection: &mut Projection| {
            if rows::find(connection, run)?.is_some() {
                return Err(StoreError::Exists);
            }
            projection.must_be_absent(run)?;
            let fence = apply::create(connection, run, &batch)?;
            Ok((rows::require(connection, run)?.id, fence))
        };
        let finish = move |keeper: &mut Keeper, ended| {
            let (id, fence) = known(ended)?;
            keeper.project(run, id, state).map(|()| (id, fence))
        };
        self.write(run, bytes, apply, finish).await.map(|(_, fence)| fence)
    }

    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        let run = fence.run;
        apply::examine(run, &batch, false)?;
        let (state, bytes) = (batch.state, apply::bytes(&batch));
        let apply = move |connection: &Connection, projection: &mut Projection| {
            let row = rows::require(connection, run)?;
            if projection.is_behind(run) {
                projection.check(connection, run, row.id)?;
            }
            apply::commit(connection, &row, fence, &batch).map(|()| row.id)
        };
        let finish = move |keeper: &mut Keeper, ended| {
            let id = known(ended)?;
            keeper.project(run, id, state).map(|()| id)
        };
        self.write(run, bytes, apply, finish).await.map(drop)
    }

    async fn start_effect(
        &self,
        fence: Fence,
        exec_id: Hash,
        deadline_unix_ms: u64,
    ) -> Result<Start, StoreError> {
        let apply = move |connection: &Connection, _: &mut Projection| {
            apply::start_effect(connection, fence, exec_id, deadline_unix_ms)
        };
        self.write(fence.run, 0, apply, |_, ended| known(ended)).await
    }

    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        self.ask(move |keeper| keeper.load(run)).await
    }

    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        Self::records(self, run, from, limit).await
    }

    async fn take_over(&self, run: RunId, expected_epoch: u64) -> Result<Fence, StoreError> {
        let apply = move |connection: &Connection, projection: &mut Projection| {
            let row = rows::require(connection, run)?;
            if row.epoch != expected_epoch || row.state != RunState::Running {
                return Err(StoreError::Fenced);
            }
            projection.check(connection, run, row.id)?;
            apply::take_over(connection, &row, run)
        };
        self.write(run, 0, apply, |_, ended| known(ended)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError> {
        apply::examine(claim.run, &claim.batch, false)?;
        let bytes = apply::bytes(&claim.batch);
        let claim = Arc::new(claim);
        let (run, same) = (claim.run, Arc::clone(&claim));
        let apply = move |connection: &Connection, projection: &mut Projection| {
            let row = claim::tokens(connection, &claim)?;
            projection.check(connection, claim.run, row.id)?;
            let fence = claim::advance(connection, &row, &claim)?;
            Ok((row.id, fence))
        };
        let finish = move |keeper: &mut Keeper, ended| keeper.claimed(&same, ended);
        self.write(run, bytes, apply, finish).await.map(|(_, fence)| fence)
    }

    async fn add_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), StoreError> {
        let line = line.clone();
        let apply = move |connection: &Connection, _: &mut Projection| {
            let row = rows::require(connection, run)?;
            apply::add_anchor(connection, &row, &line).map(|()| (row.id, row.state))
        };
        let finish = move |keeper: &mut Keeper, ended| {
            let (id, state) = known(ended)?;
            keeper.project(run, id, state).map(|()| (id, state))
        };
        self.write(run, 0, apply, finish).await.map(drop)
    }

    async fn unanchored(&self, after: Option<RunId>, limit: u32) -> Result<Vec<Unanchored>, StoreError> {
        self.ask(move |keeper| keeper.database.snapshot(|c| read::unanchored(c, after, limit))).await
    }

    async fn request_stop(&self, run: RunId, stop: Stop) -> Result<(), StoreError> {
        let apply =
            move |connection: &Connection, _: &mut Projection| apply::request_stop(connection, run, stop);
        self.write(run, 0, apply, |_, ended| known(ended)).await
    }

    async fn stop_requested(&self, run: RunId) -> Result<Option<Stop>, StoreError> {
        self.ask(move |keeper| keeper.database.snapshot(|c| Ok(rows::require(c, run)?.stop))).await
    }
}

#[cfg(test)]
mod tests {
    use fuze_agent::store::IssuedToken;
    use fuze_store_suite::{Sample, far, token};

    use super::*;
    use crate::database::Fault;

    async fn break_next_commit(store: &SqliteStore, fault: Fault) {
        let broken: Result<(), StoreError> = store
            .ask(move |keeper| {
                keeper.database.fault = Some(fault);
                Ok(())
            })
            .await;
        broken.unwrap();
    }

    async fn waiting(directory: &Path) -> (SqliteStore, Sample, [IssuedToken; 1]) {
        let store = SqliteStore::open(directory, &Options::default()).unwrap();
        let (mut sample, batch) = Sample::begin().unwrap();
        let fence = store.create(sample.run, batch).await.unwrap();
        let tokens = [token(sample.run, 0, far())];
        store.commit(fence, sample.suspend(1, &tokens).unwrap()).await.unwrap();
        (store, sample, tokens)
    }

    /// The commit took place and nobody heard of it: the claim is read back and has won.
    #[tokio::test]
    async fn a_win_that_was_not_heard_is_found() {
        let place = tempfile::tempdir().unwrap();
        let (store, sample, tokens) = waiting(&place.path().join("store")).await;
        break_next_commit(&store, Fault::CommitUnheard).await;
        let won = store.claim(sample.fork().unwrap().claim(1, &tokens).unwrap()).await;
        assert_eq!(won, Ok(Fence { run: sample.run, epoch: 2 }));
        let [token] = tokens;
        let second = store.claim(sample.fork().unwrap().claim(1, &tokens).unwrap()).await;
        assert_eq!(second, Err(ClaimError::Used(token.token_hash)));
        assert_eq!(store.load(sample.run).await.unwrap().epoch, 2);
    }

    /// The commit failed although `UPDATE … RETURNING` had its row: no win is reported, and the token is still there.
    #[tokio::test]
    async fn a_win_that_was_lost_is_not_reported() {
        let place = tempfile::tempdir().unwrap();
        let (store, sample, tokens) = waiting(&place.path().join("store")).await;
        break_next_commit(&store, Fault::CommitLost).await;
        let lost = store.claim(sample.fork().unwrap().claim(1, &tokens).unwrap()).await;
        assert!(matches!(lost, Err(ClaimError::Store(StoreError::Unclear(_)))), "{lost:?}");
        let stored = store.load(sample.run).await.unwrap();
        assert_eq!((stored.state, stored.epoch), (RunState::Suspended, 1));
        let won = store.claim(sample.fork().unwrap().claim(1, &tokens).unwrap()).await;
        assert_eq!(won, Ok(Fence { run: sample.run, epoch: 2 }));
    }

    /// Other writes say that they do not know; loading the run tells.
    #[tokio::test]
    async fn an_unclear_commit_says_so_and_the_run_goes_on_from_what_stands() {
        let place = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(place.path().join("store"), &Options::default()).unwrap();
        let (mut sample, batch) = Sample::begin().unwrap();
        let fence = store.create(sample.run, batch).await.unwrap();
        for (fault, stands) in [(Fault::CommitLost, false), (Fault::CommitUnheard, true)] {
            break_next_commit(&store, fault).await;
            let mut next = sample.fork().unwrap();
            let unclear = store.commit(fence, next.go_on().unwrap()).await;
            assert!(matches!(unclear, Err(StoreError::Unclear(_))), "{unclear:?}");
            if stands {
                sample = next;
            }
            assert_eq!(store.load(sample.run).await.unwrap().head, sample.head());
            let files = std::fs::read(store.run_directory(sample.run).join("records.jsonl")).unwrap();
            let lines = files.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(u64::try_from(lines).unwrap(), sample.head().0);
        }
        store.commit(fence, sample.go_on().unwrap()).await.unwrap();
    }

    /// A caller that stops waiting does not stop the request.
    #[tokio::test]
    async fn a_request_outlives_its_caller() {
        let place = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(place.path().join("store"), &Options::default()).unwrap();
        let (mut sample, batch) = Sample::begin().unwrap();
        let fence = store.create(sample.run, batch).await.unwrap();
        let mut commit = Box::pin(store.commit(fence, sample.go_on().unwrap()));
        // Polled once: handed over, not answered.
        let handed = std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context)));
        let _ = handed.await;
        drop(commit);
        assert_eq!(store.load(sample.run).await.unwrap().head, sample.head());
        store.close().await.unwrap();
    }
}
