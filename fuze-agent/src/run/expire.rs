//! Ending a run that nobody can continue: its time is over, or its data subject was erased.
//!
//! Nothing sealed is opened, and no key but the deployment's signing key is used: what the records say is enough to end
//! them. Not here: deciding. What people said in time is for [`Deployment::resume`](crate::Deployment::resume).

use std::sync::Arc;

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::chain::{Recorder, Times};
use fuze_evidence::random::{OsRandom, Random};
use fuze_evidence::record::Entry;
use fuze_evidence::sign::{PublicKey, RootDomain, SignedRoot};
use fuze_evidence::span::{RunCancel, RunGap, RunResume};
use fuze_evidence::vocab::{CancelledBy, Gap, ResumeCause, RunStatus, SuspendReason};
use fuze_evidence::{Hash, RunId, Span};

use super::RunError;
use crate::deployment::Deployment;
use crate::driver::anchor;
use crate::driver::journal::Home;
use crate::resume::open_root;
use crate::store::{Batch, Claim, EffectState, Ground, RunState, RunStore, StoredRun};

/// Records are read in pages of this many.
const PAGE: u32 = 1024;

impl Deployment {
    /// Closes a run that nobody can continue, and says how it ended. It waits and the time of one of its cases is over by the
    /// store's clock (silence is a denial, and a run goes on only with all its cases decided); or its data subject was
    /// erased (GDPR Art. 17), while it waited or ran, or before it was recovered after a crash. It ends as `cancelled`, or as
    /// `in_doubt` while it is not known whether a call happened; `run.cancel` before it says `expired` or `subject_erased`.
    ///
    /// Neither the agent nor the data subject's key is needed. Of a simultaneous resume or recovery and this, one wins; who
    /// still runs a run whose subject was erased is fenced off.
    ///
    /// # Errors
    /// [`RunError::NotSuspended`] when the run goes on; [`RunError::Claim`] with `InTime` when people may still
    /// decide, or with `Used` when somebody else was first. Then nothing has changed, unless it says that the store does
    /// not know.
    pub async fn expire(&self, run: RunId) -> Result<RunStatus, RunError> {
        let Home::Store(store) = self.home() else { return Err(RunError::NoStore) };
        let stored = store.load(run).await?;
        let erased = match &stored.subject {
            Some(alias) => self.subjects().find(alias).map_err(RunError::internal)?.is_none(),
            None => false,
        };
        match (stored.state, erased) {
            (RunState::Suspended, true) => self.end_waiting(store, run, &stored, Ground::Erased).await,
            (RunState::Suspended, false) => self.end_waiting(store, run, &stored, Ground::Silence).await,
            (RunState::Running, true) => {
                self.end_running(store, run, &stored, CancelledBy::SubjectErased).await
            }
            (RunState::Running, false) => Err(RunError::NotSuspended),
            (RunState::Closed, _) => Err(over(&stored)),
        }
    }

    /// Ends a run for good, whether it waits for people or a crash left it behind, and says how it ended: for instance because
    /// its data subject asks for erasure, which takes closed runs, or because its agent's definition is gone. `run.cancel` says
    /// `abort`. It ends as `cancelled`, or as `in_doubt` while it is not known whether a call happened.
    ///
    /// Whoever still runs it is fenced off: it does nothing more that its store must allow. To stop a run and let it end
    /// by itself, ask its [`CancelHandle`](crate::CancelHandle) or [`RunStore::request_stop`].
    ///
    /// # Errors
    /// As [`Deployment::expire`], but that it is never too early.
    pub async fn abandon(&self, run: RunId) -> Result<RunStatus, RunError> {
        let Home::Store(store) = self.home() else { return Err(RunError::NoStore) };
        let stored = store.load(run).await?;
        match stored.state {
            RunState::Suspended => self.end_waiting(store, run, &stored, Ground::Abandoned).await,
            RunState::Running => self.end_running(store, run, &stored, CancelledBy::Abort).await,
            RunState::Closed => Err(over(&stored)),
        }
    }

