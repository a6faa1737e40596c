//! Runs that whoever has the run's key could write: intact, signed, and telling of something that people never let happen. And beside
//! them what the loop really writes in such a place.

use super::*;

/// Rules that are broken here.
pub(super) const RULES: &[Rule] = &[
    Rule::SameCall,
    Rule::TakenUpAgain,
    Rule::CallEnded,
    Rule::Slots,
    Rule::DecisionOnce,
    Rule::InTime,
    Rule::ActionFits,
    Rule::SameAction,
    Rule::VoidedByChange,
    Rule::RecoveryGap,
    Rule::DriftAcknowledged,
    Rule::AfterEnd,
    Rule::EndedWaiting,
];

/// A run, written step by step. Steps are counted from 1.
pub(super) struct Tale {
    pub(super) spans: Vec<Span>,
    /// Which step asked for a call that a tool made.
    parents: Vec<(u64, u64)>,
    /// Two steps that change their numbers.
    swapped: Option<(u64, u64)>,
    tokens: u32,
    epoch: u64,
    pub(super) status: RunStatus,
    pub(super) art22: Art22,
    /// Law asks for people, not the policy: the run is one of Annex III.
    pub(super) by_law: bool,
}

/// The arguments of a call, by its number; its place in the turn is the same.
fn args(call: u32) -> Hash {
    sha256(format!("the arguments of call {call}").as_bytes())
}

fn exec(call: u32) -> Hash {
    sha256(format!("execution {call}").as_bytes())
}

use OversightAction as A;
use PolicyDecision::{Allow, RequiresApproval};

impl Tale {
    /// The model has asked for so many calls.
    pub(super) fn new(calls: u32) -> Self {
        let mut tale = Self {
            spans: vec![],
            parents: vec![],
            swapped: None,
            tokens: 0,
            epoch: 1,
            status: RunStatus::Completed,
            art22: Art22::ContractNecessity,
            by_law: true,
        };
        tale.asks(calls);
        tale
    }

    /// The model has asked for one call, and one person has approved it: the step of the decision.
    pub(super) fn approved() -> (Self, u64) {
        let mut tale = Self::new(1);
        let said = tale.decided_by_people(0, &[A::Approve]);
        (tale, said[0])
    }

    pub(super) fn add(&mut self, span: impl Into<Span>) -> u64 {
        self.spans.push(span.into());
        self.spans.len() as u64
    }

    pub(super) fn asks(&mut self, calls: u32) -> u64 {
        self.add(with(generate(0, Hash::ZERO), |s| asked(s).tool_calls = calls))
    }

    pub(super) fn policy(
        &mut self,
        decision: PolicyDecision,
        call: u32,
        change: impl FnOnce(&mut PolicyEvaluate),
    ) -> u64 {
        let by_law = self.by_law;
        self.add(with(evaluate(decision, args(call)), |s| {
            let policy = policy(s);
            (policy.call_index, policy.approval_by_law, policy.approval_by_policy) = (call, by_law, !by_law);
            change(policy);
        }))
    }

    pub(super) fn decide(&mut self, decision: PolicyDecision, call: u32) -> u64 {
        self.policy(decision, call, |_| ())
    }

    pub(super) fn suspend(
        &mut self,
        call: u32,
        slot: u32,
        of: u32,
        change: impl FnOnce(&mut OversightSuspend),
    ) -> u32 {
        self.tokens += 1;
        let (number, epoch) = (self.tokens, self.epoch);
        let reason = if self.by_law { SuspendReason::Law } else { SuspendReason::Policy };
        self.add(with(suspend(args(call), slot, of), |s| {
            token(s, number);
            let waits = super::waits(s);
            (waits.call_index, waits.epoch) = (Some(call), epoch);
            waits.reason = reason;
            change(waits);
        }));
        number
    }

    pub(super) fn waits(&mut self, call: u32, of: u32) -> Vec<u32> {
        (0..of).map(|slot| self.suspend(call, slot, of, |_| ())).collect()
    }

    pub(super) fn person(
        &mut self,
        call: u32,
        number: u32,
        action: A,
        change: impl FnOnce(&mut HumanDecision),
    ) -> u64 {
        self.add(with(decision(args(call)), |s| {
            token(s, number);
            let human = human(s);
            human.overseer = name(&format!("overseer-{number}"));
            human.key_id = sha256(&number.to_be_bytes());
            (human.action, human.edited) = (action, action == A::Modify);
            human.modified_args_hash = human.edited.then(|| sha256(b"what they want"));
            change(human);
        }))
    }

    pub(super) fn says(&mut self, call: u32, number: u32, action: A) -> u64 {
        self.person(call, number, action, |_| ())
    }

    pub(super) fn resumes(&mut self, cause: ResumeCause) {
        self.epoch += 1;
        let (bundle_hash, epoch) = (sha256(b"bundle"), self.epoch);
        let segment = u32::try_from(epoch).unwrap() - 1;
        self.add(RunResume { bundle_hash, cause, epoch, segment });
        if cause == ResumeCause::Recovery {
            self.add(RunGap { what: Gap::Process, exec_id: None });
        }
    }

