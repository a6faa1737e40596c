//! What is due: the three windows of a run's retention policy, counted from its close. Erases nothing.
//!
//! GDPR Art. 5(1)(e): content goes first, what people decided later (AI Act Art. 19, 26(6)), the chain of hashes last.

use crate::span::{AgentInvoke, Span};
use crate::time::Timestamp;

/// For how many days after its close what stays of a run, as its first record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Content, but for that of oversight.
    pub content_days: u32,
    /// Content of oversight.
    pub decision_days: u32,
    /// The run as a whole.
    pub hash_days: u32,
}

impl Windows {
    /// What a run's first record declares.
    #[must_use]
    pub const fn of(invoke: &AgentInvoke) -> Self {
        Self {
            content_days: invoke.retention_content_days,
            decision_days: invoke.retention_decision_days,
            hash_days: invoke.retention_hash_days,
        }
    }

    /// When content goes; `None` if that is beyond the year 9999.
    #[must_use]
    pub fn content_ends(self, closed_at: Timestamp) -> Option<Timestamp> {
        closed_at.plus_days(self.content_days)
    }

    /// When content of oversight goes: never before other content.
    #[must_use]
    pub fn decision_ends(self, closed_at: Timestamp) -> Option<Timestamp> {
        closed_at.plus_days(self.decision_days.max(self.content_days))
    }

    /// When the run goes as a whole: never before its content.
    #[must_use]
    pub fn hash_ends(self, closed_at: Timestamp) -> Option<Timestamp> {
        closed_at.plus_days(self.hash_days.max(self.decision_days).max(self.content_days))
    }

    /// What is due at `now` for a run that closed at `closed_at`.
    #[must_use]
    pub fn due(self, closed_at: Timestamp, now: Timestamp) -> Due {
        let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
        if over(self.hash_ends(closed_at)) {
            Due::Run
        } else if over(self.decision_ends(closed_at)) {
            Due::Decisions
        } else if over(self.content_ends(closed_at)) {
            Due::Content
        } else {
            Due::Nothing
        }
    }
}

/// How far a run's windows have ended. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// All stays.
    Nothing,
    /// Content, but for that of oversight.
    Content,
    /// All content and the run's keys.
    Decisions,
    /// Everything.
    Run,
}

/// Whether a record's content stays for the decision window: what people were shown and what they decided.
#[must_use]
pub const fn is_oversight(span: &Span) -> bool {
    matches!(span, Span::OversightSuspend(_) | Span::HumanDecision(_))
}
