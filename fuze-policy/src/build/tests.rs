#![allow(clippy::indexing_slicing, reason = "tests index what they have just made")]

use std::fs;

use super::*;
use crate::Engine as _;

const POLICY: &str = r#"apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  constants:
    local:
      other: send_mail
  variables:
    local:
      is_payment: R.attr.tool_name == "pay_invoice"
  rules:
    - name: payment
      actions: ["invoke"]
      effect: EFFECT_ALLOW
      roles: ["accounting"]
      condition:
        match:
          expr: V.is_payment && R.attr.classification == "confidential"
    - name: mail
      actions: ["invoke"]
      effect: EFFECT_ALLOW
      roles: ["accounting"]
      condition:
        match:
          expr: R.attr["tool_name"] == C.other && R.attr.classification == "confidential"
"#;

const SUITE: &str = r#"name: Payments
options:
  strictEvaluation: true
principals:
  accounting: {id: acc-1, roles: ["accounting"]}
resources:
  small:
    id: pay_invoice
    kind: agent.tool
    attr: {tool_name: pay_invoice, classification: confidential, residency: eu, effect: once, egress: hosts}
tests:
  - name: Paying
    input:
      principals: [accounting]
      resources: [small]
      actions: ["invoke", "invoke:auto"]
    expected:
      - principal: accounting
        resource: small
        actions: {"invoke": EFFECT_ALLOW, "invoke:auto": EFFECT_DENY}
"#;

