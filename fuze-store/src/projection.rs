//! Each run's evidence as files, written after COMMIT from what the tables hold. The tables are authoritative: what the files
//! lack is appended, a last line that a crash cut short is written again, and so is what a power failure left as holes; a line
//! that the tables lack or hold otherwise is an error.
//!
//! Processes take turns at a run's files by a lock on its `records.jsonl`. It is taken before the tables are read, so
//! whatever stands in a file was committed before the reading began.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fuze_agent::store::StoreError;
use fuze_evidence::RunId;
use rusqlite::{Connection, Rows, params};

use crate::error::{self, sql};
use crate::stream::{self, STREAMS, Stream};

/// How much of the files is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All of it.
    Whole,
    /// What was added since this process last looked.
    Tail,
}

/// Up to where a file is known to agree with the tables.
#[derive(Debug, Clone, Copy)]
struct Known {
    lines: u64,
    bytes: u64,
    /// The position after the last one, in the table.
    next: i64,
    file: FileId,
}

impl Default for Known {
    fn default() -> Self {
        Self { lines: 0, bytes: 0, next: stream::FIRST, file: FileId::default() }
    }
}

/// Which file it is, whatever its name.
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(metadata: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_id(_: &fs::Metadata) -> FileId {
    (0, 0)
}

/// How many runs are remembered between two writes; a forgotten one is compared from its beginning.
const MAX_KNOWN: usize = 4096;
/// What is written at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// The longest line, with its line feed.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// The runs' files below one directory.
#[derive(Debug)]
pub(crate) struct Projection {
    runs: PathBuf,
    patience: Duration,
    known: HashMap<RunId, [Known; STREAMS.len()]>,
    behind: HashSet<RunId>,
}

/// The right to touch a run's files, until dropped.
pub(crate) struct Turn {
    directory: PathBuf,
    records: File,
}

impl Projection {
    /// Of the store in `directory`.
    pub(crate) fn new(directory: &Path, patience: Duration) -> Result<Self, StoreError> {
        let runs = directory.join("runs");
        make_directory(&runs)?;
        Ok(Self { runs, patience, known: HashMap::new(), behind: HashSet::new() })
    }

    /// The store's directory.
    pub(crate) fn store(&self) -> &Path {
        self.runs.parent().unwrap_or(&self.runs)
    }

    /// Where a run's files are.
    pub(crate) fn directory(&self, run: RunId) -> PathBuf {
        self.runs.join(run.to_string())
    }

    /// The runs that have a directory.
    pub(crate) fn present(&self) -> Result<BTreeSet<RunId>, StoreError> {
        let io = |e| error::io(&self.runs, &e);
        let mut present = BTreeSet::new();
        for entry in fs::read_dir(&self.runs).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            present.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
        }
        Ok(present)
    }

    /// A run that the tables do not know has no files.
    pub(crate) fn must_be_absent(&self, run: RunId) -> Result<(), StoreError> {
        let directory = self.directory(run);
        match fs::symlink_metadata(&directory) {
            Ok(_) => Err(unknown_run(&directory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error::io(&directory, &error)),
        }
    }

    /// Waits for the run's files.
    pub(crate) fn take_turn(&self, run: RunId) -> Result<Turn, StoreError> {
        let directory = self.directory(run);
        let path = directory.join(Stream::Records.file_name());
        let begun = Instant::now();
        loop {
            let records = match open(&path) {
                Err(error) if !directory.exists() => {
                    make_directory(&directory).map_err(|_| error)?;
                    open(&path)?
                }
                opened => opened?,
            };
            match records.try_lock() {
                // Still under its name: else somebody put another in its place while this one was waited for.
                Ok(()) if is_at(&records, &path)? => return Ok(Turn { directory, records }),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error::io(&path, &error)),
            }
            if begun.elapsed() >= self.patience {
                return Err(StoreError::Locked);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Makes the run's files agree with the tables, or says where they cannot.
    pub(crate) fn reconcile(
        &mut self,
        turn: &Turn,
        connection: &Connection,
        run: RunId,
        id: i64,
        depth: Depth,
    ) -> Result<(), StoreError> {
        let mut known = match depth {
            Depth::Whole => [Known::default(); STREAMS.len()],
            Depth::Tail => self.known.get(&run).copied().unwrap_or_default(),
        };
        // INVARIANT: stays behind unless everything below succeeds.
        self.known.remove(&run);
        self.behind.insert(run);
        for (stream, known) in STREAMS.into_iter().zip(&mut known) {
            let path = turn.directory.join(stream.file_name());
            let work = Work { path: &path, stream, connection, id };
            match stream {
                Stream::Records => *known = work.complete(&turn.records, *known)?,
                // Nothing to write. What else may have happened to it is found when the whole is compared.
                _ if known.lines > 0 && !work.any(known.next)? => {}
                Stream::Anchors if !work.any(stream::FIRST)? && (depth == Depth::Tail || !path.exists()) => {}
                Stream::Anchors | Stream::Content | Stream::Keys | Stream::Roots => {
                    *known = work.complete(&open(&path)?, *known)?;
                }
            }
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(run, known);
        self.behind.remove(&run);
        Ok(())
    }

    /// Compares all of a run's files, for a caller that holds the write lock: nobody can commit in the meantime.
    pub(crate) fn check(&mut self, connection: &Connection, run: RunId, id: i64) -> Result<(), StoreError> {
        let turn = self.take_turn(run)?;
        self.reconcile(&turn, connection, run, id, Depth::Whole)
    }

    /// Whether an earlier write to the run's files failed.
    pub(crate) fn is_behind(&self, run: RunId) -> bool {
        self.behind.contains(&run)
    }

    /// Notes that the tables went on and the files did not.
    pub(crate) fn fell_behind(&mut self, run: RunId) {
        self.behind.insert(run);
    }

    /// Nothing more is expected of the run in this process.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.known.remove(&run);
    }
}

impl Turn {
    /// Makes the files durable: when people are going to look at them.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        for stream in STREAMS {
            let path = self.directory.join(stream.file_name());
            if stream == Stream::Anchors && !path.exists() {
                continue;
            }
            open(&path)?.sync_all().map_err(|e| error::io(&path, &e))?;
        }
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .and_then(|()| crate::place::sync_parent(&self.directory))
            .map_err(|e| error::io(&self.directory, &e))
    }
}

pub(crate) fn unknown_run(directory: &Path) -> StoreError {
    StoreError::Projection(format!(
        "`{}` holds records of a run that the store does not know; was the database replaced? move the directory away to go on",
        directory.display()
    ))
}

pub(crate) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error::io(path, &error)),
    }
    if fs::symlink_metadata(path).map_err(|e| error::io(path, &e))?.is_dir() {
        return Ok(());
    }
    Err(StoreError::Io(format!("`{}` is no directory; links are not followed", path.display())))
}

