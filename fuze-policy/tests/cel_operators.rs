//! Operators on each kind of value, what they say when they fail, and what they cost.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;

use fuze_policy::cel::{
    Activation, AuxData, Budget, EvalError, Key, Limit, Map, Principal, Program, Resource, Timestamp, Value,
};
use serde_json::json;

fn activation() -> Activation {
    let map = |value: serde_json::Value| match Value::from(value) {
        Value::Map(map) => map,
        other => panic!("{other:?}"),
    };
    let attr = json!({"l": [1, 2, 3], "s": "abcde", "n": 1, "m": {"a": 1, "b": 2}, "e": [], "long": "x".repeat(320)});
    let resource = Resource { kind: "doc".into(), attr: map(attr), ..Resource::default() };
    let principal =
        Principal { id: "ana".into(), roles: Arc::from([Value::from("user")]), ..Principal::default() };
    let mut activation = Activation::new(principal, resource, Timestamp::new(1_780_000_000, 0, 0).unwrap());
    activation.aux_data = Some(AuxData { jwt: map(json!({"iss": "x"})), jwts: Arc::new(Map::default()) });
    activation
}

fn eval(source: &str, budget: &mut Budget) -> Result<Value, EvalError> {
    Program::parse(source).unwrap_or_else(|error| panic!("{source}: {error}")).eval(&activation(), budget)
}

#[track_caller]
fn hold(sources: &[&str]) {
    for source in sources {
        let found = eval(source, &mut Budget::default());
        assert!(matches!(found, Ok(Value::Bool(true))), "{source}: {found:?}");
    }
}

