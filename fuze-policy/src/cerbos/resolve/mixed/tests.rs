use super::super::tests::problems_of;

/// A resource policy of one rule, in the flow style; `head` and `rule` end with a comma each.
fn policy(kind: &str, head: &str, rule: &str) -> String {
    format!(
        "{{apiVersion: api.cerbos.dev/v1, resourcePolicy: {{resource: {kind}, version: default, {head} \
         rules: [{{actions: [x], {rule} roles: [user]}}]}}}}"
    )
}

fn allow(kind: &str, matching: &str) -> String {
    policy(kind, "", &format!("effect: EFFECT_ALLOW, condition: {{match: {matching}}},"))
}

const A: &str = "{expr: R.attr.a}";
const ANY: &str = "{any: {of: [{expr: R.attr.a}, {expr: R.attr.b}]}}";
const ALL: &str = "{all: {of: [{expr: R.attr.a}, {expr: R.attr.b}]}}";
const NONE: &str = "{none: {of: [{expr: R.attr.a}, {expr: R.attr.b}]}}";

/// How many problems two files have together that neither has alone.
#[track_caller]
fn mixed(one: &str, other: &str, beside: &[&str]) -> usize {
    let files = |texts: &[&str]| {
        let names: Vec<String> = (0..texts.len()).map(|i| format!("{i}.yaml")).collect();
        problems_of(&names.iter().map(String::as_str).zip(texts.iter().copied()).collect::<Vec<_>>())
    };
    for alone in [one, other] {
        assert_eq!(files(&[&[alone], beside].concat()), [""; 0], "{alone}");
    }
    let problems = files(&[&[one, other], beside].concat());
    for problem in &problems {
        assert!(problem.contains("Cerbos 0.55 takes") && problem.contains("by chance"), "{problem}");
    }
    problems.len()
}

#[test]
fn what_is_told_has_both_places() {
    let problems = problems_of(&[("1.yaml", &allow("doc", ANY)), ("2.yaml", &allow("mail", NONE))]);
    assert_eq!(
        problems,
        ["2.yaml:1:93: the rule `resource.mail.vdefault#rule-001`: Cerbos 0.55 takes this for the rule \
          `resource.doc.vdefault#rule-001` (1.yaml:1:92) and decides both by one of them, by chance: they have the same \
          effect and action, and the same expressions, if in another order of `all`, `any`, `none`, derived roles or outputs. \
          Change the text of an expression, with brackets around it for example"]
    );
}

/// Each pair was given to a Cerbos 0.55 server, which decided both by one of them.
#[test]
fn conditions_of_the_same_expressions_are_mixed_up() {
    let nested = "{any: {of: [{none: {of: [{expr: R.attr.a}]}}, {expr: R.attr.b}]}}";
    let not = "{none: {of: [{expr: R.attr.a}]}}";
    for (one, other) in [(ANY, NONE), (ANY, ALL), (ALL, NONE), (ANY, nested), (A, not)] {
        assert_eq!(mixed(&allow("doc", one), &allow("mail", other), &[]), 1, "{one} {other}");
    }
    // In one file, it is the first.
    let both = format!(
        "{{apiVersion: api.cerbos.dev/v1, resourcePolicy: {{resource: doc, version: default, rules: [\
         {{actions: [x], effect: EFFECT_ALLOW, roles: [user], condition: {{match: {A}}}}}, \
         {{actions: [y, x], effect: EFFECT_ALLOW, roles: [other], name: named, condition: {{match: {not}}}}}]}}}}"
    );
    assert_eq!(problems_of(&[("p.yaml", &both)]).len(), 1);
    assert_eq!(problems_of(&[("p.yaml", &both.replace("[y, x]", "[y, z]"))]), [""; 0]);
}

