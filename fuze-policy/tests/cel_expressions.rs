//! The expression that lowering, lint and proofs walk: names resolved, constants computed, patterns compiled.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use fuze_policy::cel::{Expr, Kind, Program, Root, Value};

fn parse(source: &str) -> Program {
    Program::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"))
}

fn paths(source: &str) -> Vec<(Root, String)> {
    let program = parse(source);
    let mut found = Vec::new();
    program.expr().visit(&mut |expr: &Expr| {
        if let Kind::Path(path) = &expr.kind {
            found.push((path.root, path.keys.join(".")));
        }
    });
    found
}

#[test]
fn both_ways_to_name_a_field_are_one_path() {
    for (a, b) in [
        ("P.attr.a.b", "request.principal.attr.a.b"),
        ("R.policyVersion", "request.resource.policy_version"),
        ("V.x", "variables.x"),
        ("C.x.y", "constants.x.y"),
        ("G.x", "globals.x"),
        ("request.auxData.jwt.iss", "request.aux_data.jwt.iss"),
        ("runtime.effectiveDerivedRoles", "runtime.effective_derived_roles"),
        ("P.attr.`a-b`", "request.principal.attr.`a-b`"),
    ] {
        assert_eq!(paths(a), paths(b), "{a}");
        assert_eq!(paths(a).len(), 1, "{a}");
    }
    assert_eq!(paths("P.attr.a.b"), [(Root::PrincipalAttr, "a.b".to_owned())]);
    assert_eq!(paths("P"), [(Root::Principal, String::new())]);
}

#[test]
fn every_part_is_visited() {
    let source = "has(R.attr.a.x) && R.attr.b[R.attr.c] == (R.attr.d ? [R.attr.e] : [{R.attr.f: R.attr.g}])
        && R.attr.h.exists(x, x == R.attr.i) || R.attr.j.map(x, R.attr.k == x, R.attr.l).size() > size(R.attr.m)
        && !(cel.bind(y, R.attr.n, y == -R.attr.o)) && R.attr.?p.optMap(z, z == R.attr.q).orValue(R.attr.r)
        && R.attr.s.matches('a') && R.attr.t.lowerAscii() in R.attr.u";
    let keys: String =
        paths(source).into_iter().map(|(_, keys)| keys.split('.').next().unwrap().to_owned()).collect();
    let mut sorted: Vec<char> = keys.chars().collect();
    sorted.sort_unstable();
    // `R.attr.?p` is a selection from `R.attr`, which has no key.
    assert_eq!(sorted.into_iter().collect::<String>(), "abcdefghijklmnoqrstu");
}

#[test]
fn variables_of_macros_hide_what_is_outside() {
    assert_eq!(paths("[1].all(P, P == 1)"), []);
    assert_eq!(paths("[1].all(x, .P.id == 'a')"), [(Root::PrincipalId, String::new())]);
    let program = parse("R.attr.l.all(a, R.attr.m.all(b, a == b))");
    let mut slots = Vec::new();
    program.expr().visit(&mut |expr: &Expr| {
        if let Kind::Local(slot) = expr.kind {
            slots.push(slot);
        }
    });
    assert_eq!(slots, [0, 1]);
}

#[test]
fn what_depends_on_nothing_is_computed_once() {
    for source in [
        "['a', 'b']",
        "{'a': [1, 2u]}",
        "duration('1h30m')",
        "hierarchy('a.b')",
        "cidr('10.0.0.0/8')",
        "timestamp('2026-01-01T00:00:00Z')",
    ] {
        assert!(matches!(parse(source).expr().kind, Kind::Literal(_)), "{source}");
    }
    // As long as a constant may be, and longer: that is computed when it is asked for.
    let long = |length: usize| {
        matches!(parse(&format!("hierarchy('{}')", "a".repeat(length))).expr().kind, Kind::Literal(_))
    };
    assert!(long(4_000) && !long(5_000));
    for source in ["now()", "[P.id]", "int('x')", "[?optional.of(1)]", "lists.range(1000000)", "{'a': 1 / 0}"]
    {
        assert!(!matches!(parse(source).expr().kind, Kind::Literal(_)), "{source}");
    }
}

#[test]
fn ends_of_lines_in_text_are_one_character() {
    for source in ["'''a\r\nb\rc'''", "r'''a\r\nb\rc'''"] {
        match &parse(source).expr().kind {
            Kind::Literal(Value::String(text)) => assert_eq!(&**text, "a\nb\nc"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn constant_patterns_are_compiled_once() {
    for source in ["P.id.matches('^a.*$')", "matches(P.id, '^a.*$')", "P.id.matches(r'^a' + '$')"] {
        let program = parse(source);
        match &program.expr().kind {
            Kind::Matches(_, pattern) => {
                assert_eq!(pattern.source(), "^a.*$");
                assert!(pattern.is_match("ab") && !pattern.is_match("ba"));
            }
            Kind::Call(function, _) => assert_eq!((function.name(), source.contains('+')), ("matches", true)),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn spans_are_the_text_of_each_part() {
    let source = "R.attr.a == 'é' &&\n  (R.attr.b + 1.5) in [ P.attr.x ]";
    let program = parse(source);
    let text = |expr: &Expr| source.get(expr.span.start as usize..expr.span.end as usize).unwrap().to_owned();
    let mut found = Vec::new();
    program.expr().visit(&mut |expr| found.push(text(expr)));
    assert_eq!(found.first().map(String::as_str), Some(source));
    for part in ["R.attr.a == 'é'", "R.attr.a", "'é'", "R.attr.b + 1.5)", "1.5", "[ P.attr.x ]", "P.attr.x"]
    {
        assert!(
            found.iter().any(|text| text == part || text == part.trim_end_matches(')')),
            "{part} in {found:?}"
        );
    }
}

#[test]
fn values_of_json_have_doubles_only() {
    let value = Value::from(serde_json::json!({ "a": [1, 2.5, 9_007_199_254_740_993_u64] }));
    let Value::Map(map) = value else { panic!("no map") };
    let Some(Value::List(items)) = map.get_str("a") else { panic!("no list") };
    let doubles = items.iter().map(|item| match item {
        Value::Double(d) => *d,
        other => panic!("{other:?}"),
    });
    assert_eq!(doubles.collect::<Vec<_>>(), [1.0, 2.5, 9_007_199_254_740_992.0]);
}
