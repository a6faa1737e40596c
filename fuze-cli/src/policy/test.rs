//! `fuze policy test`.

use fuze_policy::cerbos::{PolicySet, Problems, read_directory};
use fuze_policy::suite::{self, CaseResult, Outcome, SuiteResult};
use schemars::JsonSchema;
use serde::Serialize;

use super::Directory;
use crate::mend::Mend;
use crate::outcome::{Ended, Problem, Result};
use crate::output::{Document, Output};
use crate::text::{BAD, FAINT, GOOD, plain};

/// What `fuze policy test` found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tested {
    holds: bool,
    passed: usize,
    /// Cases that were decided otherwise than expected.
    failed: usize,
    /// Cases that could not be decided.
    errored: usize,
    skipped: usize,
    /// Suites that could not be run.
    unreadable: usize,
    suites: Vec<Suite>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Suite {
    file: String,
    name: String,
    /// What is wrong with the suite itself.
    problems: Vec<Mend>,
    /// Why it was passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    cases: Vec<Case>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Case {
    test: String,
    /// Where the test stands in the suite's file.
    line: u32,
    column: u32,
    principal: String,
    resource: String,
    action: String,
    /// `passed`, `failed`, `errored` or `skipped`.
    result: &'static str,
    /// What was expected and what was found, or why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Document for Tested {
    const SCHEMA: &'static str = "fuze.policy.test/1";
}

pub(super) fn run(at: &Directory, output: &Output) -> Result {
    super::open(&at.directory)?;
    let broken = |problems: Problems| super::broken(&at.directory, problems.all());
    let files = read_directory(&at.directory).map_err(broken)?;
    let set = PolicySet::load(&files.policies).map_err(broken)?;
    if files.tests.is_empty() {
        return Err(Problem::cannot(format_args!(
            "there is no suite (`*_test.yaml`) in `{}`; what is not tested is not known",
            at.directory.display()
        )));
    }
    let results = suite::run_all(&at.directory, &files, &set).map_err(broken)?;
    let suites: Vec<Suite> = results.iter().map(suite_of).collect();
    let count = |result: &str| {
        suites.iter().flat_map(|suite| &suite.cases).filter(|case| case.result == result).count()
    };
    let tested = Tested {
        holds: results.iter().all(SuiteResult::holds),
        passed: count("passed"),
        failed: count("failed"),
        errored: count("errored"),
        skipped: count("skipped"),
        unreadable: suites.iter().filter(|suite| !suite.problems.is_empty()).count(),
        suites,
    };
    output.data(&tested, || text(&tested))?;
    Ok(if tested.holds { Ended::Well } else { Ended::Failed })
}

fn suite_of(result: &SuiteResult) -> Suite {
    Suite {
        file: plain(&result.file),
        name: plain(&result.name),
        problems: Mend::all(&result.problems),
        skipped: result.skipped.as_deref().map(plain),
        cases: result.cases.iter().map(case_of).collect(),
    }
}

fn case_of(case: &CaseResult) -> Case {
    let (result, detail) = match &case.outcome {
        Outcome::Passed => ("passed", None),
        Outcome::Skipped(reason) => ("skipped", Some(reason.clone())),
        Outcome::Errored(error) => ("errored", Some(error.clone())),
        Outcome::Effect { expected, actual, unfit } => {
            let told = format!("expected {}, found {}", expected.as_str(), actual.as_str());
            ("failed", Some(unfit.iter().fold(told, |told, error| format!("{told}; {error}"))))
        }
        Outcome::Outputs(failures) => {
            let told = failures.iter().map(|failure| match &failure.actual {
                None => format!("{} said nothing, expected {}", failure.source, failure.wanted()),
                Some(Ok(actual)) => {
                    format!("{} said {actual}, expected {}", failure.source, failure.wanted())
                }
                Some(Err(error)) => {
                    format!("{} failed ({error}), expected {}", failure.source, failure.wanted())
                }
            });
            ("failed", Some(told.collect::<Vec<_>>().join("; ")))
        }
    };
    Case {
        test: plain(&case.test),
        line: case.at.line,
        column: case.at.column,
        principal: plain(&case.principal),
        resource: plain(&case.resource),
        action: plain(&case.action),
        result,
        detail: detail.as_deref().map(plain),
    }
}

fn text(tested: &Tested) -> String {
    let mut text = String::new();
    for suite in &tested.suites {
        let bad = suite.cases.iter().filter(|case| matches!(case.result, "failed" | "errored")).count();
        let (style, word) = match (&suite.skipped, suite.problems.len(), bad) {
            (Some(_), ..) => (FAINT, "skipped".to_owned()),
            (None, 0, 0) => (GOOD, format!("{} passed", suite.cases.len())),
            (None, 0, bad) => (BAD, format!("{bad} of {} failed", suite.cases.len())),
            (None, ..) => (BAD, "not run".to_owned()),
        };
        let name = if suite.name.is_empty() { String::new() } else { format!("{}  ", suite.name) };
        text += &format!("{name}{FAINT}{}{FAINT:#}  {style}{word}{style:#}\n", suite.file);
        for problem in &suite.problems {
            text += &format!("  {}", problem.text());
        }
        for case in suite.cases.iter().filter(|case| matches!(case.result, "failed" | "errored")) {
            let Case { test, line, column, principal, resource, action, .. } = case;
            text +=
                &format!("  {}:{line}:{column}: {test}: {principal} · {resource} · {action}\n", suite.file);
            text += &format!("    {BAD}{}{BAD:#}\n", case.detail.as_deref().unwrap_or_default());
        }
    }
    let Tested { passed, failed, errored, skipped, unreadable, .. } = tested;
    text += &format!("{passed} passed, {failed} failed, {errored} could not be decided, {skipped} skipped\n");
    if *unreadable > 0 {
        text += &format!("{unreadable} of {} suites not run\n", tested.suites.len());
    }
    text
}