    /// The policy asks for people, and one for each action says it. Their steps.
    pub(super) fn decided_by_people(&mut self, call: u32, actions: &[A]) -> Vec<u64> {
        self.decide(RequiresApproval, call);
        let tokens = self.waits(call, u32::try_from(actions.len()).unwrap());
        let said =
            tokens.iter().zip(actions).map(|(token, action)| self.says(call, *token, *action)).collect();
        self.resumes(ResumeCause::Decision);
        said
    }

    pub(super) fn tool(
        &mut self,
        call: u32,
        approval: Option<u64>,
        outcome: ToolOutcome,
        change: impl FnOnce(&mut ToolExecute),
    ) -> u64 {
        self.add(with(execute(args(call)), |s| {
            let tool = super::tool(s);
            (tool.call_index, tool.exec_id) = (call, exec(call));
            (tool.approval_step, tool.outcome) = (approval, outcome);
            change(tool);
        }))
    }

    pub(super) fn ends(&mut self, call: u32, approval: Option<u64>, outcome: ToolOutcome) -> u64 {
        self.tool(call, approval, outcome, |_| ())
    }

    /// Allowed once more, and done.
    pub(super) fn done(&mut self, call: u32, approval: u64) {
        self.decide(Allow, call);
        self.ends(call, Some(approval), ToolOutcome::Ok);
    }

    /// The model gives its answer, and the run completes.
    pub(super) fn answers(&mut self) {
        self.add(answer(9));
    }

    /// A tool makes call 5, that waits, and one person says something about it; the tool runs again. The step of what was said.
    pub(super) fn nested(action: A) -> (Self, u64) {
        let mut t = Self::new(1);
        t.policy(Allow, 0, |policy| policy.approval_by_law = false);
        t.nested_decided(RequiresApproval);
        let token = t.suspend(0, 0, 1, |waits| {
            (waits.args_hash, waits.tool) = (Some(args(5)), Some(name("nested")));
        });
        let said = t.person(0, token, action, |human| human.args_hash = Some(args(5)));
        t.resumes(ResumeCause::Decision);
        t.policy(Allow, 0, |policy| policy.approval_by_law = false);
        t.art22 = Art22::None;
        (t, said)
    }

    pub(super) fn nested_decided(&mut self, decision: PolicyDecision) {
        let by_law = self.by_law;
        let asked = self.policy(decision, 0, |policy| {
            (policy.args_hash, policy.tool) = (Some(args(5)), Some(name("nested")));
            policy.approval_by_policy = !by_law && decision == RequiresApproval;
        });
        // The step of the caller, which is not recorded yet.
        self.parents.push((asked, 0));
    }

    pub(super) fn nested_ends(&mut self, approval: Option<u64>, outcome: ToolOutcome, effect: Effect) {
        self.tool(0, approval, outcome, |tool| {
            (tool.args_hash, tool.exec_id, tool.tool) = (args(5), exec(5), name("nested"));
            tool.effect = effect;
        });
    }

    /// The tool that made the call is done.
    pub(super) fn caller_ends(&mut self) {
        self.tool(0, None, ToolOutcome::Ok, |tool| tool.effect = Effect::Read);
    }

    pub(super) fn broken(self) -> Vec<Rule> {
        let Self { spans, parents, swapped, status, art22, by_law, .. } = self;
        let common = Box::new(move |common: &mut Common| {
            common.art22 = art22;
            if !by_law {
                (common.annex_iii, common.art22) = (AnnexIii::None, Art22::None);
            }
        });
        let start = Box::new(|_: &mut AgentInvoke| {});
        broken(Story { common, start, refused: false, spans, status, parents, swapped, ends: None })
    }
}

pub(super) fn completed(tale: impl FnOnce(&mut Tale) -> Option<Tale>) -> Tale {
    let mut fresh = Tale::new(1);
    let mut told = tale(&mut fresh).unwrap_or(fresh);
    told.answers();
    told
}

/// A run that breaks `rule` where it first breaks one.
#[track_caller]
pub(super) fn forged(rule: Rule, tale: impl FnOnce(&mut Tale) -> Option<Tale>) {
    let found = completed(tale).broken();
    assert_eq!(found.first(), Some(&rule), "{found:?}");
}

/// A run as the loop writes it.
#[track_caller]
pub(super) fn honest(tale: impl FnOnce(&mut Tale) -> Option<Tale>) {
    assert_eq!(completed(tale).broken(), []);
}

