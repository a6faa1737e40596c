//! Group commit: the writes that wait share one transaction and one COMMIT, and each is answered after it.
//!
//! Nothing waits for company: what came while the last COMMIT was under way goes together. A group is bounded, and holds at most one
//! write of a run, because a write may compare the run's files with the tables, which must not hold what is not committed.

use std::collections::HashSet;

use fuze_agent::store::StoreError;
use fuze_evidence::RunId;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, Ended};
use crate::keeper::Keeper;
use crate::projection::Projection;

/// How many writes share a COMMIT.
const MAX_WRITES: usize = 256;
/// How many octets they may bring together; one alone may bring more.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Something asked of the store's thread.
pub(crate) enum Request {
    /// May share its transaction.
    Write(Box<dyn Write>),
    /// Sees the tables as they are between two groups.
    Alone(Box<dyn FnOnce(&mut Keeper) + Send>),
}

/// A write that waits: applied inside a transaction, perhaps again if that one failed, then ended.
pub(crate) trait Write: Send {
    fn run(&self) -> RunId;
    fn bytes(&self) -> usize;
    /// Whether what it did is to stand.
    fn apply(&mut self, connection: &Connection, projection: &mut Projection) -> bool;
    /// Its transaction has ended like this.
    fn end(self: Box<Self>, keeper: &mut Keeper, commit: &Commit);
    /// In a transaction of its own, from beginning to end.
    fn alone(self: Box<Self>, keeper: &mut Keeper);
}

/// How the shared COMMIT went.
pub(crate) enum Commit {
    Done,
    Unclear(StoreError),
}

/// A write with its types.
pub(crate) struct Pending<T, E, A, F> {
    pub(crate) run: RunId,
    pub(crate) bytes: usize,
    /// Inside the transaction.
    pub(crate) apply: A,
    /// After it: what the caller is told.
    pub(crate) finish: F,
    pub(crate) applied: Option<Result<T, E>>,
    pub(crate) answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, A, F> Write for Pending<T, E, A, F>
where
    T: Send,
    E: From<StoreError> + Send,
    A: FnMut(&Connection, &mut Projection) -> Result<T, E> + Send,
    F: FnOnce(&mut Keeper, Ended<T, E>) -> Result<T, E> + Send,
{
    fn run(&self) -> RunId {
        self.run
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn apply(&mut self, connection: &Connection, projection: &mut Projection) -> bool {
        let applied = (self.apply)(connection, projection);
        let stands = applied.is_ok();
        self.applied = Some(applied);
        stands
    }

    fn end(self: Box<Self>, keeper: &mut Keeper, commit: &Commit) {
        let Self { finish, applied, answer, .. } = *self;
        let ended = match (applied, commit) {
            (Some(Ok(value)), Commit::Done) => Ended::Committed(value),
            (Some(Ok(value)), Commit::Unclear(error)) => Ended::Unclear(value, error.clone()),
            (Some(Err(error)), Commit::Done | Commit::Unclear(_)) => Ended::RolledBack(error),
            (None, _) => Ended::RolledBack(StoreError::Io("the write was not reached".into()).into()),
        };
        // A caller that stopped waiting reads the outcome from the store, as after a crash.
        drop(answer.send(finish(keeper, ended)));
    }

    fn alone(mut self: Box<Self>, keeper: &mut Keeper) {
        let Keeper { database, projection } = keeper;
        let ended = database.write(|connection| (self.apply)(connection, projection));
        let Self { finish, answer, .. } = *self;
        drop(answer.send(finish(keeper, ended)));
    }
}

/// Writes that will share a COMMIT.
#[derive(Default)]
struct Group {
    writes: Vec<Box<dyn Write>>,
    runs: HashSet<RunId>,
    bytes: usize,
}

impl Group {
    fn admits(&self, write: &dyn Write) -> bool {
        self.writes.is_empty()
            || self.writes.len() < MAX_WRITES
                && self.bytes.saturating_add(write.bytes()) <= MAX_BYTES
                && !self.runs.contains(&write.run())
    }

    fn add(&mut self, write: Box<dyn Write>) {
        self.runs.insert(write.run());
        self.bytes = self.bytes.saturating_add(write.bytes());
        self.writes.push(write);
    }

    /// Carries them out and answers each.
    fn carry_out(self, keeper: &mut Keeper) {
        let mut writes = self.writes;
        if writes.len() <= 1 {
            writes.into_iter().for_each(|write| write.alone(keeper));
            return;
        }
        let Keeper { database, projection } = keeper;
        match together(database, projection, &mut writes) {
            Some(commit) => writes.into_iter().for_each(|write| write.end(keeper, &commit)),
            // None of it stands. Whose fault it was shows when each has a transaction to itself.
            None => writes.into_iter().for_each(|write| write.alone(keeper)),
        }
    }
}

fn together(
    database: &mut Database,
    projection: &mut Projection,
    writes: &mut [Box<dyn Write>],
) -> Option<Commit> {
    let ended = database.write_together(writes.len(), |connection, number| {
        writes.get_mut(number).is_some_and(|write| write.apply(connection, projection))
    });
    match ended {
        Ended::Committed(()) => Some(Commit::Done),
        Ended::Unclear((), error) => Some(Commit::Unclear(error)),
        Ended::RolledBack(_) => None,
    }
}

/// Carries out what comes, until nobody can ask any more.
pub(crate) fn serve(keeper: &mut Keeper, queue: &mut mpsc::Receiver<Request>) {
    let mut held: Option<Box<dyn Write>> = None;
    while let Some(first) = held.take().map(Request::Write).or_else(|| queue.blocking_recv()) {
        let mut group = Group::default();
        let mut others = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next.take() {
            match request {
                Request::Write(write) if group.admits(&*write) => group.add(write),
                // The first of the next group: order is kept.
                Request::Write(write) => {
                    held = Some(write);
                    break;
                }
                Request::Alone(other) => others.push(other),
            }
            if others.len() < MAX_WRITES {
                next = queue.try_recv().ok();
            }
        }
        group.carry_out(keeper);
        // They see more than when they asked, never less.
        others.into_iter().for_each(|other| other(keeper));
    }
}

#[cfg(test)]
mod tests;
