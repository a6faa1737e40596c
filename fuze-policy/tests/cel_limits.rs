//! Nothing in a policy or an argument makes reading or evaluating an expression fail hard, take long or build much.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "helpers of tests"
)]

use std::sync::Arc;

use fuze_policy::cel::{
    Activation, Budget, EvalError, Limit, Principal, Program, Resource, Timestamp, Value,
};
use proptest::prelude::*;

fn activation(attributes: &serde_json::Value) -> Activation {
    let attr = match Value::from(attributes.clone()) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    };
    let resource = Resource { attr, ..Resource::default() };
    let principal =
        Principal { id: "ana".into(), roles: Arc::from([Value::from("user")]), ..Principal::default() };
    Activation::new(principal, resource, Timestamp::new(1_780_000_000, 0, 0).unwrap())
}

fn eval(source: &str, attributes: &serde_json::Value) -> Result<Value, EvalError> {
    let program = Program::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    program.eval(&activation(attributes), &mut Budget::default())
}

fn check_exhausted(source: &str, attributes: &serde_json::Value) {
    match eval(source, attributes) {
        Err(EvalError::Exhausted(Limit::Steps | Limit::Size)) => {}
        other => panic!("{source}: {other:?}"),
    }
}

fn numbers(count: u32) -> serde_json::Value {
    serde_json::json!({ "list": (0..count).collect::<Vec<_>>() })
}

#[test]
fn nested_macros_run_out_of_steps() {
    let three = "R.attr.list.all(a, R.attr.list.all(b, R.attr.list.all(c, a + b + c >= 0.0)))";
    check_exhausted(three, &numbers(1_000));
    assert!(matches!(eval(three, &numbers(10)), Ok(Value::Bool(true))));
}

#[test]
fn a_spent_budget_is_not_absorbed() {
    let costly = "R.attr.list.all(a, R.attr.list.all(b, R.attr.list.all(c, a + b + c >= 0.0)))";
    for source in [
        format!("true || {costly}"),
        format!("{costly} || true"),
        format!("[1].exists(x, {costly} || x == 1)"),
        format!("cel.bind(x, {costly}, true)"),
        format!("optional.of(1).orValue({costly} ? 1 : 2) == 1"),
    ] {
        let decided_before = source.starts_with("true ||") || source.starts_with("optional");
        match eval(&source, &numbers(1_000)) {
            Ok(Value::Bool(true)) if decided_before => {}
            Err(EvalError::Exhausted(Limit::Steps)) if !decided_before => {}
            other => panic!("{source}: {other:?}"),
        }
    }
}

/// What is too large leaves steps over, with which a neighbour could go on.
#[test]
fn what_grew_too_large_is_not_absorbed() {
    let long = serde_json::json!({ "s": "a".repeat(10_000) });
    let large = "R.attr.s.replace('a', R.attr.s)";
    for source in [
        format!("{large} == '' || true"),
        format!("!({large} == '' && false)"),
        format!("[1, 2].exists(x, (x == 1 ? {large} : '') == '')"),
        format!("![1, 2].all(x, (x == 1 ? {large} : 'a') == '')"),
        format!("cel.bind(x, {large}, true)"),
    ] {
        check_exhausted(&source, &long);
    }
}

#[test]
fn each_expression_and_each_turn_is_a_step() {
    let spent = |source: &str, attributes: &serde_json::Value| {
        let mut budget = Budget::default();
        Program::parse(source).unwrap().eval(&activation(attributes), &mut budget).unwrap();
        Budget::STEPS - budget.steps_left()
    };
    let hundred = numbers(100);
    // Two paths, what compares them, and the comparison of the values.
    assert_eq!(spent("P.id == P.id", &hundred), 4);
    // The macro, the list, and for each element a turn and its body.
    assert_eq!(spent("R.attr.list.all(x, true)", &hundred), 202);
    assert!(spent("R.attr.list.exists(x, x == 0.0)", &hundred) < 20, "exists goes on after it is decided");
    assert!(spent("R.attr.list.all(x, x != 0.0)", &hundred) < 20, "all goes on after it is decided");
    let texts = serde_json::json!({ "s": "a".repeat(8_000) });
    let small = spent("R.attr.s.matches('^a')", &texts);
    let large = spent("R.attr.s.matches('^(a|b){100}.{100}')", &texts);
    assert!(small < 2_000 && large > 10 * small, "{small} and {large} steps");
}