/// What is told of these files, as `policies` in a directory of its own.
fn check(files: &[(&str, &str)], policies: &Policies) -> Result<Checked, Vec<String>> {
    let base = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = base.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    policies.checked(base.path()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn policies() -> Policies {
    Policies::in_directory("policies")
}

fn told(files: &[(&str, &str)]) -> Vec<String> {
    check(files, &policies()).err().unwrap_or_default()
}

#[test]
fn what_holds_is_accepted_with_the_tools_that_it_names() {
    let checked =
        check(&[("policies/p.yaml", POLICY), ("policies/p_test.yaml", SUITE)], &policies()).unwrap();
    assert_eq!(checked.warnings, []);
    let named: Vec<String> =
        checked.named.iter().map(|tool| format!("{} at {}", tool.name, tool.place)).collect();
    // A name that a constant brings stands where it is used.
    assert_eq!(named, ["pay_invoice at p.yaml:10:19", "send_mail at p.yaml:25:17"]);
    let [fixture] = &checked.tested[..] else { panic!("{:?}", checked.tested) };
    assert_eq!(fixture.place.to_string(), "p_test.yaml:7:3");
    assert_eq!(fixture.facts, ["confidential", "", "eu", "once", "hosts"]);
}

#[test]
fn a_tool_is_named_by_its_id_and_in_lists_too() {
    let policy =
        POLICY.replace("R.attr[\"tool_name\"] == C.other", "R.id in [\"send_mail\", \"send_fax\"]").replace(
            "R.attr.tool_name == \"pay_invoice\"",
            "(\"pay_invoice\" == request.resource.attr.tool_name)",
        );
    let policy = policy.replace("constants:\n    local:\n      other: send_mail\n  ", "");
    let checked = check(&[("policies/p.yaml", &policy)], &policies()).unwrap();
    let named: Vec<&str> = checked.named.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(named, ["pay_invoice", "send_fax", "send_mail"]);
}

/// A name is one however the attribute is wrapped; in which case it is compared goes along.
#[test]
fn a_tool_is_named_where_its_name_is_wrapped() {
    let policy = POLICY
        .replace("R.attr[\"tool_name\"] == C.other", "string(R.id) == C.other")
        .replace("R.attr.tool_name == \"pay_invoice\"", "R.attr.tool_name.lowerAscii() in [\"pay_invoice\"]");
    let checked = check(&[("policies/p.yaml", &policy)], &policies()).unwrap();
    let named: Vec<(&str, bool)> = checked.named.iter().map(|tool| (&*tool.name, tool.any_case)).collect();
    assert_eq!(named, [("pay_invoice", true), ("send_mail", false)]);
}

#[test]
fn each_mistake_is_told_with_its_file_from_the_package() {
    let suite = SUITE.replace("\"invoke:auto\": EFFECT_DENY", "\"invoke:auto\": EFFECT_ALLOW");
    assert_eq!(
        told(&[("policies/p.yaml", POLICY), ("policies/p_test.yaml", &suite)]),
        [
            "policies/p_test.yaml:12:5: the test \"Paying\" fails for the principal `accounting`, the resource `small` and \
          `invoke:auto`: EFFECT_ALLOW was expected and it is EFFECT_DENY"
        ]
    );
    let policy =
        POLICY.replace("R.attr.classification == \"confidential\"", "R.attr.klass == \"confidential\"");
    let all = told(&[("policies/sub/p.yaml", &policy), ("policies/p_test.yaml", SUITE)]);
    assert!(all.iter().any(|one| one.starts_with("policies/sub/p.yaml:18:")), "{all:#?}");
    assert!(all.iter().any(|one| one.contains("(unknown-attribute)")), "{all:#?}");
    let all = told(&[("policies/p.yaml", "apiVersion: x\n")]);
    assert!(!all.is_empty() && all.iter().all(|one| one.starts_with("policies/p.yaml:1:")), "{all:#?}");
    let names = SUITE.replace("tool_name: pay_invoice", "tool_name: pay_anyone");
    let all = told(&[("policies/p.yaml", POLICY), ("policies/p_test.yaml", &names)]);
    assert!(
        all.iter().any(|one| one.starts_with("policies/p_test.yaml:7:3: `R.attr.tool_name` is")),
        "{all:#?}"
    );
}

#[test]
fn a_property_that_does_not_hold_is_told_where_the_rule_stands() {
    let policy = POLICY.replace("actions: [\"invoke\"]", "actions: [\"invoke\", \"invoke:auto\"]").replace(
        "R.attr.classification == \"confidential\"",
        "R.attr.classification == \"special_category\"",
    );
    let all = told(&[("policies/p.yaml", &policy)]);
    let broken: Vec<&String> = all.iter().filter(|one| one.contains("it does not hold that")).collect();
    assert_eq!(broken.len(), 1, "{all:#?}");
    assert!(
        broken[0].starts_with("policies/p.yaml:12:7: it does not hold that no `special_category` tool"),
        "{broken:?}"
    );
    let waived = policies().without(&Property::never_auto("special_category"));
    assert!(check(&[("policies/p.yaml", &policy)], &waived).is_ok());
    // Which classification may not run alone is the author's to say.
    let confidential = policies().prove(Property::never_auto("confidential"));
    let auto = POLICY.replace("actions: [\"invoke\"]", "actions: [\"invoke\", \"invoke:auto\"]");
    assert!(check(&[("policies/p.yaml", &auto)], &policies()).is_ok());
    assert!(check(&[("policies/p.yaml", &auto)], &confidential).is_err());
}

#[test]
fn what_cannot_be_proven_is_not_taken_for_proven() {
    let policy = POLICY.replace(
        "V.is_payment && R.attr.classification == \"confidential\"",
        "V.is_payment && R.attr.args.note.matches(\"^[a-z]+$\")",
    );
    let policy = policy.replacen("actions: [\"invoke\"]", "actions: [\"invoke\", \"invoke:auto\"]", 1);
    let all = told(&[("policies/p.yaml", &policy)]);
    assert!(all.iter().any(|one| one.contains("special_category")), "{all:#?}");
}

/// What no value of the policy shows to live, a case of its own tests does, at the time that the test says.
#[test]
fn a_case_of_a_suite_shows_that_a_rule_lives() {
    let policy = POLICY.replace(
        "V.is_payment && R.attr.classification == \"confidential\"",
        "V.is_payment && R.attr.classification == \"confidential\" && R.attr.args.n * 7.0 == 1001.0 && now().getFullYear() == 2031",
    );
    assert!(policy != POLICY);
    let small = SUITE.replace("egress: hosts}", "egress: hosts, args: {n: 143}}");
    let at =
        small.replace("strictEvaluation: true", "strictEvaluation: true\n  now: \"2031-05-01T12:00:00Z\"");
    let told = |suite: &str| -> Vec<String> {
        let all = told(&[("policies/p.yaml", &policy), ("policies/p_test.yaml", suite)]);
        all.into_iter().filter(|one| one.contains("no rule is dead")).collect()
    };
    assert_eq!(told(&at), [""; 0]);
    // Other arguments, or another time, and a case that no agent can ask.
    for other in [
        at.replace("n: 143", "n: 142"),
        at.replace("2031-05", "2030-05"),
        at.replace("residency: eu", "residency: mars"),
        at.replace("  - name: Paying", "  - skip: true\n    name: Paying"),
    ] {
        let all = told(&other);
        assert!(matches!(&all[..], [one] if one.starts_with("policies/p.yaml:")), "{other}\n{all:#?}");
    }
}

/// With the feature a schema has to be there; without it the build says that nobody looks.
#[test]
fn schemas_are_looked_at_or_it_is_said_that_they_are_not() {
    let album = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: album\n  version: default\n  schemas:\n    resourceSchema:\n      \
                 ref: cerbos:///album.json\n  rules:\n    - {actions: [view], roles: [accounting], effect: EFFECT_ALLOW}\n";
    let found = check(
        &[("policies/pay.yaml", POLICY), ("policies/pay_test.yaml", SUITE), ("policies/album.yaml", album)],
        &policies(),
    );
    let told: Vec<String> = match found {
        Ok(checked) => checked.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems,
    };
    let part = if cfg!(feature = "cerbos-schema") { "no `_schemas/album.json`" } else { "`cerbos-schema`" };
    assert!(
        matches!(&told[..], [one] if one.starts_with("policies/album.yaml:7:12: ") && one.contains(part)),
        "{told:?}"
    );
}

#[test]
fn roles_that_nobody_has_and_rules_that_say_nothing_new_are_errors() {
    let all = check(&[("policies/p.yaml", POLICY)], &policies().roles(["support"])).unwrap_err();
    assert!(
        all.iter().any(|one| one.contains("nobody has the role `accounting` (unknown-role)")),
        "{all:#?}"
    );
    assert!(check(&[("policies/p.yaml", POLICY)], &policies().roles(["support", "accounting"])).is_ok());
    let twice = POLICY
        .replace("name: mail", "name: again")
        .replace("R.attr[\"tool_name\"] == C.other", "V.is_payment");
    let all = told(&[("policies/p.yaml", &twice)]);
    assert!(all.iter().any(|one| one.ends_with("(shadowed-rule)")), "{all:#?}");
    assert!(check(&[("policies/p.yaml", &twice)], &policies().allow(Lint::ShadowedRule)).is_ok());
}

#[test]
fn a_set_may_allow_nothing_beyond_the_released_one() {
    let wider = POLICY.replace("\"confidential\"", "\"personal\"");
    let released = policies().allow_nothing_beyond("released");
    let same = [("policies/p.yaml", POLICY), ("released/p.yaml", POLICY)];
    assert!(check(&same, &released).is_ok());
    let all = check(&[("policies/p.yaml", &wider), ("released/p.yaml", POLICY)], &released).unwrap_err();
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(all[0].starts_with("policies/p.yaml:"), "{all:#?}");
    let broken = check(&[("policies/p.yaml", POLICY), ("released/p.yaml", "x")], &released).unwrap_err();
    assert!(broken[0].starts_with("released/p.yaml:1:1: "), "{broken:#?}");
    // Nothing at all was not released.
    assert!(check(&[("policies/p.yaml", POLICY)], &released).is_err());
}

#[test]
fn nothing_is_no_policy_set_and_a_set_without_tests_is_mentioned() {
    assert_eq!(
        told(&[("policies/readme.md", "")]),
        ["policies:1:1: there is no policy here: nothing would ever be allowed"]
    );
    assert!(told(&[])[0].starts_with("policies:1:1: the directory cannot be read: "), "{:?}", told(&[]));
    let checked = check(&[("policies/p.yaml", POLICY)], &policies()).unwrap();
    assert_eq!(checked.warnings.len(), 1);
    let skipped =
        SUITE.replace("  - name: Paying", "  - skip: true\n    skipReason: later\n    name: Paying");
    let checked =
        check(&[("policies/p.yaml", POLICY), ("policies/p_test.yaml", &skipped)], &policies()).unwrap();
    let warned: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warned, ["policies/p_test.yaml:12:5: the test \"Paying\" is skipped: later"]);
    assert!(check(&[], &Policies::in_directory("a=b")).unwrap_err()[0].contains("without `=`"));
}

/// What no test that ran is about says nothing of a tool, however it is written down.
#[test]
fn resources_that_nothing_was_tried_with_do_not_count() {
    let tested = |suite: &str| -> Vec<String> {
        let checked =
            check(&[("policies/p.yaml", POLICY), ("policies/p_test.yaml", suite)], &policies()).unwrap();
        checked.tested.iter().map(|fixture| format!("{} {}", fixture.tool, fixture.facts[2])).collect()
    };
    // Another resource, of the same tool in another place.
    let small = SUITE.lines().find(|line| line.contains("tool_name: pay_invoice")).unwrap();
    let other = SUITE.replace(
        "tests:\n",
        &format!(
            "  other:\n    id: pay_invoice\n    kind: agent.tool\n{}\ntests:\n",
            small.replace("residency: eu", "residency: us")
        ),
    );
    assert_eq!(tested(&other), ["pay_invoice eu"]);
    let used = other
        .replace("resources: [small]", "resources: [small, other]")
        .replace("resource: small", "resources: [small, other]");
    assert_eq!(tested(&used), ["pay_invoice eu", "pay_invoice us"]);
    // Skipped, as a whole or the test, or asked for something else.
    assert_eq!(tested(&SUITE.replace("name: Payments", "name: Payments\nskip: true")), [""; 0]);
    assert_eq!(tested(&SUITE.replace("  - name: Paying", "  - name: Paying\n    skip: true")), [""; 0]);
    let of_other_action = SUITE.replace(r#"["invoke", "invoke:auto"]"#, r#"["delete"]"#);
    let of_other_action = of_other_action
        .replace(r#"{"invoke": EFFECT_ALLOW, "invoke:auto": EFFECT_DENY}"#, "{delete: EFFECT_DENY}");
    assert_eq!(tested(&of_other_action), [""; 0]);
    // What stands in the suite goes before what stands beside it under the same name.
    let beside = format!(
        "resources:\n  small:\n    id: pay_invoice\n    kind: agent.tool\n{}\n",
        small.replace("residency: eu", "residency: us")
    );
    let files = [
        ("policies/p.yaml", POLICY),
        ("policies/p_test.yaml", SUITE),
        ("policies/testdata/resources.yaml", beside.as_str()),
    ];
    let checked = check(&files, &policies()).unwrap();
    let facts: Vec<&str> = checked.tested.iter().map(|fixture| fixture.facts[2].as_str()).collect();
    assert_eq!(facts, ["eu"]);
}

#[test]
fn the_bundle_is_the_set_that_was_checked() {
    let manifest = "format: 1\nglobals: {limit: 5}\n";
    let files = [
        ("policies/p.yaml", POLICY),
        ("policies/p_test.yaml", SUITE),
        ("policies/fuze-policy.manifest", manifest),
    ];
    let checked = check(&files, &policies()).unwrap();
    let source = write::source("policies", &checked);
    for part in [
        "place: \"policies/p.yaml:10:19\"",
        "place: \"policies/p_test.yaml:7:3\"",
        "manifest: Some(\"format: 1\\n",
    ] {
        assert!(source.contains(part), "{part}: {source}");
    }
    let form: &'static [u8] = checked.engine().flat_form().leak();
    let bundle = Bundle {
        directory: "policies",
        policies: &[("p.yaml", POLICY)],
        schemas: &[],
        manifest: Some(manifest),
        hash: checked.engine().bundle_hash(),
        flat_form: form,
        named: &[],
        tested: &[],
    };
    assert_eq!(bundle.engine().unwrap().identity(), checked.engine().identity());
    assert_eq!(bundle.policies().unwrap().bundle_hash(), checked.engine().bundle_hash());

    let refused = |bundle: &Bundle| {
        let told = bundle.engine().unwrap_err().to_string();
        assert!(told.contains("not what the build script checked"), "{told}");
        assert!(bundle.policies().is_err());
    };
    let other_manifest = Some("format: 1\nglobals: {limit: 6}\n");
    refused(&Bundle { manifest: other_manifest, ..bundle });
    // A form that was made of other policies, a cut one, and one with something after it.
    let files = [("policies/p.yaml", POLICY), ("policies/p_test.yaml", SUITE)];
    let others = check(&files, &policies()).unwrap();
    refused(&Bundle { flat_form: others.engine().flat_form().leak(), ..bundle });
    refused(&Bundle { manifest: None, hash: others.engine().bundle_hash(), ..bundle });
    for cut in 0..form.len() {
        refused(&Bundle { flat_form: &form[..cut], ..bundle });
    }
    refused(&Bundle { flat_form: [form, b"\0"].concat().leak(), ..bundle });
}

/// The flat form of other policies under the hash of these never decides.
#[test]
fn a_flat_form_of_other_policies_is_found_out() {
    let engine = |text: &str| {
        let files = Files { policies: vec![Source::new("p.yaml", text)], ..Files::default() };
        Cerbos::new(&files, None).unwrap()
    };
    let (honest, wide) =
        (engine(POLICY), engine(&POLICY.replace("[\"invoke\"]", "[\"invoke\", \"invoke:auto\"]")));
    let mut form = wide.flat_form();
    let at = form.windows(32).position(|part| part == wide.bundle_hash()).unwrap();
    form[at..at + 32].copy_from_slice(&honest.bundle_hash());
    let bundle = Bundle {
        directory: "policies",
        policies: &[("p.yaml", POLICY)],
        schemas: &[],
        manifest: None,
        hash: honest.bundle_hash(),
        flat_form: form.leak(),
        named: &[],
        tested: &[],
    };
    assert!(bundle.engine().unwrap_err().to_string().contains("not what the build script checked"));
}
