//! Whether a server decided as the pinned policies do: everything that an answer shows of the policies behind it.

use serde_json::Value;

use super::answer::clean;
use crate::cerbos::{ActionEffect, CheckOutput, Effect, OutputEntry};

/// Names the first difference.
///
/// Where a condition failed, Cerbos does not always name the same policy for a denial, since it tries the derived roles of a rule in an
/// order that changes from start to start; then the effects alone are compared here.
pub(super) fn same(ours: &CheckOutput, theirs: &CheckOutput) -> Result<(), String> {
    for (action, ours) in &ours.actions {
        let theirs = theirs.action(action).ok_or_else(|| format!("nothing was said about `{action}`"))?;
        effect(action, ours, theirs)?;
    }
    if ours.failed() {
        return Ok(());
    }
    for (action, ours) in &ours.actions {
        let theirs = theirs.action(action).ok_or_else(|| format!("nothing was said about `{action}`"))?;
        for (what, ours, theirs) in
            [("policy", &ours.policy, &theirs.policy), ("scope", &ours.scope, &theirs.scope)]
        {
            if ours != theirs {
                let theirs = clean(theirs);
                return Err(format!("`{action}` is decided in the {what} `{ours}`, and there in `{theirs}`"));
            }
        }
    }
    if ours.effective_derived_roles != theirs.effective_derived_roles {
        let found: Vec<_> =
            ours.effective_derived_roles.symmetric_difference(&theirs.effective_derived_roles).collect();
        let first = found.first().map(|role| clean(role).to_string()).unwrap_or_default();
        return Err(format!("the derived role `{first}` holds on one side alone"));
    }
    let (ours, theirs) = (outputs(ours), outputs(theirs));
    if ours != theirs {
        let differs = |(one, other): &(&Said, &Said)| one != other;
        let first = ours.iter().zip(&theirs).find(differs).map(|(ours, _)| ours);
        let first = first.or_else(|| ours.get(theirs.len())).or_else(|| theirs.get(ours.len()));
        let source = first.map(|(_, source, _)| clean(source).to_string()).unwrap_or_default();
        return Err(format!("the output of `{source}` is not the same on both sides"));
    }
    Ok(())
}

fn effect(action: &str, ours: &ActionEffect, theirs: &ActionEffect) -> Result<(), String> {
    let word = |effect: Effect| match effect {
        Effect::Allow => "allowed",
        Effect::Deny => "denied",
    };
    match ours.effect == theirs.effect {
        true => Ok(()),
        false => Err(format!(
            "`{action}` is {} here ({}), and {} there ({})",
            word(ours.effect),
            clean(&ours.policy),
            word(theirs.effect),
            clean(&theirs.policy)
        )),
    }
}

/// Action, source and value of an output.
type Said = (String, String, Option<Value>);

/// In an order of its own: Cerbos does not promise one.
fn outputs(of: &CheckOutput) -> Vec<Said> {
    let said = |entry: &OutputEntry| {
        (entry.action.to_string(), entry.source.to_string(), entry.value.as_ref().ok().map(doubles))
    };
    let mut all: Vec<Said> = of.outputs.iter().map(said).collect();
    all.sort_by_cached_key(|(action, source, value)| {
        (action.clone(), source.clone(), value.as_ref().map(Value::to_string))
    });
    all
}

/// Every number as a double, which is what a protocol buffer's value holds: `1` and `1.0` are one.
fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(doubles).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), doubles(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}