#[track_caller]
fn fail(cases: &[(&str, &str)]) {
    for (source, said) in cases {
        let error = eval(source, &mut Budget::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{source}: {error}");
    }
}

#[test]
fn arithmetic_of_each_kind() {
    hold(&[
        "2 + 3 == 5 && 2 - 3 == -1 && 2 * 3 == 6 && 7 / 2 == 3 && -7 / 2 == -3 && 7 % 4 == 3 && -7 % 4 == -3",
        "2u + 3u == 5u && 3u - 2u == 1u && 2u * 3u == 6u && 7u / 2u == 3u && 7u % 4u == 3u",
        "2.5 + 1.5 == 4.0 && 2.5 - 1.5 == 1.0 && 2.5 * 2.0 == 5.0 && 5.0 / 2.0 == 2.5",
        r#""ab" + "cd" == "abcd" && b"ab" + b"cd" == b"abcd""#,
        "[1] + [2] == [1, 2] && [] + [1] == [1] && [1] + [] == [1]",
        r#"duration("1h") + duration("1m") == duration("61m") && duration("1h") - duration("1m") == duration("59m")"#,
        r#"timestamp("2021-01-01T00:00:00Z") + duration("1h") == timestamp("2021-01-01T01:00:00Z")"#,
        r#"duration("1h") + timestamp("2021-01-01T00:00:00Z") == timestamp("2021-01-01T01:00:00Z")"#,
        r#"timestamp("2021-01-01T01:00:00Z") - duration("1h") == timestamp("2021-01-01T00:00:00Z")"#,
        r#"timestamp("2021-01-01T01:00:00Z") - timestamp("2021-01-01T00:00:00Z") == duration("1h")"#,
        r#"-(1) == 0 - 1 && -(1.5) == 0.0 - 1.5 && -dyn(duration("1h")) == duration("-1h")"#,
    ]);
    fail(&[
        ("9223372036854775807 + 1", "integer overflow"),
        ("-9223372036854775807 - 2", "integer overflow"),
        ("9223372036854775807 * 2", "integer overflow"),
        ("(-9223372036854775807 - 1) / -1", "integer overflow"),
        ("(-9223372036854775807 - 1) % -1", "integer overflow"),
        ("18446744073709551615u + 1u", "unsigned integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("18446744073709551615u * 2u", "unsigned integer overflow"),
        ("1 / 0", "division by zero"),
        ("1u / 0u", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("1u % 0u", "modulus by zero"),
        (r#"dyn("a") - dyn("b")"#, "no such overload"),
        (r#"dyn("a") * dyn(2)"#, "no such overload"),
        ("dyn(1) / dyn(2.0)", "no such overload"),
        ("dyn(1.0) % dyn(2.0)", "no such overload"),
        ("-dyn(1u)", "no such overload"),
    ]);
}

#[test]
fn order_of_each_kind() {
    hold(&[
        "1 < 2 && 1u < 2u && 1.5 < 2.5 && false < true",
        r#""a" < "b" && b"a" < b"b" && !(b"b" < b"a") && b"b" > b"a""#,
        r#"duration("1m") < duration("1h") && timestamp("2021-01-01T00:00:00Z") < timestamp("2021-01-02T00:00:00Z")"#,
        "dyn(1) < dyn(2u) && dyn(1u) < dyn(2) && dyn(-1) < dyn(0u) && dyn(0u) > dyn(-1)",
        "dyn(1) < dyn(1.5) && dyn(1.5) < dyn(2) && dyn(1u) < dyn(1.5) && dyn(1.5) < dyn(2u) && dyn(-0.5) < dyn(0u) && dyn(0u) > dyn(-0.5)",
        "dyn(9223372036854775807) < dyn(1e300) && dyn(-1e300) < dyn(-9223372036854775807) && dyn(18446744073709551615u) < dyn(1e300)",
        // What is no number is neither above nor below.
        r#"!(double("NaN") < 1.0) && !(double("NaN") >= 1.0) && !(1.0 < double("NaN")) && !(1.0 >= double("NaN"))"#,
        r#"!(dyn(1) < double("NaN")) && !(dyn(1u) >= double("NaN")) && !(dyn(double("NaN")) <= dyn(1))"#,
    ]);
    fail(&[
        (r#"dyn("a") < dyn(1)"#, "no such overload"),
        (r#"dyn("a") < double("NaN")"#, "no such overload"),
        ("dyn([1]) < dyn([2])", "no such overload"),
        ("dyn(null) < dyn(null)", "no such overload"),
    ]);
}

#[test]
fn equality_of_each_kind() {
    hold(&[
        "dyn(1) == dyn(1u) && dyn(1) == dyn(1.0) && dyn(1u) == dyn(1.0) && dyn(1.0) == dyn(1u) && dyn(-1) != dyn(1u)",
        "null == null && dyn(null) != dyn(1) && dyn(1) != dyn(null)",
        "true == true && true != false",
        r#""a" == "a" && "a" != "b" && "a" != "ab" && b"a" == b"a" && b"a" != b"b""#,
        r#"timestamp("2021-01-01T00:00:00Z") == timestamp("2021-01-01T01:00:00+01:00") && duration("60s") == duration("1m") && duration("1s") != duration("2s")"#,
        r#"timestamp("2021-01-01T00:00:00Z") != timestamp("2021-01-01T00:00:01Z")"#,
        "type(1) == int && type(1) != uint",
        "[1, 2] == [1, 2] && [1, 2] != [1, 3] && [1] != [1, 2] && [[1]] == [[1]] && [[1]] != [[2]]",
        r#"{"a": 1} == {"a": 1} && {"a": 1} != {"a": 2} && {"a": 1} != {"b": 1} && {"a": 1} != {"a": 1, "b": 2}"#,
        "optional.of(1) == optional.of(1) && optional.of(1) != optional.of(2) && optional.none() == optional.none() && optional.of(1) != optional.none()",
        r#"dyn("1") != dyn(1) && dyn([1]) != dyn({"a": 1}) && dyn("a") != dyn(b"a")"#,
        r#"double("NaN") != double("NaN") && 0.0 == -0.0"#,
        r#"ip("10.0.0.1") == ip("10.0.0.1") && ip("10.0.0.1") != ip("10.0.0.2") && cidr("10.0.0.0/8") == cidr("10.0.0.0/8") && cidr("10.0.0.0/8") != cidr("10.0.0.0/9")"#,
        r#"hierarchy("a.b") == hierarchy("a.b") && hierarchy("a.b") != hierarchy("a.c")"#,
        // Within a list a kind that refuses to be compared counts as equal, but not to null.
        r#"dyn([hierarchy("a.b")]) != dyn([null]) && dyn([null]) != dyn([hierarchy("a.b")])"#,
        "P == request.principal && R != dyn(P) && R == request.resource",
    ]);
    fail(&[(r#"dyn(hierarchy("a.b")) == dyn("a.b")"#, "no such overload")]);
}

#[test]
fn keys_of_maps() {
    hold(&[
        "{1: 2}[dyn(1u)] == 2 && {1: 2}[dyn(1.0)] == 2 && {1u: 2}[dyn(1)] == 2 && {1u: 2}[dyn(1.0)] == 2",
        "1u in dyn({1: 2}) && 1.0 in dyn({1u: 2}) && !(1.5 in dyn({1: 2})) && !(-1 in dyn({1u: 2})) && true in {true: 1} && !(false in {true: 1})",
        "18446744073709551615u in dyn({18446744073709551615u: 1}) && !(18446744073709551615u in dyn({-1: 1}))",
        "9223372036854775808.0 in dyn({9223372036854775808u: 1}) && !(9223372036854775808.0 in dyn({9223372036854775807: 1}))",
        "-9223372036854774784.0 in dyn({-9223372036854774784: 1}) && !(-1.0 in dyn({1u: 1})) && -1.0 in dyn({-1: 1}) && 0.0 in dyn({0: 1})",
        "9223372036854774784.0 in dyn({9223372036854774784: 1}) && 18446744073709549568.0 in dyn({18446744073709549568u: 1})",
        r#"{"a": 1, "b": 2}.a == 1 && {"b": 2, "a": 1}["b"] == 2 && !("c" in {"a": 1})"#,
        r#"{1: "i", "1": "s"}["1"] == "s" && {true: "b", "a": "s"}["a"] == "s" && {1: "i", 2: "j", true: "b", "a": "s"}[2] == "j""#,
        r#"size({"a": 1, "b": 2}) == 2 && size({}) == 0 && size({1u: 1, 2u: 2}) == 2 && {1u: "a", 2u: "b"}[2u] == "b""#,
        // As in cel-go, the least integer is out of a double's range.
        "!(-9223372036854775808.0 in dyn({(-9223372036854775807 - 1): 1}))",
        // The last of two counts; both zeros are one key.
        r#"[1, 2].transformMapEntry(i, v, {v: i}) == {1: 0, 2: 1}"#,
        "R.attr.l[0] == 1.0 && R.attr.l[dyn(0.0)] == 1.0 && R.attr.l[dyn(2u)] == 3.0",
    ]);
    fail(&[
        (r#"R.attr.m["c"]"#, "no such key: c"),
        ("R.attr.m[1]", "no such key"),
        ("R.attr.l[3]", "index out of range in list of 3"),
        ("R.attr.l[-1]", "index out of range"),
        ("R.attr.l[dyn(0.5)]", "unsupported index type"),
        (r#"R.attr.l[dyn("a")]"#, "unsupported index type"),
        ("R.attr.l[dyn([1])]", "cannot be an index"),
        ("R.attr.l[dyn(P)]", "cerbos.engine.v1.Request.Principal cannot be an index"),
        ("R.attr.m.c", "no such key: c"),
        (r#"[1, 2].transformMapEntry(i, v, {"a": i})"#, "key already exists"),
        ("[dyn(1), dyn(1u)].transformMapEntry(i, v, {v: i})", "key already exists"),
        ("[dyn(1), dyn(1.0)].transformMapEntry(i, v, {v: i})", "key already exists"),
    ]);
}

#[test]
fn what_is_there() {
    hold(&[
        "has(request.principal) && has(request.resource) && has(request.aux_data) && has(request.aux_data.jwt) && !has(request.aux_data.jwts)",
        "has(P.id) && has(P.roles) && !has(P.attr) && !has(P.scope) && !has(P.policyVersion)",
        "has(R.kind) && has(R.attr) && !has(R.id) && !has(R.scope)",
        "has(runtime.effectiveDerivedRoles)",
        // The same of a value that is handed on.
        "[P].all(p, has(p.id) && has(p.roles) && !has(p.attr) && !has(p.scope)) && [R].all(r, has(r.attr) && !has(r.scope))",
        "[request].all(q, has(q.principal) && has(q.resource) && has(q.aux_data) && has(q.aux_data.jwt) && !has(q.aux_data.jwts))",
        "has(R.attr.m.a) && !has(R.attr.m.c) && !has(R.attr.s.x) && !has(R.attr.n.x)",
        r#"has({"a": 1}.a) && optional.of({"a": 1}).hasValue() && has(optional.of({"a": 1}).a)"#,
        r#"R.attr.?m.?a.orValue(0.0) == 1.0 && R.attr.?x.orValue("d") == "d""#,
    ]);
    fail(&[
        ("has(R.attr.l.x)", "unsupported index type 'string' in list"),
        (r#"has(dyn(hierarchy("a.b")).x)"#, "unsupported index type"),
    ]);
}

/// The bytes that an expression builds: the least of a budget that lets it pass.
fn bytes(source: &str) -> u64 {
    let passes = |bytes: u64| match eval(source, &mut Budget::new(1 << 40, bytes)) {
        Err(EvalError::Exhausted(Limit::Size)) => false,
        Ok(_) => true,
        other => panic!("{source}: {other:?}"),
    };
    let (mut low, mut high) = (0, 1 << 20);
    while low < high {
        let middle = u64::midpoint(low, high);
        if passes(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

#[test]
fn what_is_built_costs_its_size() {
    let value = size_of::<Value>() as u64;
    for (source, wanted) in [
        ("R.attr.n", 0),
        ("R.attr.s + R.attr.s", 10),
        ("bytes(R.attr.s) + b\"xyz\"", 5 + 8),
        ("[R.attr.n, 2]", 2 * value),
        ("{\"a\": R.attr.n}", 2 * value),
        ("{\"a\": R.attr.n, \"b\": 2, \"c\": 3}", 6 * value),
        ("R.attr.l + R.attr.l", 6 * value),
        ("R.attr.l + R.attr.e", 0),
        ("R.attr.e + R.attr.l", 0),
        ("R.attr.l.filter(x, x > 1.0)", 2 * value),
        ("R.attr.l.map(x, x)", 3 * value),
        ("R.attr.l.transformMap(i, v, v)", 6 * value),
        ("R.attr.l.transformMapEntry(i, v, R.attr.m.a == 2.0 ? {1: 1} : {v: i})", 12 * value),
        ("R.attr.l.sortBy(x, x)", 6 * value),
        ("[R.attr.n].transformMapEntry(i, v, {v: i, \"k\": 1})", 9 * value),
        ("R.attr.l.all(x, x > 0.0)", 0),
    ] {
        assert_eq!(bytes(source), wanted, "{source}");
    }
}

/// The steps that an expression takes.
fn steps(source: &str) -> u64 {
    let mut budget = Budget::default();
    eval(source, &mut budget).unwrap();
    Budget::STEPS - budget.steps_left()
}

#[test]
fn what_is_walked_costs_its_length() {
    let value = size_of::<Value>() as u64;
    for (source, than, more) in [
        // Text is walked only if it can be the same, 32 bytes a step.
        ("R.attr.long == R.attr.long", "R.attr.s == R.attr.s", 10),
        ("R.attr.long == R.attr.s", "R.attr.s == R.attr.s", 0),
        ("R.attr.long < R.attr.long", "R.attr.s < R.attr.s", 10),
        ("R.attr.long < R.attr.s", "R.attr.s < R.attr.s", 0),
        // One step of `==` is its own.
        ("bytes(R.attr.long) == bytes(R.attr.long)", "bytes(R.attr.long) < bytes(R.attr.long)", 1),
        ("R.attr.long + R.attr.long", "R.attr.s + R.attr.s", 20),
        ("R.attr.s + R.attr.s", "R.attr.n + R.attr.n", 2),
        ("R.attr.l == R.attr.l", "R.attr.e == R.attr.e", 3),
        ("R.attr.m == R.attr.m", "R.attr.e == R.attr.e", 2),
        ("3.0 in R.attr.l", "1.0 in R.attr.l", 2),
        ("\"a\" in R.attr.m", "\"c\" in R.attr.m", 0),
        ("R.attr.l.sortBy(x, x)", "R.attr.l.map(x, x)", 2 + 3 * value / 32 + 3 * 2),
    ] {
        assert_eq!(steps(source), steps(than) + more, "{source}");
    }
}

#[test]
fn a_spent_budget_says_what_to_do() {
    let said = |mut budget: Budget| eval("R.attr.l + R.attr.l", &mut budget).unwrap_err().to_string();
    assert!(said(Budget::new(1, 1 << 20)).contains("shorten the lists"));
    assert!(said(Budget::new(1 << 20, 1)).contains("build smaller strings and lists"));
}

/// A request that has nothing in it.
#[test]
fn what_is_not_set_is_empty() {
    let nothing =
        Activation::new(Principal::default(), Resource::default(), Timestamp::new(0, 0, 0).unwrap());
    for source in [
        "!has(P.roles) && !has(P.id) && !has(R.kind) && !has(request.aux_data) && has(request.principal)",
        "[P].all(p, p.roles == [] && p.attr == {} && p.id == \"\")",
        "[request].all(q, q.aux_data.jwt == {} && !has(q.aux_data))",
        "[R].all(r, r.attr == {} && r.scope == \"\")",
    ] {
        let found = Program::parse(source).unwrap().eval(&nothing, &mut Budget::default());
        assert!(matches!(found, Ok(Value::Bool(true))), "{source}: {found:?}");
    }
}

#[test]
fn keys_have_an_order() {
    assert!(Key::Int(1) < Key::Int(2) && Key::Bool(true) < Key::Int(0) && Key::Int(9) < Key::Uint(0));
    assert!(Key::Uint(9) < Key::Double(0.0) && Key::Double(9.0) < Key::String("".into()));
}
