//! Rules that decide nothing.

use std::sync::Arc;

use super::super::decide::Decision;
use super::super::frames::{Frames, Wanted};
use super::super::model::{Model, RuleOf, rules};
use super::super::prove::{Run, lives};
use super::super::{Lint, Policies, Property};
use super::Findings;
use crate::agent_tool::{ACTIONS, INVOKE, INVOKE_AUTO, VERSION};
use crate::cerbos::{Effect, Rule};

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
    let versions =
        of.rows.iter().filter_map(|row| policies.set.policy(row.policy)).map(|policy| &policy.version);
    if let Some(version) = versions.into_iter().find(|version| &***version != VERSION) {
        return Some(format!("tools are decided by policies of the version `{VERSION}`, not `{version}`"));
    }
    let asked = of.rows.iter().any(|row| ACTIONS.iter().any(|action| row.action.matches(action)));
    (!asked).then(|| {
        format!("about a tool it is asked whether `{INVOKE}` and `{INVOKE_AUTO}` are allowed, nothing else")
    })
}

/// Rules without which every decision is the same. Where that is not certain, it is no finding.
fn shadowed<'p>(policies: &Policies<'p>, all: &[RuleOf<'p>], dead: &[*const Rule]) -> Vec<&'p Arc<Rule>> {
    let mut waiting: Vec<&'p Arc<Rule>> =
        all.iter().map(|of| of.rule).filter(|rule| !dead.contains(&Arc::as_ptr(rule))).collect();
    let model = Model::new(&[policies], false);
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
    if done.is_some() || run.certain(&frames).is_err() { Vec::new() } else { waiting }
}
