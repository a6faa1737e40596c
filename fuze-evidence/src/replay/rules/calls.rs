//! The calls of the model's last answer, and those that their tools made: what was decided about each, and how far it is.

use std::collections::HashMap;

use super::case::Outcome;
use super::rule::Rule;
use crate::hash::Hash;
use crate::span::PolicyEvaluate;
use crate::vocab::{Effect, PolicyDecision, SuspendReason, ToolOutcome};

/// How far a call is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Decided, and to be run or decided again.
    Open,
    /// People are asked about it, or by it.
    Waiting,
    /// People changed it: it goes on as a call with other arguments.
    Changed,
    /// People refused it, and its end is to be recorded.
    Refused,
    /// People said whether it happened, and that is to be recorded.
    Stated,
    /// It began, and its end is not known.
    InDoubt,
    /// Its time was over, or it panicked: it has an end, and may be decided and run again.
    Retriable,
    /// It has its end.
    Over,
}

/// One call.
pub(super) struct Call {
    /// The tool's number; 0 where decisions named several.
    pub(super) tool: u32,
    pub(super) index: u32,
    /// A tool asked for it, not the model.
    nested: bool,
    pub(super) decision: PolicyDecision,
    pub(super) needs_person: bool,
    /// Who asks for people, if anybody does: law before the policy before the tool.
    asks: SuspendReason,
    pub(super) approval_by_tool: bool,
    /// People were to be asked, and have not approved since.
    unapproved: bool,
    /// People approved it, or made it of one that they changed.
    pub(super) approved: bool,
    /// It may be what people made of another call that a tool had made: its end says so, or that it is not.
    may_be_changed: bool,
    /// The last case about it that is decided.
    pub(super) case: Option<u64>,
    pub(super) exec_id: Option<Hash>,
    pub(super) stage: Stage,
}

impl Call {
    fn site(&self) -> Site {
        (self.nested, self.index, self.tool)
    }
}

/// A call of the model by its place in the answer.
struct Place {
    args_hash: Option<Hash>,
    is_over: bool,
}

/// Where a call stands: whether a tool made it, its place in the answer, and its tool.
type Site = (bool, u32, u32);

/// Calls of one site that people changed, and what they become is still to be decided. Tools make several calls of one site.
#[derive(Default)]
struct Changed {
    calls: Vec<Hash>,
    /// How many new calls of the site never came before the policy: each may have been one of these.
    refused: usize,
}

/// The calls since the model answered last.
#[derive(Default)]
pub(super) struct Calls {
    /// The step of the answer, and how many calls it has.
    answer: Option<(u64, u32)>,
    calls: HashMap<Hash, Call>,
    places: HashMap<u32, Place>,
    changed: HashMap<Site, Changed>,
}

impl Calls {
    /// The model has answered: what it had asked for before is over.
    pub(super) fn answered(&mut self, step: u64, calls: u32) {
        *self = Self { answer: Some((step, calls)), ..Self::default() };
    }

    /// Every call of the answer has its end, and every call that a tool made for it.
    pub(super) fn all_ended(&self) -> bool {
        let ended = |index| self.places.get(&index).is_some_and(|place| place.is_over);
        let nested_ended = |call: &Call| match call.stage {
            Stage::Open | Stage::Waiting | Stage::Refused | Stage::Stated => !call.nested,
            // What people changed goes on as another call. What is in doubt is another rule's affair.
            Stage::Changed | Stage::InDoubt | Stage::Retriable | Stage::Over => true,
        };
        self.answer.is_none_or(|(_, calls)| (0..calls).all(ended))
            && self.calls.values().all(nested_ended)
            && self.changed.iter().all(|(site, changed)| !site.0 || self.have_become(*site, changed))
    }

    /// Each call that people changed may have become another one.
    fn have_become(&self, site: Site, changed: &Changed) -> bool {
        let may_be = |call: &&Call| call.may_be_changed && call.site() == site;
        changed.calls.len() <= changed.refused + self.calls.values().filter(may_be).count()
    }

    /// How many executions may have begun that no record names.
    pub(super) fn may_have_begun(&self) -> u64 {
        let open = |call: &&Call| matches!(call.stage, Stage::Open | Stage::Waiting | Stage::Refused);
        let changed = self.changed.values().map(|changed| changed.calls.len());
        (self.calls.values().filter(open).count() + changed.sum::<usize>()) as u64
    }

    pub(super) fn get(&self, args_hash: &Hash) -> Option<&Call> {
        self.calls.get(args_hash)
    }

