//! Decisions of the policy, and what tools did.

use super::Rules;
use super::calls::Stage;
use super::declared::Declared;
use super::rule::Rule;
use crate::name::Name;
use crate::record::Entry;
use crate::span::{PolicyEvaluate, ToolExecute};
use crate::vocab::{Classification, Effect, PolicyDecision, PolicyReason, ToolOutcome};

impl Rules {
    fn is_high_risk(&self) -> bool {
        self.start.as_ref().is_some_and(|start| start.is_high_risk)
    }

    /// What is known of a tool.
    fn declared(&mut self, tool: &Name) -> &mut Declared {
        // A run with more tools than this has no name for the last ones, and is refused where they run.
        let next = u32::try_from(self.tools.len() + 1).unwrap_or(0);
        self.tools.entry(tool.clone()).or_insert_with(|| Declared::new(next))
    }

    pub(super) fn policy(&mut self, entry: &Entry, policy: &PolicyEvaluate) {
        let same = self.bundle.is_none_or(|bundle| bundle == policy.bundle_hash)
            && *self.engine.get_or_insert_with(|| policy.engine.clone()) == policy.engine;
        self.rule(same, entry, Rule::KnownPolicy);
        let (tool, same) = policy.tool.as_ref().map_or((0, true), |tool| self.decided_about(tool, policy));
        if tells_the_model(policy) {
            self.calls.refused(entry.parent_step_id, policy.call_index, tool);
        } else if let Some(args_hash) = policy.args_hash {
            let broken = self.calls.decided(args_hash, entry.parent_step_id, tool, policy);
            if let Some(rule) = broken {
                self.rule(false, entry, rule);
            }
        }
        self.rule(same, entry, Rule::SameDeclaration);
        self.ends.denied |= match policy.decision {
            PolicyDecision::Deny => !tells_the_model(policy),
            PolicyDecision::Error => true,
            PolicyDecision::Allow | PolicyDecision::RequiresApproval => false,
        };
    }

    /// The number of a tool that a decision is about, and whether the decision says of it what was said before.
    fn decided_about(&mut self, tool: &Name, policy: &PolicyEvaluate) -> (u32, bool) {
        let is_high_risk = self.is_high_risk();
        let declared = self.declared(tool);
        let same = match policy.decision {
            PolicyDecision::Allow | PolicyDecision::RequiresApproval => {
                declared.decided(policy.approval_by_law, is_high_risk)
            }
            // Who would have to be asked was not looked at.
            PolicyDecision::Deny | PolicyDecision::Error => true,
        };
        (declared.number, same)
    }

    pub(super) fn tool(&mut self, entry: &Entry, tool: &ToolExecute) {
        let before = self.broken();
        self.bears(entry, tool);
        let is_high_risk = self.is_high_risk();
        let declared = self.declared(&tool.tool);
        // Whoever calls a `once` something else on its second run would be held to nothing.
        let same = declared.ended(tool.effect, tool.classification, is_high_risk);
        let number = declared.number;
        let named = self
            .calls
            .get(&tool.args_hash)
            .is_none_or(|call| call.tool != 0 && call.tool == number && call.index == tool.call_index);
        self.answers(tool);
        if ran(tool.outcome) {
            self.may_run(entry, tool);
        }
        self.rule(named, entry, Rule::SameTool);
        self.rule(same, entry, Rule::SameDeclaration);
        self.handles(entry, tool.classification);
        match tool.outcome {
            ToolOutcome::InDoubt => drop(self.doubts.insert(tool.exec_id)),
            ToolOutcome::DoneByStatement | ToolOutcome::NotDoneByStatement => {
                self.doubts.remove(&tool.exec_id);
            }
            // If it had begun before a crash, this says how it ended; what must not run twice is in doubt instead.
            ToolOutcome::Rejected | ToolOutcome::NotRun if tool.effect != Effect::Once => {
                self.gaps.remove(&tool.exec_id);
            }
            _ => {}
        }
        let could = self.calls.ends(tool.args_hash, tool.exec_id, tool.effect, tool.outcome);
        if self.broken() == before {
            self.rule(could, entry, Rule::TakenUpAgain);
        }
    }