    async fn end_waiting(
        &self,
        store: &Arc<dyn RunStore>,
        run: RunId,
        stored: &StoredRun,
        ground: Ground,
    ) -> Result<RunStatus, RunError> {
        let Ending { mut recorder, next_step, tokens, in_doubt } =
            Ending::read(self, store, run, stored).await?;
        let opened = opened(self, stored, &mut recorder)?;
        let cancelled_by = match ground {
            Ground::Erased => CancelledBy::SubjectErased,
            Ground::Abandoned => CancelledBy::Abort,
            Ground::Decided | Ground::Silence => CancelledBy::Expired,
        };
        // A doubt outlives other ends.
        let status = if in_doubt { RunStatus::InDoubt } else { RunStatus::Cancelled };
        let spans = [RunCancel { cancelled_by }.into()];
        let (batch, root) = self.last_batch(recorder, next_step, &spans, status)?;
        let mut claim_id = [0; 16];
        OsRandom::new().fill(&mut claim_id).map_err(RunError::internal)?;
        store.claim(Claim { run, epoch: stored.epoch, claim_id, ground, tokens, batch }).await?;
        self.anchor_end(run, &root, opened).await;
        Ok(status)
    }

    /// Whoever still runs it can write nothing more from here on; what began and has no end is in doubt.
    async fn end_running(
        &self,
        store: &Arc<dyn RunStore>,
        run: RunId,
        before: &StoredRun,
        cancelled_by: CancelledBy,
    ) -> Result<RunStatus, RunError> {
        // Nobody is fenced off by who could not close the run.
        Ending::read(self, store, run, before).await?;
        let fence = store.take_over(run, before.epoch).await?;
        let stored = store.load(run).await?;
        let Ending { mut recorder, next_step, .. } = Ending::read(self, store, run, &stored).await?;
        let opened = opened(self, &stored, &mut recorder)?;
        let mut spans = vec![
            RunResume {
                bundle_hash: Hash(self.gate().identity().bundle_hash),
                cause: ResumeCause::Recovery,
                epoch: fence.epoch,
                segment: recorder.segment() + 1,
            }
            .into(),
            RunGap { what: Gap::Process, exec_id: None }.into(),
        ];
        let open = |state| matches!(state, EffectState::Started | EffectState::InDoubt);
        let doubts = stored.effects.iter().filter(|effect| open(effect.state));
        spans.extend(doubts.map(|effect| RunGap { what: Gap::Tool, exec_id: Some(effect.exec_id) }.into()));
        let status = if spans.len() > 2 { RunStatus::InDoubt } else { RunStatus::Cancelled };
        spans.push(RunCancel { cancelled_by }.into());
        let (batch, root) = self.last_batch(recorder, next_step, &spans, status)?;
        store.commit(fence, batch).await?;
        self.anchor_end(run, &root, opened).await;
        Ok(status)
    }

    /// `spans`, then the signed close.
    fn last_batch(
        &self,
        mut recorder: Recorder,
        mut step: u64,
        spans: &[Span],
        status: RunStatus,
    ) -> Result<(Batch, SignedRoot), RunError> {
        let at = Times::at(self.clock().now());
        let mut records = Vec::with_capacity(spans.len() + 1);
        for span in spans {
            records.push(recorder.append(step, 0, at, span, None).map_err(RunError::internal)?);
            step += 1;
        }
        let closed = recorder.close(step, 0, at, status, self.signer()).map_err(RunError::internal)?;
        let root = closed.root().clone();
        records.push(closed.into_record());
        Ok((Batch { records, state: RunState::Closed, ..Batch::default() }, root))
    }

    /// The run is closed, whatever the log says: what it does not take now is settled later.
    async fn anchor_end(&self, run: RunId, root: &SignedRoot, opened: Option<AnchorLine>) {
        if let Some(opened) = opened {
            anchor::close(self, run, root, &opened).await.ok();
        }
    }
}

/// Where the run's open root stands in a log, for the close root to name it.
fn opened(
    deployment: &Deployment,
    stored: &StoredRun,
    recorder: &mut Recorder,
) -> Result<Option<AnchorLine>, RunError> {
    let bad = |why: String| RunError::Records(why);
    let Some(line) = stored.anchors.first() else { return Ok(None) };
    let line = AnchorLine::read(line).map_err(|error| bad(error.to_string()))?;
    let root = open_root(deployment, stored)?;
    recorder.replay_anchor(&root, &line).map_err(|error| bad(error.to_string()))?;
    Ok(Some(line))
}

