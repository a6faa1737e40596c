//! The rules of the loop, held against what was recorded. The chain says that nothing was changed afterwards; this says that what was
//! done was allowed. Says the rules a second time, on purpose: nothing of the loop is used.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::hash::Hash;
use crate::name::Name;
use crate::replay::{Replay, Step};
use crate::sign::KeyId;
use crate::span::{HumanDecision, OversightSuspend, PolicyEvaluate, RunResume, Span, ToolExecute};
use crate::vocab::{
    Art22, DecisionOutcome, Effect, GuardrailOutcome, OversightAction, PolicyDecision, PolicyReason,
    ResumeCause, RunStatus, StartOutcome, SuspendReason, ToolOutcome,
};

/// A rule that a record breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The record.
    pub sequence: u64,
    /// The rule.
    pub rule: Rule,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: {}", self.sequence, self.rule.describe())
    }
}

macro_rules! rules {
    ($($(#[$meta:meta])* $rule:ident = $wire:literal, $text:literal;)+) => {
        /// What must hold in every run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$meta])* #[doc = $text] $rule,)+ }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$rule),+];

            /// A name for machines.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$rule => $wire),+ }
            }

            /// What is wrong where it is broken.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$rule => $text),+ }
            }
        }
    };
}

rules! {
    Readable = "readable", "the line is no record";
    Decided = "decided", "a tool ran and no decision about these arguments stands before it";
    Allowed = "allowed", "a tool ran although the last decision about these arguments was not to allow it";
    Approved = "approved", "a tool ran that needed a person, and it names none";
    ApprovedByDecision = "approved_by_decision", "a tool's end rests on a person's decision that is not there, or says something else";
    SameTool = "same_tool", "a tool ran with arguments that were decided for another tool";
    OnceOnly = "once_only", "a tool that must not run twice ran twice";
    Waiting = "waiting", "the run went on while it waited for people";
    WaitGrounded = "wait_grounded", "the run waits for people although nothing asked for one";
    TokenKnown = "token_known", "a person decided on a token that the run does not wait for";
    TokenOnce = "token_once", "one token was decided on twice";
    SameArguments = "same_arguments", "a person decided on other arguments than those that wait";
    NotPrincipal = "not_principal", "who started the run decided about it";
    DistinctPeople = "distinct_people", "one person, or one key, filled two slots of a case";
    AllSlots = "all_slots", "the run was resumed and not every slot was decided";
    EpochGrows = "epoch_grows", "the run was taken up at an epoch that it had before";
    KnownPolicy = "known_policy", "a decision rests on another policy bundle than the one in force";
    AfterCancel = "after_cancel", "something began after the run was stopped";
    AfterRefusal = "after_refusal", "something happened in a run that was refused";
    CompletedAfterDenial = "completed_after_denial", "the run completed although a call was denied";
    CompletedAfterTrip = "completed_after_trip", "the run completed although a guardrail tripped or could not tell";
    CompletedAfterStop = "completed_after_stop", "the run completed although it was stopped";
    InDoubt = "in_doubt", "whether a call happened is not known, and the run's end does not say so";
    HumanDecided = "human_decided", "a decision under GDPR Art. 22 completed, and the last call that people decided on was not approved and done";
}

pub(super) fn check(replay: &Replay) -> Vec<Finding> {
    let mut walk = Walk::new(replay);
    for step in &replay.steps {
        walk.step(step);
    }
    walk.findings
}

/// The slots of one case.
#[derive(Default)]
struct Case {
    of: usize,
    people: HashSet<Name>,
    keys: HashSet<KeyId>,
    accepted: usize,
    refused: bool,
    halted: bool,
}

