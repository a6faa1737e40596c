//! What the tests of Cerbos's policies share: fixtures as text, requests as JSON.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::{AuxData, CheckInput, CheckOutput, CheckParams, Principal, Resource};
use serde_json::{Map, Value as Json};

/// `../shared/<folder>` beside the workspace; prints and gives `None` when it is not there, unless it must be.
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("FUZE_REQUIRE_SHARED").is_none_or(|v| v != "1"),
        "{} is not there",
        path.display()
    );
    println!("SKIPPED: {} is not there", path.display());
    None
}

/// Strict, at a fixed time.
pub(crate) fn params() -> CheckParams {
    CheckParams::at(Timestamp { seconds: 1_795_294_256, nanoseconds: 0, offset_seconds: 0 })
}

/// A request from JSON as Cerbos writes it.
pub(crate) fn input(json: &Json) -> CheckInput {
    let text = |json: &Json, key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let attr = |json: &Json| json["attr"].as_object().cloned().unwrap_or_default();
    let texts = |json: &Json| -> Vec<Arc<str>> {
        json.as_array().into_iter().flatten().map(|item| item.as_str().expect("text").into()).collect()
    };
    let (principal, resource) = (&json["principal"], &json["resource"]);
    CheckInput {
        request_id: text(json, "requestId"),
        principal: Principal {
            id: text(principal, "id"),
            policy_version: text(principal, "policyVersion"),
            scope: text(principal, "scope"),
            roles: texts(&principal["roles"]),
            attr: attr(principal),
        },
        resource: Resource {
            kind: text(resource, "kind"),
            id: text(resource, "id"),
            policy_version: text(resource, "policyVersion"),
            scope: text(resource, "scope"),
            attr: attr(resource),
        },
        actions: texts(&json["actions"]),
        aux_data: json["auxData"].as_object().map(|data| AuxData {
            jwt: data.get("jwt").and_then(Json::as_object).cloned().unwrap_or_default(),
            jwts: data
                .get("jwts")
                .and_then(Json::as_object)
                .into_iter()
                .flatten()
                .map(|(name, jwt)| (name.clone(), jwt["claims"].as_object().cloned().unwrap_or_default()))
                .collect(),
        }),
    }
}

/// An answer as Cerbos writes it, with everything sorted whose order has no meaning there.
pub(crate) fn json(output: &CheckOutput) -> Json {
    let mut json = Map::new();
    let mut put = |key: &str, value: Json| {
        let empty = match &value {
            Json::String(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            Json::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if !empty {
            json.insert(key.to_owned(), value);
        }
    };
    put("requestId", output.request_id.as_str().into());
    put("resourceId", output.resource_id.as_str().into());
    let actions = output.actions.iter().map(|(action, decided)| {
        let mut effect = serde_json::json!({"effect": decided.effect.as_str(), "policy": &*decided.policy});
        if !decided.scope.is_empty() {
            effect["scope"] = (&*decided.scope).into();
        }
        (action.as_ref().to_owned(), effect)
    });
    put("actions", Json::Object(actions.collect()));
    put(
        "effectiveDerivedRoles",
        output.effective_derived_roles.iter().map(|role| Json::from(&**role)).collect(),
    );
    let mut outputs: Vec<_> = output.outputs.iter().collect();
    outputs.sort_by(|a, b| a.source.cmp(&b.source));
    let entry = |entry: &fuze_policy::cerbos::OutputEntry| match &entry.value {
        Ok(value) => serde_json::json!({"src": &*entry.source, "action": &*entry.action, "val": value}),
        Err(error) => serde_json::json!({"src": &*entry.source, "action": &*entry.action, "error": error}),
    };
    put("outputs", outputs.into_iter().map(entry).collect());
    let errors = output.evaluation_errors.iter().map(
        |error| serde_json::json!({"celError": {"expression": &*error.expression, "message": error.message}}),
    );
    put("evaluationErrors", errors.collect());
    let mut wrong: Vec<_> = output.validation_errors.clone();
    wrong.sort();
    let wrong = wrong.iter().map(|error| {
        let source = match error.of {
            fuze_policy::cerbos::AttributesOf::Principal => "SOURCE_PRINCIPAL",
            fuze_policy::cerbos::AttributesOf::Resource => "SOURCE_RESOURCE",
        };
        serde_json::json!({"path": error.path, "message": error.message, "source": source})
    });
    put("validationErrors", wrong.collect());
    doubles(Json::Object(json))
}

/// Every number as a double.
fn doubles(json: Json) -> Json {
    match json {
        Json::Number(number) => serde_json::json!(number.as_f64()),
        Json::Array(items) => items.into_iter().map(doubles).collect(),
        Json::Object(fields) => fields.into_iter().map(|(name, value)| (name, doubles(value))).collect(),
        other => other,
    }
}

/// An answer that a vector wants, sorted in the same way and without what is empty.
pub(crate) fn wanted(mut json: Json) -> Json {
    if let Some(roles) = json.as_object_mut().and_then(|fields| fields.remove("effective_derived_roles")) {
        json["effectiveDerivedRoles"] = roles;
    }
    let mut sort = |list: &str, keys: &[&str]| {
        let key =
            |item: &Json| keys.iter().map(|key| item[key].as_str().map(str::to_owned)).collect::<Vec<_>>();
        if let Some(items) = json.get_mut(list).and_then(Json::as_array_mut) {
            match keys {
                [] => items.sort_by(|a, b| a.as_str().cmp(&b.as_str())),
                _ => items.sort_by_key(key),
            }
        }
    };
    sort("effectiveDerivedRoles", &[]);
    sort("outputs", &["src"]);
    sort("validationErrors", &["source", "path"]);
    without_empty(json)
}

fn without_empty(json: Json) -> Json {
    let empty = |json: &Json| match json {
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    };
    let Json::Object(fields) = json else { return json };
    let keep = |(name, value): (String, Json)| match name.as_str() {
        // What a rule says may well be empty.
        "val" => Some((name, value)),
        _ => (!empty(&value)).then(|| (name, without_empty(value))),
    };
    Json::Object(fields.into_iter().filter_map(keep).collect())
}
