//! What the real evaluation says about a case, and concrete values for what cells leave open.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::atoms::{Atom, VarId};
use super::cells::{Point, Subject, number};
use super::model::{Bundle, Model};
use super::outcome::Outcome;
use super::search::Search;
use super::suggest;
use super::vocabulary::{ATTRIBUTES, Domain, PRINCIPAL, TENANT};
use super::witness::Values;
use crate::agent_tool::verdict;
use crate::cel::Timestamp;
use crate::cerbos::{self, CheckInput, CheckOutput, CheckParams, Effect, Outcome as Came, Rule, Step};

/// Requests that are tried for one case.
const MOST_TRIES: usize = 512;
/// Requests that are tried in one proof where atoms are free, besides the first of each case: what none of these shows remains unknown.
pub(super) const MOST_IN_ALL: usize = 20_000;

/// Requests that are tried at other times for one case.
const MOST_TIMES: usize = 4_096;

/// A request for one policy set, decided.
pub(super) struct Real {
    pub(super) input: CheckInput,
    pub(super) output: Option<CheckOutput>,
    pub(super) outcome: Outcome,
    /// When it was asked, if conditions tell times apart.
    pub(super) now: Option<Timestamp>,
}

impl Bundle<'_> {
    /// How this set decides, at the time that was chosen.
    fn params_at(&self, now: Option<Timestamp>) -> CheckParams {
        CheckParams { now: now.or(self.params.now), ..self.params.clone() }
    }

    fn decide(&self, input: CheckInput, now: Option<Timestamp>) -> Real {
        let output = cerbos::check(self.set, &input, &self.params_at(now)).ok();
        let decided = output.as_ref().and_then(|output| verdict(&input, output).ok());
        let outcome = Outcome::of(decided);
        Real { input, output, outcome, now }
    }
}

/// What each policy set really decides about a case.
pub(super) fn decide(search: &Search<'_, '_>, values: &Values) -> Vec<Real> {
    let frame = search.frame;
    let of_time = search.free_atoms().iter().any(|atom| atom.of_time);
    let bundles = search.model.bundles.iter().zip(&frame.scopes);
    let decide = |(bundle, scope): (&Bundle<'_>, &Arc<str>)| {
        let now = values.now.or(bundle.params.now.filter(|_| of_time));
        bundle.decide(values.request(frame, scope), now)
    };
    bundles.map(decide).collect()
}

/// The first request of a case for which something is really so. Where atoms are free, values that their texts suggest are tried.
pub(super) fn find<T>(
    search: &mut Search<'_, '_>,
    left: &mut usize,
    mut really: impl FnMut(&Search<'_, '_>, &Values) -> Option<T>,
) -> Option<T> {
    let free = search.free_atoms();
    if *left == 0 && !free.is_empty() {
        return None;
    }
    let base = search.values();
    if let Some(found) = really(search, &base) {
        return Some(found);
    }
    let model = search.model;
    let of_time = free.iter().any(|atom| atom.of_time);
    let mut tries = vec![base.clone()];
    for atom in free {
        let before = tries.len();
        for var in atom.vars.iter().filter(|var| is_open(model, **var)) {
            if tries.len() == MOST_TRIES {
                break;
            }
            let left = search.others(*var).filter_map(|cell| cell.json.clone());
            for json in left.chain(suggestions(model, &base, *var, atom)) {
                let more = tries.iter().take(before.min(MOST_TRIES - tries.len())).map(|values| {
                    let mut values = values.clone();
                    values.put(model, *var, json.clone());
                    values
                });
                tries.extend(more.collect::<Vec<_>>());
            }
        }
    }
    *left = left.saturating_sub(tries.len());
    if let Some(found) = tries.iter().skip(1).find_map(|values| really(search, values)) {
        return Some(found);
    }
    let now = base.now.or_else(|| model.bundles.first()?.params.now);
    let times = now.filter(|_| of_time).map(suggest::times).unwrap_or_default();
    let different = times.iter().take(suggest::DIFFERENT_TIMES);
    let more = tries.iter().skip(1).flat_map(|values| different.clone().map(move |at| (values, at)));
    let all = times.iter().map(|at| (&base, at)).chain(more).take(MOST_TIMES.min(*left));
    for (values, at) in all {
        *left = left.saturating_sub(1);
        let mut values = values.clone();
        values.now = Some(*at);
        if let Some(found) = really(search, &values) {
            return Some(found);
        }
    }
    None
}

