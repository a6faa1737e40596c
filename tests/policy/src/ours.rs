//! The same request to our evaluation, and both answers in one form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fuze_policy::cel::{Budget, Map as CelMap, Timestamp, Value as CelValue};
use fuze_policy::cerbos::{
    self, AuxData, CheckInput, CheckOutput, CheckParams, Effect, PolicySet, Principal, Problems, Resource,
    Source, Step,
};
use serde_json::{Map, Value};

use crate::file;
use crate::generate::{self, Case, Size};
use crate::pdp::{Mode, TOKEN, globals};
use crate::repair;

/// What was answered about one resource, in a form that two evaluations can be compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// By action: effect, policy and scope.
    pub actions: BTreeMap<String, (String, String, String)>,
    /// Effective derived roles.
    pub derived_roles: BTreeSet<String>,
    /// Action, source and value, sorted. That an output failed counts, not in which words.
    pub outputs: Vec<(String, String, Option<Value>)>,
    /// Ours alone: whether some condition failed.
    pub failed: bool,
}

impl Answer {
    /// Whether both say the same. Where a condition failed, the two need not name the same policy for a denial: Cerbos tries the derived
    /// roles of a rule in an order that changes from start to start, and names the one at which it stopped.
    pub fn agrees(&self, theirs: &Self) -> bool {
        let denied = |found: &(String, String, String)| found.0 == "EFFECT_DENY";
        self.derived_roles == theirs.derived_roles
            && (self.outputs == theirs.outputs || self.failed && self.actions.values().any(denied))
            && self.actions.len() == theirs.actions.len()
            && self.actions.iter().all(|(action, ours)| {
                let theirs = theirs.actions.get(action);
                theirs == Some(ours) || self.failed && denied(ours) && theirs.is_some_and(denied)
            })
    }

    /// With the lists of all outputs sorted.
    #[must_use]
    pub fn in_any_order(&self) -> Self {
        let mut answer = self.clone();
        for (_, _, value) in &mut answer.outputs {
            value.iter_mut().for_each(sort_lists);
        }
        sort(&mut answer.outputs);
        answer
    }

    /// What is not the same in both, a line each.
    pub fn unlike(&self, other: &Self) -> Vec<String> {
        let mut parts = Vec::new();
        for (action, ours) in &self.actions {
            let theirs = other.actions.get(action);
            if theirs != Some(ours) {
                parts.push(format!("{action}: ours {ours:?}, theirs {theirs:?}"));
            }
        }
        if self.derived_roles != other.derived_roles {
            parts.push(format!(
                "derived roles: ours {:?}, theirs {:?}",
                self.derived_roles, other.derived_roles
            ));
        }
        if self.outputs != other.outputs {
            let ours = self.outputs.iter().filter(|output| !other.outputs.contains(output));
            let theirs = other.outputs.iter().filter(|output| !self.outputs.contains(output));
            parts.push(format!(
                "outputs: only ours {:?}, only theirs {:?}",
                ours.collect::<Vec<_>>(),
                theirs.collect::<Vec<_>>()
            ));
        }
        parts
    }
}

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort_lists);
            items.sort_by_key(ToString::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort_lists),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Loads the policies of a case.
pub fn load(case: &Case) -> Result<PolicySet, Problems> {
    load_policies(&case.policies)
}

/// Loads policies, each with its file's name without the ending.
pub fn load_policies(policies: &[(String, Value)]) -> Result<PolicySet, Problems> {
    let sources: Vec<Source> = policies
        .iter()
        .map(|(name, policy)| file::of(name, policy))
        .map(|(file, text)| Source::new(&file, &text))
        .collect();
    PolicySet::load(&sources)
}

/// The case of a seed and its set, where no Cerbos is at hand; none where we refuse the set, because Cerbos decides it by chance.
pub fn settled(seed: u64, size: Size) -> Option<(Case, PolicySet)> {
    let mut case = generate::case(seed, size);
    repair::offline(&mut case);
    let set = load(&case).ok()?;
    Some((case, set))
}

/// Decides about one resource. An error is that the budget was spent.
pub fn decide(
    set: &PolicySet,
    mode: Mode,
    principal: &Value,
    resource: &Value,
) -> Result<CheckOutput, String> {
    decide_stepwise(set, mode, principal, resource, &mut |_| {})
}