    /// What a tool handles is handled in the whole run: the model is told, and the agent's declaration covers it.
    fn handles(&mut self, entry: &Entry, classification: Classification) {
        self.rule(self.start_says(|start| start.admits(classification)), entry, Rule::PersonalData);
        self.model.hears(classification);
        self.rule(self.model.is_near_enough(), entry, Rule::SpecialCategory);
    }

    /// The decisions that the end of a call rests on say what it says.
    fn bears(&mut self, entry: &Entry, tool: &ToolExecute) {
        let bears = match tool.approval_step {
            None => {
                self.calls.rests_on_nobody(tool.args_hash);
                ran(tool.outcome) || tool.outcome == ToolOutcome::NotRun
            }
            Some(step) => self.decided.get(&step).is_some_and(|(number, outcome)| {
                self.calls.rests_on(tool.args_hash, *number) && outcome.bears(tool.outcome)
            }),
        };
        self.rule(bears, entry, Rule::ApprovedByDecision);
    }

    fn may_run(&mut self, entry: &Entry, tool: &ToolExecute) {
        match self.calls.get(&tool.args_hash) {
            None => self.rule(false, entry, Rule::Decided),
            Some(call) => {
                let allowed = call.decision == PolicyDecision::Allow;
                // What people approved rests on them when it first runs, whatever the policy says by then.
                let rests = call.needs_person || (call.approved && call.exec_id.is_none());
                let approved = !rests || tool.approval_step.is_some();
                self.rule(allowed, entry, Rule::Allowed);
                self.rule(approved, entry, Rule::Approved);
            }
        }
        // That it had begun before a crash is all that is known of it.
        let begun = self.gaps.remove(&tool.exec_id);
        if tool.effect == Effect::Once || self.ran_once.contains(&tool.exec_id) {
            let first =
                self.ran_once.insert(tool.exec_id) && (!begun || tool.outcome == ToolOutcome::InDoubt);
            self.rule(first && tool.attempt == 1, entry, Rule::OnceOnly);
        }
    }

    /// Whether people answer for what the run says in the end. What a decision must say to count is another rule's affair.
    fn answers(&mut self, tool: &ToolExecute) {
        let call = self.calls.get(&tool.args_hash);
        let approved = call.is_some_and(|call| call.approved || call.stage == Stage::Changed);
        let theirs = match tool.outcome {
            ToolOutcome::Rejected => Some(false),
            _ if !approved => None,
            // Of a `read` the records do not say whether its declaration always asks, so they never take anything away.
            outcome if tool.effect == Effect::Read => {
                let by_tool = call.is_some_and(|call| call.approval_by_tool);
                (by_tool && outcome == ToolOutcome::Ok).then_some(true)
            }
            outcome => Some(matches!(outcome, ToolOutcome::Ok | ToolOutcome::DoneByStatement)),
        };
        self.human_decided = theirs.unwrap_or(self.human_decided);
    }
}

/// A refusal that does not end the run: the model is told, and may ask for something else.
fn tells_the_model(policy: &PolicyEvaluate) -> bool {
    let wrong = match policy.reason {
        PolicyReason::UnknownTool
        | PolicyReason::ArgumentsInvalid
        | PolicyReason::ArgumentsOutOfProfile
        | PolicyReason::ArgumentsUnstable => true,
        PolicyReason::Engine
        | PolicyReason::Law
        | PolicyReason::Tool
        | PolicyReason::NotInAgent
        | PolicyReason::DepthLimit
        | PolicyReason::StepLimit
        | PolicyReason::NestedInOnce
        | PolicyReason::Halted => false,
    };
    wrong && policy.decision == PolicyDecision::Deny
}

/// Whether the tool ran, or began.
fn ran(outcome: ToolOutcome) -> bool {
    match outcome {
        ToolOutcome::Ok
        | ToolOutcome::Error
        | ToolOutcome::NotApplied
        | ToolOutcome::OutputInvalid
        | ToolOutcome::Panicked
        | ToolOutcome::Timeout
        | ToolOutcome::Cancelled
        | ToolOutcome::CancellationTruncated
        | ToolOutcome::InDoubt => true,
        ToolOutcome::DoneByStatement
        | ToolOutcome::NotDoneByStatement
        | ToolOutcome::Rejected
        | ToolOutcome::NotRun => false,
    }
}
