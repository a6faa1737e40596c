//! Where the flat form decides, the interpreter decides the same: rule, obligations and all.

use fuze_policy::agent_tool::Cerbos;

use super::{Asked, engine, rule, tools};

/// `true` if the flat form decided.
fn agrees(engine: &Cerbos, asked: &Asked, of: &str) -> bool {
    let request = asked.request();
    let Some(lowered) = engine.decide_lowered(&request) else { return false };
    let interpreted = engine.decide_interpreted(&request);
    let interpreted =
        interpreted.unwrap_or_else(|error| panic!("{of} {}: {lowered:?}, and {error}", asked.args));
    assert_eq!(
        (&lowered.decision, &lowered.rule),
        (&interpreted.decision, &interpreted.rule),
        "{of} {}",
        asked.args
    );
    true
}

/// Arguments, all of them JSON, not all of them canonical.
const ARGUMENTS: [&str; 62] = [
    "{}",
    r#"{"x":null}"#,
    r#"{"x":true}"#,
    r#"{"x":false}"#,
    r#"{"x":""}"#,
    r#"{"x":"a"}"#,
    r#"{"x":"A"}"#,
    r#"{"x":"a/b"}"#,
    r#"{"x":"a\/b"}"#,
    r#"{"x":"a\"b"}"#,
    r#"{"x":"a\\"}"#,
    r#"{"x":"\u0061"}"#,
    r#"{"\u0078":"a"}"#,
    r#"{"\"x":1,"x":2}"#,
    r#"{"a\\":1,"x":1}"#,
    "{\"x\":\"\u{e9}\"}",
    "{\"x\":\"e\u{301}\"}",
    "{\"\u{445}\":\"a\",\"x\u{200b}\":\"a\"}",
    "{\"x\":\"\u{1f600}\"}",
    "{\"x\":\"\u{feff}a\"}",
    r#"{"x":"\ud83d\ude00"}"#,
    r#"{"x":"\u0000"}"#,
    r#"{"x":0}"#,
    r#"{"x":-0}"#,
    r#"{"x":-0.0}"#,
    r#"{"x":1}"#,
    r#"{"x":1.0}"#,
    r#"{"x":1e0}"#,
    r#"{"x":0.1}"#,
    r#"{"x":0.30000000000000004}"#,
    r#"{"x":9007199254740991}"#,
    r#"{"x":9007199254740992}"#,
    r#"{"x":9007199254740993}"#,
    r#"{"x":-9007199254740993}"#,
    r#"{"x":9223372036854775807}"#,
    r#"{"x":9223372036854775808}"#,
    r#"{"x":18446744073709551615}"#,
    r#"{"x":18446744073709551616}"#,
    r#"{"x":123456789012345678901234567890}"#,
    r#"{"x":1e21}"#,
    r#"{"x":1.7976931348623157e308}"#,
    r#"{"x":5e-324}"#,
    r#"{"x":2.2250738585072011e-308}"#,
    r#"{"x":7.038531e-26}"#,
    r#"{"x":[]}"#,
    r#"{"x":[1]}"#,
    r#"{"x":["a"]}"#,
    r#"{"x":[null]}"#,
    r#"{"x":["a",1,null,true,{"a":1},["a"]]}"#,
    r#"{"x":[["a"],1]}"#,
    r#"{"x":[[1],[[1]]]}"#,
    r#"{"x":["\u0061"]}"#,
    r#"{"x":{}}"#,
    r#"{"x":{"y":null}}"#,
    r#"{"x":{"y":{"z":1}}}"#,
    r#"{"x":{"y":[1,2]}}"#,
    r#"{"x":{"":1,"a":"a","1":true}}"#,
    r#"{"X":1,"x ":1," x":1}"#,
    r#"{"":1,"x":1,"y":1}"#,
    r#"{"x":"10.1.2.3","y":"10.1.2.3"}"#,
    r#"{"x":"::ffff:10.1.2.3","y":"::"}"#,
    "{\n  \"x\" : 1 ,\t\"y\" : [ 1 , \"a\" ] }",
];

