//! A sink in memory: for tests, benches and hosts that keep records elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Progress, Sink, SinkBatch, SinkError};
use crate::name::Name;
use crate::record::RunId;

/// A run's four files, as octets.
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
}

/// Keeps runs in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<HashMap<RunId, (Progress, MemoryRun)>>>);

impl MemorySink {
    /// Without runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of a run's files, `None` if it is not here.
    #[must_use]
    pub fn run(&self, run_id: RunId) -> Option<MemoryRun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&run_id).map(|(_, run)| run.clone())
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
        let (progress, run) = runs.entry(batch.run_id).or_default();
        progress.check(batch)?;
        if let Some(keys) = &batch.keys {
            push_line(&mut run.keys, &keys.to_line().map_err(|e| SinkError::Other(e.to_string()))?);
        }
        for sealed in &batch.content {
            push_line(&mut run.content, sealed.content_line());
            push_line(&mut run.keys, sealed.keys_line());
        }
        for record in &batch.records {
            push_line(&mut run.records, record.bytes());
        }
        for root in &batch.roots {
            push_line(&mut run.roots, root.bytes());
        }
        progress.advance(batch);
        Ok(())
    }
}
