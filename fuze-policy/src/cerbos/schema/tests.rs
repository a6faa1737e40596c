use std::sync::Arc;

use serde_json::json;

use super::super::check::{AttributesOf, CheckInput, CheckParams, check};
use super::super::files::Source;
use super::super::model::Effect;
use super::super::set::PolicySet;
use super::{Enforced, Enforcement, Schemas};
use crate::cel::Timestamp;

const POLICY: &str = r#"
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: expense
  version: default
  schemas:
    resourceSchema:
      ref: cerbos:///expense.json
      ignoreWhen:
        actions: ["list:*"]
  rules:
    - {actions: ["*"], roles: ["*"], effect: EFFECT_ALLOW}
"#;

fn set(policy: &str) -> PolicySet {
    PolicySet::load(&[Source::new("p.yaml", policy)]).unwrap()
}

fn schemas(files: &[(&str, &str)]) -> Result<Schemas, String> {
    let files: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    Schemas::load(&set(POLICY), &files).map_err(|problems| problems.to_string())
}

/// What is wrong with the attributes, and the effect on each action.
fn decide(
    schema: &str,
    attr: serde_json::Value,
    actions: &[&str],
    enforcement: Enforcement,
) -> (Vec<String>, Vec<Effect>) {
    let schemas = Arc::new(
        schemas(&[("expense.json", schema), ("common.json", r#"{"$defs": {"n": {"minimum": 1}}}"#)]).unwrap(),
    );
    let mut input =
        CheckInput { actions: actions.iter().map(|a| (*a).into()).collect(), ..CheckInput::default() };
    input.principal.roles = vec!["user".into()];
    input.resource.kind = "expense".to_owned();
    input.resource.attr = attr.as_object().cloned().unwrap();
    let mut params = CheckParams::at(Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 });
    params.schemas = Some(Enforced { schemas, enforcement });
    let output = check(&set(POLICY), &input, &params).unwrap();
    assert!(output.validation_errors.iter().all(|error| error.of == AttributesOf::Resource));
    let errors = output.validation_errors.iter().map(|e| format!("{} {}", e.path, e.message)).collect();
    (errors, output.actions.iter().map(|(_, decided)| decided.effect).collect())
}

const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["amount", "owner"],
  "additionalProperties": false,
  "properties": {
    "amount": {"$ref": "common.json#/$defs/n"},
    "owner": {"type": "string", "pattern": "^[a-z]+$"},
    "status": {"enum": ["open", "paid"]},
    "kind": {"anyOf": [{"const": "a"}, {"type": "number"}]}
  }
}"#;

#[test]
fn a_request_that_does_not_follow_is_denied_or_told() {
    let good = json!({"amount": 1, "owner": "anna", "status": "open", "kind": 2});
    assert_eq!(decide(SCHEMA, good, &["view"], Enforcement::Reject), (vec![], vec![Effect::Allow]));

    let bad = json!({"amount": 0});
    let (errors, effects) = decide(SCHEMA, bad.clone(), &["view", "list:all"], Enforcement::Reject);
    assert_eq!(errors, ["/amount must be >= 1 but found 0", "/ missing properties: 'owner'"]);
    assert_eq!(effects, [Effect::Deny, Effect::Deny]);
    assert_eq!(decide(SCHEMA, bad.clone(), &["view"], Enforcement::Warn).1, [Effect::Allow]);
    let (errors, effects) = decide(SCHEMA, bad, &["list:all", "list:mine"], Enforcement::Reject);
    assert_eq!((errors.len(), effects), (0, vec![Effect::Allow, Effect::Allow]), "all actions are ignored");
}

#[test]
fn errors_speak_as_cerbos_does() {
    let told = |attr| decide(SCHEMA, attr, &["view"], Enforcement::Warn).0;
    assert_eq!(told(json!({})), ["/ missing properties: 'amount', 'owner'"]);
    assert_eq!(told(json!({"amount": 1, "owner": 5})), ["/owner expected string, but got number"]);
    assert_eq!(told(json!({"amount": 1, "owner": "A"})), ["/owner does not match pattern '^[a-z]+$'"]);
    assert_eq!(
        told(json!({"amount": 1, "owner": "a", "status": "x"})),
        ["/status value must be one of \"open\", \"paid\""]
    );
    assert_eq!(told(json!({"amount": 1, "owner": "a", "x": 1})), ["/ additionalProperties 'x' not allowed"]);
    assert_eq!(
        told(json!({"amount": 1, "owner": "a", "kind": "b"})),
        ["/kind value must be \"a\"", "/kind expected number, but got string"]
    );
}

#[test]
fn a_schema_that_cannot_be_used_is_told_at_its_address() {
    let refused = |files: &[(&str, &str)]| schemas(files).map(|_| ()).unwrap_err();
    assert_eq!(
        refused(&[("other.json", "{}")]),
        "p.yaml:8:12: the schema `cerbos:///expense.json` cannot be used: there is no `_schemas/expense.json`"
    );
    assert!(
        refused(&[("expense.json", "{\n  \"a\":\n}")])
            .starts_with("_schemas/expense.json:3:1: the schema is not JSON")
    );
    assert!(refused(&[("expense.json", r#"{"type": "nonsense"}"#)]).starts_with("p.yaml:8:12: the schema"));
    let elsewhere = refused(&[("expense.json", r#"{"$ref": "https://example.com/x.json"}"#)]);
    assert!(elsewhere.contains("nothing is fetched"), "{elsewhere}");
    let missing = refused(&[("expense.json", r#"{"$ref": "x.json"}"#)]);
    assert!(missing.contains("there is no `_schemas/x.json`"), "{missing}");
}

#[test]
fn the_schemas_of_the_root_scope_hold_below() {
    let scoped = POLICY
        .replace("  version: default\n", "  version: default\n  scope: acme\n")
        .replace("expense.json", "other.json");
    let set = PolicySet::load(&[Source::new("a.yaml", &scoped), Source::new("b.yaml", POLICY)]).unwrap();
    let all: Vec<_> =
        set.schemas().map(|(key, s)| (&**key, s.resource.as_ref().unwrap().reference.clone())).collect();
    assert_eq!(
        all,
        [
            ("resource.expense.vdefault", "cerbos:///expense.json".into()),
            ("resource.expense.vdefault/acme", "cerbos:///expense.json".into())
        ]
    );
}
