//! Where Cerbos breaks the laws, in the smallest sets that show it: each case is decided here and, where one is at hand, by a real Cerbos, so
//! that a law stated in these tests is not narrower than it has to be. And what the loader for tools says to each.

use std::fs;

use fuze_agent_policy_tests::ours::{self, Answer};
use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_agent_policy_tests::tools;
use fuze_policy::cerbos::yaml::{self, Limits};
use serde_json::{Value, json};

/// A set from texts, one a policy.
fn policies(texts: &[&str]) -> Vec<(String, Value)> {
    texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let name = format!("p{at}");
            let text = format!("apiVersion: api.cerbos.dev/v1\n{text}");
            let documents = yaml::read(&name.as_str().into(), &text, Limits::default()).unwrap();
            (name, documents[0].to_json().unwrap())
        })
        .collect()
}

/// Cerbos's answer about the action `view`, where one is at hand.
fn on_cerbos(
    policies: &[(String, Value)],
    mode: Mode,
    principal: &Value,
    resource: &Value,
) -> Option<Answer> {
    let binary = pdp::binary()?;
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("policies");
    fs::create_dir(&directory).unwrap();
    for (name, policy) in policies {
        fs::write(directory.join(format!("{name}.yaml")), policy.to_string()).unwrap();
    }
    let pdp = Pdp::start(&binary, &directory, mode, scratch.path()).unwrap();
    let answer = pdp.check(principal, &[json!({"resource": resource, "actions": ["view"]})]).unwrap();
    ours::theirs(&answer).pop()
}

/// The effect on the action `view`, of ours and of Cerbos.
fn effect(texts: &[&str], mode: Mode, principal: &Value, resource: &Value) -> String {
    let policies = policies(texts);
    let set = ours::load_policies(&policies).unwrap_or_else(|problems| panic!("{problems}"));
    let asked = json!({"resource": resource, "actions": ["view"]});
    let found = ours::check(&set, mode, principal, &asked, &mut |_| {}).unwrap().actions["view"].0.clone();
    if let Some(theirs) = on_cerbos(&policies, mode, principal, resource) {
        assert_eq!(theirs.actions["view"].0, found, "{texts:?}");
    }
    found
}

/// What the denial turns into an ALLOW.
fn enables(before: &[&str], denial: &str, mode: Mode, principal: &Value, resource: &Value) {
    assert_eq!(effect(before, mode, principal, resource), "EFFECT_DENY", "{before:?}");
    let after: Vec<&str> = before.iter().copied().chain([denial]).collect();
    assert_eq!(effect(&after, mode, principal, resource), "EFFECT_ALLOW", "{after:?}");
}

/// The same where the denial stands in the last of the policies.
fn enables_within(before: &[&str], after: &[&str], mode: Mode, principal: &Value, resource: &Value) {
    assert_eq!(effect(before, mode, principal, resource), "EFFECT_DENY", "{before:?}");
    assert_eq!(effect(after, mode, principal, resource), "EFFECT_ALLOW", "{after:?}");
}

fn refused(texts: &[&str], name: &str) {
    let mut policies = policies(texts);
    policies.iter_mut().for_each(|(name, _)| name.push_str(".yaml"));
    let error = tools::load(&policies).unwrap_err().to_string();
    assert!(error.contains(name), "{error}");
}

const ALLOW: &str = "resourcePolicy: {resource: doc, version: default, rules: [{actions: [view], effect: EFFECT_ALLOW, roles: [a]}]}";
/// Denies nothing that is asked here.
const DENIAL_OF_ANOTHER: &str = "rules: [{actions: [other], effect: EFFECT_DENY, roles: ['*']}]";

/// A scope without policies has no parents: the first policy in it, whatever it says, brings those of its parents into force. Tools are
/// asked about in the tenant's scope only if it has a policy, and in the root else.
#[test]
fn the_first_policy_of_a_scope_brings_its_parents() {
    let (principal, resource) =
        (json!({"id": "u", "roles": ["a"]}), json!({"kind": "doc", "id": "1", "scope": "s"}));
    let denial =
        format!("resourcePolicy: {{resource: doc, version: default, scope: s, {DENIAL_OF_ANOTHER}}}");
    enables(&[ALLOW], &denial, Mode::Strict, &principal, &resource);
}

/// Whether there is anything for a principal is asked with the version of the principal, what there is with that of the resource. Tools
/// are asked about in one version, and the loader refuses every other.
#[test]
fn a_principal_policy_of_one_version_brings_those_of_another() {
    let principal = json!({"id": "u", "roles": ["a"]});
    let resource = json!({"kind": "doc", "id": "1", "policyVersion": "v2"});
    let allow = "principalPolicy: {principal: u, version: v2, rules: [{resource: doc, actions: [{action: view, effect: EFFECT_ALLOW}]}]}";
    let denial = "principalPolicy: {principal: other, version: default, rules: [{resource: doc, actions: [{action: view, effect: EFFECT_DENY}]}]}";
    enables(&[allow], denial, Mode::Strict, &principal, &resource);
    refused(&[&allow.replace("doc", "agent.tool")], "`default`");
}

const ROLES: &str = "derivedRoles: {name: dr, definitions: [{name: d, parentRoles: [a]}]}";

