//! Rules that decide nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::decide::Decision;
use super::super::frames::{Frames, Wanted};
use super::super::model::{For, Model, RuleOf, rules};
use super::super::prove::{Run, lives, outcome};
use super::super::{Lint, Policies, Property};
use super::Findings;
use crate::agent_tool::{INVOKE, INVOKE_AUTO, VERSION};
use crate::cerbos::{Effect, RoleRow, Rule};

pub(super) fn find(open: &Policies<'_>, declared: Option<&Policies<'_>>, found: &mut Findings) {
    let all = rules(open.set);
    let mut dead: Vec<*const Rule> = Vec::new();
    for of in &all {
        if let Some(message) = never_asked(open, of) {
            found.add(Lint::DeadRule, &of.rule.place, message);
            dead.push(Arc::as_ptr(of.rule));
        }
    }
    let mut add = |rules: Vec<&Arc<Rule>>, message: &str, dead: &mut Vec<*const Rule>| {
        for rule in rules {
            if !dead.contains(&Arc::as_ptr(rule)) {
                found.add(Lint::DeadRule, &rule.place, message);
                dead.push(Arc::as_ptr(rule));
            }
        }
    };
    if let (Ok(_), without_life) = lives(open) {
        add(without_life, "no request reaches this rule with its condition met", &mut dead);
    }
    // A DENY may well be for tools to come.
    if let Some((Ok(_), mut without_life)) = declared.map(lives) {
        without_life.retain(|rule| rule.effect == Effect::Allow);
        add(without_life, "no declared tool meets the condition of this ALLOW", &mut dead);
    }
    for rule in shadowed(open, &all, &dead) {
        let message = "every decision is the same without this rule: others decide wherever it holds";
        found.add(Lint::ShadowedRule, &rule.place, message);
    }
}

/// Why nobody ever asks what a rule is about.
fn never_asked(policies: &Policies<'_>, of: &RuleOf<'_>) -> Option<String> {
    if let Some(version) = of.version(policies.set).filter(|version| *version != VERSION) {
        return Some(format!("tools are decided by policies of the version `{VERSION}`, not `{version}`"));
    }
    (!of.is_asked()).then(|| {
        let mut actions: Vec<String> = of.rows.iter().map(|row| format!("`{}`", row.action.as_str())).collect();
        actions.extend(
            of.of_role.iter().flat_map(|row| row.allow_actions.iter()).map(|glob| format!("`{}`", glob.as_str())),
        );
        actions.dedup();
        format!(
            "this rule is for {}; about a tool it is asked whether `{INVOKE}` and `{INVOKE_AUTO}` are allowed, nothing else",
            actions.join(", ")
        )
    })
}

/// Rules without which every decision is the same. Where that is not certain, it is no finding.
fn shadowed<'p>(policies: &Policies<'p>, all: &[RuleOf<'p>], dead: &[*const Rule]) -> Vec<&'p Arc<Rule>> {
    let is_alive = |of: &&RuleOf<'_>| !dead.contains(&Arc::as_ptr(of.rule));
    let mut waiting: Vec<&'p Arc<Rule>> =
        all.iter().filter(|of| is_alive(of) && of.of_role.is_none()).map(|of| of.rule).collect();
    let model = Model::new(&[policies], For::Decisions);
    let frames = Frames::new(&model, &Wanted { deciding_roles: 2, classification: None });
    let property = Property::NoRuleIsDead;
    let mut run = Run::new(&property, policies);
    let done = run.each(&frames, &model, |_, search| {
        let mut decision = Decision::new(search, 0);
        let with = decision.outcome();
        let reached = decision.reached;
        waiting.retain(|rule| {
            if !reached.iter().any(|other| std::ptr::eq(*other, rule.as_ref())) {
                return true;
            }
            Decision::without(search, 0, rule).outcome() == with
        });
        waiting.is_empty().then_some(())
    });
    if done.is_some() || run.certain(&frames).is_err() {
        waiting.clear();
    }
    let of_roles =
        all.iter().filter(is_alive).filter(|of| of.of_role.is_some_and(|row| is_needless(policies, row)));
    waiting.extend(of_roles.map(|of| of.rule));
    waiting
}

/// Whether every decision is certainly the same without a role policy's rule. The set without it is looked at as another set, since a role
/// policy denies what no rule of it names.
fn is_needless(policies: &Policies<'_>, row: &RoleRow) -> bool {
    let of_policy = policies.set.role_rows().filter(|other| other.policy == row.policy);
    if of_policy.count() < 2 {
        // Without its last rule there is no policy, and no denial.
        return false;
    }
    let mut set = policies.set.clone();
    for index in set.resources.values_mut().flat_map(BTreeMap::values_mut) {
        index.roles.retain(|other| !Arc::ptr_eq(&other.rule, &row.rule));
    }
    let without = Policies { set: &set, ..policies.clone() };
    let model = Model::new(&[policies, &without], For::Decisions);
    let frames = Frames::new(&model, &Wanted { deciding_roles: 3, classification: None });
    let property = Property::NoRuleIsDead;
    let mut run = Run::new(&property, policies);
    let differs =
        run.each(&frames, &model, |_, search| (outcome(search, 0) != outcome(search, 1)).then_some(()));
    differs.is_none() && run.certain(&frames).is_ok()
}
