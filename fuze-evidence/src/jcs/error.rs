//! Why octets were not read: where, what was expected there, and what stands there instead.

use std::fmt;

/// Why octets were not read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Counted from 0.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ReadErrorKind,
    /// What should stand there.
    pub expected: &'static str,
    /// The character that stands there; nothing at the end, or where no character begins. Never more than one, because what
    /// is read may be content and errors are printed.
    pub found: Option<char>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// Not UTF-8.
    Utf8,
    /// The end came too early.
    End,
    /// An octet that cannot stand here.
    Unexpected,
    /// Octets after the value.
    Trailing,
    /// White space in canonical JSON.
    WhiteSpace,
    /// Keys out of order in canonical JSON.
    KeyOrder,
    /// One key twice.
    DuplicateKey,
    /// An escape that canonical JSON writes otherwise, or that does not exist.
    Escape,
    /// A control character that is not escaped.
    Control,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// An integer beyond ±(2^53−1).
    IntegerRange,
    /// A number that is too large for a double, or that reads as an integer beyond ±(2^53−1).
    FloatRange,
    /// A number that canonical JSON writes otherwise; `-0` too.
    NumberForm,
    /// Deeper than 64.
    Depth,
}

impl ReadErrorKind {
    /// What should stand there instead.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::End => "more",
            Self::Unexpected => "JSON",
            Self::Trailing => "nothing after the value",
            Self::WhiteSpace => "no white space",
            Self::KeyOrder => "a key that sorts after the one before it by UTF-16 code units",
            Self::DuplicateKey => "no key twice in one object",
            Self::Escape => "the canonical escape, or the character itself where none is needed",
            Self::Control => "an escape for the control character",
            Self::LoneSurrogate => "both halves of a surrogate pair",
            Self::IntegerRange => "an integer within ±(2^53-1); write a larger one as a string",
            Self::FloatRange => {
                "a finite number that does not read as an integer beyond ±(2^53-1); write it as a string"
            }
            Self::NumberForm => "the number as ECMAScript writes it, zero without a sign",
            Self::Depth => "arrays and objects at most 64 deep",
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at octet {}: expected {}, found {}", self.offset, self.expected, self.found_there())
    }
}

impl ReadError {
    /// What stands there, in words.
    #[must_use]
    pub fn found_there(&self) -> String {
        match (self.found, self.kind) {
            (Some(found), _) => format!("{found:?}"),
            (None, ReadErrorKind::End) => "the end".to_owned(),
            (None, _) => "an octet that begins no character".to_owned(),
        }
    }
}

impl std::error::Error for ReadError {}