#[test]
fn a_case_comes_to_what_the_loop_makes_of_it() {
    // One of two refuses, and the tool runs on what the other said.
    forged(Rule::TakenUpAgain, |t| {
        let said = t.decided_by_people(0, &[A::Approve, A::Reject]);
        t.done(0, said[0]);
        None
    });
    forged(Rule::ApprovedByDecision, |t| {
        let said = t.decided_by_people(0, &[A::Approve, A::Reject]);
        t.ends(0, Some(said[0]), ToolOutcome::Ok);
        None
    });
    // One wants other arguments than the other.
    forged(Rule::SameAction, |t| {
        let said = t.decided_by_people(0, &[A::Approve, A::Modify]);
        t.done(0, said[0]);
        None
    });
    // The loop names the last decision of the case, whatever that says.
    honest(|t| {
        let said = t.decided_by_people(0, &[A::Reject, A::Approve]);
        t.ends(0, Some(said[1]), ToolOutcome::Rejected);
        t.status = RunStatus::OversightMissing;
        None
    });
    honest(|t| {
        let said = t.decided_by_people(0, &[A::Approve, A::Approve, A::Approve]);
        t.done(0, said[2]);
        None
    });
    // A refusal that nobody counts.
    forged(Rule::AllSlots, |t| {
        t.decide(RequiresApproval, 0);
        let tokens = t.waits(0, 2);
        t.person(0, tokens[0], A::Reject, |human| human.outcome = DecisionOutcome::Voided);
        let said = t.says(0, tokens[1], A::Approve);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        None
    });
    let voided = completed(|t| {
        t.decide(RequiresApproval, 0);
        let tokens = t.waits(0, 2);
        t.person(0, tokens[0], A::Approve, |human| human.outcome = DecisionOutcome::Voided);
        t.says(0, tokens[1], A::Reject);
        t.resumes(ResumeCause::Decision);
        t.ends(0, Some(6), ToolOutcome::Rejected);
        t.status = RunStatus::OversightMissing;
        None
    });
    assert_eq!(voided.broken(), [Rule::VoidedByChange]);
    // And another token in its place.
    forged(Rule::Slots, |t| {
        t.decide(RequiresApproval, 0);
        let token = t.waits(0, 1)[0];
        t.person(0, token, A::Reject, |human| human.outcome = DecisionOutcome::Voided);
        let token = t.waits(0, 1)[0];
        let said = t.says(0, token, A::Approve);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        None
    });
    for action in [A::Escalate, A::Withdraw, A::Done, A::NotDone] {
        forged(Rule::ActionFits, |t| {
            let said = t.decided_by_people(0, &[action]);
            t.done(0, said[0]);
            None
        });
    }
}

#[test]
fn the_tokens_of_a_case_are_of_one_case() {
    let slots = |change: fn(&mut OversightSuspend)| {
        forged(Rule::Slots, |t| {
            t.decide(RequiresApproval, 0);
            let first = t.suspend(0, 0, 2, |_| ());
            let second = t.suspend(0, 1, 2, change);
            let said = [first, second].map(|token| t.says(0, token, A::Approve));
            t.resumes(ResumeCause::Decision);
            t.done(0, said[1]);
            None
        });
    };
    slots(|waits| (waits.slot, waits.of) = (0, 1));
    slots(|waits| waits.slot = 0);
    slots(|waits| waits.reason = SuspendReason::Policy);
    slots(|waits| waits.tool = Some(name("another")));
    slots(|waits| waits.call_index = Some(3));
    slots(|waits| waits.expires_at = at(2_000_000_000_000));
    // One of two slots has no token.
    forged(Rule::Slots, |t| {
        t.decide(RequiresApproval, 0);
        let token = t.suspend(0, 0, 2, |_| ());
        t.says(0, token, A::Reject);
        t.resumes(ResumeCause::Decision);
        None
    });
    // One token in two records.
    forged(Rule::Slots, |t| {
        t.decide(RequiresApproval, 0);
        let number = t.suspend(0, 0, 2, |_| ());
        let again = sha256(format!("token {number}").as_bytes());
        t.suspend(0, 1, 2, |waits| waits.token_hash = again);
        t.says(0, number, A::Reject);
        t.resumes(ResumeCause::Decision);
        None
    });
    // One decision in two records, under two names.
    forged(Rule::DecisionOnce, |t| {
        t.decide(RequiresApproval, 0);
        let tokens = t.waits(0, 2);
        for token in &tokens {
            t.person(0, *token, A::Approve, |human| human.decision_hash = sha256(b"one decision"));
        }
        t.resumes(ResumeCause::Decision);
        t.done(0, 6);
        None
    });
    forged(Rule::InTime, |t| {
        t.decide(RequiresApproval, 0);
        let token = t.suspend(0, 0, 1, |waits| waits.expires_at = at(39));
        let said = t.says(0, token, A::Approve);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        None
    });
    // What waits is what was decided about.
    for change in [
        (|waits| waits.tool = Some(name("another"))) as fn(&mut OversightSuspend),
        |waits| waits.call_index = Some(7),
        |waits| (waits.tool, waits.call_index, waits.args_hash) = (None, None, None),
    ] {
        forged(Rule::WaitGrounded, |t| {
            t.decide(RequiresApproval, 0);
            let token = t.suspend(0, 0, 1, change);
            let said = t.says(0, token, A::Approve);
            t.resumes(ResumeCause::Decision);
            t.done(0, said);
            None
        });
    }
}

