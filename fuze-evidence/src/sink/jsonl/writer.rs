//! The thread that writes: one batch after the other, each in the order that a crash can be recovered from.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::super::answer::Asked;
use super::super::disk::{Disk, DiskFile};
use super::super::memory::push_line;
use super::super::{SinkBatch, SinkError};
use super::{ANCHORS, CONTENT, KEYS, RECORDS, ROOTS, run_directory};
use crate::record::RunId;

/// What the thread is asked for.
pub(super) enum Job {
    Append {
        run_id: RunId,
        /// The run's first batch: its files are to be made.
        first: bool,
        lines: Lines,
        durable: bool,
        answer: Asked<Result<(), SinkError>>,
    },
    Finish {
        run_id: RunId,
        answer: Asked<()>,
    },
}

/// A batch as the octets of each file.
#[derive(Default)]
pub(super) struct Lines {
    content: Vec<u8>,
    keys: Vec<u8>,
    records: Vec<u8>,
    roots: Vec<u8>,
    anchors: Vec<u8>,
}

impl Lines {
    pub(super) fn of(batch: &SinkBatch) -> Result<Self, SinkError> {
        let mut lines = Self::default();
        if let Some(wrapped) = &batch.keys {
            push_line(&mut lines.keys, &wrapped.to_line().map_err(|e| SinkError::Other(e.to_string()))?);
        }
        for sealed in &batch.content {
            push_line(&mut lines.content, sealed.content_line());
            push_line(&mut lines.keys, sealed.keys_line());
        }
        for record in &batch.records {
            push_line(&mut lines.records, record.bytes());
        }
        for root in &batch.roots {
            push_line(&mut lines.roots, root.bytes());
        }
        for line in &batch.anchors {
            push_line(&mut lines.anchors, line.bytes());
        }
        Ok(lines)
    }
}

pub(super) struct Writer {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    runs: HashMap<RunId, OpenRun>,
}

struct OpenRun {
    content: Target,
    keys: Target,
    records: Target,
    roots: Target,
    anchors: Option<Target>,
    path: PathBuf,
    /// An earlier batch may be torn: nothing follows it.
    stopped: bool,
}

struct Target {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    dirty: bool,
}

impl Target {
    fn create(disk: &dyn Disk, directory: &Path, name: &str) -> Result<Self, SinkError> {
        let path = directory.join(name);
        match disk.create(&path) {
            Ok(file) => Ok(Self { path, file, dirty: false }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SinkError::Locked { path }),
            Err(source) => Err(SinkError::Io { path, source }),
        }
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.dirty = true;
        self.file.append(lines).map_err(|source| SinkError::Io { path: self.path.clone(), source })
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        if self.dirty {
            self.file.sync().map_err(|source| SinkError::Io { path: self.path.clone(), source })?;
            self.dirty = false;
        }
        Ok(())
    }
}

impl OpenRun {
    fn create(disk: &dyn Disk, directory: &Path, run_id: RunId) -> Result<Self, SinkError> {
        let path = run_directory(directory, run_id);
        let runs = path.parent().unwrap_or(directory);
        let io = |source: io::Error| SinkError::Io { path: path.clone(), source };
        disk.make_directories(runs).map_err(io)?;
        match disk.make_directory(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SinkError::Exists { path });
            }
            Err(error) => return Err(io(error)),
        }
        let run = Self {
            content: Target::create(disk, &path, CONTENT)?,
            keys: Target::create(disk, &path, KEYS)?,
            records: Target::create(disk, &path, RECORDS)?,
            roots: Target::create(disk, &path, ROOTS)?,
            anchors: None,
            path: path.clone(),
            stopped: false,
        };
        // From the inside out, as far as anything may be new.
        let above = [Some(path.as_path()), Some(runs), Some(directory), directory.parent()];
        for directory in above.into_iter().flatten() {
            disk.sync_directory(directory).map_err(io)?;
        }
        Ok(run)
    }

    fn append(&mut self, disk: &dyn Disk, lines: &Lines, durable: bool) -> Result<(), SinkError> {
        if std::mem::replace(&mut self.stopped, true) {
            return Err(SinkError::Stopped);
        }
        self.content.write(&lines.content)?;
        self.keys.write(&lines.keys)?;
        if durable {
            self.content.sync()?;
            self.keys.sync()?;
            // A root of an earlier batch: a close that stands must not outlive the roots that it names.
            self.roots.sync()?;
        }
        self.records.write(&lines.records)?;
        // A root that stands must not outlive the records that it covers, durable or not.
        if durable || !lines.roots.is_empty() {
            self.content.sync()?;
            self.keys.sync()?;
            self.records.sync()?;
        }
        self.roots.write(&lines.roots)?;
        if durable {
            self.roots.sync()?;
        }
        self.anchor(disk, &lines.anchors, durable)?;
        // INVARIANT: stays stopped if anything above failed, so that nothing follows a batch that may be torn.
        self.stopped = false;
        Ok(())
    }
}

impl OpenRun {
    /// The file of a run that no log holds is not there.
    fn anchor(&mut self, disk: &dyn Disk, lines: &[u8], durable: bool) -> Result<(), SinkError> {
        let anchors = match &mut self.anchors {
            Some(anchors) => anchors,
            None if lines.is_empty() => return Ok(()),
            place => {
                let target = Target::create(disk, &self.path, ANCHORS)?;
                disk.sync_directory(&self.path)
                    .map_err(|source| SinkError::Io { path: self.path.clone(), source })?;
                place.insert(target)
            }
        };
        anchors.write(lines)?;
        if durable { anchors.sync() } else { Ok(()) }
    }
}

impl Writer {
    pub(super) fn new(directory: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { directory, disk, runs: HashMap::new() }
    }

    pub(super) fn serve(mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            match job {
                Job::Append { run_id, first, lines, durable, answer } => {
                    answer.answer(self.append(run_id, first, &lines, durable));
                }
                Job::Finish { run_id, answer } => {
                    self.runs.remove(&run_id);
                    answer.answer(());
                }
            }
        }
    }

    fn append(&mut self, run_id: RunId, first: bool, lines: &Lines, durable: bool) -> Result<(), SinkError> {
        let run = match self.runs.entry(run_id) {
            Entry::Occupied(run) => run.into_mut(),
            Entry::Vacant(place) if first => {
                place.insert(OpenRun::create(&*self.disk, &self.directory, run_id)?)
            }
            // Its first batch failed.
            Entry::Vacant(_) => return Err(SinkError::Stopped),
        };
        run.append(&*self.disk, lines, durable)
    }
}
