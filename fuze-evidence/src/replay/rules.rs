//! The rules of the loop, held against what was recorded. The chain says that nothing was changed afterwards; this says that what was
//! done was allowed. Says the rules a second time, on purpose: nothing of the loop is used. Verification and replay hold the same
//! records against the same rules, one record at a time.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::hash::Hash;
use crate::name::Name;
use crate::record::Entry;
use crate::replay::told::Told;
use crate::sign::KeyId;
use crate::span::{
    AgentInvoke, HumanDecision, OversightSuspend, PolicyEvaluate, RunCancel, RunResume, Span, ToolExecute,
};
use crate::time::Timestamp;
use crate::vocab::{
    Art22, CancelledBy, DecisionOutcome, Effect, GuardrailOutcome, OversightAction, PolicyDecision,
    PolicyReason, ResumeCause, RunStatus, StartOutcome, SuspendReason, ToolOutcome,
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
    ($($(#[$meta:meta])* $rule:ident = $wire:literal, $text:literal, $must:literal;)+) => {
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

            /// What must hold.
            #[must_use]
            pub const fn expected(self) -> &'static str {
                match self { $(Self::$rule => $must),+ }
            }
        }
    };
}

rules! {
    Readable = "readable", "the line is no record",
        "a record";
    Decided = "decided", "a tool ran and no decision about these arguments stands before it",
        "a decision of the policy about these arguments, after the model's answer that the call is part of and before the tool runs";
    Allowed = "allowed", "a tool ran although the last decision about these arguments was not to allow it",
        "`allow` as the last decision about these arguments before the tool runs";
    Approved = "approved", "a tool ran that needed a person, and it names none",
        "the step of a person's decision that approves the call";
    ApprovedByDecision = "approved_by_decision", "a tool's end rests on a person's decision that is not there, or says something else",
        "an accepted decision of a person about this very call, which says what the tool's end says";
    SameTool = "same_tool", "a tool ran with arguments that were decided for another tool",
        "the tool that the decision about these arguments names";
    OnceOnly = "once_only", "a tool that must not run twice ran twice",
        "one execution, in one attempt";
    SameEffect = "same_effect", "an execution says otherwise than before what running it again would do",
        "the effect that the first record of this execution names";
    Waiting = "waiting", "the run went on while it waited for people",
        "nothing but oversight, a resume, a cancel or the close while people are waited for";
    WaitGrounded = "wait_grounded", "the run waits for people although nothing asked for one",
        "a decision before it that asks for a person, or a doubt";
    ExpiresAhead = "expires_ahead", "the time to decide was over before the run began to wait",
        "an end of the wait that is not before the end of the record before it";
    TokenKnown = "token_known", "a person decided on a token that the run does not wait for",
        "a token of an `oversight.suspend` that the run waits for";
    TokenOnce = "token_once", "one token was decided on twice",
        "one decision for each token";
    SameArguments = "same_arguments", "a person decided on other arguments than those that wait",
        "a decision about the arguments that wait";
    NotPrincipal = "not_principal", "who started the run decided about it",
        "an overseer other than who started the run";
    DistinctPeople = "distinct_people", "one person, or one key, filled two slots of a case",
        "another person with another key in each slot of a case";
    AllSlots = "all_slots", "the run was resumed and not every slot was decided",
        "an accepted decision in every slot, one refusal of a case, or a halt";
    EpochGrows = "epoch_grows", "the run was taken up at an epoch that it had before",
        "a greater epoch than any before";
    KnownPolicy = "known_policy", "a decision rests on another policy bundle than the one in force",
        "the policy bundle of the start or of the last resume";
    AfterCancel = "after_cancel", "something began after the run was stopped",
        "nothing that begins after `run.cancel` but a resume and the close";
    ExpiredWaiting = "expired_waiting", "the run expired although it did not wait for people",
        "a run that waits for people when it expires";
    AfterRefusal = "after_refusal", "something happened in a run that was refused",
        "`run.close` as the second record";
    ToldHistory = "told_history", "the model was sent other messages than the records before hold",
        "the hash over the messages that the records before hold";
    CompletedAfterDenial = "completed_after_denial", "the run completed although a call was denied",
        "another status than `completed`";
    CompletedAfterTrip = "completed_after_trip", "the run completed although a guardrail tripped or could not tell",
        "another status than `completed`";
    CompletedAfterStop = "completed_after_stop", "the run completed although it was stopped",
        "another status than `completed`";
    InDoubt = "in_doubt", "whether a call happened is not known, and the run's end does not say so",
        "the status `in_doubt`";
    HumanDecided = "human_decided", "a decision under GDPR Art. 22 completed, and the last call that people decided on was not approved and done",
        "the status `oversight_missing`, or a person's approval that was carried out";
}