#[test]
fn an_approval_is_of_one_call() {
    // Another execution of it.
    forged(Rule::TakenUpAgain, |_| {
        let (mut t, said) = Tale::approved();
        t.done(0, said);
        t.tool(0, Some(said), ToolOutcome::Ok, |tool| tool.exec_id = exec(7));
        Some(t)
    });
    forged(Rule::TakenUpAgain, |_| {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        t.tool(0, Some(said), ToolOutcome::Timeout, |tool| tool.effect = Effect::Idempotent);
        t.decide(Allow, 0);
        t.tool(0, Some(said), ToolOutcome::Ok, |tool| {
            (tool.effect, tool.attempt, tool.exec_id) = (Effect::Idempotent, 2, exec(7));
        });
        Some(t)
    });
    // A repeat is the same execution.
    honest(|_| {
        let (mut t, said) = Tale::approved();
        for (attempt, outcome) in (1..).zip([ToolOutcome::Timeout, ToolOutcome::Panicked, ToolOutcome::Ok]) {
            t.decide(Allow, 0);
            t.tool(0, Some(said), outcome, |tool| {
                (tool.effect, tool.attempt) = (Effect::Idempotent, attempt);
            });
        }
        Some(t)
    });
    // In a later turn.
    forged(Rule::ApprovedByDecision, |_| {
        let (mut t, said) = Tale::approved();
        t.done(0, said);
        t.asks(1);
        t.decide(Allow, 0);
        t.tool(0, Some(said), ToolOutcome::Ok, |tool| tool.exec_id = exec(7));
        Some(t)
    });
    // A change is of one call, too.
    forged(Rule::ApprovedByDecision, |_| {
        let mut t = Tale::new(2);
        let said = t.decided_by_people(0, &[A::Modify])[0];
        t.policy(Allow, 5, |policy| policy.call_index = 0);
        t.tool(5, Some(said), ToolOutcome::Ok, |tool| tool.call_index = 0);
        t.policy(Allow, 1, |policy| policy.tool = Some(name("dismiss")));
        t.tool(1, Some(said), ToolOutcome::Ok, |tool| tool.tool = name("dismiss"));
        Some(t)
    });
    // What they changed does not run as it was.
    forged(Rule::TakenUpAgain, |t| {
        let said = t.decided_by_people(0, &[A::Modify])[0];
        t.done(0, said);
        None
    });
    honest(|t| {
        let said = t.decided_by_people(0, &[A::Modify])[0];
        t.policy(Allow, 5, |policy| policy.call_index = 0);
        t.tool(5, Some(said), ToolOutcome::Ok, |tool| tool.call_index = 0);
        None
    });
    // An answer to a tool's question is not an approval of the tool.
    let question = |waits: &mut OversightSuspend| waits.reason = SuspendReason::Requested;
    forged(Rule::ApprovedByDecision, |t| {
        t.decide(Allow, 0);
        let token = t.suspend(0, 0, 1, question);
        let said = t.says(0, token, A::Approve);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        None
    });
    honest(|_| {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        let token = t.suspend(0, 0, 1, question);
        t.says(0, token, A::Reject);
        t.resumes(ResumeCause::Decision);
        t.done(0, said);
        Some(t)
    });
    // The policy asks once more, and other people decide.
    honest(|_| {
        let (mut t, _) = Tale::approved();
        let said = t.decided_by_people(0, &[A::Approve, A::Approve]);
        t.done(0, said[1]);
        Some(t)
    });
    forged(Rule::ApprovedByDecision, |_| {
        let (mut t, first) = Tale::approved();
        t.decided_by_people(0, &[A::Approve, A::Approve]);
        t.done(0, first);
        Some(t)
    });
}

#[test]
fn a_call_that_needs_people_does_not_run_without_them() {
    forged(Rule::Approved, |t| {
        t.by_law = false;
        t.decide(RequiresApproval, 0);
        t.policy(Allow, 0, |policy| policy.approval_by_policy = false);
        t.ends(0, None, ToolOutcome::Ok);
        None
    });
    // People approved it, and it does not rest on them.
    forged(Rule::Approved, |t| {
        t.by_law = false;
        t.decided_by_people(0, &[A::Approve]);
        t.policy(Allow, 0, |policy| policy.approval_by_policy = false);
        t.ends(0, None, ToolOutcome::Ok);
        None
    });
    // Nor as another call: at its place in the turn, or as one that a tool made.
    forged(Rule::SameCall, |t| {
        t.by_law = false;
        t.decide(RequiresApproval, 0);
        t.policy(Allow, 5, |policy| (policy.call_index, policy.approval_by_policy) = (0, false));
        t.tool(5, None, ToolOutcome::Ok, |tool| tool.call_index = 0);
        None
    });
    forged(Rule::Decided, |t| {
        t.by_law = false;
        t.decide(RequiresApproval, 0);
        let step = t.policy(Allow, 5, |policy| (policy.call_index, policy.approval_by_policy) = (0, false));
        t.parents.push((step, 0));
        t.tool(5, None, ToolOutcome::Ok, |tool| tool.call_index = 0);
        None
    });
}

