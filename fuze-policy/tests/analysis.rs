//! Proofs about policies: what holds, what does not, and that no answer is guessed.
#![cfg(feature = "cerbos")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::{Path, PathBuf};

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::analysis::{Counterexample, Policies, Proof, Property, Reason, Tools, diff, prove};
use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::{self, CheckInput, CheckParams, Effect, PolicySet, Source};

const GUIDE: [&str; 5] = ["payment", "personal", "public", "special", "tenants"];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guide").join(name)
}

fn special() -> Property {
    Property::never_auto("special_category")
}

/// A policy for tools: its scope, whether it asks for its parents' consent, and its rules.
fn policy(scope: &str, rules: &[&str]) -> Source {
    let head = match scope.strip_prefix('!') {
        Some(scope) => format!("scope: {scope}"),
        None if scope.is_empty() => String::new(),
        None => {
            format!(
                "scope: {scope}\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS"
            )
        }
    };
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(at, rule)| {
            let mut parts = rule.splitn(4, ' ');
            let mut part = || parts.next().unwrap_or_default();
            let (effect, roles, actions, condition) = (part(), part(), part(), part());
            let actions = match actions {
                "both" => r#"["invoke", "invoke:auto"]"#,
                "auto" => r#"["invoke:auto"]"#,
                _ => r#"["invoke"]"#,
            };
            let condition = if condition.is_empty() {
                String::new()
            } else {
                format!("      condition:\n        match:\n          expr: |-\n            {condition}\n")
            };
            format!("    - name: r{at}\n      actions: {actions}\n      effect: EFFECT_{effect}\n      roles: [{roles}]\n{condition}")
        })
        .collect();
    let rules = if rules.is_empty() { String::new() } else { format!("  rules:\n{rules}") };
    let text = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  {head}\n{rules}"
    );
    Source::new(&format!("{}.yaml", if scope.is_empty() { "root" } else { scope }), &text)
}

fn load(sources: &[Source]) -> PolicySet {
    PolicySet::load(sources).unwrap_or_else(|problems| panic!("{problems}\n{}", sources[0].text))
}

fn root(rules: &[&str]) -> PolicySet {
    load(&[policy("", rules)])
}

fn broken(proof: &Proof) -> &Counterexample {
    proof.counterexample().unwrap_or_else(|| panic!("{proof}"))
}

fn allows(set: &PolicySet, input: &CheckInput, action: &str) -> bool {
    let params = CheckParams::at(Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 });
    let output = cerbos::check(set, input, &params).unwrap();
    let found = output.action(action).unwrap();
    found.effect == Effect::Allow && !found.rests_on_failure
}

#[test]
fn the_guide_holds() {
    for name in GUIDE {
        let engine = Cerbos::load(&directory(name)).unwrap();
        for property in [special(), Property::NothingCrossesTenants, Property::NoRuleIsDead] {
            let proof = prove(&engine, &property);
            assert!(proof.is_proven(), "{name}: {proof}");
        }
        let same = diff(&engine, &engine);
        assert!(same.is_proven(), "{name}: {same}");
    }
}

/// In the guide personal data may be looked up by nobody but on a contract; what is no special category is not proven to be one.
#[test]
fn a_class_that_is_allowed_alone_is_a_counterexample() {
    let engine = Cerbos::load(&directory("personal")).unwrap();
    let proof = prove(&engine, &Property::never_auto("personal"));
    let found = broken(&proof);
    assert_eq!(&*found.rule, "resource.agent.tool.vdefault#customer-data-for-support");
    assert_eq!(found.place.as_ref().unwrap().to_string(), "customer_lookup.yaml:9:7");
    let request = found.request.as_ref().unwrap();
    assert!(allows(engine.set(), request, "invoke") && allows(engine.set(), request, "invoke:auto"));
    assert_eq!(request.resource.attr["classification"], "personal");
    assert_eq!(request.principal.attr["lawful_basis"], "contract");
    let said = proof.to_string();
    assert!(said.contains("no `personal` tool is ever allowed without approval"), "{said}");
    assert!(said.contains("customer_lookup"), "{said}");
}

