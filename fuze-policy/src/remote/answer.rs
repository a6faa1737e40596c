//! `POST /api/check/resources`: the question as it is sent, and the answer as it is read. What is not exactly an answer to the question
//! is none.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::cerbos::{ActionEffect, CheckInput, CheckOutput, Effect, OutputEntry};
use crate::strict::Strict;
use crate::{EngineError, RuleId};

/// The question as a `CheckResourcesRequest`.
pub(super) fn write(input: &CheckInput) -> Vec<u8> {
    let (principal, resource) = (&input.principal, &input.resource);
    let actions: Vec<&str> = input.actions.iter().map(AsRef::as_ref).collect();
    let roles: Vec<&str> = principal.roles.iter().map(AsRef::as_ref).collect();
    let question = json!({
        "requestId": input.request_id,
        "includeMeta": true,
        "principal": {
            "id": principal.id,
            "policyVersion": principal.policy_version,
            "scope": principal.scope,
            "roles": roles,
            "attr": principal.attr,
        },
        "resources": [{
            "actions": actions,
            "resource": {
                "kind": resource.kind,
                "id": resource.id,
                "policyVersion": resource.policy_version,
                "scope": resource.scope,
                "attr": resource.attr,
            },
        }],
    });
    question.to_string().into_bytes()
}

/// The answer to exactly this question.
///
/// # Errors
/// [`EngineError::Malformed`], or [`EngineError::Evaluation`] where a rule's output failed over there.
pub(super) fn read(body: &[u8], input: &CheckInput) -> Result<CheckOutput, EngineError> {
    let Strict(answer) =
        serde_json::from_slice(body).map_err(|error| malformed(format!("it is not JSON: {error}")))?;
    let answer = object(Some(&answer), "the answer")?;
    if text(answer, "requestId", "the answer")? != input.request_id {
        return Err(malformed("it answers another request"));
    }
    let results = list(answer, "results", "the answer")?;
    let [result] = results else {
        return Err(malformed(format!("it has {} results, expected one", results.len())));
    };
    let result = object(Some(result), "the result")?;
    let about = object(result.get("resource"), "the resource")?;
    let asked = &input.resource;
    for (name, asked) in [
        ("kind", &asked.kind),
        ("id", &asked.id),
        ("policyVersion", &asked.policy_version),
        ("scope", &asked.scope),
    ] {
        if text(about, name, "the resource")? != asked {
            return Err(malformed(format!("it is about a resource of another `{name}`")));
        }
    }
    if !list(result, "validationErrors", "the result")?.is_empty() {
        return Err(malformed("the attributes do not follow a schema of the server's"));
    }
    let meta = object(result.get("meta"), "the result's `meta`")?;
    let roles = list(meta, "effectiveDerivedRoles", "the result's `meta`")?;
    let roles = roles.iter().map(|role| match role {
        Value::String(role) => Ok(role.as_str().into()),
        _ => Err(malformed("a derived role is not text")),
    });
    Ok(CheckOutput {
        request_id: input.request_id.clone(),
        resource_id: asked.id.clone(),
        actions: actions(result, meta, &input.actions)?,
        effective_derived_roles: roles.collect::<Result<BTreeSet<_>, _>>()?,
        outputs: list(result, "outputs", "the result")?.iter().map(output).collect::<Result<_, _>>()?,
        ..CheckOutput::default()
    })
}

/// What was decided, for each action that was asked about and no other.
fn actions(
    result: &Map<String, Value>,
    meta: &Map<String, Value>,
    asked: &[Arc<str>],
) -> Result<Vec<(Arc<str>, ActionEffect)>, EngineError> {
    let effects = object(result.get("actions"), "the result's `actions`")?;
    let meta = object(meta.get("actions"), "the `actions` of the result's `meta`")?;
    if let Some(other) = effects.keys().find(|name| !asked.iter().any(|asked| **asked == ***name)) {
        return Err(malformed(format!("it decides about `{}`, which was not asked", clean(other))));
    }
    let one = |action: &Arc<str>| {
        let effect = match effects.get(&**action) {
            None => return Err(malformed(format!("nothing was said about `{action}`"))),
            Some(Value::String(effect)) => match effect.as_str() {
                "EFFECT_ALLOW" => Effect::Allow,
                "EFFECT_DENY" => Effect::Deny,
                other => {
                    return Err(malformed(format!(
                        "the effect `{}` of `{action}` is not known",
                        clean(other)
                    )));
                }
            },
            Some(_) => return Err(malformed(format!("the effect of `{action}` is not text"))),
        };
        let what = format!("the `meta` of `{action}`");
        let found = object(meta.get(&**action), &what)?;
        let found = ActionEffect {
            effect,
            policy: text(found, "matchedPolicy", &what)?.into(),
            scope: text(found, "matchedScope", &what)?.into(),
            rule: None,
            rests_on_failure: false,
        };
        Ok((Arc::clone(action), found))
    };
    asked.iter().map(one).collect()
}

fn output(entry: &Value) -> Result<OutputEntry, EngineError> {
    let entry = object(Some(entry), "an output")?;
    let source = text(entry, "src", "an output")?;
    if !text(entry, "error", "an output")?.is_empty() {
        // Not its words: they may repeat what was asked.
        return Err(EngineError::Evaluation(format!("the output of {} failed on the server", clean(source))));
    }
    Ok(OutputEntry {
        source: source.into(),
        action: text(entry, "action", "an output")?.into(),
        // In the JSON of a protocol buffer what is null may be left out.
        value: Ok(entry.get("val").cloned().unwrap_or_default()),
    })
}

/// A field of text; in the JSON of a protocol buffer what is empty may be left out.
fn text<'v>(of: &'v Map<String, Value>, name: &str, what: &str) -> Result<&'v str, EngineError> {
    match of.get(name) {
        None => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(malformed(format!("`{name}` of {what} is not text"))),
    }
}

/// A field that is a list; what is empty may be left out.
fn list<'v>(of: &'v Map<String, Value>, name: &str, what: &str) -> Result<&'v [Value], EngineError> {
    match of.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(malformed(format!("`{name}` of {what} is not a list"))),
    }
}

fn object<'v>(value: Option<&'v Value>, what: &str) -> Result<&'v Map<String, Value>, EngineError> {
    match value {
        Some(Value::Object(members)) => Ok(members),
        None => Err(malformed(format!("{what} is missing"))),
        Some(_) => Err(malformed(format!("{what} is not an object"))),
    }
}

fn malformed(why: impl Into<String>) -> EngineError {
    EngineError::Malformed(why.into())
}

/// A name from the server: short, and of an alphabet that carries no text.
pub(super) fn clean(text: &str) -> RuleId {
    RuleId::new(text)
}