#[test]
fn a_tool_is_the_same_throughout() {
    // In one answer.
    for change in [
        |tool: &mut ToolExecute| tool.effect = Effect::Idempotent,
        |tool: &mut ToolExecute| tool.classification = Classification::SpecialCategory,
    ] {
        forged(Rule::SameDeclaration, |_| {
            let mut t = Tale::new(2);
            let said = t.decided_by_people(0, &[A::Approve])[0];
            t.done(0, said);
            let said = t.decided_by_people(1, &[A::Approve])[0];
            t.decide(Allow, 1);
            t.tool(1, Some(said), ToolOutcome::Ok, change);
            Some(t)
        });
    }
    // In a later one, where people refused it.
    let later = |classification| {
        completed(|_| {
            let (mut t, said) = Tale::approved();
            t.done(0, said);
            t.asks(1);
            t.policy(RequiresApproval, 5, |policy| policy.call_index = 0);
            let token = t.suspend(5, 0, 1, |waits| waits.call_index = Some(0));
            let said = t.says(5, token, A::Reject);
            t.resumes(ResumeCause::Decision);
            t.tool(5, Some(said), ToolOutcome::Rejected, |tool| {
                (tool.call_index, tool.classification) = (0, classification);
            });
            t.status = RunStatus::OversightMissing;
            Some(t)
        })
    };
    assert_eq!(later(Classification::Public).broken(), [Rule::SameDeclaration]);
    assert_eq!(later(Classification::Personal).broken(), []);
    // What did not run was refused under its own name, too, and at its own place.
    for change in [
        |tool: &mut ToolExecute| tool.tool = name("another"),
        |tool: &mut ToolExecute| {
            tool.call_index = 1;
        },
    ] {
        forged(Rule::SameTool, |t| {
            let said = t.decided_by_people(0, &[A::Reject])[0];
            t.tool(0, Some(said), ToolOutcome::Rejected, change);
            t.status = RunStatus::OversightMissing;
            None
        });
    }
    // Law asked for a person, and then no more.
    forged(Rule::SameDeclaration, |_| {
        let (mut t, said) = Tale::approved();
        t.policy(Allow, 0, |policy| policy.approval_by_law = false);
        t.ends(0, Some(said), ToolOutcome::Ok);
        Some(t)
    });
    // Another tool is another.
    honest(|_| {
        let mut t = Tale::new(2);
        let said = t.decided_by_people(0, &[A::Approve])[0];
        t.done(0, said);
        t.policy(Allow, 1, |policy| (policy.tool, policy.approval_by_law) = (Some(name("look")), false));
        t.tool(1, None, ToolOutcome::Ok, |tool| {
            (tool.tool, tool.effect, tool.classification) =
                (name("look"), Effect::Read, Classification::Public);
        });
        Some(t)
    });
}

#[test]
fn what_people_decided_has_its_end() {
    // Refused, and asked once more until somebody approves.
    forged(Rule::TakenUpAgain, |t| {
        t.decided_by_people(0, &[A::Reject]);
        let said = t.decided_by_people(0, &[A::Approve])[0];
        t.done(0, said);
        None
    });
    // A model that was told may ask again: that is another call.
    honest(|t| {
        let said = t.decided_by_people(0, &[A::Reject])[0];
        t.ends(0, Some(said), ToolOutcome::Rejected);
        t.asks(1);
        let mut again = t.policy(RequiresApproval, 0, |policy| policy.args_hash = Some(args(5)));
        let token = t.suspend(0, 0, 1, |waits| waits.args_hash = Some(args(5)));
        again = t.person(0, token, A::Approve, |human| human.args_hash = Some(args(5))).max(again);
        t.resumes(ResumeCause::Decision);
        t.policy(Allow, 0, |policy| policy.args_hash = Some(args(5)));
        t.tool(0, Some(again), ToolOutcome::Ok, |tool| (tool.args_hash, tool.exec_id) = (args(5), exec(5)));
        None
    });
    // The last call was refused, or approved, and that is all.
    for action in [A::Reject, A::Approve, A::Modify] {
        forged(Rule::CallEnded, |_| {
            let mut t = Tale::new(2);
            let said = t.decided_by_people(0, &[A::Approve])[0];
            t.done(0, said);
            t.decided_by_people(1, &[action]);
            Some(t)
        });
    }
    forged(Rule::CallEnded, |_| {
        let (mut t, _) = Tale::approved();
        t.ends(0, None, ToolOutcome::NotRun);
        Some(t)
    });
    // Nor is it one that never came before the policy.
    forged(Rule::CallEnded, |t| {
        t.decided_by_people(0, &[A::Reject]);
        t.policy(PolicyDecision::Deny, 0, |policy| {
            (policy.args_hash, policy.reason) = (None, PolicyReason::ArgumentsInvalid);
        });
        t.status = RunStatus::OversightMissing;
        None
    });
    // The run completes while somebody is waited for.
    let mut waiting = Tale::new(2);
    let said = waiting.decided_by_people(0, &[A::Approve])[0];
    waiting.done(0, said);
    waiting.decide(RequiresApproval, 1);
    waiting.waits(1, 1);
    assert_eq!(waiting.broken(), [Rule::EndedWaiting, Rule::CallEnded, Rule::Answered]);
    // Or while a call that somebody approved is not done.
    let (mut undone, said) = Tale::approved();
    undone.done(0, said);
    undone.asks(1);
    assert_eq!(undone.broken(), [Rule::CallEnded, Rule::Answered]);
}

