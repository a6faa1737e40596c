//! GDPR Art. 6(1): lawful bases, and sets of them.
//!
//! A set is a tuple: the same type answers the check and gives the list for evidence, so the two cannot drift.

use crate::logic::{Bool, No, True, Yes};
use crate::sealed::{Sealed, SealedBases};
use crate::tool::Tool;

/// A lawful basis, GDPR Art. 6(1)(a)–(f).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lawful basis of GDPR Art. 6(1)",
    label = "expected one of `Consent`, `Contract`, `LegalObligation`, `VitalInterests`, `PublicTask`, `LegitimateInterests`",
    note = "name a basis of `fuze_agent::law::lawful`"
)]
pub trait Basis: Sealed + 'static {
    /// The wire name.
    const NAME: &'static str;
    /// The article.
    const ARTICLE: &'static str;
    /// Whether a set holds this basis.
    type In<S: Bases>: Bool;
    #[doc(hidden)]
    type IsConsent: Bool;
    #[doc(hidden)]
    type IsContract: Bool;
    #[doc(hidden)]
    type IsLegalObligation: Bool;
    #[doc(hidden)]
    type IsVitalInterests: Bool;
    #[doc(hidden)]
    type IsPublicTask: Bool;
    #[doc(hidden)]
    type IsLegitimateInterests: Bool;
}

/// A set of lawful bases: a tuple of one to six.
#[diagnostic::on_unimplemented(
    message = "personal data needs its lawful bases (GDPR Art. 6(1))",
    label = "`{Self}` is not a set of lawful bases",
    note = "write a tuple, such as `Personal<(lawful::Contract, lawful::LegitimateInterests), residency::Eu>`"
)]
pub trait Bases: SealedBases + 'static {
    /// The wire names, in the order declared.
    const NAMES: &'static [&'static str];
    #[doc(hidden)]
    type Consent: Bool;
    #[doc(hidden)]
    type Contract: Bool;
    #[doc(hidden)]
    type LegalObligation: Bool;
    #[doc(hidden)]
    type VitalInterests: Bool;
    #[doc(hidden)]
    type PublicTask: Bool;
    #[doc(hidden)]
    type LegitimateInterests: Bool;
}

/// No lawful bases given yet: what `Personal` stands for without parameters. Not a set.
pub struct Unstated;

macro_rules! bases {
    ($($basis:ident $name:literal $article:literal $c:ident $k:ident $l:ident $v:ident $p:ident $i:ident;)+) => {
        $(
            #[doc = concat!("`", $name, "`, GDPR ", $article, ".")]
            pub struct $basis;
            impl Sealed for $basis {}
            impl Basis for $basis {
                const NAME: &'static str = $name;
                const ARTICLE: &'static str = $article;
                type In<S: Bases> = S::$basis;
                type IsConsent = $c;
                type IsContract = $k;
                type IsLegalObligation = $l;
                type IsVitalInterests = $v;
                type IsPublicTask = $p;
                type IsLegitimateInterests = $i;
            }
        )+
        /// Every wire name with its article.
        pub const ALL: &[(&str, &str)] = &[$(($name, $article)),+];
    };
}
bases! {
    Consent "consent" "Art. 6(1)(a)" Yes No No No No No;
    Contract "contract" "Art. 6(1)(b)" No Yes No No No No;
    LegalObligation "legal_obligation" "Art. 6(1)(c)" No No Yes No No No;
    VitalInterests "vital_interests" "Art. 6(1)(d)" No No No Yes No No;
    PublicTask "public_task" "Art. 6(1)(e)" No No No No Yes No;
    LegitimateInterests "legitimate_interests" "Art. 6(1)(f)" No No No No No Yes;
}

macro_rules! any {
    ($is:ident $a:ident) => { $a::$is };
    ($is:ident $a:ident $($rest:ident)+) => { <$a::$is as Bool>::Or<any!($is $($rest)+)> };
}
macro_rules! sets {
    ($(($($a:ident)+))*) => { $(
        impl<$($a: Basis),+> SealedBases for ($($a,)+) {}
        impl<$($a: Basis),+> Bases for ($($a,)+) {
            const NAMES: &'static [&'static str] = &[$($a::NAME),+];
            type Consent = any!(IsConsent $($a)+);
            type Contract = any!(IsContract $($a)+);
            type LegalObligation = any!(IsLegalObligation $($a)+);
            type VitalInterests = any!(IsVitalInterests $($a)+);
            type PublicTask = any!(IsPublicTask $($a)+);
            type LegitimateInterests = any!(IsLegitimateInterests $($a)+);
        }
    )* };
}
sets! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }

/// The tool may run under the lawful basis `B`: its data is not personal, or `B` is in its set.
// `do_not_recommend` on the blanket keeps the message on this trait, which speaks the author's words.
#[diagnostic::on_unimplemented(
    message = "tool `{Self}` may not run under the lawful basis `{B}`",
    label = "the agent relies on `{B}`, which is not among this tool's lawful bases",
    note = "GDPR Art. 6(1): add `{B}` to the tool's lawful bases, or rely on a basis that the tool allows"
)]
pub trait AllowedUnder<B: Basis>: Tool {}
#[diagnostic::do_not_recommend]
impl<B: Basis, T: Tool> AllowedUnder<B> for T where
    <T::Data as crate::law::data::Classification>::Under<B>: True<(T, B)>
{
}
