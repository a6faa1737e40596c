//! The calls of one turn: decided in the model's order, run in that order, one after the other.
//!
//! A call that must wait for people stops the calls after it; those before it have run. A denial ends the run.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use base64ct::{Base64UrlUnpadded, Encoding};
use fuze_evidence::content::Commitment;
use fuze_evidence::span::PolicyEvaluate;
use fuze_evidence::vocab::{PolicyDecision, PolicyErrorCode, PolicyReason, RunStatus, SuspendReason};
use fuze_evidence::{Hash, Name, jcs};
use fuze_policy::{
    Approver, CallFacts, DenyReason, EngineError, EngineIdentity, Obligation, Request, RequiredBy, RuleId,
    ToolFacts as PolicyTool,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::definition::DefinedTool;
use super::journal::Step;
use super::state::{DecidedCall, Execution, Phase, Stage, Wait};
use super::{Driver, Exit, error_content, name, policy_facts};
use crate::ctx::{FromTool, Scope};
use crate::dispatch::{ArgumentsError, Ask, Ready, Ruling, ToolFacts};
use crate::model::Message;
use crate::panics::{caught, caught_now};
use crate::sealed::Internal;
use crate::suspend::case::CaseData;

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
    pub(super) requests: mpsc::Receiver<FromTool>,
    pub(super) stop: watch::Sender<bool>,
}

