//! Functions on each kind of argument that they take, at the edges of what they take.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::cel::{Activation, Budget, Principal, Program, Resource, Timestamp, Value};

fn eval(source: &str) -> Result<Value, String> {
    let activation =
        Activation::new(Principal::default(), Resource::default(), Timestamp::new(0, 0, 0).unwrap());
    let program = Program::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    program.eval(&activation, &mut Budget::default()).map_err(|error| error.to_string())
}

#[track_caller]
fn hold(sources: &[&str]) {
    for source in sources {
        let found = eval(source);
        assert!(matches!(found, Ok(Value::Bool(true))), "{source}: {found:?}");
    }
}

#[track_caller]
fn fail(cases: &[(&str, &str)]) {
    for (source, said) in cases {
        let error = eval(source).unwrap_err();
        assert!(error.contains(said), "{source}: {error}");
    }
}

#[test]
fn conversions() {
    hold(&[
        r#"bool(true) && !bool(false) && bool("true") && bool("1") && !bool("false") && !bool("0") && !bool("F")"#,
        r#"double(1.5) == 1.5 && double(1) == 1.0 && double(1u) == 1.0 && double("1.5") == 1.5"#,
        r#"int(1) == 1 && int(1u) == 1 && int(1.9) == 1 && int(-1.9) == -1 && int("12") == 12"#,
        r#"int(duration("1s")) == 1000000000 && int(timestamp("1970-01-01T00:00:01Z")) == 1"#,
        r#"uint(1u) == 1u && uint(1) == 1u && uint(1.9) == 1u && uint(0.0) == 0u && uint("12") == 12u"#,
        r#"duration(duration("1s")) == duration("1s") && timestamp(timestamp("2021-01-01T00:00:00Z")) == timestamp("2021-01-01T00:00:00Z")"#,
        r#"string("a") == "a" && string(b"a") == "a" && string(1) == "1" && string(1u) == "1" && string(1.5) == "1.5" && string(true) == "true""#,
    ]);
    fail(&[
        (r#"bool("yes")"#, "type conversion error"),
        ("int(9223372036854775808.0)", "integer overflow"),
        ("int(-9223372036854775808.0)", "integer overflow"),
        ("int(9223372036854775808u)", "integer overflow"),
        (r#"int("1.5")"#, "type conversion error"),
        ("uint(-1)", "unsigned integer overflow"),
        ("uint(-0.5)", "unsigned integer overflow"),
        ("uint(18446744073709551616.0)", "unsigned integer overflow"),
        (r#"uint("+1")"#, "type conversion error"),
        (r#"uint("x")"#, "type conversion error"),
        (r#"double("x")"#, "type conversion error"),
        ("bool(dyn(1))", "no such overload"),
        ("double(dyn(true))", "no such overload"),
        ("int(dyn(true))", "no such overload"),
        ("uint(dyn(true))", "no such overload"),
    ]);
}

#[test]
fn hierarchies() {
    hold(&[
        r#"hierarchy("a.b") == hierarchy(["a", "b"]) && hierarchy("a/b", "/") == hierarchy("a.b")"#,
        r#"hierarchy("a").immediateParentOf(hierarchy("a.b")) && !hierarchy("a").immediateParentOf(hierarchy("a.b.c"))"#,
        r#"!hierarchy("a").immediateParentOf(hierarchy("b.c")) && hierarchy("a.b").immediateChildOf(hierarchy("a"))"#,
        r#"hierarchy("a.b").siblingOf(hierarchy("a.c")) && !hierarchy("a.b").siblingOf(hierarchy("b.c")) && !hierarchy("a.b").siblingOf(hierarchy("a"))"#,
        r#"hierarchy("a").ancestorOf(hierarchy("a.b.c")) && !hierarchy("a").ancestorOf(hierarchy("a")) && hierarchy("a.b").descendentOf(hierarchy("a"))"#,
        r#"hierarchy("a.b.c").commonAncestors(hierarchy("a.b.d")) == hierarchy("a.b") && hierarchy("a.b").commonAncestors(hierarchy("a.b")) == hierarchy("a")"#,
    ]);
}

#[test]
fn lists() {
    hold(&[
        "[[1], [[2]]].flatten() == [1, [2]] && [[1], [[2]]].flatten(2) == [1, 2] && [[1]].flatten(0) == [[1]]",
        "lists.range(0) == [] && lists.range(3) == [0, 1, 2]",
    ]);
    fail(&[("[[1]].flatten(-1)", "non-negative"), ("lists.range(-1)", "non-negative")]);
}

#[test]
fn formats_of_unsigned_integers() {
    hold(&[
        r#""%d %b %o %x %X %s".format([10u, 10u, 10u, 10u, 10u, 10u]) == "10 1010 12 a A 10""#,
        r#""%d %b %o %x".format([-10, -10, -10, -10]) == "-10 -1010 -12 -a""#,
        r#""%d %b".format([0, 0]) == "0 0""#,
        r#"math.sign(double("NaN")) != 0.0 && math.sqrt(dyn(9u)) == 3.0"#,
    ]);
}