#[test]
fn what_differs_elsewhere_or_not_at_all_is_not_mixed_up() {
    let rule = |rule: &str| policy("mail", "", rule);
    let none = format!("condition: {{match: {NONE}}},");
    for other in [
        allow("mail", NONE).replace("[x]", "[y]"),
        allow("mail", NONE).replace("[x]", "[\"x*\"]"),
        allow("mail", NONE).replace("expr: R.attr.b", "expr: (R.attr.b)"),
        allow("mail", "{none: {of: [{expr: R.attr.b}, {expr: R.attr.a}]}}"),
        allow("mail", "{none: {of: [{expr: R.attr.a}]}}"),
        allow("mail", ANY),
        allow("mail", &format!("{{all: {{of: [{ANY}]}}}}")),
        allow("mail", "{any: {of: [{any: {of: [{expr: R.attr.a}]}}, {expr: R.attr.b}]}}"),
        allow("mail", &format!("{{none: {{of: [{NONE}]}}}}")),
        rule(&format!("effect: EFFECT_DENY, {none}")),
        rule(&format!("effect: EFFECT_ALLOW, {none} output: {{when: {{ruleActivated: '1'}}}},")),
        rule("effect: EFFECT_ALLOW,"),
    ] {
        assert_eq!(mixed(&allow("doc", ANY), &other, &[]), 0, "{other}");
    }
    assert_eq!(mixed(&allow("doc", ALL), &allow("mail", &format!("{{all: {{of: [{ALL}]}}}}")), &[]), 0);
    assert_eq!(mixed(&allow("doc", A), &allow("mail", &format!("{{all: {{of: [{A}]}}}}")), &[]), 0);
}

#[test]
fn outputs_are_mixed_up() {
    let output = |kind: &str, when: &str| {
        policy(kind, "", &format!("effect: EFFECT_ALLOW, output: {{when: {{{when}: '\"one\"'}}}},"))
    };
    let (activated, unmet) = ("ruleActivated", "conditionNotMet");
    assert_eq!(mixed(&output("doc", activated), &output("mail", unmet), &[]), 1);
    assert_eq!(mixed(&output("doc", activated), &output("mail", activated), &[]), 0);
}

#[test]
fn conditions_of_derived_roles_are_mixed_up() {
    let roles = |first: &str, second: &str| {
        format!(
            "{{apiVersion: api.cerbos.dev/v1, derivedRoles: {{name: dr, definitions: [\
             {{name: d1, parentRoles: [user], condition: {{match: {first}}}}}, \
             {{name: d2, parentRoles: [user], condition: {{match: {second}}}}}]}}}}"
        )
    };
    let of = |kind: &str, derived: &str, condition: &str| {
        policy(kind, "importDerivedRoles: [dr],", &format!("effect: EFFECT_ALLOW, {condition}"))
            .replace("roles: [user]", &format!("derivedRoles: [{derived}]"))
    };
    let condition = |matching: &str| format!("condition: {{match: {matching}}},");
    let set = roles(ALL, ANY);
    assert_eq!(mixed(&of("doc", "d1", ""), &of("mail", "d2", ""), &[&set]), 1);
    assert_eq!(mixed(&of("doc", "d1", ""), &of("mail", "d1", ""), &[&set]), 0);
    assert_eq!(problems_of(&[("r.yaml", &set), ("p.yaml", &of("doc", "d1, d2", ""))]).len(), 1);
    // The expressions of the rule's condition come before those of the role's.
    let set = roles("{any: {of: [{expr: R.attr.b}, {expr: R.attr.a}]}}", A);
    assert_eq!(mixed(&of("doc", "d1", &condition(A)), &of("mail", "d2", &condition(ALL)), &[&set]), 1);
    // Where only one of both has a condition, Cerbos knows which.
    let set = roles(A, "{expr: R.attr.c}");
    let plain = allow("mail", A);
    assert_eq!(mixed(&of("doc", "d1", ""), &plain, &[&set]), 0);
}

#[test]
fn an_allow_that_was_turned_around_is_mixed_up_with_a_denial() {
    let scope = "scope: s, scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS,";
    let rule = |kind: &str, head: &str, effect: &str| {
        policy(kind, head, &format!("effect: {effect}, condition: {{match: {A}}},"))
    };
    let roots: Vec<String> = ["doc", "mail"].map(|kind| policy(kind, "", "effect: EFFECT_DENY,")).into();
    let beside: Vec<&str> = roots.iter().map(String::as_str).collect();
    let turned = rule("doc", scope, "EFFECT_ALLOW");
    assert_eq!(mixed(&turned, &rule("mail", scope, "EFFECT_DENY"), &beside), 1);
    assert_eq!(mixed(&turned, &rule("mail", scope, "EFFECT_ALLOW"), &beside), 0);
    let other = "scope: t, scopePermissions: SCOPE_PERMISSIONS_OVERRIDE_PARENT,";
    assert_eq!(mixed(&turned, &rule("mail", other, "EFFECT_DENY"), &beside), 0);
}

