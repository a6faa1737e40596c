//! The run's way to its evidence: redaction, commitment, chain, sealing, and the home where it becomes durable.
//!
//! Everything that is recorded passes here. The first failure latches: after it nothing is written, and whoever asks gets
//! the same failure again, so that nothing that a tool or a guardrail does can turn it off.

use std::sync::Arc;

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::chain::{Recorder, Times};
use fuze_evidence::content::{self, Commitment};
use fuze_evidence::keys::WrappedRunKeys;
use fuze_evidence::random::Random;
use fuze_evidence::sink::{Sink, SinkBatch};
use fuze_evidence::snapshot::seal_snapshot;
use fuze_evidence::span::Span;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Hash, Record, Redactor, RunId, RunKeys, SealedContent, SignedRoot, Signer, Timestamp};
use serde_json::Value;

use super::state::{Header, Piece, SNAPSHOT_VERSION};
use super::subject_key::NewSubjectKey;
use crate::deployment::Clock;
use crate::model::Message;
use crate::store::{Batch, EffectEntry, Fence, IssuedToken, Progress, RunState, RunStore, SealedProgress};

/// Where evidence becomes durable.
#[derive(Clone)]
pub(crate) enum Home {
    /// Records only; a run that must wait for people is refused.
    Sink(Arc<dyn Sink>),
    /// Records, ledger, progress and tokens in one transaction.
    Store(Arc<dyn RunStore>),
}

/// Why the run must stop at once: what happened could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Latched(pub(crate) String);

/// When and under what a record stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) started_at: Timestamp,
}

pub(crate) struct Journal {
    recorder: Option<Recorder>,
    keys: RunKeys,
    redactor: Redactor,
    random: Box<dyn Random>,
    clock: Arc<dyn Clock>,
    home: Home,
    fence: Option<Fence>,
    pending: Batch,
    latch: Option<Latched>,
    /// Kept until the log has it.
    open_root: Option<SignedRoot>,
    /// Where the open root stands in a log.
    anchor: Option<AnchorLine>,
    /// The data subject's key, until the home has the run.
    new_key: Option<NewSubjectKey>,
}

/// What a journal is made of.
pub(crate) struct Parts {
    pub(crate) recorder: Recorder,
    pub(crate) keys: RunKeys,
    pub(crate) redactor: Redactor,
    pub(crate) random: Box<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: Home,
}

impl Journal {
    /// Of a run that begins, with its first record.
    pub(crate) fn fresh(
        parts: Parts,
        keys: WrappedRunKeys,
        record: Record,
        root: SignedRoot,
        content: SealedContent,
        new_key: Option<NewSubjectKey>,
    ) -> Self {
        let mut journal = Self { new_key, ..Self::of(parts, None) };
        journal.pending.subject = journal.keys.subject().cloned();
        journal.pending.keys = Some(keys);
        journal.pending.records.push(record);
        journal.open_root = Some(root.clone());
        journal.pending.roots.push(root);
        journal.pending.contents.push(content);
        journal
    }

    /// Of a run that goes on.
    pub(crate) fn resumed(
        parts: Parts,
        fence: Fence,
        open_root: Option<SignedRoot>,
        anchor: Option<AnchorLine>,
    ) -> Self {
        Self { open_root, anchor, ..Self::of(parts, Some(fence)) }
    }

