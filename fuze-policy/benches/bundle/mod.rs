// A policy set of fifty rules about tools, with derived roles; included by the bench, by the test of allocations and by the comparison with a
// real decision point.

/// Files of the set: name and text.
pub(crate) fn files() -> Vec<(String, String)> {
    let mut rules = String::new();
    for at in 0..50 {
        let (effect, roles) = match at % 10 {
            9 => ("EFFECT_DENY", "roles: [\"*\"]"),
            0..=3 => ("EFFECT_ALLOW", "derivedRoles: [\"on_contract\"]"),
            _ => ("EFFECT_ALLOW", "roles: [\"support\", \"accounting\"]"),
        };
        let actions = if at % 3 == 0 { "[\"invoke\"]" } else { "[\"invoke\", \"invoke:auto\"]" };
        rules += &format!(
            "    - name: rule-{at}\n      actions: {actions}\n      effect: {effect}\n      {roles}\n      condition:\n        match:\n          all:\n            of:\n              - expr: R.attr.tool_name == \"tool_{tool}\"\n              - expr: R.attr.classification in [\"personal\", \"confidential\"]\n              - expr: R.attr.args.amount > {at}.0 && R.attr.args.amount < V.limit\n",
            tool = at % 25,
        );
    }
    let policy = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n  importDerivedRoles: [\"run\"]\n  variables:\n    local:\n      limit: 'R.attr.residency == \"eu\" ? 10000.0 : 100.0'\n  rules:\n{rules}"
    );
    let derived = "apiVersion: api.cerbos.dev/v1\nderivedRoles:\n  name: run\n  definitions:\n    - name: on_contract\n      parentRoles: [\"support\"]\n      condition:\n        match:\n          expr: P.attr.lawful_basis == \"contract\" && P.attr.purpose == \"customer-support\"\n";
    vec![("policy.yaml".to_owned(), policy), ("roles.yaml".to_owned(), derived.to_owned())]
}

/// Arguments of the calls.
pub(crate) const ARGS: &str = r#"{"amount":700.5,"customer":"c-17","note":"as agreed"}"#;
