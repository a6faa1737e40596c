//! Running one permitted call: ledger, time limit, cancellation, outcome.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fuze_evidence::span::{AppAttrs, AppKey, AppValue as WireValue, ToolExecute};
use fuze_evidence::vocab::{
    Classification, Effect, ExecuteToolOperation, RunStatus, SandboxTier, SuspendReason, ToolOutcome,
};
use fuze_evidence::{Hash, Name};
use fuze_policy::Obligation;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::calls::{Admission, Line, Permitted, parse};
use super::journal::{Journal, Latched, Step};
use super::state::{self, Execution, Ledger, Stage};
use super::{Driver, Exit, error_content, more_urgent, name, shorten};
use crate::ctx::{AppValue, Scope};
use crate::dispatch::{Boxed, ToolFacts, ToolFailure};
use crate::guardrail::Phase;
use crate::panics::caught;
use crate::sealed::Internal;
use crate::store::{EffectEntry, EffectState, Start, Stop};

/// How often in a row a permit may come too late.
const MAX_LATE: u32 = 3;

/// How long a permit is good for.
const PERMIT_MS: u64 = 5 * 60 * 1000;

/// How a call ended, before it is recorded.
struct Outcome {
    kind: ToolOutcome,
    /// The canonical output, or what the model is told instead.
    said: Result<Vec<u8>, String>,
}

enum Left {
    /// The tool came to an end: output, failure, or panic.
    Ended(Result<Result<Vec<u8>, ToolFailure>, String>),
    /// It was dropped: it did not stop within its grace.
    Dropped,
    /// A nested call stops the run.
    Exit(Exit),
}

#[derive(Clone, Copy)]
enum Stopping {
    Timeout,
    Stop(Stop),
}