    fn of(parts: Parts, fence: Option<Fence>) -> Self {
        let Parts { recorder, keys, redactor, random, clock, home } = parts;
        let recorder = Some(recorder);
        Self {
            recorder,
            keys,
            redactor,
            random,
            clock,
            home,
            fence,
            pending: Batch::default(),
            latch: None,
            open_root: None,
            anchor: None,
            new_key: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn keys(&self) -> &RunKeys {
        &self.keys
    }

    pub(crate) fn random(&mut self) -> &mut dyn Random {
        &mut *self.random
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.fence.map_or(1, |fence| fence.epoch)
    }

    pub(crate) fn store(&self) -> Option<(&Arc<dyn RunStore>, Fence)> {
        match (&self.home, self.fence) {
            (Home::Store(store), Some(fence)) => Some((store, fence)),
            (Home::Store(_), None) | (Home::Sink(_), _) => None,
        }
    }

    pub(crate) fn has_store(&self) -> bool {
        matches!(self.home, Home::Store(_))
    }

    pub(crate) fn recorder(&self) -> Result<&Recorder, Latched> {
        self.recorder.as_ref().ok_or_else(closed)
    }

    /// Redacts and commits.
    pub(crate) fn commit(&mut self, value: Value) -> Result<Commitment, Latched> {
        self.check()?;
        let redacted = self.redactor.redact(value);
        let made = content::commit(redacted, &mut *self.random).map_err(|error| error.to_string());
        self.latching(made)
    }

    /// Whether a text may stand in a record as it is: the redactor finds nothing in it.
    pub(crate) fn is_plain(&self, text: &str) -> bool {
        self.redactor.redact_text(text).value().as_str() == Some(text)
    }

    /// Replaces the values of secrets, for what a model gets to see.
    pub(crate) fn scrub(&self, value: Value) -> Value {
        self.redactor.scrub_secrets(value)
    }

    /// The same for a text.
    pub(crate) fn scrub_text(&self, text: String) -> String {
        match self.redactor.scrub_secrets(Value::String(text)) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// A record with new content.
    pub(crate) fn record_content(
        &mut self,
        step: Step,
        span: impl Into<Span>,
        value: Value,
    ) -> Result<Hash, Latched> {
        let commitment = self.commit(value)?;
        self.record(step, span, Some(&commitment))?;
        Ok(commitment.root())
    }

    /// A record. Its content, if any, is sealed with it.
    pub(crate) fn record(
        &mut self,
        step: Step,
        span: impl Into<Span>,
        commitment: Option<&Commitment>,
    ) -> Result<(), Latched> {
        self.record_at(self.times(step), step, span, commitment)
    }

    /// The same, of a step that ended when it did.
    pub(crate) fn record_at(
        &mut self,
        times: Times,
        step: Step,
        span: impl Into<Span>,
        commitment: Option<&Commitment>,
    ) -> Result<(), Latched> {
        self.check()?;
        let appended = match self.recorder.as_mut() {
            None => Err(closed().0),
            Some(recorder) => recorder
                .append(step.id, step.parent.unwrap_or(0), times, &span.into(), commitment)
                .map_err(|error| error.to_string()),
        };
        let record = self.latching(appended)?;
        self.pending.records.push(record);
        if let Some(commitment) = commitment {
            let sealed = content::seal(commitment, &self.keys, &mut *self.random).map_err(|e| e.to_string());
            let sealed = self.latching(sealed)?;
            self.pending.contents.push(sealed);
        }
        Ok(())
    }

    /// A step that ends now.
    pub(crate) fn times(&self, step: Step) -> Times {
        // A clock that is set back in the midst of a step makes it end when it began, not before.
        Times { started_at: step.started_at, ended_at: self.clock.now().max(step.started_at) }
    }

    pub(crate) fn effect(&mut self, entry: EffectEntry) {
        self.pending.effects.push(entry);
    }

    pub(crate) fn token(&mut self, token: IssuedToken) {
        self.pending.tokens.push(token);
    }

    /// Signs a suspend root over everything so far.
    pub(crate) fn sign_suspend(&mut self, signer: &dyn Signer) -> Result<(), Latched> {
        let at = self.clock.now();
        let signed = match self.recorder.as_mut() {
            None => Err(closed().0),
            Some(recorder) => recorder.suspend(at, signer).map_err(|error| error.to_string()),
        };
        let root = self.latching(signed)?;
        self.pending.roots.push(root);
        Ok(())
    }

    pub(crate) const fn open_root(&self) -> Option<&SignedRoot> {
        self.open_root.as_ref()
    }

    pub(crate) const fn anchor(&self) -> Option<&AnchorLine> {
        self.anchor.as_ref()
    }

    /// The log holds the open root: the close root will name where.
    pub(crate) async fn anchored(&mut self, line: AnchorLine) -> Result<(), Latched> {
        self.check()?;
        let noted = match self.recorder.as_mut() {
            None => Err(closed().0),
            Some(recorder) => recorder.anchored(&line).map_err(|error| error.to_string()),
        };
        self.latching(noted)?;
        let kept = self.home.keep_anchor(self.keys.run_id(), &line).await;
        self.latching(kept)?;
        (self.open_root, self.anchor) = (None, Some(line));
        Ok(())
    }

    /// Closes the chain: the last record, with the signed close root in it, which comes back.
    pub(crate) fn close(
        &mut self,
        step: Step,
        status: RunStatus,
        signer: &dyn Signer,
    ) -> Result<SignedRoot, Latched> {
        self.check()?;
        let times = self.times(step);
        let closing = match self.recorder.take() {
            None => Err(closed().0),
            Some(recorder) => recorder
                .close(step.id, step.parent.unwrap_or(0), times, status, signer)
                .map_err(|error| error.to_string()),
        };
        let closed = self.latching(closing)?;
        let root = closed.root().clone();
        self.pending.records.push(closed.into_record());
        self.pending.state = RunState::Closed;
        Ok(root)
    }

    /// Seals the header and the messages that are not stored yet. With it goes the hash that a suspension records.
    pub(crate) fn seal_piece(
        &mut self,
        header: &Header,
        messages: &[Message],
    ) -> Result<(SealedProgress, Hash), Latched> {
        self.check()?;
        let sequence = self.recorder()?.head().0.saturating_sub(1);
        let epoch = self.epoch();
        let piece = Piece { v: SNAPSHOT_VERSION, header, messages };
        let sealed = serde_json::to_vec(&piece).map_err(|e| e.to_string()).and_then(|plain| {
            seal_snapshot(&plain, &self.keys, sequence, epoch, &mut *self.random).map_err(|e| e.to_string())
        });
        let sealed = self.latching(sealed)?;
        Ok((SealedProgress { sequence, epoch, bytes: sealed.ciphertext }, sealed.hash))
    }

    pub(crate) fn progress(&mut self, progress: Progress) {
        self.pending.progress = Some(progress);
    }

    pub(crate) fn suspended(&mut self) {
        self.pending.state = RunState::Suspended;
    }

    /// What is pending, for a transaction of its own.
    pub(crate) fn take_pending(&mut self) -> Batch {
        std::mem::take(&mut self.pending)
    }

    /// Makes everything so far durable.
    pub(crate) async fn flush(&mut self) -> Result<(), Latched> {
        self.check()?;
        let batch = std::mem::take(&mut self.pending);
        let new_key = self.new_key.take().map(NewSubjectKey::handed_over);
        let flushed = match (&self.home, self.fence) {
            (Home::Store(store), None) => match store.create(self.keys.run_id(), batch).await {
                Ok(fence) => {
                    self.fence = Some(fence);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            (Home::Store(store), Some(fence)) => store.commit(fence, batch).await.map_err(|e| e.to_string()),
            (Home::Sink(sink), _) => {
                let Batch { records, contents, keys, roots, .. } = batch;
                let run_id = self.keys.run_id();
                let anchors = Vec::new();
                let batch = SinkBatch { run_id, keys, content: contents, records, roots, anchors };
                sink.append(&batch, true).await.map_err(|e| e.to_string())
            }
        };
        let flushed = match (flushed, new_key) {
            (Err(why), Some(new_key)) => match new_key.refused(&self.home, self.keys.run_id()).await {
                Ok(()) => Err(why),
                Err(error) => {
                    Err(format!("{why}; and the key made for its data subject stays behind: {error}"))
                }
            },
            (flushed, _) => flushed,
        };
        self.latching(flushed)
    }

    /// Whether something failed for good.
    pub(crate) fn check(&self) -> Result<(), Latched> {
        match &self.latch {
            Some(latched) => Err(latched.clone()),
            None => Ok(()),
        }
    }

    pub(crate) fn latch(&mut self, why: impl Into<String>) -> Latched {
        let latched = Latched(why.into());
        self.latch.get_or_insert(latched).clone()
    }

    fn latching<T>(&mut self, result: Result<T, String>) -> Result<T, Latched> {
        result.map_err(|why| self.latch(why))
    }

    pub(crate) fn run_id(&self) -> RunId {
        self.keys.run_id()
    }
}

fn closed() -> Latched {
    Latched("the run is closed: nothing can be added".into())
}