/// Opens a file of a run to read and append, made if it is not there. Links are not followed.
fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NO_LINKS);
    options.open(path).map_err(|found| match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => irregular(path),
        Ok(_) | Err(_) => error::io(path, &found),
    })
}

/// `open` refuses a link instead of following it, and does not wait for the other end of a pipe.
#[cfg(unix)]
const NO_LINKS: i32 = {
    use rustix::fs::OFlags;
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed()
};

fn irregular(path: &Path) -> StoreError {
    StoreError::Io(format!("`{}` is no regular file; links are not followed", path.display()))
}

fn is_at(file: &File, path: &Path) -> Result<bool, StoreError> {
    let opened = file.metadata().map_err(|e| error::io(path, &e))?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(file_id(&named) == file_id(&opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error::io(path, &error)),
    }
}

/// One file and what the tables have for it.
struct Work<'w> {
    path: &'w Path,
    stream: Stream,
    connection: &'w Connection,
    id: i64,
}

impl Work<'_> {
    /// Whether the tables have a line from this position on.
    fn any(&self, position: i64) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(self.stream.query()).map_err(sql)?;
        statement.exists(params![self.id, position]).map_err(sql)
    }

    /// Compares what stands beyond `known` with the tables and appends what is missing.
    fn complete(&self, mut file: &File, known: Known) -> Result<Known, StoreError> {
        let io = |e: io::Error| error::io(self.path, &e);
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(irregular(self.path));
        }
        let this = file_id(&metadata);
        let start = if known.file == this && known.bytes <= metadata.len() {
            known
        } else {
            Known { file: this, ..Known::default() }
        };
        let mut statement = self.connection.prepare_cached(self.stream.query()).map_err(sql)?;
        let (mut now, mut stopped) = (start, Stopped::End);
        if metadata.len() > start.bytes {
            file.seek(SeekFrom::Start(start.bytes)).map_err(io)?;
            let mut rows = statement.query(params![self.id, start.next]).map_err(sql)?;
            (now, stopped) = compare(file, self.path, &mut rows, start)?;
        }
        match stopped {
            Stopped::End => {}
            Stopped::Part if self.any(now.next)? => file.set_len(now.bytes).map_err(io)?,
            Stopped::Part => return Err(differs(self.path, now.lines, "the store lacks")),
            Stopped::Hole => {
                file.seek(SeekFrom::Start(now.bytes)).map_err(io)?;
                let mut rows = statement.query(params![self.id, now.next]).map_err(sql)?;
                if !has_only_holes(file, &mut rows, self.path)? {
                    return Err(differs(self.path, now.lines, "the store has otherwise"));
                }
                file.set_len(now.bytes).map_err(io)?;
            }
        }
        // What was cut off is written again.
        let mut rows = statement.query(params![self.id, now.next]).map_err(sql)?;
        let mut next = next_line(&mut rows)?;
        let mut chunk = Vec::new();
        while let Some((line, position)) = next {
            chunk.extend_from_slice(&line);
            chunk.push(b'\n');
            now.lines += 1;
            now.next = position + 1;
            next = next_line(&mut rows)?;
            if chunk.len() >= CHUNK_BYTES || next.is_none() {
                file.write_all(&chunk).map_err(io)?;
                now.bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                chunk.clear();
            }
        }
        Ok(now)
    }
}

