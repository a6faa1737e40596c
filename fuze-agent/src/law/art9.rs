//! GDPR Art. 9(2): the ten conditions under which special categories of personal data may be processed.
//!
//! A condition comes on top of the Art. 6 basis, never instead. (b), (g), (h), (i) and (j) rest on Union or Member State
//! law: they carry the reference to it as a type parameter.

use core::marker::PhantomData;

use crate::logic::{Bool, No, Yes};
use crate::sealed::Sealed;

/// A condition of GDPR Art. 9(2).
#[diagnostic::on_unimplemented(
    message = "special-category data needs a GDPR Art. 9(2) basis",
    label = "`{Self}` is not an Art. 9(2) basis",
    note = "write `SpecialCategory<art9::ExplicitConsent, …>` or another basis of `fuze_agent::law::art9`"
)]
pub trait Basis: Sealed + 'static {
    /// The wire name.
    const NAME: &'static str;
    /// The article.
    const ARTICLE: &'static str;
    /// The law it rests on, for (b), (g), (h), (i), (j).
    const LAW: Option<&'static str>;
    /// Whether Art. 22(4) admits solely automated decisions on it: (a) and (g) only.
    type AdmitsAutomatedDecisions: Bool;
}

/// No basis given yet: what `SpecialCategory` stands for without parameters. Not a basis.
pub struct Unstated;

/// No law named yet: what a basis that rests on law stands for without its parameter. Not a reference.
pub struct Unreferenced;

/// The Union or Member State law that a basis rests on. Yours to implement.
#[diagnostic::on_unimplemented(
    message = "this Art. 9(2) basis rests on Union or Member State law and needs the reference to it",
    label = "`{Self}` names no law",
    note = "implement `art9::LawReference` for a type of your own and pass it: `art9::HealthOrSocialCare<MyLaw>`"
)]
pub trait LawReference: 'static {
    /// The citation, such as `§ 22(1) no. 1 b BDSG`. Not empty.
    const CITATION: &'static str;
}

macro_rules! own {
    ($($basis:ident $name:literal $article:literal $art22:ident;)+) => { $(
        #[doc = concat!("`", $name, "`, GDPR ", $article, ".")]
        pub struct $basis;
        impl Sealed for $basis {}
        impl Basis for $basis {
            const NAME: &'static str = $name;
            const ARTICLE: &'static str = $article;
            const LAW: Option<&'static str> = None;
            type AdmitsAutomatedDecisions = $art22;
        }
    )+
        /// Every wire name of a basis that rests on no other law, with its article.
        pub const OWN: &[(&str, &str)] = &[$(($name, $article)),+];
    };
}
macro_rules! resting_on_law {
    ($($basis:ident $name:literal $article:literal $art22:ident;)+) => { $(
        #[doc = concat!("`", $name, "`, GDPR ", $article, "; rests on the law `L`.")]
        pub struct $basis<L = Unreferenced>(PhantomData<fn() -> L>);
        impl<L: 'static> Sealed for $basis<L> {}
        impl<L: LawReference> Basis for $basis<L> {
            const NAME: &'static str = $name;
            const ARTICLE: &'static str = $article;
            const LAW: Option<&'static str> = Some(L::CITATION);
            type AdmitsAutomatedDecisions = $art22;
        }
    )+
        /// Every wire name of a basis that rests on Union or Member State law, with its article.
        pub const RESTING_ON_LAW: &[(&str, &str)] = &[$(($name, $article)),+];
    };
}
own! {
    ExplicitConsent "explicit_consent" "Art. 9(2)(a)" Yes;
    VitalInterestsIncapable "vital_interests_incapable" "Art. 9(2)(c)" No;
    NonProfitMembers "non_profit_members" "Art. 9(2)(d)" No;
    ManifestlyPublic "manifestly_public" "Art. 9(2)(e)" No;
    LegalClaims "legal_claims" "Art. 9(2)(f)" No;
}
resting_on_law! {
    EmploymentSocialSecurity "employment_social_security" "Art. 9(2)(b)" No;
    SubstantialPublicInterest "substantial_public_interest" "Art. 9(2)(g)" Yes;
    HealthOrSocialCare "health_or_social_care" "Art. 9(2)(h)" No;
    PublicHealth "public_health" "Art. 9(2)(i)" No;
    ArchivingResearchStatistics "archiving_research_statistics" "Art. 9(2)(j)" No;
}
