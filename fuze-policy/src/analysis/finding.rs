//! What lint finds.

use std::fmt;

use crate::cerbos::Place;

/// What is objected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lint {
    /// An ALLOW whose condition, whatever tool and run it is that the policy does not name, can be met by the arguments alone.
    RestsOnArguments,
    /// An ALLOW for every role whose condition excludes no tool and no run, or some by their names alone.
    AllowsEverything,
    /// A rule that no request reaches or whose condition never holds.
    DeadRule,
    /// A rule without which every decision is the same.
    ShadowedRule,
    /// A role that nobody has.
    UnknownRole,
    /// An attribute that no tool and no run has.
    UnknownAttribute,
    /// An argument that no tool has for which the rule can hold.
    UnknownArgument,
    /// A value that the attribute never has.
    UnknownValue,
    /// A tool that is not declared.
    UnknownTool,
    /// A kind of resource that is nearly `agent.tool`.
    UnknownKind,
    /// A note: whether something is to be objected to could not be said.
    NotRead,
    /// A note: whether something is to be objected to was not looked at to the end, because that takes too long.
    NotJudged,
}

impl Lint {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::RestsOnArguments,
        Self::AllowsEverything,
        Self::DeadRule,
        Self::ShadowedRule,
        Self::UnknownRole,
        Self::UnknownAttribute,
        Self::UnknownArgument,
        Self::UnknownValue,
        Self::UnknownTool,
        Self::UnknownKind,
        Self::NotRead,
        Self::NotJudged,
    ];

    /// The name of the finding.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RestsOnArguments => "rests-on-arguments",
            Self::AllowsEverything => "allows-everything",
            Self::DeadRule => "dead-rule",
            Self::ShadowedRule => "shadowed-rule",
            Self::UnknownRole => "unknown-role",
            Self::UnknownAttribute => "unknown-attribute",
            Self::UnknownArgument => "unknown-argument",
            Self::UnknownValue => "unknown-value",
            Self::UnknownTool => "unknown-tool",
            Self::UnknownKind => "unknown-kind",
            Self::NotRead => "not-read",
            Self::NotJudged => "not-judged",
        }
    }

    /// Whether it is a note, and nothing to object to.
    #[must_use]
    pub fn is_note(self) -> bool {
        matches!(self, Self::NotRead | Self::NotJudged)
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that lint found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What kind.
    pub lint: Lint,
    /// What, in the words of a policy author.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.message, self.lint)
    }
}
