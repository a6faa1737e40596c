//! That nothing crosses tenants is proven only where no argument can unlock what another tenant's name stands for.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::Decision;
use fuze_policy::agent_tool::verdict;
use fuze_policy::analysis::{Proof, Property, Reason, prove};
use fuze_policy::cel::Timestamp;
use fuze_policy::cerbos::{self, CheckInput, CheckParams, PolicySet, Source};

/// One ALLOW for a tool, with a condition; and what else the policy says.
fn set(condition: &str, more: &str) -> PolicySet {
    let text = format!(
        r#"apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
{more}  rules:
    - name: r
      actions: ["invoke", "invoke:auto"]
      effect: EFFECT_ALLOW
      roles: ["agent"]
      condition:
        match:
          all:
            of:
              - expr: R.attr.tool_name == "t"
              - expr: |-
                  {condition}
"#
    );
    PolicySet::load(&[Source::new("p.yaml", &text)]).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn proof(condition: &str) -> Proof {
    prove(&set(condition, ""), &Property::NothingCrossesTenants)
}

/// Whether the call is allowed.
fn allows(set: &PolicySet, input: &CheckInput) -> bool {
    let params = CheckParams::at(Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 });
    let output = cerbos::check(set, input, &params).unwrap();
    verdict(input, &output).is_ok_and(|verdict| verdict.decision == Decision::Allow)
}

