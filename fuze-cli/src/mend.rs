//! What there is to mend in a file, with its place: the same members wherever JSON names one.

use fuze_policy::cerbos::{Place as PolicyPlace, Problem as PolicyProblem};
use schemars::JsonSchema;
use serde::Serialize;

use crate::text::{BAD, plain};

/// A place in a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Place {
    /// Relative to the directory, if there is one; `.` is the directory itself.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: u32,
    /// From 1, in characters.
    pub(crate) column: u32,
}

impl From<&PolicyPlace> for Place {
    fn from(place: &PolicyPlace) -> Self {
        Self { file: plain(&place.file), line: place.at.line, column: place.at.column }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing to mend.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Mend {
    #[serde(flatten)]
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Mend {
    pub(crate) fn new(place: Place, message: &str) -> Self {
        Self { place, message: plain(message) }
    }

    pub(crate) fn all(problems: &[PolicyProblem]) -> Vec<Self> {
        problems.iter().map(|problem| Self::new((&problem.place).into(), &problem.message)).collect()
    }

    pub(crate) fn text(&self) -> String {
        format!("{BAD}{}{BAD:#}: {}\n", self.place, self.message)
    }
}
