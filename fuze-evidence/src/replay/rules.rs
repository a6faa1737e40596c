//! The rules of the loop, held against what was recorded. The chain says that nothing was changed afterwards; this says that what was
//! done was allowed. Says the rules a second time, on purpose: nothing of the loop is used. Verification and replay hold the same
//! records against the same rules, one record at a time.

mod calls;
mod case;
mod declared;
mod model;
mod people;
mod rule;
mod start;
mod tools;

use std::collections::{HashMap, HashSet};

use crate::hash::Hash;
use crate::name::Name;
use crate::record::Entry;
use crate::replay::told::{Request, Told};
use crate::sign::KeyId;
use crate::span::{ModelDrift, ModelGenerate, RunCancel, RunGap, Span, ToolExecute};
use crate::time::Timestamp;
use crate::vocab::{CancelledBy, Gap, GuardrailOutcome, ResumeCause, RunStatus, ToolOutcome};
use calls::Calls;
use case::{Outcome, Wait};
use declared::Declared;
use model::Model;
pub use rule::{Finding, Rule};
use start::Start;

/// What has ended the run before its last record. A crash may come before that record; whoever takes the run up then ends it.
#[derive(Clone, Copy, Default)]
struct Ends {
    /// The step of `run.cancel`.
    cancelled: Option<u64>,
    denied: bool,
    tripped: bool,
    /// A person ended it.
    halted: bool,
}

impl Ends {
    const fn is_over(self) -> bool {
        self.denied || self.tripped || self.halted
    }
}

/// The walk over the records in their order. Keeps the calls of one answer of the model with the cases about them, and of all others
/// only hashes: of each execution that must not be repeated or has no end, each tool, each token, each decision of a person and each
/// person.
#[derive(Default)]
pub(crate) struct Rules {
    findings: Vec<Finding>,
    more: u64,
    told: Told,
    /// Each tool that was decided about or ran.
    tools: HashMap<Name, Declared>,
    start: Option<Start>,
    model: Model,
    bundle: Option<Hash>,
    /// The policy engine, since the beginning or the last resume.
    engine: Option<Name>,
    /// That of the last resume.
    epoch: Option<u64>,
    calls: Calls,
    /// Executions that must not be repeated and have run.
    ran_once: HashSet<Hash>,
    /// When the last record ended that is no `oversight.suspend`: several of these are one wait.
    ended: Option<Timestamp>,
    /// Executions whose end is not known.
    doubts: HashSet<Hash>,
    /// Executions that had begun before a crash, and of which nothing is recorded since.
    gaps: HashSet<Hash>,
    /// The run was taken up after a crash, and has not said so yet.
    owes_gap: bool,
    /// What the run waits for. `None`: it does not wait.
    wait: Option<Wait>,
    /// Cases that were decided, counted.
    cases: u64,
    /// The case of each decision since the model answered last, and what it came to.
    decided: HashMap<u64, (u64, Outcome)>,
    issued: HashSet<Hash>,
    answered: HashSet<Hash>,
    decisions: HashSet<Hash>,
    /// Who decided, and with which key. The registry of overseers is one while a run lasts.
    keys: HashMap<Name, KeyId>,
    people: HashMap<KeyId, Name>,
    /// The last call that people decided on was approved and done.
    human_decided: bool,
    ends: Ends,
}

impl Rules {
    /// How many findings are kept.
    pub(crate) const MAX_FINDINGS: usize = 1000;

