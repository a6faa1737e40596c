//! Test suites, run by `cerbos compile` and by us: both results in one form.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use fuze_policy::cerbos::{PolicySet, read_directory};
use fuze_policy::suite::{self, Outcome, SuiteResult};
use serde_json::Value;

/// What came of a directory's suites, by their files.
pub type Results = BTreeMap<String, Suite>;

/// What came of one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suite {
    /// It could not be run.
    Errored,
    /// It was passed over, for this reason.
    Skipped(String),
    /// By test, principal, resource and action.
    Ran(BTreeMap<[String; 4], Case>),
}

/// What came of one action of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Case {
    /// As expected.
    Passed,
    /// Passed over, for this reason.
    Skipped(String),
    /// Another effect than the first: the second.
    Effect(String, String),
    /// Other outputs: which, and what was wrong with each.
    Outputs(BTreeMap<String, &'static str>),
    /// Not decided.
    Errored,
}

/// Runs `cerbos compile` over a directory whose policies compile.
pub fn theirs(binary: &Path, directory: &Path) -> Result<Results, String> {
    let done = Command::new(binary)
        .args(["compile", "--output=json", "--color=never"])
        .arg(directory)
        .env("CERBOS_NO_TELEMETRY", "1")
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&done.stdout);
    let answer: Value = serde_json::from_str(&said)
        .map_err(|_| format!("cerbos compile: {said}{}", String::from_utf8_lossy(&done.stderr)))?;
    let suites = answer["suites"].as_array().ok_or_else(|| format!("no suites: {said}"))?;
    let mut results = Results::new();
    for suite in suites {
        let (result, counted) = their_suite(suite)?;
        let summary = &suite["summary"];
        if summary["testsCount"].as_u64().unwrap_or_default() != counted as u64 {
            return Err(format!("{counted} cases are not {summary}"));
        }
        results.insert(text(&suite["file"]), result);
    }
    Ok(results)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A suite, and how many cases it has.
fn their_suite(suite: &Value) -> Result<(Suite, usize), String> {
    let overall = text(&suite["summary"]["overallResult"]);
    if suite.get("error").is_some() {
        return Ok((Suite::Errored, 0));
    }
    let mut cases = BTreeMap::new();
    for test in items(&suite["testCases"]) {
        for principal in items(&test["principals"]) {
            for resource in items(&principal["resources"]) {
                for action in items(&resource["actions"]) {
                    let key = [test, principal, resource, action].map(|named| text(&named["name"]));
                    cases.insert(key, their_case(&action["details"])?);
                }
            }
        }
    }
    if cases.is_empty() && overall == "RESULT_SKIPPED" {
        return Ok((Suite::Skipped(text(&suite["skipReason"])), 0));
    }
    let count = cases.len();
    Ok((Suite::Ran(cases), count))
}

fn their_case(details: &Value) -> Result<Case, String> {
    Ok(match details["result"].as_str() {
        Some("RESULT_PASSED") => Case::Passed,
        Some("RESULT_SKIPPED") => Case::Skipped(text(&details["skipReason"])),
        Some("RESULT_ERRORED") => Case::Errored,
        Some("RESULT_FAILED") => {
            let failure = &details["failure"];
            let outputs: BTreeMap<String, &'static str> = items(&failure["outputs"])
                .iter()
                .map(|output| (text(&output["src"]), wrong(output)))
                .collect();
            if outputs.is_empty() {
                Case::Effect(text(&failure["expected"]), text(&failure["actual"]))
            } else {
                Case::Outputs(outputs)
            }
        }
        _ => return Err(format!("no result: {details}")),
    })
}

fn wrong(output: &Value) -> &'static str {
    if output.get("missing").is_some() {
        "missing"
    } else if output.get("errored").is_some() {
        "failed"
    } else {
        "other"
    }
}

/// Runs the suites of the same directory by us.
pub fn ours(directory: &Path) -> Result<Results, String> {
    let files = read_directory(directory).map_err(|problems| problems.to_string())?;
    let set = PolicySet::load(&files.policies).map_err(|problems| problems.to_string())?;
    let results = suite::run_all(directory, &files, &set).map_err(|problems| problems.to_string())?;
    Ok(results.into_iter().map(|result| (result.file.as_ref().to_owned(), our_suite(result))).collect())
}

fn our_suite(result: SuiteResult) -> Suite {
    if !result.problems.is_empty() {
        return Suite::Errored;
    }
    if let Some(reason) = result.skipped {
        return Suite::Skipped(reason);
    }
    let case = |case: suite::CaseResult| {
        let outcome = match case.outcome {
            Outcome::Passed => Case::Passed,
            Outcome::Skipped(reason) => Case::Skipped(reason),
            Outcome::Errored(_) => Case::Errored,
            Outcome::Effect { expected, actual, .. } => {
                Case::Effect(expected.as_str().to_owned(), actual.as_str().to_owned())
            }
            Outcome::Outputs(failures) => {
                let wrong = |failure: suite::OutputFailure| {
                    let how = match failure.actual {
                        None => "missing",
                        Some(Err(_)) => "failed",
                        Some(Ok(_)) => "other",
                    };
                    (failure.source, how)
                };
                Case::Outputs(failures.into_iter().map(wrong).collect())
            }
        };
        ([case.test, case.principal, case.resource, case.action], outcome)
    };
    Suite::Ran(result.cases.into_iter().map(case).collect())
}
