use super::*;

const KEY: &str = "resource.doc.vdefault";

fn rule(action: &str, role: &str, effect: &str) -> String {
    format!("    - {{actions: ['{action}'], roles: ['{role}'], effect: EFFECT_{effect}}}\n")
}

#[test]
fn deny_wins_within_a_role_and_not_beyond() {
    let rules =
        rule("view", "user", "ALLOW") + &rule("view", "user", "DENY") + &rule("view", "admin", "ALLOW");
    let set = set(&[&doc("", &rules)]);
    expect(&set, &["user"], &["view"], &[&format!("view Deny {KEY}")]);
    expect(&set, &["user", "admin"], &["view"], &[&format!("view Allow {KEY}")]);
    expect(&set, &["admin", "user"], &["view"], &[&format!("view Allow {KEY}")]);
}

#[test]
fn no_roles_no_policy() {
    let set = set(&[&doc("", &rule("view", "*", "ALLOW"))]);
    expect(&set, &[], &["view"], &["view Deny"]);
}

#[test]
fn patterns_of_actions_and_roles() {
    let rules =
        rule("view:*", "*", "ALLOW") + &rule("*", "admin:*", "ALLOW") + &rule("{a,b}", "user", "ALLOW");
    let set = set(&[&doc("", &rules)]);
    expect(
        &set,
        &["user"],
        &["view:x", "view:x:y", "view"],
        &[&format!("view:x Allow {KEY}"), &format!("view:x:y Deny {KEY}"), &format!("view Deny {KEY}")],
    );
    expect(&set, &["admin:eu"], &["x:y:z"], &[&format!("x:y:z Allow {KEY}")]);
    expect(&set, &["admin:eu:1"], &["x"], &[&format!("x Deny {KEY}")]);
    // Without a star it is no pattern.
    expect(&set, &["user"], &["a", "{a,b}"], &[&format!("a Deny {KEY}"), &format!("{{a,b}} Allow {KEY}")]);
}

#[test]
fn principal_policies_come_first() {
    let principal = "principalPolicy:
  principal: anna
  version: default
  rules:
    - resource: doc
      actions:
        - {action: view, effect: EFFECT_DENY}
        - {action: edit, effect: EFFECT_ALLOW}
    - resource: '*'
      actions:
        - {action: 'list:*', effect: EFFECT_ALLOW}
";
    let rules = rule("*", "user", "ALLOW") + &rule("edit", "user", "DENY");
    let set = set(&[&doc("", &rules), principal]);
    let key = "principal.anna.vdefault";
    expect(
        &set,
        &["user", "admin"],
        &["view", "edit", "list:a", "other"],
        &[
            &format!("view Deny {key}"),
            &format!("edit Allow {key}"),
            &format!("list:a Allow {key}"),
            &format!("other Allow {KEY}"),
        ],
    );
    let mut bert = asks(&["user"], &["view", "edit"]);
    bert.principal.id = "bert".to_owned();
    assert_eq!(effects(&decide(&set, &bert)), [format!("view Allow {KEY}"), format!("edit Deny {KEY}")]);
}

#[test]
fn a_principal_policy_is_named_even_if_it_is_somebody_elses() {
    // As in Cerbos: that some principal policy of the version is in the scope is enough.
    let principal = "principalPolicy: {principal: bert, version: default}\n";
    let set = set(&[principal]);
    expect(&set, &["user"], &["view"], &["view Deny NO_MATCH"]);
    let output = decide(&set, &asks(&[], &["view"]));
    assert_eq!(effects(&output), ["view Deny"]);
}

#[test]
fn a_role_policy_narrows_its_role() {
    let role = "rolePolicy:
  role: intern
  parentRoles: [user]
  rules:
    - {resource: doc, allowActions: ['view:*', list]}
";
    let set = set(&[&doc("", &rule("*", "user", "ALLOW")), role]);
    let key = "role.intern.vdefault";
    expect(
        &set,
        &["intern"],
        &["view:a", "list", "edit"],
        &[&format!("view:a Allow {KEY}"), &format!("list Allow {KEY}"), &format!("edit Deny {key}")],
    );
    // Roles are independent: who has the parent role too is not narrowed.
    expect(&set, &["intern", "user"], &["edit"], &[&format!("edit Allow {KEY}")]);
    expect(&set, &["user"], &["edit"], &[&format!("edit Allow {KEY}")]);
}

#[test]
fn a_role_policy_alone_allows_nothing() {
    let role = "rolePolicy: {role: intern, rules: [{resource: doc, allowActions: [view]}]}\n";
    let set = set(&[role]);
    expect(
        &set,
        &["intern"],
        &["view", "edit"],
        &[&format!("view Deny {KEY}"), "edit Deny role.intern.vdefault"],
    );
}

