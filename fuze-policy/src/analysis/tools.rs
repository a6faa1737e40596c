//! The declared tools, as the build script and the command read them.

use serde_json::{Map, Value, json};

use super::vocabulary::{basis_fits, words_of};
use crate::strict::Strict;

/// What is declared: the tools of a program, and the roles that its principals can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// The tools. If there are none, what would need them is not looked at.
    pub tools: Vec<ToolDeclaration>,
    /// Roles that principals can have; `None` if that is not known.
    pub roles: Option<Vec<String>>,
}

/// A tool as declared. Wire names, as in [`ToolFacts`](crate::ToolFacts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDeclaration {
    /// The tool's name.
    pub name: String,
    /// `public`, `confidential`, `personal` or `special_category`.
    pub classification: String,
    /// The GDPR Art. 9(2) basis of a special-category tool.
    pub art9_basis: Option<String>,
    /// `eu`, `eea`, `adequate`, `us` or `other`.
    pub residency: String,
    /// `read`, `idempotent` or `once`.
    pub effect: String,
    /// `none`, `eu`, `eea`, `hosts` or `any`.
    pub egress: String,
    /// The names of its arguments; `None` if they are not known.
    pub args: Option<Vec<String>>,
}

impl Tools {
    /// Reads declarations: a list of tools, or an object of `tools` and `roles`. A tool's `args` are a list of names or the JSON Schema
    /// of its arguments.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let Strict(json) =
            serde_json::from_str(text).map_err(|error| format!("the tools are no JSON: {error}"))?;
        let (tools, roles) = match json {
            Value::Array(tools) => (tools, None),
            Value::Object(mut members) => {
                let tools = match members.remove("tools") {
                    Some(Value::Array(tools)) => tools,
                    _ => return Err("`tools` must be a list of tools".to_owned()),
                };
                let roles = members.remove("roles").map(|roles| texts(&roles, "`roles`")).transpose()?;
                nothing_else(&members, "the declarations")?;
                (tools, roles)
            }
            _ => return Err("the tools must be a list, or an object of `tools` and `roles`".to_owned()),
        };
        // With nobody who could ask anything would be proven.
        if roles.as_ref().is_some_and(Vec::is_empty) {
            return Err("`roles` names no role, so that nobody could ask: name those that principals can have, or leave `roles` out if that \
                        is not known"
                .to_owned());
        }
        if tools.is_empty() && roles.is_none() {
            return Err(
                "neither a tool nor a role is declared: name some, or give no declarations".to_owned()
            );
        }
        let tools = tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.array_windows().find(|[a, b]| a == b) {
            return Err(format!("the tool `{twice}` is declared twice"));
        }
        Ok(Self { tools, roles })
    }

    /// What [`from_json`](Self::from_json) reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let tool = |tool: &ToolDeclaration| {
            json!({
                "name": tool.name,
                "classification": tool.classification,
                "art9_basis": tool.art9_basis,
                "residency": tool.residency,
                "effect": tool.effect,
                "egress": tool.egress,
                "args": tool.args,
            })
        };
        let tools: Vec<Value> = self.tools.iter().map(tool).collect();
        let all = match &self.roles {
            Some(roles) => json!({ "tools": tools, "roles": roles }),
            None => json!({ "tools": tools }),
        };
        all.to_string()
    }
}

fn tool(json: Value) -> Result<ToolDeclaration, String> {
    let Value::Object(mut members) = json else { return Err("a tool must be an object".to_owned()) };
    let name = text(&mut members, "name").map_err(|why| format!("a tool: {why}"))?;
    declared(&name, members).map_err(|why| format!("the tool `{name}`: {why}"))
}

