//! Taking a run up again: after people decided, or after a crash.
//!
//! What is stored is opened, checked against its hash, its run, its sequence and its epoch, and continued by the same
//! driver. Until the claim has been committed nothing has changed.

mod stored;

use std::sync::Arc;

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::chain::Recorder;
use fuze_evidence::keys::RunKeys;
use fuze_evidence::random::{OsRandom, Random};
use fuze_evidence::sign::SignedRoot;
use fuze_evidence::span::{HumanDecision, ModelDrift, RunGap, RunResume};
use fuze_evidence::vocab::{DecisionOutcome, Gap, OversightAction, ResumeCause, SuspendReason};
use fuze_evidence::{Anchor, Hash, Name, RunId};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::agent::{self, Agent};
use crate::deployment::Deployment;
use crate::driver::Driver;
use crate::driver::definition::Definition;
use crate::driver::journal::{Home, Journal, Parts};
use crate::driver::state::{Header, Ledger, Phase, Stage, State};
use crate::driver::turn::read_bytes;
use crate::law::residency::HostedWithin;
use crate::model::Model;
use crate::outcome::{Outcome, Timeline};
use crate::panics::caught_now;
use crate::run::expire::over;
use crate::run::{CancelHandle, Erased, RunError, finish, redactor, snapshot};
use crate::sealed::Internal;
use crate::store::{
    Claim, EffectEntry, EffectState, Fence, Ground, Progress, RunState, RunStore, Stop, StoredRun,
};
use crate::suspend::decision::VerifiedDecision;
use crate::suspend::{Action, Resolved, Resumable, Suspended, Token};

pub(crate) use stored::open_root;
use stored::{anchor, follow, open, unwrap_keys};

/// A run about to go on.
#[must_use = "nothing happens before `.go()`"]
pub struct Resume<A: Agent, M> {
    deployment: Deployment,
    agent: A,
    deps: Arc<A::Deps>,
    model: M,
    from: From,
    timeline: bool,
    stop: watch::Sender<Option<Stop>>,
}

enum From {
    Decisions(Box<Resumable>),
    Crash(RunId),
}

impl Deployment {
    /// Continues a suspended run with verified decisions. The agent must be the one that began it.
    pub fn resume<A: Agent, M: Model>(
        &self,
        agent: A,
        deps: A::Deps,
        model: M,
        resumable: Resumable,
    ) -> Resume<A, M>
    where
        M::Residency: HostedWithin<A::ModelResidency>,
    {
        const { agent::check::<A>() };
        self.taking_up(agent, deps, model, From::Decisions(Box::new(resumable)))
    }

    /// Takes up a run that a crash left behind. Whoever ran it before is fenced off: it can write nothing more.
    pub fn recover<A: Agent, M: Model>(&self, agent: A, deps: A::Deps, model: M, run: RunId) -> Resume<A, M>
    where
        M::Residency: HostedWithin<A::ModelResidency>,
    {
        const { agent::check::<A>() };
        self.taking_up(agent, deps, model, From::Crash(run))
    }

    fn taking_up<A: Agent, M>(&self, agent: A, deps: A::Deps, model: M, from: From) -> Resume<A, M> {
        Resume {
            deployment: self.clone(),
            agent,
            deps: Arc::new(deps),
            model,
            from,
            timeline: true,
            stop: watch::Sender::new(None),
        }
    }
}

