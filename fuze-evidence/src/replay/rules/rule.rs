//! Every rule by its name, with what is wrong where it is broken and what must hold. Section 17 of the format has the same table.

use std::fmt;

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
    OversightPlan = "oversight_plan", "a run under Annex III or GDPR Art. 22 began without a plan for human oversight, or a plan names no training",
        "`fuze.oversight.plan` (AI Act Art. 14, GDPR Art. 22(3)), and with it `fuze.oversight.training` (AI Act Art. 26(2))";
    Retention = "retention", "the run's evidence is kept for less time than it must be, or content for longer than what proves it",
        "at least one day, content for no longer than hashes, and under Annex III or GDPR Art. 22 decisions for at least 184 days (six months: AI Act Art. 19, 26(6))";
    AbleToWait = "able_to_wait", "a run that waits for people, may have to or was taken up again has no store, or nobody may decide about it",
        "`fuze.identity.store` and `fuze.oversight.registry_hash` in record 0 under Annex III or GDPR Art. 22 and where the run waits, and the store where it is taken up again";
    PersonalData = "personal_data", "a tool handles personal data, or the data subject was erased, and the run names no lawful basis or no data subject",
        "`fuze.run.lawful_basis` (GDPR Art. 6(1)) and `fuze.subject.ref` in `common`";
    SpecialCategory = "special_category", "a tool handles special categories of personal data, and the model is or was outside the EU",
        "`eu` as the residency of the model throughout (this framework's policy, not a quotation of the GDPR)";
    Decided = "decided", "a tool ran and no decision about these arguments stands before it",
        "a decision of the policy about these arguments, after the model's answer that the call is part of and before the tool runs";
    Allowed = "allowed", "a tool ran although the last decision about these arguments was not to allow it",
        "`allow` as the last decision about these arguments before the tool runs";
    Approved = "approved", "a tool ran that needed a person, and it names none",
        "the step of a person's decision that approves the call";
    ApprovedByDecision = "approved_by_decision", "a tool's end rests on a person's decision that is not there, or the decisions of its case come to something else",
        "a decision in the last case about this very call, and a case that comes to what the tool's end says";
    SameTool = "same_tool", "a call ended as one of another tool, or at another place in the turn, than was decided about its arguments",
        "the tool and the place that the decision about these arguments names";
    SameCall = "same_call", "a call of the model was decided on with other arguments, and no person had changed it",
        "one commitment to arguments for each call of an answer, and another one after a `modify`";
    TakenUpAgain = "taken_up_again", "a call was taken up again although it was over, or people had refused it",
        "one execution of each call, and nothing about it but its end once people refused it or stated what happened";
    CallEnded = "call_ended", "the model was asked again, or the run completed, and a call of its answer, or one that a tool made, has no end",
        "the end of every call before the model is asked again or the run completes: what its tool did, what people said, why it was refused, or that it was left out";
    OnceOnly = "once_only", "a tool that must not run twice ran twice",
        "one execution, in one attempt";
    SameDeclaration = "same_declaration", "a tool is said to be another than before: what it does, what it handles, or whether law asks for a person before it runs",
        "the effect and the classification that the first record of the tool names, and a person asked for by law under Annex III or GDPR Art. 22 before all but a `read`, and nowhere else";
    Waiting = "waiting", "the run went on while it waited for people",
        "nothing but oversight, a resume, a cancel or the close while people are waited for";
    WaitGrounded = "wait_grounded", "the run waits for people although nothing asked for one",
        "a call that is open, and a decision before it that asks for a person about this call of this tool, for this reason, or a doubt";
    Slots = "slots", "the tokens of a case do not fit together",
        "one new token for each slot of a case, all with the same tool, place, reason, deadline and number of slots, and all before anybody decides";
    ExpiresAhead = "expires_ahead", "the time to decide was over before the run began to wait",
        "an end of the wait that is not before the end of the record before it";
    TokenKnown = "token_known", "a person decided on a token that the run does not wait for",
        "a token of an `oversight.suspend` that the run waits for";
    TokenOnce = "token_once", "one token was decided on twice",
        "one decision for each token";
    DecisionOnce = "decision_once", "one signed decision stands in two records",
        "another decision in each record";
    InTime = "in_time", "a person's decision was recorded after the time to decide was over",
        "a decision that is not recorded after `fuze.oversight.expires_at` of its token";
    ActionFits = "action_fits", "a person's decision does not fit what the run waits for",
        "`approve`, `modify` or `reject` of a call, `approve` or `reject` of a question, `done` or `not_done` of a doubt, or `halt`";
    SameArguments = "same_arguments", "a person decided on other arguments than those that wait",
        "a decision about the arguments that wait";
    IndependentPeople = "independent_people", "who started the run, whom it is about or who holds its key decided about it",
        "an overseer who is neither the principal nor the data subject, and another key than the one that signs the run";
    DistinctPeople = "distinct_people", "one person, or one key, filled two slots of a case, or a person has another key than before",
        "another person with another key in each slot of a case, and one key of each person, and of nobody else, in the whole run";
    Trained = "trained", "a person's decision names no training although the agent asks for one",
        "the training relied on (AI Act Art. 26(2)) in each decision about a call for which law asks for a person, a question or a doubt, where record 0 names one";
    AllSlots = "all_slots", "the run was resumed and not every slot was decided",
        "an accepted decision in every slot, one refusal of a case, or a halt";
    SameAction = "same_action", "the people of one case want different things, and the run was resumed",
        "the same action in every slot, one refusal, or a halt";
    VoidedByChange = "voided_by_change", "a decision was set aside although nobody changed the call",
        "`voided` only beside an accepted `modify` in another slot of the case";
    EpochGrows = "epoch_grows", "the run was taken up at an epoch that it had before, or waits at another than it has",
        "a greater epoch than any before in each `run.resume`, and that one in each `oversight.suspend` after it, or 1 before the first";
    RecoveryGap = "recovery_gap", "the run was taken up after a crash, and does not say that something may be missing",
        "`run.gap` (`process`) right after `run.resume` (`recovery`)";
    DriftAcknowledged = "drift_acknowledged", "another model went on with a decision under GDPR Art. 22, and nobody acknowledged it",
        "`fuze.model.drift_acknowledged`";
    SameModel = "same_model", "the model is elsewhere than before, or another takes over from one that was not there",
        "the residency that record 0 names, and from each `run.resume` on one for all requests; in `model.drift` the snapshot that was there, and another";
    KnownPolicy = "known_policy", "a decision rests on another policy bundle or engine than the one in force",
        "the policy bundle of the start or of the last resume; the engine of the start, and from each resume on one for all decisions";
    AfterCancel = "after_cancel", "something began after the run was stopped",
        "nothing after `run.cancel` but the end of what had begun and was cut off, a recovery, another `run.cancel` and the close";
    AfterEnd = "after_end", "something began after a denial, a guardrail or a person's halt had ended the run",
        "nothing but the end of what had begun, a recovery, a cancel and the close";
    ExpiredWaiting = "expired_waiting", "the run expired although it did not wait for people",
        "a run that waits for people when it expires";
    EndedWaiting = "ended_waiting", "the run ended while it waited for people, and nothing had stopped it",
        "`run.cancel` before the close, and the status `cancelled` or `in_doubt`";
    AfterRefusal = "after_refusal", "something happened in a run that was refused",
        "`run.close` as the second record";
    ToldHistory = "told_history", "the model was sent other messages than the records before hold",
        "the hash over the messages that the records before hold";
    Answered = "answered", "the run ended with an answer, and the model's last one is missing, was cut off or asks for calls",
        "an answer of the model to the run itself, whole and without calls, and no request after it, before `completed` and `oversight_missing`";
    CompletedAfterDenial = "completed_after_denial", "the run completed although a call was denied",
        "another status than `completed`";
    CompletedAfterTrip = "completed_after_trip", "the run completed although a guardrail tripped or could not tell",
        "another status than `completed`";
    CompletedAfterStop = "completed_after_stop", "the run completed although it was stopped",
        "another status than `completed`";
    InDoubt = "in_doubt", "whether a call happened is not known, and the run's end does not say so",
        "the status `in_doubt`";
    HumanDecided = "human_decided", "a decision under GDPR Art. 22 completed, and the last call that people decided on was not approved and done; or a person is missing where none decides",
        "the status `oversight_missing`, under GDPR Art. 22 alone, or a person's approval that was carried out";
}
