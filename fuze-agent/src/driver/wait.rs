//! What a run waits for: the case that people are shown, and whether the run may wait there at all.

use base64ct::{Base64UrlUnpadded, Encoding};
use fuze_evidence::Hash;
use fuze_evidence::vocab::{RunStatus, SuspendReason};
use fuze_policy::{Obligation, RequiredBy};

use super::calls::Admission;
use super::state::{DecidedCall, Stage, Wait};
use super::{Driver, Exit, name};
use crate::dispatch::ToolFacts;
use crate::suspend::case::CaseData;

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// A call that needs a person: the run will wait, where it can.
    pub(super) fn must_wait<'c>(
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
        execution.decided_as(decided);
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
}

/// Why a call waits, as its token says it: law before policy before the tool.
pub(super) const fn why_waiting(by: RequiredBy) -> SuspendReason {
    if by.law {
        SuspendReason::Law
    } else if by.policy {
        SuspendReason::Policy
    } else {
        SuspendReason::Tool
    }
}
