//! What a tool asks of the driver while it runs: another tool, through the same pipeline, or a person. What was answered
//! before a suspension is answered from the journal when the tool runs again.

use fuze_evidence::Hash;
use fuze_evidence::vocab::{PolicyReason, RunStatus, SuspendReason};
use fuze_policy::Obligation;
use serde_json::Value;

use super::calls::{Admission, parse};
use super::state::{Execution, Ledger, Stage};
use super::{Driver, Exit};
use crate::ToolError;
use crate::ctx::{FromTool, OversightAnswer};
use crate::dispatch::Boxed;
use crate::model::RequestedCall;

/// A person is asked in at most this many bytes.
const MAX_QUESTION_BYTES: usize = 16 * 1024;

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// What a tool asks of the driver while it runs.
    pub(super) fn nested(
        &mut self,
        outer: Hash,
        ordinal: u32,
        request: Box<FromTool>,
    ) -> Boxed<'_, Result<(), Exit>> {
        Box::pin(async move {
            let caller = self.execution(outer)?.clone();
            let id = self.exec_id(caller.index, Some(outer), ordinal)?;
            match *request {
                FromTool::Oversight { question, reply } => {
                    if let Some(answer) = self.answered_before(outer, id, &caller, &question)? {
                        reply.send(answer).ok();
                        return Ok(());
                    }
                    if question.len() > MAX_QUESTION_BYTES {
                        let why = format!(
                            "a question to a person has {} bytes, expected at most {MAX_QUESTION_BYTES}",
                            question.len()
                        );
                        return Err(Exit::Close(RunStatus::Error, why));
                    }
                    self.wait_for_answer(outer, id, caller, question)
                }
                FromTool::Invoke { name, tool, args, reply } => {
                    let known = self.definition.tool(name).is_some_and(|known| known.facts.type_id == tool);
                    let arguments = String::from_utf8(args)
                        .map_err(|error| Exit::Latched(self.journal.latch(error.to_string())))?;
                    let request = RequestedCall { id: id.to_string(), name: name.to_owned(), arguments };
                    let fresh = Execution {
                        index: caller.index,
                        request,
                        parent: Some(outer),
                        depth: caller.depth + 1,
                        attempt: 1,
                        decided: None,
                        replaced: None,
                        stage: Stage::New,
                        step: None,
                        modified: None,
                        approvers: Vec::new(),
                        approved_until: None,
                        ledger: Ledger::Absent,
                    };
                    if !known {
                        let why = format!("the agent has no tool `{name}` that a tool could invoke");
                        return Err(self.over_limit(&fresh, PolicyReason::NotInAgent, &why)?);
                    }
                    if fresh.depth > self.definition.limits.max_depth {
                        let why = "tools invoke tools deeper than the agent's limit";
                        return Err(self.over_limit(&fresh, PolicyReason::DepthLimit, why)?);
                    }
                    self.enter(id, fresh)?;
                    let result = self.run_nested(id).await?;
                    reply.send(result).ok();
                    Ok(())
                }
            }
        })
    }

    /// Takes a nested call up, or finds it in the journal of an earlier run of its caller.
    fn enter(&mut self, id: Hash, fresh: Execution) -> Result<(), Exit> {
        let Some(before) = self.state.header.executions.get(&id) else {
            self.header().executions.insert(id, Box::new(fresh));
            return Ok(());
        };
        let same = |one: &RequestedCall, other: &RequestedCall| {
            one.name == other.name && one.arguments == other.arguments
        };
        match same(&before.request, &fresh.request) {
            true => Ok(()),
            // A caller that asks for something else than before would turn an approval for one thing into another.
            false => {
                let why = "a tool that ran again asked for another call than before";
                Err(self.over_limit(&fresh, PolicyReason::ArgumentsUnstable, why)?)
            }
        }
    }

    async fn run_nested(&mut self, id: Hash) -> Result<Result<Vec<u8>, ToolError>, Exit> {
        loop {
            let (scope, mut line) = self.dispatch(id);
            match self.admit(id).await? {
                Admission::Run(permitted) => {
                    self.flush().await?;
                    self.check_stop().await?;
                    if self.execute(id, permitted, &scope, &mut line).await? {
                        continue;
                    }
                }
                Admission::Settled => {}
            }
            return match self.execution(id)?.stage.clone() {
                Stage::Finished { content, is_error: false, .. } => Ok(Ok(content.into_bytes())),
                Stage::Finished { content, is_error: true, .. } => {
                    let told = parse(content.as_bytes());
                    let told = told.get("error").and_then(Value::as_str).unwrap_or("the invoked tool failed");
                    // Whether the caller had done something before, only the caller knows.
                    Ok(Err(ToolError::new(told)))
                }
                Stage::New
                | Stage::Began { .. }
                | Stage::Waiting
                | Stage::Approved { .. }
                | Stage::Rejected { .. }
                | Stage::InDoubt
                | Stage::Done { .. }
                | Stage::NotDone { .. }
                | Stage::Answered { .. } => Err(Exit::Suspend),
            };
        }
    }

    fn answered_before(
        &mut self,
        outer: Hash,
        id: Hash,
        caller: &Execution,
        question: &str,
    ) -> Result<Option<OversightAnswer>, Exit> {
        let Some(before) = self.state.header.executions.get(&id) else { return Ok(None) };
        match before.stage {
            Stage::Answered { approved }
                if before.request.arguments == question && before.parent == Some(outer) =>
            {
                Ok(Some(if approved { OversightAnswer::Approved } else { OversightAnswer::Rejected }))
            }
            _ => {
                let mut fresh = caller.clone();
                question.clone_into(&mut fresh.request.arguments);
                let why = "a tool that ran again asked a person something else than before";
                Err(self.over_limit(&fresh, PolicyReason::ArgumentsUnstable, why)?)
            }
        }
    }

    fn wait_for_answer(
        &mut self,
        outer: Hash,
        id: Hash,
        caller: Execution,
        question: String,
    ) -> Result<(), Exit> {
        if !self.journal.has_store() {
            let why = "a tool asks for a person, and a run without a store cannot wait for one";
            return Err(Exit::Close(RunStatus::PolicyDenied, why.into()));
        }
        let tool = caller.request.name.clone();
        let execution = Execution {
            request: RequestedCall { id: id.to_string(), name: tool, arguments: question.clone() },
            parent: Some(outer),
            depth: caller.depth + 1,
            replaced: None,
            stage: Stage::Waiting,
            step: None,
            modified: None,
            approvers: Vec::new(),
            approved_until: None,
            ledger: Ledger::Absent,
            ..caller
        };
        self.header().executions.insert(id, Box::new(execution));
        if self.inside_once(id) {
            let why = "a tool inside a `once` tool asks for a person";
            return Err(Exit::Close(RunStatus::PolicyDenied, why.into()));
        }
        let obligation = Obligation {
            trainings: self.definition.training.iter().map(|t| (*t).to_owned()).collect(),
            ..Obligation::default()
        };
        self.wait(id, obligation, SuspendReason::Requested, Some(question))?;
        Err(Exit::Suspend)
    }
}
