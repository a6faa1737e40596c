//! What becomes known of a run only after its files were let go: where a root stands in a log that did not take it at first.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::SinkError;
use super::jsonl::ANCHORS;
use crate::anchor::AnchorLine;
use crate::keys::sync_parent;

/// Longer is no `anchors.jsonl` that this adds to.
const MAX_BYTES: u64 = 1 << 20;

/// Adds a line to the `anchors.jsonl` of a run in files, durably; one that is there already is not added again. Whether it is of the
/// run, its caller knows. Not for a store's files, which the store writes.
///
/// # Errors
/// [`SinkError::Locked`] while a process writes the run, [`SinkError::Damaged`] when the file does not end in a whole line: recover the
/// run first. Else when it cannot be written.
pub fn keep_anchor(run_directory: &Path, line: &AnchorLine) -> Result<(), SinkError> {
    let path = run_directory.join(ANCHORS);
    let io = |source: io::Error| SinkError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SinkError::Locked { path }),
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let found = read(&mut file).map_err(io)?;
    let damaged = |line| SinkError::Damaged { path: path.clone(), line, why: "a line of it is no anchor" };
    let lines = AnchorLine::read_all(&found).map_err(|(line, _)| damaged(line as u64 - 1))?;
    if !lines.contains(line) {
        file.write_all(&[line.bytes(), b"\n"].concat()).map_err(io)?;
    }
    file.sync_all().and_then(|()| sync_parent(&path)).map_err(io)
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut found)?;
    if found.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 1 MiB"));
    }
    Ok(found)
}
