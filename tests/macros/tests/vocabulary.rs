//! The macro crate cannot depend on `fuze-agent` and has the law's words a second time. Here both are compared.

#[path = "../../../fuze-agent-macros/src/vocabulary.rs"]
mod vocabulary;

use fuze_agent::law::art9::{self, Basis};
use fuze_agent::law::{annex_iii, art22, data::Classification, lawful, residency};
use fuze_agent::logic::Bool;
use vocabulary::Term;

fn words(terms: &'static [Term]) -> Vec<(&'static str, &'static str)> {
    terms.iter().map(|term| (term.name, term.article)).collect()
}

/// The name of a marker type, without its path and parameters.
fn type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split_once('<').map_or(name, |(name, _)| name);
    name.rsplit_once("::").map_or(name, |(_, name)| name)
}

#[test]
fn lawful_bases_are_the_same() {
    assert_eq!(words(vocabulary::LAWFUL_BASIS), lawful::ALL);
}

#[test]
fn art22_bases_are_the_same() {
    assert_eq!(words(vocabulary::ART22_BASIS), art22::ALL);
}

#[test]
fn residencies_are_the_same_and_in_the_same_order() {
    let names: Vec<_> = vocabulary::RESIDENCY.iter().map(|term| term.name).collect();
    assert_eq!(names, residency::ALL);
}

#[test]
fn the_points_of_annex_iii_are_the_same() {
    let points: Vec<_> = vocabulary::ANNEX_III
        .iter()
        .flat_map(|area| {
            area.points.iter().map(|point| (format!("{}.{}", area.name, point.name), point.article))
        })
        .collect();
    let types: Vec<_> = annex_iii::ALL.iter().map(|(name, point)| ((*name).to_owned(), *point)).collect();
    assert_eq!(points, types);
}

struct Law;
impl art9::LawReference for Law {
    const CITATION: &'static str = "a law";
}

#[test]
fn art9_bases_are_the_same() {
    macro_rules! row {
        ($basis:ty) => {
            (
                <$basis>::NAME,
                type_name::<$basis>(),
                <$basis>::ARTICLE,
                <$basis>::LAW.is_some(),
                <<$basis as Basis>::AdmitsAutomatedDecisions as Bool>::VALUE,
            )
        };
    }
    let types = [
        row!(art9::ExplicitConsent),
        row!(art9::EmploymentSocialSecurity<Law>),
        row!(art9::VitalInterestsIncapable),
        row!(art9::NonProfitMembers),
        row!(art9::ManifestlyPublic),
        row!(art9::LegalClaims),
        row!(art9::SubstantialPublicInterest<Law>),
        row!(art9::HealthOrSocialCare<Law>),
        row!(art9::PublicHealth<Law>),
        row!(art9::ArchivingResearchStatistics<Law>),
    ];
    let words: Vec<_> = vocabulary::ART9_BASIS
        .iter()
        .map(|basis| {
            let Term { name, marker, article } = basis.term;
            (name, marker, article, basis.rests_on_law, basis.admits_automated_decisions)
        })
        .collect();
    assert_eq!(words, types);
}

#[test]
fn the_other_words_are_the_same() {
    use fuze_agent::boundary::{self, Egress, FileSystem};
    use fuze_agent::effect::{self, Effect};
    use fuze_agent::law::data;

    let names =
        |terms: &'static [Term]| terms.iter().map(|term| (term.name, term.marker)).collect::<Vec<_>>();
    macro_rules! rows {
        ($($ty:ty),+) => { [$((<$ty>::NAME, type_name::<$ty>())),+] };
    }
    type Bases = (lawful::Consent,);
    assert_eq!(
        names(vocabulary::CLASSIFICATION),
        rows!(
            data::Public,
            data::Confidential,
            data::Personal<Bases, residency::Eu>,
            data::SpecialCategory<art9::ExplicitConsent, Bases, residency::Eu>
        )
    );
    assert_eq!(
        names(vocabulary::EGRESS),
        rows!(boundary::NoEgress, boundary::ToEu, boundary::ToEea, boundary::Anywhere)
    );
    assert_eq!(names(vocabulary::EFFECT), rows!(effect::Read, effect::Idempotent, effect::Once));
    let file_systems = [FileSystem::None, FileSystem::Read, FileSystem::ReadWrite]
        .map(|file_system| (file_system.name(), format!("{file_system:?}")));
    let words = names(vocabulary::FILE_SYSTEM);
    assert!(file_systems.iter().map(|(name, variant)| (*name, variant.as_str())).eq(words));
}