#[test]
fn one_budget_serves_several_expressions() {
    let program = Program::parse("R.attr.list.all(a, a >= 0.0)").unwrap();
    let activation = activation(&numbers(100));
    let mut budget = Budget::new(1_000, 1_000);
    assert!(program.eval(&activation, &mut budget).is_ok());
    let left = budget.steps_left();
    assert!(left < 1_000, "{left} steps are left");
    let spent = (0..10).find_map(|_| program.eval(&activation, &mut budget).err());
    assert_eq!(spent, Some(EvalError::Exhausted(Limit::Steps)));
}

#[test]
fn text_that_doubles_runs_out_of_size() {
    let mut source = "s.size() > 0".to_owned();
    for _ in 0..60 {
        source = format!("cel.bind(s, s + s, {source})");
    }
    check_exhausted(&format!("cel.bind(s, R.attr.s, {source})"), &serde_json::json!({ "s": "x" }));
}

#[test]
fn lists_that_double_cost_their_elements() {
    let doubling = |last: &str| {
        let mut source = last.to_owned();
        for _ in 0..60 {
            source = format!("cel.bind(s, [s, s], {source})");
        }
        format!("cel.bind(s, [R.attr.s], {source})")
    };
    let attributes = serde_json::json!({ "s": "x" });
    // Shared parts take no room, but whoever walks them walks each.
    check_exhausted(&doubling("s == s"), &attributes);
    check_exhausted(&doubling("s in [s]"), &attributes);
    check_exhausted(&doubling("s.flatten(100)"), &attributes);
    check_exhausted(&doubling("dyn('%s').format(s)"), &attributes);
    check_exhausted(&doubling("json.encode(s)"), &attributes);
    let whole = eval(&doubling("s"), &attributes).unwrap();
    assert!(matches!(whole.to_json(), Err(EvalError::Exhausted(_))));
}

#[test]
fn functions_that_multiply_run_out_before_they_build() {
    let long = serde_json::json!({ "s": "a".repeat(100_000), "n": 1e15 });
    check_exhausted("R.attr.s.replace('a', R.attr.s)", &long);
    check_exhausted("R.attr.s.replace('', R.attr.s)", &long);
    check_exhausted("regex.replace(R.attr.s, 'a', R.attr.s)", &long);
    check_exhausted("R.attr.s.split('').join(R.attr.s)", &long);
    check_exhausted("lists.range(int(R.attr.n))", &long);
}

#[test]
fn searches_cost_what_they_walk() {
    let long = serde_json::json!({ "list": vec!["a".repeat(10_000); 300] });
    check_exhausted("R.attr.list.all(x, R.attr.list.all(y, x == y))", &long);
    check_exhausted(
        "sets.intersects(R.attr.list.map(x, x + '1'), R.attr.list.map(x, x + '2 '))",
        &numbers_text(2_000),
    );
    check_exhausted("R.attr.list.all(x, R.attr.list.all(y, y.contains(x)))", &long);
    check_exhausted(
        "R.attr.list.all(x, R.attr.list.all(y, x.matches('^a*$') && y.matches('(a|aa)+$')))",
        &long,
    );
}

fn numbers_text(count: u32) -> serde_json::Value {
    serde_json::json!({ "list": (0..count).map(|n| n.to_string()).collect::<Vec<_>>() })
}

