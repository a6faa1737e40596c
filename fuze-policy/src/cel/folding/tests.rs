use std::sync::Arc;

use super::super::{Activation, Budget, Principal, Program, Resource, Timestamp, Value};

/// The answer with attributes of which `x` is none, as JSON.
fn answer(source: &str) -> Result<String, String> {
    let attributes = [("s", Value::from("str")), ("t", Value::Bool(true)), ("n", Value::Double(1.0))];
    let list = Value::List(Arc::from([Value::Double(1.0), Value::from("a")]));
    let attr = attributes.into_iter().chain([("l", list)]).collect();
    let resource = Resource { attr: Arc::new(attr), ..Resource::default() };
    let now = Timestamp::new(1_780_000_000, 0, 0).unwrap();
    let activation = Activation::new(Principal::default(), resource, now);
    let value = Program::parse(source).unwrap().eval(&activation, &mut Budget::default());
    value.and_then(|value| value.to_json()).map(|json| json.to_string()).map_err(|error| error.to_string())
}

/// Each as a Cerbos 0.55 server answers it in a rule's output.
#[test]
fn who_looks_into_constants_looks_at_nothing_else() {
    for source in [
        "R.attr.x in []",
        "R.attr.x in dyn([])",
        "R.attr.x in ([] + [])",
        "R.attr.x in [].map(x, x)",
        "R.attr.x in [?optional.none()]",
        "R.attr.x in lists.range(0)",
        "R.attr.l.exists(i, i in [])",
        "!(1 in [1, R.attr.x])",
        "R.attr.x in [] && now() > timestamp('2021-04-20T10:05:20.021-05:00')",
        "R.attr.x in [].map(x, R.attr.x)",
        "R.attr.x in [].map(x, x).map(x, R.attr.x)",
        "R.attr.x in [].map(x, R.attr.x).map(y, y)",
        "R.attr.x in [].filter(x, R.id == '1')",
        "R.attr.x in [].sortBy(e, R.attr.x)",
        "R.attr.x in {}.transformList(k, v, R.attr.x)",
        "R.attr.x in cel.bind(a, [], a)",
        "R.attr.x in [1].filter(y, y > 1 && R.attr.x)",
        "R.attr.l.exists(i, R.attr.x in [].map(y, i))",
        "R.attr.x in (true ? [].map(x, R.attr.x) : [1])",
        "R.attr.x in (true ? [] : [1])",
        "R.attr.x in (1 == 2 ? [1] : [])",
    ] {
        assert_eq!(answer(source), Ok("false".to_owned()), "{source}");
    }
    for source in [
        "1 in [1, R.attr.x]",
        "1 in [1.0, R.attr.x]",
        "1 in [R.attr.x, 1u]",
        "dyn(1) in [R.attr.x, dyn(1)]",
        "(1 + 0) in [R.attr.x, 2 - 1]",
        "'a' in ['b', R.attr.x, 'a']",
        "null in [R.attr.x, null]",
        "b'a' in [R.attr.x, b'a']",
        "duration('1s') in [R.attr.x, duration('1s')]",
        "hierarchy('a') in [hierarchy('a'), hierarchy(R.attr.x)]",
        "optional.of(1) in [R.attr.x, optional.of(1)]",
        "1 in (true ? [1, R.attr.x] : [])",
        "1 in (false ? [] : [1, R.attr.x])",
        "R.attr.l.all(e, 1 in [R.attr.x, 1])",
    ] {
        assert_eq!(answer(source), Ok("true".to_owned()), "{source}");
    }
    let long = "a".repeat(2_000);
    assert_eq!(answer(&format!("('{long}' + 'b') in [R.attr.x, '{long}b']")), Ok("true".to_owned()));
    assert_eq!(answer("R.attr.l.map(i, R.attr.x in [])"), Ok("[false,false]".to_owned()));
}

