//! An ALLOW has to exclude some tool or some run, whatever the arguments are: a model writes those, and who writes to the model.

use std::sync::Arc;

use super::super::atoms::{Atom, AtomId};
use super::super::frames::{Frame, Frames, Wanted};
use super::super::logic::{Logic, Test, Truth};
use super::super::memo::Memo;
use super::super::model::{Model, rules};
use super::super::prove::steps;
use super::super::search::{Search, Where};
use super::super::{Lint, Policies};
use super::Findings;
use crate::agent_tool::{ACTIONS, VERSION};
use crate::cerbos::{Effect, Row, ScopePermissions, Whom};

/// Cases of one condition that are looked at.
const MOST_CASES: usize = 100_000;

pub(super) fn find(policies: &Policies<'_>, found: &mut Findings) {
    let model = Model::with_samples(policies);
    let frames = Frames::new(&model, &Wanted { deciding_roles: 1, classification: None });
    for of in rules(policies.set) {
        if of.rule.effect != Effect::Allow {
            continue;
        }
        for row in &of.rows {
            let Some(policy) = policies.set.policy(row.policy) else { continue };
            // An ALLOW that needs the consent of its parents only takes away.
            let grants = policy.scope_permissions != ScopePermissions::RequireParentalConsentForAllows;
            let asked =
                ACTIONS.iter().any(|action| row.action.matches(action)) && &*policy.version == VERSION;
            if !grants || !asked {
                continue;
            }
            let tests = tests(&model, row);
            let mut of_args = false;
            for test in &tests {
                test.each_atom(&mut |id| of_args |= model.atom(id).is_some_and(|atom| atom.of_args));
            }
            if !of_args && is_for_somebody(row) {
                continue;
            }
            let (lint, message) = match excludes(&model, &frames, row, &tests) {
                Excludes::Something => continue,
                Excludes::Nothing if of_args => (
                    Lint::RestsOnArguments,
                    "this ALLOW rests on what the model asks for alone: whatever the tool and the run are, there are \
                     arguments that meet its condition; let it name the tool, or what the run has to be"
                        .to_owned(),
                ),
                Excludes::Nothing => (
                    Lint::AllowsEverything,
                    "this ALLOW is for every role, and its condition excludes no tool and no run; let it name who may \
                     use which tool"
                        .to_owned(),
                ),
                Excludes::Perhaps(source) => (
                    Lint::NotRead,
                    format!(
                        "whether this ALLOW excludes any tool or run depends on `{source}`, which could not be read; let it \
                         name the tool, or what the run has to be"
                    ),
                ),
                Excludes::TooMany => (
                    Lint::NotRead,
                    "this ALLOW has too many cases to say whether it excludes any tool or run; let it name the tool first"
                        .to_owned(),
                ),
            };
            found.add(lint, &of.rule.place, message);
        }
    }
}

/// What has to hold for a row: the condition of the derived role, and the rule's.
pub(super) fn tests<'m>(model: &'m Model<'_>, row: &Row) -> Vec<&'m Test> {
    let derived = match &row.whom {
        Whom::DerivedRole { role, .. } => {
            role.condition.as_ref().and_then(|condition| model.test_of(0, condition, &role.params))
        }
        Whom::Role(_) | Whom::Resource(_) => None,
    };
    let own = row.rule.condition.as_ref().and_then(|c| model.test_of(0, c, &row.rule.params));
    derived.into_iter().chain(own).filter_map(|id| model.test(id)).collect()
}

fn is_for_somebody(row: &Row) -> bool {
    match &row.whom {
        Whom::Role(role) | Whom::DerivedRole { parent: role, .. } => !matches!(role.as_str(), "*" | "**"),
        Whom::Resource(_) => true,
    }
}

/// What a condition excludes, whatever the arguments are.
enum Excludes {
    Something,
    Nothing,
    /// That depends on an expression.
    Perhaps(Arc<str>),
    TooMany,
}

