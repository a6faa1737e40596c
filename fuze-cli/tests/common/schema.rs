//! Holds what is printed with `--json` against what `fuze schema` prints: as much of JSON Schema as that uses, and no member more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::fuze;

static SCHEMAS: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());

/// Panics where `document` is not what the schema that it names describes.
pub(crate) fn check(document: &Value) {
    // A schema has no schema here but JSON Schema's own.
    let Some(name) = document["schema"].as_str() else {
        assert!(document["$schema"].is_string(), "neither a document nor a schema: {document}");
        return;
    };
    let schema = schema(name);
    holds(document, &schema, &schema, name);
}

fn schema(name: &str) -> Value {
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let read = || serde_json::from_str(&fuze(&["schema", name], 0).stdout).unwrap();
    schemas.entry(name.to_owned()).or_insert_with(read).clone()
}

fn holds(value: &Value, schema: &Value, root: &Value, at: &str) {
    if schema == &Value::Bool(true) {
        return;
    }
    let of = schema.as_object().unwrap_or_else(|| panic!("{at}: no schema: {schema}"));
    for (keyword, says) in of {
        match keyword.as_str() {
            "$ref" => {
                let path = says.as_str().unwrap().strip_prefix('#').unwrap();
                holds(value, root.pointer(path).unwrap(), root, at);
            }
            "type" => assert!(is_of(value, says), "{at}: {value} is not of {says}"),
            "const" => assert_eq!(value, says, "{at}"),
            "enum" => assert!(says.as_array().unwrap().contains(value), "{at}: {value} is none of {says}"),
            "minimum" => assert!(value.as_f64().is_none_or(|n| n >= says.as_f64().unwrap()), "{at}: {value}"),
            // What may be absent, and is never `null` here.
            "anyOf" => {
                let some: Vec<_> =
                    says.as_array().unwrap().iter().filter(|one| one["type"] != "null").collect();
                assert_eq!(some.len(), 1, "{at}: {says}");
                holds(value, some[0], root, at);
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    holds(item, says, root, &format!("{at}/{n}"));
                }
            }
            "required" => {
                for member in says.as_array().unwrap() {
                    assert!(value.get(member.as_str().unwrap()).is_some(), "{at}: without {member}: {value}");
                }
            }
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    let says = says.get(name).unwrap_or_else(|| panic!("{at}: a member `{name}` too many"));
                    holds(member, says, root, &format!("{at}/{name}"));
                }
            }
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => {}
            // `false` asks for what is held to above anyway.
            "additionalProperties" => assert!(says.is_boolean(), "{at}: {says}"),
            other => panic!("{at}: `{other}` is a keyword that this test does not know"),
        }
    }
}

fn is_of(value: &Value, types: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("an unknown type `{other}`"),
    };
    match types {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        other => panic!("an unknown type {other}"),
    }
}
