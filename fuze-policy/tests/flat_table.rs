//! What the flat form decides itself of rules, roles, policies and outputs, and what it leaves to the interpreter.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::build::{Built, Bundle};
use fuze_policy::cerbos::{Files, Source};
use fuze_policy::{CallFacts, Decision, Engine as _, Request, RuleId, RunFacts, ToolFacts, Verdict};

/// The rules of the policy of a scope.
fn rules(scope: &str, rules: &str) -> String {
    let scope = match scope {
        "" => String::new(),
        scope => format!(
            "scope: {scope}, scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS, "
        ),
    };
    format!(
        "resourcePolicy: {{resource: agent.tool, version: default, {scope}constants: {{local: {{n: 2, t: seen, empty: ''}}}}, rules: [{rules}]}}"
    )
}

/// An engine, and the same as a program has it that was built with its policies.
struct Both {
    loaded: Cerbos,
    built: Built,
}

fn engine(policies: &[&str]) -> Both {
    let source = |(at, text): (usize, &&str)| {
        Source::new(&format!("p{at}.yaml"), &format!("apiVersion: api.cerbos.dev/v1\n{text}"))
    };
    let files = Files { policies: policies.iter().enumerate().map(source).collect(), ..Files::default() };
    let loaded = Cerbos::new(&files, None).unwrap_or_else(|error| panic!("{policies:?}: {error}"));
    let text = |source: &Source| -> (&'static str, &'static str) {
        (source.path.to_string().leak(), source.text.to_string().leak())
    };
    let bundle = Bundle {
        directory: "",
        policies: files.policies.iter().map(text).collect::<Vec<_>>().leak(),
        schemas: &[],
        manifest: None,
        hash: loaded.bundle_hash(),
        flat_form: loaded.flat_form().leak(),
        named: &[],
        tested: &[],
    };
    assert!(bundle.policies().is_ok(), "the same policies are the same bytes: {policies:?}");
    Both { loaded, built: bundle.engine().unwrap() }
}

/// A call of `pay`.
fn with_request<T>(roles: &[&str], tenant: &str, ask: impl FnOnce(&Request<'_>) -> T) -> T {
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    ask(&Request {
        tool: ToolFacts {
            name: "pay",
            classification: "public",
            art9_basis: None,
            residency: "eu",
            effect: "once",
            egress: "none",
        },
        run: RunFacts {
            tenant,
            principal: "agent-1",
            roles: &roles,
            purpose: "care",
            lawful_basis: "consent",
            annex_iii: "none",
            art22: "none",
            has_subject: false,
        },
        call: CallFacts { args: b"{}", depth: 0 },
    })
}

/// What the flat form says about a call of `pay`; where it says something, the interpreter says the same.
fn lowered(engine: &Both, roles: &[&str], tenant: &str) -> Option<Verdict> {
    with_request(roles, tenant, |request| {
        let found = engine.loaded.decide_lowered(request);
        let stored = engine.built.decide_lowered(request);
        assert_eq!(parts(&stored), parts(&found));
        let interpreted = engine.loaded.decide_interpreted(request).ok();
        if found.is_some() {
            assert_eq!(parts(&interpreted), parts(&found));
        }
        // What is left to the interpreter is decided all the same.
        assert_eq!(parts(&engine.built.decide(request).ok()), parts(&interpreted));
        found
    })
}

fn parts(verdict: &Option<Verdict>) -> Option<(&Decision, &RuleId)> {
    verdict.as_ref().map(|verdict| (&verdict.decision, &verdict.rule))
}

const BOTH: &str = "actions: [invoke, 'invoke:auto']";

#[test]
fn roles_are_literal_or_patterns() {
    for (rule, role, allowed) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("'*'", "a:b", true),
        ("'a*'", "ab", true),
        ("'a*'", "ba", false),
        ("'a:*'", "a:b", true),
        ("'a:*'", "a:b:c", false),
        ("'{a,b}'", "a", false),
        ("'{a,b}'", "{a,b}", true),
    ] {
        let engine = engine(&[&rules("", &format!("{{{BOTH}, effect: EFFECT_ALLOW, roles: [{rule}]}}"))]);
        let found = lowered(&engine, &[role], "").unwrap();
        assert_eq!(found.decision == Decision::Allow, allowed, "{rule} {role}");
    }
}

#[test]
fn other_policies_and_other_people_are_left() {
    let allow = rules("", &format!("{{{BOTH}, effect: EFFECT_ALLOW, roles: [a, b]}}"));
    let rest = "rules: [{resource: agent.tool, actions: [{action: other, effect: EFFECT_DENY}]}]";
    let of = |name: &str| format!("principalPolicy: {{principal: {name}, version: default, {rest}}}");
    assert!(lowered(&engine(&[&allow, &of("someone")]), &["a"], "").is_some());
    assert!(lowered(&engine(&[&allow, &of("agent-1")]), &["a"], "").is_none());
    let role = "rolePolicy: {role: b, version: default, rules: [{resource: agent.tool, allowActions: [invoke, 'invoke:auto']}]}";
    let with_role = engine(&[&allow, role]);
    assert!(lowered(&with_role, &["a"], "").is_some());
    assert!(lowered(&with_role, &["b"], "").is_none());
    assert!(lowered(&with_role, &["a", "b"], "").is_none());
    assert!(lowered(&engine(&[&allow]), &[], "").is_none());
}

