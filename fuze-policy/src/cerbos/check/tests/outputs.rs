use super::*;

fn said(output: &CheckOutput) -> Vec<String> {
    let line = |entry: &super::super::OutputEntry| match &entry.value {
        Ok(value) => format!("{} {} {value}", entry.source, entry.action),
        Err(error) => format!("{} {} failed: {error}", entry.source, entry.action),
    };
    output.outputs.iter().map(line).collect()
}

fn rule(effect: &str, condition: &str, output: &str) -> String {
    format!(
        "    - {{name: r, actions: [view], roles: [user, admin], effect: EFFECT_{effect}, condition: {{match: {{expr: '{condition}'}}}}, output: {output}}}\n"
    )
}

const BOTH: &str = "{when: {ruleActivated: '\"yes\"', conditionNotMet: '\"no\"'}}";

#[test]
fn a_rule_says_one_thing_or_the_other() {
    let say = |condition: &str| {
        said(&decide(&set(&[&doc("", &rule("ALLOW", condition, BOTH))]), &asks(&["user"], &["view"])))
    };
    assert_eq!(say("true"), ["resource.doc.vdefault#r view \"yes\""]);
    assert_eq!(say("false"), ["resource.doc.vdefault#r view \"no\""]);
    let old = set(&[&doc("", &rule("ALLOW", "true", "{expr: '{\"who\": P.id, \"n\": 1}'}"))]);
    assert_eq!(said(&decide(&old, &asks(&["user"], &["view"]))).len(), 1);
    let failing = set(&[&doc("", &rule("ALLOW", "true", "{when: {ruleActivated: R.attr.x}}"))]);
    let output = decide(&failing, &asks(&["user"], &["view"]));
    assert_eq!(said(&output), ["resource.doc.vdefault#r view failed: no such key: x"]);
    assert!(output.failed() && output.evaluation_errors.is_empty());
    assert!(!output.action("view").unwrap().rests_on_failure);
}

#[test]
fn a_denial_is_said_for_each_role_that_meets_it() {
    // As in Cerbos: roles are asked one after another until one may.
    let output = decide(&set(&[&doc("", &rule("DENY", "true", BOTH))]), &asks(&["user", "admin"], &["view"]));
    assert_eq!(said(&output).len(), 2);
    let output =
        decide(&set(&[&doc("", &rule("ALLOW", "true", BOTH))]), &asks(&["user", "admin"], &["view"]));
    assert_eq!(said(&output).len(), 1);
}

#[test]
fn nothing_is_said_after_a_denial() {
    let rules = rule("DENY", "true", "{when: {ruleActivated: '1'}}").replace("name: r", "name: first")
        + &rule("ALLOW", "true", BOTH).replace("name: r", "name: second");
    let output = decide(&set(&[&doc("", &rules)]), &asks(&["user"], &["view"]));
    assert_eq!(output.outputs.len(), 1);
    assert_eq!(&*output.outputs[0].source, "resource.doc.vdefault#first");
}

#[test]
fn role_policies_turn_their_outputs_around_with_their_conditions() {
    let role = |condition: &str| {
        format!(
            "rolePolicy:\n  role: intern\n  parentRoles: [user]\n  rules:\n    - {{name: n, resource: doc, allowActions: [view], {condition}output: {BOTH}}}\n"
        )
    };
    let allow = doc("", "    - {actions: ['*'], roles: [user], effect: EFFECT_ALLOW}\n");
    let say =
        |condition: &str| said(&decide(&set(&[&allow, &role(condition)]), &asks(&["intern"], &["view"])));
    assert_eq!(say("condition: {match: {expr: 'true'}}, "), ["role.intern.vdefault#n view \"yes\""]);
    assert_eq!(say("condition: {match: {expr: 'false'}}, "), ["role.intern.vdefault#n view \"no\""]);
    assert_eq!(say(""), ["role.intern.vdefault#n view \"yes\""]);
}

#[test]
fn a_rule_that_needs_consent_says_what_its_denial_says() {
    // As in Cerbos: the condition is turned around, the outputs are not.
    let child = doc(
        "  scope: acme\n  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS\n",
        &rule("ALLOW", "R.attr.open", BOTH),
    );
    let set = set(&[&doc("", "    - {actions: ['*'], roles: [user], effect: EFFECT_ALLOW}\n"), &child]);
    let say = |open: bool| {
        let mut input = asks(&["user"], &["view"]);
        input.resource.scope = "acme".to_owned();
        input.resource.attr = json!({"open": open}).as_object().cloned().unwrap();
        said(&decide(&set, &input))
    };
    assert_eq!(say(true), ["resource.doc.vdefault/acme#r view \"no\""]);
    assert_eq!(say(false), ["resource.doc.vdefault/acme#r view \"yes\""]);
}

#[test]
fn a_principal_policy_speaks_once_whatever_the_roles() {
    let principal = format!(
        "principalPolicy:\n  principal: anna\n  version: default\n  rules:\n    - resource: doc\n      actions:\n        - {{name: r, action: view, effect: EFFECT_ALLOW, condition: {{match: {{expr: 'false'}}}}, output: {BOTH}}}\n"
    );
    let output = decide(&set(&[&principal]), &asks(&["user", "admin"], &["view"]));
    assert_eq!(said(&output), ["principal.anna.vdefault#r view \"no\""]);
}
