//! What happened, in sentences. A record's sentence often rests on another record: a call on a person's decision, a decision on what was
//! asked. So the records are told to a [`Story`] first, and it is asked for their sentences after.
//!
//! Speaks of records by their number (`sequence`), never of steps: the number is what every other member and command goes by.

use std::collections::BTreeMap;

use fuze_evidence::record::Entry;
use fuze_evidence::span::{
    AgentInvoke, HumanDecision, ModelGenerate, OversightSuspend, PolicyEvaluate, ToolExecute,
};
use fuze_evidence::vocab::{
    CancelledBy, DecisionOutcome, Gap, OversightAction, PolicyDecision, PolicyReason, ResumeCause,
    SuspendReason, ToolOutcome,
};
use fuze_evidence::{Hash, Name, Span, Timestamp};

use super::plain;

/// What a story takes of a record.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'r> {
    /// The record's number.
    pub sequence: u64,
    /// The number of its step, by which records name each other.
    pub step_id: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What happened.
    pub span: &'r Span,
}

impl<'r> From<&'r Entry> for Moment<'r> {
    fn from(entry: &'r Entry) -> Self {
        Self {
            sequence: entry.sequence,
            step_id: entry.step_id,
            started_at: entry.started_at,
            ended_at: entry.ended_at,
            span: &entry.span,
        }
    }
}

/// Somebody was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The record that says so.
    pub record: u64,
    /// When.
    pub from: Timestamp,
    /// When the answer came, if one did.
    pub to: Option<Timestamp>,
    /// What it was about: the commitment to the arguments.
    pub arguments: Option<Hash>,
    tool: Option<Name>,
    reason: SuspendReason,
    segment: u32,
}

/// A decision of a person, as far as others rest on it.
#[derive(Debug, Clone)]
struct Said {
    record: u64,
    overseer: Name,
    action: OversightAction,
    counts: bool,
    token: Hash,
}

/// Somebody or something decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who decided.
    pub who: String,
    /// What, as the rest of a sentence about them.
    pub what: String,
    /// By which rule, on which ground.
    pub why: String,
    /// Of a person: what they were asked, if the record of it was told.
    pub asked: Option<Asked>,
}

/// Records, as far as others rest on them. Not told of a record that another rests on, it says less.
#[derive(Debug, Default)]
pub struct Story {
    segment: u32,
    /// By token.
    asked: BTreeMap<Hash, Asked>,
    /// By step.
    said: BTreeMap<u64, Said>,
}