/// What Cerbos takes no request with is not decided in its place: the interpreter refuses it, whatever allows.
#[test]
fn roles_without_a_name_are_refused() {
    let engine = engine(&[&rules("", &format!("{{{BOTH}, effect: EFFECT_ALLOW, roles: ['*']}}"))]);
    assert!(lowered(&engine, &["a", "b"], "").is_some());
    for roles in [["a", ""], ["", "a"]] {
        assert!(lowered(&engine, &roles, "").is_none(), "{roles:?}");
        let error = with_request(&roles, "", |request| engine.loaded.decide(request)).unwrap_err();
        assert!(error.to_string().contains("a role without a name"), "{error}");
    }
}

/// In one order somebody without an approval, in the other nobody: whoever lists the roles, it is the order of their names.
#[test]
fn roles_are_asked_by_their_names_each_once() {
    let fails = "{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [b], condition: {match: {expr: R.attr.args.x == 1.0}}}";
    let engine = engine(&[&rules("", &format!("{{{BOTH}, effect: EFFECT_ALLOW, roles: [a, c]}}, {fails}"))]);
    let decided = |roles: &[&str]| {
        let flat = lowered(&engine, roles, "");
        let found = with_request(roles, "", |request| engine.loaded.decide(request).ok());
        (flat.is_some(), found.map(|verdict| verdict.decision))
    };
    // Where none is twice and all are in order, the flat form decides; and by it whatever does not halt.
    assert_eq!(decided(&["a", "b"]), (true, Some(Decision::Allow)));
    assert_eq!(decided(&["b", "a"]), (false, Some(Decision::Allow)));
    assert_eq!(decided(&["a", "b", "a"]), (false, Some(Decision::Allow)));
    for halts in [&["b", "c"][..], &["c", "b"], &["c", "b", "c"]] {
        assert_eq!(decided(halts), (false, None), "{halts:?}");
    }
}

/// A denial by no rule is the policy's own, whatever other policies stand before it.
#[test]
fn a_denial_by_nobody_names_the_policy_for_tools() {
    let allow = rules("", &format!("{{{BOTH}, effect: EFFECT_ALLOW, roles: [a]}}"));
    let acme = rules("acme", &format!("{{{BOTH}, effect: EFFECT_ALLOW, roles: [a]}}"));
    let other = |head: &str| {
        format!(
            "resourcePolicy: {{resource: aaa, {head}, rules: [{{actions: [view], effect: EFFECT_DENY, roles: ['*']}}]}}"
        )
    };
    let (root, second) = (other("version: default"), other("version: v2"));
    let someone = "principalPolicy: {principal: someone, version: default, rules: [{resource: doc, actions: [{action: view, effect: EFFECT_DENY}]}]}";
    let engine = engine(&[&allow, &acme, &root, &second, someone]);
    for (tenant, named) in
        [("", "resource.agent.tool.vdefault"), ("acme", "resource.agent.tool.vdefault/acme")]
    {
        let found = lowered(&engine, &["b"], tenant).unwrap();
        assert_eq!((found.decision, found.rule.as_str()), (Decision::Deny, named));
        assert_eq!(lowered(&engine, &["a"], tenant).unwrap().decision, Decision::Allow);
    }
}