/// What is kept of a decision of the policy.
#[derive(Clone, Copy)]
struct Decided {
    decision: PolicyDecision,
    /// The tool's number in [`Rules::tools`]; 0 for none.
    tool: u32,
    needs_person: bool,
    approval_by_tool: bool,
}

/// What is kept of a decision of a person.
#[derive(Clone, Copy)]
struct Said {
    action: OversightAction,
    outcome: DecisionOutcome,
    args_hash: Option<Hash>,
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

/// The walk over the records in their order. Keeps the calls of one answer of the model, and of all others a hash for each execution that
/// must not be repeated and each decision of a person.
#[derive(Default)]
pub(crate) struct Rules {
    findings: Vec<Finding>,
    more: u64,
    told: Told,
    /// Each tool that was decided about, and its number.
    tools: HashMap<Name, u32>,
    principal: Option<Name>,
    art22: bool,
    refused: bool,
    bundle: Option<Hash>,
    epoch: u64,
    /// The model has answered. A decision before that is about no call.
    has_answer: bool,
    /// The last decision about each call since the model answered last: what was asked before that has its result.
    decided: HashMap<Hash, Decided>,
    /// Decisions of people, by their step.
    people: HashMap<u64, Said>,
    /// Executions that must not be repeated and have run.
    ran_once: HashSet<Hash>,
    /// What each execution since the model answered last said of being repeated.
    effects: HashMap<Hash, Effect>,
    /// When the last record ended that is no `oversight.suspend`: several of these are one wait.
    ended: Option<Timestamp>,
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

impl Rules {
    /// How many findings are kept.
    pub(crate) const MAX_FINDINGS: usize = 1000;

    /// Takes the next record. Whether it broke a rule.
    pub(crate) fn take(&mut self, entry: &Entry) -> bool {
        let before = self.broken();
        self.order(entry);
        let heard = self.told.take(entry);
        self.rule(heard.holds, entry, Rule::ToldHistory);
        if heard.is_answer {
            self.has_answer = true;
            self.decided.clear();
            self.effects.clear();
        }
        match &entry.span {
            Span::AgentInvoke(invoke) => self.begin(entry, invoke),
            Span::PolicyEvaluate(policy) => self.policy(entry, policy),
            Span::ToolExecute(tool) => self.tool(entry, tool),
            Span::OversightSuspend(suspend) => self.suspend(entry, suspend),
            Span::HumanDecision(human) => self.human(entry, human),
            Span::RunResume(resume) => self.resume(entry, resume),
            Span::RunCancel(cancel) => self.cancel(entry, cancel),
            Span::Guardrail(guardrail) => self.tripped |= guardrail.outcome != GuardrailOutcome::Passed,
            Span::RunClose(close) => self.close(entry, close.status),
            Span::ModelGenerate(_) | Span::RunGap(_) | Span::ModelDrift(_) => {}
        }
        if !matches!(entry.span, Span::OversightSuspend(_)) {
            self.ended = Some(entry.ended_at);
        }
        self.broken() > before
    }

    /// The line `sequence` is no record.
    pub(crate) fn unreadable(&mut self, sequence: u64) {
        self.find(Finding { sequence, rule: Rule::Readable });
    }

