//! What is wrong with an attribute, in the words that a Cerbos PDP uses where it has the same check.

use jsonschema::ValidationError as Found;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value as Json;

use super::super::check::{AttributesOf, ValidationError};

/// All errors, the innermost where one stands for several.
pub(super) fn all<'i>(of: AttributesOf, found: impl Iterator<Item = Found<'i>>) -> Vec<ValidationError> {
    let mut errors: Vec<ValidationError> = Vec::new();
    let mut missing: Vec<(String, Vec<String>)> = Vec::new();
    for error in found {
        add(of, &error, &mut errors, &mut missing);
    }
    errors.extend(missing.into_iter().map(|(path, names)| ValidationError {
        of,
        path,
        message: format!("missing properties: {}", names.join(", ")),
    }));
    errors
}

fn add(
    of: AttributesOf,
    error: &Found<'_>,
    errors: &mut Vec<ValidationError>,
    missing: &mut Vec<(String, Vec<String>)>,
) {
    let pointer = error.instance_path().as_str();
    let path = if pointer.is_empty() { "/" } else { pointer }.to_owned();
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().map_or_else(|| property.to_string(), |name| format!("'{name}'"));
            match missing.iter_mut().find(|(other, _)| *other == path) {
                Some((_, names)) => names.push(name),
                None => missing.push((path, vec![name])),
            }
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context }
            if context.iter().any(|of| !of.is_empty()) =>
        {
            for inner in context.iter().flatten() {
                add(of, inner, errors, missing);
            }
        }
        kind => {
            let message = message(kind, error).unwrap_or_else(|| error.to_string());
            errors.push(ValidationError { of, path, message });
        }
    }
}

fn message(kind: &Kind, error: &Found<'_>) -> Option<String> {
    let value = error.instance();
    let quoted = |names: &[String]| names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ");
    Some(match kind {
        Kind::Enum { options } => {
            let options = options.as_array()?;
            if options.iter().any(|option| option.is_array() || option.is_object()) {
                return Some("enum failed".to_owned());
            }
            let options: Vec<String> = options.iter().map(Json::to_string).collect();
            format!("value must be one of {}", options.join(", "))
        }
        Kind::Type { kind } => {
            let wanted: Vec<String> = match kind {
                TypeKind::Single(one) => vec![one.to_string()],
                TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
            };
            format!("expected {}, but got {}", wanted.join(" or "), type_of(value))
        }
        Kind::AdditionalProperties { unexpected } => {
            format!("additionalProperties {} not allowed", quoted(unexpected))
        }
        Kind::Constant { expected_value } => format!("value must be {expected_value}"),
        Kind::Minimum { limit } => format!("must be >= {limit} but found {value}"),
        Kind::Maximum { limit } => format!("must be <= {limit} but found {value}"),
        Kind::ExclusiveMinimum { limit } => format!("must be > {limit} but found {value}"),
        Kind::ExclusiveMaximum { limit } => format!("must be < {limit} but found {value}"),
        Kind::Pattern { pattern } => format!("does not match pattern '{pattern}'"),
        Kind::Format { format } => format!("{value} is not valid '{format}'").replace('"', "'"),
        _ => return None,
    })
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
