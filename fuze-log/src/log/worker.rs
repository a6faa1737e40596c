//! The thread that writes, and the queue before it. What waits together is one batch.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::error::LogError;
use super::sequencer::Sequencer;
use crate::note::{Note, NoteSignature};

type Reply<T> = Box<dyn FnOnce(Result<T, LogError>) + Send>;

pub(super) enum Job {
    /// A leaf for the log.
    Append { entry: Vec<u8>, reply: Reply<u64> },
    /// Witnesses' lines for a checkpoint.
    Cosigned { note: Note, lines: Vec<NoteSignature>, reply: Reply<()> },
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    /// A queue is whole after every step: a panic elsewhere leaves nothing half done in it.
    fn with<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Closes the queue when the writer ends, however it ends: nobody waits for an answer that cannot come.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.with(|queue| {
            queue.closed = true;
            queue.jobs.clear();
        });
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    limit: usize,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Worker {
    pub(super) fn start(sequencer: Sequencer, max_batch: usize, limit: usize) -> Result<Self, LogError> {
        let shared = Arc::new(Shared::default());
        let open = Open(Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("fuze-log".into())
            .spawn(move || run(sequencer, &open.0, max_batch))
            .map_err(|error| LogError::Io { path: "thread".into(), why: error.to_string() })?;
        Ok(Self { shared, limit, thread: Some(thread) })
    }

    pub(super) fn send(&self, job: Job) -> Result<(), LogError> {
        self.shared.with(|queue| {
            if queue.closed {
                return Err(LogError::Closed);
            }
            if queue.jobs.len() >= self.limit {
                return Err(LogError::Busy { limit: self.limit });
            }
            queue.jobs.push_back(job);
            Ok(())
        })?;
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.with(|queue| queue.closed = true);
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has closed its queue; there is nothing left to do here.
            drop(thread.join());
        }
    }
}

/// What waits is done even after the log was closed: somebody waits for the answer.
fn run(mut sequencer: Sequencer, shared: &Shared, max_batch: usize) {
    while let Some(jobs) = next(shared, max_batch) {
        let (mut entries, mut replies) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Append { entry, reply } => {
                    entries.push(entry);
                    replies.push(reply);
                }
                Job::Cosigned { note, lines, reply } => reply(sequencer.add_cosignatures(&note, lines)),
            }
        }
        if entries.is_empty() {
            continue;
        }
        match sequencer.append(entries) {
            Ok(indexes) => replies.into_iter().zip(indexes).for_each(|(reply, index)| reply(Ok(index))),
            Err(error) => replies.into_iter().for_each(|reply| reply(Err(error.clone()))),
        }
    }
}

fn next(shared: &Shared, max_batch: usize) -> Option<Vec<Job>> {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    while queue.jobs.is_empty() {
        if queue.closed {
            return None;
        }
        queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let count = queue.jobs.len().min(max_batch);
    Some(queue.jobs.drain(..count).collect())
}
