//! Runs read again: an honest one breaks no rule, and each rule is broken once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;
#[path = "replay/forged.rs"]
mod forged;
#[path = "replay/start.rs"]
mod start;

use std::collections::{BTreeMap, BTreeSet};

use common::{
    Counter, Host, Sample, at, decision, evaluate, execute, generate, name, resume, suspend, times,
};
use fuze_evidence::annex::{Annex, Erased, Erasure, ErasureReason, Event};
use fuze_evidence::content::history;
use fuze_evidence::keys::Signer as _;
use fuze_evidence::record::Entry;
use fuze_evidence::replay::{Comparison, Difference, Field, NotCompared, Replay, Rule, Trust, diff, replay};
use fuze_evidence::sink::MemoryRun;
use fuze_evidence::span::{
    AgentInvoke, Guardrail, HumanDecision, ModelDrift, ModelGenerate, OversightSuspend, PolicyEvaluate,
    RunCancel, RunGap, RunResume, ToolExecute,
};
use fuze_evidence::verify::{FieldStatus, RunFiles, TrustedKeys, VerifyError, What, verify_files};
use fuze_evidence::vocab::*;
use fuze_evidence::{Common, Hash, Span, Timestamp, sha256};
use serde_json::{Value, json};

const ARGS: &[u8] = b"the arguments' commitment";

/// What happens between the first record and the last; the number of a step is its place, from 1.
struct Story {
    common: Box<dyn FnOnce(&mut Common)>,
    start: Box<dyn FnOnce(&mut AgentInvoke)>,
    refused: bool,
    spans: Vec<Span>,
    status: RunStatus,
    /// The parents of decisions about calls that tools made. Others belong to the model's last answer.
    parents: Vec<(u64, u64)>,
    /// Two steps that change their numbers.
    swapped: Option<(u64, u64)>,
    /// A step that ends later than others.
    ends: Option<(u64, Timestamp)>,
}

/// Record and step of each part of [`Story::approved`].
const GENERATE: usize = 0;
const ASKED: usize = 1;
const WAITS: usize = 2;
const FIRST_PERSON: usize = 4;
const SECOND_PERSON: usize = 5;
const RESUME: usize = 6;
const ALLOWED: usize = 7;
const EXECUTE: usize = 8;

impl Story {
    /// The model asks, law wants two people, they approve, the tool runs, the run completes.
    fn approved() -> Self {
        let args = sha256(ARGS);
        let slot = |slot: u32| with(suspend(args, slot, 2), |s| token(s, slot));
        let person = |slot: u32| {
            with(decision(args), |s| {
                token(s, slot);
                let Span::HumanDecision(human) = s else { panic!() };
                human.overseer = name(&format!("overseer-{slot}"));
                human.key_id = sha256(&[slot as u8]);
            })
        };
        let allow = with(evaluate(PolicyDecision::Allow, args), |s| {
            let Span::PolicyEvaluate(policy) = s else { panic!() };
            policy.approval_by_law = true;
        });
        let run = with(execute(args), |s| tool(s).approval_step = Some(SECOND_PERSON as u64 + 1));
        let spans = vec![
            generate(0, Hash::ZERO),
            evaluate(PolicyDecision::RequiresApproval, args),
            slot(0),
            slot(1),
            person(0),
            person(1),
            resume(1),
            allow,
            run,
            answer(1),
        ];
        let common = Box::new(|_: &mut Common| {});
        let start = Box::new(|_: &mut AgentInvoke| {});
        let status = RunStatus::Completed;
        Self { common, start, refused: false, spans, status, parents: vec![], swapped: None, ends: None }
    }

    /// Not law but the policy asked for people.
    fn asked_by_policy(&mut self) {
        for span in &mut self.spans[WAITS..FIRST_PERSON] {
            waits(span).reason = SuspendReason::Policy;
        }
        for at in [ASKED, ALLOWED] {
            let policy = policy(&mut self.spans[at]);
            (policy.approval_by_law, policy.approval_by_policy) = (false, true);
        }
    }