const CONDITIONS: [&str; 96] = [
    "R.attr.args.x == 1",
    "R.attr.args.x == 1.0",
    "R.attr.args.x == 1u",
    "R.attr.args.x != 1",
    "R.attr.args.x == 0.0",
    "1.0 / R.attr.args.x < 0.0",
    "R.attr.args.x == 9007199254740993",
    "R.attr.args.x == 9007199254740992u",
    "R.attr.args.x > 9007199254740992.0",
    "R.attr.args.x >= 9223372036854775807",
    "R.attr.args.x < 18446744073709551615u",
    "R.attr.args.x == 0.1 + 0.2",
    "R.attr.args.x == 5e-324",
    "R.attr.args.x - R.attr.args.x == 0.0",
    "R.attr.args.x * 1e308 > 1e308",
    "R.attr.args.x / 0.0 > 1.0",
    "R.attr.args.x / 0.0 == R.attr.args.x / 0.0",
    "!(R.attr.args.x / 0.0 <= 1.0)",
    "R.attr.args.x < R.attr.args.x / 0.0",
    "-R.attr.args.x < 0.0",
    "R.attr.args.x + 1 == 2",
    "R.attr.args.x + R.attr.args.x == 2.0",
    "R.attr.args.x == null",
    "R.attr.args.x != null",
    "null == R.attr.args.x",
    "R.attr.args.x == true",
    "R.attr.args.x",
    "!R.attr.args.x",
    "R.attr.args.x && true",
    "R.attr.args.x || true",
    "R.attr.args.x ? true : false",
    "true ? true : R.attr.args.x",
    "R.attr.args.missing || true",
    "R.attr.args.missing && false",
    "R.attr.args.x == \"a\"",
    "R.attr.args.x == \"\"",
    "R.attr.args.x == \"a/b\"",
    "R.attr.args.x == 'a\"b'",
    "R.attr.args.x == \"\u{e9}\"",
    "R.attr.args.x == \"e\u{301}\"",
    "R.attr.args.x < \"b\"",
    "R.attr.args.x > \"\u{e9}\"",
    "R.attr.args.x < true",
    "R.attr.args.x < null",
    "R.attr.args.x.startsWith(\"\")",
    "R.attr.args.x.startsWith(\"a\")",
    "R.attr.args.x.endsWith(\"b\")",
    "R.attr.args.x.contains(\"/\")",
    "R.attr.args.x.matches(\"^a\")",
    "R.attr.args.x.matches(\"\")",
    "R.attr.args.x.matches(\"(?i)A$\")",
    "R.attr.args.x.matches(\"^.$\")",
    "size(R.attr.args.x) == 1",
    "R.attr.args.x.size() > 1",
    "size(R.attr.args) == 1",
    "R.attr.args.x in [1, \"a\", null, true]",
    "R.attr.args.x in [1.0, 9007199254740992]",
    "R.attr.args.x in []",
    "R.attr.args.x in [[1], [\"a\"]]",
    "R.attr.args.x in R.attr.args.x",
    "\"a\" in R.attr.args.x",
    "1 in R.attr.args.x",
    "null in R.attr.args.x",
    "[\"a\"] in R.attr.args.x",
    "\"\" in R.attr.args.x",
    "\"x\" in R.attr.args",
    "1 in R.attr.args",
    "has(R.attr.args)",
    "has(R.attr.args.x)",
    "has(R.attr.args.x.y)",
    "has(R.attr.args.x.y.z)",
    "has(R.attr.args.missing.y)",
    "has(R.attr.missing)",
    "has(P.attr.tenant) && has(P.id)",
    "R.attr.args.x.y == null",
    "R.attr.args.x.y.z == 1.0",
    "R.attr.args[\"x\"] == 1.0",
    "R.attr[\"args\"][\"\"] == 1.0",
    "R.attr.args.x[0] == 1.0",
    "R.attr.args.x[0.0] == 1.0",
    "R.attr.args.x[-1] == 1.0",
    "R.attr.args.x[\"\"] == 1.0",
    "R.attr.args.x[\"1\"]",
    "R.attr.args.x == R.attr.args.y",
    "R.attr.args.x == []",
    "R.attr.args.x == {}",
    "R.attr.args == {\"x\": 1.0}",
    "R.attr.args.x.exists(e, e == 1.0)",
    "R.attr.args.x.all(e, e != null)",
    "R.attr.args.x.all(e, e > 0.0) || true",
    "R.attr.args.x.exists_one(e, e == \"a\")",
    "R.attr.args.x.exists(e, e.exists(f, f == 1.0))",
    "R.attr.args.x.all(a, R.attr.args.x.all(b, R.attr.args.x.all(c, R.attr.args.x.all(d, R.attr.args.x.all(e, a == e)))))",
    "R.attr.args.x.inIPAddrRange(\"10.0.0.0/8\")",
    "P.roles[0] == \"a\" && size(P.roles) == 1 && \"a\" in P.roles",
    "P.attr.tenant == R.attr.args.x || R.attr.depth in [0, 1]",
];

