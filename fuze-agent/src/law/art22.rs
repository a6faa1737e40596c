//! GDPR Art. 22: decisions based solely on automated processing.
//!
//! An agent that declares one gets a human before the decision takes effect; a run that ends without that human decision
//! is `oversight_missing`, never `completed`. An answer is let out only while the last call that people decided on was
//! approved and done: after a refusal it would be the model's own.

use core::marker::PhantomData;

use crate::logic::{Bool, No, Yes};
use crate::sealed::Sealed;

/// What an agent declares about Art. 22.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a declaration about GDPR Art. 22",
    label = "expected `art22::None` or `art22::Decides<…>`",
    note = "write `art22::None`, or `art22::Decides<art22::ContractNecessity>` with its Art. 22(2) basis"
)]
pub trait Declaration: Sealed + 'static {
    /// The wire name: `none` or that of the basis.
    const NAME: &'static str;
    /// Whether the agent decides.
    type Decides: Bool;
}

/// A basis of Art. 22(2).
#[diagnostic::on_unimplemented(
    message = "a solely automated decision needs its GDPR Art. 22(2) basis",
    label = "`{Self}` is not an Art. 22(2) basis",
    note = "write `art22::Decides<art22::ContractNecessity>`, `…<AuthorisedByLaw>` or `…<ExplicitConsent>`"
)]
pub trait Basis: Sealed + 'static {
    /// The wire name.
    const NAME: &'static str;
    /// The article.
    const ARTICLE: &'static str;
}

/// No decision of the kind.
pub struct None;
/// Decides, on the basis `B`.
pub struct Decides<B = Unstated>(PhantomData<fn() -> B>);
/// No basis given yet. Not a basis.
pub struct Unstated;

impl Sealed for None {}
impl Declaration for None {
    const NAME: &'static str = "none";
    type Decides = No;
}
impl<B: 'static> Sealed for Decides<B> {}
impl<B: Basis> Declaration for Decides<B> {
    const NAME: &'static str = B::NAME;
    type Decides = Yes;
}

macro_rules! bases {
    ($($basis:ident $name:literal $article:literal;)+) => { $(
        #[doc = concat!("`", $name, "`, GDPR ", $article, ".")]
        pub struct $basis;
        impl Sealed for $basis {}
        impl Basis for $basis {
            const NAME: &'static str = $name;
            const ARTICLE: &'static str = $article;
        }
    )+
        /// Every wire name with its article.
        pub const ALL: &[(&str, &str)] = &[$(($name, $article)),+];
    };
}
bases! {
    ContractNecessity "contract_necessity" "Art. 22(2)(a)";
    AuthorisedByLaw "authorised_by_law" "Art. 22(2)(b)";
    ExplicitConsent "explicit_consent" "Art. 22(2)(c)";
}
