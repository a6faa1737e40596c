//! Proofs and suites end: what is too much is counted before it is made, and the answer names what it was.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::fmt::Write as _;

use fuze_policy::analysis::{Finding, Lint, Policies, Proof, Property, Reason, Tools, diff, lint, prove};
use fuze_policy::cerbos::{PolicySet, Source};
use fuze_policy::suite;

/// Rules for tools, each with a role and a condition, below what else the policy has.
fn set(head: &str, rules: impl IntoIterator<Item = (String, String)>) -> PolicySet {
    let mut text = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n{head}  rules:\n"
    );
    for (role, condition) in rules {
        writeln!(
            text,
            "    - actions: [invoke, 'invoke:auto']\n      effect: EFFECT_ALLOW\n      roles: ['{role}']"
        )
        .unwrap();
        writeln!(text, "      condition:\n        match:\n          expr: |-\n            {condition}")
            .unwrap();
    }
    PolicySet::load(&[Source::new("p.yaml", &text)]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn reason(proof: Proof) -> Reason {
    match proof {
        Proof::Unknown { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

/// Lists of three of four hundred roles are sixty-four million.
#[test]
fn roles_that_combine_are_counted_first() {
    let tool = |at: usize| (format!("role{at}"), format!(r#"R.attr.tool_name == "tool{at}""#));
    let tenants = |count: usize| {
        let rule = |at: usize| {
            (format!("role{at}"), format!(r#"R.attr.tool_name == "tool{at}" && R.attr.args.tenant == "a""#))
        };
        set("", (0..count).map(rule))
    };
    let other = |at: usize| (format!("role{at}"), format!(r#"R.attr.tool_name == "other{at}""#));
    let (many, others) = (set("", (0..400).map(tool)), set("", (0..400).map(other)));
    for proof in [prove(&tenants(400), &Property::NothingCrossesTenants), diff(&many, &others)] {
        let reason = reason(proof);
        let Reason::TooManyRoles { roles, tenants: 1, principals: 0, limit: 30_000 } = reason else {
            panic!("{reason}")
        };
        // Those, and somebody who has none of them.
        assert!((400..=401).contains(&roles), "{roles}");
        assert!(reason.to_string().contains("roles apart"), "{reason}");
    }
    // As many as fit.
    let few = set("", (0..20).map(tool));
    assert!(prove(&few, &Property::never_auto("public")).counterexample().is_some());
}

/// Each set of a dozen roles that conditions look for, behind each list.
#[test]
fn roles_that_are_looked_for_are_counted_first() {
    let rule = |at: usize| (format!("role{at}"), format!(r#"R.attr.tool_name == "t" && "x{at}" in P.roles"#));
    let none = set("", [("z".to_owned(), "false".to_owned())]);
    let many = set("", (0..60).map(rule));
    let reason = reason(diff(&many, &none));
    assert!(matches!(reason, Reason::RolePatterns { .. }), "{reason}");
    let some = set("", (0..12).map(rule));
    let reason = self::reason(diff(&some, &none));
    assert!(matches!(reason, Reason::TooManyRoles { .. }), "{reason}");
}

/// As many roles, tenants and principals as programs have: a run's roles are a set, and of all that one may have those count that the question
/// is about.
#[test]
fn ordinary_numbers_of_roles_tenants_and_principals_are_looked_through() {
    let rule = |at: usize, condition: &str| {
        format!(
            "    - {{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [r{at}], condition: {{match: {{expr: '{condition}'}}}}}}\n"
        )
    };
    let policies = |roles: usize, tenants: usize, principals: usize, comment: &str, condition: &str| {
        let head = |scope: &str| {
            format!(
                "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n{scope}  rules:\n{comment}"
            )
        };
        let rules = |of: &str| {
            (0..roles)
                .map(|at| rule(at, &format!(r#"R.attr.tool_name == "{of}{at}"{condition}"#)))
                .collect::<String>()
        };
        let mut all = vec![Source::new("root.yaml", &(head("") + &rules("t")))];
        for at in 0..tenants {
            let scope = format!(
                "  scope: tenant{at}\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n"
            );
            all.push(Source::new(&format!("tenant{at}.yaml"), &(head(&scope) + &rules("t"))));
        }
        for at in 0..principals {
            let text = format!(
                "apiVersion: api.cerbos.dev/v1\nprincipalPolicy:\n  principal: p{at}\n  version: default\n  rules:\n    - resource: agent.tool\n      actions:\n        - {{action: 'invoke:auto', effect: EFFECT_DENY}}\n"
            );
            all.push(Source::new(&format!("principal{at}.yaml"), &text));
        }
        PolicySet::load(&all).unwrap_or_else(|problems| panic!("{problems}"))
    };
    for (roles, tenants, principals) in [(33, 0, 0), (10, 40, 0), (12, 20, 0), (6, 150, 0), (8, 0, 60)] {
        let of = |comment: &str, condition: &str| policies(roles, tenants, principals, comment, condition);
        let who = format!("{roles} roles, {tenants} tenants, {principals} principals");
        let set = of("", "");
        let proof = prove(&set, &Property::NothingCrossesTenants);
        assert!(proof.is_proven(), "{who}: {proof}");
        let proof = diff(&set, &of("    # A comment.\n", ""));
        assert!(proof.is_proven(), "{who}: {proof}");
        let proof = diff(&of("", r#" && R.attr.classification == "public""#), &set);
        assert!(proof.counterexample().is_some(), "{who}: {proof}");
    }
    // Where arguments name tenants there are cases to look at.
    let proof = prove(
        &policies(12, 3, 0, "", " && R.attr.args.tenant == P.attr.tenant"),
        &Property::NothingCrossesTenants,
    );
    assert!(matches!(proof, Proof::Proven { cases: 1.., .. }), "{proof}");
    let proof = prove(
        &policies(12, 3, 0, "", r#" && R.attr.args.tenant == "tenant1""#),
        &Property::NothingCrossesTenants,
    );
    assert!(proof.counterexample().is_some(), "{proof}");
}

/// Where neither a tenant nor an argument is looked at, what tools are called need not be tried out.
#[test]
fn rules_that_look_at_no_tenant_and_no_argument_cross_none() {
    let rule = |at: usize| {
        let condition =
            format!(r#"R.attr.tool_name.startsWith("a{at}_") && R.attr.classification == "public""#);
        ("a".to_owned(), condition)
    };
    let proof = prove(&set("", (0..20).map(rule)), &Property::NothingCrossesTenants);
    assert!(proof.is_proven(), "{proof}");
}

/// Where who asks cannot be looked through, an ALLOW is not said to exclude nothing.
#[test]
fn a_lint_that_looked_at_nobody_does_not_object() {
    let tenants = (0..300).map(|at| {
        let text = format!("apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  scope: t{at}\n");
        Source::new(&format!("t{at}.yaml"), &text)
    });
    let rules: String = (0..110)
        .map(|at| {
            format!(
                "    - {{actions: [invoke], effect: EFFECT_ALLOW, roles: [r{at}], condition: {{match: {{expr: 'R.attr.tool_name == \"t\" && R.attr.args.x > 1.0'}}}}}}\n"
            )
        })
        .collect();
    let root = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  rules:\n{rules}"
    );
    let sources: Vec<Source> = tenants.chain([Source::new("root.yaml", &root)]).collect();
    let set = PolicySet::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    let found = lint(&set, &Tools::default());
    assert!(found.iter().all(|finding| finding.lint != Lint::RestsOnArguments), "{found:?}");
}

/// What is tried for a counterexample is bounded while it is made: here a few hundred arguments, each with some thirty values.
#[test]
fn values_that_combine_are_few() {
    let sum =
        |name: &str| (0..60).map(|at| format!("R.attr.args.{name}{at}")).collect::<Vec<_>>().join(" + ");
    let all: Vec<String> = ["a", "b", "c", "d", "e"].map(|name| format!("{} < 3.0", sum(name))).into();
    let set = set("", [("a".to_owned(), format!(r#"R.attr.tool_name == "t" && {}"#, all.join(" && ")))]);
    let reason = reason(prove(&set, &Property::never_auto("public")));
    assert!(matches!(reason, Reason::Opaque { .. } | Reason::TooMuchWork { .. }), "{reason}");
}

/// Few cases, each of which takes long: variables that double what they are made of.
#[test]
fn what_takes_long_in_each_case_is_given_up() {
    let mut head = "  variables:\n    local:\n      v0: R.attr.args.x == 1.0\n".to_owned();
    for at in 1..40 {
        let before = at - 1;
        writeln!(head, "      v{at}: V.v{before} && !V.v{before} || V.v{before}").unwrap();
    }
    let rules = (0..40).map(|at| ("a".to_owned(), format!(r#"R.attr.args.y{at} > 1.0 && V.v39"#)));
    let set = set(&head, rules);
    let reason = reason(prove(&set, &Property::NoRuleIsDead));
    assert!(matches!(reason, Reason::TooMuchWork { limit: 20_000_000 }), "{reason}");
    assert!(reason.to_string().contains("shorter"), "{reason}");
}

/// Expectations are counted before they are put together, also those for which there is no input.
#[test]
fn expectations_that_multiply() {
    let policy = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: album\n  version: default\n  rules:\n    \
                  - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n";
    let set = PolicySet::load(&[Source::new("p.yaml", policy)]).unwrap();
    let fixtures = |of: &str, fields: &str, count: usize| -> String {
        (0..count).map(|at| format!("  {of}{at}: {{id: {of}{at}, {fields}}}\n")).collect()
    };
    let told = |principals: usize, resources: usize, input: &str| {
        let names =
            |of: &str, count: usize| (0..count).map(|at| format!("{of}{at}")).collect::<Vec<_>>().join(", ");
        let (who, what) = (names("p", principals), names("r", resources));
        let text = format!(
            "name: s\nprincipals:\n{}resources:\n{}principalGroups:\n  all: {{principals: [{who}]}}\nresourceGroups:\n  all: {{resources: \
             [{what}]}}\ntests:\n  - name: t\n    input: {{{input}, actions: [view]}}\n    expected:\n      - {{principalGroups: [all], \
             resourceGroups: [all], actions: {{view: EFFECT_DENY}}}}\n",
            fixtures("p", "roles: [guest]", principals),
            fixtures("r", "kind: album", resources),
        );
        let result = suite::run(&set, &Source::new("s_test.yaml", &text), &[]);
        assert_eq!(result.holds(), result.problems.is_empty());
        result.problems.iter().map(ToString::to_string).collect::<String>()
    };
    let all = "principalGroups: [all], resourceGroups: [all]";
    assert_eq!(told(100, 100, all), "");
    let few = told(2_000, 2_000, "principals: [p0], resources: [r0]");
    assert!(few.contains("`expected` has 4000000 combinations, at most 100000"), "{few}");
    let many = told(2_000, 2_000, all);
    assert!(many.contains("`input` has 4000000 combinations"), "{many}");
}

fn tools(count: usize) -> Tools {
    let tools: Vec<String> = (0..count)
        .map(|at| {
            format!(
                r#"{{"name": "t{at}", "classification": "public", "residency": "eu", "effect": "read", "egress": "none", "args": ["a{at}"]}}"#
            )
        })
        .collect();
    Tools::from_json(&format!("[{}]", tools.join(","))).unwrap()
}

/// Rules each for its own tool cost as much as there are, and not for each tool as many: else these would be given up.
#[test]
fn rules_of_as_many_tools_are_looked_through() {
    let rule = |at: usize| {
        (
            "a".to_owned(),
            format!(
                r#"R.attr.tool_name == "t{at}" && R.attr.classification == "public" && R.attr.args.a{at} < {at}.0"#
            ),
        )
    };
    let many = || (0..1_000).map(rule);
    let (before, well) = (set("", many()), set("", many()));
    for property in
        [Property::never_auto("special_category"), Property::NothingCrossesTenants, Property::NoRuleIsDead]
    {
        let proof = prove(&well, &property);
        assert!(proof.is_proven(), "{proof}");
    }
    let found = lint(&well, &tools(1_000));
    assert_eq!(found, []);
    // A slip among all of them is found: a rule that another makes needless, one for a tool that is not there, an argument of another tool.
    let again = (
        "a".to_owned(),
        r#"R.attr.tool_name == "t7" && R.attr.classification == "public" && R.attr.args.a7 < 6.0"#.to_owned(),
    );
    let absent = ("a".to_owned(), r#"R.attr.tool_name == "x""#.to_owned());
    let other = ("a".to_owned(), r#"R.attr.tool_name == "t8" && R.attr.args.a9 < 3.0"#.to_owned());
    let slips = set("", many().chain([again, absent, other]));
    let found: Vec<Lint> = lint(&slips, &tools(1_000)).iter().map(|finding| finding.lint).collect();
    assert_eq!(
        found,
        [Lint::ShadowedRule, Lint::DeadRule, Lint::UnknownTool, Lint::DeadRule, Lint::UnknownArgument]
    );
    let proof = diff(&before, &slips);
    let Some(shown) = proof.counterexample() else { panic!("{proof}") };
    let tool = &shown.request.as_ref().unwrap().resource.id;
    assert!(["t8", "x"].contains(&&**tool), "{tool}");
}

/// Rules of role policies are each looked at in a set of its own. They have one budget, and what it does not reach is told.
#[test]
fn rules_of_role_policies_share_a_budget() {
    let of_role = |count: usize| {
        let rules: String = (0..count)
            .map(|at| {
                format!(
                    "    - {{name: r{at}, resource: agent.tool, allowActions: [invoke], condition: {{match: {{expr: 'R.attr.tool_name == \"t\"'}}}}}}\n"
                )
            })
            .collect();
        let role = format!(
            "apiVersion: api.cerbos.dev/v1\nrolePolicy:\n  role: a\n  version: default\n  rules:\n{rules}    - {{resource: agent.tool, allowActions: [invoke]}}\n"
        );
        let tools = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  rules:\n    - {actions: [invoke], effect: EFFECT_ALLOW, roles: [a], condition: {match: {expr: 'P.attr.purpose == \"p\"'}}}\n";
        PolicySet::load(&[Source::new("role.yaml", &role), Source::new("tools.yaml", tools)]).unwrap()
    };
    let told = |count: usize, most: u64| {
        let set = of_role(count);
        lint(Policies::from(&set).within(most), &Tools::default())
    };
    // Each of them names what the others do.
    let needless =
        |found: &[Finding]| found.iter().filter(|finding| finding.lint == Lint::ShadowedRule).count();
    let not_judged = |found: &[Finding]| -> Vec<String> {
        let of = found.iter().filter(|finding| finding.lint == Lint::NotJudged);
        of.map(ToString::to_string).collect()
    };
    let plenty = told(12, 100_000);
    assert_eq!((needless(&plenty), not_judged(&plenty)), (13, Vec::new()), "{plenty:?}");
    // Enough for three rules is not enough for thirteen.
    let most = (0..).map(|power| 1 << power).find(|most| not_judged(&told(2, *most)).is_empty()).unwrap();
    assert_eq!(needless(&told(2, most)), 3);
    let many = told(12, most);
    let [told] = &not_judged(&many)[..] else { panic!("{many:?}") };
    assert!(told.contains("role.yaml:") && told.contains("was not judged"), "{told}");
    assert!(told.contains(&format!("more than {most} cases")), "{told}");
    assert!(Lint::NotJudged.is_note() && needless(&many) < 13);
}

/// Lint has one budget for all rules and for the tools of each. What it could not look through it does not object to.
#[test]
fn a_lint_that_takes_long_objects_to_nothing() {
    let tools: Vec<String> = (0..40)
        .map(|at| {
            format!(
                r#"{{"name": "t{at}", "classification": "public", "residency": "eu", "effect": "read", "egress": "none", "args": ["a"]}}"#
            )
        })
        .collect();
    let tools = Tools::from_json(&format!("[{}]", tools.join(","))).unwrap();
    let free =
        |name: &str| (0..30).map(|at| format!(r#"P.attr.purpose.matches("{name}{at}")"#)).collect::<Vec<_>>();
    let rule = |at: usize| {
        let all = free(&format!("x{at}_")).join(" == ");
        let never = free(&format!("y{at}_"))
            .iter()
            .map(|of| format!("({of} && !({of}))"))
            .collect::<Vec<_>>()
            .join(" || ");
        ("a".to_owned(), format!(r#"R.attr.args.b == 1.0 && ({never}) && ({all})"#))
    };
    let found = lint(&set("", (0..3).map(rule)), &tools);
    assert!(found.iter().all(|finding| finding.lint != Lint::UnknownArgument), "{found:?}");
}