impl<A: Agent, M: Model> Resume<A, M>
where
    M::Residency: HostedWithin<A::ModelResidency>,
{
    /// Stops the run from elsewhere.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.stop.clone())
    }

    /// Whether the outcome has a timeline; it does by default.
    pub fn timeline(mut self, timeline: bool) -> Self {
        self.timeline = timeline;
        self
    }

    /// Runs until the run ends or waits again.
    ///
    /// # Errors
    /// [`RunError`]: then nothing has changed, unless it says that the store does not know.
    pub async fn go(self) -> Result<Outcome<A::Output>, RunError> {
        let definition = Definition::of(&self.agent).map_err(RunError::internal)?;
        let model = Erased(self.model);
        let deployment = &self.deployment;
        let snapshot = snapshot(&model.0.identity())?;
        let run = match &self.from {
            From::Decisions(resumable) => resumable.run_id(),
            From::Crash(run) => *run,
        };
        let taken = Taken::load(deployment, run).await?;
        taken.unchanged(deployment, &definition)?;
        let gate = deployment.gate();
        let bundle = Hash(gate.identity().bundle_hash);
        let (journal, state, timeline) = match self.from {
            From::Decisions(resumable) => {
                let timeline = Timeline::recording(self.timeline);
                taken.claim(deployment, &definition, *resumable, bundle, &snapshot, timeline).await?
            }
            From::Crash(_) => {
                let timeline = Timeline::recording(self.timeline);
                taken.recover(deployment, &definition, bundle, &snapshot, timeline).await?
            }
        };
        let stored_messages = state.messages.len();
        let history_bytes = state.messages.iter().map(read_bytes).sum();
        let driver = Driver {
            deployment,
            definition: &definition,
            deps: &self.deps,
            model: &model,
            gate,
            secrets: deployment.secrets(),
            journal,
            state,
            stored_messages,
            history_bytes,
            stop: self.stop.subscribe(),
            began: Instant::now(),
            until: None,
            late: 0,
            timeline,
        };
        let outcome = finish::<A>(deployment, driver).await;
        drop(self.stop);
        outcome
    }
}

/// A suspended run as its cases show it.
pub(crate) async fn suspended(deployment: &Deployment, run: RunId) -> Result<Suspended, RunError> {
    let taken = Taken::load(deployment, run).await?;
    if taken.stored.state != RunState::Suspended {
        return Err(RunError::NotSuspended);
    }
    Suspended::of(deployment.clone(), run, taken.stored.epoch, taken.state).map_err(RunError::Token)
}

/// What was stored of a run, opened.
struct Taken {
    run: RunId,
    store: Arc<dyn RunStore>,
    stored: StoredRun,
    keys: RunKeys,
    state: State,
    recorder: Recorder,
    /// Where its open root stands in a log.
    anchor: Option<AnchorLine>,
    /// Of a run that is still to be anchored.
    open_root: Option<SignedRoot>,
}

impl Taken {
    async fn load(deployment: &Deployment, run: RunId) -> Result<Self, RunError> {
        let Home::Store(store) = deployment.home() else { return Err(RunError::NoStore) };
        let store = Arc::clone(store);
        let stored = store.load(run).await?;
        if stored.state == RunState::Closed {
            return Err(over(&stored));
        }
        let keys = unwrap_keys(deployment, &stored)?;
        let mut state = open(&stored, &keys)?;
        let started = stored.effects.iter().filter(|effect| effect.state == EffectState::Started);
        for EffectEntry { exec_id, .. } in started {
            if let Some(execution) = state.header.executions.get_mut(exec_id) {
                execution.ledger = Ledger::Started;
            }
        }
        let recorder = follow(deployment, &stored, &mut state)?;
        let anchor = recorder.open_leaf().map(|index| anchor(deployment, &stored, index)).transpose()?;
        let open_root = match state.header.anchoring {
            None => None,
            Some(_) => Some(open_root(deployment, &stored)?),
        };
        Ok(Self { run, store, stored, keys, state, recorder, anchor, open_root })
    }

    /// What the fingerprint covers must be as it was.
    fn unchanged<D>(&self, deployment: &Deployment, definition: &Definition<D>) -> Result<(), RunError> {
        let began = &self.state.header.run;
        if began.origin != *deployment.origin() {
            return Err(RunError::OtherDeployment { began: began.origin.clone() });
        }
        // Who may decide is settled when a run begins: nobody is let in while it waits.
        if began.registry_hash != deployment.registry_hash() {
            return Err(RunError::OtherRegistry);
        }
        let pending = self.state.header.anchoring.as_ref().map(|anchoring| &anchoring.log);
        if let Some(log) = self.anchor.as_ref().map(AnchorLine::log).or(pending) {
            let now = deployment.log().map(Anchor::origin);
            if now != Some(log) {
                return Err(RunError::OtherLog { began: log.clone(), now: now.cloned() });
            }
        }
        match began.fingerprint == definition.fingerprint {
            true => Ok(()),
            false => Err(RunError::Drift { began: began.fingerprint, now: definition.fingerprint }),
        }
    }

