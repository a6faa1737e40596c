//! What the analysis cannot look into, or not to its end, is proven neither way.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::analysis::{Proof, Property, diff, prove};
use fuze_policy::cerbos::{PolicySet, Source};

/// A policy with a rule for a clinic's records, and what else stands in it.
fn set(head: &str, actions: &str, condition: &str, output: &str) -> PolicySet {
    let text = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: agent.tool\n  version: default\n{head}  rules:\n    - actions: [{actions}]\n      \
         effect: EFFECT_ALLOW\n      roles: [clinic]\n      condition:\n        match:\n          all:\n            of:\n              - expr: \
         R.attr.tool_name == \"health_record\"\n              - expr: |-\n                  {condition}\n{output}"
    );
    PolicySet::load(&[Source::new("p.yaml", &text)]).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Ten variables that double: written out a thousand walks over a list, computed once each one walk.
fn doubling() -> String {
    let items: Vec<String> = (0..450).map(|at| format!("a{at}")).collect();
    let variables: String = (1..=9).map(|at| format!("      v{at}: '[V.v{0}, V.v{0}]'\n", at - 1)).collect();
    format!(
        "  constants:\n    local:\n      big: [{}]\n  variables:\n    local:\n      v0: C.big.map(e, e)\n{variables}",
        items.join(", ")
    )
}

const BOTH: &str = "invoke, 'invoke:auto'";

fn is_unknown_or_broken(proof: &Proof) -> bool {
    !matches!(proof, Proof::Proven { .. })
}

#[test]
fn what_costs_more_written_out_than_computed_is_not_denied() {
    let now = set(&doubling(), BOTH, r#"R.attr.classification == "public" || size(V.v9) == 2"#, "");
    let before = set("", BOTH, r#"R.attr.classification == "public""#, "");
    for proof in [prove(&now, &Property::never_auto("special_category")), diff(&before, &now)] {
        // It is allowed for a special category: the engine computes each variable once.
        assert!(is_unknown_or_broken(&proof), "{proof}");
        assert!(proof.counterexample().is_some(), "{proof}");
    }
}

#[test]
fn an_output_that_costs_more_written_out_does_not_fail() {
    let output = "      output: {when: {ruleActivated: '{\"approval\": {\"approvers\": size(V.v9) - 1}}'}}\n";
    let now = set(&doubling(), "invoke", "true", output);
    let property = Property::at_least_approvers("special_category", 2);
    assert!(is_unknown_or_broken(&prove(&now, &property)), "one person approves");
    let denied = set("", "invoke", "false", "");
    let proof = diff(&denied, &now);
    assert!(is_unknown_or_broken(&proof), "{proof}");
}

/// A pattern that reads like the rest of another expression is not that expression.
#[test]
fn expressions_are_told_apart_whatever_their_texts_say() {
    let plain = r#"true in [R.attr.args.x.matches("q\\Q"), R.attr.args.y.matches("^")]"#;
    let hostile = r#"true in [R.attr.args.x.matches("q\\Q)), span: Span { start: 0, end: 0 } }, optional: false }, Item { value: Expr { kind: Matches(Expr { kind: Path(Path { root: ResourceAttr, keys: [\"args\", \"y\"] }), span: Span { start: 0, end: 0 } }, Pattern(^")]"#;
    let (plain, hostile) = (set("", BOTH, plain, ""), set("", BOTH, hostile, ""));
    for (before, now) in [(&plain, &hostile), (&hostile, &plain)] {
        assert!(is_unknown_or_broken(&diff(before, now)), "what they let through differs");
    }
    assert!(matches!(diff(&plain, &plain), Proof::Proven { .. }));
}
