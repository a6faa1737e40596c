use std::sync::Arc;

use serde_json::json;

use super::super::files::Source;
use super::super::set::PolicySet;
use super::{
    CheckError, CheckInput, CheckOutput, CheckParams, Principal, Resource, Step, check, check_stepwise,
};
use crate::cel::{Budget, Timestamp};

mod costs;
mod outputs;
mod roles;
mod scopes;
mod strictness;

const HEAD: &str = "apiVersion: api.cerbos.dev/v1\n";

/// Policies, each without its first line, as files of a set.
fn set(policies: &[&str]) -> PolicySet {
    let file = |(i, policy): (usize, &&str)| Source::new(&format!("{i}.yaml"), &format!("{HEAD}{policy}"));
    let files: Vec<Source> = policies.iter().enumerate().map(file).collect();
    PolicySet::load(&files).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A resource policy for `doc`.
fn doc(head: &str, rules: &str) -> String {
    format!("resourcePolicy:\n  resource: doc\n  version: default\n{head}  rules:\n{rules}")
}

fn params() -> CheckParams {
    CheckParams::at(Timestamp { seconds: 1_795_294_256, nanoseconds: 0, offset_seconds: 0 })
}

/// Anna with these roles asks about the document `d`.
fn asks(roles: &[&str], actions: &[&str]) -> CheckInput {
    let texts = |list: &[&str]| -> Vec<Arc<str>> { list.iter().map(|text| (*text).into()).collect() };
    CheckInput {
        request_id: "r".to_owned(),
        principal: Principal { id: "anna".to_owned(), roles: texts(roles), ..Principal::default() },
        resource: Resource { kind: "doc".to_owned(), id: "d".to_owned(), ..Resource::default() },
        actions: texts(actions),
        aux_data: None,
    }
}

fn decide(set: &PolicySet, input: &CheckInput) -> CheckOutput {
    check(set, input, &params()).expect("an answer")
}

/// Effect, policy and scope of each action, in one line each.
fn effects(output: &CheckOutput) -> Vec<String> {
    let line = |(action, decided): &(Arc<str>, super::ActionEffect)| {
        format!("{action} {:?} {} {}", decided.effect, decided.policy, decided.scope).trim_end().to_owned()
    };
    output.actions.iter().map(line).collect()
}

#[track_caller]
fn expect(set: &PolicySet, roles: &[&str], actions: &[&str], expected: &[&str]) {
    assert_eq!(effects(&decide(set, &asks(roles, actions))), expected);
}

#[test]
fn nothing_is_denied_by_nobody() {
    expect(
        &PolicySet::default(),
        &["user"],
        &["view", "edit"],
        &["view Deny NO_MATCH", "edit Deny NO_MATCH"],
    );
    let set = set(&[&doc("", "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n")]);
    let key = "resource.doc.vdefault";
    expect(&set, &["user"], &["view", "edit"], &[&format!("view Allow {key}"), &format!("edit Deny {key}")]);
    expect(&set, &["other"], &["view"], &[&format!("view Deny {key}")]);

    let mut input = asks(&["user"], &["view"]);
    input.resource.kind = "other".to_owned();
    assert_eq!(effects(&decide(&set, &input)), ["view Deny NO_MATCH"]);
    input = asks(&["user"], &["view"]);
    input.resource.policy_version = "v2".to_owned();
    assert_eq!(effects(&decide(&set, &input)), ["view Deny NO_MATCH"]);
    let other_default = CheckParams { default_policy_version: "v2".to_owned(), ..params() };
    input.resource.policy_version = "default".to_owned();
    assert_eq!(effects(&check(&set, &input, &other_default).unwrap()), ["view Allow resource.doc.vdefault"]);
    input.resource.policy_version = String::new();
    assert_eq!(effects(&check(&set, &input, &other_default).unwrap()), ["view Deny NO_MATCH"]);
}

#[test]
fn an_action_asked_twice_is_answered_once() {
    let set = set(&[&doc("", "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n")]);
    expect(&set, &["user"], &["view", "view"], &["view Allow resource.doc.vdefault"]);
}

#[test]
fn the_answer_names_the_rule() {
    let set = set(&[&doc(
        "",
        "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW}\n    - {name: never, actions: [edit], roles: [user], effect: EFFECT_DENY}\n",
    )]);
    let output = decide(&set, &asks(&["user"], &["view", "edit", "other"]));
    let rule = |action: &str| output.action(action).unwrap().rule.as_deref().map(str::to_owned);
    assert_eq!(rule("view").unwrap(), "resource.doc.vdefault#rule-001");
    assert_eq!(rule("edit").unwrap(), "resource.doc.vdefault#never");
    assert_eq!(rule("other"), None);
    assert_eq!((output.request_id.as_str(), output.resource_id.as_str()), ("r", "d"));
}

#[test]
fn every_step_is_told() {
    let set = set(&[&doc(
        "",
        "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: 'R.attr.open == true'}}}\n",
    )]);
    let mut input = asks(&["user"], &["view"]);
    input.resource.attr = json!({"open": false}).as_object().cloned().unwrap();
    let mut steps = Vec::new();
    check_stepwise(&set, &input, &params(), &mut |step| {
        steps.push(match step {
            Step::Action(action) => format!("action {action}"),
            Step::Role { kind, role } => format!("{kind:?} {role}"),
            Step::Scope(scope) => format!("scope {scope:?}"),
            Step::DerivedRole { role, outcome } => format!("derived {} {outcome:?}", role.name),
            Step::Expression { expression, outcome, .. } => format!("{} {outcome:?}", expression.source),
            Step::Rule { policy, effect, outcome, .. } => format!("{policy} {effect:?} {outcome:?}"),
            Step::ConsentNeeded(scope) => format!("consent {scope:?}"),
            Step::Decided(effect) => format!("decided {effect:?}"),
        });
    })
    .unwrap();
    assert_eq!(
        steps,
        [
            "action view",
            "Principal user",
            "Resource user",
            "scope \"\"",
            "R.attr.open == true NotHeld",
            "resource.doc.vdefault Some(Allow) NotHeld",
            "decided Deny",
        ]
    );
}

/// Whether it holds and whether it does not, and that a derived role does not: each is found out once for all actions and roles.
#[test]
fn a_condition_is_evaluated_once() {
    let roles = "derivedRoles:\n  name: dr\n  definitions:\n    - {name: d, parentRoles: ['*'], condition: {match: {expr: '1 == 2'}}}\n";
    let rule = |whom: &str, expr: &str| {
        format!(
            "    - {{actions: [view, edit], {whom}, effect: EFFECT_ALLOW, condition: {{match: {{expr: '{expr}'}}}}}}\n"
        )
    };
    let rules = rule("roles: ['*']", "2 == 3")
        + &rule("derivedRoles: [d]", "3 == 4")
        + &rule("roles: [admin]", "4 == 4");
    let set = set(&[roles, &doc("  importDerivedRoles: [dr]\n", &rules)]);
    let mut told: Vec<String> = Vec::new();
    check_stepwise(&set, &asks(&["user", "admin"], &["view", "edit"]), &params(), &mut |step| {
        if let Step::Expression { expression, .. } = step {
            told.push(expression.source.to_string());
        }
    })
    .unwrap();
    // The derived role's condition twice: for the set of derived roles, and for the rule.
    assert_eq!(told, ["1 == 2", "2 == 3", "1 == 2", "4 == 4"]);
}

#[test]
fn what_costs_too_much_has_no_answer() {
    let set = set(&[&doc(
        "",
        "    - {actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: '[1,2,3].all(x, [1,2,3].all(y, x + y > 0))'}}}\n",
    )]);
    let input = asks(&["user"], &["view"]);
    assert_eq!(effects(&decide(&set, &input)), ["view Allow resource.doc.vdefault"]);
    let poor = CheckParams { budget: Budget::new(10, 1000), ..params() };
    let error = check(&set, &input, &poor).unwrap_err().to_string();
    assert!(error.starts_with("`[1,2,3].all(x"), "{error}");
}
