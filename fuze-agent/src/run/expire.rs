//! Ending a run that nobody can continue: its time is over, or its data subject was erased.
//!
//! Nothing sealed is opened, and no key but the deployment's signing key is used: what the records say is enough to end
//! them. Not here: deciding. What people said in time is for [`Deployment::resume`](crate::Deployment::resume).

use std::sync::Arc;

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::chain::{Recorder, Times};
use fuze_evidence::random::{OsRandom, Random};
use fuze_evidence::record::Entry;
use fuze_evidence::sign::{PublicKey, SignedRoot};
use fuze_evidence::span::RunCancel;
use fuze_evidence::vocab::{CancelledBy, RunStatus, SuspendReason};
use fuze_evidence::{Hash, RunId, Span};

use super::RunError;
use crate::deployment::Deployment;
use crate::driver::anchor;
use crate::driver::journal::Home;
use crate::resume::open_root;
use crate::store::{Batch, Claim, Ground, RunState, RunStore, StoredRun};

/// Records are read in pages of this many.
const PAGE: u32 = 1024;

impl Deployment {
    /// Closes a suspended run that nobody can continue, and says how it ended: because the time of one of its cases is over
    /// by the store's clock (silence is a denial, and a run goes on only with all its cases decided), or because its data
    /// subject was erased (GDPR Art. 17). It ends as `cancelled`, or as `in_doubt` while it is not known whether a call
    /// happened; `run.cancel` before it says `expired` or `subject_erased`.
    ///
    /// Neither the agent nor the data subject's key is needed. Of a simultaneous resume and this, one wins.
    ///
    /// # Errors
    /// [`RunError::NotSuspended`] when the run does not wait; [`RunError::Claim`] with `InTime` when people may still
    /// decide, or with `Used` when somebody else was first. Then nothing has changed, unless it says that the store does
    /// not know.
    pub async fn expire(&self, run: RunId) -> Result<RunStatus, RunError> {
        let Home::Store(store) = self.home() else { return Err(RunError::NoStore) };
        let stored = store.load(run).await?;
        match stored.state {
            RunState::Suspended => {}
            RunState::Running => return Err(RunError::NotSuspended),
            RunState::Closed => return Err(over(&stored)),
        }
        let ground = match &stored.subject {
            Some(alias) if self.subjects().find(alias).map_err(RunError::internal)?.is_none() => {
                Ground::Erased
            }
            Some(_) | None => Ground::Silence,
        };
        let Waiting { mut recorder, next_step, tokens, in_doubt } =
            Waiting::read(self, store, run, &stored).await?;
        let opened = opened(self, &stored, &mut recorder)?;
        let cancelled_by = match ground {
            Ground::Erased => CancelledBy::SubjectErased,
            Ground::Decided | Ground::Silence => CancelledBy::Expired,
        };
        // A doubt outlives other ends.
        let status = if in_doubt { RunStatus::InDoubt } else { RunStatus::Cancelled };
        let at = Times::at(self.clock().now());
        let cancel = recorder.append(next_step, 0, at, &RunCancel { cancelled_by }.into(), None);
        let cancel = cancel.map_err(RunError::internal)?;
        let closed =
            recorder.close(next_step + 1, 0, at, status, self.signer()).map_err(RunError::internal)?;
        let root = closed.root().clone();
        let records = vec![cancel, closed.into_record()];
        let mut claim_id = [0; 16];
        OsRandom::new().fill(&mut claim_id).map_err(RunError::internal)?;
        let batch = Batch { records, state: RunState::Closed, ..Batch::default() };
        store.claim(Claim { run, epoch: stored.epoch, claim_id, ground, tokens, batch }).await?;
        if let Some(opened) = opened {
            // The run is closed, whatever the log says: what it does not take now is settled later.
            anchor::close(self, run, &root, &opened).await.ok();
        }
        Ok(status)
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

/// A suspended run as its records alone show it.
struct Waiting {
    recorder: Recorder,
    next_step: u64,
    /// The tokens of this suspension.
    tokens: Vec<Hash>,
    /// Whether one of its cases is about a call that may have happened.
    in_doubt: bool,
}

impl Waiting {
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
        let mut waiting = Self { recorder, next_step: 1, tokens: Vec::new(), in_doubt: false };
        let mut page = lines.drain(1..).collect::<Vec<_>>();
        loop {
            for line in &page {
                let entry = waiting.recorder.follow(line).map_err(|error| bad(error.to_string()))?;
                waiting.note(entry, stored.epoch);
            }
            let (next, _) = waiting.recorder.head();
            if next >= stored.head.0 {
                break;
            }
            page = store.records(run, next, PAGE).await?;
            if page.is_empty() {
                return Err(bad("some are missing".into()));
            }
        }
        if waiting.recorder.run_id() != run || waiting.recorder.head() != stored.head {
            return Err(bad("they are not those of the run".into()));
        }
        let root = stored.last_root.as_ref().ok_or_else(|| bad("the suspend root is missing".into()))?;
        let key = PublicKey::from_bytes(deployment.public_key()).map_err(RunError::internal)?;
        let root = SignedRoot::read(root, |id| (*id == key.id()).then_some(key))
            .map_err(|error| bad(error.to_string()))?;
        waiting.recorder.replay_root(&root).map_err(|error| bad(error.to_string()))?;
        Ok(waiting)
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