    fn journal(self, deployment: &Deployment, epoch: u64) -> (Journal, State, Arc<dyn RunStore>) {
        let redactor = redactor(deployment, &self.keys);
        let parts = Parts {
            recorder: self.recorder,
            keys: self.keys,
            redactor,
            random: Box::new(OsRandom::new()),
            clock: deployment.clock(),
            home: deployment.home().clone(),
        };
        let fence = Fence { run: self.run, epoch };
        (Journal::resumed(parts, fence, self.open_root, self.anchor), self.state, self.store)
    }

    /// Applies the decisions and claims their tokens, in one transaction with the records that say so.
    async fn claim<D: Send + Sync + 'static>(
        mut self,
        deployment: &Deployment,
        definition: &Definition<D>,
        resumable: Resumable,
        bundle_hash: Hash,
        model: &Name,
        mut timeline: Timeline,
    ) -> Result<(Journal, State, Timeline), RunError> {
        if self.stored.state != RunState::Suspended || self.stored.epoch != resumable.suspended.epoch {
            return Err(RunError::NotSuspended);
        }
        // Who ends a run need not say anything about its model, or put the arguments right.
        let halt = resumable.halts();
        let drift = if halt { None } else { drift(&self.state.header, definition, &resumable, model)? };
        for case in &resumable.resolved {
            self.bound(case)?;
            if !halt {
                self.prepare(definition, case)?;
            }
        }
        let (run, epoch) = (self.run, self.stored.epoch);
        let tokens: Vec<Hash> = resumable.suspended.cases.iter().map(|case| case.token().hash()).collect();
        let (mut journal, mut state, store) = self.journal(deployment, epoch + 1);
        state.header.segment += 1;
        for case in resumable.resolved {
            let step = record_decisions(&mut journal, &mut state.header, &case, &mut timeline)?;
            apply(&mut state.header, &case, step)?;
        }
        state.header.waits.clear();
        let header = &mut state.header;
        let span = RunResume {
            bundle_hash,
            cause: ResumeCause::Decision,
            epoch: epoch + 1,
            segment: header.segment,
        };
        record(&mut journal, header, span.into())?;
        if let Some(from) = drift {
            let span = ModelDrift { acknowledged: true, from, to: model.clone() };
            record(&mut journal, header, span.into())?;
            header.run.model_snapshot = model.clone();
        }
        if halt {
            header.phase = Phase::Halted;
        }
        header.chain = Some(journal.recorder()?.state().clone());
        let (piece, _) = journal.seal_piece(header, &[])?;
        journal.progress(Progress::Append(piece));
        let mut claim_id = [0; 16];
        OsRandom::new().fill(&mut claim_id).map_err(RunError::internal)?;
        let claim =
            Claim { run, epoch, claim_id, ground: Ground::Decided, tokens, batch: journal.take_pending() };
        store.claim(claim).await?;
        Ok((journal, state, timeline))
    }

    /// The tokens that were decided on are for the arguments that wait.
    fn bound(&self, case: &Resolved) -> Result<(), RunError> {
        let execution = self.state.header.executions.get(&case.execution);
        let execution = execution.ok_or_else(|| RunError::Snapshot("a case names no call".into()))?;
        let root = execution.decided.as_ref().map(|decided| decided.root);
        match case.decisions.iter().all(|(token, _)| Some(token.claims().args_hash) == root) {
            true => Ok(()),
            false => Err(RunError::Snapshot("a token is for other arguments than those that wait".into())),
        }
    }

    /// Checks what people put in: modified arguments and stated outputs fit the tool. Nothing is claimed before.
    fn prepare<D>(&mut self, definition: &Definition<D>, case: &Resolved) -> Result<(), RunError> {
        let execution = self.state.header.executions.get_mut(&case.execution);
        let execution = execution.ok_or_else(|| RunError::Snapshot("a case names no call".into()))?;
        let decided = execution.decided.as_ref();
        let tool = decided.and_then(|decided| definition.tool(&decided.tool));
        match &case.action {
            Action::Modify(args) => {
                let tool =
                    tool.ok_or_else(|| RunError::Snapshot("a case names no tool of this agent".into()))?;
                let name = Name::new(tool.facts.name).map_err(RunError::internal)?;
                let bad = |why: String| RunError::ModifiedArguments { tool: name.clone(), why };
                let bytes = fuze_evidence::jcs::to_vec(args).map_err(|error| bad(error.to_string()))?;
                let canonical = caught_now(|| tool.tool.canonical(&bytes, Internal))
                    .map_err(|panic| bad(format!("they cannot be read: {panic}")))?
                    .map_err(|error| bad(error.to_string()))?;
                // What runs is what a person signed, to the octet.
                if canonical != bytes {
                    return Err(bad(
                        "the tool reads them otherwise than they are written: write every field, as the arguments of the case have it"
                            .into(),
                    ));
                }
                execution.modified = Some(String::from_utf8(canonical).map_err(RunError::internal)?);
                // The changed call is one of its own; this one ends with it, or by itself if its tool does not ask for it again.
                execution.replaced = execution.decided.take().map(|mut decided| {
                    decided.disclosure = None;
                    Box::new(decided)
                });
            }
            Action::Done(output) => {
                let tool =
                    tool.ok_or_else(|| RunError::Snapshot("a case names no tool of this agent".into()))?;
                let name = Name::new(tool.facts.name).map_err(RunError::internal)?;
                let bad = |why: String| RunError::StatedOutput { tool: name.clone(), why };
                let bytes = fuze_evidence::jcs::to_vec(output).map_err(|error| bad(error.to_string()))?;
                let checked = caught_now(|| tool.tool.check_output(&bytes, Internal));
                checked
                    .map_err(|panic| format!("it cannot be read: {panic}"))
                    .and_then(|fits| fits)
                    .map_err(bad)?;
            }
            Action::Approve | Action::Reject | Action::Halt | Action::NotDone => {}
        }
        Ok(())
    }

    /// Executions that the ledger knows as begun and not over.
    fn begun(&self) -> Vec<Hash> {
        let begun = self.stored.effects.iter().filter(|effect| effect.state == EffectState::Started);
        begun.map(|effect| effect.exec_id).collect()
    }

    async fn recover<D: Send + Sync + 'static>(
        self,
        deployment: &Deployment,
        definition: &Definition<D>,
        bundle_hash: Hash,
        model: &Name,
        timeline: Timeline,
    ) -> Result<(Journal, State, Timeline), RunError> {
        if self.stored.state != RunState::Running {
            return Err(RunError::NotRunning);
        }
        let began = self.state.header.run.model_snapshot.clone();
        if definition.art22_decides && began != *model {
            return Err(RunError::ModelDrift { began, now: model.clone() });
        }
        let started = self.begun();
        let epoch = self.stored.epoch;
        let fence = self.store.take_over(self.run, epoch).await?;
        let (mut journal, mut state, _) = self.journal(deployment, fence.epoch);
        let header = &mut state.header;
        header.segment += 1;
        let span = RunResume {
            bundle_hash,
            cause: ResumeCause::Recovery,
            epoch: fence.epoch,
            segment: header.segment,
        };
        record(&mut journal, header, span.into())?;
        record(&mut journal, header, RunGap { what: Gap::Process, exec_id: None }.into())?;
        for exec_id in started {
            record(&mut journal, header, RunGap { what: Gap::Tool, exec_id: Some(exec_id) }.into())?;
            // Whatever the policy says by now, a `once` call that began is for a person to find out about.
            if let Some(execution) = header.executions.get_mut(&exec_id)
                && let Some(approval) = match execution.stage {
                    Stage::New => Some(None),
                    Stage::Approved { step } => Some(Some(step)),
                    Stage::Began { .. }
                    | Stage::Waiting
                    | Stage::Rejected { .. }
                    | Stage::InDoubt
                    | Stage::Done { .. }
                    | Stage::NotDone { .. }
                    | Stage::Answered { .. }
                    | Stage::Finished { .. } => None,
                }
                && let Some(decided) = &execution.decided
                && definition.tool(&decided.tool).is_some_and(|tool| tool.facts.is_once)
            {
                execution.stage = Stage::Began { approval };
            }
        }
        if began != *model {
            let span = ModelDrift { acknowledged: false, from: began, to: model.clone() };
            record(&mut journal, header, span.into())?;
            header.run.model_snapshot = model.clone();
        }
        Ok((journal, state, timeline))
    }
}

