//! What finding rules and variables counts against the budget, beside what expressions cost. A number that changes here changes which
//! sets are refused as too costly: it should be meant.

use super::*;

/// A decision with a budget of so many steps.
fn within(steps: u64, set: &PolicySet, input: &CheckInput) -> Result<CheckOutput, CheckError> {
    check(set, input, &CheckParams { budget: Budget::new(steps, Budget::BYTES), ..params() })
}

/// The steps that a decision takes: the least of a budget that lets it pass.
fn steps(set: &PolicySet, input: &CheckInput) -> u64 {
    let (mut low, mut high) = (0, Budget::STEPS);
    while low < high {
        let middle = u64::midpoint(low, high);
        if within(middle, set, input).is_ok() { high = middle } else { low = middle + 1 }
    }
    low
}

/// So many rules for a role, which need nothing evaluated.
fn rules(count: usize, role: &str) -> String {
    format!("    - {{actions: [view], roles: ['{role}'], effect: EFFECT_ALLOW}}\n").repeat(count)
}

/// Each rule for a resource is held against each role, for each action, whether it is meant or not.
#[test]
fn a_rule_that_is_looked_at_is_a_step() {
    let ten = set(&[&doc("", &rules(10, "user"))]);
    assert_eq!(steps(&ten, &asks(&["user"], &["view"])), 10);
    assert_eq!(steps(&ten, &asks(&["user"], &["view", "edit"])), 20);
    assert_eq!(steps(&ten, &asks(&["other", "user"], &["view"])), 20);
    assert_eq!(steps(&ten, &asks(&["user", "other"], &["view"])), 10, "the first role may");
    let mut other = asks(&["user"], &["view"]);
    other.resource.kind = "other".to_owned();
    assert_eq!(steps(&ten, &other), 0);
}

/// A pattern that is no mere beginning or end is run over the role.
#[test]
fn a_pattern_costs_what_it_runs() {
    let role = "r".repeat(64);
    let asked = asks(&[&role], &["view"]);
    assert_eq!(steps(&set(&[&doc("", &rules(10, "r**"))]), &asked), 10);
    assert_eq!(steps(&set(&[&doc("", &rules(10, "*r*r*"))]), &asked), 130);
}

/// All rules of a scope's role policies are looked at for each role, and the scope's others.
#[test]
fn rules_of_role_policies_count() {
    let policy = |role: &str| {
        format!(
            "rolePolicy:\n  role: {role}\n  version: default\n  rules:\n    - {{resource: doc, allowActions: [view]}}\n    \
             - {{resource: other, allowActions: [view]}}\n"
        )
    };
    let set = set(&[&doc("", &rules(3, "*")), &policy("a"), &policy("b")]);
    assert_eq!(steps(&set, &asks(&["a"], &["view"])), 3 + 4);
    assert_eq!(steps(&set, &asks(&["c"], &["edit"])), 3 + 4);
}

#[test]
fn rules_that_the_budget_does_not_reach_are_no_answer() {
    let set = set(&[&doc("", &rules(10, "user"))]);
    let asked = asks(&["user"], &["view"]);
    let refused = within(9, &set, &asked).unwrap_err();
    assert!(
        matches!(&refused, CheckError::TooManyRules { resource, .. } if **resource == *"doc"),
        "{refused}"
    );
    assert_eq!(effects(&within(10, &set, &asked).unwrap()), ["view Allow resource.doc.vdefault"]);
}

/// Each variable sees those before it, sixteen of them to a step.
#[test]
fn variables_cost_those_before_them() {
    let with = |count: usize| {
        let local: String = (0..count).map(|at| format!("v{at}: '1', ")).collect();
        let all: Vec<String> = (0..count).map(|at| format!("V.v{at} == 1")).collect();
        let rule = format!(
            "    - {{actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {{match: {{expr: '{}'}}}}}}\n",
            all.join(" && ")
        );
        let set = set(&[&doc(&format!("  variables: {{local: {{{local}}}}}\n"), &rule)]);
        steps(&set, &asks(&["user"], &["view"]))
    };
    let each = with(3) - with(2);
    // Up to the sixteenth, variables cost no more than themselves.
    assert_eq!(with(16), with(2) + 14 * each);
    // Of forty, sixteen come after sixteen others, and eight after thirty-two.
    assert_eq!(with(40), with(2) + 38 * each + 16 + 8 * 2);
}