impl<'r, D: Send + Sync + 'static> Driver<'r, D> {
    /// Notes that a call is about to change something. A call that is repeated keeps the note it has.
    pub(super) fn intend(&mut self, id: Hash) -> Result<(), Exit> {
        let execution = self.execution(id)?;
        if execution.ledger == Ledger::Absent {
            execution.ledger = Ledger::Intent;
            self.journal.effect(EffectEntry { exec_id: id, state: EffectState::Intent });
        }
        Ok(())
    }

    /// Runs a permitted call to its end. True: it is to be decided and run again.
    pub(super) async fn execute<'c>(
        &mut self,
        id: Hash,
        permitted: Permitted<'c, D>,
        scope: &'c Scope,
        line: &mut Line,
    ) -> Result<bool, Exit>
    where
        'r: 'c,
    {
        let Permitted { ready, facts, parent, approval, permitted_at_unix_ms } = permitted;
        if !facts.is_read {
            match self.start(id, permitted_at_unix_ms + PERMIT_MS).await? {
                Start::Go => self.late = 0,
                Start::AlreadyStarted if !facts.is_once => {}
                Start::AlreadyStarted => {
                    return self.began(id, parent, facts, approval).await.map(|()| false);
                }
                // Decided too long ago, because those before it took their time: to be decided again. If that is too late
                // as well, it is the clocks.
                Start::TooLate if self.late < MAX_LATE => {
                    self.late += 1;
                    return Ok(true);
                }
                Start::TooLate => {
                    let why = "no permit is ever in time: the store's clock is far ahead of the deployment's, or one of \
                               them runs too fast";
                    return Err(Exit::Close(RunStatus::Halted, why.into()));
                }
                Start::Stopped(stop) => return Err(self.cancelled(stop)?),
                Start::Fenced => return Err(self.journal.latch("another process has this run").into()),
            }
        }
        let step = self.step(parent);
        self.execution(id)?.step = Some(step.id);
        let left = self.run_tool(id, ready.run(self.deps, scope, Internal), facts, line).await;
        let still_running = scope.blocking.load(Ordering::SeqCst) > 0;
        let (outcome, exit) = match left {
            (Left::Ended(ended), stopping) => (judge(ended, facts, stopping), stopped(stopping)),
            (Left::Dropped, stopping) => (dropped(facts, stopping, still_running), stopped(stopping)),
            // Nothing is recorded of a caller that will run again from its start.
            (Left::Exit(Exit::Suspend), _) => return Err(Exit::Suspend),
            (Left::Exit(Exit::Latched(latched)), _) => return Err(Exit::Latched(latched)),
            (Left::Exit(Exit::Close(status, why)), _) => {
                // INVARIANT: with the end of this tool it becomes durable that the run is over, so that no recovery goes on from there.
                self.header().phase = state::Phase::Ended { status, why: shorten(why.clone()) };
                let kind = if facts.is_once { ToolOutcome::InDoubt } else { ToolOutcome::Cancelled };
                let said = Err("a call that it made stopped the run".to_owned());
                // What the loop itself says is not a tool's result: no guardrail looks at it, and the run ends as it must.
                self.conclude(id, step, facts, approval, scope, Outcome { kind, said }).await?;
                return Err(Exit::Close(status, why));
            }
        };
        self.settle(id, step, facts, approval, scope, outcome, exit).await
    }

    /// A `once` call that began before a crash: whether it happened is not known.
    pub(super) async fn began(
        &mut self,
        id: Hash,
        parent: u64,
        facts: &ToolFacts,
        approval: Option<u64>,
    ) -> Result<(), Exit> {
        let step = self.step(parent);
        let (scope, _line) = self.dispatch(id);
        self.settle(id, step, facts, approval, &scope, unknown_since_crash(), None).await.map(drop)
    }

    /// The last check before an effect, and its mark in the ledger.
    async fn start(&mut self, id: Hash, deadline_unix_ms: u64) -> Result<Start, Exit> {
        let Some((store, fence)) = self.journal.store() else {
            let stop = *self.stop.borrow();
            let late = self.journal.now().as_millis() >= deadline_unix_ms;
            return Ok(match stop {
                Some(stop) => Start::Stopped(stop),
                None if late => Start::TooLate,
                None => Start::Go,
            });
        };
        let store = std::sync::Arc::clone(store);
        let started = store.start_effect(fence, id, deadline_unix_ms).await;
        started.map_err(|error| self.journal.latch(error.to_string()).into())
    }

    /// Gives a tool its time, within that of the tool that invoked it.
    async fn run_tool(
        &mut self,
        id: Hash,
        work: Boxed<'_, Result<Vec<u8>, ToolFailure>>,
        facts: &ToolFacts,
        line: &mut Line,
    ) -> (Left, Option<Stopping>) {
        let callers = self.until;
        let own = Instant::now() + facts.time_limit.min(self.time_left());
        self.until = Some(callers.map_or(own, |callers| callers.min(own)));
        let left = self.poll_tool(id, work, facts, line).await;
        self.until = callers;
        left
    }

    /// Polls the tool, serves what it asks, and stops it when its time is over or somebody says so.
    async fn poll_tool(
        &mut self,
        id: Hash,
        work: Boxed<'_, Result<Vec<u8>, ToolFailure>>,
        facts: &ToolFacts,
        line: &mut Line,
    ) -> (Left, Option<Stopping>) {
        let mut work = std::pin::pin!(caught(work));
        let mut stop = self.stop.clone();
        let mut stopping: Option<Stopping> = None;
        let mut ordinal = 0u32;
        loop {
            let asked = stopped(stopping);
            let deadline = self.until.unwrap_or_else(Instant::now);
            let cause = tokio::select! {
                biased;
                ended = &mut work => return (Left::Ended(ended), stopping),
                () = sleep_until(deadline) => match stopping {
                    None => Stopping::Timeout,
                    Some(_) => return (Left::Dropped, stopping),
                },
                stop = more_urgent(&mut stop, asked), if asked != Some(Stop::Abort) => match stop {
                    Some(stop) => Stopping::Stop(stop),
                    None => return (Left::Exit(self.journal.latch("the run's own handle is gone").into()), stopping),
                },
                Some(request) = line.requests.recv() => {
                    let served = self.nested(id, ordinal, request);
                    ordinal = ordinal.saturating_add(1);
                    match served.await {
                        Ok(()) => continue,
                        Err(exit) => return (Left::Exit(exit), stopping),
                    }
                }
            };
            let grace = match cause {
                Stopping::Stop(Stop::Abort) => Duration::ZERO,
                Stopping::Stop(Stop::Operator) | Stopping::Timeout => facts.grace,
            };
            let end = Instant::now() + grace;
            // A second reason to stop does not lengthen the grace that the first gave.
            self.until = Some(if stopping.is_some() { end.min(deadline) } else { end });
            stopping = Some(cause);
            line.stop.send_replace(true);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of it stands in one record")]
    async fn settle(
        &mut self,
        id: Hash,
        step: Step,
        facts: &ToolFacts,
        approval: Option<u64>,
        scope: &Scope,
        outcome: Outcome,
        stopped: Option<Stop>,
    ) -> Result<bool, Exit> {
        let kind = outcome.kind;
        let retriable = matches!(kind, ToolOutcome::Timeout | ToolOutcome::Panicked) && stopped.is_none();
        self.finish(id, step, facts, approval, scope, outcome).await?;
        if kind == ToolOutcome::InDoubt {
            return match (stopped, self.journal.has_store()) {
                (Some(stop), _) => {
                    self.cancelled(stop)?;
                    Err(in_doubt(facts))
                }
                (None, false) => Err(in_doubt(facts)),
                (None, true) => self.in_doubt_wait(id, facts).await.map(|()| false),
            };
        }
        if let Some(stop) = stopped {
            return Err(self.cancelled(stop)?);
        }
        let in_time = self.until.is_none_or(|until| until > Instant::now());
        if retriable && in_time && !facts.is_once && self.spend_retry() {
            let now = self.journal.now();
            let execution = self.execution(id)?;
            execution.attempt += 1;
            // Either way the policy is asked again; what people approved are these bytes, for as long as their token is good.
            let stands = execution.approved_until.is_some_and(|until| now <= until);
            execution.stage = match approval.filter(|_| stands) {
                Some(step) => Stage::Approved { step },
                None => Stage::New,
            };
            return Ok(true);
        }
        Ok(false)
    }

    /// After a crash: what had begun and must not run twice is in doubt, before anything else is decided or stopped.
    pub(super) async fn conclude_begun(&mut self) -> Result<(), Exit> {
        let executions = &self.state.header.executions;
        let begun = executions.iter().filter(|(_, execution)| matches!(execution.stage, Stage::Began { .. }));
        let begun: Vec<Hash> = begun.map(|(id, _)| *id).collect();
        for id in begun {
            let execution = self.execution(id)?.clone();
            let Stage::Began { approval } = execution.stage else { continue };
            let (facts, decided) = self.decided_tool(&execution)?;
            let step = self.step(approval.unwrap_or(decided));
            let (scope, _line) = self.dispatch(id);
            self.conclude(id, step, facts, approval, &scope, unknown_since_crash()).await?;
        }
        Ok(())
    }

    /// A `once` call whose end is not known goes to a person.
    pub(super) async fn in_doubt_wait(&mut self, id: Hash, facts: &ToolFacts) -> Result<(), Exit> {
        if self.inside_once(id) || self.execution(id)?.parent.is_some() {
            // Its caller cannot go on without it, and cannot be run again either.
            return Err(in_doubt(facts));
        }
        self.execution(id)?.stage = Stage::InDoubt;
        let obligation = Obligation {
            trainings: self.definition.training.iter().map(|t| (*t).to_owned()).collect(),
            ..Obligation::default()
        };
        self.wait(id, obligation, SuspendReason::InDoubt, None)
    }

    /// Records how a call ended, and lets the guardrails look at what the model is told.
    async fn finish(
        &mut self,
        id: Hash,
        step: Step,
        facts: &ToolFacts,
        approval: Option<u64>,
        scope: &Scope,
        outcome: Outcome,
    ) -> Result<(), Exit> {
        self.conclude(id, step, facts, approval, scope, outcome).await?;
        self.examine_result(id).await
    }

    /// Records how a call ended, and what the model is told.
    async fn conclude(
        &mut self,
        id: Hash,
        step: Step,
        facts: &ToolFacts,
        approval: Option<u64>,
        scope: &Scope,
        outcome: Outcome,
    ) -> Result<(), Exit> {
        let app = app_attributes(scope, &self.journal)?;
        let execution = self.execution(id)?;
        let Some(args) = execution.decided.as_ref().map(|decided| decided.root) else {
            return Err(self.journal.latch(format!("the call {id} was not decided")).into());
        };
        let by_people = decided_by_people(outcome.kind, facts, execution);
        let span = executed(facts, execution, id, args, approval, app, outcome.kind)?;
        let (content, said, is_error) = match outcome.said {
            Ok(canonical) => {
                let output = self.journal.scrub(parse(&canonical));
                let text = output.to_string();
                (text, json!({ "output": output }), false)
            }
            Err(message) => {
                let message = shorten(self.journal.scrub_text(message));
                (error_content(&message), json!({ "error": message }), true)
            }
        };
        let root = self.journal.record_content(step, span, said)?;
        if let Some(theirs) = by_people {
            self.header().human_decided = theirs;
        }
        self.timeline.tool(step, facts.name, outcome.kind, &self.journal);
        let in_doubt = outcome.kind == ToolOutcome::InDoubt;
        // As it will be found if the process ends before anything further is said of it.
        self.execution(id)?.stage = match in_doubt {
            true => Stage::InDoubt,
            false => Stage::Finished { content, is_error, root, examined: false },
        };
        if let (false, Some(decided)) = (in_doubt, &mut self.execution(id)?.decided) {
            // What opens the arguments was for the people who might have had to decide; stored progress need not carry it.
            decided.disclosure = None;
        }
        if !facts.is_read {
            let execution = self.execution(id)?;
            // An idempotent call that is repeated was over before; a call in doubt is over when a person has said.
            let news = matches!(execution.ledger, Ledger::Intent | Ledger::Started | Ledger::InDoubt);
            execution.ledger = if in_doubt { Ledger::InDoubt } else { Ledger::Done };
            if news {
                let state = if in_doubt { EffectState::InDoubt } else { EffectState::Done };
                self.journal.effect(EffectEntry { exec_id: id, state });
            }
            // Results become durable as they finish.
            self.flush().await?;
        }
        Ok(())
    }

    /// Lets the guardrails look at a result that they have not seen: now, or after a crash.
    pub(super) async fn examine_result(&mut self, id: Hash) -> Result<(), Exit> {
        let execution = self.execution(id)?;
        let index = execution.index;
        let Stage::Finished { content, examined: false, .. } = &execution.stage else { return Ok(()) };
        let content = content.clone();
        self.guard(Phase::ToolResult, &content, Some(index)).await?;
        if let Stage::Finished { examined, .. } = &mut self.execution(id)?.stage {
            *examined = true;
        }
        Ok(())
    }

    /// A call is over. What its tool had asked for before a wait or a crash, and not again afterwards, has its end, too.
    pub(super) async fn end_left(&mut self, caller: Hash) -> Result<(), Exit> {
        let executions = &self.state.header.executions;
        let left: Vec<Hash> = executions.keys().copied().filter(|id| self.descends(*id, caller)).collect();
        for id in left {
            let execution = self.execution(id)?;
            let approval = match execution.stage {
                Stage::New => None,
                Stage::Approved { step } | Stage::Rejected { step } => Some(step),
                Stage::Began { .. }
                | Stage::Waiting
                | Stage::InDoubt
                | Stage::Done { .. }
                | Stage::NotDone { .. }
                | Stage::Answered { .. }
                | Stage::Finished { .. } => continue,
            };
            if execution.decided.is_none() {
                execution.decided = execution.replaced.take().map(|replaced| *replaced);
            }
            let execution = execution.clone();
            // It never came before the policy.
            if execution.decided.is_none() {
                continue;
            }
            let (facts, decided) = self.decided_tool(&execution)?;
            let step = self.step(approval.unwrap_or(decided));
            let (scope, _line) = self.dispatch(id);
            self.conclude(id, step, facts, approval, &scope, left_out(&execution, facts, decided)).await?;
        }
        Ok(())
    }

    /// People refused the call.
    pub(super) async fn rejected<'c>(&mut self, id: Hash, decision: u64) -> Result<Admission<'c, D>, Exit>
    where
        'r: 'c,
    {
        self.by_statement(id, decision, refused()).await
    }

    /// A person said whether a call in doubt happened.
    pub(super) async fn stated<'c>(
        &mut self,
        id: Hash,
        decision: u64,
        output: Option<String>,
    ) -> Result<Admission<'c, D>, Exit>
    where
        'r: 'c,
    {
        let outcome = match output {
            Some(output) => Outcome { kind: ToolOutcome::DoneByStatement, said: Ok(output.into_bytes()) },
            None => {
                let said = Err("a person found that this call did not happen".to_owned());
                Outcome { kind: ToolOutcome::NotDoneByStatement, said }
            }
        };
        self.by_statement(id, decision, outcome).await
    }

    async fn by_statement<'c>(
        &mut self,
        id: Hash,
        decision: u64,
        outcome: Outcome,
    ) -> Result<Admission<'c, D>, Exit>
    where
        'r: 'c,
    {
        let definition = self.definition;
        let tool = self.execution(id)?.decided.clone().and_then(|decided| definition.tool(&decided.tool));
        let Some(tool) = tool else {
            return Err(self.journal.latch(format!("the call {id} names no tool of this agent")).into());
        };
        let step = self.step(decision);
        let (scope, _line) = self.dispatch(id);
        self.finish(id, step, &tool.facts, Some(decision), &scope, outcome).await?;
        Ok(Admission::Settled)
    }
}

