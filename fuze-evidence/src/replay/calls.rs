//! The calls of a run: each with the decisions about it, the people who were asked, and how it ended. Judges nothing.

use crate::hash::Hash;
use crate::name::Name;
use crate::replay::Step;
use crate::span::Span;
use crate::vocab::{Effect, OversightAction, PolicyDecision, PolicyReason, ToolOutcome};

/// A call that was asked for: by the model, or by a tool that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The tool, if there is one of the name that was asked for.
    pub tool: Option<Name>,
    /// The commitment to its arguments, if they could be read. A person who modifies them makes another call of it.
    pub args_hash: Option<Hash>,
    /// Its place in its turn.
    pub index: u32,
    /// The step that asked: the model's, or that of the tool that ran.
    pub asked_by: Option<u64>,
    /// What the policy said, each time.
    pub decisions: Vec<Decided>,
    /// What people said.
    pub people: Vec<Person>,
    /// How it ended; more than once if it was repeated or in doubt.
    pub ended: Vec<Ended>,
}

/// One decision of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The record.
    pub sequence: u64,
    /// What was decided.
    pub decision: PolicyDecision,
    /// By whom or what.
    pub reason: PolicyReason,
    /// By which rule.
    pub rule: Option<Name>,
    /// Of which policy bundle.
    pub bundle_hash: Hash,
}

/// One decision of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The record.
    pub sequence: u64,
    /// The overseer's alias.
    pub overseer: Name,
    /// What was decided.
    pub action: OversightAction,
    /// The training relied on.
    pub training: Option<Name>,
}

/// One end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The record.
    pub sequence: u64,
    /// The execution.
    pub exec_id: Hash,
    /// How it ended.
    pub outcome: ToolOutcome,
    /// What running it again would do.
    pub effect: Effect,
    /// 1 for the first.
    pub attempt: u32,
    /// How long it took, in nanoseconds.
    pub duration_nanos: u128,
}

pub(super) fn collect(steps: &[Step]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for step in steps {
        match &step.span {
            Span::PolicyEvaluate(policy) => {
                let decided = Decided {
                    sequence: step.sequence,
                    decision: policy.decision,
                    reason: policy.reason,
                    rule: policy.rule.clone(),
                    bundle_hash: policy.bundle_hash,
                };
                match find(&mut calls, policy.args_hash) {
                    Some(call) => call.decisions.push(decided),
                    None => calls.push(Call {
                        tool: policy.tool.clone(),
                        args_hash: policy.args_hash,
                        index: policy.call_index,
                        asked_by: step.parent,
                        decisions: vec![decided],
                        people: Vec::new(),
                        ended: Vec::new(),
                    }),
                }
            }
            Span::HumanDecision(human) => {
                if let Some(call) = find(&mut calls, human.args_hash) {
                    call.people.push(Person {
                        sequence: step.sequence,
                        overseer: human.overseer.clone(),
                        action: human.action,
                        training: human.training.clone(),
                    });
                }
            }
            Span::ToolExecute(tool) => {
                if let Some(call) = find(&mut calls, Some(tool.args_hash)) {
                    call.ended.push(Ended {
                        sequence: step.sequence,
                        exec_id: tool.exec_id,
                        outcome: tool.outcome,
                        effect: tool.effect,
                        attempt: tool.attempt,
                        duration_nanos: step.duration_nanos(),
                    });
                }
            }
            Span::AgentInvoke(_)
            | Span::Guardrail(_)
            | Span::ModelGenerate(_)
            | Span::OversightSuspend(_)
            | Span::RunResume(_)
            | Span::RunCancel(_)
            | Span::RunGap(_)
            | Span::ModelDrift(_)
            | Span::RunClose(_) => {}
        }
    }
    calls
}

/// The latest call with these arguments; a call whose arguments could not be read is never found again.
fn find(calls: &mut [Call], args_hash: Option<Hash>) -> Option<&mut Call> {
    let args_hash = args_hash?;
    calls.iter_mut().rev().find(|call| call.args_hash == Some(args_hash))
}