impl<'r, D: Send + Sync + 'static> Driver<'r, D> {
    pub(super) async fn run_calls(&mut self) -> Result<(), Exit> {
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
        }
        if again {
            return Ok(());
        }
        if !self.header().waits.is_empty() {
            return Err(Exit::Suspend);
        }
        self.tell_results(&ids)
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
    fn descends(&self, id: Hash, ancestor: Hash) -> bool {
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
            attributes: Mutex::new(Vec::new()),
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
    fn asked_by(&self, execution: &Execution) -> u64 {
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

    async fn decide<'c>(
        &mut self,
        id: Hash,
        execution: Execution,
        approval: Option<u64>,
    ) -> Result<Admission<'c, D>, Exit>
    where
        'r: 'c,
    {
        let begins = execution.decided.is_none() && execution.modified.is_none() && execution.attempt == 1;
        if begins && !self.spend_step() {
            return Err(self.over_limit(
                &execution,
                PolicyReason::StepLimit,
                "the run's budget of steps is spent",
            )?);
        }
        let parent = self.asked_by(&execution);
        let step = self.step(parent);
        let identity = self.gate.identity();
        let definition = self.definition;
        let Some(tool) = definition.tool(&execution.request.name) else {
            return self.refuse(
                id,
                step,
                &identity,
                None,
                &execution,
                PolicyReason::UnknownTool,
                "there is no tool of this name",
            );
        };
        let prepared = match &execution.decided {
            Some(decided) => Ok(decided.canonical.clone().into_bytes()),
            None => {
                let arguments =
                    execution.modified.as_ref().unwrap_or(&execution.request.arguments).as_bytes();
                caught_now(|| tool.tool.canonical(arguments, Internal)).unwrap_or_else(|panic| {
                    Err(ArgumentsError::Invalid(format!("they cannot be read: {panic}")))
                })
            }
        };
        let canonical = match prepared {
            Ok(canonical) => canonical,
            Err(error) => {
                let (reason, why) = refusal(&error);
                return self.refuse(id, step, &identity, Some(tool), &execution, reason, &why);
            }
        };
        let (root, fresh) = match &execution.decided {
            Some(decided) => (decided.root, None),
            None => {
                let commitment = self.journal.commit(parse(&canonical))?;
                (commitment.root(), Some(commitment))
            }
        };
        let disclosure = match (&execution.decided, &fresh) {
            (Some(decided), _) => decided.disclosure.clone(),
            (None, Some(commitment)) if self.journal.has_store() => Some(commitment.disclose()),
            (None, _) => None,
        };
        let ruling = {
            let header = &self.state.header;
            let request = Request {
                tool: policy_tool(&tool.facts),
                run: policy_facts(definition, &header.run),
                call: CallFacts { args: &canonical, depth: execution.depth },
            };
            let law = definition.law_demands(&tool.facts);
            // What they may approve is decided by the registry as it is now.
            let overseers =
                execution.approvers.iter().filter_map(|who| self.deployment.overseers().find(who));
            let approved = overseers
                .filter(|_| approval.is_some())
                .map(|who| Approver { alias: who.alias.to_string(), trainings: who.trainings.clone() });
            let ask = Ask { gate: self.gate, request, law, approved: approved.collect() };
            let decided = caught(tool.tool.decide(ask, Internal)).await;
            decided.unwrap_or_else(|panic| Err(EngineError::Evaluation(format!("it panicked: {panic}"))))
        };
        let text = match String::from_utf8(canonical) {
            Ok(text) => text,
            Err(error) => return Err(self.journal.latch(error.to_string()).into()),
        };
        let decided = DecidedCall {
            tool: tool.facts.name.to_owned(),
            canonical: text,
            root,
            disclosure,
            step: step.id,
        };
        let span = Evaluation {
            step,
            identity: &identity,
            tool: Some(&tool.facts),
            index: execution.index,
            root: Some(root),
            content: fresh.as_ref(),
        };
        self.apply(id, ruling, decided, &span, tool, approval)
    }

    fn apply<'c>(
        &mut self,
        id: Hash,
        ruling: Result<Ruling<'c, D>, EngineError>,
        decided: DecidedCall,
        span: &Evaluation<'_>,
        tool: &'c DefinedTool<D>,
        approval: Option<u64>,
    ) -> Result<Admission<'c, D>, Exit> {
        let facts = &tool.facts;
        match ruling {
            Err(error) => {
                self.evaluated(
                    span,
                    PolicyDecision::Error,
                    PolicyReason::Engine,
                    None,
                    RequiredBy::default(),
                    Some(&error),
                )?;
                Err(Exit::Close(RunStatus::Halted, error.to_string()))
            }
            Ok(Ruling::Denied(denied)) => {
                let by = RequiredBy::default();
                self.evaluated(
                    span,
                    PolicyDecision::Deny,
                    PolicyReason::Engine,
                    Some(&denied.rule),
                    by,
                    None,
                )?;
                let why = match denied.reason {
                    DenyReason::Policy => {
                        format!("the policy denies `{}` (rule `{}`)", facts.name, denied.rule)
                    }
                    DenyReason::NobodyMayApprove => {
                        format!("nobody is left who may approve `{}`", facts.name)
                    }
                };
                Err(Exit::Close(RunStatus::PolicyDenied, why))
            }
            Ok(Ruling::Waiting { obligation, required_by, rule }) => {
                self.evaluated(
                    span,
                    PolicyDecision::RequiresApproval,
                    reason(required_by),
                    Some(&rule),
                    required_by,
                    None,
                )?;
                self.must_wait(id, decided, facts, obligation, why_waiting(required_by))
            }
            Ok(Ruling::Permitted { ready, rule, approved_for }) => {
                let by = approved_for.unwrap_or_default();
                self.evaluated(span, PolicyDecision::Allow, PolicyReason::Engine, Some(&rule), by, None)?;
                let parent = approval.unwrap_or(decided.step);
                self.execution(id)?.decided = Some(decided);
                if !facts.is_read {
                    self.intend(id)?;
                }
                let permitted_at_unix_ms = self.journal.now().as_millis();
                Ok(Admission::Run(Permitted { ready, facts, parent, approval, permitted_at_unix_ms }))
            }
        }
    }

    /// A call that needs a person: the run will wait, where it can.
    fn must_wait<'c>(
        &mut self,
        id: Hash,
        decided: DecidedCall,
        facts: &ToolFacts,
        obligation: Obligation,
        reason: SuspendReason,
    ) -> Result<Admission<'c, D>, Exit> {
        if !self.journal.has_store() {
            let why =
                format!("`{}` needs a person, and a run without a store cannot wait for one", facts.name);
            return Err(Exit::Close(RunStatus::PolicyDenied, why));
        }
        if self.inside_once(id) {
            let why =
                format!("`{}` needs a person, and it was invoked from inside a `once` tool", facts.name);
            return Err(Exit::Close(RunStatus::PolicyDenied, why));
        }
        let execution = self.execution(id)?;
        execution.decided = Some(decided);
        execution.stage = Stage::Waiting;
        execution.approvers.clear();
        execution.approved_until = None;
        self.wait(id, obligation, reason, None)?;
        Ok(Admission::Settled)
    }

    /// Notes what the run waits for.
    pub(super) fn wait(
        &mut self,
        id: Hash,
        obligation: Obligation,
        reason: SuspendReason,
        question: Option<String>,
    ) -> Result<(), Exit> {
        let mut salt = [0; 32];
        if let Err(error) = self.journal.random().fill(&mut salt) {
            return Err(self.journal.latch(error.to_string()).into());
        }
        let execution = self.execution(id)?;
        let index = execution.index;
        let Some(decided) = execution.decided.clone() else {
            return Err(self.journal.latch(format!("the call {id} was not decided")).into());
        };
        let definition = self.definition;
        let tool = definition.tool(&decided.tool);
        let case = CaseData {
            template: "fuze/case/v1".into(),
            agent: name(definition.name)?,
            purpose: name(definition.purpose)?,
            tool_description: tool.map_or("", |tool| tool.facts.description).to_owned(),
            classification: tool.map_or("", |tool| tool.facts.classification).to_owned(),
            question,
            arguments: decided.canonical,
            recorded: decided.disclosure,
            salt: Base64UrlUnpadded::encode_string(&salt),
        };
        let wait = Wait {
            execution: id,
            index,
            reason,
            approvers: obligation.approvers.max(1),
            may_approve: obligation.may_approve.map(|set| set.into_iter().collect()),
            trainings: obligation.trainings.into_iter().collect(),
            deadline_seconds: obligation.deadline_seconds,
            tool: name(&decided.tool)?,
            root: decided.root,
            case,
            tokens: Vec::new(),
        };
        self.header().waits.push(wait);
        Ok(())
    }

    /// Whether any caller of this execution is a `once` tool.
    pub(super) fn inside_once(&self, id: Hash) -> bool {
        let executions = &self.state.header.executions;
        let mut at = executions.get(&id).and_then(|execution| execution.parent);
        while let Some(parent) = at {
            let execution = executions.get(&parent);
            let tool = execution.and_then(|e| e.decided.as_ref()).and_then(|d| self.definition.tool(&d.tool));
            if tool.is_none_or(|tool| tool.facts.is_once) {
                return true;
            }
            at = execution.and_then(|execution| execution.parent);
        }
        false
    }

    /// A call that never came before the policy: the model is told why.
    #[expect(clippy::too_many_arguments, reason = "all of it stands in one record")]
    fn refuse<'c>(
        &mut self,
        id: Hash,
        step: Step,
        identity: &EngineIdentity,
        tool: Option<&DefinedTool<D>>,
        execution: &Execution,
        reason: PolicyReason,
        why: &str,
    ) -> Result<Admission<'c, D>, Exit> {
        let request = &execution.request;
        let said = json!({"name": request.name, "arguments": request.arguments, "error": why});
        let commitment = self.journal.commit(said)?;
        let span = Evaluation {
            step,
            identity,
            tool: tool.map(|tool| &tool.facts),
            index: execution.index,
            root: None,
            content: Some(&commitment),
        };
        self.evaluated(&span, PolicyDecision::Deny, reason, None, RequiredBy::default(), None)?;
        let content = error_content(why);
        let root = commitment.root();
        // What the loop itself says is not a tool's result.
        self.execution(id)?.stage = Stage::Finished { content, is_error: true, root, examined: true };
        Ok(Admission::Settled)
    }

    /// A call beyond a limit: recorded as denied, and the run ends.
    pub(super) fn over_limit(
        &mut self,
        execution: &Execution,
        reason: PolicyReason,
        why: &str,
    ) -> Result<Exit, Exit> {
        let parent = self.asked_by(execution);
        let step = self.step(parent);
        let identity = self.gate.identity();
        let definition = self.definition;
        let tool = definition.tool(&execution.request.name);
        let request = &execution.request;
        let said = json!({"name": request.name, "arguments": request.arguments, "error": why});
        let commitment = self.journal.commit(said)?;
        let span = Evaluation {
            step,
            identity: &identity,
            tool: tool.map(|tool| &tool.facts),
            index: execution.index,
            root: None,
            content: Some(&commitment),
        };
        self.evaluated(&span, PolicyDecision::Deny, reason, None, RequiredBy::default(), None)?;
        let status = match reason {
            PolicyReason::StepLimit | PolicyReason::DepthLimit => RunStatus::BudgetExceeded,
            _ => RunStatus::PolicyDenied,
        };
        Ok(Exit::Close(status, why.to_owned()))
    }

    fn evaluated(
        &mut self,
        at: &Evaluation<'_>,
        decision: PolicyDecision,
        reason: PolicyReason,
        rule: Option<&RuleId>,
        by: RequiredBy,
        error: Option<&EngineError>,
    ) -> Result<(), Exit> {
        let span = PolicyEvaluate {
            approval_by_law: by.law,
            approval_by_policy: by.policy,
            approval_by_tool: by.tool,
            bundle_hash: Hash(at.identity.bundle_hash),
            decision,
            engine: name(&at.identity.name)?,
            engine_error: error.is_some(),
            error: error.map(|error| match error {
                EngineError::TimedOut { .. } => PolicyErrorCode::Timeout,
                EngineError::Unreachable(_) => PolicyErrorCode::Transport,
                EngineError::Evaluation(_) => PolicyErrorCode::Evaluation,
                _ => PolicyErrorCode::Internal,
            }),
            reason,
            // A rule's name is of the closed alphabet already, but for `#`, which evidence does not take.
            rule: rule.and_then(|rule| Name::new(rule.as_str().replace('#', "_")).ok()),
            args_hash: at.root,
            call_index: at.index,
            known: at.tool.is_some(),
            tool: at.tool.map(|tool| name(tool.name)).transpose()?,
        };
        self.timeline.policy(at.step, at.tool.map(|tool| tool.name), decision, rule, &self.journal);
        Ok(self.journal.record(at.step, span, at.content)?)
    }
}

