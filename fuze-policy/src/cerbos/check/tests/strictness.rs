use super::*;

const KEY: &str = "resource.doc.vdefault";

fn rule(action: &str, effect: &str, condition: &str) -> String {
    format!(
        "    - {{actions: [{action}], roles: [user], effect: EFFECT_{effect}, condition: {{match: {{{condition}}}}}}}\n"
    )
}

fn lenient() -> CheckParams {
    CheckParams { lenient: true, ..params() }
}

fn errors(output: &CheckOutput) -> Vec<String> {
    output.evaluation_errors.iter().map(|e| format!("{}: {}", e.expression, e.message)).collect()
}

#[test]
fn a_condition_that_fails_denies_and_is_told() {
    let rules = "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n".to_owned()
        + &rule("view", "DENY", "expr: R.attr.secret");
    let set = set(&[&doc("", &rules)]);
    let input = asks(&["user"], &["view"]);
    let strict = decide(&set, &input);
    assert_eq!(effects(&strict), [format!("view Deny {KEY}")]);
    assert!(strict.action("view").unwrap().rests_on_failure && strict.failed());
    assert_eq!(strict.action("view").unwrap().rule.as_deref(), Some("resource.doc.vdefault#rule-002"));
    assert_eq!(errors(&strict), ["R.attr.secret: no such key: secret"]);

    let passed_over = check(&set, &input, &lenient()).unwrap();
    assert_eq!(effects(&passed_over), [format!("view Allow {KEY}")], "why leniency is for conformance only");
    assert!(!passed_over.action("view").unwrap().rests_on_failure && passed_over.failed());
    assert_eq!(errors(&passed_over), errors(&strict));
}

#[test]
fn a_failure_for_one_role_denies_though_another_may() {
    let rules = rule("view", "ALLOW", "expr: R.attr.a")
        + "    - {actions: [view], roles: [admin], effect: EFFECT_ALLOW}\n";
    let set = set(&[&doc("", &rules)]);
    expect(&set, &["user", "admin"], &["view"], &[&format!("view Deny {KEY}")]);
    // The role that may comes first: nothing else is asked.
    expect(&set, &["admin", "user"], &["view"], &[&format!("view Allow {KEY}")]);
}

#[test]
fn only_the_action_whose_condition_fails_is_denied() {
    let rules = rule("view", "ALLOW", "expr: R.attr.a") + &rule("list", "ALLOW", "expr: 'true'");
    let set = set(&[&doc("", &rules)]);
    expect(&set, &["user"], &["view", "list"], &[&format!("view Deny {KEY}"), &format!("list Allow {KEY}")]);
}

#[test]
fn lists_of_matches_stop_where_they_are_decided() {
    for (condition, allowed) in [
        ("all: {of: [{expr: 'true'}, {expr: 'true'}]}", true),
        ("all: {of: [{expr: 'false'}, {expr: R.attr.x}]}", false),
        ("any: {of: [{expr: 'true'}, {expr: R.attr.x}]}", true),
        ("any: {of: [{expr: 'false'}, {expr: 'false'}]}", false),
        ("none: {of: [{expr: 'false'}, {expr: 'false'}]}", true),
        ("none: {of: [{expr: 'true'}, {expr: R.attr.x}]}", false),
        ("none: {of: [{all: {of: [{expr: 'false'}]}}, {any: {of: [{expr: 'false'}]}}]}", true),
    ] {
        let set = set(&[&doc("", &rule("view", "ALLOW", condition))]);
        let output = decide(&set, &asks(&["user"], &["view"]));
        let expected = if allowed { "Allow" } else { "Deny" };
        assert_eq!(effects(&output), [format!("view {expected} {KEY}")], "{condition}");
        assert_eq!(errors(&output), [""; 0], "{condition}");
    }
    for condition in [
        "all: {of: [{expr: 'true'}, {expr: R.attr.x}]}",
        "any: {of: [{expr: R.attr.x}, {expr: 'true'}]}",
        "none: {of: [{expr: R.attr.x}]}",
    ] {
        let set = set(&[&doc("", &rule("view", "ALLOW", condition))]);
        let output = decide(&set, &asks(&["user"], &["view"]));
        assert!(output.action("view").unwrap().rests_on_failure, "{condition}");
    }
}

#[test]
fn what_is_not_true_does_not_hold() {
    for (expr, allowed) in [("1", false), ("\"true\"", false), ("[true]", false), ("true", true)] {
        let set = set(&[&doc("", &rule("view", "ALLOW", &format!("expr: '{expr}'")))]);
        let output = decide(&set, &asks(&["user"], &["view"]));
        assert_eq!(output.action("view").unwrap().effect == crate::cerbos::Effect::Allow, allowed, "{expr}");
        assert!(!output.failed());
    }
}