    /// A call that never came before the policy: it is over, and the model is told why.
    pub(super) fn refused(&mut self, parent: Option<u64>, index: u32, tool: u32) {
        let Some((step, calls)) = self.answer else { return };
        if parent != Some(step) {
            // A tool is told: if that is what people made of its call, it is over.
            if let Some(changed) = self.changed.get_mut(&(true, index, tool)) {
                changed.refused += 1;
            }
            return;
        }
        if index >= calls {
            return;
        }
        let place = self.places.entry(index).or_insert(Place { args_hash: None, is_over: false });
        let changed = |args_hash| self.calls.get(&args_hash).is_some_and(|call| call.stage == Stage::Changed);
        place.is_over |= place.args_hash.is_none_or(changed);
    }

    /// Takes a decision of the policy about `args_hash`. Which rule it breaks.
    pub(super) fn decided(
        &mut self,
        args_hash: Hash,
        parent: Option<u64>,
        tool: u32,
        policy: &PolicyEvaluate,
    ) -> Option<Rule> {
        let needs_person = policy.approval_by_law || policy.approval_by_policy || policy.approval_by_tool;
        let is_asked = policy.decision == PolicyDecision::RequiresApproval;
        let asks = match (policy.approval_by_law, policy.approval_by_policy) {
            (true, _) => SuspendReason::Law,
            (false, true) => SuspendReason::Policy,
            (false, false) => SuspendReason::Tool,
        };
        if let Some(call) = self.calls.get_mut(&args_hash) {
            let broken = match call.stage {
                Stage::Open => None,
                Stage::Retriable => {
                    call.stage = Stage::Open;
                    if let Some(place) = self.places.get_mut(&call.index).filter(|_| !call.nested) {
                        place.is_over = false;
                    }
                    None
                }
                // Nothing is decided while people are asked: another rule's affair.
                Stage::Waiting => None,
                Stage::Changed | Stage::Refused | Stage::Stated | Stage::InDoubt | Stage::Over => {
                    Some(Rule::TakenUpAgain)
                }
            };
            if call.tool != tool || call.index != policy.call_index {
                call.tool = 0;
            }
            call.unapproved |= is_asked;
            call.asks = asks;
            call.decision = policy.decision;
            // Once people were to be asked, no later decision does without them.
            call.needs_person = needs_person || call.unapproved;
            call.approval_by_tool = policy.approval_by_tool;
            return broken;
        }
        let (step, calls) = self.answer?;
        let nested = parent != Some(step);
        if nested {
            // A tool that makes a call is running.
            let caller = self.places.get(&policy.call_index).and_then(|place| place.args_hash);
            let caller = caller.and_then(|caller| self.calls.get(&caller))?;
            if caller.stage != Stage::Open || caller.decision != PolicyDecision::Allow {
                return None;
            }
        } else if policy.call_index >= calls {
            return None;
        }
        // A call of the model is told from others by its place. Which of a tool's calls this is, its end says.
        let site = (nested, policy.call_index, tool);
        let may_be_changed =
            nested && self.changed.get(&site).is_some_and(|changed| !changed.calls.is_empty());
        let before = match nested {
            true => None,
            false => self.changed.remove(&site).and_then(|mut changed| changed.calls.pop()),
        };
        let case = before.and_then(|before| self.calls.get(&before)).and_then(|before| before.case);
        let mut broken = None;
        if !nested {
            let place = Place { args_hash: Some(args_hash), is_over: false };
            if self.places.insert(policy.call_index, place).is_some() && before.is_none() {
                broken = Some(Rule::SameCall);
            }
        }
        let call = Call {
            tool,
            index: policy.call_index,
            nested,
            decision: policy.decision,
            needs_person,
            asks,
            approval_by_tool: policy.approval_by_tool,
            unapproved: is_asked,
            approved: before.is_some(),
            may_be_changed,
            case,
            exec_id: None,
            stage: Stage::Open,
        };
        self.calls.insert(args_hash, call);
        broken
    }

    /// Takes a case. Whether something asks for it.
    pub(super) fn waits(
        &mut self,
        args_hash: Hash,
        tool: u32,
        index: Option<u32>,
        reason: SuspendReason,
    ) -> bool {
        let Some(call) = self.calls.get_mut(&args_hash) else { return false };
        let asked = match reason {
            SuspendReason::Policy | SuspendReason::Tool | SuspendReason::Law => {
                call.stage == Stage::Open
                    && call.decision == PolicyDecision::RequiresApproval
                    && call.asks == reason
            }
            // The tool that asks is running.
            SuspendReason::Requested => call.stage == Stage::Open && call.decision == PolicyDecision::Allow,
            SuspendReason::InDoubt => call.stage == Stage::InDoubt,
        };
        let same = tool != 0 && call.tool == tool && index == Some(call.index);
        if call.stage == Stage::Open {
            call.stage = Stage::Waiting;
        }
        match reason {
            // Who approved it before approved it for nothing.
            SuspendReason::Policy | SuspendReason::Tool | SuspendReason::Law => {
                (call.case, call.approved) = (None, false);
            }
            SuspendReason::Requested => {}
            SuspendReason::InDoubt => call.case = None,
        }
        asked && same
    }