/// Whether people answer for what the run did, by the call that ended so. `None`: it says nothing about that.
///
/// GDPR Art. 22(3): an answer counts as a person's only while the last call that people decided on was approved and done.
/// After a refusal, or where what they approved did not happen, the answer would be the model's own.
fn decided_by_people(kind: ToolOutcome, facts: &ToolFacts, execution: &Execution) -> Option<bool> {
    if kind == ToolOutcome::Rejected {
        return Some(false);
    }
    // To let an agent look at something is not to decide, unless the tool is declared as what people decide by.
    let decides = !facts.is_read || facts.always_approval;
    (decides && !execution.approvers.is_empty())
        .then_some(matches!(kind, ToolOutcome::Ok | ToolOutcome::DoneByStatement))
}

fn refused() -> Outcome {
    Outcome { kind: ToolOutcome::Rejected, said: Err("a person refused this call".to_owned()) }
}

/// The end of a call that its tool did not make again. `decided`: the step of the policy's last decision.
fn left_out(execution: &Execution, facts: &ToolFacts, decided: u64) -> Outcome {
    // It may have begun once it was allowed: on what people said, if they were asked.
    let allowed = match execution.stage {
        Stage::Rejected { .. } => return refused(),
        Stage::Approved { step } => decided > step,
        _ => true,
    };
    // A `once` call that had begun is in doubt, and not here.
    let began = facts.is_read || matches!(execution.ledger, Ledger::Started | Ledger::Done);
    let (kind, said) = match allowed && began && !facts.is_once {
        true => (ToolOutcome::Cancelled, "it was cut off, and the tool that made it ran again without it"),
        false => (ToolOutcome::NotRun, "the tool that asked for it ran again without it"),
    };
    Outcome { kind, said: Err(said.to_owned()) }
}