#[test]
fn hostile_patterns_are_refused_or_linear() {
    for pattern in
        ["(a{1000}){1000}", "((((a{100}){100}){100}){100})", "\\pL{1000}", "(?i)\\pL{500}\\pL{500}"]
    {
        let literal = format!("R.attr.s.matches(r'{pattern}')");
        assert!(Program::parse(&literal).is_err(), "{pattern} as a literal");
        let attributes = serde_json::json!({ "s": "a", "p": pattern });
        assert!(eval("R.attr.s.matches(R.attr.p)", &attributes).is_err(), "{pattern}");
    }
    // Of a pattern in an argument the budget pays for compiling, before.
    check_exhausted("'a'.matches(R.attr.p)", &serde_json::json!({ "p": r"\pL{100}" }));
    let nested = format!("{}a{}", "(".repeat(500), ")".repeat(500));
    assert!(Program::parse(&format!("R.attr.s.matches('{nested}')")).is_err());
    let long = serde_json::json!({ "s": "a".repeat(200_000), "p": "x".repeat(1_000_000) });
    assert!(matches!(eval("R.attr.s.matches('(a*)*(a*)*b')", &long), Ok(Value::Bool(false))));
    check_exhausted("R.attr.s.matches(R.attr.p)", &long);
    check_exhausted(
        "lists.range(1000).all(i, !R.attr.s.matches('a' + string(i)))",
        &serde_json::json!({ "s": "a" }),
    );
}

#[test]
fn names_of_time_zones_cost_their_look_up() {
    check_exhausted("lists.range(5000).all(i, now().getHours('Europe/Madrid') >= 0)", &serde_json::json!({}));
}

#[test]
fn hostile_globs_are_linear() {
    let attributes = serde_json::json!({ "s": "a".repeat(3_000), "p": format!("{}b", "a*".repeat(1_000)) });
    let result = eval("R.attr.s.pathMatch(R.attr.p)", &attributes);
    assert!(matches!(result, Ok(Value::Bool(false)) | Err(EvalError::Exhausted(Limit::Steps))), "{result:?}");
}

#[test]
fn what_is_too_large_is_refused_with_the_mend() {
    let deep =
        |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    for source in [
        deep("(", ")", 100_000),
        deep("[", "]", 10_000),
        deep("{1:", "}", 10_000),
        deep("f(", ")", 10_000),
        deep("1 + (", ")", 10_000),
        deep("true ? 1 : ", "", 10_000),
        deep("a[", "]", 10_000),
        format!("1{}", " + 1".repeat(10_000)),
        format!("a{}", ".a".repeat(10_000)),
        format!("a{}", ".f()".repeat(10_000)),
        format!("1{}", " < 1".repeat(10_000)),
    ] {
        let error = Program::parse(&source).expect_err("too deep");
        assert!(error.message.contains("divide it into variables"), "{}: {error}", source.get(..20).unwrap());
    }
    let error = Program::parse(&" ".repeat(100_001)).expect_err("too long");
    assert!(error.message.contains("longer than 100000 characters"), "{error}");
    // Wide is not deep.
    assert!(Program::parse(&format!("true{}", " && true".repeat(10_000))).is_ok());
    assert!(Program::parse(&format!("{}true", "!".repeat(50_000))).is_ok());
    assert!(Program::parse(&format!("[1{}]", ", 1".repeat(10_000))).is_ok());
}

/// Threads of tests have 2 MiB, as those of the runtime that will evaluate policies.
#[test]
fn what_is_accepted_can_be_evaluated_on_a_small_stack() {
    let wrap =
        |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    let shapes = [
        ("[", "]"),
        ("dyn(", ")"),
        ("{1: ", "}"),
        ("cel.bind(x, 1, ", ")"),
        ("[1].map(x, ", ")"),
        ("[1].transformMap(i, x, i == 0, ", ")"),
        ("[1, 2].sortBy(x, size(dyn([", "])))"),
        ("true ? 1 : ", ""),
        ("1 + ", ""),
        ("- 1 - (", ")"),
        ("optional.of(1).optMap(x, ", ")"),
        ("(", ")"),
        ("dyn([true]).all(x, x) && dyn(1) == ", ""),
    ];
    for (open, close) in shapes {
        // As deep as is accepted, whatever a repetition counts for.
        let accepted = (1..200).rev().find_map(|times| Program::parse(&wrap(open, close, times)).ok());
        let program = accepted.unwrap_or_else(|| panic!("{open} is never accepted"));
        let result = program.eval(&activation(&serde_json::json!({})), &mut Budget::default());
        assert!(!matches!(result, Err(EvalError::Failed(_))), "{open}: {result:?}");
        drop(program.clone());
    }
}