impl Story {
    /// The story of these records.
    pub fn of<'r>(moments: impl IntoIterator<Item = Moment<'r>>) -> Self {
        let mut story = Self::default();
        moments.into_iter().for_each(|moment| story.observe(&moment));
        story
    }

    /// Takes the next record.
    fn observe(&mut self, moment: &Moment<'_>) {
        match moment.span {
            Span::RunResume(_) => self.segment = self.segment.saturating_add(1),
            Span::OversightSuspend(a) => {
                let asked = Asked {
                    record: moment.sequence,
                    from: moment.ended_at,
                    to: None,
                    arguments: a.args_hash,
                    tool: a.tool.clone(),
                    reason: a.reason,
                    segment: self.segment,
                };
                self.asked.entry(a.token_hash).or_insert(asked);
            }
            Span::HumanDecision(a) => {
                if let Some(asked) = self.asked.get_mut(&a.token_hash) {
                    asked.to.get_or_insert(moment.started_at);
                }
                let said = Said {
                    record: moment.sequence,
                    overseer: a.overseer.clone(),
                    action: a.action,
                    counts: a.outcome == DecisionOutcome::Accepted,
                    token: a.token_hash,
                };
                self.said.entry(moment.step_id).or_insert(said);
            }
            Span::AgentInvoke(_)
            | Span::Guardrail(_)
            | Span::ModelGenerate(_)
            | Span::PolicyEvaluate(_)
            | Span::ToolExecute(_)
            | Span::RunCancel(_)
            | Span::RunGap(_)
            | Span::ModelDrift(_)
            | Span::RunClose(_) => {}
        }
    }

    /// Who was asked what, in the order of the records.
    #[must_use]
    pub fn asked(&self) -> Vec<&Asked> {
        let mut asked: Vec<&Asked> = self.asked.values().collect();
        asked.sort_by_key(|asked| asked.record);
        asked
    }

    /// What a decision answers.
    #[must_use]
    pub fn asked_by(&self, decision: &HumanDecision) -> Option<&Asked> {
        self.asked.get(&decision.token_hash)
    }

    /// What happened, in one line.
    #[must_use]
    pub fn summary(&self, span: &Span) -> String {
        match span {
            Span::AgentInvoke(a) => begins(a),
            Span::Guardrail(a) => format!("{} looks at the {}: {}", a.guardrail, plain(a.phase), a.outcome),
            Span::ModelGenerate(a) => answers(a),
            Span::PolicyEvaluate(a) => {
                let tool = named(a.tool.as_ref());
                match (a.decision, a.error) {
                    (PolicyDecision::Allow, _) => format!("{tool} is allowed"),
                    (PolicyDecision::RequiresApproval, _) => format!("{tool} needs a person’s approval"),
                    (PolicyDecision::Deny, _) => format!("{tool} is denied"),
                    (PolicyDecision::Error, None) => format!("{tool} could not be decided"),
                    (PolicyDecision::Error, Some(error)) => {
                        format!("{tool} could not be decided: {}", plain(error))
                    }
                }
            }
            Span::ToolExecute(a) => self.executes(a),
            Span::OversightSuspend(a) => asks(a),
            Span::HumanDecision(a) => format!("{} {}", a.overseer, self.decides(a)),
            Span::RunResume(a) => {
                let after = match a.cause {
                    ResumeCause::Decision => "people’s decisions",
                    ResumeCause::Recovery => "an interruption",
                };
                format!("the run goes on after {after} (part {})", u64::from(a.segment) + 1)
            }
            Span::RunCancel(a) => match a.cancelled_by {
                CancelledBy::Operator => "the operator stopped the run".to_owned(),
                CancelledBy::Abort => "the run was aborted".to_owned(),
                CancelledBy::SubjectErased => "the run was stopped: the data subject was erased".to_owned(),
                CancelledBy::Expired => "the run was stopped: nobody decided in time".to_owned(),
            },
            Span::RunGap(a) => match a.what {
                Gap::ModelRequest => {
                    "the process ended while the model was asked; its answer is lost".to_owned()
                }
                Gap::Tool => {
                    "the process ended while a tool ran; what it did is not known from this".to_owned()
                }
                Gap::Process => "the process ended while the run was under way".to_owned(),
            },
            Span::ModelDrift(a) => format!("the model is now {} and was {}", a.to, a.from),
            Span::RunClose(a) => format!("the run closes: {}", plain(a.status)),
        }
    }

    /// The end of a call.
    fn executes(&self, a: &ToolExecute) -> String {
        let tool = &a.tool;
        let said = a.approval_step.and_then(|step| self.said.get(&step));
        // What ran did so on a decision, if people were asked.
        let ran = |how: &str| format!("{tool} {how}{}", on_decision(a, said));
        let states = said.map_or_else(
            || "a person states".to_owned(),
            |said| format!("{} states (record {})", said.overseer, said.record),
        );
        match a.outcome {
            ToolOutcome::Ok => ran("ran"),
            ToolOutcome::Error => ran("ran and failed"),
            ToolOutcome::NotApplied => ran("failed before it did anything"),
            ToolOutcome::OutputInvalid => ran("ran; what it returned is not of its form"),
            ToolOutcome::Panicked => ran("crashed while it ran"),
            ToolOutcome::Timeout => ran("ran out of time"),
            ToolOutcome::Cancelled => ran("was cut off"),
            ToolOutcome::CancellationTruncated => ran("ran out of time, and could not be stopped"),
            ToolOutcome::InDoubt => ran("began; whether it happened is not known"),
            ToolOutcome::DoneByStatement => format!("{tool} happened, as {states}"),
            ToolOutcome::NotDoneByStatement => format!("{tool} did not happen, as {states}"),
            ToolOutcome::Rejected => match said.and_then(|said| self.refusal(said)) {
                Some(by) => format!("{tool} did not run: {} refused it (record {})", by.overseer, by.record),
                None => format!("{tool} did not run: a person refused it"),
            },
            ToolOutcome::NotRun => format!("{tool} was left out, and did not run"),
        }
    }

    /// The refusal that a case came to: the named decision may be a neighbour's approval.
    fn refusal(&self, said: &Said) -> Option<&Said> {
        let case = |said: &Said| {
            let asked = self.asked.get(&said.token)?;
            Some((asked.segment, asked.arguments, asked.reason))
        };
        let refuses = |said: &&Said| said.counts && said.action == OversightAction::Reject;
        let same = |other: &&Said| {
            other.record == said.record || case(said).is_some_and(|it| case(other) == Some(it))
        };
        self.said.values().filter(refuses).filter(same).min_by_key(|said| said.record)
    }

    /// What a person decided, as the rest of a sentence about them.
    fn decides(&self, a: &HumanDecision) -> String {
        let asked = self.asked_by(a);
        let what = match asked.map(|asked| asked.tool.as_ref()) {
            Some(Some(tool)) => tool.to_string(),
            // What was asked is another record's, which is not told; or it was about the run as a whole.
            Some(None) | None => "what was asked".to_owned(),
        };
        let question = asked.is_some_and(|asked| asked.reason == SuspendReason::Requested);
        let decided = match a.action {
            OversightAction::Approve if question => format!("agreed to what {what} asked"),
            OversightAction::Reject if question => format!("said no to what {what} asked"),
            OversightAction::Approve => format!("approved {what}"),
            OversightAction::Modify => format!("approved {what} with changed arguments"),
            OversightAction::Reject => format!("refused {what}"),
            OversightAction::Halt => format!("halted the run, asked about {what}"),
            OversightAction::Done => format!("stated that {what} happened"),
            OversightAction::NotDone => format!("stated that {what} did not happen"),
            OversightAction::Withdraw => format!("withdrew from deciding about {what}"),
            OversightAction::Escalate => format!("passed {what} on to others"),
        };
        match a.outcome {
            DecisionOutcome::Accepted => decided,
            DecisionOutcome::Voided => format!("{decided}, which does not count any more"),
        }
    }

    /// The decision that a record holds, if it holds one.
    #[must_use]
    pub fn decision(&self, span: &Span) -> Option<Decision> {
        match span {
            Span::PolicyEvaluate(a) => Some(Decision {
                who: format!("policy engine {}", a.engine),
                what: self.summary(span),
                why: grounds(a),
                asked: None,
            }),
            Span::HumanDecision(a) => {
                let training =
                    a.training.as_ref().map_or_else(String::new, |training| format!("training {training}; "));
                let kept = if a.custody.as_str() == "offline" { "by the person" } else { "on the server" };
                Some(Decision {
                    who: a.overseer.to_string(),
                    what: self.decides(a),
                    why: format!("{training}key kept {kept}"),
                    asked: self.asked_by(a).cloned(),
                })
            }
            Span::Guardrail(a) if a.tripped => Some(Decision {
                who: format!("guardrail {}", a.guardrail),
                what: format!("stopped the {}", plain(a.phase)),
                why: if a.hard_block { "hard block".to_owned() } else { String::new() },
                asked: None,
            }),
            Span::RunCancel(a) => Some(Decision {
                who: plain(a.cancelled_by),
                what: "stopped the run".to_owned(),
                why: String::new(),
                asked: None,
            }),
            Span::AgentInvoke(_)
            | Span::Guardrail(_)
            | Span::ModelGenerate(_)
            | Span::ToolExecute(_)
            | Span::OversightSuspend(_)
            | Span::RunResume(_)
            | Span::RunGap(_)
            | Span::ModelDrift(_)
            | Span::RunClose(_) => None,
        }
    }
}

