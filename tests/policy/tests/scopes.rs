//! What is refused of scopes, and what of derived roles is not, seen on a real Cerbos.

use std::process::Command;

use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_agent_policy_tests::tools::load;
use fuze_policy::cerbos::{PolicySet, Source};
use serde_json::{Value, json};

type Policies = Vec<(String, Value)>;

/// What Cerbos says to both questions about a tool.
fn said(policies: &[(String, Value)], scope: &str, roles: &[&str]) -> Option<[String; 2]> {
    let binary = pdp::binary()?;
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("policies");
    std::fs::create_dir(&directory).unwrap();
    for (name, policy) in policies {
        std::fs::write(directory.join(format!("{name}.json")), policy.to_string()).unwrap();
    }
    let pdp = Pdp::start(&binary, &directory, Mode::Strict, scratch.path()).unwrap();
    let tool = json!({"kind": "agent.tool", "id": "t", "scope": scope, "attr": {"tool_name": "t"}});
    let resources = [json!({"resource": tool, "actions": ["invoke", "invoke:auto"]})];
    let answer = pdp.check(&json!({"id": "ann", "roles": roles}), &resources).unwrap();
    let effect = |action: &str| answer["results"][0]["actions"][action].as_str().unwrap().to_owned();
    Some([effect("invoke"), effect("invoke:auto")])
}

#[test]
fn a_derived_role_of_all_roles_is_everybodys() {
    let set = |parents: Value| -> Policies {
        let head = "api.cerbos.dev/v1";
        let roles = json!({"apiVersion": head, "derivedRoles": {"name": "d", "definitions": [{"name": "x", "parentRoles": parents}]}});
        let tools = json!({"apiVersion": head, "resourcePolicy": {"resource": "agent.tool", "version": "default",
            "importDerivedRoles": ["d"], "rules": [
                {"actions": ["invoke", "invoke:auto"], "effect": "EFFECT_ALLOW", "roles": ["b"]},
                {"actions": ["invoke", "invoke:auto"], "effect": "EFFECT_DENY", "derivedRoles": ["x"]}]}});
        vec![("roles".to_owned(), roles), ("tools".to_owned(), tools)]
    };
    let (of_all, of_some) = (set(json!(["*"])), set(json!(["a"])));
    for roles in [&["a", "b"][..], &["b"], &["b", "z"]] {
        let Some(seen) = said(&of_all, "", roles) else { return };
        assert_eq!(seen, ["EFFECT_DENY", "EFFECT_DENY"], "{roles:?}");
    }
    load(&of_all).unwrap();
    assert_eq!(said(&of_some, "", &["a", "b"]).unwrap(), ["EFFECT_ALLOW", "EFFECT_ALLOW"]);
    assert!(load(&of_some).unwrap_err().to_string().contains("deny-for-some-roles"));
}

/// Whether Cerbos takes a directory with this policy.
fn compiles(policy: &str) -> Option<bool> {
    let binary = pdp::binary()?;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), policy).unwrap();
    let told = Command::new(binary).arg("compile").arg(directory.path()).output().unwrap();
    let text = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
    assert!(told.status.success() || text.contains("invalid enum value"), "{text}");
    Some(told.status.success())
}

#[test]
fn scope_permissions_are_no_empty_text() {
    let head = "apiVersion: api.cerbos.dev/v1\n";
    let kinds = [
        (
            "resourcePolicy:\n  resource: agent.tool",
            "    - {actions: [invoke], effect: EFFECT_DENY, roles: ['*']}",
        ),
        (
            "principalPolicy:\n  principal: ann",
            "    - {resource: agent.tool, actions: [{action: invoke, effect: EFFECT_DENY}]}",
        ),
        ("rolePolicy:\n  role: staff", "    - {resource: agent.tool, allowActions: [invoke]}"),
    ];
    for (kind, rule) in kinds {
        for (written, taken) in [
            ("''", false),
            ("\"\"", false),
            ("", true),
            ("null", true),
            ("SCOPE_PERMISSIONS_UNSPECIFIED", true),
        ] {
            let policy = format!(
                "{head}{kind}\n  version: default\n  scopePermissions: {written}\n  rules:\n{rule}\n"
            );
            let Some(seen) = compiles(&policy) else { return };
            assert_eq!(seen, taken, "Cerbos: {policy}");
            let ours = PolicySet::load(&[Source::new("p.yaml", &policy)]);
            assert_eq!(ours.is_ok(), taken, "{policy}");
        }
    }
}