#[test]
fn parents_of_parents_narrow_too() {
    let role = |name: &str, parent: &str, action: &str| {
        format!(
            "rolePolicy: {{role: {name}, parentRoles: [{parent}], rules: [{{resource: '*', allowActions: [{action}]}}]}}\n"
        )
    };
    let set =
        set(&[&doc("", &rule("*", "user", "ALLOW")), &role("a", "b", "view"), &role("b", "a, user", "'*'")]);
    expect(&set, &["a"], &["view", "edit"], &[&format!("view Allow {KEY}"), "edit Deny role.a.vdefault"]);
    expect(&set, &["b"], &["edit"], &["edit Deny role.a.vdefault"]);
}

#[test]
fn a_role_policy_speaks_only_where_some_rule_is_for_the_resource_and_the_role() {
    // As in Cerbos: no rule of `doc` is for the role or those above it, and the role policy is for something else.
    let role = "rolePolicy: {role: intern, rules: [{resource: other, allowActions: [view]}]}\n";
    let set_a = set(&[&doc("", &rule("*", "user", "ALLOW")), role]);
    expect(&set_a, &["intern"], &["view"], &[&format!("view Deny {KEY}")]);
    let set_b = set(&[&doc("", &rule("edit", "intern", "ALLOW")), role]);
    expect(&set_b, &["intern"], &["view"], &["view Deny role.intern.vdefault"]);
}

#[test]
fn a_role_policys_condition_denies_while_it_does_not_hold() {
    let role = "rolePolicy:
  role: intern
  parentRoles: [user]
  rules:
    - {resource: doc, allowActions: [view], condition: {match: {expr: R.attr.open}}}
";
    let set = set(&[&doc("", &rule("*", "user", "ALLOW")), role]);
    let with = |open: bool| {
        let mut input = asks(&["intern"], &["view"]);
        input.resource.attr = json!({"open": open}).as_object().cloned().unwrap();
        effects(&decide(&set, &input))
    };
    assert_eq!(with(true), [format!("view Allow {KEY}")]);
    assert_eq!(with(false), ["view Deny role.intern.vdefault"]);
}

#[test]
fn special_characters_of_resources_become_underscores() {
    let policy = doc("", &rule("view", "user", "ALLOW")).replace("resource: doc", "resource: 'a:b'");
    let set = set(&[&policy]);
    let ask = |kind: &str| {
        let mut input = asks(&["user"], &["view"]);
        input.resource.kind = kind.to_owned();
        effects(&decide(&set, &input))
    };
    assert_eq!(ask("a:b"), ["view Allow resource.a_b.vdefault"]);
    assert_eq!(ask("a-b"), ["view Allow resource.a_b.vdefault"]);
    assert_eq!(ask("a_b"), ["view Allow resource.a_b.vdefault"]);
}

#[test]
fn derived_roles_hold_by_their_conditions() {
    let roles = "derivedRoles:
  name: common
  definitions:
    - {name: owner, parentRoles: [user], condition: {match: {expr: R.attr.owner == P.id}}}
    - {name: anyone, parentRoles: ['*']}
    - {name: unused, parentRoles: ['*']}
";
    let rules = "    - {actions: [edit], derivedRoles: [owner], effect: EFFECT_ALLOW}
    - {actions: [list], derivedRoles: [anyone], effect: EFFECT_ALLOW}
    - {actions: [tell], roles: ['*'], effect: EFFECT_ALLOW, condition: {match: {expr: \"'owner' in runtime.effectiveDerivedRoles\"}}}
";
    let set = set(&[&doc("  importDerivedRoles: [common]\n", rules), roles]);
    let ask = |role: &str, owner: &str| {
        let mut input = asks(&[role], &["edit", "list", "tell"]);
        input.resource.attr = json!({"owner": owner}).as_object().cloned().unwrap();
        let output = decide(&set, &input);
        let allowed: Vec<&str> = output
            .actions
            .iter()
            .filter(|(_, d)| d.effect == crate::cerbos::Effect::Allow)
            .map(|(a, _)| &**a)
            .collect();
        (
            allowed.join(" "),
            output.effective_derived_roles.iter().map(|r| r.to_string()).collect::<Vec<_>>().join(" "),
        )
    };
    assert_eq!(ask("user", "anna"), ("edit list tell".to_owned(), "anyone owner".to_owned()));
    assert_eq!(ask("user", "bert"), ("list".to_owned(), "anyone".to_owned()));
    assert_eq!(ask("guest", "anna"), ("list".to_owned(), "anyone".to_owned()));
}
