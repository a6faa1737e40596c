//! An ALLOW has to exclude some tool or some run, whatever the arguments are: a model writes those, and who writes to the model. To exclude
//! some by their names does not count: a list of what may not pass lets through whatever comes next.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::atoms::{Atom, AtomId, VarId};
use super::super::cell_set::CellSet;
use super::super::cells::{Cell, number};
use super::super::frames::{Frame, Known, Roles, roles};
use super::super::logic::{Logic, Test, Truth};
use super::super::memo::Memo;
use super::super::model::{CellId, For, Model};
use super::super::prove::steps;
use super::super::search::{Search, Where};
use super::super::silence::Silence;
use super::super::tool_rules::rules;
use super::super::vocabulary::{ATTRIBUTES, Domain};
use super::super::{Lint, Policies};
use super::Findings;
use super::any_name::of_any_name;
use crate::agent_tool::{ACTIONS, VERSION};
use crate::cerbos::{
    Condition, DerivedRole, Effect, Params, PolicyInfo, PolicyKind, RoleRow, Row, ScopePermissions, Whom,
};

/// Calls within one another beyond which there are none: to shut out deeper ones shuts out nothing.
const DEEPEST: f64 = 100.0;

/// Cases of one condition that are looked at.
const MOST_CASES: usize = 100_000;

pub(super) fn find(policies: &Policies<'_>, found: &mut Findings) {
    let model = Model::new(&[policies], For::Exclusions);
    let all = rules(policies.set);
    let granted = all.iter().filter(|of| of.rule.effect == Effect::Allow).flat_map(|of| {
        // What it says of one action it says of the other.
        let mut seen = HashSet::new();
        of.rows
            .iter()
            .filter(move |row| is_asked(row) && seen.insert(whom(row)))
            .map(move |row| (of.rule, *row))
    });
    let mut grants = Vec::new();
    let mut askers = Askers::new(&model);
    for (rule, row) in granted {
        let Some(policy) = policies.set.policy(row.policy) else { continue };
        // An ALLOW that needs the consent of its parents only takes away.
        let consents = policy.scope_permissions == ScopePermissions::RequireParentalConsentForAllows;
        let needs = Needs::of_row(&model, row).of_policy(policy);
        let of_args = needs.look_at_arguments();
        if !consents && &*policy.version == VERSION && (of_args || !is_for_somebody(row)) {
            grants.push((rule, needs, of_args, askers.spoken_to(row, policy)));
        }
    }
    let Askers { frames, roles, .. } = askers;
    let mut steps_left = steps(policies.most_cases);
    let mut searches = Searches::default();
    for (rule, needs, of_args, spoken_to) in grants {
        let spoken_to: Vec<&Frame<'_>> = spoken_to.into_iter().filter_map(|at| frames.get(at)).collect();
        let excludes = match spoken_to.as_slice() {
            // Whom it speaks to is not known; else it speaks to nobody.
            [] if !roles.doubtful.is_empty() => Excludes::TooMany,
            [] => Excludes::Something,
            _ if steps_left == 0 => Excludes::TooMany,
            who => excludes(&model, who, &needs, &mut searches, &mut steps_left),
        };
        let (lint, message) = match excludes {
            Excludes::Something => continue,
            Excludes::Nothing if of_args => (
                Lint::RestsOnArguments,
                "this ALLOW rests on what the model asks for alone: for every tool and every run that is not excluded by \
                 its name, there are arguments that meet its condition; let it name the tool, or what the run has to be"
                    .to_owned(),
            ),
            Excludes::Nothing => (
                Lint::AllowsEverything,
                "this ALLOW is for every role, and its condition excludes no tool and no run, or some by their names alone; \
                 let it name who may use which tool"
                    .to_owned(),
            ),
            Excludes::Perhaps(source) => (
                Lint::NotRead,
                format!(
                    "whether this ALLOW excludes more than it names depends on `{source}`, which could not be read; let it \
                     name the tool, or what the run has to be"
                ),
            ),
            Excludes::TooMany => (
                Lint::NotRead,
                "this ALLOW has too many cases to say whether it excludes any tool or run; let it name the tool first"
                    .to_owned(),
            ),
        };
        found.add(lint, &rule.place, message);
    }
}

