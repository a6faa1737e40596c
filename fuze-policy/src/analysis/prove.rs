//! Proofs: every case is looked at, and what seems to break a property is asked of the real evaluation.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::atoms::{AtomId, VarId};
use super::calls::as_asked;
use super::confirm::{self, Real, rule_of};
use super::decide::{Answer, Decision};
use super::frames::{Frames, Level, Speaks, Spoken, Wanted};
use super::memo::Memo;
use super::model::{CellId, For, Model, scopes};
use super::outcome::{Outcome, Reach, people};
use super::same::speak_alike_to;
use super::search::{Forced, Search};
use super::tool_rules::rules;
use super::vocabulary::TENANT;
use super::witness::Values;
use super::{Counterexample, Policies, Proof, Property, Reason};
use crate::agent_tool::{ACTIONS, INVOKE, INVOKE_AUTO};
use crate::cerbos::{CheckInput, Effect, Place, PolicySet, Rule, parents};

pub(super) fn prove(policies: &Policies<'_>, property: &Property) -> Proof {
    match property {
        Property::NeverAuto { classification } => never_auto(policies, property, classification),
        Property::NothingCrossesTenants => nothing_crosses_tenants(policies),
        Property::NoRuleIsDead => no_rule_is_dead(policies),
        Property::AtLeastApprovers { classification, people } => {
            at_least_approvers(policies, property, classification, *people)
        }
        Property::AllowsNothingNew => diff(policies, policies),
    }
}

fn never_auto(policies: &Policies<'_>, property: &Property, classification: &str) -> Proof {
    let model = Model::new(&[policies], For::Decisions);
    let frames = Frames::new(&model, &Wanted::of(2, classification));
    if no_tool_is(policies, classification) {
        return Proof::Proven { property: property.clone(), cases: 0 };
    }
    let mut run = Run::new(property, policies);
    let found = run.each(&frames, &model, |run, search| {
        if outcome(search, 0).reach() != Reach::Alone {
            return None;
        }
        run.confirm(search, |search, values| {
            let [real] = one(confirm::decide(search, values))?;
            (real.outcome.reach() == Reach::Alone).then(|| {
                let explanation = format!(
                    "the tool `{}` is `{classification}` and allowed without approval",
                    real.input.resource.id
                );
                counterexample(property, policies.set, &real, INVOKE_AUTO, explanation)
            })
        })
    });
    run.end(&frames, found)
}

fn at_least_approvers(
    policies: &Policies<'_>,
    property: &Property,
    classification: &str,
    least: u8,
) -> Proof {
    let model = Model::new(&[policies], For::Decisions);
    // `invoke` by one role and `invoke:auto` by another; more roles only ask for more.
    let frames = Frames::new(&model, &Wanted::of(2, classification));
    if no_tool_is(policies, classification) {
        return Proof::Proven { property: property.clone(), cases: 0 };
    }
    let asks_less = |outcome: &Outcome| match outcome {
        Outcome::WithApproval { known, .. } | Outcome::Alone { known, .. } if known.approvers < least => {
            let nobody = known.may_approve.as_ref().is_some_and(BTreeSet::is_empty);
            (!nobody).then_some(known.approvers)
        }
        Outcome::WithApproval { .. } | Outcome::Alone { .. } | Outcome::Nothing => None,
    };
    let mut run = Run::new(property, policies);
    let found = run.each(&frames, &model, |run, search| {
        asks_less(&outcome(search, 0))?;
        run.confirm(search, |search, values| {
            let [real] = one(confirm::decide(search, values))?;
            asks_less(&real.outcome).map(|asked| {
                let tool = &real.input.resource.id;
                let whose = match real.outcome.reach() {
                    Reach::Alone => " that the tool or the law demands (the policy does not)",
                    Reach::WithApproval | Reach::Nothing => "",
                };
                let explanation = format!(
                    "an approval of the tool `{tool}`, which is `{classification}`,{whose} asks {}",
                    people(asked)
                );
                counterexample(property, policies.set, &real, INVOKE, explanation)
            })
        })
    });
    run.end(&frames, found)
}

/// Whether tools are declared, and none of this classification.
fn no_tool_is(policies: &Policies<'_>, classification: &str) -> bool {
    let declared = policies.tools.map(|tools| &tools.tools).filter(|tools| !tools.is_empty());
    declared.is_some_and(|tools| tools.iter().all(|tool| tool.classification != classification))
}

