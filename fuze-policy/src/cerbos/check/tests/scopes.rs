use super::*;

const CONSENT: &str = "  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n";

fn rule(action: &str, effect: &str, condition: &str) -> String {
    let condition = if condition.is_empty() {
        String::new()
    } else {
        format!(", condition: {{match: {{expr: '{condition}'}}}}")
    };
    format!("    - {{actions: [{action}], roles: [user], effect: EFFECT_{effect}{condition}}}\n")
}

fn scoped(scope: &str, head: &str, rules: &str) -> String {
    doc(&format!("  scope: {scope}\n{head}"), rules)
}

fn ask(set: &PolicySet, scope: &str, action: &str) -> String {
    ask_with(set, scope, action, &params())
}

fn ask_with(set: &PolicySet, scope: &str, action: &str, params: &CheckParams) -> String {
    let mut input = asks(&["user"], &[action]);
    input.resource.scope = scope.to_owned();
    effects(&check(set, &input, params).unwrap()).join(";")
}

#[test]
fn a_child_decides_before_its_parents() {
    let set = set(&[
        &doc("", &(rule("view", "ALLOW", "") + &rule("edit", "DENY", ""))),
        &scoped("acme", "", &(rule("view", "DENY", "") + &rule("edit", "ALLOW", ""))),
        &scoped("acme.hr", "", "    []\n"),
    ]);
    let key = "resource.doc.vdefault/acme.hr";
    assert_eq!(ask(&set, "acme.hr", "view"), format!("view Deny {key} acme"));
    assert_eq!(ask(&set, "acme.hr", "edit"), format!("edit Allow {key} acme"));
    assert_eq!(ask(&set, "acme.hr", "list"), format!("list Deny {key}"));
    assert_eq!(ask(&set, "acme", "view"), "view Deny resource.doc.vdefault/acme acme");
    assert_eq!(ask(&set, "", "view"), "view Allow resource.doc.vdefault");
    assert_eq!(
        ask(&set, ".acme", "view"),
        "view Deny resource.doc.vdefault/acme acme",
        "a leading dot is dropped"
    );
}

#[test]
fn a_scope_without_policies_is_found_only_leniently() {
    let set = set(&[&doc("", &rule("view", "ALLOW", ""))]);
    assert_eq!(ask(&set, "acme.hr", "view"), "view Deny NO_MATCH");
    let lenient = CheckParams { lenient_scope_search: true, ..params() };
    assert_eq!(ask_with(&set, "acme.hr", "view", &lenient), "view Allow resource.doc.vdefault");
    let default = CheckParams { default_scope: "acme".to_owned(), ..params() };
    assert_eq!(ask_with(&set, "", "view", &default), "view Deny NO_MATCH");
}

#[test]
fn a_child_may_need_its_parents_consent() {
    let set = set(&[
        &doc("", &(rule("view", "ALLOW", "") + &rule("open", "ALLOW", ""))),
        &scoped(
            "acme",
            CONSENT,
            &(rule("view", "ALLOW", "")
                + &rule("edit", "ALLOW", "")
                + &rule("open", "ALLOW", "R.attr.open == true")),
        ),
    ]);
    let key = "resource.doc.vdefault/acme";
    assert_eq!(ask(&set, "acme", "view"), format!("view Allow {key}"), "the parent allows, and decides");
    assert_eq!(ask(&set, "acme", "edit"), format!("edit Deny {key}"), "the parent does not");
    let open = |open: bool| {
        let mut input = asks(&["user"], &["open"]);
        input.resource.scope = "acme".to_owned();
        input.resource.attr = json!({"open": open}).as_object().cloned().unwrap();
        effects(&decide(&set, &input)).join(";")
    };
    assert_eq!(open(true), format!("open Allow {key}"));
    assert_eq!(
        open(false),
        format!("open Deny {key} acme"),
        "a condition that does not hold is a denial of the child's"
    );
}

#[test]
fn principal_policies_have_scopes_of_their_own() {
    let principal = |scope: &str, effect: &str| {
        format!(
            "principalPolicy:\n  principal: anna\n  version: default\n  scope: '{scope}'\n  rules:\n    - {{resource: doc, actions: [{{action: view, effect: EFFECT_{effect}}}]}}\n"
        )
    };
    let set =
        set(&[&doc("", &rule("view", "ALLOW", "")), &principal("", "ALLOW"), &principal("acme", "DENY")]);
    let mut input = asks(&["user"], &["view"]);
    assert_eq!(effects(&decide(&set, &input)), ["view Allow principal.anna.vdefault"]);
    input.principal.scope = "acme".to_owned();
    assert_eq!(effects(&decide(&set, &input)), ["view Deny principal.anna.vdefault/acme acme"]);
    input.principal.scope = "other".to_owned();
    assert_eq!(effects(&decide(&set, &input)), ["view Allow resource.doc.vdefault"]);
}

#[test]
fn parent_roles_are_those_of_the_requests_scope() {
    let role = "rolePolicy: {role: intern, scope: acme, parentRoles: [user], rules: [{resource: doc, allowActions: ['*']}]}\n";
    let set = set(&[&doc("", &rule("view", "ALLOW", "")), &scoped("acme", "", "    []\n"), role]);
    let ask = |scope: &str| {
        let mut input = asks(&["intern"], &["view"]);
        input.resource.scope = scope.to_owned();
        effects(&decide(&set, &input)).join(";")
    };
    assert_eq!(ask("acme"), "view Allow resource.doc.vdefault/acme");
    assert_eq!(ask(""), "view Deny resource.doc.vdefault");
}

#[test]
fn derived_roles_are_told_for_the_scopes_that_were_asked() {
    let roles = |name: &str| {
        format!("derivedRoles: {{name: set_{name}, definitions: [{{name: {name}, parentRoles: [user]}}]}}\n")
    };
    let uses =
        |name: &str| format!("    - {{actions: [{name}], derivedRoles: [{name}], effect: EFFECT_ALLOW}}\n");
    let set = set(&[
        &doc("  importDerivedRoles: [set_low]\n", &uses("low")),
        &scoped("acme", "  importDerivedRoles: [set_high]\n", &uses("high")),
        &roles("low"),
        &roles("high"),
    ]);
    let told = |action: &str| {
        let mut input = asks(&["user"], &[action]);
        input.resource.scope = "acme".to_owned();
        decide(&set, &input)
            .effective_derived_roles
            .iter()
            .map(|r| r.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(told("high"), "high", "the child decided: its parent was not asked");
    assert_eq!(told("low"), "high low");
}
