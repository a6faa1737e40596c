//! What is refused of role policies, seen on a real Cerbos: rules that share the outcome of one condition about both actions.

use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_agent_policy_tests::tools::load;
use serde_json::{Value, json};

/// A role policy whose second rule, that for `invoke:auto`, is for this resource: it holds far down alone.
fn policies(resource: &str) -> Vec<(String, Value)> {
    let when = |expr: &str| json!({"match": {"expr": expr}});
    let head = "api.cerbos.dev/v1";
    let tools = json!({"apiVersion": head, "resourcePolicy": {"resource": "agent.tool", "version": "default", "rules": [
        {"actions": ["invoke", "invoke:auto"], "effect": "EFFECT_ALLOW", "roles": ["staff"],
            "condition": when("R.attr.tool_name == \"t\"")},
    ]}});
    let staff = json!({"apiVersion": head, "rolePolicy": {"role": "staff", "version": "default", "rules": [
        {"resource": "agent.tool", "allowActions": ["invoke"], "condition": when("R.attr.effect == \"read\"")},
        {"resource": resource, "allowActions": ["invoke:auto"], "condition": when("R.attr.depth > 5.0")},
    ]}});
    vec![("tools".to_owned(), tools), ("staff".to_owned(), staff)]
}

/// What Cerbos says to these actions of a reading tool that the model itself calls.
fn said(policies: &[(String, Value)], mode: Mode, actions: &[&str]) -> Option<Vec<String>> {
    let binary = pdp::binary()?;
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("policies");
    std::fs::create_dir(&directory).unwrap();
    for (name, policy) in policies {
        std::fs::write(directory.join(format!("{name}.json")), policy.to_string()).unwrap();
    }
    let pdp = Pdp::start(&binary, &directory, mode, scratch.path()).unwrap();
    let tool =
        json!({"kind": "agent.tool", "id": "t", "attr": {"tool_name": "t", "effect": "read", "depth": 0}});
    let resources = [json!({"resource": tool, "actions": actions})];
    let answer = pdp.check(&json!({"id": "ann", "roles": ["staff"]}), &resources).unwrap();
    let effect = |action: &&str| answer["results"][0]["actions"][action].as_str().unwrap().to_owned();
    Some(actions.iter().map(effect).collect())
}

#[test]
fn a_rule_for_a_pattern_is_decided_by_the_condition_of_another() {
    for mode in [Mode::Strict, Mode::Lenient] {
        for resource in ["agent.*", "*"] {
            let shared = policies(resource);
            let both = ["invoke", "invoke:auto"];
            let Some(seen) = said(&shared, mode, &both) else { return };
            // Asked about by itself, the second action is denied by its own condition; after the first it is allowed by the first's.
            assert_eq!(said(&shared, mode, &both[1..]).unwrap(), ["EFFECT_DENY"], "{mode:?} {resource}");
            assert_eq!(seen, ["EFFECT_ALLOW", "EFFECT_ALLOW"], "{mode:?} {resource}");
            let refused = load(&shared).unwrap_err().to_string();
            assert!(refused.contains("by one condition"), "{refused}");
        }
        // What the refusal says to write.
        let apart = policies("agent.tool");
        assert_eq!(
            said(&apart, mode, &["invoke", "invoke:auto"]).unwrap(),
            ["EFFECT_ALLOW", "EFFECT_DENY"],
            "{mode:?}"
        );
        assert!(load(&apart).is_ok());
    }
}
