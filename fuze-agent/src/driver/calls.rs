//! The calls of one turn: decided in the model's order, run in that order, one after the other.
//!
//! A call that must wait for people stops the calls after it; those before it have run. A denial ends the run.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use fuze_evidence::{Hash, jcs};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::state::{Execution, Phase, Stage};
use super::{Driver, Exit};
use crate::ctx::{FromTool, Scope};
use crate::dispatch::{Ready, ToolFacts};
use crate::model::Message;

/// What a decision about a call came to.
pub(super) enum Admission<'c, D> {
    /// It may run now.
    Run(Permitted<'c, D>),
    /// Nothing is to run: it waits, is over, or was refused and the model is told.
    Settled,
}

/// A call that may run, with what the record needs to know of it.
pub(super) struct Permitted<'c, D> {
    pub(super) ready: Box<dyn Ready<'c, D> + 'c>,
    pub(super) facts: &'c ToolFacts,
    /// The step that decided: the policy's, or a person's.
    pub(super) parent: u64,
    /// The person's step.
    pub(super) approval: Option<u64>,
    pub(super) permitted_at_unix_ms: u64,
}

/// The driver's end of a dispatch.
pub(super) struct Line {
    pub(super) requests: mpsc::Receiver<Box<FromTool>>,
    pub(super) stop: watch::Sender<bool>,
}

