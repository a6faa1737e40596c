//! The store: one thread that owns the connection and the files, and the callers who wait for its answers.
//!
//! One request is one transaction. Requests are closures over [`Keeper`] that end in an answer, so several that wait in the
//! queue could later share a COMMIT; nothing else would change, because an answer is only given after it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use fuze_agent::store::{
    Batch, Claim, ClaimError, Fence, RunState, RunStore, Start, Stop, StoreError, StoredRun,
};
use fuze_evidence::{Hash, Name, RunId};
use rusqlite::params;
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, Ended};
use crate::error::{corrupt, sql};
use crate::projection::{Depth, Projection, unknown_run};
use crate::read::{self, RunSummary};
use crate::rows::{self, state_name};
use crate::{apply, claim, network, place};

/// The file below a store's directory that counts.
const FILE: &str = "fuze.sqlite";

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

type Request = Box<dyn FnOnce(&mut Keeper) + Send>;

/// Runs in one SQLite file, shared by the processes of one machine.
///
/// Writes go through one thread; a request that was handed over is carried out even if its caller stops waiting. When
/// the store is dropped, what is in the queue is still carried out; [`SqliteStore::close`] waits for that.
///
/// After a COMMIT the run's files under `runs/<id>/` are brought up to date. If that fails the batch stands all the same: [`RunStore::commit`]
/// returns the failure for a run that goes on or has closed, so that it stops; when a run was suspended or claimed the
/// call succeeds, because its outcome must be known, and the next operation on the run fails until its files agree.
pub struct SqliteStore {
    requests: mpsc::Sender<Request>,
    ended: oneshot::Receiver<Result<(), StoreError>>,
    identity: Name,
    directory: PathBuf,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in `directory`, which is made if it is not there (with the rights 0700), and completes the files of runs that
    /// a crash left behind. Reads and writes files on the calling thread: open it where that may block.
    ///
    /// # Errors
    /// When the directory or the file is a link, open to others or on a network file system; [`StoreError::NewerVersion`], [`StoreError::Corrupt`] when
    /// the file is something else; [`StoreError::Projection`] when a run's files hold what the store does not; else why not.
    pub fn open(directory: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let directory = place::directory(directory.as_ref())?;
        network::refuse(&directory)?;
        let file = directory.join(FILE);
        place::database(&file)?;
        let database = Database::open(file, options.busy_timeout, options.max_bytes)?;
        let projection = Projection::new(&directory, options.busy_timeout)?;
        let mut keeper = Keeper { database, projection };
        keeper.sweep()?;
        let identity = Name::new(concat!("fuze-store-sqlite/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| StoreError::Io(error.to_string()))?;
        let (requests, mut queue) = mpsc::channel::<Request>(options.queue);
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("fuze-store".into())
            .spawn(move || {
                while let Some(request) = queue.blocking_recv() {
                    request(&mut keeper);
                }
                // Nobody may be waiting; then nobody wants to know.
                drop(end.send(keeper.database.close()));
            })
            .map_err(|error| StoreError::Io(format!("no thread for the store: {error}")))?;
        Ok(Self { requests, ended, identity, directory })
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

    /// At most `limit` runs whose ids come after `after`, oldest first.
    ///
    /// # Errors
    /// Why the store cannot.
    pub async fn runs(&self, after: Option<RunId>, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        self.ask(move |keeper| keeper.database.snapshot(|c| read::runs(c, after, limit))).await
    }

    /// Hands a request to the thread and waits for its answer.
    async fn ask<T, E>(
        &self,
        request: impl FnOnce(&mut Keeper) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request: Request = Box::new(move |keeper| {
            // A caller that stopped waiting reads the outcome from the store, as after a crash.
            drop(answer.send(request(keeper)));
        });
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
        self.ask(move |keeper| keeper.create(run, &batch)).await
    }

    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        self.ask(move |keeper| keeper.commit(fence, &batch)).await
    }

    async fn start_effect(
        &self,
        fence: Fence,
        exec_id: Hash,
        deadline_unix_ms: u64,
    ) -> Result<Start, StoreError> {
        self.ask(move |keeper| {
            known(keeper.database.write(|c| apply::start_effect(c, fence, exec_id, deadline_unix_ms)))
        })
        .await
    }

    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        self.ask(move |keeper| keeper.load(run)).await
    }

    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        Self::records(self, run, from, limit).await
    }

    async fn take_over(&self, run: RunId, expected_epoch: u64) -> Result<Fence, StoreError> {
        self.ask(move |keeper| keeper.take_over(run, expected_epoch)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError> {
        self.ask(move |keeper| keeper.claim(&claim)).await
    }

    async fn request_stop(&self, run: RunId, stop: Stop) -> Result<(), StoreError> {
        self.ask(move |keeper| known(keeper.database.write(|c| apply::request_stop(c, run, stop)))).await
    }

    async fn stop_requested(&self, run: RunId) -> Result<Option<Stop>, StoreError> {
        self.ask(move |keeper| keeper.database.snapshot(|c| Ok(rows::require(c, run)?.stop))).await
    }
}

/// What the thread owns.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) database: Database,
    pub(crate) projection: Projection,
}

/// The outcome of a transaction for a caller who can be told that it is unclear.
fn known<T>(ended: Ended<T, StoreError>) -> Result<T, StoreError> {
    match ended {
        Ended::Committed(value) => Ok(value),
        Ended::RolledBack(error) => Err(error),
        Ended::Unclear(_, error) => Err(unclear(error)),
    }
}

/// A full disk keeps its name, because there is something to be done about it; the run is loaded afterwards in either case.
fn unclear(error: StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        other => StoreError::Unclear(other.to_string()),
    }
}