#[test]
fn variables_and_constants() {
    let head = "  constants: {local: {limit: 5, names: {a: x}}}
  variables:
    local:
      big: V.amount > C.limit
      amount: R.attr.amount
      unused: R.attr.nothing
      text: constants.names.a + \"-\" + G.env
";
    let rules =
        rule("view", "ALLOW", "expr: V.big") + &rule("list", "ALLOW", "expr: 'variables.text == \"x-test\"'");
    let set = set(&[&doc(head, &rules)]);
    let mut input = asks(&["user"], &["view", "list"]);
    input.resource.attr = json!({"amount": 6}).as_object().cloned().unwrap();
    let globals: crate::cel::Map = [("env", crate::cel::Value::from("test"))].into_iter().collect();
    let params = CheckParams { globals: Arc::new(globals), ..params() };
    let output = check(&set, &input, &params).unwrap();
    assert_eq!(effects(&output), [format!("view Allow {KEY}"), format!("list Allow {KEY}")]);
    assert!(!output.failed(), "what is not used is not evaluated");

    input.resource.attr = json!({}).as_object().cloned().unwrap();
    let output = check(&set, &input, &params).unwrap();
    assert_eq!(effects(&output), [format!("view Deny {KEY}"), format!("list Allow {KEY}")]);
    assert!(
        output.action("view").unwrap().rests_on_failure && !output.action("list").unwrap().rests_on_failure
    );
    assert_eq!(
        errors(&output),
        [
            "R.attr.amount: no such key: amount",
            "V.amount > C.limit: undefined field 'amount'",
            "V.big: undefined field 'big'"
        ]
    );
}

#[test]
fn a_derived_role_that_fails_denies_whoever_asks_for_it() {
    let roles = "derivedRoles:
  name: common
  definitions:
    - {name: owner, parentRoles: [user], condition: {match: {expr: R.attr.owner == P.id}}}
";
    let rules = "    - {actions: [edit], derivedRoles: [owner], effect: EFFECT_ALLOW}
    - {actions: [list], roles: [user], effect: EFFECT_ALLOW}
    - {actions: [tell], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: size(runtime.effectiveDerivedRoles) == 0}}}
";
    let set = set(&[&doc("  importDerivedRoles: [common]\n", rules), roles]);
    let output = decide(&set, &asks(&["user"], &["edit", "list", "tell"]));
    assert_eq!(
        effects(&output),
        [format!("edit Deny {KEY}"), format!("list Allow {KEY}"), format!("tell Deny {KEY}")]
    );
    let failed = |action: &str| output.action(action).unwrap().rests_on_failure;
    assert!(failed("edit") && !failed("list") && failed("tell"));
    assert!(
        errors(&output).iter().any(|e| e.contains("failed to compute effective derived roles [owner]")),
        "{:?}",
        errors(&output)
    );
    let passed_over = check(&set, &asks(&["user"], &["edit", "list", "tell"]), &lenient()).unwrap();
    assert_eq!(
        effects(&passed_over),
        [format!("edit Deny {KEY}"), format!("list Allow {KEY}"), format!("tell Allow {KEY}")]
    );
}

#[test]
fn undefined_and_circular_names_are_refused_with_their_place() {
    let problems = |head: &str, condition: &str| {
        let text = format!("{HEAD}{}", doc(head, &rule("view", "ALLOW", condition)));
        match PolicySet::load(&[Source::new("p.yaml", &text)]) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.all().iter().map(ToString::to_string).collect::<Vec<_>>(),
        }
    };
    assert_eq!(
        problems("", "expr: V.a && C.b"),
        ["p.yaml:6:88: the constant `b` is not defined", "p.yaml:6:88: the variable `a` is not defined"]
    );
    assert_eq!(
        problems(
            "  variables: {local: {a: V.b, b: V.c, c: V.b, d: V.d, e: V.f + V.c, f: V.e}}\n",
            "expr: 'true'"
        ),
        [
            "p.yaml:5:31: variables name each other in a circle: `b` (p.yaml:5:31), `c` (p.yaml:5:39)",
            "p.yaml:5:47: the variable `d` names itself",
            "p.yaml:5:55: variables name each other in a circle: `e` (p.yaml:5:55), `f` (p.yaml:5:69)"
        ]
    );
    assert_eq!(
        problems("  variables: {local: {a: V.a}}\n", "expr: 'true'"),
        ["p.yaml:5:23: the variable `a` names itself"]
    );
    assert_eq!(
        problems("  variables: {local: {a: V.x + C.y}}\n", "expr: 'true'"),
        [
            "p.yaml:5:23: the variable `a` names the constant `y`, which is not defined",
            "p.yaml:5:23: the variable `a` names the variable `x`, which is not defined"
        ]
    );
    let bad = problems("", "expr: R.attr.a ==");
    assert!(bad.len() == 1 && bad[0].starts_with("p.yaml:6:"), "{bad:?}");
    let bad = problems("", "all: {of: [{expr: '1 +'}, {expr: unknown}]}");
    assert_eq!(bad.len(), 2, "{bad:?}");
    assert!(bad[1].starts_with("p.yaml:6:115: in the expression: "), "{bad:?}");
}