/// For an Art. 22 decision every overseer acknowledges another model; else it is recorded.
fn drift<D>(
    header: &Header,
    definition: &Definition<D>,
    resumable: &Resumable,
    model: &Name,
) -> Result<Option<Name>, RunError> {
    let began = &header.run.model_snapshot;
    if began == model {
        return Ok(None);
    }
    if definition.art22_decides && !resumable.acknowledges(began, model) {
        return Err(RunError::ModelDrift { began: began.clone(), now: model.clone() });
    }
    Ok(Some(began.clone()))
}

fn record(journal: &mut Journal, header: &mut Header, span: fuze_evidence::Span) -> Result<u64, RunError> {
    let id = header.next_step;
    header.next_step += 1;
    let step = crate::driver::journal::Step { id, parent: Some(0), started_at: journal.now() };
    journal.record(step, span, None)?;
    Ok(id)
}

/// One record for each decision; the last step stands for the case.
fn record_decisions(
    journal: &mut Journal,
    header: &mut Header,
    case: &Resolved,
    timeline: &mut Timeline,
) -> Result<u64, RunError> {
    let mut last = 0;
    for (token, verified) in &case.decisions {
        let id = header.next_step;
        header.next_step += 1;
        // Not before the decision, should our clock have been set back since that was looked at.
        let started_at = journal.now().max(verified.claims.decided_at);
        let step = crate::driver::journal::Step { id, parent: Some(0), started_at };
        let times = journal.times(step);
        // Verified in time, and recorded too late: the store's clock may lag behind the one that its records have.
        if times.ended_at > token.claims().expires_at {
            return Err(crate::store::ClaimError::Expired(token.hash()).into());
        }
        let mut said = json!({ "rationale": verified.rationale });
        match (&verified.action, said.as_object_mut()) {
            (Action::Modify(args), Some(said)) => drop(said.insert("modifiedArgs".into(), args.clone())),
            (Action::Done(output), Some(said)) => drop(said.insert("outcome".into(), output.clone())),
            (Action::Approve | Action::Reject | Action::Halt | Action::NotDone, _) | (_, None) => {}
        }
        let said = journal.commit(said)?;
        journal.record_at(times, step, decided(token, verified), Some(&said))?;
        let action = verified.claims.action;
        timeline.decided(step, verified.claims.overseer.as_str(), action.as_str(), journal);
        last = id;
    }
    Ok(last)
}