/// What every `policy.evaluate` record says.
struct Evaluation<'a> {
    step: Step,
    identity: &'a EngineIdentity,
    tool: Option<&'a ToolFacts>,
    index: u32,
    root: Option<Hash>,
    content: Option<&'a Commitment>,
}

fn policy_tool(facts: &ToolFacts) -> PolicyTool<'_> {
    PolicyTool {
        name: facts.name,
        classification: facts.classification,
        art9_basis: facts.art9,
        residency: facts.residency,
        effect: facts.effect,
        egress: facts.egress,
    }
}

fn refusal(error: &ArgumentsError) -> (PolicyReason, String) {
    match error {
        ArgumentsError::Invalid(why) => {
            (PolicyReason::ArgumentsInvalid, format!("the arguments do not fit: {why}"))
        }
        ArgumentsError::OutOfProfile(why) => {
            (PolicyReason::ArgumentsOutOfProfile, format!("the arguments cannot be recorded: {why}"))
        }
        ArgumentsError::Unstable => (
            PolicyReason::ArgumentsUnstable,
            "the arguments change when they are written and read again: write every field in its plain form"
                .into(),
        ),
    }
}

const fn reason(by: RequiredBy) -> PolicyReason {
    if by.policy {
        PolicyReason::Engine
    } else if by.law {
        PolicyReason::Law
    } else {
        PolicyReason::Tool
    }
}

const fn why_waiting(by: RequiredBy) -> SuspendReason {
    if by.law {
        SuspendReason::Law
    } else if by.policy {
        SuspendReason::Policy
    } else {
        SuspendReason::Tool
    }
}

/// Canonical bytes as a value. They were written by the canonical writer just before.
pub(super) fn parse(canonical: &[u8]) -> Value {
    serde_json::from_slice(canonical).unwrap_or(Value::Null)
}