pub(super) fn diff(old: &Policies<'_>, new: &Policies<'_>) -> Proof {
    let property = Property::AllowsNothingNew;
    let model = Model::new(&[old, new], For::Decisions);
    // What one role is allowed that needed two, and a third whom the old ones ask more of. Where both have the same rules for everybody who
    // asks, both decide alike: there is no case to look at.
    let differ = |scopes: &[Arc<str>], spoken: &Spoken<'_>| !speak_alike_to(&model, scopes, spoken);
    let frames = Frames::new(&model, &Wanted { matters: &differ, ..Wanted::all(3) });
    let mut run = Run::new(&property, new);
    let found = run.each(&frames, &model, |run, search| {
        let after = outcome(search, 1);
        if after == Outcome::Nothing || after.is_at_most(&outcome(search, 0)) {
            return None;
        }
        run.confirm(search, |search, values| {
            let [before, after] = two(confirm::decide(search, values))?;
            (!after.outcome.is_at_most(&before.outcome)).then(|| {
                let action = match (before.outcome.reach(), after.outcome.reach()) {
                    (Reach::WithApproval, Reach::Alone) => INVOKE_AUTO,
                    _ => INVOKE,
                };
                let explanation = after.outcome.beyond(&before.outcome);
                counterexample(&property, new.set, &after, action, explanation)
            })
        })
    });
    run.end(&frames, found)
}

fn nothing_crosses_tenants(policies: &Policies<'_>) -> Proof {
    let property = Property::NothingCrossesTenants;
    let model = Model::new(&[policies], For::Tenants);
    let foreign = foreign(&model);
    // Without an argument that names a tenant, and with no scope between a tenant's and the root, there is nothing to cross by, whoever asks.
    if foreign.is_empty() && scopes(policies.set).all(|scope| parents(scope).all(|above| above.is_empty())) {
        return Proof::Proven { property, cases: 0 };
    }
    let can_cross = |scopes: &[Arc<str>], spoken: &Spoken<'_>| can_cross(&model, &foreign, scopes, spoken);
    let frames = Frames::new(&model, &Wanted { matters: &can_cross, ..Wanted::all(3) });
    let mut run = Run::new(&property, policies);
    let mut found = run.each(&frames, &model, |run, search| other_scope(run, search, policies.set));
    // Each on its own: what is free comes out in every way for each, and not for all of them together.
    let share = confirm::MOST_IN_ALL / foreign.len().max(1);
    for foreign in foreign {
        if found.is_none() && run.too_many.is_none() {
            run.tries_left = share.max(LEAST_TRIES);
            found = run.each(&frames, &model, |run, search| unlocked(run, search, foreign, policies.set));
        }
    }
    run.end(&frames, found)
}

/// Each argument that names tenants, with what it can be that names another: a tenant, or a list or mapping in which one may be.
fn foreign(model: &Model<'_>) -> Vec<Forced> {
    let tenants = model.cells_of(VarId(TENANT as u32));
    let arguments = model.tenant_arguments();
    let of = |var: VarId| {
        let structures = model.cells_of(var).iter().filter(|cell| model.cell(**cell).is_structure());
        structures.chain(tenants).map(move |cell| Forced { var, cell: *cell, second: false })
    };
    arguments.into_iter().flat_map(of).collect()
}

/// Whether by these rules something may cross tenants: one of another scope allows, or one looks at an argument that names a tenant. What looks
/// at none of those comes out alike whatever tenant is named; and a frame in which no rule looks at one has nothing to be compared.
fn can_cross(model: &Model<'_>, foreign: &[Forced], scopes: &[Arc<str>], spoken: &Spoken<'_>) -> bool {
    let looks_at = |id: AtomId| {
        let Some(atom) = model.atom(id) else { return true };
        // Derived roles have conditions of their own, and who sees all arguments sees these.
        atom.of_runtime
            || atom.sees_all_arguments()
            || foreign.iter().any(|forced| atom.vars.iter().any(|var| model.are_about(*var, forced.var)))
    };
    let may = |speaks: &Speaks<'_>| {
        let mut found = false;
        speaks.each_atom(model, &mut |id| found |= looks_at(id));
        found
    };
    let levels = || spoken.iter().flatten().flat_map(|levels| levels.iter());
    let own = scopes.first().map_or("", |scope| &**scope);
    let elsewhere = |level: &Level<'_>| !level.scope.is_empty() && *level.scope != *own;
    let allows = |level: &Level<'_>| {
        !level.consent && level.rules.iter().any(|speaks| speaks.effect == Some(Effect::Allow))
    };
    levels().any(|level| elsewhere(level) && allows(level))
        || !foreign.is_empty() && levels().any(|level| level.rules.iter().any(may))
}

