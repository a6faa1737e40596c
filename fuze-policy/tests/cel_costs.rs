//! What functions count against the budget. A number that changes here changes which conditions are refused as too costly: it should be
//! meant.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::cel::{Activation, Budget, Principal, Program, Resource, Timestamp, Value};

/// Steps that remain of so many after an evaluation, with what is behind the names below.
fn steps(source: &str) -> u64 {
    let attributes = serde_json::json!({
        "s": "x".repeat(1_000), "t": "x".repeat(1_040), "a": "a,".repeat(100), "n": (0..100).collect::<Vec<_>>(),
        "l": vec!["some-text"; 100], "h": "a/".repeat(40), "long": format!("{}.b", "a".repeat(100)), "deep": [[["a"]], ["b"]],
        "zone": "Europe/Madrid", "id": "spiffe://td/a", "ids": vec!["spiffe://td/b"; 50], "p": "/a/b/c/d/e/f/g/h",
        "m": {"some key of a map": "some text", "b": [1, 2]}, "u": "é".repeat(70),
    });
    let Value::Map(attr) = Value::from(attributes) else { panic!("no map") };
    let resource = Resource { attr, ..Resource::default() };
    let activation = Activation::new(Principal::default(), resource, Timestamp::new(0, 0, 0).unwrap());
    let program = Program::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut budget = Budget::default();
    program.eval(&activation, &mut budget).unwrap_or_else(|error| panic!("{source}: {error}"));
    Budget::STEPS - budget.steps_left()
}

#[test]
fn functions_cost_what_they_walk_and_build() {
    let mut others = Vec::new();
    for (source, cost) in [
        // Texts.
        ("R.attr.s.contains('y')", 65),
        ("R.attr.s.startsWith(R.attr.t)", 129),
        ("R.attr.s.charAt(1)", 67),
        ("R.attr.s.indexOf('y')", 158),
        ("R.attr.s.indexOf(R.attr.t)", 318),
        ("R.attr.s.lastIndexOf('y')", 158),
        ("R.attr.s.lastIndexOf(R.attr.t)", 318),
        ("R.attr.s.lowerAscii()", 66),
        ("R.attr.s.replace('x', 'yyy')", 193),
        ("R.attr.s.replace('x', 'yyy', 100)", 109),
        ("R.attr.a.split(',')", 94),
        ("R.attr.s.substring(0, 10)", 68),
        ("R.attr.s.substring(10)", 97),
        ("R.attr.l.join()", 32),
        ("R.attr.l.join(' and ')", 48),
        ("strings.quote(R.attr.s)", 66),
        ("'%s %d'.format([R.attr.s, 1])", 50),
        ("'%s'.format([R.attr.l])", 515),
        ("size(R.attr.s)", 64),
        ("bytes(R.attr.u)", 12),
        ("string(R.attr.s)", 33),
        // Patterns.
        ("R.attr.s.matches('^x')", 198),
        ("R.attr.s.matches('^(a|b){100}.{100}')", 8_003),
        ("R.attr.s.matches('^' + 'x+')", 2_592),
        ("R.attr.s.matches('^' + '(a|[bc]){10}[^d]{3}')", 6_557),
        ("R.attr.s.matches('^' + r'(\\pL|[\\d_]){1,}')", 14_756),
        ("regex.extract(R.attr.s, 'x')", 2_237),
        ("regex.extractAll(R.attr.s, 'x{100}')", 5_797),
        ("regex.replace(R.attr.s, 'x{100}', 'yy')", 5_811),
        ("regex.replace(R.attr.s, '(x{100})', r'\\1\\1')", 6_073),
        // Lists.
        ("R.attr.deep.flatten()", 9),
        ("lists.range(size(R.attr.n)).size()", 181),
        ("R.attr.n.slice(10, 20)", 13),
        ("R.attr.n.sort()", 779),
        ("R.attr.n.distinct()", 5_029),
        ("R.attr.l.isSubset(R.attr.l)", 103),
        ("R.attr.n.intersect(R.attr.n)", 5_130),
        ("math.greatest(R.attr.n)", 102),
        // Hierarchies, paths, identities.
        ("hierarchy(R.attr.h, '/').size()", 42),
        ("hierarchy(R.attr.l).size()", 80),
        ("hierarchy(R.attr.long).ancestorOf(hierarchy(R.attr.long))", 32),
        ("hierarchy(R.attr.long).overlaps(hierarchy('a'))", 16),
        ("hierarchy(R.attr.long).overlaps(hierarchy('a.b'))", 17),
        ("hierarchy('a').overlaps(hierarchy(R.attr.long))", 16),
        ("hierarchy(R.attr.long).commonAncestors(hierarchy(R.attr.long)).size()", 33),
        ("hierarchy(R.attr.l) == hierarchy(R.attr.long)", 99),
        ("hierarchy(R.attr.long) == hierarchy(R.attr.l)", 99),
        ("hierarchy(R.attr.long) == hierarchy(R.attr.long)", 33),
        ("R.attr.s in R.attr.m", 35),
        ("{R.attr.s: 1}.size()", 38),
        ("dirPath(R.attr.p)", 6),
        ("joinPath([R.attr.s, R.attr.t])", 137),
        ("R.attr.p.pathMatch('/a/*/c/*/e/*/g/*')", 28),
        ("R.attr.t.pathMatch(R.attr.s)", 33_165),
        ("spiffeMatchOneOf(R.attr.ids).matchesID(R.attr.id)", 104),
        // Times and encodings.
        ("now().getHours(R.attr.zone)", 216),
        ("base64.encode(bytes(R.attr.s))", 205),
        ("base64.decode(R.attr.s)", 66),
        ("json.encode(R.attr.m)", 31),
        ("json.encode(R.attr.s)", 103),
    ] {
        let found = steps(source);
        if found != cost {
            others.push(format!("{source} costs {found}, not {cost}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[test]
fn patterns_are_as_long_as_they_may_be_and_no_longer() {
    let pattern = |length: usize| Program::parse(&format!("R.attr.s.matches('{}')", "x".repeat(length)));
    assert!(pattern(4 * 1024).is_ok());
    assert!(pattern(4 * 1024 + 1).unwrap_err().to_string().contains("longer than 4096 bytes"));
}

/// The bytes that a decision may build are the whole of what is documented, not a part of it.
#[test]
fn a_decision_builds_its_bytes_and_no_more() {
    let attributes = serde_json::json!({"w": "x".repeat(1_000_000)});
    let Value::Map(attr) = Value::from(attributes) else { panic!("no map") };
    let resource = Resource { attr, ..Resource::default() };
    let activation = Activation::new(Principal::default(), resource, Timestamp::new(0, 0, 0).unwrap());
    let build = |times: usize| {
        let source = vec!["(R.attr.w + 'x') != 'y'"; times].join(" && ");
        Program::parse(&source).unwrap().eval(&activation, &mut Budget::default())
    };
    assert!(matches!(build(4), Ok(Value::Bool(true))));
    let told = build(5).unwrap_err().to_string();
    assert!(told.contains("builds more data than allowed"), "{told}");
    assert_eq!(Budget::new(7, 0).steps_left(), 7);
}
