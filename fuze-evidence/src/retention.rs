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

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(content_days: u32, decision_days: u32, hash_days: u32) -> Windows {
        Windows { content_days, decision_days, hash_days }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Declared out of order, a window waits for those before it: nothing goes before its time, and the chain goes last.
    #[test]
    fn a_window_never_ends_before_those_before_it() {
        let closed = time("2028-02-28T23:59:59.999999999Z");
        for (content, decision, hash) in [(30, 10, 5), (30, 20, 25), (10, 30, 20), (5, 10, 30), (0, 0, 0)] {
            let windows = windows(content, decision, hash);
            let ends =
                [windows.content_ends(closed), windows.decision_ends(closed), windows.hash_ends(closed)];
            assert_eq!(ends[0], closed.plus_days(content));
            assert_eq!(ends[1], closed.plus_days(decision.max(content)));
            assert_eq!(ends[2], closed.plus_days(hash.max(decision).max(content)));
            assert!(ends.is_sorted(), "{ends:?}");
            for (end, due) in ends.into_iter().flatten().zip([Due::Content, Due::Decisions, Due::Run]) {
                let before = Timestamp::from_nanos(i128::try_from(end.as_nanos()).unwrap() - 1).unwrap();
                assert!(windows.due(closed, end) >= due, "{windows:?}");
                assert!(windows.due(closed, before) < due, "{windows:?}");
            }
        }
    }

    /// Days have 24 hours, in February of a leap year as well; what ends beyond the year 9999 does not end.
    #[test]
    fn windows_are_days_and_may_never_end() {
        let closed = time("2028-02-28T23:59:59.999999999Z");
        assert_eq!(windows(1, 1, 1).content_ends(closed), Some(time("2028-02-29T23:59:59.999999999Z")));
        assert_eq!(windows(366, 0, 0).content_ends(closed), Some(time("2029-02-28T23:59:59.999999999Z")));
        let last = time("9999-12-31T23:59:59.999999999Z");
        assert_eq!(windows(1, 1, 1).content_ends(last), None);
        for never in [windows(u32::MAX, 0, 0), windows(u32::MAX, u32::MAX, u32::MAX)] {
            assert_eq!((never.content_ends(closed), never.decision_ends(closed)), (None, None));
            assert_eq!(never.due(closed, last), Due::Nothing);
        }
        // A clock before the close: nothing is due.
        assert_eq!(windows(0, 0, 0).due(closed, time("1970-01-01T00:00:00.000000000Z")), Due::Nothing);
        assert_eq!(windows(0, u32::MAX, 0).due(closed, last), Due::Content);
    }
}