#[test]
fn types_do_not_grow_without_bound() {
    let mut source = "type(s) == map".to_owned();
    for _ in 0..90 {
        source = format!("cel.bind(s, {{s: s}}, {source})");
    }
    // With the checker walking 2⁹⁰ parts this would not end.
    assert!(Program::parse(&format!("cel.bind(s, 1, {source})")).is_ok());
    let many = format!("[[]{}]", ", [[]] + [[]]".repeat(3_000));
    assert!(Program::parse(&many).is_ok());
}

/// Parts of expressions, put together without regard to grammar.
fn soup() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "P",
        "R",
        "V",
        "request",
        ".attr",
        ".x",
        ".?y",
        "[",
        "]",
        "[?",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "in",
        "1",
        "-1",
        "2u",
        "3.5",
        "'a'",
        "b'\\xff'",
        "r'\\d'",
        "true",
        "null",
        "x",
        "dyn(",
        "size(",
        ".all(x, ",
        ".map(x, ",
        ".exists(i, v, ",
        "cel.bind(x, ",
        "has(",
        ".matches('a')",
        ".split('')",
        "timestamp(0)",
        "duration('1s')",
        "hierarchy('a.b')",
        "ip('::1')",
        "type(",
        "optional.of(",
        ".orValue(",
        ".sortBy(x, ",
        ".transformMap(k, v, ",
        "\"",
        "'",
        "\\",
        "//",
        "\n",
        "`a`",
        ".format([",
        "math.greatest(",
        "1e308",
        "9223372036854775807",
        "é",
        "😀",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.join(""))
}

