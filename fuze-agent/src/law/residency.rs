//! Where data may be. Five steps, each at least as wide as the one before: `eu` ⊂ `eea` ⊂ `adequate` ⊂ `us` ⊂ `other`.
//!
//! Residency says where data is; it is not by itself a basis for a transfer (GDPR Ch. V).

use crate::law::data::Classification;
use crate::logic::{Bool, No, True, Yes};
use crate::sealed::Sealed;
use crate::tool::Tool;

/// A residency: the widest place where data may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a residency",
    label = "expected one of `Eu`, `Eea`, `Adequate`, `Us`, `Other`",
    note = "GDPR Art. 44, where personal data may be and where a model may be hosted: write one of `residency::{{Eu, Eea, Adequate, Us, Other}}`, such as `Personal<(lawful::Contract,), residency::Eu>`"
)]
pub trait Residency: Sealed + Send + Sync + 'static {
    /// The wire name.
    const NAME: &'static str;
    /// Whether data of this residency may be at a place of residency `Host`.
    type Admits<Host: Residency>: Bool;
    #[doc(hidden)]
    type WithinEu: Bool;
    #[doc(hidden)]
    type WithinEea: Bool;
    #[doc(hidden)]
    type WithinAdequate: Bool;
    #[doc(hidden)]
    type WithinUs: Bool;
    #[doc(hidden)]
    type WithinOther: Bool;
}

/// No residency given yet. Not a residency.
pub struct Unstated;

macro_rules! residencies {
    ($($place:ident $name:literal $what:literal $admits:ident $eu:ident $eea:ident $adequate:ident $us:ident;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $what, ".")]
            pub struct $place;
            impl Sealed for $place {}
            impl Residency for $place {
                const NAME: &'static str = $name;
                type Admits<Host: Residency> = Host::$admits;
                type WithinEu = $eu;
                type WithinEea = $eea;
                type WithinAdequate = $adequate;
                type WithinUs = $us;
                type WithinOther = Yes;
            }
        )+
        /// Every wire name, from the narrowest to the widest.
        pub const ALL: &[&str] = &[$($name),+];
    };
}
residencies! {
    Eu "eu" "the European Union" WithinEu Yes Yes Yes Yes;
    Eea "eea" "the European Economic Area" WithinEea No Yes Yes Yes;
    Adequate "adequate" "a country with an adequacy decision, GDPR Art. 45" WithinAdequate No No Yes Yes;
    Us "us" "the United States" WithinUs No No No Yes;
    Other "other" "anywhere" WithinOther No No No No;
}

/// Special-category data stays in the EU. This is the framework's policy, not a quotation of the GDPR.
#[diagnostic::on_unimplemented(
    message = "special-category data must stay in the EU",
    label = "`{Self}` is not `residency::Eu`",
    note = "framework policy: write `SpecialCategory<_, _, residency::Eu>`"
)]
pub trait EuOnly: Residency {}
impl EuOnly for Eu {}

/// The tool's data may reach a model hosted in `Host`.
// The relation stands on the tool: a direct bound on the host would print E0271 instead of this.
#[diagnostic::on_unimplemented(
    message = "the data of tool `{Self}` may not reach a model hosted in `{Host}`",
    label = "this tool's residency is narrower than the agent's `ModelResidency`",
    note = "use a model whose residency is at least as strict as the tool's (GDPR Art. 44)"
)]
pub trait MayReach<Host: Residency>: Tool {}
#[diagnostic::do_not_recommend]
impl<Host: Residency, T: Tool> MayReach<Host> for T where
    <<T::Data as Classification>::Residency as Residency>::Admits<Host>: True<(T, Host)>
{
}

/// A model hosted here may serve an agent that declared the model residency `Declared`.
#[diagnostic::on_unimplemented(
    message = "a model hosted in `{Self}` may not serve an agent whose `ModelResidency` is `{Declared}`",
    label = "this model is hosted in `{Self}`",
    note = "use a model within `{Declared}`, or widen the agent's `model_residency` as far as its tools allow"
)]
pub trait HostedWithin<Declared: Residency>: Residency {}
#[diagnostic::do_not_recommend]
impl<Declared: Residency, Host: Residency> HostedWithin<Declared> for Host where Declared::Admits<Host>: True {}
