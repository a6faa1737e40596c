//! A counterexample as an officer reads it: who asked for what, an attribute a line, and what each rule said to it.

use std::path::Path;

use fuze_policy::agent_tool::{Cerbos, verdict};
use fuze_policy::analysis::{self, Counterexample, Explanation, Policies};
use fuze_policy::cerbos::{CheckError, CheckInput, CheckOutput};
use fuze_policy::{Decision, Obligation};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::explain::{Told, action, step_line, word};
use super::request::Asked;
use crate::text::{BAD, GOOD, UNSURE, plain};

/// A policy set, and what it is called beside another.
pub(super) struct Side<'a> {
    pub(super) called: &'a str,
    pub(super) directory: &'a Path,
    pub(super) engine: &'a Cerbos,
}

/// What one policy set says to a counterexample.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Decided {
    /// The directory of the policies.
    directory: String,
    /// `allow`, `requires_approval`, `deny` or `error`, as `fuze policy explain` says it.
    decision: &'static str,
}

impl Decided {
    /// What each set says.
    pub(super) fn all(found: &Counterexample, sides: &[Side<'_>]) -> Vec<Self> {
        let Some(request) = &found.request else { return Vec::new() };
        let decided = |side: &Side<'_>| Self {
            directory: plain(&side.directory.display().to_string()),
            decision: match look(side, request, found) {
                Ok((input, answer, _)) => word(&verdict(&input, &answer)),
                Err(_) => "error",
            },
        };
        sides.iter().map(decided).collect()
    }
}

/// The request of a counterexample, as `fuze policy explain` takes it.
pub(super) fn asked(found: &Counterexample) -> Option<Asked> {
    Asked::of(found.request.as_ref()?, found.time())
}

/// The lines below a property that does not hold.
pub(super) fn text(found: &Counterexample, sides: &[Side<'_>]) -> String {
    let mut text = String::new();
    let place = found.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
    text += &format!("  {}\n", plain(&format!("{place}{}", found.explanation)));
    let Some(request) = &found.request else { return text };
    text += "  for example\n";
    let rows = rows(request, found.time());
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    for (label, value) in &rows {
        text += &format!("    {:width$}  {}\n", plain(label), plain(value));
    }
    for side in sides {
        text += &decided(side, request, found);
    }
    if let (Some(asked), Some((last, others))) = (asked(found), sides.split_last()) {
        let other = others.first().map_or_else(String::new, |other| {
            format!(
                " ({}: with the directory {})",
                other.called,
                plain(&other.directory.display().to_string())
            )
        });
        text +=
            &format!("  to see why, condition by condition{other}:\n    {}\n", asked.command(last.directory));
    }
    text
}

/// The request, a line for each thing it says.
fn rows(request: &CheckInput, time: Option<String>) -> Vec<(String, String)> {
    let (principal, resource) = (&request.principal, &request.resource);
    let roles: Vec<&str> = principal.roles.iter().map(|role| &**role).collect();
    let mut rows = vec![
        ("principal".to_owned(), principal.id.clone()),
        ("roles".to_owned(), roles.join(", ")),
        ("tool".to_owned(), resource.id.clone()),
    ];
    rows.extend(time.map(|time| ("at".to_owned(), time)));
    for (name, value) in resource.attr.iter().filter(|(name, _)| *name != "tool_name") {
        flat(&format!("R.attr.{name}"), value, &mut rows);
    }
    for (name, value) in &principal.attr {
        flat(&format!("P.attr.{name}"), value, &mut rows);
    }
    rows
}

/// A value, or each of its members, by the name that a condition gives it.
fn flat(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(member, value)| flat(&format!("{name}.{member}"), value, rows));
        }
        Value::Object(_) if name == "R.attr.args" => rows.push((name.to_owned(), "none".to_owned())),
        // An attribute is a word; an argument may be anything, so that text is told from what looks like it.
        Value::String(text) if !name.starts_with("R.attr.args") => rows.push((name.to_owned(), text.clone())),
        other => rows.push((name.to_owned(), other.to_string())),
    }
}

/// Asks one set.
fn look(
    side: &Side<'_>,
    request: &CheckInput,
    found: &Counterexample,
) -> Result<(CheckInput, CheckOutput, Explanation), CheckError> {
    let tenant = request.principal.attr.get("tenant").and_then(Value::as_str).unwrap_or_default();
    let mut input = request.clone();
    side.engine.scope_of(tenant).clone_into(&mut input.resource.scope);
    let policies = Policies::from(side.engine);
    let policies = match found.at() {
        Some(at) => policies.at(at),
        None => policies,
    };
    analysis::explain(policies, &input).map(|(answer, explanation)| (input, answer, explanation))
}

/// What one set says to it, rule by rule.
fn decided(side: &Side<'_>, request: &CheckInput, found: &Counterexample) -> String {
    let (input, answer, explanation) = match look(side, request, found) {
        Ok(looked) => looked,
        Err(error) => return format!("  {}: {}\n", side.called, plain(&error.to_string())),
    };
    let scope = if input.resource.scope.is_empty() {
        "in the root scope".to_owned()
    } else {
        format!("in the scope {}", input.resource.scope)
    };
    let (style, word) = match verdict(&input, &answer).map(|verdict| verdict.decision) {
        Ok(Decision::Allow) => (GOOD, "allowed without approval".to_owned()),
        Ok(Decision::RequiresApproval(asked)) => {
            (UNSURE, format!("allowed with approval by {}", people(&asked)))
        }
        Ok(Decision::Deny) => (BAD, "denied".to_owned()),
        Err(error) => (BAD, format!("the run halts: {error}")),
    };
    let mut text = format!("  {}: {style}{}{style:#} {}\n", side.called, plain(&word), plain(&scope));
    for action in explanation.actions.iter().map(action) {
        text += &format!("    {}  {} by {}\n", action.action, action.effect, action.by);
        let spoke = |step: &&Told| step.kind == "rule" && step.outcome != Some("not_asked");
        for step in action.steps.iter().filter(spoke) {
            text += &format!("      {}\n", step_line(step));
        }
    }
    text
}

fn people(asked: &Obligation) -> String {
    let mut words = match asked.approvers {
        1 => "one person".to_owned(),
        several => format!("{several} people"),
    };
    if let Some(who) = &asked.may_approve {
        words += &format!(" of {}", who.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    }
    if !asked.trainings.is_empty() {
        words += &format!(
            ", trained in {}",
            asked.trainings.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        );
    }
    if let Some(seconds) = asked.deadline_seconds {
        words += &format!(", within {seconds} seconds");
    }
    words
}
