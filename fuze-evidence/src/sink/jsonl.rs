//! A run in four files. Content and keys are written, and made durable, before the records that name them.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;

use super::memory::push_line;
use super::{Progress, Sink, SinkBatch, SinkError};
use crate::keys::sync_parent;
use crate::name::Name;
use crate::record::RunId;

/// The name of the file with a run's records.
pub(crate) const RECORDS: &str = "records.jsonl";
/// The name of the file with a run's encrypted content.
pub(crate) const CONTENT: &str = "content.jsonl";
/// The name of the file with a run's wrapped keys.
pub(crate) const KEYS: &str = "keys.jsonl";
/// The name of the file with a run's signed roots.
pub(crate) const ROOTS: &str = "roots.jsonl";

/// Writes each run to `<directory>/runs/<run id>/`. A run is written by one process, from its beginning, once.
///
/// File operations happen on the calling thread: one batch is a few kilobytes, a durable one a few `fdatasync`.
#[derive(Debug)]
pub struct JsonlSink {
    directory: PathBuf,
    runs: Mutex<HashMap<RunId, OpenRun>>,
}

/// Names of sinks are constants of this crate.
pub(super) fn sink_name(text: &'static str) -> Name {
    Name::new(text).unwrap_or_else(|_| unreachable!("a constant of the allowed alphabet"))
}

#[derive(Debug)]
struct OpenRun {
    progress: Progress,
    content: Target,
    keys: Target,
    records: Target,
    roots: Target,
}

#[derive(Debug)]
struct Target {
    path: PathBuf,
    file: File,
    dirty: bool,
}

impl Target {
    fn create(directory: &Path, name: &str) -> Result<Self, SinkError> {
        let path = directory.join(name);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|source| SinkError::Io { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, file, dirty: false }),
            Err(TryLockError::WouldBlock) => Err(SinkError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(SinkError::Io { path, source }),
        }
    }

    /// One write for all lines: a crash leaves a prefix.
    fn write(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.dirty = true;
        self.file.write_all(lines).map_err(|source| SinkError::Io { path: self.path.clone(), source })
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        if self.dirty {
            self.file.sync_data().map_err(|source| SinkError::Io { path: self.path.clone(), source })?;
            self.dirty = false;
        }
        Ok(())
    }
}

impl OpenRun {
    fn create(directory: &Path, run_id: RunId) -> Result<Self, SinkError> {
        let path = run_directory(directory, run_id);
        let io = |source: io::Error| SinkError::Io { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        match fs::create_dir(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SinkError::Exists { path });
            }
            Err(error) => return Err(io(error)),
        }
        let run = Self {
            progress: Progress::default(),
            content: Target::create(&path, CONTENT)?,
            keys: Target::create(&path, KEYS)?,
            records: Target::create(&path, RECORDS)?,
            roots: Target::create(&path, ROOTS)?,
        };
        File::open(&path).and_then(|d| d.sync_all()).map_err(io)?;
        sync_parent(&path).map_err(io)?;
        if let Some(parent) = path.parent() {
            sync_parent(parent).map_err(io)?;
        }
        Ok(run)
    }

    fn append(&mut self, batch: &SinkBatch, durable: bool) -> Result<(), SinkError> {
        self.progress.check(batch)?;
        // INVARIANT: stays set if anything below fails, so that nothing follows a batch that may be torn.
        self.progress.stopped = true;
        let (mut content, mut keys) = (Vec::new(), Vec::new());
        let (mut records, mut roots) = (Vec::new(), Vec::new());
        if let Some(wrapped) = &batch.keys {
            push_line(&mut keys, &wrapped.to_line().map_err(|e| SinkError::Other(e.to_string()))?);
        }
        for sealed in &batch.content {
            push_line(&mut content, sealed.content_line());
            push_line(&mut keys, sealed.keys_line());
        }
        for record in &batch.records {
            push_line(&mut records, record.bytes());
        }
        for root in &batch.roots {
            push_line(&mut roots, root.bytes());
        }
        self.content.write(&content)?;
        self.keys.write(&keys)?;
        if durable {
            self.content.sync()?;
            self.keys.sync()?;
        }
        self.records.write(&records)?;
        self.roots.write(&roots)?;
        if durable {
            self.records.sync()?;
            self.roots.sync()?;
        }
        self.progress.advance(batch);
        self.progress.stopped = false;
        Ok(())
    }
}

fn run_directory(directory: &Path, run_id: RunId) -> PathBuf {
    directory.join("runs").join(run_id.to_string())
}

impl JsonlSink {
    /// Runs are written below `directory`, which is made when the first run begins.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), runs: Mutex::new(HashMap::new()) }
    }

    /// Where a run's files are, or will be.
    #[must_use]
    pub fn run_directory(&self, run_id: RunId) -> PathBuf {
        run_directory(&self.directory, run_id)
    }

    /// Lets go of a run's files and their locks: after its close.
    pub fn finish(&self, run_id: RunId) {
        if let Ok(mut runs) = self.runs.lock() {
            runs.remove(&run_id);
        }
    }
}

#[async_trait]
impl Sink for JsonlSink {
    fn identity(&self) -> Name {
        sink_name("jsonl")
    }

    async fn append(&self, batch: &SinkBatch, durable: bool) -> Result<(), SinkError> {
        let mut runs = self.runs.lock().map_err(|_| SinkError::Stopped)?;
        let run = match runs.entry(batch.run_id) {
            std::collections::hash_map::Entry::Occupied(run) => run.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                Progress::default().check(batch)?;
                place.insert(OpenRun::create(&self.directory, batch.run_id)?)
            }
        };
        run.append(batch, durable)
    }
}

/// What [`recover`] cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what was cut off is to be reported"]
pub struct Recovered {
    /// Each file that was changed, and how many octets of a partial line it lost.
    pub cut: Vec<(PathBuf, u64)>,
}

/// Removes the partial last line that a crash can leave in a run's files, and says so. Whole lines are never touched.
///
/// # Errors
/// When a file cannot be read or cut, or another process writes to it.
pub fn recover(run_directory: &Path) -> Result<Recovered, SinkError> {
    let mut cut = Vec::new();
    for name in [RECORDS, CONTENT, KEYS, ROOTS] {
        let path = run_directory.join(name);
        let io = |source| SinkError::Io { path: path.clone(), source };
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && name != RECORDS => continue,
            Err(error) => return Err(io(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SinkError::Locked { path }),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let length = file.metadata().map_err(io)?.len();
        let whole = end_of_last_line(&mut file, length).map_err(io)?;
        if whole < length {
            file.set_len(whole).and_then(|()| file.sync_all()).map_err(io)?;
            cut.push((path, length - whole));
        }
    }
    Ok(Recovered { cut })
}

/// The offset after the last line feed, searched from the end.
fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        if let Some(at) = block.iter().rposition(|&b| b == b'\n') {
            return Ok(start + u64::try_from(at).unwrap_or(0) + 1);
        }
        end = start;
    }
    Ok(0)
}