impl Asked {
    /// What was asked, as the rest of a sentence about a person.
    #[must_use]
    pub fn what(&self) -> String {
        let tool = self.tool.as_ref().map_or("the run", |tool| tool.as_str());
        match self.reason {
            SuspendReason::Requested => format!("asked by {tool}"),
            SuspendReason::InDoubt => format!("asked whether {tool} happened"),
            SuspendReason::Policy | SuspendReason::Tool | SuspendReason::Law => {
                format!("asked to decide about {tool}")
            }
        }
    }
}

fn begins(a: &AgentInvoke) -> String {
    match a.refusal {
        None => format!("{} begins, for {}", a.agent_name, a.purpose),
        Some(refusal) => format!("{} does not begin: {}", a.agent_name, plain(refusal)),
    }
}

fn answers(a: &ModelGenerate) -> String {
    match (a.error, a.tool_calls) {
        (Some(error), _) => format!("{} fails: {}", a.request_model, plain(error)),
        (None, 0) => format!("{} answers", a.request_model),
        (None, 1) => format!("{} asks for a tool", a.request_model),
        (None, calls) => format!("{} asks for {calls} tools", a.request_model),
    }
}

fn asks(a: &OversightSuspend) -> String {
    let what = a.tool.as_ref().map_or("the run", |tool| tool.as_str());
    let asked = match a.reason {
        SuspendReason::Policy => format!("{what} waits for a person, as the policy demands"),
        SuspendReason::Tool => format!("{what} waits for a person, as its declaration demands"),
        SuspendReason::Law => format!("{what} waits for a person, as the law demands"),
        SuspendReason::Requested => format!("{what} asks a person"),
        SuspendReason::InDoubt => format!("a person is asked whether {what} happened"),
    };
    match a.of {
        1 => asked,
        of => format!("{asked} ({} of {of})", u64::from(a.slot) + 1),
    }
}