/// What sees all arguments, or one whose name is computed, may look at another tenant's name: that is shown by a request, or unknown.
#[test]
fn an_argument_that_is_looked_at_in_another_way_may_name_a_tenant() {
    for (condition, shown) in [
        (r#"R.attr.args.?tenant.orValue("") == "other""#, true),
        (r#"R.attr.args[?"tenant"].orValue("") == "other""#, true),
        (r#"R.attr.?args[?"tenant"].orValue("") == "other""#, true),
        (r#"R.attr.args.exists(k, v, v != P.attr.tenant)"#, true),
        (r#"R.attr.args.exists(k, k == "tenant" && R.attr.args[k] == "other")"#, true),
        (r#"R.attr.args == {"tenant": "other"}"#, true),
        (r#"R.attr.args["ten" + "ant"] == "other""#, true),
        (r#"R.attr["ar" + "gs"].tenant == "other""#, true),
        (r#"R.attr["ar" + "gs"]["tenant"] != P.attr.tenant"#, true),
        (r#"cel.bind(all, R.attr.args, all.tenant == "other")"#, true),
        (
            r#"request.resource.attr.map(k, k == "args" ? request.resource.attr[k].tenant : "").exists(t, t == "other")"#,
            true,
        ),
        (r#"R.attr.args[P.attr.purpose] == "other""#, false),
        (r#"R.attr.args[P.attr.purpose] != P.attr.tenant"#, false),
        (r#"R.attr.args.?tenant.?id.orValue("") == "other""#, false),
        (r#"R.attr.args.tenant == P.attr["ten" + "ant"] || R.attr.args.tenant == "other""#, false),
    ] {
        check(condition, shown);
    }
}

/// The name of any part of the way to an argument counts, and what an argument has in it that is no text.
#[test]
fn a_tenant_may_be_named_within_an_argument() {
    for (condition, shown) in [
        (r#"R.attr.args.tenant.id == "other""#, true),
        (r#"R.attr.args.tenant.id != P.attr.tenant"#, true),
        (r#"R.attr.args.for.TenantOf.id == "other""#, true),
        (r#"R.attr.args.tenants[0] == "other""#, true),
        (r#""other" in R.attr.args.tenants"#, true),
        (r#"R.attr.args.tenants.exists(t, t == "other")"#, true),
        (r#"R.attr.args.tenants == ["other"]"#, true),
        (r#"R.attr.args.tenant.?id.orValue("") == "other""#, false),
        (r#"R.attr.args.tenant["i" + "d"] == "other""#, false),
        (r#"R.attr.args.list.exists(t, t != P.attr.tenant)"#, false),
        (r#"R.attr.args.tenant.a.b == "x" && R.attr.args.tenant.exists(k, k == "other")"#, false),
    ] {
        check(condition, shown);
    }
}

/// Nor is the way to the name a plain one. A request shows it, or nothing is known.
#[test]
fn a_tenant_may_be_selected_from_an_argument_in_any_way() {
    for condition in [
        r#"R.attr.args.orders[0].tenant == "other""#,
        r#"R.attr.args.order[?"tenant"].orValue("") == "other""#,
        r#"R.attr.args.order.?tenant.orValue("") == "other""#,
        r#"R.attr.args.orders.exists(o, o.tenant == "other")"#,
        r#"cel.bind(o, R.attr.args.order, o.tenant == "other")"#,
        r#"R.attr.args.order["ten" + "ant"] == "other""#,
        r#"R.attr.args.order[P.attr.purpose] == "other""#,
        r#"dyn(R.attr.args.order).tenant == "other""#,
        r#"[R.attr.args.order][0].tenant == "other""#,
        r#"has(R.attr.args.orders[0].tenant) && R.attr.args.orders[0].tenant == "other""#,
        r#"R.attr.args.orders == [{"tenant": "other"}]"#,
    ] {
        match proof(condition) {
            Proof::Proven { .. } => panic!("{condition}: proven"),
            Proof::Counterexample(found) => {
                assert!(allows(&set(condition, ""), found.request.as_ref().unwrap()), "{condition}: {found}");
            }
            Proof::Unknown { .. } => {}
        }
    }
    assert!(matches!(proof(r#"R.attr.args.order[0].id == "other""#), Proof::Proven { .. }));
}

fn check(condition: &str, shown: bool) {
    let set = set(condition, "");
    match prove(&set, &Property::NothingCrossesTenants) {
        Proof::Counterexample(found) => {
            assert!(shown, "{condition}: {found}");
            assert!(allows(&set, found.request.as_ref().unwrap()), "{condition}: {found}");
        }
        Proof::Unknown { reason: Reason::Opaque { place, .. }, .. } => {
            assert!(!shown, "{condition}");
            assert_eq!(&*place.file, "p.yaml");
        }
        other => panic!("{condition}: {other}"),
    }
}

/// A derived role may rest on arguments, also one that only a rule for another action names.
#[test]
fn a_derived_role_may_rest_on_an_argument() {
    let roles = r#"apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: those
  definitions:
    - name: d
      parentRoles: ["*"]
      condition:
        match:
          expr: R.attr.args.tenant == "other"
"#;
    let policy = r#"apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: agent.tool
  version: default
  importDerivedRoles: [those]
  rules:
    - actions: ["delete"]
      effect: EFFECT_ALLOW
      derivedRoles: ["d"]
    - actions: ["invoke", "invoke:auto"]
      effect: EFFECT_ALLOW
      roles: ["agent"]
      condition:
        match:
          expr: R.attr.tool_name == "t" && "d" in runtime.effectiveDerivedRoles
"#;
    let set = PolicySet::load(&[Source::new("p.yaml", policy), Source::new("roles.yaml", roles)]).unwrap();
    let proof = prove(&set, &Property::NothingCrossesTenants);
    let found = proof.counterexample().unwrap_or_else(|| panic!("{proof}"));
    assert!(allows(&set, found.request.as_ref().unwrap()), "{proof}");
}

/// What looks at single arguments, none of which names a tenant, or demands the tenant's own, is proven as before.
#[test]
fn what_names_no_other_tenant_is_proven() {
    for condition in [
        r#"R.attr.args.amount <= 500 && R.attr.args.to.endsWith("@example.org")"#,
        r#"R.attr.args.tenant == P.attr.tenant"#,
        r#"R.attr.args.tenant.id == P.attr.tenant && R.attr.args.amount < 5"#,
        r#"P.attr.tenant == "acme" && R.attr.args.size > 2"#,
        r#"P.attr["ten" + "ant"] == "acme" && R.attr.args.size > 2"#,
    ] {
        let proof = proof(condition);
        assert!(proof.is_proven(), "{condition}: {proof}");
    }
}
