//! The one driver. Fresh and resumed runs go through [`Driver::drive`]; every effect leaves through it.
//!
//! What stops a run is an [`Exit`] that travels up the driver's own stack: a tool or a guardrail speaks to the driver by
//! messages and never sees it, so there is nothing for them to catch.

pub(crate) mod anchor;
pub(crate) mod calls;
pub(crate) mod decide;
pub(crate) mod definition;
pub(crate) mod execute;
pub(crate) mod guard;
pub(crate) mod journal;
pub(crate) mod nested;
pub(crate) mod pause;
pub(crate) mod state;
pub(crate) mod subject_key;
pub(crate) mod turn;
pub(crate) mod wait;

use std::sync::Arc;
use std::time::Duration;

use fuze_evidence::content::history;
use fuze_evidence::span::RunCancel;
use fuze_evidence::vocab::{CancelledBy, RunStatus};
use fuze_evidence::{Hash, Name};
use fuze_policy::{Gate, RunFacts as PolicyFacts};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::deployment::Deployment;
use crate::dispatch::Boxed;
use crate::model::{Message, ModelError, ModelIdentity, ModelRequest, ModelResponse};
use crate::outcome::Anchored;
use crate::secret::Secrets;
use crate::store::{Progress, Stop};
use definition::Definition;
use journal::{Journal, Latched, Step};
use state::{Header, Phase, State};

/// A model without its types.
pub(crate) trait AnyModel: Send + Sync {
    fn identity(&self) -> ModelIdentity;
    fn residency(&self) -> &'static str;
    fn generate<'a>(&'a self, request: ModelRequest<'a>) -> Boxed<'a, Result<ModelResponse, ModelError>>;
}

/// Why the driver stops.
#[derive(Debug)]
pub(crate) enum Exit {
    /// The run ends.
    Close(RunStatus, Why),
    /// The run waits for people: `header.waits` says for what.
    Suspend,
    /// Nothing more can be recorded.
    Latched(Latched),
}

/// What ended a run, in words, for its caller. Not recorded here: each reason stands in a record of its own.
pub(crate) type Why = String;

impl From<Latched> for Exit {
    fn from(latched: Latched) -> Self {
        Self::Latched(latched)
    }
}

/// How a run's segment ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Closed and signed.
    Closed { status: RunStatus, why: Why, output: Option<Vec<u8>>, anchored: Anchored },
    /// Waits for people.
    Suspended,
    /// Stopped without a last record: what happened could not be recorded.
    Latched(Latched),
}