/// An ALLOW of a scope that is neither the tenant's own nor the root.
fn other_scope(run: &mut Run<'_>, search: &mut Search<'_, '_>, set: &PolicySet) -> Option<Counterexample> {
    let own = search.frame.scopes.first()?.clone();
    let foreign = |scope: &str| !scope.is_empty() && *scope != *own;
    let mut decision = Decision::new(search, 0);
    let crosses = [0, 1]
        .map(|action| decision.action(action))
        .into_iter()
        .any(|answer| matches!(answer, Answer::Allow { scope, .. } if foreign(&scope)));
    if !crosses {
        return None;
    }
    run.confirm(search, |search, values| {
        let [real] = one(confirm::decide(search, values))?;
        let actions = &real.output.as_ref()?.actions;
        let (action, effect) =
            actions.iter().find(|(_, e)| e.effect == Effect::Allow && foreign(&e.scope))?;
        let explanation =
            format!("a run of the tenant `{own}` is allowed by a policy of the scope `{}`", effect.scope);
        Some(counterexample(&Property::NothingCrossesTenants, set, &real, action, explanation))
    })
}

/// An argument that names another tenant, and lets through what the tenant's own name would not.
fn unlocked(
    run: &mut Run<'_>,
    search: &mut Search<'_, '_>,
    foreign: Forced,
    set: &PolicySet,
) -> Option<Counterexample> {
    let model = search.model;
    let own = search.cell(VarId(TENANT as u32))?;
    let honest = if model.cell(foreign.cell).is_structure() {
        Forced { second: true, ..foreign }
    } else {
        Forced { cell: own, ..foreign }
    };
    if foreign == honest {
        return None;
    }
    let came = with(search, foreign);
    if came == Outcome::Nothing || came.is_at_most(&with(search, honest)) {
        return None;
    }
    search.forced = Some(foreign);
    let found = run.confirm(search, |search, values| {
        let honest = honest_values(model, values, foreign.var, own)?;
        let [real] = one(confirm::decide(search, values))?;
        let [with_own] = one(confirm::decide(search, &honest))?;
        (!real.outcome.is_at_most(&with_own.outcome)).then(|| {
            let (foreign, own) = (real.outcome.reach().words(), with_own.outcome.reach().words());
            let explanation = if foreign == own {
                "an argument that names another tenant needs less of an approval than the run's own tenant there"
                    .to_owned()
            } else {
                format!(
                    "an argument that names another tenant makes {foreign} what the run's own tenant there leaves {own}"
                )
            };
            counterexample(&Property::NothingCrossesTenants, set, &real, INVOKE, explanation)
        })
    });
    search.forced = None;
    found
}

/// The same with the tenant's own name where an argument has another's; `None` if it has none.
fn honest_values(model: &Model<'_>, values: &Values, argument: VarId, own: CellId) -> Option<Values> {
    let own = model.cell(own).json.as_ref()?.as_str()?;
    let tenants: Vec<&str> = model
        .cells_of(VarId(TENANT as u32))
        .iter()
        .filter_map(|cell| model.cell(*cell).json.as_ref()?.as_str())
        .filter(|tenant| *tenant != own)
        .collect();
    let named = values.get(model, argument)?;
    let honest = match &named {
        Json::String(_) => Json::from(own),
        _ => renamed(&named, &tenants, own),
    };
    (honest != named).then(|| {
        let mut values = values.clone();
        values.put(model, argument, Json::Null);
        values.put(model, argument, honest);
        values
    })
}

