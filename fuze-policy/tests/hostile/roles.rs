//! Roles, tenants and scopes with names that look like others, or widen what they seem to narrow.

use fuze_policy::{Decision, EngineError};

use super::{Asked, engine, rule, tools, try_engine};

const CONSENT: &str = "scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS";

fn scoped(scope: &str, rules: &[String]) -> String {
    tools(&format!("  scope: {scope}\n  {CONSENT}\n"), rules)
}

fn allow(roles: &str) -> String {
    format!("{{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [{roles}]}}")
}

fn role_policy(role: &str, more: &str, actions: &str) -> String {
    format!(
        "rolePolicy:\n  role: {role}\n  version: default\n{more}  rules:\n    - {{resource: agent.tool, allowActions: [{actions}]}}\n"
    )
}

#[test]
fn each_tenant_is_decided_in_its_own_scope_or_in_the_root() {
    let engine = engine(&[
        tools("", &[rule("ALLOW", "true")]),
        scoped("acme", &[rule("DENY", "true")]),
        scoped("acme.eu", &[rule("DENY", "false")]),
        scoped("globex", &[rule("DENY", "false")]),
    ]);
    for (tenant, scope, decision) in [
        ("acme", "acme", Decision::Deny),
        // The parent denies.
        ("acme.eu", "acme.eu", Decision::Deny),
        ("globex", "globex", Decision::Allow),
        // A name beside is another tenant, and what Cerbos would read as another's is nobody's.
        (".acme", "", Decision::Allow),
        ("acme.", "", Decision::Allow),
        ("ACME", "", Decision::Allow),
        ("acme.us", "", Decision::Allow),
        ("acme\u{200b}", "", Decision::Allow),
        ("", "", Decision::Allow),
        (".", "", Decision::Allow),
    ] {
        let asked = Asked::tenant(tenant);
        assert_eq!(engine.scope_of(&asked.tenant), scope, "{tenant:?}");
        let lowered = engine.decide_lowered(&asked.request()).unwrap();
        let interpreted = engine.decide_interpreted(&asked.request()).unwrap();
        assert_eq!(lowered.decision, decision, "{tenant:?}");
        assert_eq!((lowered.decision, lowered.rule), (interpreted.decision, interpreted.rule), "{tenant:?}");
    }
}

#[test]
fn a_scope_that_is_no_name_is_refused() {
    for scope in ["'acme eu'", "acme..eu", "'*'", "'acme.*'", "acme/eu", "'acme\u{200b}'", "-acme"] {
        let policies = [tools("", &[rule("ALLOW", "true")]), scoped(scope, &[rule("DENY", "true")])];
        assert!(try_engine(&policies).is_err(), "{scope}");
    }
}

