//! Each way in which a policy for tools allows more than it seems to: seen on a real Cerbos, refused by name, let through by the manifest
//! alone, and narrow once it is mended as the refusal says.

use fuze_agent_policy_tests::pdp::{self, Mode, Pdp};
use fuze_policy::agent_tool::{Cerbos, LoadError, Widening};
use fuze_policy::cerbos::{Files, Source};
use serde_json::{Value, json};

/// A set that widens, and one that says what its author meant.
struct Case {
    /// The policy's key.
    policy: &'static str,
    wide: Vec<String>,
    narrow: Vec<String>,
    scope: &'static str,
    roles: &'static [&'static str],
    /// What Cerbos says to `invoke` and `invoke:auto` of the one and of the other, and how many outputs come with it.
    said: [([&'static str; 2], usize); 2],
}

const ALLOW: &str = "EFFECT_ALLOW";
const DENY: &str = "EFFECT_DENY";
const CONSENT: &str = "scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS, ";
const BOTH: &str = "{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [staff]}";
const STAFF: &str = "{actions: [invoke], effect: EFFECT_ALLOW, roles: [staff]}";
const NOBODY: &str = "{actions: [invoke], effect: EFFECT_DENY, roles: ['*']}";

fn tool(head: &str, rules: &[&str]) -> String {
    format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy: {{resource: agent.tool, version: default, {head}rules: [{}]}}\n",
        rules.join(", ")
    )
}

fn acme(permissions: &str, rules: &[&str]) -> String {
    tool(&format!("scope: acme, {permissions}"), rules)
}

fn case(widening: Widening) -> Case {
    let root = "resource.agent.tool.vdefault";
    let below = "resource.agent.tool.vdefault/acme";
    match widening {
        Widening::AutoByGlob => Case {
            policy: root,
            wide: vec![tool("", &["{actions: ['*'], effect: EFFECT_ALLOW, roles: [staff]}"])],
            narrow: vec![tool("", &[STAFF])],
            scope: "",
            roles: &["staff"],
            said: [([ALLOW, ALLOW], 0), ([ALLOW, DENY], 0)],
        },
        Widening::DenyForSomeRoles => Case {
            policy: root,
            wide: vec![tool("", &[STAFF, "{actions: [invoke], effect: EFFECT_DENY, roles: [barred]}"])],
            narrow: vec![tool(
                "",
                &[
                    STAFF,
                    "{actions: [invoke], effect: EFFECT_DENY, roles: ['*'], condition: {match: {expr: '\"barred\" in P.roles'}}}",
                ],
            )],
            scope: "",
            roles: &["barred", "staff"],
            said: [([ALLOW, DENY], 0), ([DENY, DENY], 0)],
        },
        Widening::PrincipalAllow => Case {
            policy: "principal.ann.vdefault",
            wide: vec![
                tool("", &[NOBODY]),
                "apiVersion: api.cerbos.dev/v1\nprincipalPolicy: {principal: ann, version: default, rules: [{resource: agent.tool, actions: \
                 [{action: invoke, effect: EFFECT_ALLOW}]}]}\n"
                    .to_owned(),
            ],
            narrow: vec![tool("", &[NOBODY, STAFF])],
            scope: "",
            roles: &["staff"],
            said: [([ALLOW, DENY], 0), ([DENY, DENY], 0)],
        },
        Widening::OverridesParent => Case {
            policy: below,
            wide: vec![
                tool("", &[NOBODY, BOTH]),
                acme("scopePermissions: SCOPE_PERMISSIONS_OVERRIDE_PARENT, ", &[STAFF, NO_AUTO]),
            ],
            narrow: vec![tool("", &[NOBODY, BOTH]), acme(CONSENT, &[STAFF, NO_AUTO])],
            scope: "acme",
            roles: &["staff"],
            said: [([ALLOW, DENY], 0), ([DENY, DENY], 0)],
        },
        Widening::ParentRoles => {
            let trainee = |parents: &str| {
                format!(
                    "apiVersion: api.cerbos.dev/v1\nrolePolicy: {{role: trainee, version: default, scope: acme, {parents}rules: [{{resource: \
                     agent.tool, allowActions: [invoke]}}]}}\n"
                )
            };
            Case {
                policy: "role.trainee.vdefault/acme",
                wide: vec![tool("", &[STAFF]), trainee("parentRoles: [staff], ")],
                narrow: vec![tool("", &[STAFF]), trainee("")],
                scope: "acme",
                roles: &["trainee"],
                said: [([ALLOW, DENY], 0), ([DENY, DENY], 0)],
            }
        }
        Widening::InvertedOutput => {
            let output = "output: {when: {ruleActivated: '{\"approval\": {\"approvers\": 2}}'}}";
            let small = "condition: {match: {expr: R.attr.args.small}}";
            let asks = |rest: &str| {
                format!("{{actions: [invoke], effect: EFFECT_ALLOW, roles: [staff], {rest}}}")
            };
            Case {
                policy: below,
                wide: vec![
                    tool("", &[STAFF]),
                    acme(CONSENT, &[&asks(&format!("{small}, {output}")), NO_AUTO]),
                ],
                narrow: vec![tool("", &[&asks(output)]), acme(CONSENT, &[&asks(small), NO_AUTO])],
                scope: "acme",
                roles: &["staff"],
                // Allowed by both, but by the first the two approvers are not there.
                said: [([ALLOW, DENY], 0), ([ALLOW, DENY], 1)],
            }
        }
        Widening::AutoFromAbove => Case {
            policy: below,
            wide: vec![tool("", &[BOTH]), acme(CONSENT, &[STAFF])],
            narrow: vec![tool("", &[BOTH]), acme(CONSENT, &[STAFF, NO_AUTO])],
            scope: "acme",
            roles: &["staff"],
            said: [([ALLOW, ALLOW], 0), ([ALLOW, DENY], 0)],
        },
    }
}

const NO_AUTO: &str = "{actions: ['invoke:auto'], effect: EFFECT_DENY, roles: ['*']}";

fn load(policies: &[String], manifest: Option<&str>) -> Result<Cerbos, LoadError> {
    let source = |(at, text): (usize, &String)| Source::new(&format!("{at}.yaml"), text);
    let files = Files { policies: policies.iter().enumerate().map(source).collect(), ..Files::default() };
    let manifest = manifest.map(|text| Source::new("fuze-policy.manifest", text));
    Cerbos::new(&files, manifest.as_ref())
}

/// What Cerbos says about a tool with these arguments, and how many outputs come with it.
fn said(policies: &[String], scope: &str, roles: &[&str], args: &Value) -> Option<([String; 2], usize)> {
    let binary = pdp::binary()?;
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("policies");
    std::fs::create_dir(&directory).unwrap();
    for (at, policy) in policies.iter().enumerate() {
        std::fs::write(directory.join(format!("{at}.yaml")), policy).unwrap();
    }
    let pdp = Pdp::start(&binary, &directory, Mode::Strict, scratch.path()).unwrap();
    let tool =
        json!({"kind": "agent.tool", "id": "t", "scope": scope, "attr": {"tool_name": "t", "args": args}});
    let resources = [json!({"resource": tool, "actions": ["invoke", "invoke:auto"]})];
    let answer = pdp.check(&json!({"id": "ann", "roles": roles}), &resources).unwrap();
    let result = &answer["results"][0];
    let effect = |action: &str| result["actions"][action].as_str().unwrap().to_owned();
    Some(([effect("invoke"), effect("invoke:auto")], result["outputs"].as_array().map_or(0, Vec::len)))
}

#[test]
fn what_widens_is_seen_refused_and_mended() {
    for widening in Widening::ALL {
        let Case { policy, wide, narrow, scope, roles, said: expected } = case(widening);
        let refused = load(&wide, None).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("({widening})")) && refused.lines().count() == 1, "{refused}");
        load(&narrow, None).unwrap_or_else(|error| panic!("{widening}: {error}"));
        let manifest = |name: &str| {
            format!(
                "format: 1\nallow:\n  - {{name: {name}, policy: {policy}, because: so, approved_by: x@example.eu, on: 2026-11-02}}\n"
            )
        };
        load(&wide, Some(&manifest(widening.name()))).unwrap_or_else(|error| panic!("{widening}: {error}"));
        // An entry for another way does not let this one through.
        for other in Widening::ALL.into_iter().filter(|other| *other != widening) {
            let refused = load(&wide, Some(&manifest(other.name()))).unwrap_err().to_string();
            assert!(refused.contains(&format!("({widening})")), "{widening}, {other}: {refused}");
        }
        for (policies, ([invoke, auto], outputs)) in [wide, narrow].iter().zip(expected) {
            let Some(seen) = said(policies, scope, roles, &json!({"small": true})) else { break };
            assert_eq!(seen, ([invoke.to_owned(), auto.to_owned()], outputs), "{widening}: {policies:?}");
        }
    }
}

#[test]
fn a_condition_that_is_no_truth_never_holds() {
    let deny = |expr: &str| {
        let deny = format!(
            "{{actions: ['*'], effect: EFFECT_DENY, roles: ['*'], condition: {{match: {{expr: '{expr}'}}}}}}"
        );
        vec![tool("", &[BOTH, &deny])]
    };
    let wide = deny(r#"R.attr.args.to.filter(x, x == "bad")"#);
    let refused = load(&wide, None).unwrap_err().to_string();
    assert!(refused.contains("comes to a list"), "{refused}");
    let narrow = deny(r#"R.attr.args.to.exists(x, x == "bad")"#);
    load(&narrow, None).unwrap();
    for (policies, effect) in [(wide, ALLOW), (narrow, DENY)] {
        let Some((seen, _)) = said(&policies, "", &["staff"], &json!({"to": ["bad"]})) else { return };
        assert_eq!(seen, [effect, effect], "{policies:?}");
    }
}