/// A value in which other tenants are called as the run's own.
fn renamed(json: &Json, tenants: &[&str], own: &str) -> Json {
    let name = |text: &str| if tenants.contains(&text) { own.to_owned() } else { text.to_owned() };
    match json {
        Json::String(text) => Json::String(name(text)),
        Json::Array(items) => items.iter().map(|item| renamed(item, tenants, own)).collect(),
        Json::Object(members) => {
            members.iter().map(|(key, value)| (name(key), renamed(value, tenants, own))).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
    }
}

fn with(search: &mut Search<'_, '_>, forced: Forced) -> Outcome {
    search.forced = Some(forced);
    let found = outcome(search, 0);
    search.forced = None;
    found
}

fn no_rule_is_dead(policies: &Policies<'_>) -> Proof {
    let property = Property::NoRuleIsDead;
    let (proof, dead) = lives(policies);
    match (proof, dead.first()) {
        (Ok(cases), None) => Proof::Proven { property, cases },
        (Ok(_), Some(rule)) => Proof::Counterexample(Box::new(Counterexample {
            property,
            request: None,
            seconds: None,
            rule: Arc::clone(&rule.source),
            place: Some(rule.place.clone()),
            explanation: "no request reaches this rule with its condition met".to_owned(),
        })),
        (Err(reason), _) => Proof::Unknown { property, reason },
    }
}

/// The rules for which no request was found that reaches them and meets their condition; with an error, it is not certain that there is
/// none.
pub(super) fn lives<'p>(policies: &Policies<'p>) -> (Result<u64, Reason>, Vec<&'p Arc<Rule>>) {
    let property = Property::NoRuleIsDead;
    let model = Model::new(&[policies], For::Decisions);
    let all = rules(policies.set).into_iter().map(|of| (Arc::as_ptr(of.rule), of.rule));
    let mut waiting: HashMap<*const Rule, &Arc<Rule>> = all.collect();
    if let Some(bundle) = model.bundles.first() {
        for call in policies.calls {
            if let Some(input) = as_asked(policies, call) {
                let held = confirm::held(bundle, &input, call.now);
                waiting.retain(|rule, _| !held.contains(rule));
            }
        }
    }
    if waiting.is_empty() {
        return (Ok(policies.calls.len() as u64), Vec::new());
    }
    let frames = Frames::new(&model, &Wanted::all(1));
    let mut run = Run::new(&property, policies);
    let mut doubtful: BTreeSet<Arc<str>> = BTreeSet::new();
    let done = run.each(&frames, &model, |run, search| {
        let mut decision = Decision::new(search, 0);
        for action in 0..ACTIONS.len() {
            decision.action(action);
        }
        let held = decision.held;
        for rule in held {
            if !waiting.contains_key(&std::ptr::from_ref(rule)) {
                continue;
            }
            let free = search.free_atoms();
            let real = search.frame.in_order;
            let confirmed = real
                && (free.is_empty()
                    || confirm::find(search, &mut run.tries_left, |search, values| {
                        confirm::holds(search, values, rule).then_some(())
                    })
                    .is_some());
            if confirmed {
                waiting.remove(&std::ptr::from_ref(rule));
                doubtful.remove(&rule.source);
            } else if doubtful.insert(Arc::clone(&rule.source)) {
                run.doubt(search);
            }
        }
        waiting.is_empty().then_some(())
    });
    if done.is_some() {
        return (Ok(run.cases), Vec::new());
    }
    let mut waiting: Vec<&Arc<Rule>> = waiting.into_values().collect();
    waiting.sort_by(|a, b| a.place.cmp(&b.place));
    // What may hold is not dead.
    let dead: Vec<&Arc<Rule>> = waiting.into_iter().filter(|rule| !doubtful.contains(&rule.source)).collect();
    let certain = match run.certain(&frames) {
        Err(Reason::Opaque { .. }) if !dead.is_empty() || doubtful.is_empty() => Ok(run.cases),
        other => other.map(|()| run.cases),
    };
    (certain, dead)
}

/// What a call comes to in this case, by one of the sets.
pub(super) fn outcome(search: &mut Search<'_, '_>, bundle: usize) -> Outcome {
    Decision::new(search, bundle).outcome()
}

/// A search through all frames, and what was met with on the way.
pub(super) struct Run<'r> {
    property: &'r Property,
    pub(super) cases: u64,
    limit: u64,
    tries_left: usize,
    steps_left: u64,
    too_many: Option<Reason>,
    doubt: Option<Reason>,
}

impl<'r> Run<'r> {
    pub(super) fn new(property: &'r Property, policies: &Policies<'_>) -> Self {
        Self {
            property,
            cases: 0,
            limit: policies.most_cases,
            tries_left: confirm::MOST_IN_ALL,
            steps_left: steps(policies.most_cases),
            too_many: None,
            doubt: None,
        }
    }

    /// Visits each case until something is found.
    pub(super) fn each<'m, 'p, T>(
        &mut self,
        frames: &'m Frames<'p>,
        model: &'m Model<'p>,
        mut visit: impl FnMut(&mut Self, &mut Search<'m, 'p>) -> Option<T>,
    ) -> Option<T> {
        let mut memo = Memo::default();
        if self.too_many.is_some() {
            return None;
        }
        for frame in &frames.all {
            let mut search = Search::new(model, frame, memo).within(self.steps_left);
            loop {
                if self.cases >= self.limit {
                    self.too_many = Some(Reason::TooManyCases { limit: self.limit });
                    return None;
                }
                self.cases += 1;
                if let Some(found) = visit(self, &mut search) {
                    return Some(found);
                }
                let Some(left) = search.steps_left() else {
                    self.too_many = Some(Reason::TooMuchWork { limit: steps(self.limit) });
                    return None;
                };
                self.steps_left = left;
                if !search.next() {
                    break;
                }
            }
            memo = search.memo;
        }
        None
    }