/// One segment of one run.
pub(crate) struct Driver<'r, D> {
    pub(crate) deployment: &'r Deployment,
    pub(crate) definition: &'r Definition<D>,
    pub(crate) deps: &'r Arc<D>,
    pub(crate) model: &'r dyn AnyModel,
    pub(crate) gate: Gate,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) journal: Journal,
    pub(crate) state: State,
    /// Messages that stored progress holds already.
    pub(crate) stored_messages: usize,
    /// How much of the history a model reads, in bytes: kept, because to count it each turn would cost more each turn.
    pub(crate) history_bytes: usize,
    pub(crate) stop: watch::Receiver<Option<Stop>>,
    pub(crate) began: Instant,
    /// When the time of the tool that is running is over: what it invokes has no more.
    pub(crate) until: Option<Instant>,
    /// How often in a row a permit came too late.
    pub(crate) late: u32,
    /// Counts of this segment, for the caller's timeline.
    pub(crate) timeline: crate::outcome::Timeline,
}

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// Runs until the run ends or waits.
    pub(crate) async fn drive(mut self) -> (Ended, Driven) {
        let ended = match self.go().await {
            Ok(output) => self.close(RunStatus::Completed, String::new(), Some(output)).await,
            Err(Exit::Close(status, why)) => self.close(status, why, None).await,
            Err(Exit::Suspend) => self.suspend().await,
            Err(Exit::Latched(latched)) => Ended::Latched(latched),
        };
        let opened =
            self.journal.anchor().map_or(Anchored::Not, |line| Anchored::Open { open: line.index() });
        let driven =
            Driven { opened, timeline: self.timeline, epoch: self.journal.epoch(), state: self.state };
        (ended, driven)
    }

    async fn go(&mut self) -> Result<Vec<u8>, Exit> {
        self.anchor_open().await?;
        self.conclude_begun().await?;
        loop {
            let phase = self.header().phase.clone();
            // What is over is not stopped any more: it ends as it was to end before a crash.
            if !matches!(phase, Phase::Halted | Phase::Ended { .. }) {
                self.check_stop().await?;
            }
            match phase {
                Phase::Input => self.check_input().await?,
                Phase::Ask { attempt } => self.ask(attempt).await?,
                // The model was asked and the process ended: the request may be repeated, and the gap is on record.
                Phase::Asking { attempt } => self.gap_in_request(attempt).await?,
                Phase::Calls => self.run_calls().await?,
                Phase::Halted => {
                    return Err(Exit::Close(RunStatus::Cancelled, "an overseer ended the run".into()));
                }
                Phase::Ended { status, why } => return Err(Exit::Close(status, why)),
                Phase::Answer { text } => {
                    if let Some(output) = self.examine_answer(&text).await? {
                        return Ok(output);
                    }
                }
            }
        }
    }

    pub(crate) fn header(&mut self) -> &mut Header {
        &mut self.state.header
    }

    pub(crate) fn next_step(&mut self) -> u64 {
        let header = self.header();
        let step = header.next_step;
        header.next_step += 1;
        step
    }

    pub(crate) fn step(&mut self, parent: u64) -> Step {
        let id = self.next_step();
        Step { id, parent: Some(parent), started_at: self.journal.now() }
    }

    /// One step of the budget: a model turn or a tool call.
    pub(crate) fn spend_step(&mut self) -> bool {
        let limit = self.definition.limits.max_steps;
        let header = self.header();
        header.steps = header.steps.saturating_add(1);
        header.steps <= limit
    }

    pub(crate) fn spend_retry(&mut self) -> bool {
        let limit = self.definition.limits.retry_budget;
        let header = self.header();
        if header.retries >= limit {
            return false;
        }
        header.retries += 1;
        true
    }

    /// Adds a message to the history, with the root of the record that commits to it.
    pub(crate) fn say(&mut self, message: Message, root: Hash) {
        let header = self.header();
        header.history = history(header.history, root);
        self.history_bytes += turn::read_bytes(&message);
        self.state.messages.push(message);
    }

    /// Makes everything so far durable: records, ledger and what a recovery needs.
    pub(crate) async fn flush(&mut self) -> Result<(), Exit> {
        self.note_elapsed();
        if self.journal.has_store() {
            self.state.header.chain = Some(self.journal.recorder()?.state().clone());
            let fresh = self.state.messages.get(self.stored_messages..).unwrap_or_default();
            let (piece, _) = self.journal.seal_piece(&self.state.header, fresh)?;
            self.journal.progress(Progress::Append(piece));
        }
        self.journal.flush().await?;
        self.stored_messages = self.state.messages.len();
        Ok(())
    }

    pub(crate) fn note_elapsed(&mut self) {
        // What is less than a millisecond is left to the next time: many short steps are not no time.
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began += Duration::from_millis(since);
        let header = self.header();
        header.elapsed_ms = header.elapsed_ms.saturating_add(since);
    }

    /// How much of the run's time is left.
    pub(crate) fn time_left(&self) -> Duration {
        let spent = Duration::from_millis(self.state.header.elapsed_ms) + self.began.elapsed();
        self.definition.limits.run_time_limit.saturating_sub(spent)
    }

    /// Before each step: an operator's stop and the run's own time.
    pub(crate) async fn check_stop(&mut self) -> Result<(), Exit> {
        self.journal.check()?;
        let mut stop = *self.stop.borrow();
        if let Some((store, fence)) = self.journal.store() {
            let store = Arc::clone(store);
            let asked = store.stop_requested(fence.run).await;
            stop = stop.max(asked.map_err(|error| self.journal.latch(error.to_string()))?);
        }
        match stop {
            Some(stop) => Err(self.cancelled(stop)?),
            None if self.time_left().is_zero() => {
                Err(Exit::Close(RunStatus::BudgetExceeded, "the run's time is over".into()))
            }
            None => Ok(()),
        }
    }

    /// Records who stopped the run.
    pub(crate) fn cancelled(&mut self, stop: Stop) -> Result<Exit, Exit> {
        let by = match stop {
            Stop::Operator => CancelledBy::Operator,
            Stop::Abort => CancelledBy::Abort,
        };
        let step = self.step(0);
        self.journal.record(step, RunCancel { cancelled_by: by }, None)?;
        Ok(Exit::Close(RunStatus::Cancelled, format!("stopped by the {}", by.as_str())))
    }

    /// Closes and signs. Where that fails the run has no last record, and its caller is told why.
    async fn close(&mut self, status: RunStatus, why: Why, output: Option<Vec<u8>>) -> Ended {
        let (status, why, output) = self.without_oversight(status, why, output);
        let (status, why) = self.with_doubts(status, why);
        let step = self.step(0);
        let root = match self.journal.close(step, status, self.deployment.signer()) {
            Ok(root) => root,
            Err(latched) => return Ended::Latched(latched),
        };
        self.timeline.close(step, status, &self.journal);
        if let Err(latched) = self.journal.flush().await {
            return Ended::Latched(latched);
        }
        let anchored = self.anchor_close(&root).await;
        Ended::Closed { status, why, output, anchored }
    }

    /// However a run ends: while a call is in doubt, that is what its end says.
    fn with_doubts(&self, status: RunStatus, why: Why) -> (RunStatus, Why) {
        let doubt =
            self.state.header.executions.values().find(|execution| execution.stage == state::Stage::InDoubt);
        match doubt {
            Some(execution) if status != RunStatus::InDoubt => {
                let tool = &execution.request.name;
                (
                    RunStatus::InDoubt,
                    format!("whether `{tool}` happened is not known; the run was {status}: {why}"),
                )
            }
            Some(_) | None => (status, why),
        }
    }

    /// GDPR Art. 22(3): a solely automated decision without a person is never completed. Nor is one that a person refused.
    fn without_oversight(
        &mut self,
        status: RunStatus,
        why: Why,
        output: Option<Vec<u8>>,
    ) -> (RunStatus, Why, Option<Vec<u8>>) {
        if status == RunStatus::Completed && self.definition.art22_decides && !self.state.header.human_decided
        {
            let why = "no person stands behind this answer (GDPR Art. 22(3)): the run's last call for a person was not \
                       approved and done, or there was none"
                .to_owned();
            return (RunStatus::OversightMissing, why, None);
        }
        (status, why, output)
    }
}