#[test]
fn all_else_is_looked_at() {
    for source in [
        "R.attr.x in {}",
        "R.attr.x in [].map(x, R.attr.x) + []",
        "R.attr.l.all(i, R.attr.x in [].map(x, i) + [])",
        "R.attr.x in [1].filter(y, has(R.attr.x))",
        "R.attr.x in [1].map(y, R.attr.s)",
        "R.attr.x in [1, 2]",
        "'a' in [R.attr.x, 'b']",
        "[1] in [[1], R.attr.x]",
        "1 in [?optional.of(1), R.attr.x]",
        "1 in [1, R.attr.x].map(y, y)",
        "1 in dyn([1, R.attr.x])",
        "1 in [1, R.attr.x] + []",
        "0.0/0.0 in [R.attr.x, 0.0/0.0]",
        "'a' in {'a': R.attr.x}",
        "R.attr.s in ['str', R.attr.x]",
        "type(1) in [R.attr.x, int]",
        "1 in (R.attr.t ? [1, R.attr.x] : [])",
        "cel.bind(a, [], R.attr.x in a)",
        "[R.attr.x in [].map(x, x), now() > timestamp('2021-04-20T10:05:20.021-05:00')]",
        "[1 in [1, R.attr.x], now() > timestamp('2021-04-20T10:05:20.021-05:00')]",
    ] {
        assert_eq!(answer(source), Err("no such key: x".to_owned()), "{source}");
    }
}

/// What stands in a macro may look at the variables around it, whatever their numbers.
#[test]
fn variables_around_a_constant_are_none_of_its_own() {
    assert_eq!(answer("[1, 2].map(a, a in [2].filter(b, a == 2))"), Ok("[false,true]".to_owned()));
    assert_eq!(answer("[1, 2].map(a, R.attr.n in [1].filter(b, b == 2))"), Ok("[false,false]".to_owned()));
    assert_eq!(answer("[1].map(a, R.attr.x in [1].filter(b, b == 2))"), Ok("[false]".to_owned()));
}

/// Each fails as a whole in a Cerbos 0.55 server, where `R.attr.n` is 1.
#[test]
fn a_conversion_that_always_fails_is_told() {
    let told = |source: &str| Program::parse(source).unwrap().misread(source).map(|error| error.column);
    for part in [
        "int('x') > 1",
        "int('x' + 'y') > 1",
        "int([1].size() == 1 ? 'x' : '1') > 1",
        "int([].map(x, 1) == [] ? 'x' : '1') > 1",
        "int(['x'][0]) > 1",
        "int(1e300) > 1",
        "int(null) > 1",
        "int(dyn(true)) == 1",
        "uint(0 - 1) > 1u",
        "bool('x')",
        "bool(dyn(1))",
        "double('1e999') > 1.0",
        "bytes(dyn(1)) == b''",
        "string(b'\\xff') == ''",
        "string(dyn([1])) == ''",
        "duration(string('x')) > duration('1s')",
        "timestamp(string('x')) > timestamp('2021-05-01T00:00:00Z')",
        "R.attr.s.matches(string('(a'))",
    ] {
        let source = format!("R.attr.n == 1 || {part}");
        assert_eq!(told(&source), Some(18), "{source}");
    }
    for source in [
        "[1, 2].all(x, timestamp(string('1')) > timestamp('2021-05-01T00:00:00Z'))",
        "R.attr.l.exists(x, x == 1 && [1].exists(y, int('x') == y))",
        "R.attr.s in [1, int('x')]",
        "has({'a': int('x')}.a)",
        "dyn(string(b'\\xff')) == ''",
        "int('x') > now().getSeconds()",
        // Cerbos leaves these out, since a constant decides; nobody means to write them.
        "int('0x10') == 16 || true",
        "true ? R.attr.ok : int('0x10') == 16",
    ] {
        assert!(told(source).is_some(), "{source}");
    }
    for (source, part) in [
        ("R.attr.ok || int('0x10') == 16", "`int('0x10')` cannot be computed"),
        (
            "R.attr.ok || R.attr.s.matches(string('(a'))",
            "`R.attr.s.matches(string('(a'))` cannot be computed",
        ),
        ("R.attr.ok || R.attr.x[b'a'] == 1", "`b'a'` cannot be computed"),
    ] {
        let message = Program::parse(source).unwrap().misread(source).unwrap().message;
        assert!(message.starts_with(part), "{source}: {message}");
    }
    for source in [
        "R.attr.n == 1 || int(R.attr.s) > 1",
        "R.attr.n == 1 || int(R.attr.s + 'y') > 1",
        "R.attr.n == 1 || int('1') > 1",
        "R.attr.n == 1 || 1 / 0 > 1",
        "R.attr.n == 1 || [1][3] > 1",
        "R.attr.n == 1 || int([].map(x, now()) == [] ? 'x' : '1') > 1",
        "R.attr.n == 1 || ['x'].exists(x, int(x) > 1)",
        "R.attr.n == 1 || [1, 2].exists(x, int('x' + string(x)) > x)",
        "R.attr.n == 1 || cel.bind(x, 'x', int(x) > 1)",
        "R.attr.n == 1 || base64.decode(string('?')) == b''",
    ] {
        assert_eq!(told(source), None, "{source}");
    }
}

