//! What becomes of the lines of `content.jsonl` and `keys.jsonl`. Reads files, and writes none: so it can be tried before it is meant.

use std::path::Path;

use super::EraseError;
use super::disk::read_if_there;
use super::plan::{Change, Plan};
use crate::content::{ContentLine, KeysLine, OpenError};

/// What becomes of a line: it stays, is replaced, or goes.
pub(super) enum After {
    Same,
    Other(Vec<u8>),
    Gone,
}

pub(super) fn content_after(plan: &Plan, line: &[u8]) -> Result<After, OpenError> {
    Ok(match plan.change(ContentLine::read(line)?.root()) {
        Change::Keep => After::Same,
        Change::Replace(lines) => After::Other(lines.content.clone()),
        Change::Drop => After::Gone,
    })
}

pub(super) fn keys_after(plan: &Plan, line: &[u8]) -> Result<After, OpenError> {
    // The run's own line stays.
    let Ok(line) = KeysLine::read(line) else { return Ok(After::Same) };
    Ok(match plan.change(line.root()) {
        Change::Keep => After::Same,
        Change::Replace(lines) => After::Other(lines.keys.clone()),
        Change::Drop => After::Gone,
    })
}

/// A file with each of its lines as `after` says; `None` if nothing changes.
pub(super) fn rewritten(
    path: &Path,
    after: impl Fn(&[u8]) -> Result<After, OpenError>,
) -> Result<Option<Vec<u8>>, EraseError> {
    let Some(before) = read_if_there(path, u64::MAX)? else { return Ok(None) };
    let mut octets = Vec::with_capacity(before.len());
    for whole in before.split_inclusive(|&b| b == b'\n') {
        let wrong = |why: String| EraseError::Line { path: path.to_owned(), why };
        let line = whole.strip_suffix(b"\n").ok_or_else(|| wrong("a line has no line feed".into()))?;
        match after(line).map_err(|e| wrong(e.to_string()))? {
            After::Same => octets.extend_from_slice(whole),
            After::Other(other) => octets.extend([other.as_slice(), b"\n"].concat()),
            After::Gone => {}
        }
    }
    Ok((octets != before).then_some(octets))
}