/// On whose decision a call ran, if people were asked.
fn on_decision(a: &ToolExecute, said: Option<&Said>) -> String {
    let Some(Said { overseer, action, record, .. }) = said else {
        return if a.approval_step.is_some() { ", on a person’s decision" } else { "" }.to_owned();
    };
    match action {
        OversightAction::Approve => format!(", approved by {overseer} (record {record})"),
        OversightAction::Modify => {
            format!(", approved by {overseer} with changed arguments (record {record})")
        }
        // Against the rules: it is said as it is.
        OversightAction::Reject => format!(", though {overseer} had refused it (record {record})"),
        OversightAction::Halt => format!(", though {overseer} had halted the run (record {record})"),
        OversightAction::Done => format!(", though {overseer} had stated that it happened (record {record})"),
        OversightAction::NotDone => {
            format!("; {overseer} had stated that it did not happen before (record {record})")
        }
        OversightAction::Withdraw | OversightAction::Escalate => {
            format!(", which {overseer} had not decided (record {record})")
        }
    }
}

/// By which rule a policy engine decided, and who asks for a person.
fn grounds(a: &PolicyEvaluate) -> String {
    let asks = [
        (a.approval_by_law, "the law"),
        (a.approval_by_policy, "the policy"),
        (a.approval_by_tool, "the tool’s declaration"),
    ];
    let asks: Vec<&str> = asks.iter().filter(|(asks, _)| *asks).map(|(_, who)| *who).collect();
    let mut grounds = Vec::new();
    match a.reason {
        PolicyReason::Engine => {}
        // Said below, by the flag.
        PolicyReason::Law if a.approval_by_law => {}
        PolicyReason::Tool if a.approval_by_tool => {}
        reason => grounds.push(plain(reason)),
    }
    grounds.extend(a.rule.as_ref().map(|rule| format!("rule {rule}")));
    match asks.as_slice() {
        [] => {}
        [one] => grounds.push(format!("{one} demands a person")),
        more => grounds.push(format!("{} demand a person", more.join(" and "))),
    }
    grounds.join("; ")
}

