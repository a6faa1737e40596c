//! Cerbos policies in the loop: allowed, waiting for a person, denied, and halted where a condition cannot be evaluated.

use fuze_agent::{Cerbos, prelude::*};
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, World, agent, person};
use fuze_policy::Engine as _;
use fuze_policy::cerbos::{Files, Source};
use serde_json::{Value, json};

/// Pays.
#[tool(classification = confidential, retention = SHORT, threat_boundary(egress = none), effect = once)]
async fn pay(ctx: &Ctx<'_, World>, amount_eur: Value) -> Result<String, ToolError> {
    ctx.deps().does(format!("pay {amount_eur}"));
    Ok("paid".to_owned())
}

agent! { Payer [pay] String }

const POLICY: &str = r#"
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  rules:
    - name: pay
      actions: ["invoke"]
      effect: EFFECT_ALLOW
      roles: ["accounting"]
      condition: {match: {expr: R.attr.tool_name == "pay" && R.attr.args.amount_eur <= 1000}}
      output: {when: {ruleActivated: '{"approval": {"approvers": 2}}'}}
    - name: pay-as-clerk
      actions: ["invoke"]
      effect: EFFECT_ALLOW
      roles: ["clerk"]
      condition: {match: {expr: R.attr.tool_name == "pay" && R.attr.args.amount_eur <= 1000}}
      output: {when: {ruleActivated: '{"approval": {"approvers": 1}}'}}
    - name: pay-little
      actions: ["invoke:auto"]
      effect: EFFECT_ALLOW
      roles: ["accounting"]
      condition: {match: {expr: R.attr.tool_name == "pay" && R.attr.args.amount_eur <= 10}}
"#;

fn policy() -> Cerbos {
    let files = Files { policies: vec![Source::new("pay.yaml", POLICY)], ..Files::default() };
    Cerbos::new(&files, None).unwrap()
}

async fn paying(amount: Value, roles: &[&str]) -> (Outcome<String>, Evidence, World) {
    let (desk, world) = (Desk::new(), World::new());
    let people = [&person("one"), &person("two")];
    let model = ScriptedModel::new().call("pay", json!({"amount_eur": amount})).answer("end");
    let deployment = desk.deploy(policy(), &people);
    let run = deployment.run(Payer, world.clone(), model).tenant("t").principal("p");
    let outcome = run.roles(roles.iter().copied()).input("go").start().await.unwrap();
    let evidence = desk.evidence(outcome.report().run_id);
    (outcome, evidence, world)
}

#[tokio::test]
async fn both_actions_allowed_runs() {
    let (outcome, evidence, world) = paying(json!(10), &["accounting"]).await;
    assert_eq!(outcome.status(), "completed");
    assert_eq!(world.log(), ["pay 10"]);
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.decision"), ["allow"]);
    assert_eq!(
        evidence.attrs("policy.evaluate", "fuze.policy.rule"),
        ["resource.agent.tool.vdefault:pay-little"]
    );
    assert_eq!(evidence.attrs("agent.invoke", "fuze.policy.engine"), ["cerbos/1"]);
    let hash: String = policy().identity().bundle_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.bundle_hash"), [hash]);
}

#[tokio::test]
async fn the_first_alone_waits_for_as_many_persons_as_the_output_says() {
    let (outcome, evidence, world) = paying(json!(10.5), &["accounting"]).await;
    assert_eq!(outcome.status(), "suspended");
    assert_eq!(world.log(), [""; 0]);
    assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.decision"), ["requires_approval"]);
    let suspended = super::suspended(outcome);
    let case = suspended.cases().first().unwrap();
    assert_eq!(case.token().claims().obligation.approvers, 2);
}

/// A policy asks about roles until one allows, so the first could say who approves: the order in which a program lists them is none.
#[tokio::test]
async fn the_order_of_roles_decides_nothing() {
    for roles in
        [&["clerk", "accounting"][..], &["accounting", "clerk"], &["accounting", "clerk", "accounting"]]
    {
        let (outcome, _, _) = paying(json!(20), roles).await;
        let suspended = super::suspended(outcome);
        let case = suspended.cases().first().unwrap();
        assert_eq!(case.token().claims().obligation.approvers, 2, "{roles:?}");
    }
}

#[tokio::test]
async fn no_rule_denies() {
    for (amount, roles) in [(json!(1000.5), ["accounting"]), (json!(1), ["support"])] {
        let (outcome, evidence, world) = paying(amount, &roles).await;
        assert_eq!(outcome.status(), "policy_denied");
        assert_eq!(world.log(), [""; 0]);
        assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.decision"), ["deny"]);
    }
}

/// What Cerbos passes over by default: a condition that fails halts the run.
#[tokio::test]
async fn a_condition_that_fails_halts() {
    for (amount, roles) in
        [(json!("1"), &["accounting"][..]), (json!(null), &["accounting"]), (json!(1), &[])]
    {
        let (outcome, evidence, world) = paying(amount, roles).await;
        assert_eq!(outcome.status(), "halted", "{outcome:?}");
        assert_eq!(world.log(), [""; 0]);
        assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.decision"), ["error"]);
        assert_eq!(evidence.attrs("policy.evaluate", "fuze.policy.error"), ["evaluation"]);
    }
}
