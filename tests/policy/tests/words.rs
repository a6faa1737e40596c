//! The analysis of policies has the words of a tool's and a run's attributes a second time. Here both are compared, so that a new word in
//! one place is missed in the other.

use fuze_agent::law::data::{Classification, Confidential, Personal, Public, SpecialCategory};
use fuze_agent::law::{annex_iii, art9, art22, lawful, residency};
use fuze_agent::{boundary, effect};
use fuze_evidence::vocab;
use fuze_policy::analysis::words_of;

/// Exactly these words, in whatever order, each once.
fn check<'w>(attribute: &str, words: impl IntoIterator<Item = &'w str>) {
    let sorted = |mut words: Vec<&'w str>| {
        words.sort_unstable();
        words
    };
    let known = words_of(attribute).unwrap_or_else(|| panic!("`{attribute}` has no list of words"));
    assert_eq!(sorted(known.to_vec()), sorted(words.into_iter().collect()), "{attribute}");
}

fn names<'w>(all: &'w [(&'static str, &'static str)]) -> impl Iterator<Item = &'static str> + 'w {
    all.iter().map(|(name, _)| *name)
}

#[test]
fn the_words_are_those_of_the_types() {
    check("art9_basis", names(art9::OWN).chain(names(art9::RESTING_ON_LAW)));
    check("residency", residency::ALL.iter().copied());
    check("effect", effect::ALL.iter().copied());
    check("egress", boundary::EGRESSES.iter().copied());
    check("lawful_basis", names(lawful::ALL));
    check("annex_iii", names(annex_iii::ALL).chain([<annex_iii::None as annex_iii::Point>::NAME]));
    check("art22", names(art22::ALL).chain([<art22::None as art22::Declaration>::NAME]));
    type Special = SpecialCategory<art9::ExplicitConsent, (lawful::Consent,), residency::Eu>;
    type OfPersons = Personal<(lawful::Contract,), residency::Eu>;
    check(
        "classification",
        [Public::NAME, Confidential::<residency::Eu>::NAME, OfPersons::NAME, Special::NAME],
    );
}

/// No run has a word that its evidence does not: a fifth classification, for which there is no list of types, is one here.
#[test]
fn the_words_are_those_of_the_evidence() {
    check("classification", vocab::Classification::ALL.iter().map(|word| word.as_str()));
    check("residency", vocab::Residency::ALL.iter().map(|word| word.as_str()));
    check("effect", vocab::Effect::ALL.iter().map(|word| word.as_str()));
    check("lawful_basis", vocab::LawfulBasis::ALL.iter().map(|word| word.as_str()));
    check("annex_iii", vocab::AnnexIii::ALL.iter().map(|word| word.as_str()));
    check("art22", vocab::Art22::ALL.iter().map(|word| word.as_str()));
}

#[test]
fn what_is_no_list_has_none() {
    for attribute in ["tool_name", "tenant", "purpose", "depth", "has_subject", "args", "colour"] {
        assert!(words_of(attribute).is_none(), "{attribute}");
    }
}
