//! The types against a table written independently of them: thousands of declarations of one tool and one agent, one
//! module each, compiled; every verdict of the compiler must be that of the table.
//!
//! The compiler works in phases, and an error in one can hide those of a later one. So the declarations are sorted by
//! what the table expects, and no module counts as accepted because the compiler stopped elsewhere: those expected to
//! pass compile without a single error in any of them; those expected to fail by their constants fail by constants alone,
//! each; those expected to fail by their types have an error each.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; indexing `serde_json::Value` gives `null`"
)]

mod compiler;
mod program;
mod space;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Error, Package};
use space::Pair;

/// Rules that constants show, in a module that otherwise compiles.
const BY_CONSTANTS: &[usize] = &[8];

#[test]
fn the_types_and_the_table_agree() {
    let pairs = space::pairs();
    assert!(pairs.len() >= 3000, "only {} declarations", pairs.len());
    let mut expected: BTreeMap<Kind, Vec<(&Pair, BTreeSet<usize>)>> = BTreeMap::new();
    for pair in &pairs {
        let broken = table::broken(&pair.0, &pair.1);
        expected.entry(Kind::of(&broken)).or_default().push((pair, broken));
    }
    let mut disagreements = Vec::new();
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    for (kind, pairs) in &expected {
        assert!(pairs.len() >= 100, "only {} declarations are {kind:?}", pairs.len());
        let module = |(index, (pair, _)): (usize, &(&Pair, BTreeSet<usize>))| {
            program::module(&format!("m{index}"), &pair.0, &pair.1, *kind != Kind::RefusedByTypes)
        };
        let modules: Vec<String> = pairs.iter().enumerate().map(module).collect();
        let package = Package::write(kind.package(), &modules);
        for ((pair, broken), errors) in pairs.iter().zip(package.check()) {
            if let Some(why) = kind.disagreement(broken, &errors) {
                disagreements.push(format!("{why}\n  {:?}\n  {:?}\n  errors: {errors:?}", pair.0, pair.1));
            }
            for rule in broken {
                *seen.entry(*rule).or_default() += 1;
            }
        }
        println!("{kind:?}: {} declarations", pairs.len());
    }
    println!(
        "{} declarations, {} disagreements; broken, by rule: {seen:?}",
        pairs.len(),
        disagreements.len()
    );
    assert!(
        disagreements.is_empty(),
        "{} disagreements, such as\n{}",
        disagreements.len(),
        head(&disagreements)
    );
    for rule in [1, 2, 3, 4, 5, 6, 7, 8, 20] {
        assert!(seen.get(&rule).is_some_and(|count| *count >= 50), "rule {rule} is hardly tried: {seen:?}");
    }
}

fn head(disagreements: &[String]) -> String {
    disagreements.iter().take(10).cloned().collect::<Vec<_>>().join("\n")
}

/// What the table expects of a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Accepted,
    RefusedByConstants,
    RefusedByTypes,
}

impl Kind {
    fn of(broken: &BTreeSet<usize>) -> Self {
        if broken.is_empty() {
            Self::Accepted
        } else if broken.iter().all(|rule| BY_CONSTANTS.contains(rule)) {
            Self::RefusedByConstants
        } else {
            Self::RefusedByTypes
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Accepted => "oracle-accepted",
            Self::RefusedByConstants => "oracle-refused-by-constants",
            Self::RefusedByTypes => "oracle-refused-by-types",
        }
    }

    /// Why the compiler does not say what the table says, if so.
    fn disagreement(self, broken: &BTreeSet<usize>, errors: &[Error]) -> Option<String> {
        let codes: BTreeSet<&str> = errors.iter().map(|error| error.code.as_str()).collect();
        let accused: BTreeSet<usize> = errors.iter().filter_map(accused).collect();
        match self {
            Self::Accepted if errors.is_empty() => None,
            Self::Accepted => Some("the table accepts, the compiler refuses".into()),
            Self::RefusedByConstants | Self::RefusedByTypes if errors.is_empty() => {
                Some(format!("the table refuses by {broken:?}, the compiler says nothing"))
            }
            Self::RefusedByConstants if codes != BTreeSet::from(["E0080"]) => {
                Some("the table refuses by constants, the compiler by something else".into())
            }
            Self::RefusedByTypes if codes.contains("E0080") => {
                Some("a constant fails before the types".into())
            }
            Self::RefusedByConstants | Self::RefusedByTypes if accused.is_disjoint(broken) => {
                Some(format!("the table refuses by {broken:?}, the compiler accuses of {accused:?}"))
            }
            Self::RefusedByConstants | Self::RefusedByTypes
                if !accused.is_subset(&with_followers(broken)) =>
            {
                Some(format!("the compiler accuses of {accused:?}, the table of {broken:?} only"))
            }
            Self::RefusedByConstants | Self::RefusedByTypes => None,
        }
    }
}

/// The broken rules with those that the compiler may accuse of in their wake: where a tool's data is no class of data, no
/// question about that data has an answer.
fn with_followers(broken: &BTreeSet<usize>) -> BTreeSet<usize> {
    let followers: &[usize] =
        if broken.iter().any(|rule| [1, 2, 3].contains(rule)) { &[4, 5, 7] } else { &[] };
    broken.iter().chain(followers).copied().collect()
}

/// Which rule an error accuses of, by its words.
fn accused(error: &Error) -> Option<usize> {
    let words: &[(&str, usize)] = &[
        ("special-category data needs a GDPR Art. 9(2) basis", 1),
        ("rests on Union or Member State law", 1),
        ("needs its lawful bases", 2),
        ("is not a residency", 2),
        ("generic argument", 2),
        ("must stay in the EU", 3),
        ("is wider than the residency", 3),
        ("may not run under the lawful basis", 4),
        ("may not reach a model", 5),
        ("is not enough oversight", 6),
        ("no tool that always needs approval", 6),
        ("needs its GDPR Art. 22(2) basis", 7),
        ("no solely automated decision may rest on", 7),
        ("keeps its decisions for at least 184 days", 8),
        ("may not request oversight while it runs", 20),
    ];
    words.iter().find(|(phrase, _)| error.message.contains(phrase)).map(|(_, rule)| *rule)
}

/// The comparison itself: each way to disagree is found.
#[test]
fn a_disagreement_is_found() {
    let error = |code: &str, message: &str| Error { code: code.into(), message: message.into() };
    let wider = error("E0277", "the egress `ToEea` is wider than the residency `Eu` of this tool's data");
    let short = error("E0080", "a high-risk agent keeps its decisions for at least 184 days");
    let other = error("E0277", "`Hiring: Send` is not satisfied");
    let check = |broken: &[usize], errors: &[&Error], agrees: bool| {
        let broken = broken.iter().copied().collect();
        let errors: Vec<Error> = errors.iter().map(|error| (*error).clone()).collect();
        let found = Kind::of(&broken).disagreement(&broken, &errors);
        assert_eq!(found.is_none(), agrees, "{broken:?} {errors:?}: {found:?}");
    };
    check(&[], &[], true);
    check(&[], &[&wider], false);
    check(&[3], &[&wider], true);
    check(&[3], &[], false);
    check(&[3], &[&other], false);
    check(&[4], &[&wider], false);
    check(&[4], &[&wider, &other], false);
    check(&[8], &[&short], true);
    check(&[8], &[], false);
    check(&[8], &[&wider], false);
    check(&[3, 8], &[&wider], true);
    check(&[3, 8], &[&wider, &short], false);
}
