//! Type-level booleans. Sets, orders and "any of these tools" all reduce to them: one sealed place to get wrong.

use crate::sealed::{Sealed, SealedAnswer};

/// True.
pub struct Yes;
/// False.
pub struct No;
impl Sealed for Yes {}
impl Sealed for No {}

/// [`Yes`] or [`No`].
pub trait Bool: Sealed + 'static {
    /// The same as a value.
    const VALUE: bool;
    /// Disjunction.
    type Or<O: Bool>: Bool;
    /// Conjunction.
    type And<O: Bool>: Bool;
    /// Implication.
    type Implies<O: Bool>: Bool;
    /// Negation.
    type Not: Bool;
}

impl Bool for Yes {
    const VALUE: bool = true;
    type Or<O: Bool> = Self;
    type And<O: Bool> = O;
    type Implies<O: Bool> = O;
    type Not = No;
}

impl Bool for No {
    const VALUE: bool = false;
    type Or<O: Bool> = O;
    type And<O: Bool> = Self;
    type Implies<O: Bool> = Yes;
    type Not = Yes;
}

/// [`Yes`] or [`No`], as the constant `B` says: so that the answer can stand where what it is about has no name.
pub type Of<const B: bool> = <Is<B> as Decided>::Answer;

/// The constant `B` as a type.
#[doc(hidden)]
pub struct Is<const B: bool>;
#[doc(hidden)]
pub trait Decided: Sealed {
    type Answer: Bool;
}
impl<const B: bool> Sealed for Is<B> {}
impl Decided for Is<true> {
    type Answer = Yes;
}
impl Decided for Is<false> {
    type Answer = No;
}

/// What the compiler is asked to show, as the answer to `Question`: by default to any.
///
/// A question names whom it is about. Of errors that rest on the same unmet bound the compiler shows one only; so the
/// same rule broken by two tools, or two rules broken by one, are two questions.
// INVARIANT: sealed with its parameter. An open `True<Mine>` would be an author's to implement for `No`.
pub trait True<Question = ()>: Bool + SealedAnswer<Question> {}
impl<Question> SealedAnswer<Question> for Yes {}
impl<Question> True<Question> for Yes {}