/// One call is halted, beside another that one of two approved.
fn halted() -> (Tale, u64) {
    let mut t = Tale::new(2);
    t.decide(RequiresApproval, 0);
    t.decide(RequiresApproval, 1);
    let (first, second) = (t.waits(0, 2), t.waits(1, 1));
    let said = t.says(0, first[0], A::Approve);
    t.says(1, second[0], A::Halt);
    t.resumes(ResumeCause::Decision);
    (t, said)
}

#[test]
fn what_ended_a_run_stays_so() {
    let (mut t, said) = halted();
    t.done(0, said);
    t.status = RunStatus::Cancelled;
    assert_eq!(t.broken().first(), Some(&Rule::AfterEnd));
    // Nor does a crash undo it.
    let (mut t, _) = halted();
    t.resumes(ResumeCause::Recovery);
    t.answers();
    assert!(t.broken().contains(&Rule::AfterEnd));
    for status in [RunStatus::Cancelled, RunStatus::Completed] {
        let (mut t, _) = halted();
        t.resumes(ResumeCause::Recovery);
        t.add(stop());
        t.status = status;
        assert_eq!(t.broken().is_empty(), status == RunStatus::Cancelled);
    }
    let ends: [fn(&mut Tale); 4] = [
        |t| {
            t.policy(PolicyDecision::Deny, 0, |policy| policy.reason = PolicyReason::Engine);
        },
        |t| {
            t.policy(PolicyDecision::Error, 0, |policy| {
                (policy.engine_error, policy.error) = (true, Some(PolicyErrorCode::Timeout));
            });
        },
        |t| {
            t.add(guardrail(GuardrailOutcome::Tripped));
        },
        |t| {
            t.add(stop());
        },
    ];
    for (number, ends) in ends.into_iter().enumerate() {
        let rule = if number == 3 { Rule::AfterCancel } else { Rule::AfterEnd };
        let after = |cut_off: Option<Effect>| {
            completed(|_| {
                let mut t = Tale::new(1);
                t.by_law = cut_off != Some(Effect::Read);
                let said = t.decided_by_people(0, &[A::Approve])[0];
                t.decide(Allow, 0);
                ends(&mut t);
                let cancelled = t.spans.len() as u64;
                if let Some(effect) = cut_off {
                    // The tool that made the call was running.
                    let ended = t.tool(0, Some(said), ToolOutcome::Cancelled, |tool| tool.effect = effect);
                    t.swapped = Some((cancelled, ended));
                }
                t.resumes(ResumeCause::Recovery);
                if cut_off.is_none() {
                    t.done(0, said);
                }
                t.status = RunStatus::Completed;
                t.art22 = Art22::None;
                Some(t)
            })
        };
        assert_eq!(after(None).broken().first(), Some(&rule), "{number}");
        if number > 1 {
            for effect in [Effect::Read, Effect::Idempotent] {
                assert_eq!(after(Some(effect)).broken().first(), Some(&rule), "{number}");
            }
        }
        // Whoever takes it up ends it.
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        ends(&mut t);
        let cancelled = t.spans.len() as u64;
        if number > 1 {
            let ended =
                t.tool(0, Some(said), ToolOutcome::Cancelled, |tool| tool.effect = Effect::Idempotent);
            t.swapped = Some((cancelled, ended));
        }
        t.resumes(ResumeCause::Recovery);
        t.status = if number == 3 { RunStatus::Cancelled } else { RunStatus::PolicyDenied };
        assert_eq!(t.broken(), [], "{number}");
    }
    // What had begun before the stop and a crash is in doubt after both: the gap names it.
    for gap in [true, false] {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        t.add(stop());
        t.resumes(ResumeCause::Recovery);
        if gap {
            t.add(RunGap { what: Gap::Tool, exec_id: Some(exec(0)) });
        }
        t.ends(0, Some(said), ToolOutcome::InDoubt);
        t.status = RunStatus::InDoubt;
        assert_eq!(t.broken().first(), (!gap).then_some(&Rule::AfterCancel), "{gap}");
    }
    // A tool that ran after the stop, its step changed with that of the stop.
    forged(Rule::AfterCancel, |_| {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        let cancelled = t.add(stop());
        let ran = t.ends(0, Some(said), ToolOutcome::Ok);
        (t.swapped, t.status) = (Some((cancelled, ran)), RunStatus::Cancelled);
        Some(t)
    });
}