#[test]
fn an_output_that_looks_at_nothing_is_read_beforehand() {
    let with = |output: &str| {
        let rule = format!(
            "{{name: r, actions: [invoke], effect: EFFECT_ALLOW, roles: [a], output: {{when: {{ruleActivated: '{output}'}}}}}}"
        );
        lowered(&engine(&[&rules("", &rule)]), &["a"], "").map(|verdict| match verdict.decision {
            Decision::RequiresApproval(obligation) => (obligation.approvers, obligation.trainings.len()),
            other => panic!("{output}: {other:?}"),
        })
    };
    for (output, wanted) in [
        (r#"{"approval": {"approvers": 2}}"#, (2, 0)),
        (r#"{"approval": {"approvers": C.n}}"#, (2, 0)),
        (r#"{"approval": {"trainings": [C.t, "other"]}}"#, (1, 2)),
        ("{}", (1, 0)),
        ("null", (1, 0)),
    ] {
        assert_eq!(with(output), Some(wanted), "{output}");
    }
    let long = format!(r#"{{"approval": {{"trainings": ["{}"]}}}}"#, "x".repeat(2_000));
    assert_eq!(with(&long), Some((1, 1)));
    // Without a request these would be read, as something else.
    for output in [
        r#"{"approval": {"approvers": P.id == "" ? 1 : 2}}"#,
        r#"P.id == "" ? {} : {"approval": {"approvers": 2}}"#,
        r#"{"approval": {"approvers": 1 + size(P.roles)}}"#,
        r#"{"approval": {"approvers": 2, "trainings": [R.kind]}}"#,
    ] {
        assert_eq!(with(output), None, "{output}");
    }
}

/// To pass over a rule that names another tool is to find that it does not hold, and nothing that could fail is passed over.
#[test]
fn rules_for_another_tool() {
    let decided = |condition: &str, effect: &str| {
        let allow = format!("{{name: all, {BOTH}, effect: EFFECT_ALLOW, roles: [a]}}");
        let rule = format!(
            "{{name: r, {BOTH}, effect: EFFECT_{effect}, roles: ['*'], condition: {{match: {condition}}}}}"
        );
        lowered(&engine(&[&rules("", &format!("{rule}, {allow}"))]), &["a"], "").map(|found| found.decision)
    };
    for (condition, denied) in [
        (r#"{expr: 'R.attr.tool_name == "pay"'}"#, true),
        (r#"{expr: '"pay" == R.attr.tool_name'}"#, true),
        (r#"{expr: 'R.attr.tool_name == "mail"'}"#, false),
        (r#"{expr: 'R.attr.tool_name == "mail" && R.attr.nothing == 1'}"#, false),
        (r#"{expr: 'R.attr.nothing == 1 && R.attr.tool_name == "mail"'}"#, false),
        (r#"{all: {of: [{expr: 'R.attr.tool_name == "mail"'}, {expr: R.attr.nothing}]}}"#, false),
        (r#"{any: {of: [{expr: 'R.attr.tool_name == "mail"'}, {expr: 'true'}]}}"#, true),
        (r#"{none: {of: [{expr: 'R.attr.tool_name == "mail"'}]}}"#, true),
        (r#"{expr: 'R.attr.tool_name != "mail"'}"#, true),
        (r#"{expr: 'R.attr.classification == "mail"'}"#, false),
    ] {
        let wanted = if denied { Decision::Deny } else { Decision::Allow };
        assert_eq!(decided(condition, "DENY"), Some(wanted), "{condition}");
    }
    for condition in [
        r#"{expr: 'P.attr.tool_name == "mail"'}"#,
        r#"{expr: 'R.attr.tool_name.x == "mail"'}"#,
        r#"{all: {of: [{expr: R.attr.nothing}, {expr: 'R.attr.tool_name == "mail"'}]}}"#,
        r#"{any: {of: [{expr: 'R.attr.tool_name == "mail"'}, {expr: R.attr.nothing}]}}"#,
        r#"{none: {of: [{expr: 'R.attr.tool_name == "mail"'}, {expr: R.attr.nothing}]}}"#,
    ] {
        assert_eq!(decided(condition, "DENY"), None, "{condition}");
    }
}

/// A rule for another tool that says something where it does not hold, or whose derived role could fail, is not passed over.
#[test]
fn rules_for_another_tool_that_do_more_than_hold() {
    let mail = r#"condition: {match: {expr: 'R.attr.tool_name == "mail"'}}"#;
    let allow = "{name: all, actions: [invoke], effect: EFFECT_ALLOW, roles: [a]}";
    let said = format!(
        "{{name: said, actions: [invoke], effect: EFFECT_ALLOW, roles: [a], {mail}, output: {{when: {{conditionNotMet: '{{\"approval\": {{\"approvers\": 3}}}}'}}}}}}"
    );
    let found = lowered(&engine(&[&rules("", &format!("{said}, {allow}"))]), &["a"], "").unwrap();
    let Decision::RequiresApproval(obligation) = found.decision else { panic!("{found:?}") };
    assert_eq!(obligation.approvers, 3);

    let roles = "derivedRoles: {name: roles, definitions: [{name: owner, parentRoles: [a], condition: {match: {expr: R.attr.nothing == 1}}}]}";
    let derived =
        format!("{{name: derived, actions: [invoke], effect: EFFECT_ALLOW, derivedRoles: [owner], {mail}}}");
    let policy = format!(
        "resourcePolicy: {{resource: agent.tool, version: default, importDerivedRoles: [roles], rules: [{derived}, {allow}]}}"
    );
    assert!(lowered(&engine(&[roles, &policy]), &["a"], "").is_none());
    assert!(lowered(&engine(&[roles, &policy]), &["b"], "").is_some());
}

/// Conditions whose outcome is not kept cost their nodes for each role again.
#[test]
fn conditions_beyond_those_that_are_kept_cost_their_nodes() {
    let condition = "{match: {any: {of: [{expr: 'R.attr.depth == 1.0 || R.attr.depth == 2.0'}, {all: {of: [{expr: R.attr.depth == 3.0}]}}]}}}";
    let rule = format!("{{{BOTH}, effect: EFFECT_DENY, roles: ['*'], condition: {condition}}}");
    let engine = engine(&[&rules("", &vec![rule; 340].join(", "))]);
    let decided = |count: usize| {
        let roles: Vec<String> = (0..count).map(|at| format!("r{at:02}")).collect();
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        lowered(&engine, &roles, "").is_some()
    };
    assert!(decided(18));
    assert!(!decided(19));
}
