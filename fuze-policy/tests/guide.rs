//! The policies of the guide: they load, their suites hold, and they decide what the guide says.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::cerbos::{Source, read_directory};
use fuze_policy::suite::{self, Outcome};
use fuze_policy::{CallFacts, Decision, Engine, Request, RunFacts, ToolFacts};

const GUIDE: [&str; 5] = ["payment", "personal", "public", "special", "tenants"];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guide").join(name)
}

#[test]
fn every_suite_of_the_guide_holds() {
    for name in GUIDE {
        let files = read_directory(&directory(name)).unwrap();
        let engine = Cerbos::new(&files, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(files.tests.len(), 1, "{name}");
        for source in &files.tests {
            let result = suite::run(engine.set(), source, &[]);
            assert!(result.holds(), "{name}: {result:#?}");
            assert!(result.cases.len() >= 16, "{name}: {} cases", result.cases.len());
            assert!(result.cases.iter().all(|case| matches!(case.outcome, Outcome::Passed)));
        }
    }
}

/// A suite that expects something else does not hold: the runner is no stub.
#[test]
fn a_suite_that_expects_more_fails() {
    let files = read_directory(&directory("special")).unwrap();
    let engine = Cerbos::new(&files, None).unwrap();
    let suite = files.tests.first().unwrap();
    for (from, to) in [
        ("\"invoke:auto\": EFFECT_DENY", "\"invoke:auto\": EFFECT_ALLOW"),
        ("\"invoke\": EFFECT_ALLOW", "\"invoke\": EFFECT_DENY"),
        ("approvers: 1", "approvers: 2"),
        ("#health-record-with-approval", "#another-rule"),
        ("principal: clinic", "principal: reception"),
    ] {
        let text = suite.text.replacen(from, to, 1);
        assert_ne!(text, suite.text, "{from}");
        let result = suite::run(engine.set(), &Source::new(&suite.path, &text), &[]);
        assert!(!result.holds(), "{from} → {to}");
    }
}

/// The guide prints the policies as they are.
#[test]
fn the_guide_shows_these_files() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md")).unwrap();
    for name in GUIDE {
        for source in read_directory(&directory(name)).unwrap().policies {
            let shown =
                format!("`fuze-policy/guide/{name}/{}`\n\n```yaml\n{}```\n", source.path, source.text);
            assert!(guide.contains(&shown), "docs/policy.md does not show {name}/{} as it is", source.path);
        }
    }
}

struct Call<'a> {
    tool: ToolFacts<'a>,
    roles: &'a [String],
    tenant: &'a str,
    args: &'a str,
}

fn decide(engine: &Cerbos, call: &Call<'_>) -> Decision {
    let request = Request {
        tool: call.tool,
        run: RunFacts {
            tenant: call.tenant,
            principal: "agent-1",
            roles: call.roles,
            purpose: "accounts-payable",
            lawful_basis: "legal_obligation",
            annex_iii: "none",
            art22: "none",
            has_subject: false,
        },
        call: CallFacts { args: call.args.as_bytes(), depth: 0 },
    };
    let decided = engine.decide(&request).unwrap().decision;
    assert_eq!(decided, engine.decide_interpreted(&request).unwrap().decision);
    decided
}

fn payment() -> ToolFacts<'static> {
    ToolFacts {
        name: "pay_invoice",
        classification: "confidential",
        art9_basis: None,
        residency: "eu",
        effect: "once",
        egress: "hosts",
    }
}

#[test]
fn the_amount_decides_who_is_asked() {
    let engine = Cerbos::load(&directory("payment")).unwrap();
    let roles = ["accounting".to_owned()];
    let pay = |args| decide(&engine, &Call { tool: payment(), roles: &roles, tenant: "acme", args });
    assert_eq!(pay(r#"{"amount_eur":500}"#), Decision::Allow);
    assert_eq!(pay(r#"{"amount_eur":10000.01}"#), Decision::Deny);
    let Decision::RequiresApproval(obligation) = pay(r#"{"amount_eur":500.01}"#) else { panic!() };
    assert_eq!(obligation.approvers, 2);
    assert_eq!(obligation.deadline_seconds, Some(86_400));
    assert_eq!(obligation.may_approve.unwrap().len(), 3);
}

/// A condition that cannot be evaluated is no denial and no approval: the engine has no answer, and the run halts.
#[test]
fn an_argument_of_another_type_is_an_engine_error() {
    let engine = Cerbos::load(&directory("payment")).unwrap();
    let roles = ["accounting".to_owned()];
    for args in [r#"{"amount_eur":"1"}"#, "{}", r#"{"amount_eur":null}"#] {
        let request = Request {
            tool: payment(),
            run: RunFacts {
                tenant: "acme",
                principal: "agent-1",
                roles: &roles,
                purpose: "accounts-payable",
                lawful_basis: "legal_obligation",
                annex_iii: "none",
                art22: "none",
                has_subject: false,
            },
            call: CallFacts { args: args.as_bytes(), depth: 0 },
        };
        let error = engine.decide(&request).unwrap_err().to_string();
        assert!(error.contains("resource.agent.tool.vdefault#payment"), "{args}: {error}");
    }
}

#[test]
fn a_tenant_narrows_and_others_are_as_before() {
    let engine = Cerbos::load(&directory("tenants")).unwrap();
    let roles = ["support".to_owned()];
    let tool = ToolFacts {
        name: "send_mail",
        classification: "personal",
        art9_basis: None,
        residency: "eu",
        effect: "once",
        egress: "eu",
    };
    let send = |tenant, args| decide(&engine, &Call { tool, roles: &roles, tenant, args });
    assert_eq!(send("globex", r#"{"to":"stranger"}"#), Decision::Allow);
    assert_eq!(send("acme", r#"{"to":"stranger"}"#), Decision::Deny);
    let Decision::RequiresApproval(obligation) = send("acme", r#"{"to":"customer"}"#) else { panic!() };
    assert_eq!(obligation.deadline_seconds, Some(7200));
    // A tenant whose name only begins like a scope is in the root.
    assert_eq!(send("acme.hr", r#"{"to":"stranger"}"#), Decision::Allow);
}

/// A tenant's role policy is asked about even where the tenant has no resource policy of its own.
#[test]
fn a_tenant_s_role_policy_alone_narrows_too() {
    let policy =
        |name: &str, body: &str| Source::new(name, &format!("apiVersion: api.cerbos.dev/v1\n{body}"));
    let root = policy(
        "root.yaml",
        "resourcePolicy: {resource: agent.tool, version: default, rules: [{actions: [invoke, 'invoke:auto'], effect: EFFECT_ALLOW, roles: [accounting]}]}",
    );
    let role = policy(
        "role.yaml",
        "rolePolicy: {role: accounting, version: default, scope: acme, rules: [{resource: agent.tool, allowActions: [invoke]}]}",
    );
    let files = fuze_policy::cerbos::Files { policies: vec![root, role], ..Default::default() };
    let engine = Cerbos::new(&files, None).unwrap();
    let roles = ["accounting".to_owned()];
    let pay = |tenant| decide(&engine, &Call { tool: payment(), roles: &roles, tenant, args: "{}" });
    assert_eq!(pay("globex"), Decision::Allow);
    assert_ne!(pay("acme"), Decision::Allow);
}