fn decided(token: &Token, verified: &VerifiedDecision) -> HumanDecision {
    let said = &verified.claims;
    HumanDecision {
        action: said.action,
        custody: said.custody,
        decision_hash: verified.hash,
        edited: said.action == OversightAction::Modify,
        key_id: said.key_id,
        modified_args_hash: said.modified_args_hash,
        outcome: DecisionOutcome::Accepted,
        overseer: said.overseer.clone(),
        token_hash: token.hash(),
        training: said.training.clone(),
        args_hash: Some(token.claims().args_hash),
    }
}

/// What the decisions make of the call.
fn apply(header: &mut Header, case: &Resolved, step: u64) -> Result<(), RunError> {
    let execution = header.executions.get_mut(&case.execution);
    let execution = execution.ok_or_else(|| RunError::Snapshot("a case names no call".into()))?;
    if matches!(case.action, Action::Approve | Action::Modify(_)) {
        execution.approvers = case.decisions.iter().map(|(_, who)| who.claims.overseer.clone()).collect();
        execution.approved_until = case.decisions.iter().map(|(token, _)| token.claims().expires_at).min();
    }
    execution.stage = match (&case.action, case.reason) {
        (Action::Approve, SuspendReason::Requested) => Stage::Answered { approved: true },
        (Action::Reject | Action::Halt, SuspendReason::Requested) => Stage::Answered { approved: false },
        (Action::Approve | Action::Modify(_), _) => Stage::Approved { step },
        (Action::Reject | Action::Halt, SuspendReason::InDoubt) => Stage::InDoubt,
        (Action::Reject | Action::Halt, _) => Stage::Rejected { step },
        (Action::Done(output), _) => {
            let canonical = fuze_evidence::jcs::to_vec(output).map_err(RunError::internal)?;
            Stage::Done { step, output: String::from_utf8(canonical).map_err(RunError::internal)? }
        }
        (Action::NotDone, _) => Stage::NotDone { step },
    };
    Ok(())
}
