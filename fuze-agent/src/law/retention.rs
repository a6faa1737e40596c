//! How long what is kept (GDPR Art. 5(1)(e), AI Act Art. 19 and 26(6)).

/// Three windows, in days: the content itself, the hashes that stand for it, the record of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The policy's id, 1–128 characters of `A–Z a–z 0–9 . _ : / @ + -`.
    pub id: &'static str,
    /// Days for which content is kept.
    pub content_days: u32,
    /// Days for which hashes are kept; at least as long as the content.
    pub hash_days: u32,
    /// Days for which decisions are kept. AI Act Art. 19 and 26(6): at least six months for high-risk systems.
    pub decision_days: u32,
}

impl Retention {
    /// Six months, counted as the longest six months of a year: July to December has 184 days.
    pub const HIGH_RISK_DECISION_DAYS: u32 = 184;

    /// A retention policy.
    ///
    /// # Panics
    /// At compile time, in a constant, when a window is zero or content outlives its hashes.
    #[must_use]
    #[track_caller]
    pub const fn days(id: &'static str, content_days: u32, hash_days: u32, decision_days: u32) -> Self {
        let retention = Self { id, content_days, hash_days, decision_days };
        retention.check();
        retention
    }

    /// Fails the build of a constant when the windows do not fit together.
    // `track_caller`, here and at the other checks: the error stands at the constant that fails, not inside this crate.
    #[track_caller]
    pub(crate) const fn check(&self) {
        assert!(
            is_name(self.id),
            "a retention policy needs an id of 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ + -`"
        );
        assert!(
            self.content_days > 0 && self.hash_days > 0 && self.decision_days > 0,
            "a retention window of 0 days keeps nothing: state at least 1 day (GDPR Art. 5(1)(e))"
        );
        assert!(
            self.content_days <= self.hash_days,
            "content may not be kept longer than the hashes that prove it: make `hash_days` at least `content_days`"
        );
    }
}

/// Whether `text` is a name as evidence records them.
pub(crate) const fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 128 {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        #[expect(clippy::indexing_slicing, reason = "`i < bytes.len()`; const code has no `get`")]
        if !matches!(bytes[i], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'/' | b'@' | b'+' | b'-')
        {
            return false;
        }
        i += 1;
    }
    true
}