/// What is left of a driver when its segment has ended.
pub(crate) struct Driven {
    /// Where the run's open root stands in a log.
    pub(crate) opened: Anchored,
    pub(crate) timeline: crate::outcome::Timeline,
    pub(crate) epoch: u64,
    pub(crate) state: State,
}

/// Waits until a stop is asked for that is more urgent than `than`. `None`: nobody is left who could ask.
pub(crate) async fn more_urgent(
    stop: &mut watch::Receiver<Option<Stop>>,
    than: Option<Stop>,
) -> Option<Stop> {
    stop.wait_for(|asked| *asked > than).await.ok().and_then(|asked| *asked)
}

/// The run as the policy sees it.
pub(crate) fn policy_facts<'a, D>(
    definition: &'a Definition<D>,
    run: &'a state::RunFacts,
) -> PolicyFacts<'a> {
    PolicyFacts {
        tenant: run.common.tenant.as_str(),
        principal: run.common.principal.as_str(),
        roles: &run.roles,
        purpose: definition.purpose,
        lawful_basis: definition.lawful_basis,
        annex_iii: definition.annex_iii,
        art22: definition.art22,
        has_subject: run.common.subject.is_some(),
    }
}

/// A name for evidence from a text that was checked where it was declared.
pub(crate) fn name(text: &str) -> Result<Name, Latched> {
    Name::new(text).map_err(|error| Latched(format!("`{text}` cannot be recorded: {error}")))
}

/// At most 16 KiB of what others say when they fail.
pub(crate) fn shorten(mut text: String) -> String {
    const MAX_BYTES: usize = 16 * 1024;
    if text.len() > MAX_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BYTES));
        text.push('…');
    }
    text
}

/// What the model is told when a call came to nothing.
pub(crate) fn error_content(message: &str) -> String {
    json!({ "error": message }).to_string()
}