fn is_asked(row: &Row) -> bool {
    ACTIONS.iter().any(|action| row.action.matches(action))
}

/// What tells the rows of one rule apart, besides the action.
fn whom(row: &Row) -> (&str, *const DerivedRole) {
    match &row.whom {
        Whom::Role(role) => (role.as_str(), std::ptr::null()),
        Whom::DerivedRole { role, parent } => (parent.as_str(), Arc::as_ptr(role)),
        Whom::Resource(_) => ("", std::ptr::null()),
    }
}

/// Leaves out what somebody or something is called, where there are other names, too: that one of them is excluded is no narrowing, since
/// whatever comes next has another. Of what has a list of words that there are, each counts.
fn leave_unnamed(model: &Model<'_>, frame: &mut Frame<'_>) {
    for (at, attribute) in ATTRIBUTES.iter().enumerate() {
        let var = VarId(at as u32);
        let few =
            |cell: &Cell| cell.json.as_ref().and_then(Json::as_f64).is_some_and(|count| count <= DEEPEST);
        let counts = |cell: &Cell| match attribute.domain {
            Domain::Text => cell.region,
            Domain::Count => few(cell) && cell.region || cell.json == Some(number(0.0)),
            Domain::Open(_) | Domain::Closed(_) | Domain::OfSpecial(_) | Domain::Flag => true,
        };
        let all = frame.cells.get(&var).map_or(model.cells_of(var), |cells| cells);
        let left: Arc<[CellId]> = all.iter().copied().filter(|cell| counts(model.cell(*cell))).collect();
        if !left.is_empty() {
            frame.cells.insert(var, left);
        }
    }
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

/// Whether for some tool and some run of those to whom a row speaks no arguments meet the conditions. What is excluded is shown by
/// values, and that nothing is by all that an expression may come to.
fn excludes<'m, 'p>(
    model: &'m Model<'p>,
    spoken_to: &[&'m Frame<'p>],
    needs: &Needs<'m, 'p>,
    searches: &mut Searches<'m, 'p>,
    steps_left: &mut u64,
) -> Excludes {
    for ask in [Ask::These, Ask::Any] {
        let mut cases = 0;
        for frame in spoken_to {
            let search = searches.begin(model, frame, *steps_left);
            loop {
                let met = needs.can_be_met(search, ask);
                cases += 1;
                let left = search.steps_left();
                *steps_left = left.unwrap_or_default();
                if cases > MOST_CASES || left.is_none() {
                    return Excludes::TooMany;
                }
                if !met {
                    return match search.free_atoms().first() {
                        Some(atom) => Excludes::Perhaps(Arc::clone(&atom.source)),
                        None => Excludes::Something,
                    };
                }
                if !search.next() {
                    break;
                }
            }
        }
    }
    Excludes::Nothing
}

/// A search for each of the last who asked: what conditions come to is kept for the next rule.
#[derive(Default)]
struct Searches<'m, 'p>(HashMap<u32, Search<'m, 'p>>);

impl<'m, 'p> Searches<'m, 'p> {
    fn begin(&mut self, model: &'m Model<'p>, frame: &'m Frame<'p>, steps: u64) -> &mut Search<'m, 'p> {
        const MOST: usize = 64;
        if self.0.len() == MOST && !self.0.contains_key(&frame.id) {
            self.0.clear();
        }
        let search = self.0.entry(frame.id).or_insert_with(|| Search::new(model, frame, Memo::default()));
        search.begin(None, steps);
        search
    }
}

/// A scope, a principal that has policies, a role.
type Name<'p> = (Arc<str>, Option<&'p str>, Arc<str>);