/// The same, and tells each step.
fn decide_stepwise(
    set: &PolicySet,
    mode: Mode,
    principal: &Value,
    resource: &Value,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<CheckOutput, String> {
    let mut params = CheckParams::at(NOW);
    params.lenient = mode == Mode::Lenient;
    params.budget = Budget::new(100_000_000, 1 << 30);
    params.globals = Arc::new(globals_of(&globals()));
    cerbos::check_stepwise(set, &input(principal, resource), &params, tell).map_err(|error| error.to_string())
}

/// Some time in 2026. Cerbos takes its own; what policies say of it is the same for many years.
const NOW: Timestamp = Timestamp { seconds: 1_795_294_256, nanoseconds: 0, offset_seconds: 0 };

/// The same in the form in which answers are compared. Each step is told.
pub fn check(
    set: &PolicySet,
    mode: Mode,
    principal: &Value,
    resource: &Value,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<Answer, String> {
    let output = decide_stepwise(set, mode, principal, resource, tell)?;
    let mut outputs: Vec<_> = output
        .outputs
        .iter()
        .map(|entry| {
            (entry.action.to_string(), entry.source.to_string(), entry.value.as_ref().ok().map(doubles))
        })
        .collect();
    sort(&mut outputs);
    Ok(Answer {
        actions: output
            .actions
            .iter()
            .map(|(action, found)| {
                let effect = match found.effect {
                    Effect::Allow => "EFFECT_ALLOW",
                    Effect::Deny => "EFFECT_DENY",
                };
                (action.to_string(), (effect.to_owned(), found.policy.to_string(), found.scope.to_string()))
            })
            .collect(),
        derived_roles: output.effective_derived_roles.iter().map(ToString::to_string).collect(),
        outputs,
        failed: !output.evaluation_errors.is_empty(),
    })
}

/// A server's globals come from its configuration, where whole numbers are whole.
fn globals_of(value: &Value) -> CelMap {
    let members = value.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let value = value.as_i64().map_or_else(|| CelValue::from(value.clone()), CelValue::Int);
            (name.as_str(), value)
        })
        .collect()
}

/// The answers of the API to `POST /api/check/resources`, one for each resource.
pub fn theirs(answer: &Value) -> Vec<Answer> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    results
        .iter()
        .map(|result| {
            let meta = &result["meta"];
            let mut outputs: Vec<_> = result["outputs"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|entry| {
                    let failed =
                        entry.get("error").and_then(Value::as_str).is_some_and(|error| !error.is_empty());
                    // A value that is null is left out of the JSON of a protocol buffer by some, and written as null by others.
                    let value = (!failed).then(|| doubles(entry.get("val").unwrap_or(&Value::Null)));
                    (text(entry.get("action")), text(entry.get("src")), value)
                })
                .collect();
            sort(&mut outputs);
            Answer {
                actions: result["actions"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(action, effect)| {
                        let meta = &meta["actions"][action];
                        let found = (
                            text(Some(effect)),
                            text(meta.get("matchedPolicy")),
                            text(meta.get("matchedScope")),
                        );
                        (action.clone(), found)
                    })
                    .collect(),
                derived_roles: meta["effectiveDerivedRoles"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|role| role.as_str().map(str::to_owned))
                    .collect(),
                outputs,
                failed: false,
            }
        })
        .collect()
}

fn sort(outputs: &mut [(String, String, Option<Value>)]) {
    outputs.sort_by_key(|(action, source, value)| (action.clone(), source.clone(), format!("{value:?}")));
}

/// Every number as a double, so that `1` and `1.0` are one.
fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(doubles).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), doubles(value))).collect()
        }
        other => other.clone(),
    }
}

/// A request of the API as our evaluation takes it.
pub fn input(principal: &Value, resource: &Value) -> CheckInput {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_else(Map::new);
    let texts = |value: &Value| -> Vec<Arc<str>> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(Arc::from)).collect()
    };
    let about = &resource["resource"];
    CheckInput {
        principal: Principal {
            id: text(&principal["id"]),
            policy_version: text(&principal["policyVersion"]),
            scope: text(&principal["scope"]),
            roles: texts(&principal["roles"]),
            attr: map(&principal["attr"]),
        },
        resource: Resource {
            kind: text(&about["kind"]),
            id: text(&about["id"]),
            policy_version: text(&about["policyVersion"]),
            scope: text(&about["scope"]),
            attr: map(&about["attr"]),
        },
        actions: texts(&resource["actions"]),
        aux_data: principal.get(TOKEN).map(|claims| AuxData { jwt: map(claims), ..AuxData::default() }),
        ..CheckInput::default()
    }
}