/// Why a closed run cannot be taken up.
pub(crate) fn over(stored: &StoredRun) -> RunError {
    let ended = stored.records_after_progress.iter().rev().find_map(|line| match Entry::read(line) {
        Ok(Entry { span: Span::RunCancel(RunCancel { cancelled_by }), .. }) => Some(cancelled_by),
        Ok(_) | Err(_) => None,
    });
    match ended {
        Some(CancelledBy::Expired) => RunError::Expired,
        Some(CancelledBy::SubjectErased) => RunError::SubjectErased,
        Some(CancelledBy::Operator | CancelledBy::Abort) | None => RunError::NotSuspended,
    }
}

/// A run as its records alone show it.
struct Ending {
    recorder: Recorder,
    next_step: u64,
    /// The tokens of this suspension.
    tokens: Vec<Hash>,
    /// Whether one of its cases is about a call that may have happened.
    in_doubt: bool,
}

impl Ending {
    /// Walks the whole chain: what is signed at the close is what was found to hold.
    async fn read(
        deployment: &Deployment,
        store: &Arc<dyn RunStore>,
        run: RunId,
        stored: &StoredRun,
    ) -> Result<Self, RunError> {
        let bad = |why: String| RunError::Records(why);
        let mut lines = store.records(run, 0, PAGE).await?;
        let first = lines.first().ok_or_else(|| bad("there are none".into()))?;
        let (recorder, invoke) = Recorder::replay(first).map_err(|error| bad(error.to_string()))?;
        match invoke.span {
            Span::AgentInvoke(began) if began.origin != *deployment.origin() => {
                return Err(RunError::OtherDeployment { began: began.origin });
            }
            _ => {}
        }
        let root = stored.last_root.as_ref().ok_or_else(|| bad("the last signed root is missing".into()))?;
        let key = PublicKey::from_bytes(deployment.public_key()).map_err(RunError::internal)?;
        let root = SignedRoot::read(root, |id| (*id == key.id()).then_some(key))
            .map_err(|error| bad(error.to_string()))?;
        let covers_all = root.root().count == stored.head.0;
        if stored.state == RunState::Suspended && (root.root().domain != RootDomain::Suspend || !covers_all) {
            return Err(bad("the suspend root is missing".into()));
        }
        let mut ending = Self { recorder, next_step: 1, tokens: Vec::new(), in_doubt: false };
        ending.note_root(&root)?;
        let mut page = lines.drain(1..).collect::<Vec<_>>();
        loop {
            for line in &page {
                let entry = ending.recorder.follow(line).map_err(|error| bad(error.to_string()))?;
                ending.note(entry, stored.epoch);
                ending.note_root(&root)?;
            }
            let (next, _) = ending.recorder.head();
            if next >= stored.head.0 {
                break;
            }
            page = store.records(run, next, PAGE).await?;
            if page.is_empty() {
                return Err(bad("some are missing".into()));
            }
        }
        if ending.recorder.run_id() != run || ending.recorder.head() != stored.head {
            return Err(bad("they are not those of the run".into()));
        }
        if root.root().count > stored.head.0 {
            return Err(bad("the last signed root covers more than there are".into()));
        }
        Ok(ending)
    }

    /// The last root is taken over where it was signed.
    fn note_root(&mut self, root: &SignedRoot) -> Result<(), RunError> {
        match self.recorder.head().0 == root.root().count {
            true => self.recorder.replay_root(root).map_err(|error| RunError::Records(error.to_string())),
            false => Ok(()),
        }
    }

    fn note(&mut self, entry: Entry, epoch: u64) {
        self.next_step = self.next_step.max(entry.step_id + 1);
        if let Span::OversightSuspend(suspend) = entry.span
            && suspend.epoch == epoch
        {
            self.tokens.push(suspend.token_hash);
            self.in_doubt |= suspend.reason == SuspendReason::InDoubt;
        }
    }
}