#[test]
fn hostile_conditions_of_hostile_arguments() {
    let mut decided = 0;
    for condition in CONDITIONS {
        // As it is; turned around by a tenant's scope; through a variable, beside the test of a name.
        let v = serde_json::Value::from(condition);
        let with = format!("  variables: {{local: {{v: {v}}}}}\n");
        let consent =
            "  scope: acme\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n";
        let sets = [
            vec![tools("", &[rule("ALLOW", condition)])],
            vec![tools("", &[rule("ALLOW", "true")]), tools(consent, &[rule("ALLOW", condition)])],
            vec![tools(
                &with,
                &[
                    rule("DENY", "V.v && R.attr.tool_name == 'u'"),
                    rule("ALLOW", "R.attr.tool_name == 't' && V.v"),
                ],
            )],
        ];
        for set in sets {
            let engine = engine(&set);
            for args in ARGUMENTS {
                decided += u32::from(agrees(&engine, &Asked::args(args), condition));
            }
        }
    }
    // Enough of it is decided by the flat form, so that this says something.
    assert!(decided > 3 * 96 * 62 / 4, "{decided}");
}

/// Conditions beyond those whose outcome is kept decide as those before.
#[test]
fn more_conditions_than_are_kept() {
    let mut rules: Vec<String> =
        (0..600).map(|at| rule("DENY", &format!("R.attr.args.n == {at}.5"))).collect();
    rules.push(rule("ALLOW", "R.attr.args.n > 0.0"));
    let engine = engine(&[tools("", &rules)]);
    for n in ["1", "0.5", "254.5", "255.5", "256.5", "257.5", "599.5", "600.5", "-1", "\"0.5\""] {
        let asked = Asked { roles: vec!["a".into(), "b".into()], ..Asked::args(format!("{{\"n\":{n}}}")) };
        assert_eq!(agrees(&engine, &asked, "600 conditions"), n != "\"0.5\"", "{n}");
    }
}

/// Cerbos keeps the outcome of a condition under its rule's name: two rules of one name would be one.
#[test]
fn a_rule_that_is_named_as_another_without_a_name_would_be() {
    let named = |name: &str, effect: &str, condition: &str| {
        rule(effect, condition).replacen('{', &format!("{{name: {name}, "), 1)
    };
    for rules in [
        [rule("ALLOW", "R.attr.args.x == 1.0"), named("rule-001", "DENY", "R.attr.args.y == 1.0")],
        [named("rule-002", "ALLOW", "R.attr.args.x == 1.0"), rule("DENY", "R.attr.args.y == 1.0")],
    ] {
        let error = super::try_engine(&[tools("", &rules)]).unwrap_err();
        assert!(error.contains("both called") && error.lines().count() == 1, "{error}");
    }
    let principal = |name: &str| {
        format!(
            "principalPolicy:\n  principal: p\n  version: default\n  rules:\n    - resource: agent.tool\n      actions:\n        \
             - {{action: invoke, effect: EFFECT_DENY, condition: {{match: {{expr: P.attr.has_subject}}}}}}\n    - resource: album\n      \
             actions:\n        - {{name: {name}, action: view, effect: EFFECT_DENY}}\n"
        )
    };
    let error = super::try_engine(&[principal("agent.tool_rule-001")]).unwrap_err();
    assert!(error.contains("both called"), "{error}");
    assert!(super::try_engine(&[principal("agent.tool_rule-002")]).is_ok());
    // Its own number is what it would be called anyway.
    assert!(
        super::try_engine(&[tools("", &[named("rule-001", "ALLOW", "true"), rule("DENY", "false")])]).is_ok()
    );
}
