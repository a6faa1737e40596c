//! Waiting for people, what they say, and taking the run up again.

use super::Rules;
use super::case::{Case, Outcome, Wait};
use super::rule::Rule;
use super::start::Start;
use crate::record::Entry;
use crate::span::{HumanDecision, OversightSuspend, RunResume, Span};
use crate::vocab::ResumeCause;

impl Rules {
    pub(super) fn suspend(&mut self, entry: &Entry, suspend: &OversightSuspend) {
        let ahead = self.ended.is_none_or(|ended| suspend.expires_at >= ended);
        self.rule(ahead, entry, Rule::ExpiresAhead);
        self.rule(suspend.epoch == self.epoch(), entry, Rule::EpochGrows);
        self.rule(self.start_says(Start::can_wait), entry, Rule::AbleToWait);
        // Its arguments name the case. What waits for no call waits for nothing that was asked for.
        let args_hash = suspend.args_hash.unwrap_or(suspend.token_hash);
        let wait = self.wait.get_or_insert_default();
        let is_new = !wait.cases.contains_key(&args_hash);
        let case = wait.cases.entry(args_hash).or_insert_with(|| Case::new(suspend));
        let fits = case.slot(suspend) && !wait.is_issued && self.issued.insert(suspend.token_hash);
        wait.tokens.insert(suspend.token_hash, args_hash);
        self.rule(fits, entry, Rule::Slots);
        if is_new {
            let tool = suspend.tool.as_ref().and_then(|tool| self.tools.get(tool));
            let tool = tool.map_or(0, |declared| declared.number);
            let grounded = self.calls.waits(args_hash, tool, suspend.call_index, suspend.reason);
            self.rule(grounded, entry, Rule::WaitGrounded);
        }
    }

    /// Where something else than a token comes, all tokens are there.
    pub(super) fn issued(&mut self, entry: &Entry) {
        let Some(wait) = &mut self.wait else { return };
        if wait.is_issued || matches!(entry.span, Span::OversightSuspend(_)) {
            return;
        }
        wait.is_issued = true;
        let all = wait.cases.values().all(Case::is_issued);
        self.rule(all, entry, Rule::Slots);
    }

    pub(super) fn human(&mut self, entry: &Entry, human: &HumanDecision) {
        let first = self.answered.insert(human.token_hash);
        self.rule(first, entry, Rule::TokenOnce);
        let first = self.decisions.insert(human.decision_hash);
        self.rule(first, entry, Rule::DecisionOnce);
        self.rule(self.start_says(|start| start.is_independent(human)), entry, Rule::IndependentPeople);
        let registered = self.is_registered(human);
        let asks_training = self.start.as_ref().is_some_and(|start| start.asks_training);
        let Some((args_hash, case)) = self.wait.as_mut().and_then(|wait| wait.case(human.token_hash)) else {
            self.rule(false, entry, Rule::TokenKnown);
            return;
        };
        let in_time = entry.ended_at <= case.expires_at();
        let fits = case.fits(human.action);
        let distinct = (!fits || case.decide(entry.step_id, human)) && registered;
        let trained = human.training.is_some() || !(asks_training && case.asks_training());
        self.rule(human.args_hash.unwrap_or(human.token_hash) == args_hash, entry, Rule::SameArguments);
        self.rule(in_time, entry, Rule::InTime);
        self.rule(fits, entry, Rule::ActionFits);
        self.rule(distinct, entry, Rule::DistinctPeople);
        self.rule(trained, entry, Rule::Trained);
    }

    /// Whoever decided has the key that they had, and nobody else has it.
    fn is_registered(&mut self, human: &HumanDecision) -> bool {
        let key = *self.keys.entry(human.overseer.clone()).or_insert(human.key_id);
        let person = self.people.entry(human.key_id).or_insert_with(|| human.overseer.clone());
        key == human.key_id && *person == human.overseer
    }

    /// A run begins at epoch 1.
    fn epoch(&self) -> u64 {
        self.epoch.unwrap_or(1)
    }

    pub(super) fn resume(&mut self, entry: &Entry, resume: &RunResume) {
        self.rule(resume.epoch > self.epoch(), entry, Rule::EpochGrows);
        self.rule(self.start_says(Start::has_store), entry, Rule::AbleToWait);
        self.epoch = Some(resume.epoch);
        self.bundle = Some(resume.bundle_hash);
        self.engine = None;
        self.model.resumed();
        let wait = self.wait.take();
        match resume.cause {
            ResumeCause::Decision => match wait {
                Some(wait) => self.resolve(entry, &wait),
                None => self.rule(false, entry, Rule::AllSlots),
            },
            ResumeCause::Recovery => {
                self.rule(wait.is_none(), entry, Rule::Waiting);
                self.owes_gap = true;
            }
        }
    }

    /// What people decided, case by case.
    fn resolve(&mut self, entry: &Entry, wait: &Wait) {
        let halted = wait.cases.values().any(Case::halts);
        let outcomes: Vec<_> =
            wait.cases.iter().map(|(args_hash, case)| (*args_hash, case, case.outcome(halted))).collect();
        let none = |wanted: Outcome| outcomes.iter().all(|(_, _, outcome)| *outcome != wanted);
        self.rule(none(Outcome::Open), entry, Rule::AllSlots);
        self.rule(none(Outcome::Disagreed), entry, Rule::SameAction);
        let voided = wait.cases.values().all(Case::voids_rightly);
        self.rule(voided, entry, Rule::VoidedByChange);
        self.ends.halted |= halted;
        for (args_hash, case, outcome) in outcomes {
            self.cases += 1;
            // What a person found out is known, though the run ends before it says so of the call.
            if matches!(case.outcome(false), Outcome::Done | Outcome::NotDone)
                && let Some(exec_id) = self.calls.get(&args_hash).and_then(|call| call.exec_id)
            {
                self.doubts.remove(&exec_id);
            }
            self.calls.resolved(args_hash, self.cases, outcome);
            self.decided.extend(case.steps().map(|step| (step, (self.cases, outcome))));
        }
    }
}