impl Keeper {
    fn create(&mut self, run: RunId, batch: &Batch) -> Result<Fence, StoreError> {
        apply::examine(run, batch, true)?;
        let projection = &self.projection;
        let (id, fence) = known(self.database.write(|connection| {
            if rows::find(connection, run)?.is_some() {
                return Err(StoreError::Exists);
            }
            projection.must_be_absent(run)?;
            let fence = apply::create(connection, run, batch)?;
            Ok((rows::require(connection, run)?.id, fence))
        }))?;
        self.project(run, id, batch.state)?;
        Ok(fence)
    }

    fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), StoreError> {
        apply::examine(fence.run, batch, false)?;
        let projection = &mut self.projection;
        let id = known(self.database.write(|connection| {
            let row = rows::require(connection, fence.run)?;
            if projection.is_behind(fence.run) {
                projection.check(connection, fence.run, row.id)?;
            }
            apply::commit(connection, &row, fence, batch)?;
            Ok(row.id)
        }))?;
        self.project(fence.run, id, batch.state)
    }

    fn load(&mut self, run: RunId) -> Result<StoredRun, StoreError> {
        // Asked first, so that no directory is made for a run that is not there.
        self.database.snapshot(|connection| rows::require(connection, run).map(drop))?;
        let projection = &mut self.projection;
        let turn = projection.take_turn(run)?;
        self.database.snapshot(|connection| {
            let row = rows::require(connection, run)?;
            projection.reconcile(&turn, connection, run, row.id, Depth::Whole)?;
            read::load(connection, run)
        })
    }

    fn take_over(&mut self, run: RunId, expected_epoch: u64) -> Result<Fence, StoreError> {
        let projection = &mut self.projection;
        known(self.database.write(|connection| {
            let row = rows::require(connection, run)?;
            if row.epoch != expected_epoch || row.state != RunState::Running {
                return Err(StoreError::Fenced);
            }
            projection.check(connection, run, row.id)?;
            apply::take_over(connection, &row, run)
        }))
    }

    fn claim(&mut self, claim: &Claim) -> Result<Fence, ClaimError> {
        apply::examine(claim.run, &claim.batch, false)?;
        let projection = &mut self.projection;
        let ended = self.database.write(|connection| {
            let row = claim::tokens(connection, claim)?;
            projection.check(connection, claim.run, row.id)?;
            let fence = claim::advance(connection, &row, claim)?;
            Ok((row.id, fence))
        });
        let (id, fence) = match ended {
            Ended::Committed(won) => won,
            Ended::RolledBack(error) => return Err(error),
            // Whether it stands is read by a connection that did not take part.
            Ended::Unclear(won, error) => {
                match self.database.fresh().and_then(|fresh| claim::stands(&fresh, claim)) {
                    Ok(true) => won,
                    Ok(false) => return Err(unclear(error).into()),
                    Err(second) => {
                        return Err(StoreError::Unclear(format!("{error}; asked again: {second}")).into());
                    }
                }
            }
        };
        // INVARIANT: the claim stands, so this is `Ok`, whatever the files say. The run is marked, and its next operation fails.
        if self.bring_up(claim.run, id, claim.batch.state).is_err() {
            self.projection.fell_behind(claim.run);
        }
        Ok(fence)
    }

    /// Brings the files up to date after a COMMIT.
    fn project(&mut self, run: RunId, id: i64, state: RunState) -> Result<(), StoreError> {
        let Err(error) = self.bring_up(run, id, state) else { return Ok(()) };
        self.projection.fell_behind(run);
        match state {
            // The tokens are issued and must reach people. The claim compares the files before anything else.
            RunState::Suspended => Ok(()),
            RunState::Running | RunState::Closed => Err(error),
        }
    }

    fn bring_up(&mut self, run: RunId, id: i64, state: RunState) -> Result<(), StoreError> {
        let projection = &mut self.projection;
        let turn = projection.take_turn(run)?;
        self.database.snapshot(|c| projection.reconcile(&turn, c, run, id, Depth::Tail))?;
        if state != RunState::Running {
            turn.sync()?;
            projection.forget(run);
        }
        Ok(())
    }

    /// Compares the files of every run that was not closed, or was closed since the last time, and completes them.
    fn sweep(&mut self) -> Result<(), StoreError> {
        // Listed before the tables are read: a run is in the tables before it has files.
        let present = self.projection.present()?;
        for run in present {
            let known = self.database.snapshot(|connection| rows::find(connection, run))?.is_some();
            if !known {
                return Err(unknown_run(&self.projection.directory(run)));
            }
        }
        let runs: Vec<(i64, String)> = self.database.snapshot(|connection| {
            connection
                .prepare("SELECT id, run FROM runs WHERE projected = 0 ORDER BY id")
                .and_then(|mut statement| {
                    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
                })
                .map_err(sql)
        })?;
        let mut complete = Vec::new();
        for (id, run) in runs {
            let run: RunId = run.parse().map_err(|_| corrupt(format!("a run has the id `{run}`")))?;
            let projection = &mut self.projection;
            let turn = projection.take_turn(run)?;
            let state = self.database.snapshot(|connection| {
                projection.reconcile(&turn, connection, run, id, Depth::Whole)?;
                Ok(rows::require(connection, run)?.state)
            })?;
            projection.forget(run);
            if state == RunState::Closed {
                turn.sync()?;
                complete.push(id);
            }
        }
        if complete.is_empty() {
            return Ok(());
        }
        known(self.database.write(|connection| {
            for id in complete {
                connection
                    .prepare_cached("UPDATE runs SET projected = 1 WHERE id = ?1 AND state = ?2")
                    .and_then(|mut statement| statement.execute(params![id, state_name(RunState::Closed)]))
                    .map_err(sql)?;
            }
            Ok(())
        }))
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
