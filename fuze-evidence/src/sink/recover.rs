//! What a crash leaves in a run's files, made readable again: explicitly, reported, and never beyond what a crash can do.
//!
//! A crash can tear the last writes that were not made durable: a line without its end, octets that never arrived between others that
//! did. What a signed root covers, and the end of a closed run, had been made durable: damage there is no crash and stays.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SinkError;
use super::jsonl::{ANCHORS, CONTENT, KEYS, RECORDS, ROOTS};
use crate::anchor::AnchorLine;
use crate::chain::line_hash;
use crate::content::{ContentLine, KeysLine};
use crate::files::refuse_link;
use crate::hash::Hash;
use crate::keys::{WrappedRunKeys, sync_parent};
use crate::record::Entry;
use crate::span::Span;

/// What the name of a run that never began ends in.
pub(crate) const UNBEGUN: &str = ".unbegun";

/// The longest line, without its line feed.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// What [`recover`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what was cut off or put aside is to be reported"]
#[non_exhaustive]
pub struct Recovered {
    /// Each file that was changed, and how many octets it lost.
    pub cut: Vec<(PathBuf, u64)>,
    /// The run had not begun: its first record and its open root never became durable together, so nobody was told that it had. Its
    /// directory was put aside, as it was, under this name.
    pub unbegun: Option<PathBuf>,
}

/// One file and what of it is whole.
struct Walked {
    path: PathBuf,
    file: File,
    length: u64,
    /// Where the last whole and sensible line ends.
    good: u64,
    /// How many of them there are.
    lines: u64,
}

/// What the records say.
struct Records {
    head: Hash,
    count: u64,
    /// After how many records each content is named, in order.
    contents: Vec<u64>,
    closed: bool,
    suspended: bool,
}

#[derive(Deserialize)]
struct RootLine {
    root: Covered,
}

/// Of a signed root, how much it covers. Whether the signature holds is for the verifier.
#[derive(Deserialize)]
struct Covered {
    count: u64,
}

/// Removes what a crash can leave at the end of a run's files, and says so; a run whose beginning was never durable is put aside.
/// Nothing of the run may be written meanwhile.
///
/// # Errors
/// [`SinkError::Damaged`] when a crash does not explain what is there: then nothing is changed. Else when a file cannot be
/// read or cut, or another process writes to it.
pub fn recover(run_directory: &Path) -> Result<Recovered, SinkError> {
    let mut records =
        Records { head: Hash::ZERO, count: 0, contents: Vec::new(), closed: false, suspended: false };
    let record_file = walk(run_directory, RECORDS, |line| records.follow(line))?;
    let mut covered = Vec::new();
    let root_file = walk(run_directory, ROOTS, |line| {
        let root = serde_json::from_slice::<RootLine>(line).ok();
        covered.extend(root.as_ref().map(|root| root.root.count));
        root.is_some()
    })?;
    let content_file = walk(run_directory, CONTENT, |line| ContentLine::read(line).is_ok())?;
    let mut first = true;
    let key_file = walk(run_directory, KEYS, |line| {
        let wrapped = std::mem::take(&mut first) && WrappedRunKeys::from_line(line).is_ok();
        wrapped || KeysLine::read(line).is_ok()
    })?;
    // What a log holds of a run is in the log: a line that is cut off here proves nothing any more, and disproves nothing.
    let anchor_file = walk(run_directory, ANCHORS, |line| AnchorLine::read(line).is_ok())?;
    if records.count == 0 || covered.is_empty() {
        // Whoever was told that the run had begun has both of them on disk; so has whoever suspended or closed it.
        if records.closed
            || records.suspended
            || covered.len() > 1
            || records.count > 0 && has_line(&root_file)
        {
            return Err(damaged(&root_file, "the signed roots of a run that had gone on are gone"));
        }
        drop((record_file, root_file, content_file, key_file, anchor_file));
        return put_aside(run_directory).map(|path| Recovered { cut: Vec::new(), unbegun: Some(path) });
    }
    let signed = if records.closed { records.count } else { covered.iter().copied().max().unwrap_or(0) };
    if records.count < signed {
        return Err(damaged(&record_file, "a signed root covers what is damaged or gone"));
    }
    let closed = records.closed;
    let torn = |walked: &Option<Walked>| walked.as_ref().is_some_and(|walked| walked.good < walked.length);
    if closed && (torn(&record_file) || torn(&root_file)) {
        return Err(damaged(&record_file, "the run has closed, and something follows"));
    }
    // Content that a signed root covers was durable before it. Whether lines are gone that an erasure took is for the verifier.
    let due = records.contents.iter().filter(|&&after| after <= signed).count();
    for (walked, extra) in [(&content_file, 0), (&key_file, 1)] {
        let lines = walked.as_ref().map_or(0, |walked| walked.lines);
        if torn(walked) && lines < u64::try_from(due).unwrap_or(u64::MAX).saturating_add(extra) {
            return Err(damaged(walked, "a signed root covers what is damaged"));
        }
    }
    let mut cut = Vec::new();
    for walked in [record_file, root_file, content_file, key_file, anchor_file].into_iter().flatten() {
        let Walked { path, file, length, good, .. } = walked;
        if good < length {
            let io = |source| SinkError::Io { path: path.clone(), source };
            file.set_len(good).and_then(|()| file.sync_all()).map_err(io)?;
            cut.push((path, length - good));
        }
    }
    Ok(Recovered { cut, unbegun: None })
}