    fn told(self) -> Sample {
        let last = self.spans.len() as u64 + 1;
        let (mut sample, mut recorder) =
            Sample::begin_as(Host::with(Box::new(Counter(1))), self.common, |start| {
                start.store = Some(name("memory"));
                (self.start)(start);
                if self.refused {
                    start.outcome = StartOutcome::Refused;
                    start.refusal = Some(Refusal::SubjectMissing);
                }
            });
        // What the model was told: an answer and the results of its calls come in turn, and a step's content is its number.
        let entry = Entry::read(sample.files.records.strip_suffix(b"\n").unwrap()).unwrap();
        let mut told = history(Hash::ZERO, entry.content.unwrap().root);
        let (mut answer, mut asked_for) = (0, None);
        let mut results = BTreeMap::new();
        // What tools asked for, the model is not told of.
        let mut nested = BTreeSet::new();
        for (step, span) in (1..).zip(self.spans) {
            let made = self.parents.iter().find(|(made, _)| *made == step).map(|(_, parent)| *parent);
            let said = match &span {
                Span::ModelGenerate(_) | Span::PolicyEvaluate(_) | Span::ToolExecute(_) => true,
                Span::OversightSuspend(suspend) => suspend.reason == SuspendReason::Requested,
                _ => false,
            };
            let (content, sealed) = said.then(|| sample.commit(json!({ "step": step }))).unzip();
            let span = match span {
                Span::ModelGenerate(asked) => {
                    told = match asked_for.take() {
                        Some(0) => history(told, told),
                        _ => std::mem::take(&mut results).into_values().fold(told, history),
                    };
                    let right = if asked.history_hash == Hash::ZERO { told } else { asked.history_hash };
                    if asked.outcome == ModelOutcome::Ok {
                        told = history(told, content.as_ref().unwrap().root());
                        (answer, asked_for) = (step, Some(asked.tool_calls));
                    }
                    Span::ModelGenerate(ModelGenerate { history_hash: right, ..asked })
                }
                Span::PolicyEvaluate(PolicyEvaluate { args_hash, .. }) if made.is_some() => {
                    nested.extend(args_hash);
                    span
                }
                Span::ToolExecute(ToolExecute { args_hash, .. }) if nested.contains(&args_hash) => span,
                Span::PolicyEvaluate(PolicyEvaluate { call_index, .. })
                | Span::ToolExecute(ToolExecute { call_index, .. }) => {
                    results.extend(content.as_ref().map(|content| (call_index, content.root())));
                    span
                }
                other => other,
            };
            let parent = if matches!(span, Span::PolicyEvaluate(_)) { made.unwrap_or(answer) } else { 0 };
            let number = match self.swapped {
                Some((one, other)) if one == step => other,
                Some((one, other)) if other == step => one,
                _ => step,
            };
            let mut times = times(step * 10);
            times.ended_at = self.ends.filter(|(late, _)| *late == step).map_or(times.ended_at, |(_, at)| at);
            let record = recorder.append(number, parent, times, &span, content.as_ref()).unwrap();
            sample.add(&record, sealed.as_ref());
        }

        let closed = recorder.close(last, 0, times(last * 10), self.status, &sample.host.signer).unwrap();
        sample.add(closed.record(), None);
        sample
    }
}

fn with(mut span: Span, change: impl FnOnce(&mut Span)) -> Span {
    change(&mut span);
    span
}

/// The model's answer to the run: no call.
fn answer(turn: u32) -> Span {
    with(generate(turn, Hash::ZERO), |s| {
        (asked(s).tool_calls, asked(s).finish_reason) = (0, FinishReason::Stop);
    })
}

fn token(span: &mut Span, slot: u32) {
    let hash = sha256(format!("token {slot}").as_bytes());
    match span {
        Span::OversightSuspend(suspend) => suspend.token_hash = hash,
        Span::HumanDecision(human) => {
            human.token_hash = hash;
            human.decision_hash = sha256(format!("decision {slot}").as_bytes());
        }
        _ => panic!(),
    }
}

fn tool(span: &mut Span) -> &mut fuze_evidence::span::ToolExecute {
    let Span::ToolExecute(tool) = span else { panic!() };
    tool
}

fn asked(span: &mut Span) -> &mut ModelGenerate {
    let Span::ModelGenerate(asked) = span else { panic!() };
    asked
}

fn waits(span: &mut Span) -> &mut OversightSuspend {
    let Span::OversightSuspend(waits) = span else { panic!() };
    waits
}

fn human(span: &mut Span) -> &mut fuze_evidence::span::HumanDecision {
    let Span::HumanDecision(human) = span else { panic!() };
    human
}

fn policy(span: &mut Span) -> &mut fuze_evidence::span::PolicyEvaluate {
    let Span::PolicyEvaluate(policy) = span else { panic!() };
    policy
}

fn read(sample: &Sample, files: &MemoryRun) -> Replay {
    let keys = TrustedKeys::new()
        .run_key(sample.host.public_key())
        .master_key(&sample.host.master)
        .subject_keys(&sample.host.subjects);
    replay(files.into(), &keys).unwrap()
}

