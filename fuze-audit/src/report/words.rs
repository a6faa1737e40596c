//! Spans in words: who acted, what happened, and whether a reader should look twice.

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
        Span::ToolExecute(a) => mark_if(
            !matches!(a.outcome, ToolOutcome::Ok | ToolOutcome::DoneByStatement),
            a.outcome == ToolOutcome::DoneByStatement,
        ),
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

/// What happened, in one line.
#[must_use]
pub fn summary(span: &Span) -> String {
    match span {
        Span::AgentInvoke(a) => match a.refusal {
            None => format!("{} begins, for {}", a.agent_name, a.purpose),
            Some(refusal) => format!("{} does not begin: {refusal}", a.agent_name),
        },
        Span::Guardrail(a) => format!("{} looks at the {}: {}", a.guardrail, plain(a.phase), a.outcome),
        Span::ModelGenerate(a) => match (a.error, a.tool_calls) {
            (Some(error), _) => format!("{} fails: {}", a.request_model, plain(error)),
            (None, 0) => format!("{} answers", a.request_model),
            (None, 1) => format!("{} asks for a tool", a.request_model),
            (None, calls) => format!("{} asks for {calls} tools", a.request_model),
        },
        Span::PolicyEvaluate(a) => {
            let tool = a.tool.as_ref().map_or("an unknown tool", |tool| tool.as_str());
            format!("{tool}: {}", plain(a.decision))
        }
        Span::ToolExecute(a) => match a.approval_step {
            Some(step) => format!("{} runs on the approval of step {step}: {}", a.tool, plain(a.outcome)),
            None => format!("{} runs: {}", a.tool, plain(a.outcome)),
        },
        Span::OversightSuspend(a) => {
            let what = a.tool.as_ref().map_or("the run", |tool| tool.as_str());
            format!("{what} waits for person {} of {} ({})", a.slot + 1, a.of, plain(a.reason))
        }
        Span::HumanDecision(a) => format!("{} decides: {}", a.overseer, plain(a.action)),
        Span::RunResume(a) => format!("the run goes on, part {} ({})", a.segment + 1, plain(a.cause)),
        Span::RunCancel(a) => format!("the run is stopped by {}", plain(a.cancelled_by)),
        Span::RunGap(a) => format!("a {} was under way when the process ended", plain(a.what)),
        Span::ModelDrift(a) => format!("the model is now {} and was {}", a.to, a.from),
        Span::RunClose(a) => format!("the run closes: {}", plain(a.status)),
    }
}

/// Somebody or something decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who decided.
    pub who: String,
    /// What.
    pub what: String,
    /// By which rule, on which ground.
    pub why: String,
}

/// The decision that a record holds, if it holds one.
#[must_use]
pub fn decision(span: &Span) -> Option<Decision> {
    let tool = |tool: &Option<fuze_evidence::Name>| {
        tool.as_ref().map_or_else(|| "an unknown tool".to_owned(), ToString::to_string)
    };
    match span {
        Span::PolicyEvaluate(a) => {
            let rule = a.rule.as_ref().map_or_else(String::new, |rule| format!(", rule {rule}"));
            let asks =
                [(a.approval_by_law, "law"), (a.approval_by_policy, "policy"), (a.approval_by_tool, "tool")];
            let asks: Vec<&str> = asks.iter().filter(|(asks, _)| *asks).map(|(_, who)| *who).collect();
            let asks = if asks.is_empty() {
                String::new()
            } else {
                format!("; a person is asked for by {}", asks.join(", "))
            };
            Some(Decision {
                who: format!("policy engine {}", a.engine),
                what: format!("{}: {}", tool(&a.tool), plain(a.decision)),
                why: format!("{}{rule}{asks}", plain(a.reason)),
            })
        }
        Span::HumanDecision(a) => {
            let training =
                a.training.as_ref().map_or_else(String::new, |training| format!("training {training}; "));
            let custody = a.custody;
            Some(Decision {
                who: format!("person {}", a.overseer),
                what: format!("{} ({})", plain(a.action), a.outcome),
                why: format!(
                    "{training}key kept {}",
                    if custody.as_str() == "offline" { "by the person" } else { "on the server" }
                ),
            })
        }
        Span::Guardrail(a) if a.tripped => Some(Decision {
            who: format!("guardrail {}", a.guardrail),
            what: format!("stopped the {}", plain(a.phase)),
            why: if a.hard_block { "hard block".to_owned() } else { String::new() },
        }),
        Span::RunCancel(a) => Some(Decision {
            who: plain(a.cancelled_by),
            what: "stopped the run".to_owned(),
            why: String::new(),
        }),
        _ => None,
    }
}

/// A wire name as words.
fn plain(name: impl std::fmt::Display) -> String {
    name.to_string().replace('_', " ")
}
