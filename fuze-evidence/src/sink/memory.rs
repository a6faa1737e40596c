//! A sink in memory: for tests, benches and hosts that keep records elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Progress, Sink, SinkBatch, SinkError};
use crate::name::Name;
use crate::record::RunId;

/// A run's files, as octets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryRun {
    /// As `records.jsonl`.
    pub records: Vec<u8>,
    /// As `content.jsonl`.
    pub content: Vec<u8>,
    /// As `keys.jsonl`.
    pub keys: Vec<u8>,
    /// As `roots.jsonl`.
    pub roots: Vec<u8>,
    /// As `anchors.jsonl`; empty where the run is in no log.
    pub anchors: Vec<u8>,
}

/// Keeps runs in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<HashMap<RunId, Kept>>>);

#[derive(Debug, Default)]
struct Kept {
    progress: Progress,
    records: Pieces,
    content: Pieces,
    keys: Pieces,
    roots: Pieces,
    anchors: Pieces,
}

impl Kept {
    fn files(&self) -> MemoryRun {
        let Self { progress: _, records, content, keys, roots, anchors } = self;
        MemoryRun {
            records: records.join(),
            content: content.join(),
            keys: keys.join(),
            roots: roots.join(),
            anchors: anchors.join(),
        }
    }
}

/// One file, in pieces that are never moved: to append a line costs the same however long the run has become.
#[derive(Debug, Default)]
struct Pieces(Vec<Vec<u8>>);

/// The first piece; each has twice the octets of the one before, up to the last.
const FIRST_PIECE_BYTES: usize = 4 * 1024;
const DOUBLINGS: usize = 4;

impl Pieces {
    fn push_line(&mut self, line: &[u8]) {
        match self.0.last_mut() {
            Some(last) if last.capacity() - last.len() > line.len() => push_line(last, line),
            Some(_) | None => {
                let usual = FIRST_PIECE_BYTES << self.0.len().min(DOUBLINGS);
                let mut piece = Vec::with_capacity(usual.max(line.len() + 1));
                push_line(&mut piece, line);
                self.0.push(piece);
            }
        }
    }

    fn join(&self) -> Vec<u8> {
        self.0.concat()
    }
}

impl MemorySink {
    /// Without runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of a run's files, `None` if it is not here.
    #[must_use]
    pub fn run(&self, run_id: RunId) -> Option<MemoryRun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&run_id).map(Kept::files)
    }

    /// The runs that are here, in order of their ids.
    #[must_use]
    pub fn run_ids(&self) -> Vec<RunId> {
        let mut ids: Vec<RunId> =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        ids.sort_unstable();
        ids
    }
}

pub(super) fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(line);
    out.push(b'\n');
}

#[async_trait]
impl Sink for MemorySink {
    fn identity(&self) -> Name {
        super::jsonl::sink_name("memory")
    }

    async fn append(&self, batch: &SinkBatch, _durable: bool) -> Result<(), SinkError> {
        let mut runs = self.0.lock().map_err(|_| SinkError::Stopped)?;
        let run = runs.entry(batch.run_id).or_default();
        run.progress.check(batch)?;
        if let Some(keys) = &batch.keys {
            run.keys.push_line(&keys.to_line().map_err(|e| SinkError::Other(e.to_string()))?);
        }
        for sealed in &batch.content {
            run.content.push_line(sealed.content_line());
            run.keys.push_line(sealed.keys_line());
        }
        for record in &batch.records {
            run.records.push_line(record.bytes());
        }
        for root in &batch.roots {
            run.roots.push_line(root.bytes());
        }
        for line in &batch.anchors {
            run.anchors.push_line(line.bytes());
        }
        run.progress.advance(batch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_all_lines_in_order_and_never_move() {
        let mut pieces = Pieces::default();
        let mut whole = Vec::new();
        let mut first = None;
        for length in (0..200).map(|n| n * 37).chain([500_000, 0, 3]) {
            let line = vec![u8::try_from(length % 251).unwrap(); length];
            pieces.push_line(&line);
            push_line(&mut whole, &line);
            let begins = pieces.0[0].as_ptr();
            assert_eq!(*first.get_or_insert(begins), begins);
        }
        assert_eq!(pieces.join(), whole);
        assert!(pieces.0.len() > DOUBLINGS);
        assert!(pieces.0.iter().all(|piece| !piece.is_empty()));
    }
}