fn broken(story: Story) -> Vec<Rule> {
    let sample = story.told();
    let replay = read(&sample, &sample.files);
    let mut rules: Vec<Rule> = replay.findings.iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn an_honest_run_is_sound() {
    let sample = Story::approved().told();
    let replay = read(&sample, &sample.files);
    assert!(replay.is_sound(), "{:?} {:?}", replay.verdict, replay.findings);
    assert_eq!(replay.to_string(), "closed as `completed`, 12 records");
    assert!(replay.steps.iter().all(|step| step.trust == Trust::Signed));
    let calls = replay.calls();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    let decisions: Vec<_> = call.decisions.iter().map(|decided| decided.decision).collect();
    assert_eq!(decisions, [PolicyDecision::RequiresApproval, PolicyDecision::Allow]);
    let people: Vec<_> = call.people.iter().map(|person| person.overseer.as_str()).collect();
    assert_eq!(people, ["overseer-0", "overseer-1"]);
    let ended: Vec<_> = call.ended.iter().map(|ended| (ended.outcome, ended.duration_nanos)).collect();
    assert_eq!(ended, [(ToolOutcome::Ok, 1)]);
    assert_eq!(replay.duration_nanos(), 111);
}

type Change = fn(&mut Story);

/// Rules, and how they are broken without breaking another.
const BROKEN: &[(&[Rule], Change)] = &[
    (&[Rule::Decided, Rule::CallEnded, Rule::Answered], |s| {
        s.spans.remove(ALLOWED);
        s.spans.remove(ASKED);
        s.spans.drain(ASKED..RESUME);
        s.common = Box::new(|common| common.art22 = Art22::None);
        *tool(&mut s.spans[ASKED]) = unapproved();
        // What it answered was told to nobody.
        s.spans.truncate(ASKED + 1);
    }),
    (&[Rule::Allowed], |s| {
        policy(&mut s.spans[ALLOWED]).decision = PolicyDecision::RequiresApproval;
    }),
    (&[Rule::Approved], |s| {
        tool(&mut s.spans[EXECUTE]).approval_step = None;
        s.status = RunStatus::OversightMissing;
    }),
    (&[Rule::ApprovedByDecision], |s| tool(&mut s.spans[EXECUTE]).approval_step = Some(1)),
    // An approval of something else.
    (&[Rule::SameCall, Rule::ApprovedByDecision, Rule::HumanDecided], |s| {
        let other = sha256(b"other arguments");
        let mut allow = s.spans[ALLOWED].clone();
        policy(&mut allow).args_hash = Some(other);
        s.spans[ALLOWED] = allow;
        tool(&mut s.spans[EXECUTE]).args_hash = other;
    }),
    // A refusal is no approval.
    (&[Rule::TakenUpAgain, Rule::ApprovedByDecision, Rule::HumanDecided], |s| {
        human(&mut s.spans[SECOND_PERSON]).action = OversightAction::Reject;
    }),
    (&[Rule::ApprovedByDecision], |s| {
        tool(&mut s.spans[EXECUTE]).outcome = ToolOutcome::Rejected;
        s.status = RunStatus::OversightMissing;
    }),
    (&[Rule::ApprovedByDecision], |s| {
        tool(&mut s.spans[EXECUTE]).outcome = ToolOutcome::DoneByStatement;
        s.status = RunStatus::OversightMissing;
    }),
    (&[Rule::SameTool], |s| tool(&mut s.spans[EXECUTE]).tool = name("another")),
    (&[Rule::OnceOnly], |s| s.spans.insert(EXECUTE, s.spans[EXECUTE].clone())),
    (&[Rule::OnceOnly], |s| tool(&mut s.spans[EXECUTE]).attempt = 2),
    // Called something else, the second run of a `once` would be one of a tool that may run again; and the first one, too.
    (&[Rule::OnceOnly, Rule::SameDeclaration], |s| {
        s.spans.insert(EXECUTE, s.spans[EXECUTE].clone());
        tool(&mut s.spans[EXECUTE + 1]).effect = Effect::Idempotent;
    }),
    (&[Rule::SameDeclaration], |s| {
        s.spans.insert(EXECUTE, s.spans[EXECUTE].clone());
        tool(&mut s.spans[EXECUTE]).effect = Effect::Idempotent;
    }),
    (&[Rule::ExpiresAhead, Rule::InTime], |s| {
        for span in &mut s.spans[WAITS..FIRST_PERSON] {
            let Span::OversightSuspend(suspend) = span else { panic!() };
            suspend.expires_at = at(5);
        }
    }),
    (&[Rule::Waiting], |s| s.spans.insert(FIRST_PERSON, guardrail(GuardrailOutcome::Passed))),
    (&[Rule::WaitGrounded], |s| policy(&mut s.spans[ASKED]).decision = PolicyDecision::Allow),
    (&[Rule::WaitGrounded], |s| {
        for span in &mut s.spans[WAITS..FIRST_PERSON] {
            let Span::OversightSuspend(suspend) = span else { panic!() };
            suspend.reason = SuspendReason::Requested;
        }
        // The answer to a question is no approval.
        s.spans.truncate(RESUME + 1);
        s.status = RunStatus::Error;
    }),
    (&[Rule::TokenOnce], |s| {
        s.spans.insert(RESUME, s.spans[FIRST_PERSON].clone());
        let again = human(&mut s.spans[RESUME]);
        (again.outcome, again.decision_hash) = (DecisionOutcome::Voided, sha256(b"another decision"));
        // Where nobody changed anything.
        s.spans.truncate(RESUME + 1);
        s.spans.push(stop());
        s.status = RunStatus::Cancelled;
    }),
    (&[Rule::SameArguments], |s| human(&mut s.spans[FIRST_PERSON]).args_hash = Some(sha256(b"others"))),
    (&[Rule::IndependentPeople], |s| human(&mut s.spans[FIRST_PERSON]).overseer = name("recruiter-7")),
    (&[Rule::DistinctPeople], |s| human(&mut s.spans[SECOND_PERSON]).overseer = name("overseer-0")),
    (&[Rule::DistinctPeople], |s| human(&mut s.spans[SECOND_PERSON]).key_id = sha256(&[0])),
    (&[Rule::AllSlots, Rule::ApprovedByDecision, Rule::HumanDecided], |s| {
        s.spans.remove(FIRST_PERSON);
        let approval = FIRST_PERSON as u64 + 1;
        tool(&mut s.spans[EXECUTE - 1]).approval_step = Some(approval);
    }),
    (&[Rule::AllSlots, Rule::VoidedByChange, Rule::ApprovedByDecision, Rule::HumanDecided], |s| {
        human(&mut s.spans[FIRST_PERSON]).outcome = DecisionOutcome::Voided;
    }),
    (&[Rule::EpochGrows], |s| {
        let Span::RunResume(resume) = &mut s.spans[RESUME] else { panic!() };
        resume.epoch = 0;
    }),
    (&[Rule::KnownPolicy], |s| policy(&mut s.spans[ALLOWED]).bundle_hash = sha256(b"another bundle")),
    (&[Rule::AfterCancel], |s| {
        s.spans.insert(EXECUTE + 1, stop());
        s.status = RunStatus::Cancelled;
    }),
    (&[Rule::CompletedAfterStop], |s| s.spans.push(stop())),
    (&[Rule::ExpiredWaiting], |s| {
        s.spans.push(RunCancel { cancelled_by: CancelledBy::Expired }.into());
        s.status = RunStatus::Cancelled;
    }),
    (&[Rule::ToldHistory], |s| asked(&mut s.spans[GENERATE]).history_hash = sha256(b"other messages")),
    (&[Rule::ToldHistory], |s| asked(&mut s.spans[EXECUTE + 1]).history_hash = sha256(b"other messages")),
    // More calls than have a result.
    (&[Rule::ToldHistory, Rule::CallEnded], |s| asked(&mut s.spans[GENERATE]).tool_calls = 2),
    (&[Rule::CompletedAfterDenial], |s| s.spans.push(refusal(PolicyReason::Engine))),
    (&[Rule::CompletedAfterDenial], |s| s.spans.push(refusal(PolicyReason::StepLimit))),
    (&[Rule::CompletedAfterTrip], |s| s.spans.push(guardrail(GuardrailOutcome::Tripped))),
    (&[Rule::CompletedAfterTrip], |s| s.spans.push(guardrail(GuardrailOutcome::Error))),
    (&[Rule::InDoubt], |s| {
        tool(&mut s.spans[EXECUTE]).outcome = ToolOutcome::InDoubt;
        s.spans.truncate(EXECUTE + 1);
        s.status = RunStatus::Cancelled;
    }),
    // What a person approved did not happen, and the model answered by itself.
    (&[Rule::HumanDecided], |s| tool(&mut s.spans[EXECUTE]).outcome = ToolOutcome::NotApplied),
    (&[Rule::HumanDecided], |s| {
        human(&mut s.spans[SECOND_PERSON]).action = OversightAction::Reject;
        tool(&mut s.spans[EXECUTE]).outcome = ToolOutcome::Rejected;
        s.spans.remove(ALLOWED);
    }),
    // Leave to look is no decision.
    (&[Rule::HumanDecided], |s| {
        s.asked_by_policy();
        tool(&mut s.spans[EXECUTE]).effect = Effect::Read;
    }),
    (&[Rule::HumanDecided], |s| {
        s.spans.drain(ASKED..=RESUME);
        policy(&mut s.spans[ASKED]).approval_by_law = false;
        *tool(&mut s.spans[ASKED + 1]) = ToolExecute { effect: Effect::Read, ..unapproved() };
    }),
    // Law asks for a person before all but a `read`, in a run of Annex III.
    (&[Rule::SameDeclaration, Rule::HumanDecided], |s| tool(&mut s.spans[EXECUTE]).effect = Effect::Read),
    (&[Rule::SameDeclaration, Rule::HumanDecided], |s| {
        s.spans.drain(ASKED..=RESUME);
        policy(&mut s.spans[ASKED]).approval_by_law = false;
        *tool(&mut s.spans[ASKED + 1]) = unapproved();
    }),
    (&[Rule::SameDeclaration], |s| s.asked_by_policy()),
    (&[Rule::SameDeclaration], |s| {
        s.common = Box::new(|common| (common.annex_iii, common.art22) = (AnnexIii::None, Art22::None));
    }),
    // It completed, and the model's answer is missing, or none.
    (&[Rule::Answered], |s| s.spans.truncate(EXECUTE + 1)),
    (&[Rule::Answered], |s| {
        s.spans.truncate(EXECUTE + 1);
        tool(&mut s.spans[EXECUTE]).outcome = ToolOutcome::NotApplied;
        s.status = RunStatus::OversightMissing;
    }),
    (&[Rule::CallEnded, Rule::Answered], |s| asked(&mut s.spans[EXECUTE + 1]).tool_calls = 1),
    (&[Rule::Answered], |s| asked(&mut s.spans[EXECUTE + 1]).finish_reason = FinishReason::Length),
    (&[Rule::Answered], |s| asked(&mut s.spans[EXECUTE + 1]).finish_reason = FinishReason::ContentFilter),
    (&[Rule::Answered], |s| {
        let failed = asked(&mut s.spans[EXECUTE + 1]);
        (failed.outcome, failed.error) = (ModelOutcome::Error, Some(ModelErrorCode::Timeout));
    }),
    // A correct answer, and the model was asked once more.
    (&[Rule::Answered], |s| {
        let again = with(answer(2), |s| {
            (asked(s).outcome, asked(s).error) = (ModelOutcome::Error, Some(ModelErrorCode::Timeout));
        });
        s.spans.push(again);
    }),
];

fn unapproved() -> fuze_evidence::span::ToolExecute {
    let mut span = execute(sha256(ARGS));
    tool(&mut span).approval_step = None;
    tool(&mut span).clone()
}

fn stop() -> Span {
    RunCancel { cancelled_by: CancelledBy::Operator }.into()
}

fn refusal(reason: PolicyReason) -> Span {
    with(evaluate(PolicyDecision::Deny, sha256(b"another call")), |s| {
        policy(s).reason = reason;
        policy(s).approval_by_law = false;
    })
}

fn guardrail(outcome: GuardrailOutcome) -> Span {
    let tripped = outcome == GuardrailOutcome::Tripped;
    let phase = GuardrailPhase::Output;
    Guardrail { hard_block: false, guardrail: name("leak"), outcome, phase, tripped, call_index: None }.into()
}

#[test]
fn each_broken_rule_is_found_and_no_other() {
    for (number, (rules, change)) in BROKEN.iter().enumerate() {
        let mut story = Story::approved();
        change(&mut story);
        assert_eq!(broken(story), *rules, "case {number}");
    }
}

/// Rules that cannot be broken alone.
#[test]
fn rules_that_stand_together() {
    // A call that the policy allowed, and that ran only after the model had answered again: nothing was told for it.
    let mut late = Story::approved();
    let ran = late.spans.remove(EXECUTE);
    late.spans.push(ran);
    assert_eq!(broken(late), [Rule::CallEnded, Rule::ApprovedByDecision, Rule::Decided, Rule::HumanDecided]);
    // A decision before the model had said anything is about nothing that it asked for.
    let mut first = Story::approved();
    first.common = Box::new(|common| common.art22 = Art22::None);
    first.spans.drain(ASKED..=RESUME);
    first.spans.truncate(ASKED + 2);
    policy(&mut first.spans[ASKED]).approval_by_law = false;
    *tool(&mut first.spans[ASKED + 1]) = unapproved();
    first.spans.swap(GENERATE, ASKED);
    assert!(broken(first).contains(&Rule::Decided));
    let mut unknown = Story::approved();
    token(&mut unknown.spans[SECOND_PERSON], 7);
    assert_eq!(
        broken(unknown),
        [Rule::TokenKnown, Rule::AllSlots, Rule::ApprovedByDecision, Rule::HumanDecided]
    );
    // Decided although nobody was asked: before the run waited.
    let mut early = Story::approved();
    early.spans.swap(WAITS, FIRST_PERSON);
    assert!(broken(early).contains(&Rule::TokenKnown));
    let mut halted = Story::approved();
    human(&mut halted.spans[SECOND_PERSON]).action = OversightAction::Halt;
    let found = broken(halted);
    assert!(found.starts_with(&[Rule::AfterEnd]) && found.contains(&Rule::CompletedAfterStop), "{found:?}");
    let mut recovered = Story::approved();
    let Span::RunResume(resume) = &mut recovered.spans[RESUME] else { panic!() };
    resume.cause = ResumeCause::Recovery;
    assert!(broken(recovered).starts_with(&[Rule::Waiting, Rule::RecoveryGap]));
}

#[test]
fn every_rule_is_broken_somewhere() {
    let elsewhere = [Rule::Readable, Rule::AfterRefusal, Rule::TokenKnown];
    let elsewhere = [&elsewhere[..], forged::RULES, start::RULES].concat();
    for rule in Rule::ALL {
        assert!(
            elsewhere.contains(rule) || BROKEN.iter().any(|(broken, _)| broken.contains(rule)),
            "{}",
            rule.as_str()
        );
    }
}

/// What is no breach: a refused start, a call that the model got wrong, a doubt that a person cleared, a repeat after a crash.
#[test]
fn what_is_allowed_is_not_found() {
    let refused = Story { refused: true, spans: vec![], status: RunStatus::Error, ..Story::approved() };
    assert_eq!(broken(refused), []);
    for reason in [PolicyReason::UnknownTool, PolicyReason::ArgumentsInvalid] {
        let mut wrong = Story::approved();
        let refused = with(refusal(reason), |s| policy(s).args_hash = None);
        wrong.spans.splice(0..0, [generate(0, Hash::ZERO), refused]);
        tool(&mut wrong.spans[EXECUTE + 2]).approval_step = Some(SECOND_PERSON as u64 + 3);
        assert_eq!(broken(wrong), [], "{reason}");
    }
    let mut doubt = Story::approved();
    tool(&mut doubt.spans[EXECUTE]).outcome = ToolOutcome::InDoubt;
    doubt.spans.truncate(EXECUTE + 1);
    doubt.status = RunStatus::InDoubt;
    assert_eq!(broken(doubt), []);
    let mut one_refuses = Story::approved();
    human(&mut one_refuses.spans[SECOND_PERSON]).action = OversightAction::Reject;
    one_refuses.spans.remove(ALLOWED);
    one_refuses.spans.remove(FIRST_PERSON);
    let step = tool(&mut one_refuses.spans[EXECUTE - 2]);
    (step.outcome, step.approval_step) = (ToolOutcome::Rejected, Some(FIRST_PERSON as u64 + 1));
    one_refuses.status = RunStatus::OversightMissing;
    assert_eq!(broken(one_refuses), []);
    // A halt needs no other slot, of its own case or of another.
    let mut halts = Story::approved();
    human(&mut halts.spans[SECOND_PERSON]).action = OversightAction::Halt;
    halts.spans.truncate(RESUME + 1);
    halts.spans.remove(FIRST_PERSON);
    let mut other = suspend(sha256(b"another call"), 0, 1);
    token(&mut other, 7);
    asked(&mut halts.spans[GENERATE]).tool_calls = 2;
    let Span::OversightSuspend(waits) = &mut other else { panic!() };
    waits.call_index = Some(1);
    halts.spans.insert(FIRST_PERSON, other);
    halts.spans.insert(
        ASKED,
        with(evaluate(PolicyDecision::RequiresApproval, sha256(b"another call")), |s| {
            policy(s).call_index = 1
        }),
    );
    halts.status = RunStatus::Cancelled;
    assert_eq!(broken(halts), []);
    // A tool that only reads counts where it asks for a person itself.
    let mut proposes = Story::approved();
    proposes.asked_by_policy();
    tool(&mut proposes.spans[EXECUTE]).effect = Effect::Read;
    policy(&mut proposes.spans[ALLOWED]).approval_by_tool = true;
    assert_eq!(broken(proposes), []);
    // Outside Annex III and Art. 22 law asks for nobody, whatever a tool does.
    let mut ordinary = Story::approved();
    ordinary.common = Box::new(|common| (common.annex_iii, common.art22) = (AnnexIii::None, Art22::None));
    ordinary.asked_by_policy();
    assert_eq!(broken(ordinary), []);
    // An answer that did not fit, and one that failed, before the one that counts; and a guardrail that looks at that.
    let mut corrected = Story::approved();
    corrected.spans.push(with(answer(2), |s| {
        (asked(s).outcome, asked(s).error) = (ModelOutcome::Error, Some(ModelErrorCode::Timeout));
    }));
    corrected.spans.push(answer(2));
    corrected.spans.push(guardrail(GuardrailOutcome::Passed));
    assert_eq!(broken(corrected), []);
    // The model need not have answered where the run did not end with an answer.
    let mut spent = Story::approved();
    spent.spans.truncate(EXECUTE + 1);
    spent.status = RunStatus::BudgetExceeded;
    assert_eq!(broken(spent), []);
    // Who waits may expire.
    let mut expired = Story::approved();
    expired.spans.truncate(FIRST_PERSON);
    expired.spans.push(RunCancel { cancelled_by: CancelledBy::Expired }.into());
    expired.status = RunStatus::Cancelled;
    assert_eq!(broken(expired), []);
    // What had begun before the stop may still end.
    let mut stopped = Story::approved();
    stopped.spans.push(stop());
    stopped.status = RunStatus::Cancelled;
    assert_eq!(broken(stopped), []);
}

#[test]
fn the_sample_run_that_only_verifies_breaks_rules() {
    let sample = Sample::closed();
    let replay = read(&sample, &sample.files);
    assert!(replay.verdict.as_ref().is_ok_and(|report| report.is_verified()));
    assert!(!replay.is_sound() && replay.findings.len() > 2, "{:?}", replay.findings);
}

#[test]
fn content_is_opened_field_by_field() {
    let sample = Sample::closed();
    let full = read(&sample, &sample.files);
    let first = full.steps[0].content.as_ref().unwrap();
    assert_eq!(first.value, Some(json!({"applicant": "17", "task": "recommend"})));
    let paths: Vec<_> =
        first.fields.iter().map(|f| (f.status, f.opened.as_ref().unwrap().0.as_str())).collect();
    assert_eq!(paths, [(FieldStatus::Verified, "/applicant"), (FieldStatus::Verified, "/task")]);
    // Without the key nothing is opened, and with the lines gone and explained it is erased.
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    let closed = replay((&sample.files).into(), &keys).unwrap();
    let first = closed.steps[0].content.as_ref().unwrap();
    assert_eq!((first.counts.withheld, first.fields.len(), &first.value), (8, 0, &None));
    let files = MemoryRun { content: vec![], keys: vec![], ..sample.files.clone() };
    let mut annex = Annex::begin(name("hr.example.eu"), name("acme"));
    let erasure = Erasure { run_id: sample.run_id, reason: ErasureReason::Request, what: Erased::Run };
    annex.append(at(1_000_000), name("dpo-1"), Event::Erased(erasure), &sample.host.signer).unwrap();
    let keys = TrustedKeys::new().run_key(sample.host.public_key()).annex(&annex);
    let erased = replay((&files).into(), &keys).unwrap();
    let first = erased.steps[0].content.as_ref().unwrap();
    assert_eq!((first.counts.erased, first.counts.missing), (8, 0));
    // And missing if nothing explains it.
    let missing = read(&sample, &files);
    assert_eq!(missing.steps[0].content.as_ref().unwrap().counts.missing, 8);
}

#[test]
fn what_does_not_verify_is_marked_and_not_opened() {
    let sample = Story::approved().told();
    let mut lines: Vec<Vec<u8>> =
        sample.files.records.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    lines.remove(4);
    let files = MemoryRun { records: lines.concat(), ..sample.files.clone() };
    let cut = read(&sample, &files);
    assert!(matches!(cut.verdict, Err(VerifyError::Failed(_))), "{:?}", cut.verdict);
    assert_eq!(cut.steps.len(), 11, "what is left is shown");
    assert!(cut.steps.iter().all(
        |step| step.trust == Trust::Unverified && step.content.as_ref().is_none_or(|c| c.value.is_none())
    ));
    let stranger = replay((&sample.files).into(), &TrustedKeys::new()).unwrap();
    assert!(matches!(stranger.verdict, Err(VerifyError::Cannot { .. })));
    assert!(stranger.steps.iter().all(|step| step.trust == Trust::Unverified));
    // Garbage in the middle is a finding, and what follows is shown.
    lines[2] = b"{\"no\":\"record\"}\n".to_vec();
    let files = MemoryRun { records: lines.concat(), ..sample.files.clone() };
    let garbage = read(&sample, &files);
    assert!(garbage.findings.iter().any(|f| f.rule == Rule::Readable && f.sequence == 2));
    // A run that is not closed: signed as far as the open root, then only chained.
    let open: Vec<u8> = lines[..2].concat();
    let files = MemoryRun { records: open, content: sample.files.content.clone(), ..sample.files.clone() };
    let open = read(&sample, &files);
    let trust: Vec<_> = open.steps.iter().map(|step| step.trust).collect();
    assert_eq!(trust, [Trust::Signed, Trust::Chained]);
}

#[test]
fn after_a_refusal_nothing_happens() {
    let refused =
        Story { refused: true, spans: vec![], status: RunStatus::Error, ..Story::approved() }.told();
    // No recorder writes this, and no verifier accepts it.
    let first = refused.files.records.split_inclusive(|&b| b == b'\n').next().unwrap();
    let others = Story::approved().told();
    let rest = others.files.records.split_inclusive(|&b| b == b'\n').skip(1).flatten();
    let records = first.iter().chain(rest).copied().collect();
    let replay = read(&refused, &MemoryRun { records, ..refused.files.clone() });
    assert!(replay.verdict.is_err());
    assert!(replay.findings.iter().any(|finding| finding.rule == Rule::AfterRefusal));
}

#[test]
fn two_runs_are_compared_by_what_they_did() {
    let one = Story::approved().told();
    let one = read(&one, &one.files);
    let same = Story::approved().told();
    assert_eq!(diff(&one, &read(&same, &same.files)), Comparison::default());
    let mut other = Story::approved();
    policy(&mut other.spans[ALLOWED]).rule = Some(name("hiring.other"));
    other.spans.push(guardrail(GuardrailOutcome::Tripped));
    other.status = RunStatus::Tripwire;
    let other = other.told();
    let found = diff(&one, &read(&other, &other.files)).differences;
    let [
        Difference::Run(status),
        Difference::Changed { left, right, changes },
        Difference::OnlyRight { sequence },
        Difference::Changed { changes: close, .. },
    ] = found.as_slice()
    else {
        panic!("{found:?}");
    };
    assert_eq!((status.what.as_str(), &status.right), ("status", &Some(json!("tripwire"))));
    assert_eq!((*left, *right, *sequence), (8, 8, 11));
    assert_eq!(changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>(), ["fuze.policy.rule"]);
    assert_eq!(close.iter().map(|change| change.what.as_str()).collect::<Vec<_>>(), ["fuze.run.status"]);
}

/// Compares two runs that are the same but for the content of the first record.
#[track_caller]
fn check_contents(left: Option<Value>, right: Option<Value>, changed: &[&str], compared: bool) {
    let story = || {
        let told = Story::approved().told();
        read(&told, &told.files)
    };
    let (mut one, mut other) = (story(), story());
    for (replay, value) in [(&mut one, &left), (&mut other, &right)] {
        let content = replay.steps[0].content.as_mut().unwrap();
        content.fields.clear();
        // Without a value some of it is open.
        content.value = value.clone().filter(|value| value.is_object());
        let opened = value.clone().filter(|value| !value.is_object()).map(|leaf| ("/leaf".to_owned(), leaf));
        content.fields.push(Field { status: FieldStatus::Verified, opened });
    }
    // Commitments are salted anew in each run.
    other.steps[0].content.as_mut().unwrap().root = Hash::ZERO;
    let comparison = diff(&one, &other);
    let changes: Vec<&str> = comparison
        .differences
        .iter()
        .flat_map(|difference| match difference {
            Difference::Changed { changes, .. } => changes.iter().map(|change| change.what.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(changes, changed, "{left:?} {right:?}");
    let open = if compared { vec![] } else { vec![NotCompared { left: 0, right: 0 }] };
    assert_eq!(comparison.not_compared, open, "{left:?} {right:?}");
}

#[test]
fn content_that_is_not_open_on_both_sides_is_said_to_be_not_compared() {
    let whole = |what: &str| Some(json!({"leaf": what}));
    let leaf = |what: &str| Some(json!(what));
    check_contents(whole("a"), whole("a"), &[], true);
    check_contents(whole("a"), whole("b"), &["content"], true);
    check_contents(whole("a"), None, &[], false);
    check_contents(None, whole("a"), &[], false);
    check_contents(None, None, &[], false);
    // What is open on both sides is compared all the same.
    check_contents(leaf("a"), leaf("a"), &[], false);
    check_contents(leaf("a"), leaf("b"), &["content/leaf"], false);
    // The same commitment is to the same content.
    let told = Story::approved().told();
    let replay = || read(&told, &told.files);
    let mut closed = replay();
    for content in closed.steps.iter_mut().filter_map(|step| step.content.as_mut()) {
        (content.value, content.fields) = (None, vec![]);
    }
    assert_eq!(diff(&replay(), &closed), Comparison::default());
    // No content is another thing than content that is not open.
    closed.steps[0].content = None;
    assert_eq!(diff(&replay(), &closed).differences.len(), 1);
}

#[test]
fn what_was_redacted_is_compared_by_its_kind() {
    let (a, b) = ("A".repeat(22), "B".repeat(22));
    let member = |name: String, text: String| Some(json!({name: text, "z": [1, {"0": null}]}));
    let text = |text: String| member("said".to_owned(), text);
    check_contents(
        text(format!("to [email:{a}], [secret]")),
        text(format!("to [email:{b}], [secret]")),
        &[],
        true,
    );
    check_contents(
        member(format!("[iban:{a}]"), "x".into()),
        member(format!("[iban:{b}]"), "x".into()),
        &[],
        true,
    );
    check_contents(text(format!("[email:{a}]")), text(format!("[iban:{a}]")), &["content"], true);
    check_contents(text(format!("to [email:{a}]")), text(format!("cc [email:{a}]")), &["content"], true);
    check_contents(text(format!("[email:{a}]")), text("[email]".into()), &["content"], true);
    // What only looks a little like a mark is text.
    check_contents(text("[email:a]".into()), text("[email:b]".into()), &["content"], true);
}

#[test]
fn another_run_than_was_asked_for_fails() {
    let sample = Sample::closed();
    let other = Sample::closed();
    let keys = || TrustedKeys::new().run_key(sample.host.public_key());
    let check = |keys: TrustedKeys<'_>| verify_files(RunFiles::from(&sample.files), &keys);
    let right =
        keys().expect_run(sample.run_id).expect_tenant(name("acme")).expect_origin(name("hr.example.eu"));
    assert!(check(right).is_ok());
    for (what, keys) in [
        ("run", keys().expect_run(other.run_id)),
        ("tenant", keys().expect_tenant(name("acme2"))),
        ("deployment", keys().expect_origin(name("hr.example.org"))),
    ] {
        let Err(VerifyError::Failed(failure)) = check(keys) else { panic!("{what}") };
        assert!(
            matches!(failure.what, What::Other { what: found, .. } if found == what)
                && failure.last_good.is_none(),
            "{failure}"
        );
        assert_eq!(failure.line, 0);
    }
}