fn unknown_since_crash() -> Outcome {
    let said = Err("it began before a crash, and what it had done is not known".to_owned());
    Outcome { kind: ToolOutcome::InDoubt, said }
}

pub(super) fn in_doubt(facts: &ToolFacts) -> Exit {
    let why = format!("`{}` began and its end is not known: a person must find out", facts.name);
    Exit::Close(RunStatus::InDoubt, why)
}

const fn stopped(stopping: Option<Stopping>) -> Option<Stop> {
    match stopping {
        Some(Stopping::Stop(stop)) => Some(stop),
        Some(Stopping::Timeout) | None => None,
    }
}

/// How a tool that came to an end by itself ended.
fn judge(
    ended: Result<Result<Vec<u8>, ToolFailure>, String>,
    facts: &ToolFacts,
    stopping: Option<Stopping>,
) -> Outcome {
    match ended {
        Ok(Ok(canonical)) => Outcome { kind: ToolOutcome::Ok, said: Ok(canonical) },
        Ok(Err(ToolFailure::OutputInvalid(why))) => Outcome {
            kind: ToolOutcome::OutputInvalid,
            said: Err(format!("the tool ran, and its output cannot be used: {why}")),
        },
        Ok(Err(ToolFailure::Failed(error))) => {
            let kind = match (error.is_not_applied(), facts.is_once, stopping) {
                (true, _, _) => ToolOutcome::NotApplied,
                (false, true, _) => ToolOutcome::InDoubt,
                (false, false, Some(Stopping::Timeout)) => ToolOutcome::Timeout,
                (false, false, Some(Stopping::Stop(_))) => ToolOutcome::Cancelled,
                (false, false, None) => ToolOutcome::Error,
            };
            Outcome { kind, said: Err(error.message().to_owned()) }
        }
        Err(panic) => {
            let kind = if facts.is_once { ToolOutcome::InDoubt } else { ToolOutcome::Panicked };
            Outcome { kind, said: Err(format!("the tool panicked: {panic}")) }
        }
    }
}