#[test]
fn a_role_policy_narrows_whoever_has_its_role_and_nobody_else() {
    let engine = engine(&[tools("", &[allow("a, b")]), role_policy("b", "", "invoke")]);
    for (roles, lowered, decision) in [
        (&["a"][..], true, Decision::Allow),
        (&["b"], false, Decision::RequiresApproval(Default::default())),
        // Each role on its own: the other one may.
        (&["b", "a"], false, Decision::Allow),
        (&["a", "b"], false, Decision::Allow),
        (&["B"], true, Decision::Deny),
        (&["b "], true, Decision::Deny),
        (&["*"], true, Decision::Deny),
    ] {
        let asked = Asked::roles(roles);
        assert_eq!(engine.decide_lowered(&asked.request()).is_some(), lowered, "{roles:?}");
        assert_eq!(engine.decide_interpreted(&asked.request()).unwrap().decision, decision, "{roles:?}");
    }
    assert!(engine.decide_lowered(&Asked::roles(&[]).request()).is_none());
    // Cerbos takes no request with a role twice, and none with one that has no name: the first is asked as the set it is, the other refused.
    for roles in [&["support", "support"][..], &["a", "sales", "a"], &["support", ""], &[""]] {
        let asked = Asked::roles(roles);
        assert!(engine.decide_lowered(&asked.request()).is_none(), "{roles:?}");
        let found = engine.decide_interpreted(&asked.request());
        assert_eq!(found.is_err(), roles.contains(&""), "{roles:?}");
        let error = found.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(!roles.contains(&"") || error.contains("a role without a name"), "{error}");
    }
    let many: Vec<String> = (0..1000).map(|at| format!("r{at:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(engine.decide_lowered(&Asked::roles(&many).request()).is_none());
    assert!(engine.decide_interpreted(&Asked::roles(&many).request()).is_ok());
    let error = engine.decide_interpreted(&Asked::roles(&[]).request());
    assert!(matches!(error, Err(EngineError::Evaluation(_))), "{error:?}");
}

/// Seen on Cerbos 0.55: by `parentRoles` in its role policy a tenant lets a role do what the root allows to another.
#[test]
fn a_tenants_role_policy_that_gives_parents_is_refused() {
    let root = tools("", &[allow("admin")]);
    let parents = "  parentRoles: [admin]\n";
    let of_tenant = role_policy("a", &format!("  scope: acme\n{parents}"), "invoke, 'invoke:auto'");
    let error = try_engine(&[root.clone(), of_tenant.clone()]).unwrap_err();
    assert!(
        error.starts_with("1.yaml:") && error.contains("parent-roles") && error.contains("`admin`"),
        "{error}"
    );
    // Also where the role policy itself is about something else, and another policy makes the scope.
    let elsewhere = of_tenant.replace("agent.tool", "album");
    let error =
        try_engine(&[root.clone(), elsewhere.clone(), scoped("acme", &[rule("DENY", "false")])]).unwrap_err();
    assert!(error.contains("parent-roles"), "{error}");
    // Not where nobody asks about tools, nor without parents, nor at the root, which is everybody's.
    assert_eq!(try_engine(&[root.clone(), elsewhere, album(""), album("  scope: acme\n")]).map(drop), Ok(()));
    assert!(try_engine(&[root.clone(), role_policy("a", "  scope: acme\n", "invoke")]).is_ok());
    assert!(try_engine(&[root, role_policy("a", parents, "invoke")]).is_ok());
}

/// Seen on Cerbos 0.55: it remembers the outcome of a role policy's rule for all actions of a request, by the rule's number among those of
/// its resource. Asked about both actions, `invoke:auto` would be decided by the condition of `invoke`, and nobody by its own.
#[test]
fn a_condition_of_one_action_that_would_settle_another_is_refused() {
    let rule = |resource: &str, action: &str, more: &str| {
        format!("    - {{resource: '{resource}', allowActions: ['{action}']{more}}}\n")
    };
    let read = ", condition: {match: {expr: R.attr.effect == \"read\"}}";
    let small = ", condition: {match: {expr: R.attr.args.amount < 5}}";
    let says = ", output: {when: {ruleActivated: '{}'}}";
    let root = tools("", &[allow("a")]);
    let load = |rules: &[String]| {
        let head = "rolePolicy:\n  role: a\n  version: default\n  rules:\n";
        try_engine(&[root.clone(), format!("{head}{}", rules.concat())]).map(drop)
    };
    for (first, second) in [
        (rule("agent.tool", "invoke", read), rule("agent.*", "invoke:auto", small)),
        (rule("*", "invoke", read), rule("agent.tool", "invoke:auto", small)),
        (rule("*", "invoke:auto", small), rule("agent.*", "invoke", read)),
        (rule("*", "invoke:auto", small), rule("agent.*", "invoke", says)),
        (rule("*", "invoke", says), rule("agent.*", "invoke:auto", small)),
    ] {
        let error = load(&[first, second]).unwrap_err();
        assert!(
            error.contains(
                "1.yaml:7:7: Cerbos 0.55 decides this rule and the one at 1.yaml:6:7 by one condition"
            ),
            "{error}"
        );
    }
    // Rules for one resource have numbers of their own; what asks for nothing has no outcome; other actions are not asked about.
    for (first, second) in [
        (rule("agent.tool", "invoke", read), rule("agent.tool", "invoke:auto", small)),
        (rule("agent.tool", "invoke", ""), rule("agent.*", "invoke:auto", small)),
        (rule("agent.tool", "invoke", says), rule("agent.*", "invoke:auto", says)),
        (rule("agent.tool", "invoke", read), rule("agent.*", "view", small)),
        (rule("agent.tool", "invoke", read), rule("album*", "invoke:auto", small)),
    ] {
        assert_eq!(load(&[first.clone(), second.clone()]), Ok(()), "{first}{second}");
    }
}

fn album(scope: &str) -> String {
    tools(scope, &[allow("admin")]).replace("agent.tool", "album")
}

/// A rule for a role is not one for a role that is named as its pattern.
#[test]
fn roles_are_names_and_patterns_are_the_policys() {
    let engine = engine(&[tools("", &[allow("'g:*', 'x?y', '[b]', 'p**q'")])]);
    for (role, decision) in [
        ("g:x", Decision::Allow),
        ("g:", Decision::Allow),
        ("g:x:y", Decision::Deny),
        // Without a star it is no pattern.
        ("x?y", Decision::Allow),
        ("xzy", Decision::Deny),
        ("[b]", Decision::Allow),
        ("b", Decision::Deny),
        ("pq", Decision::Allow),
        ("p:a:q", Decision::Allow),
        ("**", Decision::Deny),
    ] {
        let asked = Asked::roles(&[role]);
        let lowered = engine.decide_lowered(&asked.request()).unwrap();
        assert_eq!(lowered.decision, decision, "{role}");
        assert_eq!(engine.decide_interpreted(&asked.request()).unwrap().decision, decision, "{role}");
    }
}