#[derive(Default)]
struct Walk<'r> {
    findings: Vec<Finding>,
    principal: Option<&'r Name>,
    art22: bool,
    refused: bool,
    bundle: Option<Hash>,
    epoch: u64,
    /// The last decision about each call.
    decided: HashMap<Hash, &'r PolicyEvaluate>,
    /// Decisions of people, by their step.
    people: HashMap<u64, &'r HumanDecision>,
    /// Executions that must not be repeated and have run.
    ran_once: HashSet<Hash>,
    /// Executions whose end is not known, and their arguments.
    doubts: HashMap<Hash, Hash>,
    /// What the run waits for: each token's case. `None`: it does not wait.
    waits: Option<HashMap<Hash, Hash>>,
    cases: HashMap<Hash, Case>,
    answered: HashSet<Hash>,
    /// Executions that people approved.
    approved: HashSet<Hash>,
    /// The last call that people decided on was approved and done.
    human_decided: bool,
    cancelled: Option<u64>,
    denied: bool,
    tripped: bool,
    stopped: bool,
}

impl<'r> Walk<'r> {
    fn new(replay: &'r Replay) -> Self {
        let opened = replay.opened.as_ref();
        Self {
            principal: opened.map(|opened| &opened.common.principal),
            art22: opened.is_some_and(|opened| opened.common.art22 != Art22::None),
            refused: opened.is_some_and(|opened| opened.invoke.outcome == StartOutcome::Refused),
            bundle: opened.map(|opened| opened.invoke.bundle_hash),
            ..Self::default()
        }
    }

    fn rule(&mut self, holds: bool, step: &Step, rule: Rule) {
        if !holds {
            self.findings.push(Finding { sequence: step.sequence, rule });
        }
    }

    fn step(&mut self, step: &'r Step) {
        self.order(step);
        match &step.span {
            Span::PolicyEvaluate(policy) => self.policy(step, policy),
            Span::ToolExecute(tool) => self.tool(step, tool),
            Span::OversightSuspend(suspend) => self.suspend(step, suspend),
            Span::HumanDecision(human) => self.human(step, human),
            Span::RunResume(resume) => self.resume(step, resume),
            Span::RunCancel(_) => {
                self.cancelled = Some(step.step_id);
                self.stopped = true;
            }
            Span::Guardrail(guardrail) => self.tripped |= guardrail.outcome != GuardrailOutcome::Passed,
            Span::RunClose(close) => self.close(step, close.status),
            Span::AgentInvoke(_) | Span::ModelGenerate(_) | Span::RunGap(_) | Span::ModelDrift(_) => {}
        }
    }

    /// What may follow what.
    fn order(&mut self, step: &Step) {
        let ends = matches!(step.span, Span::RunClose(_));
        let begins = matches!(step.span, Span::AgentInvoke(_));
        self.rule(!self.refused || begins || ends, step, Rule::AfterRefusal);
        let people = matches!(
            step.span,
            Span::OversightSuspend(_) | Span::HumanDecision(_) | Span::RunResume(_) | Span::RunCancel(_)
        );
        self.rule(self.waits.is_none() || people || ends, step, Rule::Waiting);
        // Steps are counted when they begin, so no clock is needed: what had begun before may still end.
        let resumes = matches!(step.span, Span::RunResume(_));
        let late = self.cancelled.is_some_and(|cancelled| step.step_id > cancelled);
        self.rule(!late || ends || resumes, step, Rule::AfterCancel);
    }

    fn policy(&mut self, step: &Step, policy: &'r PolicyEvaluate) {
        self.rule(self.bundle.is_none_or(|bundle| bundle == policy.bundle_hash), step, Rule::KnownPolicy);
        if let Some(args_hash) = policy.args_hash {
            self.decided.insert(args_hash, policy);
        }
        self.denied |= match policy.decision {
            PolicyDecision::Deny => match policy.reason {
                // The model is told, and may ask for something else.
                PolicyReason::UnknownTool
                | PolicyReason::ArgumentsInvalid
                | PolicyReason::ArgumentsOutOfProfile
                | PolicyReason::ArgumentsUnstable => false,
                PolicyReason::Engine
                | PolicyReason::Law
                | PolicyReason::Tool
                | PolicyReason::NotInAgent
                | PolicyReason::DepthLimit
                | PolicyReason::StepLimit
                | PolicyReason::NestedInOnce
                | PolicyReason::Halted => true,
            },
            PolicyDecision::Error => true,
            PolicyDecision::Allow | PolicyDecision::RequiresApproval => false,
        };
    }