fn named(tool: Option<&Name>) -> &str {
    tool.map_or("an unknown tool", Name::as_str)
}

#[cfg(test)]
mod tests {
    use fuze_evidence::sha256;
    use fuze_evidence::span::RunResume;
    use fuze_evidence::vocab::{Classification, Custody, Effect, ExecuteToolOperation, SandboxTier};

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn tool(outcome: ToolOutcome, approval_step: Option<u64>) -> Span {
        ToolExecute {
            app: fuze_evidence::span::AppAttrs::default(),
            approval_step,
            args_hash: Hash::ZERO,
            attempt: 1,
            call_index: 0,
            classification: Classification::Personal,
            effect: Effect::Once,
            exec_id: Hash::ZERO,
            outcome,
            sandbox_tier: SandboxTier::None,
            operation: ExecuteToolOperation::ExecuteTool,
            tool: name("pay"),
        }
        .into()
    }

    fn suspend(token: &str, reason: SuspendReason, slot: u32, of: u32) -> Span {
        OversightSuspend {
            epoch: 1,
            expires_at: Timestamp::MAX,
            of,
            reason,
            slot,
            snapshot_hash: Hash::ZERO,
            token_hash: sha256(token.as_bytes()),
            args_hash: Some(Hash::ZERO),
            call_index: Some(0),
            tool: Some(name("pay")),
        }
        .into()
    }

    fn decide(token: &str, who: &str, action: OversightAction) -> Span {
        HumanDecision {
            action,
            custody: Custody::Server,
            decision_hash: sha256(who.as_bytes()),
            edited: action == OversightAction::Modify,
            key_id: Hash::ZERO,
            modified_args_hash: None,
            outcome: DecisionOutcome::Accepted,
            overseer: name(who),
            token_hash: sha256(token.as_bytes()),
            training: None,
            args_hash: Some(Hash::ZERO),
        }
        .into()
    }

    /// Records from number 10 on, whose steps have other numbers.
    fn story(spans: &[Span]) -> Story {
        let at = |n: u64| Timestamp::from_nanos(i128::from(n)).unwrap();
        Story::of((0..).zip(spans).map(|(n, span)| Moment {
            sequence: 10 + n,
            step_id: 40 + n,
            started_at: at(2 * n),
            ended_at: at(2 * n + 1),
            span,
        }))
    }

