//! How a command ends: its exit code, and what is said when it did not do what it was asked for.

use std::fmt;
use std::path::Path;

use crate::mend::Mend;
use crate::text::plain;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Valid, or done.
    Well,
    /// The evidence is not intact.
    Failed,
    /// It was called wrongly.
    Usage,
    /// Nothing can be said: a key or an anchor is missing.
    Cannot,
    /// A file or a device could not be read or written.
    Io,
}

impl Ended {
    /// The process's exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Cannot => 3,
            Self::Io => 4,
        }
    }

    /// In one word, for JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Cannot => "cannot_verify",
            Self::Io => "io",
        }
    }
}

/// Why a command did not do what it was asked for: what, where, and how to mend it. In one line that no terminal obeys, whatever it
/// quotes: a line more that evidence brought would pass for this command's own.
#[derive(Debug)]
pub(crate) struct Problem {
    ended: Ended,
    message: String,
    directory: Option<String>,
    mends: Vec<Mend>,
}

impl Problem {
    pub(crate) fn new(ended: Ended, message: impl fmt::Display) -> Self {
        Self { ended, message: plain(&message.to_string()), directory: None, mends: Vec::new() }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Ended::Usage, message)
    }

    pub(crate) fn cannot(message: impl fmt::Display) -> Self {
        Self::new(Ended::Cannot, message)
    }

    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::new(Ended::Failed, message)
    }

    pub(crate) fn io(message: impl fmt::Display) -> Self {
        Self::new(Ended::Io, message)
    }

    /// One of several lines, where each is one thing to mend.
    pub(crate) fn lines(ended: Ended, message: impl fmt::Display) -> Self {
        let lines: Vec<String> = message.to_string().lines().map(plain).collect();
        Self { message: lines.join("\n"), ..Self::new(ended, "") }
    }

    /// The same with the places of what is to be mended, for readers of JSON; their files are in `directory`, if there is one.
    pub(crate) fn with_mends(self, directory: Option<&Path>, mends: Vec<Mend>) -> Self {
        Self { directory: directory.map(|path| plain(&path.display().to_string())), mends, ..self }
    }

    pub(crate) fn file(path: &Path, error: impl fmt::Display) -> Self {
        Self::io(format_args!("`{}`: {error}", path.display()))
    }

    pub(crate) const fn ended(&self) -> Ended {
        self.ended
    }

    pub(crate) fn directory(&self) -> Option<&str> {
        self.directory.as_deref()
    }

    pub(crate) fn mends(&self) -> &[Mend] {
        &self.mends
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

pub(crate) type Result<T = Ended> = std::result::Result<T, Problem>;
