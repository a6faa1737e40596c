//! What is wrong with a policy file, and where; every problem of a set is collected, not the first alone.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Line and column in a file, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    /// The beginning of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A position in a named file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, relative to the policy directory, `/` between its parts.
    pub file: Arc<str>,
    /// Where in it.
    pub at: Position,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.at)
    }
}

/// One thing to mend in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, in the words of a policy author.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong with a policy set, in the order of files, lines and columns. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a set is read; the same problem, met on several ways, is told once.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    problems: BTreeSet<Problem>,
    /// What the patterns of all expressions weigh.
    patterns: u64,
}

impl Collector {
    /// Notes a problem.
    pub(crate) fn add(&mut self, file: &Arc<str>, at: Position, message: impl Into<String>) {
        self.problems.insert(Problem { place: Place { file: file.clone(), at }, message: message.into() });
    }

    /// Notes a problem that is already made.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.insert(problem);
    }

    /// How many there are so far.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// Notes what patterns weigh; gives what all do so far.
    pub(crate) fn weigh(&mut self, patterns: u64) -> u64 {
        self.patterns = self.patterns.saturating_add(patterns);
        self.patterns
    }

    /// Ends the collection.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.problems.is_empty() { Ok(value) } else { Err(Problems(self.problems.into_iter().collect())) }
    }
}
