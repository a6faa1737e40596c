//! What expressions see of a request, and what variables and outputs keep of values, as the real engine does.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use fuze_policy::cel::{
    Activation, AuxData, Budget, DerivedRoles, EvalError, Key, Map, Principal, Program, Resource, Timestamp,
    Value,
};
use serde_json::{Value as Json, json};

fn map(json: Json) -> Arc<Map> {
    match Value::from(json) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    }
}

/// The variables of the policy that the answers come from, in the order in which they are evaluated.
const VARIABLES: [(&str, &str); 22] = [
    ("v1", "P.attr.num + 1.0"),
    ("hier", "hierarchy('a.b')"),
    ("opt", "optional.of(1)"),
    ("none", "optional.none()"),
    ("ty", "type(1)"),
    ("sp", "spiffeID('spiffe://a/b')"),
    ("matcher", "spiffeMatchAny()"),
    ("nul", "null"),
    ("ipv", "ip('1.2.3.4')"),
    ("cidrv", "cidr('1.0.0.0/8')"),
    ("failing", "1/0 == 1"),
    ("m", "{'a': 1}"),
    ("l", "[optional.of(5)]"),
    ("mo", "{'x': optional.of({'y': 1})}"),
    ("ts", "timestamp('2021-01-01T00:00:00+02:00')"),
    ("dur", "duration('1h')"),
    ("u", "5u"),
    ("by", "b'abc'"),
    ("chain", "V.v1 * 2.0"),
    ("usesfailing", "V.failing ? 1 : 2"),
    ("intmap", "{1: 2}"),
    ("unused", "null"),
];

fn activation() -> Activation {
    let attributes = json!({
        "num": 5, "zero": 0, "neg": -3, "frac": 2.5, "huge": 9_007_199_254_740_993_u64, "str": "hello", "bool": true,
        "nul": null, "list": [1, 2, 3], "strs": ["x", "y"], "mixed": [1, "b", true], "map": {"a": 1, "b": [2]},
        "objs": [{"n": 2}, {"n": 1}], "ts": "2021-03-04T05:06:07Z", "dur": "1h", "hier": "a.b.c", "ip": "10.1.2.3",
        "badre": "[",
    });
    let roles = [Value::from("admin"), Value::from("user")];
    let principal =
        Principal { id: "ana".into(), roles: roles.into(), attr: map(attributes), ..Principal::default() };
    let resource = Resource {
        kind: "t".into(),
        id: "r1".into(),
        attr: map(json!({ "strs": ["y", "z"] })),
        policy_version: "default".into(),
        ..Resource::default()
    };
    let mut activation = Activation::new(principal, resource, Timestamp::new(1_780_000_000, 0, 0).unwrap());
    activation.constants = map(json!({ "c": 5, "s": "x", "l": [1, 2], "n": null }));
    activation.globals = map(json!({ "environment": "test" }));
    for (name, source) in VARIABLES.iter().take(21) {
        let value = eval(source, &activation).ok().and_then(Value::into_variable);
        let known = activation.variables.iter().map(|(key, value)| (key.clone(), value.clone()));
        let added = value.map(|value| (Key::String((*name).into()), value));
        activation.variables = Arc::new(known.chain(added).collect());
    }
    activation
}

fn eval(source: &str, activation: &Activation) -> Result<Value, EvalError> {
    let program = Program::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    program.eval(activation, &mut Budget::default())
}

fn output(source: &str, activation: &Activation) -> String {
    match Program::parse(source) {
        Err(_) => "refused".to_owned(),
        Ok(program) => {
            match program.eval(activation, &mut Budget::default()).and_then(|value| value.to_json()) {
                Ok(json) => json.to_string(),
                Err(_) => "error".to_owned(),
            }
        }
    }
}

fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[test]
fn the_real_engine_writes_the_same_outputs() {
    let activation = activation();
    let answers = include_str!("cel/outputs.tsv").lines().filter(|line| !line.starts_with('#'));
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in answers {
        let (wanted, source) = line.split_once('\t').unwrap();
        let found = output(source, &activation);
        let equal = matches!((found.parse(), wanted.parse()), (Ok(a), Ok(b)) if same(&a, &b));
        asked += 1;
        if found != wanted && !equal {
            wrong.push(format!("{source}\n    wanted {wanted}\n    found  {found}"));
        }
    }
    assert!(asked > 300, "only {asked} answers");
    assert!(wrong.is_empty(), "{} of {asked} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(source: &str, activation: &Activation, wanted: &Json) {
    let found = output(source, activation);
    assert!(found.parse().is_ok_and(|found| same(&found, wanted)), "{source}: {found}");
}

#[test]
fn tokens_are_seen_by_claim_and_by_name() {
    let mut activation = activation();
    activation.aux_data = Some(AuxData {
        jwt: map(json!({ "iss": "cerbos" })),
        jwts: map(json!({ "second": { "claims": { "sub": "ana" } } })),
    });
    for (source, wanted) in [
        ("request.auxData.jwt.iss", json!("cerbos")),
        ("request.aux_data.jwt.iss == 'cerbos'", json!(true)),
        ("has(request.auxData)", json!(true)),
        ("has(request.auxData.jwt.sub)", json!(false)),
        ("request.auxData.jwts.second.claims.sub", json!("ana")),
        ("request.auxData.jwts['second'].claims.sub", json!("ana")),
        ("has(request.auxData.jwts.second.claims.iss)", json!(false)),
    ] {
        check(source, &activation, &wanted);
    }
}

#[test]
fn derived_roles_that_failed_fail_who_looks_at_them() {
    let mut activation = activation();
    activation.derived_roles = DerivedRoles::Known([Value::from("owner")].into());
    check("'owner' in runtime.effectiveDerivedRoles", &activation, &json!(true));
    check("has(runtime.effectiveDerivedRoles)", &activation, &json!(true));
    activation.derived_roles = DerivedRoles::Failed(["owner".into()].into());
    for source in [
        "runtime.effectiveDerivedRoles",
        "has(runtime.effectiveDerivedRoles)",
        "'a' in runtime.effective_derived_roles",
    ] {
        let error = eval(source, &activation).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "failed to compute effective derived roles [owner]", "{source}");
    }
    check("true || 'a' in runtime.effectiveDerivedRoles", &activation, &json!(true));
}

#[test]
fn one_moment_serves_the_whole_request() {
    let activation = activation();
    check("int(now())", &activation, &json!(1_780_000_000));
    check("timestamp(1779999990).timeSince() == duration('10s')", &activation, &json!(true));
    check("timeSince(timestamp(1780000001)) == duration('-1s')", &activation, &json!(true));
    check(
        "timestamp('0001-01-01T00:00:00Z').timeSince() == duration('9223372036854775807ns')",
        &activation,
        &json!(true),
    );
}

#[test]
fn errors_name_their_place_in_the_expression() {
    for (source, line, column, part) in [
        ("R.attr.a ==\n  unknown", 2, 3, "there is no `unknown`"),
        ("P.id + 1", 1, 1, "`+` cannot be used with string, int"),
        ("'é' == 'a' &&\n 'é' == 'b' && foo(1)", 2, 16, "there is no function `foo`"),
        ("P.attr.x.startsWith(1)", 1, 1, "`startsWith` on dyn cannot be used with int"),
        ("R.foo", 1, 1, "`R` has no field `foo`"),
        ("duration('1 hour')", 1, 10, "`1 hour` is no duration"),
        ("P.attr.x.matches('(a')", 1, 18, "`(a` is no pattern"),
        ("1 +", 1, 4, "found the end of the expression"),
        ("a ~ b", 1, 3, "`~` means nothing here"),
        ("if", 1, 1, "`if` is reserved"),
        ("'a\n'", 1, 1, "a quoted text is not closed"),
        ("r\"a\r\"", 1, 1, "a quoted text is not closed"),
        ("'a", 1, 1, "a quoted text is not closed"),
        ("google.protobuf.Int64Value{value: 1}", 1, 27, "messages cannot be built here"),
    ] {
        let error = Program::parse(source).map(|_| ()).unwrap_err();
        assert!(error.message.contains(part), "{source}: {error}");
        assert_eq!((error.line, error.column), (line, column), "{source}: {error}");
    }
}