    /// People have decided the case of this number.
    pub(super) fn resolved(&mut self, args_hash: Hash, number: u64, outcome: Outcome) {
        let Some(call) = self.calls.get_mut(&args_hash) else { return };
        let (stage, stands) = match outcome {
            Outcome::Approved => {
                (call.unapproved, call.approved) = (false, true);
                (Stage::Open, true)
            }
            Outcome::Modified => {
                self.changed.entry(call.site()).or_default().calls.push(args_hash);
                (Stage::Changed, true)
            }
            Outcome::Rejected => (Stage::Refused, true),
            Outcome::Done | Outcome::NotDone => (Stage::Stated, true),
            Outcome::Answered => (Stage::Open, false),
            // The run ends, or goes on against another rule.
            Outcome::Halted | Outcome::Open | Outcome::Disagreed if call.stage == Stage::InDoubt => {
                (Stage::InDoubt, true)
            }
            Outcome::Halted | Outcome::Open | Outcome::Disagreed => (Stage::Open, true),
        };
        call.stage = stage;
        if stands {
            call.case = Some(number);
        }
    }

    /// Whether a call may end on this case: it is the last about it, or made the call of another one.
    pub(super) fn rests_on(&mut self, args_hash: Hash, case: u64) -> bool {
        let Some(call) = self.calls.get(&args_hash) else { return false };
        if call.case.is_some() || !call.may_be_changed {
            return call.case == Some(case);
        }
        let site = call.site();
        let of_case = |before: &Hash| self.calls.get(before).is_some_and(|call| call.case == Some(case));
        let Some(changed) = self.changed.get_mut(&site) else { return false };
        let Some(at) = changed.calls.iter().position(of_case) else { return false };
        changed.calls.remove(at);
        if let Some(call) = self.calls.get_mut(&args_hash) {
            (call.case, call.approved, call.may_be_changed) = (Some(case), true, false);
        }
        true
    }

    /// A call ends on nobody's decision: it is not what people made of another.
    pub(super) fn rests_on_nobody(&mut self, args_hash: Hash) {
        if let Some(call) = self.calls.get_mut(&args_hash) {
            call.may_be_changed = false;
        }
    }

    /// A call comes to an end, under `exec_id`. Whether it could.
    pub(super) fn ends(&mut self, args_hash: Hash, exec_id: Hash, effect: Effect, end: ToolOutcome) -> bool {
        let Some(call) = self.calls.get_mut(&args_hash) else { return true };
        let same = *call.exec_id.get_or_insert(exec_id) == exec_id;
        let (from, to) = match end {
            ToolOutcome::Ok
            | ToolOutcome::Error
            | ToolOutcome::NotApplied
            | ToolOutcome::OutputInvalid
            | ToolOutcome::Cancelled
            | ToolOutcome::CancellationTruncated => (Stage::Open, Stage::Over),
            ToolOutcome::Timeout | ToolOutcome::Panicked => match effect {
                Effect::Once => (Stage::Open, Stage::Over),
                Effect::Read | Effect::Idempotent => (Stage::Open, Stage::Retriable),
            },
            ToolOutcome::InDoubt => (Stage::Open, Stage::InDoubt),
            ToolOutcome::Rejected => (Stage::Refused, Stage::Over),
            ToolOutcome::DoneByStatement | ToolOutcome::NotDoneByStatement => (Stage::Stated, Stage::Over),
            // So ends what a tool asked for and, when it ran again, asked for no more. No loop says it of a call of the model.
            ToolOutcome::NotRun if !call.nested => return same,
            ToolOutcome::NotRun if call.stage == Stage::Changed => {
                if let Some(changed) = self.changed.get_mut(&call.site()) {
                    changed.calls.retain(|one| *one != args_hash);
                }
                (Stage::Changed, Stage::Over)
            }
            ToolOutcome::NotRun => (Stage::Open, Stage::Over),
        };
        let could = call.stage == from;
        call.stage = to;
        let (nested, index) = (call.nested, call.index);
        if !nested && let Some(place) = self.places.get_mut(&index) {
            place.is_over = place.args_hash == Some(args_hash) && to != Stage::InDoubt;
        }
        same && could
    }
}