/// A Cerbos 0.55 server does not start with a variable that is one of the first.
#[test]
fn an_index_that_is_none_is_told() {
    let told = |source: &str| Program::parse(source).unwrap().misread(source).map(|error| error.column);
    for (source, column) in [
        ("R.attr.x[null] == 1", 10),
        ("R.attr.x[?null].hasValue()", 11),
        ("R.attr.x[b'a'] == 1", 10),
        ("R.attr.x[duration('1s')] == 1", 10),
        ("R.attr.x[timestamp('2024-01-01T00:00:00Z')] == 1", 10),
        ("R.attr.x[[1]] == 1", 10),
        ("R.attr.x[{}] == 1", 10),
        ("R.attr.x[int] == 1", 10),
        ("R.attr.x[dyn(null)] == 1", 10),
        ("R.attr.x[true ? b'a' : b'b'] == 1", 10),
        ("now() > now() || R.attr.x[duration('1s')] == 1", 27),
        ("{null: 1}[null] == 1", 11),
        ("[1].exists(k, R.attr.x[null] == k)", 24),
        ("has(R.attr.x[null].y)", 14),
    ] {
        assert_eq!(told(source), Some(column), "{source}");
    }
    for source in [
        "R.attr.x[[1][0]] == 1",
        "R.attr.x[1.5] == 1",
        "R.attr.x['a' + 'b'] == 1",
        "R.attr.x[true] == 1",
        "R.attr.x[1u] == 1",
        "R.attr.x[R.attr.n] == 1",
        "[null].exists(k, R.attr.x[k] == 1)",
        "cel.bind(k, null, R.attr.x[k] == 1)",
        "R.attr.x[optional.none()] == 1",
        "R.attr.x[hierarchy('a')] == 1",
    ] {
        assert_eq!(told(source), None, "{source}");
    }
}

#[test]
fn macros_of_which_cerbos_makes_null_are_told() {
    let told = |source: &str| Program::parse(source).unwrap().misread(source).map(|error| error.column);
    for (source, column) in [
        ("[1].all(e, true)", 1),
        ("[1, 2].exists(e, false)", 1),
        ("{1: 'a'}.filter(e, false)", 1),
        ("[1].map(e, false, 2)", 1),
        ("R.attr.t == lists.range(2).all(e, true)", 13),
        ("[size(R.id), [1].all(e, true)]", 14),
        ("[[1].all(e, e == 1), [2].all(e, true)]", 22),
        ("[1].all(e, true || R.attr.x)", 1),
        ("[1].exists(e, false && R.attr.x)", 1),
        ("[1].all(e, 1 in [1, R.attr.x])", 1),
        ("[1, 2].filter(x, x > 1).all(e, true)", 1),
    ] {
        assert_eq!(told(source), Some(column), "{source}");
    }
    for source in [
        "[].all(e, true)",
        "{}.all(e, true)",
        "[R.attr.n].all(e, true)",
        "R.attr.l.all(e, true)",
        "[1].all(e, false)",
        "[1].exists(e, true)",
        "[1].filter(e, true)",
        "[1].map(e, true, 2)",
        "[1].map(e, false)",
        "[1].exists_one(e, false)",
        "[1].all(e, e == 1)",
        "[1].all(e, e == 1 && true)",
        "[1].all(e, false || R.attr.t)",
        "[1].exists(e, R.attr.t && true)",
        "[1].all(e, !false)",
        "[1].all(e, true && true)",
        "[1].exists(e, false || false)",
        "[1].all(e, [1].all(f, true))",
        "[1].filter(e, false).all(f, f == 1)",
        "[1].exists(i, v, false)",
        "[1, 2].transformList(i, v, false, v)",
        "[1].all(e, true) == (now() == now())",
    ] {
        assert_eq!(told(source), None, "{source}");
    }
}
