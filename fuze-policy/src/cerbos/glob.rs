//! Patterns over actions, roles, resources and principals: those of Go's `gobwas/glob` with `:` as the separator, as
//! Cerbos uses them.
//!
//! `*` stands for any characters but `:`, `**` for any at all, `?` for one that is not `:`, `[abc]`, `[a-z]`, `[!abc]`
//! and `[!a-z]` for one of a class (which may hold `:`), `{a,b*}` for alternatives; `\` takes the next character as it
//! is. A pattern that is `*` alone means `**`. Matching takes time linear in the text, whatever the pattern.
//!
//! gobwas does not always follow its own documentation. Where it is known to differ for ASCII text, its way is kept
//! (`ab**b` matches `ab`) or the pattern is refused (`{a*,a}`). It also loses matches of `?`, classes and braces that
//! stand next to other characters, where the text has characters beyond ASCII; there the documentation is followed.

mod machine;
mod overlap;
mod parse;

use std::fmt;
use std::sync::Arc;

use machine::Machine;
pub(crate) use overlap::texts_told_apart;
use parse::Part;

/// A compiled pattern.
#[derive(Clone)]
pub struct Glob {
    source: Arc<str>,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    /// `*` or `**`.
    Everything,
    /// `ab**yz`, which gobwas matches on both ends alone, so that they may overlap.
    Ends { prefix: Arc<str>, suffix: Arc<str> },
    /// All else.
    Machine(Arc<Machine>),
}

impl Glob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in the words of a policy author.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let source: Arc<str> = pattern.into();
        let parts = parse::parse(if pattern == "*" { "**" } else { pattern })?;
        let matcher = match ends(&parts) {
            Some((prefix, suffix)) if prefix.is_empty() && suffix.is_empty() => Matcher::Everything,
            Some((prefix, suffix)) => Matcher::Ends { prefix: prefix.into(), suffix: suffix.into() },
            None => Matcher::Machine(Arc::new(Machine::new(&parts)?)),
        };
        Ok(Self { source, matcher })
    }

    /// Whether a text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Everything => true,
            Matcher::Ends { prefix, suffix } => text.starts_with(&**prefix) && text.ends_with(&**suffix),
            Matcher::Machine(machine) => machine.matches(text),
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.source)
    }
}

/// The texts before and after a `**`, if the pattern has nothing else.
fn ends(parts: &[Part]) -> Option<(String, String)> {
    let at = parts.iter().position(|part| matches!(part, Part::Anything))?;
    let text = |parts: &[Part]| -> Option<String> {
        parts.iter().map(|part| if let Part::Char(c) = part { Some(*c) } else { None }).collect()
    };
    Some((text(parts.get(..at)?)?, text(parts.get(at + 1..)?)?))
}

/// An action, role or resource of a rule: Cerbos takes it for a pattern only if it has a `*`.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Exactly this.
    Exact(Arc<str>),
    /// Whatever matches.
    Glob(Glob),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// See [`Glob::new`].
    pub fn new(text: &str) -> Result<Self, String> {
        if text.contains('*') { Glob::new(text).map(Self::Glob) } else { Ok(Self::Exact(text.into())) }
    }

    /// Whether a text is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *text,
            Self::Glob(glob) => glob.matches(text),
        }
    }

    /// What [`matches`](Self::matches) costs, in comparisons of short texts: a pattern is run on all its positions at once.
    pub(crate) fn cost(&self, text: &str) -> usize {
        match self {
            Self::Glob(Glob { matcher: Matcher::Machine(machine), .. }) => {
                1 + text.len().saturating_mul(machine.positions()) / 32
            }
            Self::Exact(_) | Self::Glob(_) => 1,
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(exact) => exact,
            Self::Glob(glob) => glob.as_str(),
        }
    }
}

#[cfg(test)]
mod tests;