/// Expressions that are well formed, over values of every kind.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "R.attr.a",
        "R.attr.list",
        "R.attr.map",
        "R.attr.text",
        "P.id",
        "P.roles",
        "1",
        "0",
        "-1",
        "2u",
        "1.5",
        "'é'",
        "''",
        "b'x'",
        "null",
        "true",
        "[]",
        "{}",
        "[1, 'a']",
        "{'a': 1, 2: 3}",
        "timestamp(0)",
        "duration('-1s')",
        "hierarchy('a.b')",
        "ip('1.2.3.4')",
        "cidr('10.0.0.0/8')",
        "spiffeID('spiffe://a/b')",
        "optional.none()",
        "optional.of(1)",
        "type(1)",
        "int",
        "double('nan')",
        "9223372036854775807",
        "now()",
        "P",
        "request",
    ]);
    let leaf = leaf.prop_map(|leaf| format!("dyn({leaf})"));
    leaf.prop_recursive(4, 24, 3, |inner| {
        let binary =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", "in", "&&", "||"]);
        let unary = prop::sample::select(vec![
            "!(#)",
            "-(#)",
            "size(#)",
            "string(#)",
            "int(#)",
            "uint(#)",
            "double(#)",
            "bytes(#)",
            "bool(#)",
            "type(#)",
            "timestamp(#)",
            "duration(#)",
            "(#).trim()",
            "(#).split('')",
            "(#).first()",
            "(#).reverse()",
            "(#).sort()",
            "(#).distinct()",
            "(#).flatten()",
            "(#).x",
            "(#).?x",
            "has((#).x)",
            "(#).all(x, x)",
            "(#).exists(x, x)",
            "(#).map(x, x)",
            "(#).filter(x, x)",
            "(#).exists_one(x, x)",
            "(#).all(k, v, v)",
            "(#).sortBy(x, x)",
            "(#).transformMap(k, v, v)",
            "(#).transformMapEntry(k, v, {k: v})",
            "(#).optMap(x, x)",
            "(#).value()",
            "json.encode(#)",
            "base64.encode(#)",
            "base64.decode(#)",
            "math.abs(#)",
            "math.round(#)",
            "lists.range(#)",
            "hierarchy(#)",
            "ip(#)",
            "cidr(#)",
            "(#).getHours()",
            "(#).getDayOfYear()",
            "basePath(#)",
            "dirPath(#)",
            "joinPath(#)",
            "spiffeID(#)",
            "spiffeMatchOneOf(#)",
            "(#).path()",
            "strings.quote(#)",
            "'%s %d'.format([#, #])",
            "cel.bind(x, #, x)",
            "regex.extractAll(#, #)",
            "(#).matches(#)",
            "optional.unwrap(#)",
            "id(#)",
        ]);
        let function = prop::sample::select(vec![
            "(#).contains(@)",
            "(#).indexOf(@)",
            "(#).substring(@)",
            "(#).charAt(@)",
            "(#).lastIndexOf('a', @)",
            "(#).replace(@, 'x')",
            "(#).join(@)",
            "(#)[@]",
            "(#)[?@]",
            "(#).orValue(@)",
            "(#).intersect(@)",
            "(#).except(@)",
            "(#).isSubset(@)",
            "sets.equivalent(#, @)",
            "(#).slice(0, @)",
            "(#).overlaps(@)",
            "(#).commonAncestors(@)",
            "(#).containsIP(@)",
            "(#).inIPAddrRange(@)",
            "(#).pathMatch(@)",
            "(#).pathHasPrefix(@)",
            "relPath(#, @)",
            "math.greatest(#, @)",
            "math.bitShiftLeft(#, @)",
            "(#).getHours(@)",
            "(#).format(@)",
            "[#, @]",
            "{#: @}",
            "(#) ? (@) : 1",
            "[?(#), @]",
            "regex.replace(#, @, 'a')",
            "(#).flatten(@)",
            "(#).isMemberOf(@)",
            "(#).matchesID(@)",
            "cel.bind(x, #, (@) == x)",
            "(#).split('a', @)",
        ]);
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (unary, inner.clone()).prop_map(|(shape, a)| shape.replace('#', &a)),
            (function, inner.clone(), inner)
                .prop_map(|(shape, a, b)| shape.replace('#', &a).replace('@', &b)),
        ]
    })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        prop::sample::select(vec![0.0, -0.0, 1.0, 9.3e18, -9.3e18, 1.9e19, 1e308])
            .prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
        prop::sample::select(vec![
            "2021-01-01T00:00:00Z",
            "1h",
            "10.0.0.0/8",
            "::1",
            "a.b",
            "[",
            "*",
            "%s",
            "UTC"
        ])
        .prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map("[a-c]|\\PC{0,3}", inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn reading_any_text_gives_an_answer_with_a_place(source in any::<String>()) {
        if let Err(error) = Program::parse(&source) {
            prop_assert!(error.line as usize <= source.lines().count().max(1) + 1);
            prop_assert!(error.column >= 1);
        }
    }

    #[test]
    fn reading_and_evaluating_parts_of_expressions_gives_an_answer(source in soup()) {
        if let Ok(program) = Program::parse(&source) {
            let _ = program.eval(&activation(&serde_json::json!({ "x": [1, "a"] })), &mut Budget::default());
        }
    }

    #[test]
    fn every_expression_evaluates_within_its_budget(
        source in expression(), a in json(), list in json(), map in json(), text in any::<String>()
    ) {
        let attributes = serde_json::json!({ "a": a, "list": list, "map": map, "text": text });
        let activation = activation(&attributes);
        if let Ok(program) = Program::parse(&source) {
            let first = program.eval(&activation, &mut Budget::new(20_000, 200_000));
            let again = program.eval(&activation, &mut Budget::new(20_000, 200_000));
            prop_assert_eq!(format!("{first:?}"), format!("{again:?}"));
            if let Ok(value) = first {
                let _ = value.to_json();
                let _ = value.into_variable();
            }
        }
    }
}
