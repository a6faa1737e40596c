//! Spans in words: who acted, what happened, and whether a reader should look twice.

mod story;

pub use story::{Asked, Decision, Moment, Story};

use fuze_evidence::Span;
use fuze_evidence::vocab::{
    DecisionOutcome, GuardrailOutcome, ModelOutcome, OversightAction, PolicyDecision, RunStatus,
    StartOutcome, ToolOutcome,
};

/// Whether `c` is not seen where it stands and changes what is seen around it: controls, which move a terminal's cursor, what
/// turns the direction of writing (Unicode TR9), and what is shown as nothing, tag characters for instance, in which a text can hide
/// another. Whoever shows a stranger's words puts something else in its place.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control() || HIDDEN.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// The code points with the property Default_Ignorable_Code_Point in DerivedCoreProperties.txt of the Unicode Character Database (14.0,
/// whole ranges), which include those with the property Bidi_Control in PropList.txt; and, which have neither, the line and paragraph
/// separators U+2028 and U+2029 and the annotation characters U+FFF9 to U+FFFB.
const HIDDEN: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// A row of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The run itself.
    Agent,
    /// A model's answer.
    Model,
    /// A guardrail's look.
    Guardrail,
    /// The policy.
    Policy,
    /// A tool.
    Tool,
    /// Somebody who was asked.
    Person,
}

impl Lane {
    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Model => "Model",
            Self::Guardrail => "Guardrail",
            Self::Policy => "Policy",
            Self::Tool => "Tools",
            Self::Person => "People",
        }
    }

    /// For style sheets.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Guardrail => "guardrail",
            Self::Policy => "policy",
            Self::Tool => "tool",
            Self::Person => "person",
        }
    }
}

/// Whether a reader should look twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// All is well.
    Fine,
    /// Something waits or was changed.
    Notice,
    /// Something was refused, failed or is in doubt.
    Stop,
}

impl Mark {
    /// For style sheets.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Notice => "notice",
            Self::Stop => "stop",
        }
    }

    /// So that colour is never the only sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Fine => "✓",
            Self::Notice => "!",
            Self::Stop => "✗",
        }
    }
}

/// Who acted.
#[must_use]
pub const fn lane(span: &Span) -> Lane {
    match span {
        Span::ModelGenerate(_) => Lane::Model,
        Span::Guardrail(_) => Lane::Guardrail,
        Span::PolicyEvaluate(_) => Lane::Policy,
        Span::ToolExecute(_) => Lane::Tool,
        Span::OversightSuspend(_) | Span::HumanDecision(_) => Lane::Person,
        Span::AgentInvoke(_)
        | Span::RunResume(_)
        | Span::RunCancel(_)
        | Span::RunGap(_)
        | Span::ModelDrift(_)
        | Span::RunClose(_) => Lane::Agent,
    }
}

fn mark_if(stop: bool, notice: bool) -> Mark {
    match (stop, notice) {
        (true, _) => Mark::Stop,
        (false, true) => Mark::Notice,
        (false, false) => Mark::Fine,
    }
}

/// Whether a reader should look twice.
#[must_use]
pub fn mark(span: &Span) -> Mark {
    match span {
        Span::AgentInvoke(a) => mark_if(a.outcome == StartOutcome::Refused, a.permissive),
        Span::Guardrail(a) => mark_if(a.outcome != GuardrailOutcome::Passed, false),
        Span::ModelGenerate(a) => mark_if(a.outcome == ModelOutcome::Error, false),
        Span::PolicyEvaluate(a) => mark_if(
            matches!(a.decision, PolicyDecision::Deny | PolicyDecision::Error),
            a.decision == PolicyDecision::RequiresApproval,
        ),
        Span::ToolExecute(a) => match a.outcome {
            ToolOutcome::Ok => Mark::Fine,
            ToolOutcome::DoneByStatement | ToolOutcome::NotRun => Mark::Notice,
            ToolOutcome::Error
            | ToolOutcome::NotApplied
            | ToolOutcome::OutputInvalid
            | ToolOutcome::Panicked
            | ToolOutcome::Timeout
            | ToolOutcome::Cancelled
            | ToolOutcome::CancellationTruncated
            | ToolOutcome::InDoubt
            | ToolOutcome::NotDoneByStatement
            | ToolOutcome::Rejected => Mark::Stop,
        },
        Span::HumanDecision(a) => mark_if(
            matches!(a.action, OversightAction::Reject | OversightAction::Halt)
                || a.outcome == DecisionOutcome::Voided,
            !matches!(a.action, OversightAction::Approve),
        ),
        Span::RunClose(a) => mark_if(a.status != RunStatus::Completed, false),
        Span::RunCancel(_) | Span::RunGap(_) => Mark::Stop,
        Span::OversightSuspend(_) | Span::ModelDrift(_) => Mark::Notice,
        Span::RunResume(_) => Mark::Fine,
    }
}

/// What happened, in one line, told without the records that it rests on.
#[must_use]
pub fn summary(span: &Span) -> String {
    Story::default().summary(span)
}

/// How a run ended, as the rest of a sentence.
#[must_use]
pub const fn ended(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Completed => "the run completed",
        RunStatus::InDoubt => "the run ended with a call of which nobody knows whether it happened",
        RunStatus::PolicyDenied => "the run ended because a call was denied",
        RunStatus::Tripwire => "a guardrail ended the run",
        RunStatus::BudgetExceeded => "the run ended at one of its limits",
        RunStatus::Cancelled => "the run was stopped",
        RunStatus::OversightMissing => {
            "the run ended without an answer, because no person stood behind one (GDPR Art. 22)"
        }
        RunStatus::Halted => "the run was halted",
        RunStatus::Error => "the run failed",
    }
}

/// `1 field`, `2 fields`.
pub(super) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// A wire name as words.
fn plain(name: impl std::fmt::Display) -> String {
    name.to_string().replace('_', " ")
}
