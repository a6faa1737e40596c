//! What is wrong with a suite of cases.

use std::fmt;

use super::Suite;
use super::case::{Case, Header, HeaderError};
use super::rules::RULES;

/// One thing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The first line of a case cannot be read.
    Header {
        /// The case.
        path: String,
        /// Why.
        error: HeaderError,
    },
    /// No case shows a rule.
    RuleWithoutCase {
        /// The rule.
        rule: usize,
    },
    /// No error stands beside a case.
    NoStderr {
        /// The case.
        path: String,
    },
    /// No harness runs a file.
    NotRun {
        /// The file.
        path: String,
    },
    /// Nothing shows that honest programs compile.
    NothingHonest,
    /// An error says something that it should not, or does not say what it should.
    Error {
        /// The case.
        path: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The case fails because a name is missing, not because of its rule.
    ByAccident(&'static str),
    /// It quotes the standard library, whose lines are there only with the component `rust-src`.
    QuotesStd,
    /// A warning stands among the errors.
    Warning,
    /// It shows what a macro wrote.
    ShowsMacro(&'static str),
    /// More or fewer errors than mistakes.
    Count {
        /// As the header says.
        expected: usize,
        /// As the compiler says.
        found: usize,
    },
    /// It names neither an article nor a rule.
    NoArticle,
    /// It does name one, and the first line says that it does not.
    HasArticle,
    /// It shows no way to mend.
    NoMend,
}

/// The rule about names and grammar: what breaks it need not break an article.
const NAMES: usize = 18;
/// Codes that mean a missing name, and phrases that mean a missing import and a method that has been renamed.
const MISSING_NAMES: &[&str] =
    &["E0404", "E0405", "E0412", "E0422", "E0425", "E0432", "E0433", "not in scope", "with a similar name"];
/// What only the inside of a macro would say.
const INSIDE: &[&str] = &["originates in", "Unset<", "__private"];
/// How a mistake of form begins or goes on: it breaks the grammar, not the law.
const FORM: &[&str] = &["unknown key `", "unknown value `", "is given twice", "stands twice"];
/// Words that name the law or the framework's own policy.
const LAW: &[&str] = &["GDPR Art.", "AI Act", "framework policy", "rule "];
/// Words that begin a way to mend.
const MENDS: &[&str] = &[
    "write: `",
    "allowed: ",
    "did you mean `",
    "write ",
    "add ",
    "use ",
    "name ",
    "remove ",
    "set ",
    "raise ",
    "mark ",
    "make ",
    "state ",
    "keep ",
    "call `",
    "put ",
    "expected ",
    "has 1 to ",
    "is at least ",
    "stands on ",
];

/// Everything that is wrong with a suite. Empty: nothing.
#[must_use]
pub fn defects(suite: &Suite) -> Vec<Defect> {
    let mut defects = Vec::new();
    for case in &suite.cases {
        let path = || case.path.clone();
        match &case.header {
            Ok(header) => {
                let faults = faults(case, header);
                defects.extend(faults.into_iter().map(|fault| Defect::Error { path: path(), fault }));
            }
            Err(error) => defects.push(Defect::Header { path: path(), error: error.clone() }),
        }
        if case.errors().is_empty() {
            defects.push(Defect::NoStderr { path: path() });
        }
    }
    for rule in 1..=RULES.len() {
        let shows = |case: &Case| case.header.as_ref().is_ok_and(|header| header.rule == rule);
        if !suite.cases.iter().any(shows) {
            defects.push(Defect::RuleWithoutCase { rule });
        }
    }
    if suite.honest.is_empty() {
        defects.push(Defect::NothingHonest);
    }
    defects.extend(suite.strays.iter().map(|path| Defect::NotRun { path: path.clone() }));
    defects
}

fn faults(case: &Case, header: &Header) -> Vec<Fault> {
    let errors = case.errors();
    let stderr = case.stderr.as_deref().unwrap_or_default();
    let mut faults = Vec::new();
    let meant = |missing: &str| header.by.as_deref() == Some(missing);
    faults.extend(
        MISSING_NAMES
            .iter()
            .filter(|name| stderr.contains(**name) && !meant(name))
            .map(|name| Fault::ByAccident(name)),
    );
    if stderr.contains("$RUST") {
        faults.push(Fault::QuotesStd);
    }
    if stderr.lines().any(|line| line.starts_with("warning")) {
        faults.push(Fault::Warning);
    }
    if !case.uses_macros() {
        return faults;
    }
    // A bypass meets the compiler's own words; an honest mistake must meet the law's.
    if !case.path.starts_with("fail/") {
        return faults;
    }
    faults.extend(
        INSIDE.iter().filter(|inside| stderr.contains(**inside)).map(|inside| Fault::ShowsMacro(inside)),
    );
    if !errors.is_empty() && errors.len() != header.errors {
        faults.push(Fault::Count { expected: header.errors, found: errors.len() });
    }
    let says = |error: &str, words: &[&str]| words.iter().any(|word| error.contains(word));
    let of_form = |error: &str| header.rule == NAMES || says(error, FORM);
    match (errors.iter().any(|error| !says(error, LAW) && !of_form(error)), header.no_article) {
        (true, false) => faults.push(Fault::NoArticle),
        (false, true) => faults.push(Fault::HasArticle),
        (true, true) | (false, false) => {}
    }
    if errors.iter().any(|error| !says(error, MENDS)) {
        faults.push(Fault::NoMend);
    }
    faults
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { path, error } => write!(f, "{path}: {error}"),
            Self::RuleWithoutCase { rule } => write!(f, "rule {rule}: no case shows it"),
            Self::NoStderr { path } => {
                write!(f, "{path}: no error stands beside it; run the tests with `TRYBUILD=overwrite`")
            }
            Self::NotRun { path } => {
                write!(
                    f,
                    "{path}: no harness runs it; move it to one of the directories of cases, or delete it"
                )
            }
            Self::NothingHonest => {
                f.write_str("no honest program shows that what surrounds the cases compiles")
            }
            Self::Error { path, fault } => write!(f, "{path}: {fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByAccident(name) => {
                write!(
                    f,
                    "fails by `{name}`, a missing name; import it, or remark `by {name}` in the first line if it is meant"
                )
            }
            Self::QuotesStd => {
                f.write_str("the error quotes the standard library, and so differs with `rust-src`")
            }
            Self::Warning => f.write_str("a warning stands among the errors"),
            Self::ShowsMacro(inside) => write!(f, "the error shows the inside of a macro: `{inside}`"),
            Self::Count { expected, found } => {
                write!(
                    f,
                    "{found} errors for {expected} mistakes; remark `{found} errors` if that many mistakes are made"
                )
            }
            Self::NoArticle => f.write_str("an error names neither an article nor a rule"),
            Self::HasArticle => {
                f.write_str("every error names its article: take `no article` out of the first line")
            }
            Self::NoMend => f.write_str("an error shows no way to mend"),
        }
    }
}