/// Those who may ask, each with one role: more roles make no condition harder to meet. No two roles stand for each other here, since a rule
/// is judged for each that it names.
struct Askers<'m, 'p> {
    model: &'m Model<'p>,
    known: Known<'p>,
    roles: Roles,
    frames: Vec<Frame<'p>>,
    by_name: HashMap<Name<'p>, usize>,
}

impl<'m, 'p> Askers<'m, 'p> {
    fn new(model: &'m Model<'p>) -> Self {
        let (frames, by_name) = (Vec::new(), HashMap::new());
        Self { model, known: Known::new(model), roles: roles(model), frames, by_name }
    }

    /// Those to whom a row speaks, where its policy does: somebody whose role no policy names, if it speaks to such.
    fn spoken_to(&mut self, row: &Row, policy: &'p PolicyInfo) -> Vec<usize> {
        let Some(set) = self.model.bundles.first().map(|bundle| bundle.set) else { return Vec::new() };
        let principal = (policy.kind == PolicyKind::Principal).then_some(&*policy.name);
        let is_meant = |role: &&Arc<str>| {
            let (Whom::Role(wanted) | Whom::DerivedRole { parent: wanted, .. }) = &row.whom else {
                return true;
            };
            let all = set.with_parent_roles(&policy.scope, std::slice::from_ref(*role));
            all.iter().any(|role| wanted.matches(role))
        };
        let mut meant: Vec<Arc<str>> = self.roles.all.iter().filter(is_meant).cloned().collect();
        if meant.iter().any(|role| !self.roles.named.contains(role)) {
            meant.retain(|role| !self.roles.named.contains(role));
        }
        meant.into_iter().filter_map(|role| self.somebody(&policy.scope, principal, role)).collect()
    }

    fn somebody(&mut self, scope: &Arc<str>, principal: Option<&'p str>, role: Arc<str>) -> Option<usize> {
        let name = (Arc::clone(scope), principal, Arc::clone(&role));
        if let Some(known) = self.by_name.get(&name) {
            return Some(*known);
        }
        let at = self.frames.len();
        let mut frame = self.known.alone(self.model, u32::try_from(at).ok()?, (scope, principal, &role))?;
        leave_unnamed(self.model, &mut frame);
        self.frames.push(frame);
        self.by_name.insert(name, at);
        Some(at)
    }
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

/// The conditions that a rule has in one policy.
pub(super) struct Needs<'m, 'p> {
    model: &'m Model<'p>,
    tests: Vec<&'m Test>,
    /// The derived roles that they can ask for; `None` where that is not known.
    roles: Option<&'m [Arc<DerivedRole>]>,
}

impl<'m, 'p> Needs<'m, 'p> {
    /// What has to hold for a row: the condition of the derived role, and the rule's.
    pub(super) fn of_row(model: &'m Model<'p>, row: &Row) -> Self {
        let derived = match &row.whom {
            Whom::DerivedRole { role, .. } => test(model, role.condition.as_ref(), &role.params),
            Whom::Role(_) | Whom::Resource(_) => None,
        };
        let own = test(model, row.rule.condition.as_ref(), &row.rule.params);
        Self { model, tests: derived.into_iter().chain(own).collect(), roles: None }
    }

    /// The same where somebody has one role, to whom the policy's derived roles are in force; a principal policy sees those of others.
    fn of_policy(self, policy: &PolicyInfo) -> Self {
        let set = self.model.bundles.first().map(|bundle| bundle.set);
        let of_policy = set.and_then(|set| set.derived_roles.get(&policy.key)).map_or(&[][..], Vec::as_slice);
        Self { roles: (policy.kind == PolicyKind::Resource).then_some(of_policy), ..self }
    }