#[test]
fn special_categories_alone() {
    for rules in [
        &["ALLOW \"a\" both R.attr.classification == \"special_category\""][..],
        &["ALLOW \"*\" both R.attr.residency == \"eu\""],
        &[
            "ALLOW \"a\" both",
            "DENY \"*\" auto R.attr.classification == \"special_category\" && R.attr.effect == \"once\"",
        ],
        &["ALLOW \"a\" both", "DENY \"*\" auto R.attr.args.special == true"],
        &["ALLOW \"a\" invoke", "ALLOW \"b\" auto"],
        &[
            "ALLOW \"a\" both !(R.attr.classification in [\"public\", \"personal\"]) && R.attr.args.n > 9007199254740993",
        ],
        &["ALLOW \"a\" both R.attr.art9_basis == \"public_health\" && R.attr.args.x.y.z == \"deep\""],
        &["ALLOW \"a\" both R.attr.args.x.y != \"deep\" && has(R.attr.args.x.z)"],
        &["ALLOW \"a\" both R.attr.tool_name.startsWith(\"health_\")"],
        &["ALLOW \"a\" both \"x\" in R.attr.args.tags && R.attr.args.tenant == P.attr.tenant"],
        &["ALLOW \"x:*\" both", "DENY \"*\" both !(\"boss\" in P.roles)"],
        &["ALLOW \"a\" both R.attr.depth > 2 && R.attr.depth < 4"],
        // A mapping that conditions look into, looked at as a whole.
        &["ALLOW \"a\" both R.attr.args.y.z == 1", "DENY \"*\" both size(R.attr.args.y) == 0"],
        &["ALLOW \"a\" both R.attr.args.y.z == 1", "DENY \"*\" both R.attr.args.y == R.attr.args.x"],
    ] {
        let set = root(rules);
        let proof = prove(&set, &special());
        let request = broken(&proof).request.clone().unwrap();
        assert_eq!(request.resource.attr["classification"], "special_category", "{rules:?}");
        assert!(allows(&set, &request, "invoke") && allows(&set, &request, "invoke:auto"), "{rules:?}");
    }
    for rules in [
        &["ALLOW \"a\" both R.attr.classification == \"personal\""][..],
        &["ALLOW \"*\" both", "DENY \"*\" auto R.attr.classification == \"special_category\""],
        &["ALLOW \"*\" both", "DENY \"*\" auto R.attr.art9_basis != \"\""],
        // A condition that fails halts the run.
        &["ALLOW \"*\" both", "DENY \"*\" both has(R.attr.art9_basis) && R.attr.args.x > 1 || true"],
        &["ALLOW \"a\" both R.attr.classification.startsWith(\"p\")"],
        &["ALLOW \"a\" both R.attr.args.x.matches(\"a+\") && R.attr.classification == \"public\""],
        &["ALLOW \"a\" both R.attr.args.x > 1 && R.attr.args.x < 1 "],
        &["ALLOW \"a\" both R.attr.depth > 2 && R.attr.depth < 3"],
        &[
            "ALLOW \"a\" both",
            "DENY \"*\" auto now() > timestamp(\"2020-01-01T00:00:00Z\") || R.attr.classification != \"public\"",
        ],
    ] {
        let proof = prove(&root(rules), &special());
        assert!(proof.is_proven(), "{rules:?}: {proof}");
    }
}

/// What depends on an expression that cannot be enumerated is neither proven nor guessed.
#[test]
fn what_is_not_known_is_said() {
    for rules in [
        &["ALLOW \"a\" both R.attr.args.x.matches(\"(?i)^[a-c]{7}-[0-9]{3}$\")"][..],
        &["ALLOW \"a\" both now().getFullYear() == 2090"],
        &["ALLOW \"a\" both R.attr.args.x.size() == 3 && R.attr.args.x.lowerAscii() == \"q\""],
    ] {
        match prove(&root(rules), &special()) {
            Proof::Unknown { reason: Reason::Opaque { expression, place }, .. } => {
                assert!(rules[0].contains(&expression), "{expression}");
                assert_eq!(place.at.line, 14, "{place}");
            }
            other => panic!("{rules:?}: {other}"),
        }
    }
    let looked_for: Vec<String> = (0..13).map(|at| format!("\"r{at}\" in P.roles")).collect();
    let many = root(&[&format!(
        "ALLOW \"a\" both R.attr.classification == \"public\" && ({})",
        looked_for.join(" || ")
    )]);
    let proof = prove(Policies::from(&many).within(1_000), &special());
    assert!(matches!(proof, Proof::Unknown { reason: Reason::RolePatterns { .. }, .. }), "{proof}");
    // Two dozen arguments, each in several ways.
    let each: Vec<String> = (0..24).map(|n| format!("(R.attr.args.a{n} == \"x\" ? true : R.attr.args.a{n} == \"y\" ? true : has(R.attr.args.b{n}))")).collect();
    let wide = format!(
        "ALLOW \"a\" both {} && R.attr.args.zz == \"1\" && R.attr.args.zz == \"2\"",
        each.join(" && ")
    );
    let wide = root(&[&wide]);
    let proof = prove(Policies::from(&wide).within(20_000), &special());
    assert!(
        matches!(proof, Proof::Unknown { reason: Reason::TooManyCases { limit: 20_000 }, .. }),
        "{proof}"
    );
}

#[test]
fn declared_tools_alone() {
    let tools = |classification: &str, args: &str| {
        let basis = if classification == "special_category" { "\"legal_claims\"" } else { "null" };
        Tools::from_json(&format!(
            r#"[{{"name": "t", "classification": "{classification}", "art9_basis": {basis}, "residency": "eu", "effect": "read", "egress": "none",
                "args": {args}}}]"#
        ))
        .unwrap()
    };
    let set = root(&["ALLOW \"a\" both R.attr.args.x == 1"]);
    let with = |tools: &Tools| prove(Policies::from(&set).for_tools(tools), &special());
    assert!(with(&tools("public", "[\"x\"]")).is_proven());
    assert!(with(&tools("special_category", "[]")).is_proven(), "no such argument: the run halts");
    assert_eq!(
        broken(&with(&tools("special_category", "[\"x\"]"))).request.clone().unwrap().resource.id,
        "t"
    );
}