    /// How many breaches were found.
    fn broken(&self) -> u64 {
        self.findings.len() as u64 + self.more
    }

    /// What was found: the first [`Self::MAX_FINDINGS`].
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < Self::MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn rule(&mut self, holds: bool, entry: &Entry, rule: Rule) {
        if !holds {
            self.find(Finding { sequence: entry.sequence, rule });
        }
    }

    fn begin(&mut self, entry: &Entry, invoke: &AgentInvoke) {
        if self.principal.is_none() {
            self.principal = Some(entry.common.principal.clone());
            self.art22 = entry.common.art22 != Art22::None;
            self.refused = invoke.outcome == StartOutcome::Refused;
            self.bundle = Some(invoke.bundle_hash);
        }
    }

    fn cancel(&mut self, entry: &Entry, cancel: &RunCancel) {
        // Nobody decided in time: so somebody was asked.
        let waited = cancel.cancelled_by != CancelledBy::Expired || self.waits.is_some();
        self.rule(waited, entry, Rule::ExpiredWaiting);
        self.cancelled = Some(entry.step_id);
        self.stopped = true;
    }

    /// The number of a tool that is decided about.
    fn number_of(&mut self, tool: &Name) -> u32 {
        if let Some(number) = self.tools.get(tool) {
            return *number;
        }
        // A run with more tools than this has no name for the last ones, and is refused where they run.
        let number = u32::try_from(self.tools.len() + 1).unwrap_or(0);
        self.tools.insert(tool.clone(), number);
        number
    }

    /// What may follow what.
    fn order(&mut self, entry: &Entry) {
        let ends = matches!(entry.span, Span::RunClose(_));
        let begins = matches!(entry.span, Span::AgentInvoke(_));
        self.rule(!self.refused || begins || ends, entry, Rule::AfterRefusal);
        let people = matches!(
            entry.span,
            Span::OversightSuspend(_) | Span::HumanDecision(_) | Span::RunResume(_) | Span::RunCancel(_)
        );
        self.rule(self.waits.is_none() || people || ends, entry, Rule::Waiting);
        // Steps are counted when they begin, so no clock is needed: what had begun before may still end.
        let resumes = matches!(entry.span, Span::RunResume(_));
        let late = self.cancelled.is_some_and(|cancelled| entry.step_id > cancelled);
        self.rule(!late || ends || resumes, entry, Rule::AfterCancel);
    }

