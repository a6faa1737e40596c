//! A case: what the people of its slots were asked, what they said, and what that comes to. Means the same as where the loop resolves a
//! case, and says it a second time.

use std::collections::{HashMap, HashSet};

use crate::hash::Hash;
use crate::name::Name;
use crate::sign::KeyId;
use crate::span::{HumanDecision, OversightSuspend};
use crate::time::Timestamp;
use crate::vocab::{DecisionOutcome, OversightAction, SuspendReason, ToolOutcome};

/// What the decisions about a case come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The call may run as it is.
    Approved,
    /// It may run with other arguments.
    Modified,
    /// It may not run.
    Rejected,
    /// The run ends.
    Halted,
    /// A call in doubt happened.
    Done,
    /// A call in doubt did not happen.
    NotDone,
    /// The question of a tool has its answer, whatever it is. Nobody decided about the tool itself.
    Answered,
    /// A slot is not decided.
    Open,
    /// The slots want different things.
    Disagreed,
}

impl Outcome {
    /// Whether a call may end so on these decisions.
    pub(super) const fn bears(self, end: ToolOutcome) -> bool {
        match end {
            ToolOutcome::DoneByStatement => matches!(self, Self::Done),
            ToolOutcome::NotDoneByStatement => matches!(self, Self::NotDone),
            ToolOutcome::Rejected => matches!(self, Self::Rejected),
            ToolOutcome::Ok
            | ToolOutcome::Error
            | ToolOutcome::NotApplied
            | ToolOutcome::OutputInvalid
            | ToolOutcome::Panicked
            | ToolOutcome::Timeout
            | ToolOutcome::Cancelled
            | ToolOutcome::CancellationTruncated
            | ToolOutcome::InDoubt
            | ToolOutcome::NotRun => matches!(self, Self::Approved | Self::Modified),
        }
    }
}

/// One case, from its first token to the resume.
pub(super) struct Case {
    asked: OversightSuspend,
    slots: HashSet<u32>,
    people: HashSet<Name>,
    keys: HashSet<KeyId>,
    /// The steps of the decisions that count, and what they say.
    said: Vec<(u64, OversightAction)>,
    voided: bool,
}

impl Case {
    pub(super) fn new(asked: &OversightSuspend) -> Self {
        Self {
            asked: asked.clone(),
            slots: HashSet::new(),
            people: HashSet::new(),
            keys: HashSet::new(),
            said: Vec::new(),
            voided: false,
        }
    }

    /// Takes a token of this case. Whether it is of a slot of its own, and says otherwise what the first one says.
    pub(super) fn slot(&mut self, token: &OversightSuspend) -> bool {
        let first = &self.asked;
        let same = token.of == first.of
            && token.reason == first.reason
            && token.tool == first.tool
            && token.call_index == first.call_index
            && token.expires_at == first.expires_at;
        self.slots.insert(token.slot) && same
    }

    /// Every slot has its token.
    pub(super) fn is_issued(&self) -> bool {
        u32::try_from(self.slots.len()) == Ok(self.asked.of)
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        self.asked.expires_at
    }

    /// Which decisions answer what is waited for.
    pub(super) fn fits(&self, action: OversightAction) -> bool {
        use OversightAction as A;
        match action {
            A::Halt => true,
            A::Approve | A::Reject => self.asked.reason != SuspendReason::InDoubt,
            A::Modify => !matches!(self.asked.reason, SuspendReason::InDoubt | SuspendReason::Requested),
            A::Done | A::NotDone => self.asked.reason == SuspendReason::InDoubt,
            A::Withdraw | A::Escalate => false,
        }
    }

    /// Whoever decides needs the training of the run's plan: where the agent asks, not where the policy or a tool does.
    pub(super) const fn asks_training(&self) -> bool {
        match self.asked.reason {
            SuspendReason::Law | SuspendReason::Requested | SuspendReason::InDoubt => true,
            SuspendReason::Policy | SuspendReason::Tool => false,
        }
    }

    /// Takes a decision that fits. Whether it is of a person and of a key that have not decided in this case.
    pub(super) fn decide(&mut self, step: u64, human: &HumanDecision) -> bool {
        if human.outcome == DecisionOutcome::Voided {
            self.voided = true;
            return true;
        }
        self.said.push((step, human.action));
        self.people.insert(human.overseer.clone()) & self.keys.insert(human.key_id)
    }

    fn has(&self, action: OversightAction) -> bool {
        self.said.iter().any(|(_, said)| *said == action)
    }

    pub(super) fn halts(&self) -> bool {
        self.has(OversightAction::Halt)
    }

    /// What was set aside was set aside because somebody changed the call.
    pub(super) fn voids_rightly(&self) -> bool {
        !self.voided || self.has(OversightAction::Modify)
    }

    /// The steps of the decisions that count.
    pub(super) fn steps(&self) -> impl Iterator<Item = u64> {
        self.said.iter().map(|(step, _)| *step)
    }

    /// What the decisions come to. One halt ends the run whatever its other cases wait for, and one refusal decides a case alone.
    pub(super) fn outcome(&self, halted: bool) -> Outcome {
        let answers = self.asked.reason == SuspendReason::Requested;
        if halted || self.halts() {
            return Outcome::Halted;
        }
        if self.has(OversightAction::Reject) {
            return if answers { Outcome::Answered } else { Outcome::Rejected };
        }
        let filled = u32::try_from(self.said.len()) == Ok(self.asked.of);
        let Some((_, first)) = self.said.first().filter(|_| filled) else { return Outcome::Open };
        if self.said.iter().any(|(_, said)| said != first) {
            return Outcome::Disagreed;
        }
        match first {
            OversightAction::Approve if answers => Outcome::Answered,
            OversightAction::Approve => Outcome::Approved,
            OversightAction::Modify => Outcome::Modified,
            OversightAction::Reject => Outcome::Rejected,
            OversightAction::Halt => Outcome::Halted,
            OversightAction::Done => Outcome::Done,
            OversightAction::NotDone => Outcome::NotDone,
            // Fit nothing.
            OversightAction::Withdraw | OversightAction::Escalate => Outcome::Open,
        }
    }
}

/// What a run waits for: one suspension.
#[derive(Default)]
pub(super) struct Wait {
    /// By the arguments: one call waits once at a time.
    pub(super) cases: HashMap<Hash, Case>,
    /// Each token's case.
    pub(super) tokens: HashMap<Hash, Hash>,
    /// Something other than a token came: no token comes any more.
    pub(super) is_issued: bool,
}

impl Wait {
    /// The case of a token.
    pub(super) fn case(&mut self, token: Hash) -> Option<(Hash, &mut Case)> {
        let args_hash = *self.tokens.get(&token)?;
        Some((args_hash, self.cases.get_mut(&args_hash)?))
    }
}