/// Whether for some tool and some run of somebody to whom the row speaks no arguments meet the conditions. What is excluded is shown by
/// values, and that nothing is by all that an expression may come to.
fn excludes(model: &Model<'_>, frames: &Frames<'_>, row: &Row, tests: &[&Test]) -> Excludes {
    if frames.too_many.is_some() {
        return Excludes::TooMany;
    }
    for ask in [Ask::These, Ask::Any] {
        let mut steps_left = steps(0);
        let mut cases = 0;
        for frame in frames.all.iter().filter(|frame| speaks_to(model, frame, row)) {
            let mut search = Search::new(model, frame, Memo::default());
            loop {
                if tests.iter().any(|test| !can_hold(test, &mut search, ask)) && !search.has_empty_text() {
                    return match search.free_atoms().first() {
                        Some(atom) => Excludes::Perhaps(Arc::clone(&atom.source)),
                        None => Excludes::Something,
                    };
                }
                cases += 1;
                let left = steps_left.checked_sub(search.steps.take());
                steps_left = left.unwrap_or_default();
                if cases > MOST_CASES || left.is_none() {
                    return Excludes::TooMany;
                }
                if !search.next() {
                    break;
                }
            }
        }
    }
    Excludes::Nothing
}

/// Whether a frame's roles are among those that a row is for.
fn speaks_to(model: &Model<'_>, frame: &Frame<'_>, row: &Row) -> bool {
    let (Whom::Role(wanted) | Whom::DerivedRole { parent: wanted, .. }) = &row.whom else { return true };
    let (Some(bundle), Some(scope)) = (model.bundles.first(), frame.scopes.first()) else { return false };
    bundle.set.with_parent_roles(scope, &frame.roles).iter().any(|role| wanted.matches(role))
}

/// What is asked of atoms that cells do not decide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether they may hold: every outcome is a case.
    Any,
    /// How they come out for the values that stand for the cells. That something may be false does not make it so: `x.size() > 0` excludes
    /// nothing, `x.startsWith("mail")` does.
    These,
}

/// Whether there may be arguments for which a condition holds, in this case.
pub(super) fn can_hold(test: &Test, search: &mut Search<'_, '_>, ask: Ask) -> bool {
    of_test(test, &mut |id| {
        let Some(atom) = search.model.atom(id) else { return ANY };
        if is_up_to_others(atom, ask) {
            return ANY;
        }
        let truth = match ask {
            Ask::Any => search.truth(id, Where { bundle: 0, level: 0 }),
            Ask::These => search.truth_of_these(id),
        };
        match truth {
            Truth::True => TRUE,
            Truth::False => FALSE,
            Truth::Error | Truth::Other => FAILS,
        }
    }) & TRUE
        != 0
}

/// Whether it depends on the arguments, or on the time, which comes by itself. So may what depends on the derived roles, which may rest on
/// arguments, or on the request as a whole: no value shows that it excludes something.
fn is_up_to_others(atom: &Atom, ask: Ask) -> bool {
    atom.of_args || atom.of_time || ask == Ask::These && (atom.of_runtime || atom.whole)
}

// What something may come to: any of these, as a set.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const FAILS: u8 = 4;
const ANY: u8 = TRUE | FALSE | FAILS;

fn of_test(test: &Test, atom: &mut dyn FnMut(AtomId) -> u8) -> u8 {
    let mut each = |of: &[Test]| of.iter().map(|test| of_test(test, atom)).collect::<Vec<_>>();
    match test {
        Test::All(of) => all(&each(of)),
        Test::Any(of) => not(all(&each(of).into_iter().map(not).collect::<Vec<_>>())),
        Test::None(of) => all(&each(of).into_iter().map(not).collect::<Vec<_>>()),
        Test::Expr(logic) => of_logic(logic, atom),
    }
}

fn of_logic(logic: &Logic, atom: &mut dyn FnMut(AtomId) -> u8) -> u8 {
    let mut each = |of: &[Logic]| of.iter().map(|logic| of_logic(logic, atom)).collect::<Vec<_>>();
    match logic {
        Logic::And(of) => all(&each(of)),
        Logic::Or(of) => not(all(&each(of).into_iter().map(not).collect::<Vec<_>>())),
        Logic::Not(of) => not(of_logic(of, atom)),
        Logic::If(three) => {
            let [condition, then, otherwise] = three.each_ref().map(|logic| of_logic(logic, atom));
            let when = |bit: u8, of: u8| if condition & bit == 0 { 0 } else { of };
            when(TRUE, then) | when(FALSE, otherwise) | condition & FAILS
        }
        Logic::Atom(id) => atom(*id),
    }
}

/// True if all are, false if one is; both and a failure as far as they may.
fn all(of: &[u8]) -> u8 {
    let true_ = if of.iter().all(|set| set & TRUE != 0) { TRUE } else { 0 };
    of.iter().fold(true_, |sum, set| sum | set & (FALSE | FAILS))
}

fn not(set: u8) -> u8 {
    set & FAILS | (set & TRUE) << 1 | (set & FALSE) >> 1
}