/// How a tool that did not stop within its grace ended. Dropping it ended it, except for work on the blocking pool.
fn dropped(facts: &ToolFacts, stopping: Option<Stopping>, still_running: bool) -> Outcome {
    let (kind, why) = match (facts.is_once, still_running, stopping) {
        (true, _, _) => (ToolOutcome::InDoubt, "it was stopped, and what it had done is not known"),
        (false, true, _) => {
            (ToolOutcome::CancellationTruncated, "its time was over, and it could not be stopped")
        }
        (false, false, Some(Stopping::Timeout) | None) => (ToolOutcome::Timeout, "its time was over"),
        (false, false, Some(Stopping::Stop(_))) => (ToolOutcome::Cancelled, "the run was stopped"),
    };
    Outcome { kind, said: Err(why.to_owned()) }
}

fn executed(
    facts: &ToolFacts,
    execution: &Execution,
    exec_id: Hash,
    args_hash: Hash,
    approval_step: Option<u64>,
    app: AppAttrs,
    outcome: ToolOutcome,
) -> Result<ToolExecute, Latched> {
    let unknown = |what: &str| Latched(format!("the {what} of `{}` is not in the vocabulary", facts.name));
    Ok(ToolExecute {
        app,
        approval_step,
        args_hash,
        attempt: execution.attempt,
        call_index: execution.index,
        classification: facts
            .classification
            .parse::<Classification>()
            .map_err(|_| unknown("classification"))?,
        effect: facts.effect.parse::<Effect>().map_err(|_| unknown("effect"))?,
        exec_id,
        outcome,
        sandbox_tier: SandboxTier::None,
        operation: ExecuteToolOperation::ExecuteTool,
        tool: name(facts.name)?,
    })
}

/// A tool's own attributes. They stand in a record in plain, so what the redactor would touch is not written at all.
fn app_attributes(scope: &Scope, journal: &Journal) -> Result<AppAttrs, Latched> {
    let plain = |text: &'static str| if journal.is_plain(text) { text } else { "redacted" };
    let noted = scope.attributes.lock().unwrap_or_else(PoisonError::into_inner);
    let mut app = AppAttrs::new();
    for (key, value) in noted.iter() {
        let value = match *value {
            AppValue::Bool(value) => WireValue::Bool(value),
            AppValue::Int(value) => WireValue::Int(value),
            AppValue::Word(word) => {
                WireValue::Declared(Name::new(plain(word)).map_err(|e| Latched(e.to_string()))?)
            }
        };
        let key = AppKey::new(plain(key)).map_err(|e| Latched(e.to_string()))?;
        app.set(key, value).map_err(|e| Latched(e.to_string()))?;
    }
    Ok(app)
}