    /// Whether there is budget left.
    pub(super) fn is_within(&self) -> Result<(), Reason> {
        self.too_many.clone().map_or(Ok(()), Err)
    }

    /// Counts steps that were taken beside the cases.
    pub(super) fn took(&mut self, steps: u64) {
        match self.steps_left.checked_sub(steps) {
            Some(left) => self.steps_left = left,
            None => self.too_many = Some(Reason::TooMuchWork { limit: self::steps(self.limit) }),
        }
    }

    /// Whether something is really so; what seems to be and is not found remains as a doubt.
    fn confirm<T>(
        &mut self,
        search: &mut Search<'_, '_>,
        mut really: impl FnMut(&Search<'_, '_>, &Values) -> Option<T>,
    ) -> Option<T> {
        // A request is made of every variable, and asked of every rule.
        let model = search.model;
        let rules: u64 = model.bundles.iter().map(|bundle| bundle.set.rows().len() as u64).sum();
        let parts: u64 = model.atoms.iter().map(|atom| atom.parts).sum();
        let steps = rules + parts + 10 * model.vars.len() as u64;
        if !search.frame.in_order {
            self.doubt(search);
            return None;
        }
        let found = confirm::find(search, &mut self.tries_left, |search, values| {
            search.took(steps);
            really(search, values)
        });
        if found.is_none() {
            self.doubt(search);
        }
        found
    }

    fn doubt(&mut self, search: &mut Search<'_, '_>) {
        if self.doubt.is_none() {
            let reason = match search.free_atoms().first() {
                _ if !search.frame.in_order => {
                    let roles = search.frame.roles.iter().map(|role| role.as_ref().to_owned());
                    Reason::RolePatterns { patterns: roles.collect() }
                }
                Some(atom) => {
                    Reason::Opaque { expression: atom.source.as_ref().to_owned(), place: atom.place.clone() }
                }
                None => Reason::Disagreement { request: Box::new(self.request(search)) },
            };
            self.doubt = Some(reason);
        }
    }

    fn request(&self, search: &mut Search<'_, '_>) -> CheckInput {
        let values = search.values();
        let scope = search.frame.scopes.last().map_or("", |scope| &**scope);
        values.request(search.frame, scope)
    }

    /// Whether all that there is was looked at, and nothing remains in doubt.
    pub(super) fn certain(&mut self, frames: &Frames<'_>) -> Result<(), Reason> {
        // With these no number of cases would do.
        if !frames.doubtful.is_empty() {
            return Err(Reason::RolePatterns { patterns: frames.doubtful.clone() });
        }
        if let Some(too_many) = &frames.too_many {
            return Err(too_many.clone());
        }
        if let Some(too_many) = &self.too_many {
            return Err(too_many.clone());
        }
        self.doubt.take().map_or(Ok(()), Err)
    }

    fn end(&mut self, frames: &Frames<'_>, found: Option<Counterexample>) -> Proof {
        if let Some(found) = found {
            return Proof::Counterexample(Box::new(found));
        }
        let property = self.property.clone();
        match self.certain(frames) {
            Ok(()) => Proof::Proven { property, cases: self.cases },
            Err(reason) => Proof::Unknown { property, reason },
        }
    }
}

fn counterexample(
    property: &Property,
    set: &PolicySet,
    real: &Real,
    action: &str,
    explanation: String,
) -> Counterexample {
    let rule = rule_of(real, action);
    Counterexample {
        property: property.clone(),
        request: Some(real.input.clone()),
        seconds: real.now.map(|now| (now.seconds, now.nanoseconds)),
        place: place_of(set, &rule),
        rule,
        explanation,
    }
}

fn place_of(set: &PolicySet, rule: &str) -> Option<Place> {
    set.rows().iter().find(|row| &*row.rule.source == rule).map(|row| row.rule.place.clone())
}

fn one(mut all: Vec<Real>) -> Option<[Real; 1]> {
    Some([all.pop()?])
}

fn two(mut all: Vec<Real>) -> Option<[Real; 2]> {
    let after = all.pop()?;
    Some([all.pop()?, after])
}

/// Steps that are taken to look at so many cases: a rule or a part of a condition is one.
pub(super) fn steps(cases: u64) -> u64 {
    cases.saturating_mul(20).max(LEAST_STEPS)
}

const LEAST_STEPS: u64 = 20_000_000;
/// Requests that are tried at least for each way in which an argument can name another tenant.
const LEAST_TRIES: usize = 1024;
