//! Rules that decide nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::decide::Decision;
use super::super::frames::{Frames, Spoken, Wanted};
use super::super::model::{For, Model};
use super::super::prove::{Run, lives, outcome};
use super::super::same::speak_alike_to;
use super::super::tool_rules::{RuleOf, rules};
use super::super::{Lint, Policies, Property, Reason};
use super::Findings;
use crate::agent_tool::{INVOKE, INVOKE_AUTO, VERSION};
use crate::cerbos::{Effect, RoleRow, Rule};

pub(super) fn find(open: &Policies<'_>, declared: Option<&Policies<'_>>, found: &mut Findings) {
    let all = rules(open.set);
    let mut dead: HashSet<*const Rule> = HashSet::new();
    for of in &all {
        if let Some(message) = never_asked(open, of) {
            found.add(Lint::DeadRule, &of.rule.place, message);
            dead.insert(Arc::as_ptr(of.rule));
        }
    }
    let mut without_life =
        |(lives, rules): (Result<u64, Reason>, Vec<&Arc<Rule>>), message: &str, whether: &str| {
            let rules: Vec<&Arc<Rule>> =
                rules.into_iter().filter(|rule| !dead.contains(&Arc::as_ptr(rule))).collect();
            match lives {
                Ok(_) => {
                    for rule in rules {
                        found.add(Lint::DeadRule, &rule.place, message);
                        dead.insert(Arc::as_ptr(rule));
                    }
                }
                Err(reason) if reason.is_of_budget() => found.not_judged(rules, whether, &reason),
                Err(_) => {}
            }
        };
    without_life(lives(open), "no request reaches this rule with its condition met", "is dead");
    // A DENY may well be for tools to come.
    if let Some((lives, mut rules)) = declared.map(lives) {
        rules.retain(|rule| rule.effect == Effect::Allow);
        let message = "no declared tool meets the condition of this ALLOW";
        without_life((lives, rules), message, "is met by no declared tool");
    }
    shadowed(open, &all, &dead, found);
    needless(open, &all, &dead, found);
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

/// Objects to rules without which every decision is the same. Where that is not certain, it is no finding.
fn shadowed(policies: &Policies<'_>, all: &[RuleOf<'_>], dead: &HashSet<*const Rule>, found: &mut Findings) {
    let is_waiting = |of: &&RuleOf<'_>| !dead.contains(&Arc::as_ptr(of.rule)) && of.of_role.is_none();
    let mut waiting: HashMap<*const Rule, &Arc<Rule>> =
        all.iter().filter(is_waiting).map(|of| (Arc::as_ptr(of.rule), of.rule)).collect();
    if waiting.is_empty() {
        return;
    }
    let model = Model::new(&[policies], For::Decisions);
    let frames = Frames::new(&model, &Wanted::all(2));
    let property = Property::NoRuleIsDead;
    let mut run = Run::new(&property, policies);
    run.each(&frames, &model, |_, search| {
        let mut decision = Decision::new(search, 0);
        let with = decision.outcome();
        let mut reached = decision.reached;
        reached.retain(|rule| waiting.contains_key(&std::ptr::from_ref(*rule)));
        for rule in reached {
            let at = std::ptr::from_ref(rule);
            if waiting.contains_key(&at) && Decision::without(search, 0, rule).outcome() != with {
                waiting.remove(&at);
            }
        }
        waiting.is_empty().then_some(())
    });
    match run.certain(&frames) {
        Ok(()) => waiting.into_values().for_each(|rule| object(rule, found)),
        Err(reason) if reason.is_of_budget() => found.not_judged(waiting.into_values(), NEEDLESS, &reason),
        Err(_) => {}
    }
}

const NEEDLESS: &str = "is one without which every decision is the same";

fn object(rule: &Rule, found: &mut Findings) {
    let message = "every decision is the same without this rule: others decide wherever it holds";
    found.add(Lint::ShadowedRule, &rule.place, message);
}

/// The same for rules of role policies. All of them have one budget: each is looked at in a set of its own.
fn needless(policies: &Policies<'_>, all: &[RuleOf<'_>], dead: &HashSet<*const Rule>, found: &mut Findings) {
    let property = Property::NoRuleIsDead;
    let mut run = Run::new(&property, policies);
    let (mut not_judged, mut too_much) = (Vec::new(), None);
    for of in all.iter().filter(|of| !dead.contains(&Arc::as_ptr(of.rule))) {
        let Some(row) = of.of_role else { continue };
        match is_needless(policies, row, &mut run) {
            Ok(true) => object(of.rule, found),
            Ok(false) => {}
            Err(reason) if reason.is_of_budget() => {
                not_judged.push(of.rule);
                too_much = Some(reason);
            }
            Err(_) => {}
        }
    }
    if let Some(reason) = too_much {
        found.not_judged(not_judged, NEEDLESS, &reason);
    }
}

/// Whether every decision is certainly the same without a role policy's rule. The set without it is looked at as another set, since a role
/// policy denies what no rule of it names.
fn is_needless(policies: &Policies<'_>, row: &RoleRow, run: &mut Run<'_>) -> Result<bool, Reason> {
    let mut of_policy = policies.set.role_rows().filter(|other| other.policy == row.policy);
    if of_policy.nth(1).is_none() {
        // Without its last rule there is no policy, and no denial.
        return Ok(false);
    }
    run.is_within()?;
    let mut set = policies.set.clone();
    for index in set.resources.values_mut().flat_map(BTreeMap::values_mut) {
        index.roles.retain(|other| !Arc::ptr_eq(&other.rule, &row.rule));
    }
    let without = Policies { set: &set, ..policies.clone() };
    let model = Model::new(&[policies, &without], For::Decisions);
    let differ = |scopes: &[Arc<str>], spoken: &Spoken<'_>| !speak_alike_to(&model, scopes, spoken);
    let frames = Frames::new(&model, &Wanted { matters: &differ, ..Wanted::all(3) });
    // To make them is work, too, and there is one set for each rule.
    run.took(model.size().saturating_add(frames.size()));
    let differs =
        run.each(&frames, &model, |_, search| (outcome(search, 0) != outcome(search, 1)).then_some(()));
    if differs.is_some() { Ok(false) } else { run.certain(&frames).map(|()| true) }
}