    /// Takes the next record. Whether it broke a rule.
    pub(crate) fn take(&mut self, entry: &Entry) -> bool {
        let before = self.broken();
        self.order(entry);
        let late = self.after_end(entry);
        let heard = self.told.take(entry);
        self.rule(heard.holds, entry, Rule::ToldHistory);
        if let Some(request) = heard.request {
            self.request(entry, &request);
        }
        match &entry.span {
            Span::AgentInvoke(invoke) => self.begin(entry, invoke),
            Span::PolicyEvaluate(policy) => self.policy(entry, policy),
            Span::ToolExecute(tool) => self.tool(entry, tool),
            Span::OversightSuspend(suspend) => self.suspend(entry, suspend),
            Span::HumanDecision(human) => self.human(entry, human),
            Span::RunResume(resume) => self.resume(entry, resume),
            Span::RunCancel(cancel) => self.cancel(entry, cancel),
            Span::RunGap(gap) => self.gap(gap),
            Span::Guardrail(guardrail) => self.ends.tripped |= guardrail.outcome != GuardrailOutcome::Passed,
            Span::ModelDrift(drift) => self.drift(entry, drift),
            Span::RunClose(close) => self.close(entry, close.status),
            Span::ModelGenerate(request) => self.asked(entry, request),
        }
        // What the record itself may not say comes first, and says more.
        if let Some(rule) = late {
            self.rule(false, entry, rule);
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

    /// What may follow what.
    fn order(&mut self, entry: &Entry) {
        let span = &entry.span;
        let closes = matches!(span, Span::RunClose(_));
        let begins = matches!(span, Span::AgentInvoke(_));
        let may = begins || closes || self.start_says(|start| !start.is_refused);
        self.rule(may, entry, Rule::AfterRefusal);
        let people = matches!(
            span,
            Span::OversightSuspend(_) | Span::HumanDecision(_) | Span::RunResume(_) | Span::RunCancel(_)
        );
        self.rule(self.wait.is_none() || people || closes, entry, Rule::Waiting);
        self.issued(entry);
        let says_gap = matches!(span, Span::RunGap(RunGap { what: Gap::Process, .. }));
        let owed = std::mem::take(&mut self.owes_gap);
        self.rule(!owed || says_gap, entry, Rule::RecoveryGap);
    }

    /// What may follow what ended the run: the rule that this record breaks.
    fn after_end(&mut self, entry: &Entry) -> Option<Rule> {
        // Who takes up a run that was stopped, and gives it up, says so.
        let closes = matches!(entry.span, Span::RunClose(_) | Span::RunCancel(_));
        let recovers = match &entry.span {
            Span::RunResume(resume) => resume.cause == ResumeCause::Recovery,
            Span::RunGap(_) | Span::ModelDrift(_) => true,
            _ => false,
        };
        let cut_off = match &entry.span {
            Span::ToolExecute(tool) => {
                matches!(tool.outcome, ToolOutcome::Cancelled | ToolOutcome::InDoubt).then_some(tool)
            }
            _ => None,
        };
        let (may, rule) = if let Some(cancelled) = self.ends.cancelled {
            // Steps are counted when they begin, so no clock is needed: what had begun before may still end, and what had begun before
            // a crash is in doubt after it.
            let begun = |tool: &ToolExecute| {
                entry.step_id < cancelled
                    || (tool.outcome == ToolOutcome::InDoubt && self.gaps.contains(&tool.exec_id))
            };
            (cut_off.is_some_and(begun) || closes || recovers, Rule::AfterCancel)
        } else if self.ends.is_over() {
            (cut_off.is_some() || closes || recovers, Rule::AfterEnd)
        } else {
            return None;
        };
        (!may).then_some(rule)
    }

    fn request(&mut self, entry: &Entry, request: &Request) {
        self.rule(self.calls.all_ended(), entry, Rule::CallEnded);
        if let Some(calls) = request.calls {
            self.known_gaps(entry, true);
            self.calls.answered(entry.step_id, calls);
            self.decided.clear();
        }
    }

    fn cancel(&mut self, entry: &Entry, cancel: &RunCancel) {
        // Nobody decided in time: so somebody was asked.
        let waited = cancel.cancelled_by != CancelledBy::Expired || self.wait.is_some();
        self.rule(waited, entry, Rule::ExpiredWaiting);
        let erased = cancel.cancelled_by == CancelledBy::SubjectErased;
        self.rule(!erased || self.start_says(Start::has_subject), entry, Rule::PersonalData);
        self.ends.cancelled.get_or_insert(entry.step_id);
    }

    fn gap(&mut self, gap: &RunGap) {
        let exec_id = gap.exec_id.filter(|exec_id| gap.what == Gap::Tool && !self.doubts.contains(exec_id));
        self.gaps.extend(exec_id);
    }

    /// What had begun before a crash and has no end is a call that was decided on. Where none is left, it is in doubt.
    fn known_gaps(&mut self, entry: &Entry, all_ended: bool) {
        let open = if all_ended { 0 } else { self.calls.may_have_begun() };
        self.rule(self.gaps.len() as u64 <= open, entry, Rule::InDoubt);
    }

    fn asked(&mut self, entry: &Entry, request: &ModelGenerate) {
        let same = self.model.asked(request);
        self.rule(same, entry, Rule::SameModel);
        self.rule(self.model.is_near_enough(), entry, Rule::SpecialCategory);
    }

    fn drift(&mut self, entry: &Entry, drift: &ModelDrift) {
        let same = self.model.drifts(drift);
        self.rule(same, entry, Rule::SameModel);
        self.rule(drift.acknowledged || !self.art22(), entry, Rule::DriftAcknowledged);
    }

    /// The run decides under GDPR Art. 22.
    fn art22(&self) -> bool {
        self.start.as_ref().is_some_and(|start| start.art22)
    }

    fn close(&mut self, entry: &Entry, status: RunStatus) {
        let completed = status == RunStatus::Completed;
        let ended =
            self.ends.cancelled.is_some() && matches!(status, RunStatus::Cancelled | RunStatus::InDoubt);
        self.rule(self.wait.is_none() || ended, entry, Rule::EndedWaiting);
        if completed {
            self.rule(self.calls.all_ended(), entry, Rule::CallEnded);
            self.rule(!self.ends.denied, entry, Rule::CompletedAfterDenial);
            self.rule(!self.ends.tripped, entry, Rule::CompletedAfterTrip);
            let stopped = self.ends.halted || self.ends.cancelled.is_some();
            self.rule(!stopped, entry, Rule::CompletedAfterStop);
            self.rule(!self.art22() || self.human_decided, entry, Rule::HumanDecided);
        }
        let missing = status == RunStatus::OversightMissing;
        self.rule(!missing || self.start_says(|start| start.art22), entry, Rule::HumanDecided);
        // Without the person it would have been completed.
        if completed || missing {
            self.rule(self.told.is_answered(), entry, Rule::Answered);
        }
        if status != RunStatus::InDoubt {
            self.rule(self.doubts.is_empty(), entry, Rule::InDoubt);
            self.known_gaps(entry, completed);
        }
    }
}