    /// What is said of a call of each outcome: on no decision, on one whose record is not told, on an approval, on a refusal.
    #[test]
    fn each_end_of_a_call_is_said_as_it_was() {
        let decided = |action| story(&[suspend("t", SuspendReason::Law, 0, 1), decide("t", "ann", action)]);
        let (approved, refused) = (decided(OversightAction::Approve), decided(OversightAction::Reject));
        let by = ", approved by ann (record 11)";
        let against = ", though ann had refused it (record 11)";
        let unknown = ", on a person’s decision";
        for &outcome in ToolOutcome::ALL {
            // Of what never ran nothing may say that it ran.
            let (said, rests) = match outcome {
                ToolOutcome::Ok => ("pay ran", true),
                ToolOutcome::Error => ("pay ran and failed", true),
                ToolOutcome::NotApplied => ("pay failed before it did anything", true),
                ToolOutcome::OutputInvalid => ("pay ran; what it returned is not of its form", true),
                ToolOutcome::Panicked => ("pay crashed while it ran", true),
                ToolOutcome::Timeout => ("pay ran out of time", true),
                ToolOutcome::Cancelled => ("pay was cut off", true),
                ToolOutcome::CancellationTruncated => ("pay ran out of time, and could not be stopped", true),
                ToolOutcome::InDoubt => ("pay began; whether it happened is not known", true),
                ToolOutcome::DoneByStatement => ("pay happened, as a person states", false),
                ToolOutcome::NotDoneByStatement => ("pay did not happen, as a person states", false),
                ToolOutcome::Rejected => ("pay did not run: a person refused it", false),
                ToolOutcome::NotRun => ("pay was left out, and did not run", false),
            };
            let nobody = Story::default();
            assert_eq!(nobody.summary(&tool(outcome, None)), said);
            let told = nobody.summary(&tool(outcome, Some(41)));
            assert_eq!(told, if rests { format!("{said}{unknown}") } else { said.to_owned() });
            let (on_approval, on_refusal) =
                (approved.summary(&tool(outcome, Some(41))), refused.summary(&tool(outcome, Some(41))));
            let named = |text: &str| text.replace("a person states", "ann states (record 11)");
            match rests {
                true => {
                    assert_eq!((on_approval, on_refusal), (format!("{said}{by}"), format!("{said}{against}")))
                }
                false if outcome == ToolOutcome::Rejected => {
                    assert_eq!(on_approval, said, "who approved did not refuse");
                    assert_eq!(on_refusal, "pay did not run: ann refused it (record 11)");
                }
                false => assert_eq!((on_approval, on_refusal), (named(said), named(said))),
            }
        }
    }

    #[test]
    fn a_refusal_is_its_own_person_s_whatever_slot_the_call_names() {
        let resume: Span =
            RunResume { bundle_hash: Hash::ZERO, cause: ResumeCause::Decision, epoch: 2, segment: 1 }.into();
        let story = story(&[
            suspend("t", SuspendReason::Law, 0, 2),
            suspend("u", SuspendReason::Law, 1, 2),
            decide("t", "ann", OversightAction::Approve),
            decide("u", "ben", OversightAction::Reject),
            resume,
            // Another case of the same arguments.
            suspend("v", SuspendReason::Law, 0, 1),
            decide("v", "eve", OversightAction::Reject),
        ]);
        let said = story.summary(&tool(ToolOutcome::Rejected, Some(42)));
        assert_eq!(said, "pay did not run: ben refused it (record 13)");
    }

    #[test]
    fn a_decision_says_what_was_asked_and_where() {
        for &action in OversightAction::ALL {
            for reason in [SuspendReason::Law, SuspendReason::Requested] {
                let asks = suspend("t", reason, 0, 1);
                let span = decide("t", "ann", action);
                let decision = story(&[asks, span.clone()]).decision(&span).unwrap();
                assert!(decision.what.contains("pay"), "{action}: {}", decision.what);
                let asked = decision.asked.unwrap();
                assert_eq!((asked.record, asked.from.as_nanos()), (10, 1));
                assert_eq!(asked.to.map(Timestamp::as_nanos), Some(2));
            }
        }
        let refused = decide("t", "ann", OversightAction::Reject);
        let law = story(&[suspend("t", SuspendReason::Law, 0, 1)]);
        assert_eq!(law.decision(&refused).unwrap().what, "refused pay");
        assert_eq!(law.asked()[0].what(), "asked to decide about pay");
        assert_eq!(law.asked()[0].to, None);
        let asks = story(&[suspend("t", SuspendReason::Requested, 0, 1)]);
        assert_eq!(asks.decision(&refused).unwrap().what, "said no to what pay asked");
        // Accepted is what a decision is; that it is not is said.
        let Span::HumanDecision(mut voided) = refused else { unreachable!() };
        voided.outcome = DecisionOutcome::Voided;
        assert_eq!(law.summary(&voided.into()), "ann refused pay, which does not count any more");
    }
}