/// Whether a variable's value is not settled by what it is about.
fn is_open(model: &Model<'_>, var: VarId) -> bool {
    match model.variable(var).map(|variable| &variable.subject) {
        Some(Subject::Attribute(at)) => ATTRIBUTES.get(*at).is_some_and(|attribute| {
            // Who asks is settled by the frame, and what the tool is by the declared tools.
            let by_frame = matches!(*at, TENANT | PRINCIPAL);
            let by_tools = attribute.of_tool && !model.tools.is_empty();
            matches!(attribute.domain, Domain::Text | Domain::Open(_)) && !by_frame && !by_tools
        }),
        Some(Subject::Argument(_)) => true,
        Some(Subject::Now) | None => false,
    }
}

fn suggestions(model: &Model<'_>, base: &Values, var: VarId, atom: &Atom) -> Vec<Json> {
    let attribute = matches!(model.variable(var).map(|v| &v.subject), Some(Subject::Attribute(_)));
    let now = base.now.or_else(|| model.bundles.first()?.params.now);
    let mut all: Vec<Json> = suggest::texts(atom, now);
    for point in &atom.points {
        match point {
            Point::Text(text) => {
                let around = [format!("{text}x"), format!("x{text}"), format!("x{text}x")];
                all.push(Json::from(&**text));
                all.extend(around.into_iter().map(Json::from));
                all.push(json!([&**text]));
                all.push(json!({&**text: true}));
            }
            Point::Instant(_) => {}
            Point::Number(_) => {
                let Some(value) = point.as_number() else { continue };
                all.extend(
                    [value, value + 1.0, value - 1.0].into_iter().filter(|v| v.is_finite()).map(number),
                );
            }
        }
    }
    for other in atom.vars.iter().filter(|other| **other != var) {
        let json = base.get(model, *other);
        if let Some(number) = json.as_ref().and_then(Json::as_f64) {
            all.extend([number + 1.0, number - 1.0].map(self::number));
        }
        all.extend(json);
    }
    all.extend([
        json!(""),
        json!("a"),
        json!("aaaaaaaaaaaaaaaa"),
        json!(0),
        json!(1),
        json!([]),
        json!(["a"]),
    ]);
    if attribute {
        all.retain(|json| json.as_str().is_some_and(|text| !text.is_empty()));
    }
    all
}

/// A rule's address, for people.
pub(super) fn rule_of(real: &Real, action: &str) -> Arc<str> {
    let effect = real.output.as_ref().and_then(|output| output.action(action));
    effect
        .map_or_else(Arc::default, |effect| effect.rule.clone().unwrap_or_else(|| Arc::clone(&effect.policy)))
}

/// Whether a rule is really reached by a request, with its condition met.
pub(super) fn holds(search: &Search<'_, '_>, values: &Values, rule: &Rule) -> bool {
    let Some(bundle) = search.model.bundles.first() else { return false };
    let scope = search.frame.scopes.first().map_or("", |scope| &**scope);
    held(bundle, &values.request(search.frame, scope), values.now).contains(&std::ptr::from_ref(rule))
}

/// The rules that are really reached by a request, with their conditions met.
pub(super) fn held(bundle: &Bundle<'_>, input: &CheckInput, now: Option<Timestamp>) -> HashSet<*const Rule> {
    let (mut held, mut not_the_role) = (HashSet::new(), HashSet::new());
    let mut tell = |step: Step<'_>| {
        if let Step::Rule { rule: Some(rule), effect, outcome, .. } = step {
            let at = std::ptr::from_ref(rule);
            // That the derived role does not hold is told once, and afterwards as if the condition did not.
            if outcome == Came::NotTheRole {
                not_the_role.insert(at);
            }
            // An ALLOW of a role policy, or of a scope that asks for consent, decides by its opposite.
            let turned = rule.effect == Effect::Allow && effect == Some(Effect::Deny);
            let met = if turned { Came::NotHeld } else { Came::Held };
            if outcome == met && !(turned && not_the_role.contains(&at)) {
                held.insert(at);
            }
        }
    };
    match cerbos::check_stepwise(bundle.set, input, &bundle.params_at(now), &mut tell) {
        Ok(_) => held,
        Err(_) => HashSet::new(),
    }
}
