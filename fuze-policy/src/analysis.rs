//! What a policy set says about tools, looked at as a whole: lint, proofs, and the difference between two sets.
//!
//! Proofs enumerate: of each attribute that a policy looks at, the *cells* between which no condition can tell a difference (the values
//! it names, another one, none, one of another type). What no cells can be made for (a pattern over an argument, the day of the week) is taken as
//! free: a property is proven only if it holds whatever comes out of it, errors included. A counterexample is a request that the real
//! evaluation ([`cerbos::check`](crate::cerbos::check)) has confirmed. Only what [`question`](crate::agent_tool::question) asks is
//! looked at: policies for other resources are not.
//!
//! Of outputs those are compared that look at nothing, and the branches of conditionals between such; any other may ask for anything.
//!
//! Deliberately absent: limits on what an evaluation may cost.

mod atoms;
mod calls;
mod cell_set;
mod cells;
mod confirm;
mod decide;
mod explain;
mod finding;
mod frames;
mod lint;
mod logic;
mod memo;
mod model;
mod outcome;
mod places;
mod proof;
mod prove;
mod same;
mod says;
mod search;
mod silence;
mod suggest;
mod tool_rules;
mod tools;
mod vocabulary;
mod witness;

use crate::agent_tool::Cerbos;
use crate::cel::Timestamp;
use crate::cerbos::{CheckParams, Place, PolicySet};

pub use calls::Call;
pub use explain::{About, ActionExplained, Came, Explanation, Line, explain};
pub use finding::{Finding, Lint};
pub use proof::{Counterexample, Proof, Property, Reason};
pub use tools::{ToolDeclaration, Tools, names_of_arguments};
pub use vocabulary::{possible, words_of};

/// Policies to be looked at, and what they are looked at with.
#[derive(Clone, Debug)]
pub struct Policies<'p> {
    set: &'p PolicySet,
    params: CheckParams,
    tools: Option<&'p Tools>,
    calls: &'p [Call],
    most_cases: u64,
}

/// Cases of a proof that are looked at before giving up, unless asked otherwise.
pub const MOST_CASES: u64 = 1_000_000;

impl<'p> Policies<'p> {
    /// Looks at these tools alone; without, at every tool that could be declared.
    #[must_use]
    pub fn for_tools(self, tools: &'p Tools) -> Self {
        Self { tools: Some(tools), ..self }
    }

    /// Takes calls that somebody wrote down, such as the cases of the policies' own tests ([`suite::calls`](crate::suite::calls)), to show
    /// that a rule is not dead, where values that the policies name do not.
    #[must_use]
    pub fn tried_with(self, calls: &'p [Call]) -> Self {
        Self { calls, ..self }
    }

    /// Decides at this time where that makes a difference and no condition says which times do.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { params: CheckParams { now: Some(now), ..self.params }, ..self }
    }

    /// Looks at so many cases of each proof before giving up, instead of at [`MOST_CASES`].
    #[must_use]
    pub fn within(self, most_cases: u64) -> Self {
        Self { most_cases, ..self }
    }
}

impl<'p> From<&'p Cerbos> for Policies<'p> {
    fn from(engine: &'p Cerbos) -> Self {
        Self { set: engine.set(), params: engine.params(), tools: None, calls: &[], most_cases: MOST_CASES }
    }
}

impl<'p> From<&'p PolicySet> for Policies<'p> {
    fn from(set: &'p PolicySet) -> Self {
        // A counterexample that depends on the time is one at this time: the beginning of 2026.
        let now = Timestamp { seconds: 1_767_225_600, nanoseconds: 0, offset_seconds: 0 };
        Self { set, params: CheckParams::at(now), tools: None, calls: &[], most_cases: MOST_CASES }
    }
}

/// What a reviewer would object to, in the order of files and lines. With no tools declared, what needs them is left out.
#[must_use]
pub fn lint<'p>(policies: impl Into<Policies<'p>>, tools: &Tools) -> Vec<Finding> {
    lint::lint(&policies.into(), tools)
}

/// A tool that a policy names in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTool {
    /// The name.
    pub name: String,
    /// Whether the tool may be called so in other cases of letters: the condition compares `lowerAscii()` or `upperAscii()` of its name.
    pub any_case: bool,
    /// Where.
    pub place: Place,
}

/// The tools that policies name in their conditions, and where, in the order of files and lines.
#[must_use]
pub fn named_tools<'p>(policies: impl Into<Policies<'p>>) -> Vec<NamedTool> {
    let named = lint::named_tools(&policies.into()).into_iter();
    named.map(|(place, name, any_case)| NamedTool { name, any_case, place }).collect()
}

/// Whether a property holds for every request.
///
/// ```
/// use fuze_policy::agent_tool::Cerbos;
/// use fuze_policy::analysis::{Property, prove};
///
/// let engine = Cerbos::load(std::path::Path::new("guide/special"))?;
/// let proof = prove(&engine, &Property::never_auto("special_category"));
/// assert!(proof.is_proven(), "{proof}");
/// # Ok::<(), fuze_policy::agent_tool::LoadError>(())
/// ```
pub fn prove<'p>(policies: impl Into<Policies<'p>>, property: &Property) -> Proof {
    prove::prove(&policies.into(), property)
}

/// Whether the new policies allow nothing that the old ones denied: neither a call that was denied, nor without a person one that needed
/// approval, nor with fewer people, others, less trained ones or after a longer silence one that needed more. Two obligations are compared
/// as the engine combines them ([`Obligation::strictest`](crate::Obligation::strictest)): the new one has to imply the old one.
/// What the old ones had no answer for (a condition failed, and the run halted) counts as denied.
pub fn diff<'o, 'n>(old: impl Into<Policies<'o>>, new: impl Into<Policies<'n>>) -> Proof {
    prove::diff(&old.into(), &new.into())
}
