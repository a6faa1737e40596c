//! Cerbos's policy tests: suites beside the policies, with the results that `cerbos compile` gives.
//!
//! As there, a request whose attributes do not follow the schemas of its policies is denied. That needs the feature `cerbos-schema`:
//! without it, schemas are not looked at.

mod against;
mod fixtures;
mod matrix;
mod read;
mod run;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::analysis::Call;
use crate::cel::Timestamp;
use crate::cerbos::{
    self, Effect, Files, Place, PolicySet, Position, Problem, Problems, Source, ValidationError,
};

pub use against::Against;
use fixtures::Fixtures;
pub use run::run;

/// The fixture files beside a suite, in the directory `testdata` next to it: as in Cerbos one for principals, one for resources and one
/// for auxiliary data, the first by its name where there are several.
///
/// # Errors
/// When one is there and cannot be read.
pub fn fixtures(directory: &Path, suite: &Source) -> Result<Vec<Source>, Problem> {
    let beside = match suite.path.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/testdata"),
        None => "testdata".to_owned(),
    };
    let problem = |path: &str, message: String| {
        let place = Place { file: path.into(), at: Position::START };
        Problem { place, message }
    };
    let within = directory.join(&beside);
    let there = match std::fs::symlink_metadata(&within) {
        Ok(found) if found.is_symlink() => Err("it is a link: put the directory itself here".to_owned()),
        Ok(found) => Ok(found.is_dir()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("it cannot be read: {error}")),
    };
    if !there.map_err(|message| problem(&beside, message))? {
        return Ok(Vec::new());
    }
    let unreadable = |error| problem(&beside, format!("the directory cannot be read: {error}"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&within).map_err(unreadable)? {
        // What is not UTF-8 has no name that is looked for.
        names.extend(entry.map_err(unreadable)?.file_name().into_string());
    }
    names.sort();
    let first = |stem: &str| {
        names.iter().find(|name| {
            name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.')) && cerbos::split(name).is_some()
        })
    };
    let chosen = [first("principals"), first("resources"), AUX_DATA.iter().find_map(|stem| first(stem))];
    let mut all = Vec::new();
    for name in chosen.into_iter().flatten() {
        let shown = format!("{beside}/{name}");
        let path = within.join(name);
        let text = match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => cerbos::read_file(&path),
            Ok(_) => Err("it is no file: put the file itself here".to_owned()),
            Err(error) => Err(format!("it cannot be read: {error}")),
        };
        all.push(Source::new(&shown, &text.map_err(|message| problem(&shown, message))?));
    }
    Ok(all)
}

/// What a fixture file of auxiliary data may be called, without its ending.
const AUX_DATA: [&str; 3] = ["auxdata", "auxData", "aux_data"];

/// Runs every suite of a directory against its policies and their schemas.
///
/// # Errors
/// See [`Against::new`].
pub fn run_all(directory: &Path, files: &Files, set: &PolicySet) -> Result<Vec<SuiteResult>, Problems> {
    let against = Against::new(set, &files.schemas)?;
    let one = |source: &Source| match fixtures(directory, source) {
        Ok(beside) => run(&against, source, &beside),
        Err(problem) => SuiteResult { problems: vec![problem], ..SuiteResult::of(source) },
    };
    Ok(files.tests.iter().map(one).collect())
}

/// The calls that the suites of a directory try, each with the time at which its test asks. Suites that cannot be read have none.
#[must_use]
pub fn calls(directory: &Path, files: &Files) -> Vec<Call> {
    let one = |source: &Source| match fixtures(directory, source) {
        Ok(beside) => run::calls(source, &beside),
        Err(_) => Vec::new(),
    };
    files.tests.iter().flat_map(one).collect()
}

/// What came of one suite.
#[derive(Clone, Debug)]
pub struct SuiteResult {
    /// The file, relative to the policy directory.
    pub file: Arc<str>,
    /// The suite's name; empty if it could not be read.
    pub name: String,
    /// What its author says of it.
    pub description: String,
    /// Why nothing was run, if the suite itself is at fault.
    pub problems: Vec<Problem>,
    /// Why it was passed over, if its author wants that.
    pub skipped: Option<String>,
    /// The tests, in the order of the file.
    pub cases: Vec<CaseResult>,
}

/// What came of one principal, one resource and one action.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The test's name.
    pub test: String,
    /// The key of the principal.
    pub principal: String,
    /// The key of the resource.
    pub resource: String,
    /// The action.
    pub action: String,
    /// Where the test begins.
    pub at: Position,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a test came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Its author wants it passed over, for this reason.
    Skipped(String),
    /// Another effect.
    Effect {
        /// Wanted.
        expected: Effect,
        /// Found.
        actual: Effect,
        /// What of the attributes does not follow its schema, which alone denies.
        unfit: Vec<ValidationError>,
    },
    /// Other outputs.
    Outputs(Vec<OutputFailure>),
    /// It could not be decided.
    Errored(String),
}

/// An output that is not as expected.
#[derive(Clone, Debug)]
pub struct OutputFailure {
    /// Which rule's.
    pub source: String,
    /// What was wanted; without a value (`null` is one), nothing is.
    pub expected: Option<Value>,
    /// What was there; nothing if it is missing.
    pub actual: Option<Result<Value, String>>,
}

impl OutputFailure {
    /// What was wanted, in words.
    #[must_use]
    pub fn wanted(&self) -> String {
        match &self.expected {
            Some(value) => value.to_string(),
            None => "a value that the test does not give: write `val`".to_owned(),
        }
    }
}

impl SuiteResult {
    /// Nothing yet, of a file.
    fn of(source: &Source) -> Self {
        Self {
            file: Arc::clone(&source.path),
            name: String::new(),
            description: String::new(),
            problems: Vec::new(),
            skipped: None,
            cases: Vec::new(),
        }
    }

    /// Whether nothing is wrong with it. A suite or test that is skipped is not wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
            && self.cases.iter().all(|case| matches!(case.outcome, Outcome::Passed | Outcome::Skipped(_)))
    }
}

/// A suite as written.
#[derive(Debug)]
struct Suite {
    name: String,
    description: String,
    skip: Option<String>,
    options: Options,
    fixtures: Fixtures,
    tests: Vec<Table>,
}

/// `options`.
#[derive(Clone, Debug, Default)]
struct Options {
    now: Option<Timestamp>,
    lenient_scope_search: bool,
    strict_evaluation: bool,
    globals: serde_json::Map<String, Value>,
    default_policy_version: Option<Arc<str>>,
    default_scope: Option<Arc<str>>,
}

/// One entry of `tests`.
#[derive(Debug)]
struct Table {
    name: String,
    /// Where it begins.
    at: Position,
    skip: Option<String>,
    options: Option<Options>,
    principals: Names,
    resources: Names,
    actions: Vec<String>,
    aux_data: Option<String>,
    expected: Vec<Expectation>,
}

/// Fixtures by key and by group.
#[derive(Clone, Debug, Default)]
struct Names {
    keys: Vec<String>,
    groups: Vec<String>,
}

/// One entry of `expected`.
#[derive(Debug)]
struct Expectation {
    at: Position,
    principals: Names,
    resources: Names,
    actions: Vec<(String, Effect)>,
    /// For each action.
    outputs: Vec<(String, Vec<Said>)>,
}

/// A rule and what it shall say; without a value, nothing that it says is as expected.
type Said = (String, Option<Value>);