fn declared(name: &str, mut members: Map<String, Value>) -> Result<ToolDeclaration, String> {
    let mut known = |member: &str| {
        let value = text(&mut members, member)?;
        of_vocabulary(member, value)
    };
    let [classification, residency, effect, egress] =
        [known("classification")?, known("residency")?, known("effect")?, known("egress")?];
    let art9_basis = match members.remove("art9_basis") {
        None | Some(Value::Null) => None,
        Some(Value::String(basis)) => Some(of_vocabulary("art9_basis", basis)?),
        Some(_) => return Err("`art9_basis` must be text".to_owned()),
    };
    basis_fits(&classification, art9_basis.is_some())?;
    let args = match members.remove("args") {
        None | Some(Value::Null) => None,
        Some(Value::Object(schema)) => names_of_arguments(&schema),
        Some(names) => Some(texts(&names, "`args`")?),
    };
    nothing_else(&members, "a tool")?;
    Ok(ToolDeclaration { name: name.to_owned(), classification, art9_basis, residency, effect, egress, args })
}

/// The names of the arguments that a JSON Schema allows, sorted; `None` if it does not say so plainly and others may come: it is
/// open, has alternatives, or refers to another.
#[must_use]
pub fn names_of_arguments(schema: &Map<String, Value>) -> Option<Vec<String>> {
    // What cannot bring in another name.
    const PLAIN: [&str; 11] = [
        "$defs",
        "$id",
        "$schema",
        "additionalProperties",
        "definitions",
        "description",
        "examples",
        "properties",
        "required",
        "title",
        "type",
    ];
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let object = schema.get("type").and_then(Value::as_str) == Some("object");
    if !closed || !object || schema.keys().any(|key| !PLAIN.contains(&key.as_str())) {
        return None;
    }
    let mut names: Vec<String> = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.keys().cloned().collect(),
        None => Vec::new(),
        Some(_) => return None,
    };
    // Whatever order this build of `serde_json` keeps.
    names.sort_unstable();
    Some(names)
}

fn of_vocabulary(member: &str, value: String) -> Result<String, String> {
    match words_of(member) {
        Some(known) if !known.contains(&value.as_str()) => {
            Err(format!("`{member}` cannot be `{value}`, only {}", known.join(", ")))
        }
        _ => Ok(value),
    }
}

fn text(members: &mut Map<String, Value>, member: &str) -> Result<String, String> {
    match members.remove(member) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(format!("`{member}` must be text")),
        None => Err(format!("`{member}` is missing")),
    }
}

fn texts(json: &Value, what: &str) -> Result<Vec<String>, String> {
    let items = json.as_array().ok_or_else(|| format!("{what} must be a list of names"))?;
    let name = |item: &Value| item.as_str().map(str::to_owned);
    items.iter().map(|item| name(item).ok_or_else(|| format!("{what} must be a list of names"))).collect()
}

fn nothing_else(members: &Map<String, Value>, what: &str) -> Result<(), String> {
    members.keys().next().map_or(Ok(()), |name| Err(format!("{what} has no `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(schema: &Value) -> Option<Vec<String>> {
        names_of_arguments(schema.as_object()?)
    }

    #[test]
    fn a_closed_schema_has_the_names_and_every_other_may_have_more() {
        let closed = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Pay", "description": "Pays.", "type": "object",
            "properties": {"to": {"$ref": "#/$defs/Place"}, "amount": {"type": "number"}}, "required": ["to"],
            "additionalProperties": false, "$defs": {"Place": {"oneOf": []}},
        });
        assert_eq!(names(&closed), Some(vec!["amount".to_owned(), "to".to_owned()]));
        assert_eq!(names(&json!({"type": "object", "additionalProperties": false})), Some(Vec::new()));
        for (member, value) in [
            ("additionalProperties", json!(true)),
            ("additionalProperties", json!({"type": "string"})),
            ("additionalProperties", Value::Null),
            ("properties", json!([])),
            ("type", json!(["object", "array"])),
            ("type", Value::Null),
            ("oneOf", json!([{"properties": {"other": {}}}])),
            ("anyOf", json!([])),
            ("allOf", json!([])),
            ("$ref", json!("#/$defs/Either")),
            ("patternProperties", json!({".*": {}})),
            ("if", json!({})),
        ] {
            let mut open = closed.clone();
            open[member] = value.clone();
            assert_eq!(names(&open), None, "{member}: {value}");
        }
    }
}