#[test]
fn a_crash_leaves_a_gap() {
    let gap = |call| RunGap { what: Gap::Tool, exec_id: Some(exec(call)) };
    let resumed = |exec_id: Option<u32>, effect: Effect| {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        t.resumes(ResumeCause::Recovery);
        t.spans.extend(exec_id.map(|call| Span::from(gap(call))));
        t.decide(Allow, 0);
        t.tool(0, Some(said), ToolOutcome::Ok, |tool| tool.effect = effect);
        Some(t)
    };
    honest(|_| resumed(None, Effect::Once));
    honest(|_| resumed(Some(0), Effect::Idempotent));
    forged(Rule::OnceOnly, |_| resumed(Some(0), Effect::Once));
    forged(Rule::InDoubt, |_| resumed(Some(7), Effect::Once));
    forged(Rule::RecoveryGap, |_| {
        let mut t = resumed(Some(0), Effect::Idempotent)?;
        t.spans.retain(|span| !matches!(span, Span::RunGap(RunGap { what: Gap::Process, .. })));
        Some(t)
    });
    // After the last of its calls is done.
    forged(Rule::InDoubt, |_| {
        let (mut t, said) = Tale::approved();
        t.done(0, said);
        t.resumes(ResumeCause::Recovery);
        t.add(gap(7));
        Some(t)
    });
    // What must not run twice is in doubt until a person says what happened.
    honest(|_| {
        let (mut t, said) = Tale::approved();
        t.decide(Allow, 0);
        t.resumes(ResumeCause::Recovery);
        t.add(gap(0));
        t.ends(0, Some(said), ToolOutcome::InDoubt);
        let token = t.suspend(0, 0, 1, |waits| waits.reason = SuspendReason::InDoubt);
        let said = t.says(0, token, A::Done);
        t.resumes(ResumeCause::Decision);
        t.ends(0, Some(said), ToolOutcome::DoneByStatement);
        Some(t)
    });
    // Another model took it up, and nobody acknowledged that.
    for (acknowledged, art22, found) in [
        (false, Art22::ContractNecessity, vec![Rule::DriftAcknowledged]),
        (true, Art22::ContractNecessity, vec![]),
        (false, Art22::None, vec![]),
    ] {
        let t = completed(|_| {
            let (mut t, said) = Tale::approved();
            t.add(ModelDrift { acknowledged, from: name("scripted/1"), to: name("two") });
            t.done(0, said);
            t.art22 = art22;
            Some(t)
        });
        assert_eq!(t.broken(), found);
    }
}

#[test]
fn a_tool_that_runs_may_make_calls() {
    // A call that a tool makes waits, and the tool runs again.
    honest(|_| {
        let (mut t, said) = Tale::nested(A::Approve);
        t.nested_decided(Allow);
        t.nested_ends(Some(said), ToolOutcome::Ok, Effect::Once);
        t.caller_ends();
        t.art22 = Art22::ContractNecessity;
        Some(t)
    });
}

#[test]
fn what_a_tool_asked_for_has_its_end_though_it_asks_no_more() {
    use ToolOutcome::{Cancelled, NotRun, Rejected};
    // What people said, what comes of it, and what must not come of it.
    for (action, end, other) in
        [(A::Approve, NotRun, Rejected), (A::Modify, NotRun, Rejected), (A::Reject, Rejected, NotRun)]
    {
        let tale = |ends: &[ToolOutcome]| {
            completed(|_| {
                let (mut t, said) = Tale::nested(action);
                t.caller_ends();
                for end in ends {
                    t.nested_ends(Some(said), *end, Effect::Once);
                }
                Some(t)
            })
        };
        assert_eq!(tale(&[end]).broken(), [], "{action:?}");
        assert_eq!(tale(&[]).broken(), [Rule::CallEnded], "{action:?}");
        assert_eq!(tale(&[other]).broken().first(), Some(&Rule::ApprovedByDecision), "{action:?}");
        assert_eq!(tale(&[end, end]).broken().first(), Some(&Rule::TakenUpAgain), "{action:?}");
        // Whatever else a person had approved.
        let withheld = |status| {
            let (mut t, said) = Tale::nested(action);
            t.caller_ends();
            t.nested_ends(Some(said), end, Effect::Once);
            t.answers();
            (t.status, t.art22) = (status, Art22::ContractNecessity);
            t.broken()
        };
        assert_eq!(withheld(RunStatus::OversightMissing), [], "{action:?}");
        assert_eq!(withheld(RunStatus::Completed), [Rule::HumanDecided], "{action:?}");
    }
    // Changed by a person, and then its tool cannot read it.
    honest(|_| {
        let (mut t, _) = Tale::nested(A::Modify);
        let refused = t.policy(PolicyDecision::Deny, 0, |policy| {
            (policy.args_hash, policy.tool) = (None, Some(name("nested")));
            (policy.approval_by_law, policy.reason) = (false, PolicyReason::ArgumentsInvalid);
        });
        t.parents.push((refused, 0));
        t.caller_ends();
        Some(t)
    });
    // Left out, and run after all.
    forged(Rule::TakenUpAgain, |_| {
        let (mut t, said) = Tale::nested(A::Approve);
        t.nested_ends(Some(said), NotRun, Effect::Once);
        t.nested_decided(Allow);
        t.nested_ends(Some(said), ToolOutcome::Ok, Effect::Once);
        t.caller_ends();
        Some(t)
    });
    // A call that was only allowed, and that its tool did not make again after a crash.
    let allowed = |end: Option<ToolOutcome>, gap: Option<Effect>| {
        completed(|_| {
            let mut t = Tale::new(1);
            t.by_law = false;
            t.policy(Allow, 0, |policy| policy.approval_by_policy = false);
            t.nested_decided(Allow);
            t.resumes(ResumeCause::Recovery);
            if gap.is_some() {
                t.add(RunGap { what: Gap::Tool, exec_id: Some(exec(5)) });
            }
            t.policy(Allow, 0, |policy| policy.approval_by_policy = false);
            t.caller_ends();
            if let Some(end) = end {
                t.nested_ends(None, end, gap.unwrap_or(Effect::Idempotent));
            }
            t.art22 = Art22::None;
            Some(t)
        })
        .broken()
    };
    assert_eq!(allowed(None, None), [Rule::CallEnded]);
    assert_eq!(allowed(None, Some(Effect::Idempotent)), [Rule::CallEnded, Rule::InDoubt]);
    for end in [NotRun, Cancelled] {
        assert_eq!(allowed(Some(end), None), []);
        assert_eq!(allowed(Some(end), Some(Effect::Idempotent)), []);
    }
    // What must not run twice, and had begun.
    assert_eq!(allowed(Some(NotRun), Some(Effect::Once)), [Rule::InDoubt]);
    assert_eq!(allowed(Some(Cancelled), Some(Effect::Once)), [Rule::OnceOnly]);
}