#[test]
fn role_policies_are_mixed_up() {
    let role = |name: &str, actions: &str, matching: &str| {
        format!(
            "{{apiVersion: api.cerbos.dev/v1, rolePolicy: {{role: {name}, version: default, rules: [\
             {{resource: {name}, allowActions: [{actions}], condition: {{match: {matching}}}}}]}}}}"
        )
    };
    assert_eq!(mixed(&role("a", "x, y", ANY), &role("b", "y, x", NONE), &[]), 1);
    assert_eq!(mixed(&role("a", "x, y", ANY), &role("b", "x", NONE), &[]), 0);
    assert_eq!(mixed(&role("a", "x", ANY), &allow("mail", NONE), &[]), 0);
}

#[test]
fn principal_policies_are_mixed_up_among_themselves() {
    let principal = |name: &str, matching: &str| {
        format!(
            "{{apiVersion: api.cerbos.dev/v1, principalPolicy: {{principal: {name}, version: default, rules: [\
             {{resource: {name}, actions: [{{action: x, effect: EFFECT_ALLOW, condition: {{match: {matching}}}}}]}}]}}}}"
        )
    };
    assert_eq!(mixed(&principal("anna", ANY), &principal("ben", NONE), &[]), 1);
    assert_eq!(mixed(&principal("anna", ANY), &allow("mail", NONE), &[]), 0);
}

#[test]
fn other_constants_keep_rules_apart() {
    let rule = |kind: &str, value: &str, how: &str| {
        let matching = format!("{{{how}: {{of: [{{expr: C.c}}, {{expr: R.attr.b}}]}}}}");
        let rule = format!("effect: EFFECT_ALLOW, condition: {{match: {matching}}},");
        policy(kind, &format!("constants: {{local: {{c: {value}}}}},"), &rule)
    };
    assert_eq!(mixed(&rule("doc", "1", "any"), &rule("mail", "1", "none"), &[]), 1);
    assert_eq!(mixed(&rule("doc", "1", "any"), &rule("mail", "2", "none"), &[]), 0);
}

#[test]
fn constants_are_mixed_up() {
    let constant = |kind: &str, name: &str, value: &str| {
        let rule =
            format!("effect: EFFECT_ALLOW, condition: {{match: {{expr: 'C.{name} == R.attr.{kind}'}}}},");
        policy(kind, &format!("constants: {{local: {{{name}: {value}, unused: {kind}}}}},"), &rule)
    };
    for (one, other) in [
        ("false", "null"),
        ("false", "''"),
        ("null", "''"),
        ("[]", "{}"),
        ("[x, 1]", "{x: 1}"),
        ("[[]]", "[]"),
        ("[true]", "true"),
        ("[1, 2]", "[[1], 2]"),
    ] {
        assert_eq!(mixed(&constant("doc", "c", one), &constant("mail", "c", other), &[]), 1, "{one} {other}");
    }
    for (one, other) in [
        ("false", "false"),
        ("1", "1.0"),
        ("0", "false"),
        ("true", "1"),
        ("'1'", "1"),
        ("a", "b"),
        ("[1, 2]", "[2, 1]"),
        ("[]", "null"),
        ("{}", "''"),
    ] {
        assert_eq!(mixed(&constant("doc", "c", one), &constant("mail", "c", other), &[]), 0, "{one} {other}");
    }
    assert_eq!(mixed(&constant("doc", "c", "false"), &constant("mail", "d", "null"), &[]), 0);
    let long = |last: &str| format!("'{}{last}'", "é".repeat(100));
    assert_eq!(mixed(&constant("doc", "c", &long("a")), &constant("mail", "c", &long("b")), &[]), 0);
    assert_eq!(
        problems_of(&[
            ("1.yaml", &constant("doc", "c", "false")),
            ("2.yaml", &constant("mail", "c", "null"))
        ]),
        [
            "2.yaml:1:33: Cerbos 0.55 takes the constants here (`c`) for those of 1.yaml:1:33 and decides by one of both, by chance: \
          it does not tell `false`, `null` and `\"\"` from each other, nor lists from maps. Give one of them another name"
        ]
    );
}

/// Where the variables have the same texts, too, and come before the constants.
#[test]
fn constants_behind_variables_are_mixed_up() {
    let variable = |kind: &str, text: &str, value: &str| {
        let head = format!("constants: {{local: {{c: {value}}}}}, variables: {{local: {{v: {text}}}}},");
        policy(
            kind,
            &head,
            &format!("effect: EFFECT_ALLOW, condition: {{match: {{expr: V.v == R.id}}}}, name: {kind},"),
        )
    };
    assert_eq!(mixed(&variable("doc", "C.c", "false"), &variable("mail", "C.c", "null"), &[]), 1);
    assert_eq!(mixed(&variable("doc", "C.c", "false"), &variable("mail", "(C.c)", "null"), &[]), 0);
}