#[test]
fn nothing_crosses_tenants() {
    let crossing = |sources: &[Source]| prove(&load(sources), &Property::NothingCrossesTenants);
    let base =
        policy("", &["ALLOW \"a\" both R.attr.tool_name == \"t\" && R.attr.args.tenant == P.attr.tenant"]);
    assert!(crossing(std::slice::from_ref(&base)).is_proven());
    for unlocking in [
        "ALLOW \"a\" both R.attr.args.tenant == \"acme\"",
        "ALLOW \"a\" invoke R.attr.args.tenant != P.attr.tenant",
        "ALLOW \"a\" both R.attr.args.order.customer_of == \"globex\" && R.attr.tool_name == \"t\"",
        "ALLOW \"a\" both R.attr.args.Tenant_id != \"mine\"",
    ] {
        let sources = [policy("", &[unlocking]), policy("acme", &[]), policy("globex", &[])];
        let proof = crossing(&sources);
        let Some(found) = proof.counterexample() else { panic!("{unlocking}: {proof}") };
        assert!(allows(&load(&sources), found.request.as_ref().unwrap(), "invoke"), "{unlocking}");
    }
    let ok = [
        // An argument that names the run's own tenant, and another beside it, opens nothing that the own name would not.
        policy(
            "",
            &[
                "ALLOW \"a\" both P.attr.tenant == \"acme\"",
                "DENY \"*\" both R.attr.args.tenant != P.attr.tenant",
            ],
        ),
        policy("acme", &["ALLOW \"a\" both R.attr.args.to == \"acme\""]),
    ];
    assert!(crossing(&ok).is_proven());
    // A scope above a tenant's own that grants on its own account.
    let above = [
        policy("", &[]),
        policy("!acme", &["ALLOW \"a\" both R.attr.tool_name == \"t\""]),
        policy("!acme.hr", &[]),
    ];
    let proof = crossing(&above);
    let found = broken(&proof);
    assert_eq!(&*found.rule, "resource.agent.tool.vdefault/acme#r0");
    assert_eq!(found.request.as_ref().unwrap().resource.scope, "acme.hr");
    let above =
        [policy("", &["ALLOW \"a\" both"]), policy("acme", &["ALLOW \"a\" both"]), policy("acme.hr", &[])];
    assert!(crossing(&above).is_proven());
}

#[test]
fn a_new_set_allows_nothing_more() {
    let old = [
        "ALLOW \"a\" both R.attr.args.n <= 500",
        "ALLOW \"a\" invoke R.attr.args.n <= 1000",
        "DENY \"*\" both R.attr.egress == \"any\"",
    ];
    let narrower: [&[&str]; 5] = [
        &[],
        &old,
        &["ALLOW \"a\" both R.attr.args.n <= 499.5", "ALLOW \"a\" invoke R.attr.args.n <= 1000.0", old[2]],
        &["ALLOW \"a\" both R.attr.args.n <= 500 && R.attr.args.why.matches(\"a\")", old[1], old[2]],
        &[old[0], "DENY \"*\" both R.attr.egress != \"none\" && R.attr.egress != \"eu\""],
    ];
    for new in narrower {
        let proof = diff(&root(&old), &root(new));
        assert!(proof.is_proven(), "{new:?}: {proof}");
    }
    let wider: [(&[&str], &str); 7] = [
        (&["ALLOW \"a\" both R.attr.args.n <= 500.25", old[1], old[2]], "without approval"),
        (&[old[0], "ALLOW \"a\" invoke R.attr.args.n < 1001", old[2]], "with approval"),
        (&[old[0], old[1]], "was denied"),
        (&["ALLOW \"*\" both R.attr.args.n <= 500", old[1], old[2]], "was denied"),
        (
            &["ALLOW \"a\" both R.attr.args.n <= 500 || R.attr.args.n == 777", old[1], old[2]],
            "with approval is allowed without",
        ),
        // What failed before is allowed now.
        (&["ALLOW \"a\" both !has(R.attr.args.n) || R.attr.args.n <= 500", old[2]], "was denied"),
        (&[old[0], old[1], old[2], "ALLOW \"c\" invoke R.attr.tool_name == \"z\""], "was denied"),
    ];
    for (new, said) in wider {
        let (before, after) = (root(&old), root(new));
        let proof = diff(&before, &after);
        let Some(found) = proof.counterexample() else { panic!("{new:?}: {proof}") };
        let request = found.request.as_ref().unwrap();
        let more = |action| allows(&after, request, action) && !allows(&before, request, action);
        assert!(more("invoke") || more("invoke:auto"), "{new:?}: {proof}");
        assert!(found.explanation.contains(said), "{new:?}: {proof}");
    }
}

/// A scope of its own takes a tenant's runs out of the root's reach only as far as the root consents.
#[test]
fn a_new_scope_can_widen() {
    let rules = ["ALLOW \"a\" both R.attr.tool_name == \"t\""];
    let old = load(&[policy("", &rules)]);
    let narrow = load(&[policy("", &rules), policy("acme", &["ALLOW \"a\" both R.attr.args.to == \"x\""])]);
    assert!(diff(&old, &narrow).is_proven());
    let wide = load(&[policy("", &rules), policy("!acme", &["ALLOW \"a\" both R.attr.tool_name == \"u\""])]);
    let proof = diff(&old, &wide);
    let request = broken(&proof).request.clone().unwrap();
    assert_eq!((&*request.resource.scope, &request.principal.attr["tenant"]), ("acme", &"acme".into()));
    assert!(!diff(&narrow, &old).is_proven());
}