#[test]
fn what_people_changed_is_told_from_another_call_of_its_tool() {
    use ToolOutcome::{NotRun, Ok};
    // Calls of one tool that a tool made after people had changed one: by what they are told, on which decision, and how they end.
    let tale = |calls: &[(u32, bool, ToolOutcome)]| {
        completed(|_| {
            let mut t = Tale::new(1);
            t.by_law = false;
            let unasked = |policy: &mut PolicyEvaluate| policy.approval_by_policy = false;
            t.policy(Allow, 0, unasked);
            t.nested_decided(RequiresApproval);
            let token = t.suspend(0, 0, 1, |waits| {
                (waits.args_hash, waits.tool) = (Some(args(5)), Some(name("nested")));
            });
            let said = t.person(0, token, A::Modify, |human| human.args_hash = Some(args(5)));
            t.resumes(ResumeCause::Decision);
            t.policy(Allow, 0, unasked);
            for (call, approved, end) in calls {
                if *call != 5 {
                    let decided = t.policy(Allow, 0, |policy| {
                        (policy.args_hash, policy.tool) = (Some(args(*call)), Some(name("nested")));
                        policy.approval_by_policy = false;
                    });
                    t.parents.push((decided, 0));
                }
                t.tool(0, approved.then_some(said), *end, |tool| {
                    (tool.args_hash, tool.exec_id, tool.tool) = (args(*call), exec(*call), name("nested"));
                });
            }
            t.caller_ends();
            t.art22 = Art22::None;
            Some(t)
        })
        .broken()
    };
    let (left, changed, other) = ((5, true, NotRun), (6, true, Ok), (7, false, Ok));
    assert_eq!(tale(&[changed]), []);
    assert_eq!(tale(&[left]), []);
    assert_eq!(tale(&[other, left]), []);
    assert_eq!(tale(&[other, changed]), []);
    assert_eq!(tale(&[changed, other]), []);
    // Nobody's decision is what it ran on, so it is not the changed call: that one has no end.
    assert_eq!(tale(&[other]), [Rule::CallEnded]);
    // One decision changes one call into one.
    assert_eq!(tale(&[changed, (8, true, Ok)]), [Rule::ApprovedByDecision]);
    assert_eq!(tale(&[left, (8, true, Ok)]), [Rule::ApprovedByDecision]);
}

#[test]
fn epochs_follow_from_each_other() {
    // What a wait says of its epoch, and the resume after it, twice.
    let told = |first: (u64, u64), second: (u64, u64)| {
        completed(|_| {
            let mut t = Tale::new(2);
            for (call, (waits, resumes)) in (0..).zip([first, second]) {
                t.decide(RequiresApproval, call);
                let token = t.suspend(call, 0, 1, |suspend| suspend.epoch = waits);
                let said = t.says(call, token, A::Approve);
                let segment = call + 1;
                let (bundle_hash, cause) = (sha256(b"bundle"), ResumeCause::Decision);
                t.add(RunResume { bundle_hash, cause, epoch: resumes, segment });
                t.done(call, said);
            }
            Some(t)
        })
        .broken()
    };
    assert_eq!(told((1, 2), (2, 3)), []);
    // Whoever took it over and died before saying so had an epoch of their own.
    assert_eq!(told((1, 3), (3, 7)), []);
    for (first, second) in [
        ((1, 1), (1, 2)),
        ((2, 3), (3, 4)),
        ((99, 2), (2, 3)),
        ((0, 2), (2, 3)),
        ((1, 3), (2, 4)),
        ((1, 3), (4, 5)),
        ((1, 3), (3, 2)),
    ] {
        assert_eq!(told(first, second), [Rule::EpochGrows], "{first:?} {second:?}");
    }
}

#[test]
fn a_decision_is_recorded_in_time() {
    let recorded = |ended: u64| {
        let mut story = Story::approved();
        story.ends = Some((SECOND_PERSON as u64 + 1, at(ended)));
        for span in &mut story.spans[WAITS..FIRST_PERSON] {
            super::waits(span).expires_at = at(100);
        }
        broken(story)
    };
    assert_eq!(recorded(100), []);
    assert_eq!(recorded(101), [Rule::InTime]);
}