impl<'r, D: Send + Sync + 'static> Driver<'r, D> {
    pub(super) async fn run_calls(&mut self) -> Result<(), Exit> {
        self.no_nested_doubt()?;
        let ids = self.header().calls.clone();
        let (scopes, mut lines): (Vec<Scope>, Vec<Line>) = ids.iter().map(|id| self.dispatch(*id)).unzip();
        let mut admitted = Vec::with_capacity(ids.len());
        for id in &ids {
            admitted.push(self.admit(*id).await?);
        }
        // What was decided is durable before the effect that it allows.
        self.flush().await?;
        let mut again = false;
        for (((id, admission), scope), line) in ids.iter().zip(admitted).zip(&scopes).zip(&mut lines) {
            if self.waits_for(*id) {
                break;
            }
            if let Admission::Run(permitted) = admission {
                self.check_stop().await?;
                again |= self.execute(*id, permitted, scope, line).await?;
                if again || self.waits_for(*id) {
                    break;
                }
            }
            self.end_left(*id).await?;
        }
        if again {
            return Ok(());
        }
        if !self.header().waits.is_empty() {
            return Err(Exit::Suspend);
        }
        self.tell_results(&ids)
    }

    /// After a crash: a call that a tool made and that is in doubt is nobody's to decide. Its caller cannot go on without it, and would
    /// forget it where it does not ask again.
    fn no_nested_doubt(&mut self) -> Result<(), Exit> {
        let executions = &self.state.header.executions;
        let mut nested = executions.values().filter(|execution| execution.parent.is_some());
        let in_doubt = nested.find(|execution| execution.stage == Stage::InDoubt).cloned();
        let Some(execution) = in_doubt else { return Ok(()) };
        let (facts, _) = self.decided_tool(&execution)?;
        Err(super::execute::in_doubt(facts))
    }

    /// The results, in the model's order, whatever order they came in.
    fn tell_results(&mut self, ids: &[Hash]) -> Result<(), Exit> {
        for id in ids {
            let execution = self.execution(*id)?;
            let Stage::Finished { content, is_error, root, .. } = execution.stage.clone() else {
                return Err(self.journal.latch(format!("the call {id} has no result")).into());
            };
            let call_id = execution.request.id.clone();
            let name = execution.request.name.clone();
            self.say(Message::Tool { call_id, name, content, is_error }, root);
        }
        self.header().phase = Phase::Ask { attempt: 1 };
        Ok(())
    }

    fn waits_for(&self, id: Hash) -> bool {
        self.state.header.waits.iter().any(|wait| wait.execution == id || self.descends(wait.execution, id))
    }

    /// Whether `id` was invoked, directly or not, by `ancestor`.
    pub(super) fn descends(&self, id: Hash, ancestor: Hash) -> bool {
        let mut at = self.state.header.executions.get(&id).and_then(|execution| execution.parent);
        while let Some(parent) = at {
            if parent == ancestor {
                return true;
            }
            at = self.state.header.executions.get(&parent).and_then(|execution| execution.parent);
        }
        false
    }

    /// The tool's end and the driver's end of one dispatch.
    pub(super) fn dispatch(&self, id: Hash) -> (Scope, Line) {
        let (send, requests) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let scope = Scope {
            exec_id: id.to_string(),
            stop: stopped,
            requests: send,
            secrets: Arc::clone(&self.secrets),
            attributes: Arc::new(Mutex::new(Vec::new())),
            blocking: Arc::new(AtomicUsize::new(0)),
            clock: self.deployment.clock(),
        };
        (scope, Line { requests, stop })
    }

    pub(super) fn execution(&mut self, id: Hash) -> Result<&mut Execution, Exit> {
        match self.state.header.executions.get_mut(&id) {
            Some(execution) => Ok(execution),
            None => Err(self.journal.latch(format!("the run has no execution {id}")).into()),
        }
    }

    /// The id of an execution: the same whenever the run is driven again.
    pub(super) fn exec_id(&mut self, index: u32, parent: Option<Hash>, ordinal: u32) -> Result<Hash, Exit> {
        let parent = parent.map(|hash| hash.to_string()).unwrap_or_default();
        let place = jcs::to_vec(&(self.header().turn_step, index, parent, ordinal));
        match place {
            Ok(place) => Ok(self.journal.keys().exec_id(&place)),
            Err(error) => Err(self.journal.latch(error.to_string()).into()),
        }
    }

    /// The tool of a call that was decided, and the step that decided.
    pub(super) fn decided_tool(&mut self, execution: &Execution) -> Result<(&'r ToolFacts, u64), Exit> {
        let definition = self.definition;
        let decided = execution.decided.as_ref();
        let found = decided.and_then(|d| definition.tool(&d.tool).map(|tool| (&tool.facts, d.step)));
        found.ok_or_else(|| self.journal.latch("a call names no tool of this agent").into())
    }

    /// The step that asked for a call: the model's, or that of the tool that invokes it.
    pub(super) fn asked_by(&self, execution: &Execution) -> u64 {
        let caller = execution.parent.and_then(|caller| self.state.header.executions.get(&caller));
        caller.and_then(|caller| caller.step).unwrap_or(self.state.header.turn_step)
    }

    /// Decides one call, new or resumed.
    pub(super) async fn admit<'c>(&mut self, id: Hash) -> Result<Admission<'c, D>, Exit>
    where
        'r: 'c,
    {
        let execution = self.execution(id)?.clone();
        match execution.stage {
            Stage::New => self.decide(id, execution, None).await,
            Stage::Approved { step } => self.decide(id, execution, Some(step)).await,
            Stage::Rejected { step } => self.rejected(id, step).await,
            Stage::Done { step, ref output } => self.stated(id, step, Some(output.clone())).await,
            Stage::NotDone { step } => self.stated(id, step, None).await,
            Stage::Began { approval } => {
                let (facts, step) = self.decided_tool(&execution)?;
                self.began(id, approval.unwrap_or(step), facts, approval).await.map(|()| Admission::Settled)
            }
            // The process ended before anybody could be asked.
            Stage::InDoubt if !self.state.header.waits.iter().any(|wait| wait.execution == id) => {
                let (facts, _) = self.decided_tool(&execution)?;
                self.in_doubt_wait(id, facts).await.map(|()| Admission::Settled)
            }
            Stage::Finished { .. } => self.examine_result(id).await.map(|()| Admission::Settled),
            Stage::Waiting | Stage::InDoubt | Stage::Answered { .. } => Ok(Admission::Settled),
        }
    }
}

/// Canonical bytes as a value. They were written by the canonical writer just before.
pub(super) fn parse(canonical: &[u8]) -> Value {
    serde_json::from_slice(canonical).unwrap_or(Value::Null)
}