#[test]
fn dead_rules() {
    for (rules, dead) in [
        (
            &["ALLOW \"a\" both R.attr.effect == \"read\"", "DENY \"*\" both R.attr.effect == \"write\""][..],
            "r1",
        ),
        (&["ALLOW \"a\" both", "DENY \"*\" both", "DENY \"*\" both R.attr.effect == \"read\""], "r2"),
        (&["ALLOW \"a\" both R.attr.args.x == \"a\" && R.attr.args.x == \"b\""], "r0"),
        (&["ALLOW \"a\" both R.attr.args.x.matches(\"a\") && R.attr.classification == \"none\""], "r0"),
        // None of these is ever without a name, and no call is made by a tool that is nothing.
        (&["ALLOW \"a\" both P.attr.purpose == \"\""], "r0"),
        (
            &["ALLOW \"a\" both", "DENY \"*\" both P.id == \"\" || R.id == \"\" || P.attr.tenant == \"\""],
            "r1",
        ),
    ] {
        let proof = prove(&root(rules), &Property::NoRuleIsDead);
        let found = broken(&proof);
        assert!(found.rule.ends_with(dead), "{proof}");
        assert!(found.place.is_some() && found.request.is_none());
    }
    for rules in [
        &["ALLOW \"a\" both R.attr.args.x.startsWith(\"ab\")", "DENY \"*\" both R.attr.depth > 3"][..],
        &["DENY \"*\" both R.attr.args.x > 1", "ALLOW \"a\" both R.attr.args.y.z in [1, 2]"],
    ] {
        let proof = prove(&root(rules), &Property::NoRuleIsDead);
        assert!(proof.is_proven(), "{rules:?}: {proof}");
    }
}

/// A role policy in YAML: the role, what else its head has, and each rule's actions with its condition.
fn role_policy(role: &str, head: &str, rules: &[(&str, &str)]) -> Source {
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(at, (actions, condition))| {
            let condition = match *condition {
                "" => String::new(),
                condition => format!(", condition: {{match: {{expr: '{condition}'}}}}"),
            };
            format!("\n    - {{name: s{at}, resource: agent.tool, allowActions: [{actions}]{condition}}}")
        })
        .collect();
    let text = format!(
        "apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: {role}\n  version: default\n  {head}\n  rules:{rules}"
    );
    Source::new("role.yaml", &text)
}

#[test]
fn rules_of_role_policies_are_judged_too() {
    let base = || policy("", &["ALLOW \"a\" both"]);
    let both = "invoke, \"invoke:auto\"";
    let dead = |role: Source| {
        let set = load(&[base(), role]);
        prove(&set, &Property::NoRuleIsDead)
    };
    for (rules, found) in [
        (&[(both, "R.attr.effect == \"write\"")][..], "s0"),
        (&[(both, ""), ("view", "")], "s1"),
        (&[("invoke", "R.attr.depth < 1.0"), ("\"invoke*\"", "R.attr.depth > 1.0"), (both, "false")], "s1"),
        // What another rule of the policy denies while its own condition holds.
        (&[(both, "R.attr.depth < 1.0"), (both, "R.attr.depth > 1.0")], "s1"),
    ] {
        let proof = dead(role_policy("a", "", rules));
        assert!(broken(&proof).rule.ends_with(found), "{rules:?}: {proof}");
        assert!(broken(&proof).place.as_ref().is_some_and(|place| &*place.file == "role.yaml"));
    }
    for rules in [
        &[(both, "")][..],
        &[("invoke", ""), ("\"invoke:auto\"", "R.attr.args.x > 5.0")],
        &[("invoke", "R.attr.args.x.startsWith(\"a\")")],
    ] {
        let proof = dead(role_policy("a", "", rules));
        assert!(proof.is_proven(), "{rules:?}: {proof}");
    }
    // The role below is silent about the action, so that the rule of the one above is never looked at; but for who has that role itself.
    let below = role_policy("a", "parentRoles: [\"up\"]", &[("invoke", "")]);
    let mut above = role_policy("up", "", &[("\"invoke:auto\"", ""), ("invoke", "")]);
    above.path = "above.yaml".into();
    assert!(prove(&load(&[base(), below, above]), &Property::NoRuleIsDead).is_proven());
}

/// A scope in which a role policy alone is about tools is a tenant's scope: what it takes away is missed when it is dropped.
#[test]
fn a_tenant_with_a_role_policy_alone() {
    let base = || policy("", &["ALLOW \"a\" both"]);
    let narrowed = load(&[base(), role_policy("a", "scope: acme", &[("invoke", "")])]);
    let proof = diff(&narrowed, &load(&[base()]));
    let request = broken(&proof).request.clone().unwrap();
    assert_eq!(request.principal.attr["tenant"], "acme");
    assert!(diff(&load(&[base()]), &narrowed).is_proven());
    let elsewhere = load(&[base(), role_policy("b", "scope: acme", &[("invoke", "")])]);
    assert!(!diff(&narrowed, &elsewhere).is_proven());
}