    /// The same for a rule of a role policy.
    pub(super) fn of_role(model: &'m Model<'p>, row: &RoleRow) -> Self {
        let own = test(model, row.rule.condition.as_ref(), &row.rule.params);
        Self { model, tests: own.into_iter().collect(), roles: None }
    }

    /// The tools that they exclude by their names.
    pub(super) fn excluded(&self, silence: &Silence<'_, '_>) -> CellSet {
        self.tests.iter().fold(CellSet::default(), |sum, test| sum.or(&silence.of_test(test).fails))
    }

    /// Whether they look at the model's arguments, themselves or in a derived role that they ask for.
    fn look_at_arguments(&self) -> bool {
        let mut found = false;
        for test in &self.tests {
            self.each_atom(test, &mut |atom| {
                found |= atom.of_args;
                if atom.of_runtime {
                    let asked = |role: &&Arc<DerivedRole>| match &atom.derived_role {
                        Some(name) => role.name == *name,
                        None => true,
                    };
                    for role in self.roles.into_iter().flatten().filter(asked) {
                        let of_role = self::test(self.model, role.condition.as_ref(), &role.params);
                        of_role
                            .into_iter()
                            .for_each(|test| self.each_atom(test, &mut |atom| found |= atom.of_args));
                    }
                }
            });
        }
        found
    }

    fn each_atom(&self, test: &Test, visit: &mut dyn FnMut(&Atom)) {
        test.each_atom(&mut |id| self.model.atom(id).into_iter().for_each(&mut *visit));
    }

    /// Whether there may be arguments that meet each, in this case.
    pub(super) fn can_be_met(&self, search: &mut Search<'_, '_>, ask: Ask) -> bool {
        self.tests.iter().all(|test| of_test(test, &mut |id| self.of_atom(id, search, ask)) & TRUE != 0)
    }

    fn of_atom(&self, id: AtomId, search: &mut Search<'_, '_>, ask: Ask) -> u8 {
        let Some(atom) = self.model.atom(id) else { return ANY };
        match (&atom.derived_role, self.roles) {
            (Some(name), Some(roles)) => roles
                .iter()
                .find(|role| role.name == *name)
                .map_or(FALSE, |role| self.of_derived_role(role, search, ask)),
            _ => alone(id, atom, search, ask),
        }
    }

    /// Whether a derived role is in force.
    fn of_derived_role(&self, role: &DerivedRole, search: &mut Search<'_, '_>, ask: Ask) -> u8 {
        let (Some(bundle), Some(scope)) = (self.model.bundles.first(), search.frame.scopes.first()) else {
            return ANY;
        };
        let all = bundle.set.with_parent_roles(scope, &search.frame.roles);
        if !role.parent_roles.iter().any(|parent| &**parent == "*" || all.contains(parent)) {
            return FALSE;
        }
        // The derived roles that this one's condition sees are not these.
        let atom = &mut |id| self.model.atom(id).map_or(ANY, |atom| alone(id, atom, search, ask));
        test(self.model, role.condition.as_ref(), &role.params).map_or(TRUE, |test| of_test(test, atom))
    }
}

fn test<'m>(model: &'m Model<'_>, condition: Option<&Condition>, params: &Params) -> Option<&'m Test> {
    model.test(model.test_of(0, condition?, params)?)
}

/// How an atom may come out that asks for no derived role alone.
fn alone(id: AtomId, atom: &Atom, search: &mut Search<'_, '_>, ask: Ask) -> u8 {
    if is_up_to_others(atom, ask) {
        return ANY;
    }
    if let Some(holds) = of_any_name(atom.program.expr()) {
        return if holds { TRUE } else { FALSE };
    }
    let truth = match ask {
        Ask::Any => Some(search.truth(id, Where { bundle: 0, level: 0 })),
        Ask::These => search.truth_of_these(id),
    };
    match truth {
        Some(Truth::True) => TRUE,
        Some(Truth::False) => FALSE,
        Some(Truth::Error | Truth::Other) => FAILS,
        None => ANY,
    }
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
