//! The tools that test suites are about, and as what the tests take them.

use std::path::Path;

use serde_json::Value;

use crate::agent_tool::KIND;
use crate::cerbos::yaml::{self, Limits, Node};
use crate::cerbos::{Files, Place, Problem, Source};
use crate::suite;

/// A resource of a test that is a tool.
#[derive(Debug)]
pub(super) struct Fixture {
    pub(super) tool: String,
    pub(super) place: Place,
    /// `classification`, `art9_basis`, `residency`, `effect`, `egress`; empty where the test says nothing.
    pub(super) facts: [String; 5],
}

const FACTS: [&str; 5] = ["classification", "art9_basis", "residency", "effect", "egress"];

/// The tools of all suites, and what is wrong with them. What is no suite, the runner has told.
pub(super) fn fixtures(directory: &Path, files: &Files) -> (Vec<Fixture>, Vec<Problem>) {
    let mut all = Vec::new();
    let mut wrong = Vec::new();
    let beside = files.tests.iter().flat_map(|test| suite::fixtures(directory, test).unwrap_or_default());
    let mut sources: Vec<Source> = files.tests.iter().cloned().chain(beside).collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.dedup();
    for source in &sources {
        let documents = yaml::read(&source.path, &source.text, Limits::default()).unwrap_or_default();
        let resources = documents.iter().filter_map(|document| match &document.entry("resources")?.value {
            Node { value: yaml::Value::Map(entries), .. } => Some(entries),
            _ => None,
        });
        for entry in resources.flatten() {
            let place = Place { file: source.path.clone(), at: entry.key_at };
            let Ok(resource) = entry.value.to_json() else { continue };
            match fixture(&resource, place) {
                Ok(fixture) => all.extend(fixture),
                Err(problem) => wrong.push(problem),
            }
        }
    }
    (all, wrong)
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