/// Before what a comparison stopped.
#[derive(Clone, Copy)]
enum Stopped {
    End,
    /// A last line without its line feed: a crash cut it short.
    Part,
    /// A line of which not all may have reached the medium when the power failed.
    Hole,
}

/// Walks over the whole lines that stand in the file beyond `from`.
fn compare(
    file: &File,
    path: &Path,
    rows: &mut Rows<'_>,
    from: Known,
) -> Result<(Known, Stopped), StoreError> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut now = from;
    loop {
        line.clear();
        let read = (&mut reader).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line);
        let read = u64::try_from(read.map_err(|e| error::io(path, &e))?).unwrap_or(u64::MAX);
        let Some((b'\n', text)) = line.split_last() else {
            if read > MAX_LINE_BYTES {
                return Err(differs(path, now.lines, "the store lacks"));
            }
            return Ok((now, if read == 0 { Stopped::End } else { Stopped::Part }));
        };
        match next_line(rows)? {
            Some((expected, position)) if expected == text => now.next = position + 1,
            Some(_) if text.contains(&HOLE) => return Ok((now, Stopped::Hole)),
            Some(_) => return Err(differs(path, now.lines, "the store has otherwise")),
            None => return Err(differs(path, now.lines, "the store lacks")),
        }
        now.lines += 1;
        now.bytes += read;
    }
}

/// What a file system shows where octets never reached the medium. No line has it: canonical JSON writes it otherwise.
const HOLE: u8 = 0;

/// Whether all that stands in the file from here on is the beginning of what the tables have, but for holes.
fn has_only_holes(file: &File, rows: &mut Rows<'_>, path: &Path) -> Result<bool, StoreError> {
    let io = |e| error::io(path, &e);
    let mut reader = BufReader::new(file);
    let mut found = Vec::new();
    while let Some((mut expected, _)) = next_line(rows)? {
        expected.push(b'\n');
        found.clear();
        let wanted = u64::try_from(expected.len()).unwrap_or(u64::MAX);
        (&mut reader).take(wanted).read_to_end(&mut found).map_err(io)?;
        if found.iter().zip(&expected).any(|(found, expected)| found != expected && *found != HOLE) {
            return Ok(false);
        }
    }
    Ok(reader.fill_buf().map_err(io)?.is_empty())
}

/// A line and its position.
fn next_line(rows: &mut Rows<'_>) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
    match rows.next().map_err(sql)? {
        None => Ok(None),
        Some(row) => row.get(0).and_then(|line| Ok(Some((line, row.get(1)?)))).map_err(sql),
    }
}

pub(crate) fn differs(path: &Path, lines_before: u64, what: &str) -> StoreError {
    StoreError::Projection(format!(
        "line {} of `{}` is one that {what}; keep that file as it is for whoever looks into it, and move the run's directory away to have it written again",
        lines_before + 1,
        path.display()
    ))
}