    fn tool(&mut self, step: &Step, tool: &ToolExecute) {
        let approval = tool.approval_step.map(|at| self.people.get(&at).copied());
        let ran = match tool.outcome {
            ToolOutcome::Ok
            | ToolOutcome::Error
            | ToolOutcome::NotApplied
            | ToolOutcome::OutputInvalid
            | ToolOutcome::Panicked
            | ToolOutcome::Timeout
            | ToolOutcome::Cancelled
            | ToolOutcome::CancellationTruncated
            | ToolOutcome::InDoubt => true,
            ToolOutcome::DoneByStatement | ToolOutcome::NotDoneByStatement => {
                self.doubts.remove(&tool.exec_id);
                false
            }
            ToolOutcome::Rejected | ToolOutcome::NotRun => false,
        };
        let says = |wanted: &[OversightAction]| matches!(approval, Some(Some(human)) if human.outcome == DecisionOutcome::Accepted && wanted.contains(&human.action));
        use OversightAction as A;
        let rests = match tool.outcome {
            ToolOutcome::DoneByStatement => says(&[A::Done]),
            ToolOutcome::NotDoneByStatement => says(&[A::NotDone]),
            ToolOutcome::Rejected => says(&[A::Reject, A::Halt]),
            _ => approval.is_none() || says(&[A::Approve, A::Modify]),
        };
        // Modified arguments are another commitment; all other decisions are about these very arguments.
        let about = match approval {
            Some(Some(human)) if human.action != A::Modify => human.args_hash == Some(tool.args_hash),
            _ => true,
        };
        self.rule(rests && about, step, Rule::ApprovedByDecision);
        self.answers(tool);
        if !ran {
            return;
        }
        match self.decided.get(&tool.args_hash).copied() {
            None => self.rule(false, step, Rule::Decided),
            Some(policy) => {
                self.rule(policy.decision == PolicyDecision::Allow, step, Rule::Allowed);
                self.rule(policy.tool.as_ref() == Some(&tool.tool), step, Rule::SameTool);
                let person = policy.approval_by_law || policy.approval_by_policy || policy.approval_by_tool;
                self.rule(!person || approval.is_some(), step, Rule::Approved);
            }
        }
        if tool.effect == Effect::Once {
            let first = self.ran_once.insert(tool.exec_id);
            self.rule(first && tool.attempt == 1, step, Rule::OnceOnly);
        }
        if tool.outcome == ToolOutcome::InDoubt {
            self.doubts.insert(tool.exec_id, tool.args_hash);
        }
    }

    /// Whether people answer for what the run says in the end. What a decision must say to count is another rule's affair.
    fn answers(&mut self, tool: &ToolExecute) {
        let theirs = match tool.outcome {
            ToolOutcome::Rejected => Some(false),
            ToolOutcome::DoneByStatement | ToolOutcome::NotDoneByStatement => {
                self.approved.contains(&tool.exec_id).then_some(tool.outcome == ToolOutcome::DoneByStatement)
            }
            _ if tool.approval_step.is_none() => None,
            // Of a `read` the records do not say whether its declaration always asks, so they never take anything away.
            outcome if tool.effect == Effect::Read => {
                let by_tool = self.decided.get(&tool.args_hash).is_some_and(|policy| policy.approval_by_tool);
                (by_tool && outcome == ToolOutcome::Ok).then_some(true)
            }
            outcome => {
                self.approved.insert(tool.exec_id);
                Some(outcome == ToolOutcome::Ok)
            }
        };
        self.human_decided = theirs.unwrap_or(self.human_decided);
    }

