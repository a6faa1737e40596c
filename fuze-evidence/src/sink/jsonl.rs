//! A run in four files, and one more if a log holds its roots, written by a thread of its own. Content and keys are made durable before the records that name them, and
//! so are roots that were written before.

mod writer;

#[cfg(test)]
mod power;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;

use super::answer::{Answer, question};
use super::disk::{Disk, OsDisk};
use super::{Progress, Sink, SinkBatch, SinkError};
use crate::name::Name;
use crate::record::RunId;
use writer::{Job, Lines, Writer};

/// The name of the file with a run's records.
pub(crate) const RECORDS: &str = "records.jsonl";
/// The name of the file with a run's encrypted content.
pub(crate) const CONTENT: &str = "content.jsonl";
/// The name of the file with a run's wrapped keys.
pub(crate) const KEYS: &str = "keys.jsonl";
/// The name of the file with a run's signed roots.
pub(crate) const ROOTS: &str = "roots.jsonl";
/// The name of the file with what opens a run's leaves in a log. Made with its first line.
pub(crate) const ANCHORS: &str = "anchors.jsonl";

/// Writes each run to `<directory>/runs/<run id>/`. A run is written by one process, from its beginning, once.
///
/// Files are written by a thread of the sink's own, which begins with the first batch; dropping the sink waits until it has done what it
/// was given. A batch that was handed over is written even if its caller stops waiting, and before any later one.
pub struct JsonlSink {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where each run stands when everything that was handed over is written.
    runs: HashMap<RunId, Progress>,
    thread: Option<(Sender<Job>, JoinHandle<()>)>,
}

impl std::fmt::Debug for JsonlSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonlSink").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Names of sinks are constants of this crate.
pub(super) fn sink_name(text: &'static str) -> Name {
    Name::new(text).unwrap_or_else(|_| unreachable!("a constant of the allowed alphabet"))
}

fn run_directory(directory: &Path, run_id: RunId) -> PathBuf {
    directory.join("runs").join(run_id.to_string())
}

impl JsonlSink {
    /// Runs are written below `directory`, which is made when the first run begins, with the rights 0700 like everything in it.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::on(directory.into(), Arc::new(OsDisk))
    }

    fn on(directory: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { directory, disk, state: Mutex::default() }
    }

    /// Where a run's files are, or will be.
    #[must_use]
    pub fn run_directory(&self, run_id: RunId) -> PathBuf {
        run_directory(&self.directory, run_id)
    }

    /// Lets go of a run's files and their locks: after its close. Waits for what was handed over before.
    pub fn finish(&self, run_id: RunId) {
        let (asked, answer) = question();
        {
            let mut state = self.state();
            state.runs.remove(&run_id);
            let Some((jobs, _)) = &state.thread else { return };
            if jobs.send(Job::Finish { run_id, answer: asked }).is_err() {
                return;
            }
        }
        // Without a thread there are no files that anybody holds.
        answer.wait();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges a batch and hands it to the thread; both at once, so that the order of batches is that of judgement.
    fn hand_over(
        &self,
        batch: &SinkBatch,
        durable: bool,
    ) -> Result<Answer<Result<(), SinkError>>, SinkError> {
        let mut state = self.state();
        state.runs.get(&batch.run_id).unwrap_or(&Progress::default()).check(batch)?;
        let lines = Lines::of(batch)?;
        if state.thread.is_none() {
            state.thread = Some(self.start()?);
        }
        let (asked, answer) = question();
        let job =
            Job::Append { run_id: batch.run_id, first: batch.keys.is_some(), lines, durable, answer: asked };
        let Some((jobs, _)) = &state.thread else { return Err(SinkError::Stopped) };
        jobs.send(job).map_err(|_| SinkError::Stopped)?;
        state.runs.entry(batch.run_id).or_default().advance(batch);
        Ok(answer)
    }

    fn start(&self) -> Result<(Sender<Job>, JoinHandle<()>), SinkError> {
        let (jobs, queue) = mpsc::channel();
        let writer = Writer::new(self.directory.clone(), Arc::clone(&self.disk));
        let thread = thread::Builder::new()
            .name("fuze-jsonl".into())
            .spawn(move || writer.serve(&queue))
            .map_err(|source| SinkError::Io { path: self.directory.clone(), source })?;
        Ok((jobs, thread))
    }
}

impl Drop for JsonlSink {
    fn drop(&mut self) {
        let Some((jobs, thread)) = self.state().thread.take() else { return };
        drop(jobs);
        // A panic of that thread was told to whoever waited for it.
        thread.join().ok();
    }
}

#[async_trait]
impl Sink for JsonlSink {
    fn identity(&self) -> Name {
        sink_name("jsonl")
    }

    async fn append(&self, batch: &SinkBatch, durable: bool) -> Result<(), SinkError> {
        let outcome = self.hand_over(batch, durable)?.await.unwrap_or(Err(SinkError::Stopped));
        if let Err(error) = &outcome {
            let mut state = self.state();
            match error {
                // Another's run, or one of an earlier process: this sink has none of this id.
                SinkError::Exists { .. } => drop(state.runs.remove(&batch.run_id)),
                _ => state.runs.entry(batch.run_id).or_default().stopped = true,
            }
        }
        outcome
    }
}
