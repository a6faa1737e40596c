//! What a tool touches: `public`, `confidential`, `personal`, `special_category`.
//!
//! Payloads, not flags: personal data cannot be named without its lawful bases and residency, and special-category data
//! not without its Art. 9(2) basis. What does not apply to a class cannot be written down for it.

use core::marker::PhantomData;

use crate::law::lawful::{self, Bases};
use crate::law::residency::{self, EuOnly, Residency};
use crate::law::{art9, art22};
use crate::logic::{Bool, No, True, Yes};
use crate::sealed::Sealed;
use crate::tool::Tool;

/// A class of data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a classification of data",
    label = "expected `Public`, `Confidential`, `Personal<…>` or `SpecialCategory<…>`",
    note = "name a class of `fuze_agent::law::data`"
)]
pub trait Classification: Sealed + 'static {
    /// The wire name.
    const NAME: &'static str;
    /// The wire name of the Art. 9(2) basis.
    const ART9: Option<&'static str>;
    /// The law that the Art. 9(2) basis rests on.
    const LAW: Option<&'static str>;
    /// The wire names of the lawful bases.
    const BASES: &'static [&'static str];
    /// Whether the data relates to a person (GDPR Art. 4(1)).
    type Personal: Bool;
    /// Where the data may be.
    type Residency: Residency;
    /// Whether it may be processed under `B`.
    type Under<B: lawful::Basis>: Bool;
    /// Whether a solely automated decision may rest on it (GDPR Art. 22(4)).
    type AdmitsAutomatedDecisions: Bool;
}

/// Data that anyone may have.
pub struct Public;
/// Business data, of no person; may be at `R`, by default anywhere.
pub struct Confidential<R = residency::Other>(PhantomData<fn() -> R>);
/// Personal data (GDPR Art. 4(1)), under one of `S`, at `R`.
pub struct Personal<S = lawful::Unstated, R = residency::Unstated>(PhantomData<fn() -> (S, R)>);
/// Special categories of personal data (GDPR Art. 9(1)), on the basis `B`, under one of `S`, in the EU.
pub struct SpecialCategory<B = art9::Unstated, S = lawful::Unstated, R = residency::Unstated>(Of<(B, S, R)>);

/// Names types without holding values of them.
type Of<T> = PhantomData<fn() -> T>;

impl Sealed for Public {}
impl<R: 'static> Sealed for Confidential<R> {}
impl<S: 'static, R: 'static> Sealed for Personal<S, R> {}
impl<B: 'static, S: 'static, R: 'static> Sealed for SpecialCategory<B, S, R> {}

impl Classification for Public {
    const NAME: &'static str = "public";
    const ART9: Option<&'static str> = None;
    const LAW: Option<&'static str> = None;
    const BASES: &'static [&'static str] = &[];
    type Personal = No;
    type Residency = residency::Other;
    type Under<B: lawful::Basis> = Yes;
    type AdmitsAutomatedDecisions = Yes;
}

impl<R: Residency> Classification for Confidential<R> {
    const NAME: &'static str = "confidential";
    const ART9: Option<&'static str> = None;
    const LAW: Option<&'static str> = None;
    const BASES: &'static [&'static str] = &[];
    type Personal = No;
    type Residency = R;
    type Under<B: lawful::Basis> = Yes;
    type AdmitsAutomatedDecisions = Yes;
}

impl<S: Bases, R: Residency> Classification for Personal<S, R> {
    const NAME: &'static str = "personal";
    const ART9: Option<&'static str> = None;
    const LAW: Option<&'static str> = None;
    const BASES: &'static [&'static str] = S::NAMES;
    type Personal = Yes;
    type Residency = R;
    type Under<B: lawful::Basis> = B::In<S>;
    type AdmitsAutomatedDecisions = Yes;
}

// No `do_not_recommend` here: the leaf's message, such as `art9::Basis`, is the one the author should read.
impl<B: art9::Basis, S: Bases, R: EuOnly> Classification for SpecialCategory<B, S, R> {
    const NAME: &'static str = "special_category";
    const ART9: Option<&'static str> = Some(B::NAME);
    const LAW: Option<&'static str> = B::LAW;
    const BASES: &'static [&'static str] = S::NAMES;
    type Personal = Yes;
    type Residency = R;
    type Under<L: lawful::Basis> = L::In<S>;
    type AdmitsAutomatedDecisions = B::AdmitsAutomatedDecisions;
}

/// The tool's data may serve an agent with the Art. 22 declaration `D`.
#[diagnostic::on_unimplemented(
    message = "tool `{Self}` touches special categories that no solely automated decision may rest on",
    label = "the agent declares `{D}`; this tool's Art. 9(2) basis is neither explicit consent (a) nor substantial public interest (g)",
    note = "GDPR Art. 22(4): use `art9::ExplicitConsent` or `art9::SubstantialPublicInterest<Law>`, or `art22: none`"
)]
pub trait AdmittedBy<D: art22::Declaration>: Tool {}
#[diagnostic::do_not_recommend]
impl<D: art22::Declaration, T: Tool> AdmittedBy<D> for T where
    <D::Decides as Bool>::Implies<<T::Data as Classification>::AdmitsAutomatedDecisions>: True<(T, D)>
{
}