#[path = "../benches/bundle/mod.rs"]
mod bundle;

/// Whether there is no case to look at: one would be too many.
fn at_once(old: &PolicySet, new: &PolicySet) -> bool {
    diff(old, Policies::from(new).within(0)).is_proven()
}

#[test]
fn a_set_against_itself_has_no_case() {
    let read =
        || -> Vec<Source> { bundle::files().iter().map(|(name, text)| Source::new(name, text)).collect() };
    assert!(at_once(&load(&read()), &load(&read())));
    assert!(!bundle::ARGS.is_empty());
    // What cannot be looked into is the same on both sides.
    let opaque = r#"ALLOW "a" both R.attr.args.x.matches("^a") && now() > timestamp("2020-01-01T00:00:00Z")"#;
    assert!(diff(&root(&[opaque]), &root(&[opaque])).counterexample().is_none());
    let opaque = r#"ALLOW "a" both R.attr.args.x.matches("^a")"#;
    assert!(at_once(&root(&[opaque]), &root(&[opaque])));
}

/// Two sets that differ in one thing are no longer taken for one.
#[test]
fn sets_that_differ_are_compared() {
    let old = [r#"ALLOW "a" both R.attr.tool_name == "t""#, r#"DENY "*" auto R.attr.effect == "once""#];
    for new in [
        [r#"ALLOW "a" both R.attr.tool_name == "u""#, old[1]],
        [r#"ALLOW "a","b" both R.attr.tool_name == "t""#, old[1]],
        [r#"ALLOW "a" both R.attr.tool_name != "t""#, old[1]],
        [old[0], r#"DENY "*" auto R.attr.effect == "read""#],
        [old[0], r#"ALLOW "*" auto R.attr.effect == "once""#],
        [old[0], r#"DENY "b" auto R.attr.effect == "once""#],
    ] {
        let (before, after) = (root(&old), root(&new));
        assert!(!at_once(&before, &after), "{new:?}");
        assert!(diff(&before, &after).counterexample().is_some(), "{new:?}");
    }
    // The same rules with another constant, another output, another scope.
    let text = |limit: u32, people: u32| {
        let policy = policy("", &[r#"ALLOW "a" invoke R.attr.args.x < C.limit"#])
            .text
            .replace("  rules:", &format!("  constants: {{local: {{limit: {limit}}}}}\n  rules:"));
        let says = format!(
            "{policy}      output: {{when: {{ruleActivated: '{{\"approval\": {{\"approvers\": {people}}}}}'}}}}\n"
        );
        load(&[Source::new("a.yaml", &says)])
    };
    assert!(at_once(&text(5, 2), &text(5, 2)));
    for new in [text(6, 2), text(5, 1)] {
        assert!(diff(&text(5, 2), &new).counterexample().is_some());
    }
    let of_derived = r#"ALLOW "a" both size(runtime.effectiveDerivedRoles) == 0"#;
    assert!(!at_once(&root(&[of_derived]), &root(&[of_derived])));
}

/// What cannot be looked into may come out differently for another value of an argument, in another scope, and for other derived roles.
#[test]
fn what_cannot_be_looked_into_is_not_the_same_everywhere() {
    // `{"tenant": "g1"}` opens what no other tenant's own name does.
    let unlocking = root(&[r#"ALLOW "a" both R.attr.args.tenant.matches("^g[0-9]$")"#]);
    let proof = prove(&unlocking, &Property::NothingCrossesTenants);
    assert!(!proof.is_proven(), "{proof}");
    let unlocking = root(&[r#"ALLOW "a" both size(R.attr.args) == size(R.attr.args.tenant)"#]);
    let proof = prove(&unlocking, &Property::NothingCrossesTenants);
    assert!(!proof.is_proven(), "{proof}");
    // In the root everything contains the scope's name.
    let rule = r#"ALLOW "a" both !R.attr.args.x.contains(R.scope)"#;
    let (old, new) =
        (load(&[policy("", &[rule])]), load(&[policy("", &["ALLOW \"a\" both"]), policy("acme", &[rule])]));
    let proof = diff(&load(&[policy("", &[rule]), policy("globex", &[])]), &new);
    assert!(!proof.is_proven() && !diff(&old, &new).is_proven(), "{proof}");
    // A principal's policy sees no derived roles for the first action, and for the second those that came after it.
    let roles = "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: ds\n  definitions:\n    - {name: d, parentRoles: [\"*\"]}\n";
    let rule = |action: &str, condition: &str| {
        format!(
            "{{action: \"{action}\", effect: EFFECT_DENY, condition: {{match: {{expr: '{condition}'}}}}}}"
        )
    };
    let principal = format!(
        "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: ann\n  version: default\n  rules:\n    - resource: agent.tool\n      actions: [{}, {}]\n",
        rule("invoke", "size(runtime.effectiveDerivedRoles) > 0"),
        rule("invoke:auto", "!(size(runtime.effectiveDerivedRoles) > 0)"),
    );
    let mut tools = policy("", &[r#"ALLOW "a" both P.id == "ann""#]);
    tools.text = tools.text.replace("  rules:", "  importDerivedRoles: [ds]\n  rules:");
    tools.text += "    - {name: d, actions: [invoke], effect: EFFECT_ALLOW, derivedRoles: [d], condition: {match: {expr: 'R.attr.depth > 9.0'}}}\n";
    let set = load(&[Source::new("roles.yaml", roles), Source::new("principal.yaml", &principal), tools]);
    let proof = prove(&set, &special());
    let request = broken(&proof).request.as_ref().unwrap();
    assert!(allows(&set, request, "invoke") && allows(&set, request, "invoke:auto"), "{proof}");
}

fn fifty() -> PolicySet {
    let files = bundle::files();
    load(&files.iter().map(|(name, text)| Source::new(name, text)).collect::<Vec<_>>())
}

/// Fifty rules of twenty-five tools, whose threshold is a conditional: as many cases as the rules tell apart, and not as there are values.
#[test]
fn fifty_rules_are_judged_within_few_cases() {
    let set = fifty();
    for (property, holds) in [
        (Property::NothingCrossesTenants, true),
        (special(), true),
        (Property::never_auto("personal"), false),
        // `rule-19` denies both actions wherever `rule-44` would allow one.
        (Property::NoRuleIsDead, false),
    ] {
        let proof = prove(Policies::from(&set).within(100_000), &property);
        assert_eq!(
            (proof.is_proven(), proof.counterexample().is_some()),
            (holds, !holds),
            "{property}: {proof}"
        );
    }
    // The same rules with one threshold higher, and one lower.
    let with = |from: &str, to: &str| {
        let files = bundle::files();
        let source = |(name, text): &(String, String)| Source::new(name, &text.replace(from, to));
        load(&files.iter().map(source).collect::<Vec<_>>())
    };
    let narrower = with("? 10000.0 : 100.0", "? 9000.0 : 100.0");
    assert!(diff(&set, Policies::from(&narrower).within(400_000)).is_proven());
    let proof = diff(&narrower, Policies::from(&set).within(400_000));
    let amount = broken(&proof).request.as_ref().unwrap().resource.attr["args"]["amount"].as_f64().unwrap();
    assert!((9000.0..10000.0).contains(&amount), "{amount}");
}

/// What stands around a conditional is compared with each of its branches; it fails where the condition does.
#[test]
fn conditionals_within_comparisons() {
    for condition in [
        "R.attr.args.n < (R.attr.residency == \"eu\" ? 5.0 : 3.0) && R.attr.args.n > 5.0",
        "(P.attr.has_subject ? R.attr.args.n : R.attr.args.m) == 1.0 && R.attr.args.n == 2.0 && P.attr.has_subject",
        "(has(R.attr.args.n) && R.attr.args.n > 3.0) == true && R.attr.args.n < 3.0",
        "R.attr.classification in [P.attr.has_subject ? \"public\" : \"personal\"]",
        "-(P.attr.has_subject ? 1.0 : 2.0) > 0.0 && R.attr.args.n > 1.0",
        "{\"a\": P.attr.has_subject ? 1.0 : 2.0}.a > 2.0",
        "(P.attr.has_subject ? {\"a\": 1.0} : {\"a\": 2.0}).a > 2.0",
        // The condition fails, and with it all that stands around it.
        "[R.attr.args.n > 1.0 ? 1.0 : 2.0][0] > 0.0 && R.attr.args.n == \"a\"",
        "size(R.attr.args.n ? \"a\" : \"b\") == 1 && R.attr.args.n == 1.0",
    ] {
        let set = root(&[&format!("ALLOW \"a\" both {condition}")]);
        let proof = prove(&set, &special());
        assert!(proof.is_proven(), "{condition}: {proof}");
    }
    for condition in [
        "R.attr.args.n < (R.attr.residency == \"eu\" ? 5.0 : 3.0) && R.attr.args.n > 4.0",
        "R.attr.classification in [P.attr.has_subject ? \"public\" : \"special_category\"]",
        // Another branch is not looked at, and may fail.
        "(P.attr.has_subject ? 1.0 : R.attr.args.n) < 2.0 && !has(R.attr.args.n)",
        "optional.of(1.0).orValue(R.attr.args.n ? 1.0 : 2.0) > 0.0 && !has(R.attr.args.n)",
        "(R.attr.args.n > 3.0 || P.attr.has_subject) == true && R.attr.args.n == \"a\"",
    ] {
        let set = root(&[&format!("ALLOW \"a\" both {condition}")]);
        let proof = prove(&set, &special());
        let request = broken(&proof).request.clone().unwrap();
        assert!(allows(&set, &request, "invoke:auto"), "{condition}");
    }
}

/// Patterns are sets of roles: who is meant by both is somebody else than who is meant by one.
#[test]
fn patterns_of_roles_that_overlap() {
    let public = r#"ALLOW "a*" both R.attr.classification == "public""#;
    assert!(prove(&root(&[public, "DENY \"*b\" both"]), &special()).is_proven());
    let proof = prove(&root(&[public, "ALLOW \"*b\" both"]), &special());
    let role = |proof: &Proof| broken(proof).request.as_ref().unwrap().principal.roles[0].to_string();
    assert!(role(&proof).ends_with('b'), "{proof}");
    let old = [r#"ALLOW "team:*" invoke R.attr.tool_name == "t""#, "DENY \"team:x*\" both"];
    for (new, role_is) in [
        ([r#"ALLOW "team:[a-w]*" invoke R.attr.tool_name == "t""#, old[1]], None),
        // A class may hold the `:` that a star stops at.
        ([r#"ALLOW "team:[!x]*" invoke R.attr.tool_name == "t""#, old[1]], Some("team::")),
        ([r#"ALLOW "team:a*" invoke R.attr.tool_name == "t""#, old[1]], None),
        ([old[0], "DENY \"team:*\" both"], None),
        ([old[0], "DENY \"team:xy*\" both"], Some("team:x")),
        ([r#"ALLOW "team*" invoke R.attr.tool_name == "t""#, old[1]], Some("team")),
        ([r#"ALLOW "team:**" invoke R.attr.tool_name == "t""#, old[1]], Some("team:")),
    ] {
        let (before, after) = (root(&old), root(&new));
        let proof = diff(&before, &after);
        assert_eq!(proof.is_proven(), role_is.is_none(), "{new:?}: {proof}");
        if let Some(start) = role_is {
            let request = broken(&proof).request.as_ref().unwrap();
            assert!(role(&proof).starts_with(start) && allows(&after, request, "invoke"), "{new:?}: {proof}");
        }
    }
}

fn at(time: Timestamp, set: &PolicySet, input: &CheckInput) -> bool {
    let output = cerbos::check(set, input, &CheckParams::at(time)).unwrap();
    let found = output.action("invoke").unwrap();
    found.effect == Effect::Allow && !found.rests_on_failure
}

/// Times are told apart by what they are compared with.
#[test]
fn conditions_about_the_time() {
    let until = |time: &str| format!("ALLOW \"a\" invoke now() < timestamp(\"{time}\")");
    let set = |rule: &str| root(&[rule]);
    let (may, june) = (until("2026-05-01T00:00:00Z"), until("2026-06-01T00:00:00Z"));
    assert!(diff(&set(&june), &set(&may)).is_proven());
    // The same instant, written otherwise.
    let same = until("2026-06-01T02:00:00+02:00");
    assert!(diff(&set(&june), &set(&same)).is_proven());
    let (before, after) = (set(&may), set(&june));
    let proof = diff(&before, &after);
    let found = broken(&proof);
    let (time, request) = (found.at().unwrap(), found.request.as_ref().unwrap());
    assert!(at(time, &after, request) && !at(time, &before, request), "{proof}");
    assert!(proof.to_string().contains(" at 2026-05-"), "{proof}");
    // A nanosecond more.
    let longer = until("2026-05-01T00:00:00.000000001Z");
    let proof = diff(&before, &set(&longer));
    assert_eq!(broken(&proof).at().unwrap().seconds, 1_777_593_600);
    let never = r#"ALLOW "a" both now() > timestamp("2026-01-02T00:00:00Z") && timestamp("2026-01-01T00:00:00Z") >= now()"#;
    assert!(prove(&root(&[never]), &special()).is_proven());
    assert!(broken(&prove(&root(&[never]), &Property::NoRuleIsDead)).rule.ends_with("r0"));
    let beside = r#"ALLOW "a" both now() > timestamp("2026-01-02T00:00:00Z") && R.attr.args.x == 1"#;
    assert!(broken(&prove(&root(&[beside]), &special())).time().unwrap().starts_with("2026-01-03"));
    let early = prove(&root(&[r#"ALLOW "a" both now().getHours() < 6"#]), &special());
    assert!(broken(&early).time().is_some(), "{early}");
    // What else is asked of the time stays free.
    let day = |times: &str| root(&[&format!("ALLOW \"a\" invoke {times}")]);
    let proof = diff(&day("now().getDayOfWeek() < 2"), &day("now().getDayOfWeek() < 1"));
    assert!(matches!(proof, Proof::Unknown { reason: Reason::Opaque { .. }, .. }), "{proof}");
    // The ends of time.
    let end = day("now() <= timestamp(\"9999-12-31T23:59:59.999999999Z\")");
    assert!(diff(&day("true"), &end).is_proven() && diff(&end, &day("true")).is_proven());
    for (last, first) in [
        ("9999-12-31T12:00:00Z", "0001-01-01T12:00:00Z"),
        ("9999-12-31T23:59:59.999999998Z", "0001-01-01T00:00:00.000000001Z"),
    ] {
        for near in [format!("now() > timestamp(\"{last}\")"), format!("now() < timestamp(\"{first}\")")] {
            let rule = format!("ALLOW \"a\" both {near}");
            let proof = prove(&root(&[&rule]), &special());
            assert!(allows_at(broken(&proof), &root(&[&rule])), "{proof}");
            assert!(prove(&root(&[&rule]), &Property::NoRuleIsDead).is_proven(), "{near}");
        }
    }
    for beyond in [
        r#"now() > timestamp("9999-12-31T23:59:59.999999999Z")"#,
        r#"now() < timestamp("0001-01-01T00:00:00Z")"#,
    ] {
        let set = root(&[&format!("ALLOW \"a\" both {beyond}")]);
        assert!(prove(&set, &special()).is_proven(), "{beyond}");
        assert!(broken(&prove(&set, &Property::NoRuleIsDead)).rule.ends_with("r0"), "{beyond}");
    }
}

fn allows_at(found: &Counterexample, set: &PolicySet) -> bool {
    at(found.at().unwrap(), set, found.request.as_ref().unwrap())
}

/// Roles of which each may be asked first or last, by the order of their names.
fn of_roles(rules: &[(&str, &str)]) -> PolicySet {
    let rules: String = rules
        .iter()
        .map(|(roles, condition)| {
            format!("    - {{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: {roles}, condition: {{match: {{expr: '{condition}'}}}}}}\n")
        })
        .collect();
    let text = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  rules:\n{rules}"
    );
    PolicySet::load(&[Source::new("p.yaml", &text)]).unwrap()
}

/// A condition of one role that fails halts the run, unless another role, asked before, is allowed: which that is say the names.
#[test]
fn roles_are_asked_in_the_order_of_their_names() {
    let pay = r#"R.attr.tool_name == "pay""#;
    let fails = r#"R.attr.tool_name == "pay" && R.attr.args.amount < 5.0"#;
    // `accounting` is asked before `support`: without the second rule nothing is allowed that was not.
    let both = of_roles(&[("[accounting]", pay), ("[support]", fails)]);
    let proof = diff(&both, &of_roles(&[("[accounting]", pay)]));
    assert!(proof.is_proven(), "{proof}");
    // `zoe` is asked behind it: whoever has both is halted by the one, and no more.
    let behind = of_roles(&[("[zoe]", pay), ("[support]", fails)]);
    let less = of_roles(&[("[zoe]", pay)]);
    let shown = |proof: &Proof| -> Vec<String> {
        let found = proof.counterexample().unwrap_or_else(|| panic!("{proof}"));
        found.request.as_ref().unwrap().principal.roles.iter().map(|role| role.as_ref().to_owned()).collect()
    };
    assert_eq!(shown(&diff(&behind, &less)), ["support", "zoe"]);
    // Of two who are one to the rules, one is asked behind it.
    let one_of_two = |rules: &[(&str, &str)]| of_roles(rules);
    let proof = diff(
        &one_of_two(&[("[accounting, zoe]", pay), ("[support]", fails)]),
        &one_of_two(&[("[accounting, zoe]", pay)]),
    );
    assert_eq!(shown(&proof), ["support", "zoe"]);
    // And so is somebody whom no rule names.
    let proof = diff(&of_roles(&[("[\"*\"]", pay), ("[support]", fails)]), &of_roles(&[("[\"*\"]", pay)]));
    let found = shown(&proof);
    assert!(found.is_sorted() && found.contains(&"support".to_owned()), "{found:?}");
}

/// A role that conditions look for does not stand for another to which the same rules speak.
#[test]
fn who_is_looked_for_stands_for_nobody_else() {
    let set = of_roles(&[("[a, b]", r#"!("a" in P.roles) && R.attr.classification == "special_category""#)]);
    let proof = prove(&set, &Property::never_auto("special_category"));
    let found = proof.counterexample().unwrap_or_else(|| panic!("{proof}"));
    assert_eq!(found.request.as_ref().unwrap().principal.roles, ["b".into()]);
}

/// What people write beside a tool's name: a pattern, office hours, a date, a network. A value that shows that the rule lives is made up.
#[test]
fn everyday_conditions_are_not_dead() {
    for condition in [
        r#"R.attr.args.iban.matches("^DE[0-9]{20}$")"#,
        r#"R.attr.args.day.matches("^[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]$")"#,
        r#"now().getHours("Europe/Berlin") >= 8 && now().getHours("Europe/Berlin") < 18"#,
        r#"now().getDayOfWeek() == 3 && now().getHours() == 17"#,
        r#"now().getMonth() == 6 && R.attr.args.iban.matches("^DE[0-9]{20}$")"#,
        r#"timestamp(R.attr.args.due) > now()"#,
        r#"timestamp(R.attr.args.due) < now() - duration("24h")"#,
        r#"R.attr.args.ip.inIPAddrRange("10.1.0.0/16")"#,
    ] {
        let rule = format!(
            r#"ALLOW "a" both R.attr.tool_name == "t" && R.attr.classification == "public" && {condition}"#
        );
        let proof = prove(&root(&[&rule]), &Property::NoRuleIsDead);
        assert!(proof.is_proven(), "{condition}: {proof}");
        // Where such a value breaks a property, a request shows it.
        let rule = rule.replace("public", "special_category");
        let set = root(&[&rule]);
        let proof = prove(&set, &special());
        let found = broken(&proof);
        let at = CheckParams::at(found.at().unwrap_or(Timestamp {
            seconds: 1_767_225_600,
            nanoseconds: 0,
            offset_seconds: 0,
        }));
        let output = cerbos::check(&set, found.request.as_ref().unwrap(), &at).unwrap();
        assert_eq!(output.action("invoke:auto").unwrap().effect, Effect::Allow, "{condition}: {proof}");
    }
}