    fn policy(&mut self, entry: &Entry, policy: &PolicyEvaluate) {
        self.rule(self.bundle.is_none_or(|bundle| bundle == policy.bundle_hash), entry, Rule::KnownPolicy);
        if let Some(args_hash) = policy.args_hash.filter(|_| self.has_answer) {
            let decided = Decided {
                decision: policy.decision,
                tool: policy.tool.as_ref().map_or(0, |tool| self.number_of(tool)),
                needs_person: policy.approval_by_law || policy.approval_by_policy || policy.approval_by_tool,
                approval_by_tool: policy.approval_by_tool,
            };
            self.decided.insert(args_hash, decided);
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

    fn tool(&mut self, entry: &Entry, tool: &ToolExecute) {
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
        let says = |wanted: &[OversightAction]| matches!(&approval, Some(Some(human)) if human.outcome == DecisionOutcome::Accepted && wanted.contains(&human.action));
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
        self.rule(rests && about, entry, Rule::ApprovedByDecision);
        // Whoever calls a `once` something else on its second run would be held to nothing.
        let first = *self.effects.entry(tool.exec_id).or_insert(tool.effect);
        let once = self.ran_once.contains(&tool.exec_id);
        self.rule(first == tool.effect && (!once || tool.effect == Effect::Once), entry, Rule::SameEffect);
        self.answers(tool);
        if !ran {
            return;
        }
        match self.decided.get(&tool.args_hash).copied() {
            None => self.rule(false, entry, Rule::Decided),
            Some(decided) => {
                self.rule(decided.decision == PolicyDecision::Allow, entry, Rule::Allowed);
                let named = decided.tool != 0 && self.tools.get(&tool.tool) == Some(&decided.tool);
                self.rule(named, entry, Rule::SameTool);
                self.rule(!decided.needs_person || approval.is_some(), entry, Rule::Approved);
            }
        }
        if tool.effect == Effect::Once {
            let first = self.ran_once.insert(tool.exec_id);
            self.rule(first && tool.attempt == 1, entry, Rule::OnceOnly);
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

    fn suspend(&mut self, entry: &Entry, suspend: &OversightSuspend) {
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
            self.rule(grounded, entry, Rule::WaitGrounded);
        }
        let ahead = self.ended.is_none_or(|ended| suspend.expires_at >= ended);
        self.rule(ahead, entry, Rule::ExpiresAhead);
        if self.waits.is_none() {
            self.cases.clear();
        }
        // One call waits once at a time, so its arguments name the case.
        let case = suspend.args_hash.unwrap_or(suspend.token_hash);
        self.waits.get_or_insert_default().insert(suspend.token_hash, case);
        let slots = self.cases.entry(case).or_default();
        slots.of = usize::try_from(suspend.of).unwrap_or(usize::MAX);
    }

    fn human(&mut self, entry: &Entry, human: &HumanDecision) {
        let said = Said { action: human.action, outcome: human.outcome, args_hash: human.args_hash };
        self.people.insert(entry.step_id, said);
        let first = self.answered.insert(human.token_hash);
        self.rule(first, entry, Rule::TokenOnce);
        self.rule(self.principal.as_ref() != Some(&human.overseer), entry, Rule::NotPrincipal);
        let case = self.waits.as_ref().and_then(|waits| waits.get(&human.token_hash)).copied();
        let Some(case) = case else {
            self.rule(false, entry, Rule::TokenKnown);
            return;
        };
        self.rule(human.args_hash.unwrap_or(human.token_hash) == case, entry, Rule::SameArguments);
        if human.outcome == DecisionOutcome::Voided {
            return;
        }
        let slots = self.cases.entry(case).or_default();
        let distinct = slots.people.insert(human.overseer.clone()) & slots.keys.insert(human.key_id);
        slots.accepted += 1;
        slots.refused |= matches!(human.action, OversightAction::Reject | OversightAction::Halt);
        slots.halted |= human.action == OversightAction::Halt;
        self.stopped |= human.action == OversightAction::Halt;
        self.rule(distinct, entry, Rule::DistinctPeople);
    }

    fn resume(&mut self, entry: &Entry, resume: &RunResume) {
        self.rule(resume.epoch > self.epoch, entry, Rule::EpochGrows);
        self.epoch = resume.epoch;
        self.bundle = Some(resume.bundle_hash);
        let waited = self.waits.take().is_some();
        match resume.cause {
            ResumeCause::Decision => {
                // One refusal decides a case alone; one halt ends the run whatever its other cases wait for.
                let filled = |case: &Case| case.refused || case.accepted == case.of;
                let halted = self.cases.values().any(|case| case.halted);
                let all = waited && (halted || self.cases.values().all(filled));
                self.rule(all, entry, Rule::AllSlots);
            }
            ResumeCause::Recovery => {
                self.rule(!waited, entry, Rule::Waiting);
                // What had ended the run did not get as far as its end, and is decided again.
                (self.denied, self.tripped, self.stopped) = (false, false, false);
            }
        }
        self.cancelled = None;
    }

    fn close(&mut self, entry: &Entry, status: RunStatus) {
        let completed = status == RunStatus::Completed;
        self.rule(!(completed && self.denied), entry, Rule::CompletedAfterDenial);
        self.rule(!(completed && self.tripped), entry, Rule::CompletedAfterTrip);
        self.rule(!(completed && self.stopped), entry, Rule::CompletedAfterStop);
        self.rule(self.doubts.is_empty() || status == RunStatus::InDoubt, entry, Rule::InDoubt);
        self.rule(!completed || !self.art22 || self.human_decided, entry, Rule::HumanDecided);
    }
}