    fn suspend(&mut self, step: &Step, suspend: &OversightSuspend) {
        if let Some(args_hash) = suspend.args_hash {
            let decision = self.decided.get(&args_hash).map(|policy| policy.decision);
            let grounded = match suspend.reason {
                SuspendReason::Policy | SuspendReason::Tool | SuspendReason::Law => {
                    decision == Some(PolicyDecision::RequiresApproval)
                }
                // The tool that asks is running.
                SuspendReason::Requested => decision == Some(PolicyDecision::Allow),
                SuspendReason::InDoubt => self.doubts.values().any(|doubt| *doubt == args_hash),
            };
            self.rule(grounded, step, Rule::WaitGrounded);
        }
        if self.waits.is_none() {
            self.cases.clear();
        }
        // One call waits once at a time, so its arguments name the case.
        let case = suspend.args_hash.unwrap_or(suspend.token_hash);
        self.waits.get_or_insert_default().insert(suspend.token_hash, case);
        let slots = self.cases.entry(case).or_default();
        slots.of = usize::try_from(suspend.of).unwrap_or(usize::MAX);
    }

    fn human(&mut self, step: &Step, human: &'r HumanDecision) {
        self.people.insert(step.step_id, human);
        let first = self.answered.insert(human.token_hash);
        self.rule(first, step, Rule::TokenOnce);
        self.rule(self.principal != Some(&human.overseer), step, Rule::NotPrincipal);
        let case = self.waits.as_ref().and_then(|waits| waits.get(&human.token_hash)).copied();
        let Some(case) = case else {
            self.rule(false, step, Rule::TokenKnown);
            return;
        };
        self.rule(human.args_hash.unwrap_or(human.token_hash) == case, step, Rule::SameArguments);
        if human.outcome == DecisionOutcome::Voided {
            return;
        }
        let slots = self.cases.entry(case).or_default();
        let distinct = slots.people.insert(human.overseer.clone()) & slots.keys.insert(human.key_id);
        slots.accepted += 1;
        slots.refused |= matches!(human.action, OversightAction::Reject | OversightAction::Halt);
        slots.halted |= human.action == OversightAction::Halt;
        self.stopped |= human.action == OversightAction::Halt;
        self.rule(distinct, step, Rule::DistinctPeople);
    }

    fn resume(&mut self, step: &Step, resume: &RunResume) {
        self.rule(resume.epoch > self.epoch, step, Rule::EpochGrows);
        self.epoch = resume.epoch;
        self.bundle = Some(resume.bundle_hash);
        let waited = self.waits.take().is_some();
        match resume.cause {
            ResumeCause::Decision => {
                // One refusal decides a case alone; one halt ends the run whatever its other cases wait for.
                let filled = |case: &Case| case.refused || case.accepted == case.of;
                let halted = self.cases.values().any(|case| case.halted);
                let all = waited && (halted || self.cases.values().all(filled));
                self.rule(all, step, Rule::AllSlots);
            }
            ResumeCause::Recovery => {
                self.rule(!waited, step, Rule::Waiting);
                // What had ended the run did not get as far as its end, and is decided again.
                (self.denied, self.tripped, self.stopped) = (false, false, false);
            }
        }
        self.cancelled = None;
    }

    fn close(&mut self, step: &Step, status: RunStatus) {
        let completed = status == RunStatus::Completed;
        self.rule(!(completed && self.denied), step, Rule::CompletedAfterDenial);
        self.rule(!(completed && self.tripped), step, Rule::CompletedAfterTrip);
        self.rule(!(completed && self.stopped), step, Rule::CompletedAfterStop);
        self.rule(self.doubts.is_empty() || status == RunStatus::InDoubt, step, Rule::InDoubt);
        self.rule(!completed || !self.art22 || self.human_decided, step, Rule::HumanDecided);
    }
}
