//! The tools that test suites are about, and as what the tests take them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::agent_tool::{ACTIONS, KIND};
use crate::cerbos::yaml::{self, Limits, Node};
use crate::cerbos::{Files, Place, Problem};
use crate::suite::{self, Outcome, SuiteResult};

/// A resource of a test that is a tool and was tried.
#[derive(Debug)]
pub(super) struct Fixture {
    pub(super) tool: String,
    pub(super) place: Place,
    /// `classification`, `art9_basis`, `residency`, `effect`, `egress`; empty where the test says nothing.
    pub(super) facts: [String; 5],
}

const FACTS: [&str; 5] = ["classification", "art9_basis", "residency", "effect", "egress"];

/// The tools that tests were about which ran, and what is wrong with any that a suite has. What is no suite, the runner has told.
pub(super) fn fixtures(
    directory: &Path,
    files: &Files,
    results: &[SuiteResult],
) -> (Vec<Fixture>, Vec<Problem>) {
    let mut all: BTreeMap<Place, Fixture> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (test, result) in files.tests.iter().zip(results) {
        // What a suite defines itself goes before what stands beside it.
        let mut waiting = ran(result);
        let beside = suite::fixtures(directory, test).unwrap_or_default();
        for source in std::iter::once(test).chain(&beside) {
            let documents = yaml::read(&source.path, &source.text, Limits::default()).unwrap_or_default();
            let resources =
                documents.iter().filter_map(|document| match &document.entry("resources")?.value {
                    Node { value: yaml::Value::Map(entries), .. } => Some(entries),
                    _ => None,
                });
            for entry in resources.flatten() {
                let place = Place { file: source.path.clone(), at: entry.key_at };
                let is_used = waiting.remove(&*entry.key);
                let Ok(resource) = entry.value.to_json() else { continue };
                match fixture(&resource, place.clone()) {
                    Ok(fixture) => all.extend(fixture.filter(|_| is_used).map(|fixture| (place, fixture))),
                    Err(problem) => wrong.push(problem),
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    (all.into_values().collect(), wrong)
}

/// The resources of which it was asked whether a tool may be called. What is skipped tells nothing of a tool.
fn ran(result: &SuiteResult) -> BTreeSet<&str> {
    let ran = result.cases.iter().filter(|case| !matches!(case.outcome, Outcome::Skipped(_)));
    ran.filter(|case| ACTIONS.contains(&&*case.action)).map(|case| &*case.resource).collect()
}

/// `None` for what is no tool.
fn fixture(resource: &Value, place: Place) -> Result<Option<Fixture>, Problem> {
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text(resource, "kind") != KIND {
        return Ok(None);
    }
    let tool = text(resource, "id");
    let attributes = resource.get("attr").unwrap_or(&Value::Null);
    // In a request both are the tool's name: what is tested with two names is no call.
    match attributes.get("tool_name") {
        Some(Value::String(name)) if *name == tool => {}
        Some(name) => {
            let message = format!(
                "`R.attr.tool_name` is {name} and `R.id` is \"{tool}\"; for a tool both are its name"
            );
            return Err(Problem { place, message });
        }
        None => {}
    }
    let facts = FACTS.map(|name| text(attributes, name));
    Ok(Some(Fixture { tool, place, facts }))
}