/// Derived roles are known to conditions once some rule of the policy names them, one that denies and does not hold, too. For tools the
/// loader refuses a DENY for derived roles, unless the rule is for everybody as well.
#[test]
fn a_denial_makes_a_derived_role_known() {
    let (principal, resource) = (json!({"id": "u", "roles": ["a"]}), json!({"kind": "doc", "id": "1"}));
    let allow = "{actions: [view], effect: EFFECT_ALLOW, roles: [a], condition: {match: {expr: '\"d\" in runtime.effectiveDerivedRoles'}}}";
    let denial = "{actions: [other], effect: EFFECT_DENY, derivedRoles: [d]}";
    let policy = |rules: &str| {
        format!(
            "resourcePolicy: {{resource: doc, version: default, importDerivedRoles: [dr], rules: [{rules}]}}"
        )
    };
    let (before, after) = (policy(allow), policy(&format!("{allow}, {denial}")));
    enables_within(&[ROLES, &before], &[ROLES, &after], Mode::Strict, &principal, &resource);
    let tool = after.replace("doc", "agent.tool").replace("view", "invoke").replace("other", "'invoke:auto'");
    refused(&[ROLES, &tool], "deny-for-some-roles");
}

/// What is denied because a condition fails is denied to all roles; a DENY for the role whose condition fails comes first and is that role's
/// alone. For tools that takes a DENY for some roles, or a scope whose ALLOW comes before; the loader refuses both.
#[test]
fn a_denial_goes_before_a_failure() {
    let (principal, resource) = (json!({"id": "u", "roles": ["a", "b"]}), json!({"kind": "doc", "id": "1"}));
    let fails = "{actions: [view], effect: EFFECT_ALLOW, roles: [a], condition: {match: {expr: 'R.attr.nothing == 1'}}}";
    let allow = "{actions: [view], effect: EFFECT_ALLOW, roles: [b]}";
    let denial = "{actions: [view], effect: EFFECT_DENY, roles: [a]}";
    let policy =
        |rules: &str| format!("resourcePolicy: {{resource: doc, version: default, rules: [{rules}]}}");
    let (before, after) =
        (policy(&format!("{fails}, {allow}")), policy(&format!("{denial}, {fails}, {allow}")));
    enables_within(&[&before], &[&after], Mode::Strict, &principal, &resource);
    refused(&[&after.replace("doc", "agent.tool").replace("view", "invoke")], "deny-for-some-roles");

    let resource = json!({"kind": "doc", "id": "1", "scope": "s"});
    let child = format!("resourcePolicy: {{resource: doc, version: default, scope: s, rules: [{allow}]}}");
    let everybody = denial.replace("[a]", "['*']");
    let (before, after) = (policy(fails), policy(&format!("{everybody}, {fails}")));
    enables_within(&[&child, &before], &[&child, &after], Mode::Strict, &principal, &resource);
    let tools = [&child, &after].map(|policy| policy.replace("doc", "agent.tool").replace("view", "invoke"));
    refused(&[&tools[0], &tools[1]], "overrides-parent");
}

/// Leniently a DENY that reads what is not there does not deny; strictly it halts.
#[test]
fn leniently_an_attribute_less_allows() {
    let deny = "{actions: [view], effect: EFFECT_DENY, roles: ['*'], condition: {match: {expr: 'R.attr.secret == true'}}}";
    let allow = "{actions: [view], effect: EFFECT_ALLOW, roles: [a]}";
    let policy = format!("resourcePolicy: {{resource: doc, version: default, rules: [{deny}, {allow}]}}");
    let principal = json!({"id": "u", "roles": ["a"]});
    let with = json!({"kind": "doc", "id": "1", "attr": {"secret": true}});
    let without = json!({"kind": "doc", "id": "1"});
    for (mode, after) in [(Mode::Lenient, "EFFECT_ALLOW"), (Mode::Strict, "EFFECT_DENY")] {
        assert_eq!(effect(&[&policy], mode, &principal, &with), "EFFECT_DENY");
        assert_eq!(effect(&[&policy], mode, &principal, &without), after);
    }
}

/// A condition that asks whether an attribute is there may allow without it.
#[test]
fn what_asks_for_absence_finds_it() {
    let allow = "{actions: [view], effect: EFFECT_ALLOW, roles: [a], condition: {match: {expr: '!has(R.attr.secret)'}}}";
    let policy = format!("resourcePolicy: {{resource: doc, version: default, rules: [{allow}]}}");
    let principal = json!({"id": "u", "roles": ["a"]});
    let with = json!({"kind": "doc", "id": "1", "attr": {"secret": true}});
    let without = json!({"kind": "doc", "id": "1"});
    assert_eq!(effect(&[&policy], Mode::Strict, &principal, &with), "EFFECT_DENY");
    assert_eq!(effect(&[&policy], Mode::Strict, &principal, &without), "EFFECT_ALLOW");
}

/// A rule without a name is called by its place, and rules of one name share the outcome of their conditions: one that is named like the
/// place of another decides for it, so that a DENY more can undo one that was there. The loader refuses such names for whatever resource.
#[test]
fn a_name_that_is_another_rule_s_place() {
    let never = "{name: rule-002, actions: [view], effect: EFFECT_DENY, roles: ['*'], condition: {match: {expr: 'false'}}}";
    let always = "{actions: [view], effect: EFFECT_DENY, roles: ['*'], condition: {match: {expr: 'true'}}}";
    let allow = "{name: allow, actions: [view], effect: EFFECT_ALLOW, roles: [a]}";
    let policy =
        format!("resourcePolicy: {{resource: doc, version: default, rules: [{never}, {always}, {allow}]}}");
    let (principal, resource) = (json!({"id": "u", "roles": ["a"]}), json!({"kind": "doc", "id": "1"}));
    if let Some(theirs) = on_cerbos(&policies(&[&policy]), Mode::Strict, &principal, &resource) {
        assert_eq!(theirs.actions["view"].0, "EFFECT_ALLOW");
    }
    refused(&[&policy.replace("doc", "agent.tool").replace("view", "invoke")], "both called `rule-002`");
}
