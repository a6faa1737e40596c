//! Deciding one call: canonical bytes, the gate's ruling, and the one record that says what came of it. Runs nothing.

use fuze_evidence::content::Commitment;
use fuze_evidence::span::PolicyEvaluate;
use fuze_evidence::vocab::{PolicyDecision, PolicyErrorCode, PolicyReason, RunStatus};
use fuze_evidence::{Hash, Name};
use fuze_policy::{
    Approver, CallFacts, DenyReason, EngineError, EngineIdentity, Request, RequiredBy, RuleId,
    ToolFacts as PolicyTool,
};
use serde_json::json;

use super::calls::{Admission, Permitted, parse};
use super::definition::DefinedTool;
use super::journal::Step;
use super::state::{DecidedCall, Execution, Stage};
use super::wait::why_waiting;
use super::{Driver, Exit, error_content, name, policy_facts};
use crate::dispatch::{ArgumentsError, Ask, Ruling, ToolFacts};
use crate::panics::{caught, caught_now};
use crate::sealed::Internal;

impl<'r, D: Send + Sync + 'static> Driver<'r, D> {
    /// Decides one call: a new one, or, with the step of their decision, one that people approved.
    pub(super) async fn decide<'c>(
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
            let ask = Ask { gate: &self.gate, request, law, approved: approved.collect() };
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
                self.execution(id)?.decided_as(decided);
                if !facts.is_read {
                    self.intend(id)?;
                }
                let permitted_at_unix_ms = self.journal.now().as_millis();
                Ok(Admission::Run(Permitted { ready, facts, parent, approval, permitted_at_unix_ms }))
            }
        }
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
                EngineError::BundleMismatch(_) => PolicyErrorCode::BundleMismatch,
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