fn has_line(walked: &Option<Walked>) -> bool {
    walked.as_ref().is_some_and(|walked| walked.lines > 0)
}

fn damaged(walked: &Option<Walked>, why: &'static str) -> SinkError {
    let (path, line) = walked.as_ref().map_or_else(Default::default, |w| (w.path.clone(), w.lines));
    SinkError::Damaged { path, line, why }
}

/// Under a name that is no run's, beside it.
fn put_aside(run_directory: &Path) -> Result<PathBuf, SinkError> {
    let mut name = run_directory.file_name().unwrap_or_default().to_owned();
    name.push(UNBEGUN);
    let path = run_directory.with_file_name(name);
    let io = |source| SinkError::Io { path: path.clone(), source };
    if fs::symlink_metadata(&path).is_ok() {
        return Err(SinkError::Exists { path });
    }
    fs::rename(run_directory, &path).map_err(io)?;
    sync_parent(&path).map_err(io)?;
    Ok(path)
}

impl Records {
    /// Whether the line is the next record of the chain.
    fn follow(&mut self, line: &[u8]) -> bool {
        let Ok(entry) = Entry::read(line) else { return false };
        let follows = entry.sequence == self.count && entry.prev_hash == self.head && !self.closed;
        if !follows || line_hash(line) != Some(entry.hash) {
            return false;
        }
        self.head = entry.hash;
        self.count += 1;
        self.contents.extend(entry.content.map(|_| self.count));
        match entry.span {
            Span::RunClose(_) => self.closed = true,
            Span::OversightSuspend(_) => self.suspended = true,
            _ => {}
        }
        true
    }
}

/// Reads a file's lines until one is not whole or not good. `None`: there is no such file.
fn walk(
    run_directory: &Path,
    name: &str,
    mut good: impl FnMut(&[u8]) -> bool,
) -> Result<Option<Walked>, SinkError> {
    let path = run_directory.join(name);
    let io = |source| SinkError::Io { path: path.clone(), source };
    refuse_link(&path).map_err(io)?;
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && run_directory.is_dir() => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SinkError::Locked { path }),
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let length = file.metadata().map_err(io)?.len();
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut walked = Walked { path: path.clone(), file, length, good: 0, lines: 0 };
    let mut reader = BufReader::new(&walked.file);
    let mut line = Vec::new();
    let (mut end, mut lines) = (0, 0);
    loop {
        line.clear();
        let read = (&mut reader).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(io)?;
        match line.split_last() {
            Some((b'\n', text)) if good(text) => {}
            _ => break,
        }
        end += u64::try_from(read).unwrap_or(u64::MAX);
        lines += 1;
    }
    (walked.good, walked.lines) = (end, lines);
    Ok(Some(walked))
}
