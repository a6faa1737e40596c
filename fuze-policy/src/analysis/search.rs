//! Goes through all cases: what a condition looks at is cut in two where the condition tells it apart, and no finer.
//!
//! Of each variable a case has the cells that are left. A condition that comes out alike for all of them is known, and is no choice; for
//! one that does not, there is a case for each way in which it comes out. So a rule of one tool leaves two cases of the tool's name, and
//! not one for each name.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::atoms::{Atom, AtomId, Form, VarId};
use super::cell_set::CellSet;
use super::cells::{self, Subject};
use super::frames::Frame;
use super::logic::{Truth, Truths};
use super::memo::{Comes, Group, Memo, Seen};
use super::model::{CellId, Model};
use super::outcome::Open;
use super::vocabulary::{ART9_BASIS, ATTRIBUTES, CLASSIFICATION, SPECIAL, TOOL_NAME};
use super::witness::Values;

/// Where something is looked at that may be another elsewhere in the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Where {
    /// By which of the sets.
    pub(super) bundle: usize,
    /// How far above the request's scope; policies of principals have levels of their own for each action, because the derived roles that
    /// they see are those that were looked at last.
    pub(super) level: usize,
}

/// What tells free choices apart, besides the atom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Salt {
    place: usize,
    forced: Option<(CellId, bool)>,
}

/// A variable that has a cell, whatever is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forced {
    pub(super) var: VarId,
    pub(super) cell: CellId,
    /// Of two values that the cell stands for, the second: what cannot be decided for the cell may come out otherwise for it.
    pub(super) second: bool,
}

/// What is chosen that has no cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    /// How an atom comes out that cells do not decide.
    Free(AtomId, Salt),
    /// Whether an output that cannot be looked into says anything that can be read.
    Says(Open),
}

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    /// The declared tools: their attributes go together.
    Tool,
    Var(VarId),
}

/// What a variable can be in this case.
enum Source {
    /// This cell; none where it is not there.
    Is(Option<CellId>),
    Left(Axis),
}

/// A choice to come back to.
enum Choice {
    Cut { axis: Axis, before: CellSet, rest: Vec<CellSet> },
    Of { slot: Slot, count: usize },
}

/// One case after another, of one frame.
pub(super) struct Search<'m, 'p> {
    pub(super) model: &'m Model<'p>,
    pub(super) frame: &'m Frame<'p>,
    pub(super) memo: Memo,
    /// By axis: the cells that there are, and those that are left.
    all: Vec<CellSet>,
    left: Vec<CellSet>,
    chosen: BTreeMap<Slot, usize>,
    trail: Vec<Choice>,
    pub(super) forced: Option<Forced>,
    /// How atoms came out in a case, which they keep to its end: the number of the case, and how.
    known: Vec<Cell<(u64, Truth)>>,
    case: u64,
    /// What was looked at, and how much: rules, parts of conditions, values of expressions.
    steps: Cell<u64>,
    /// Steps that are left. Beyond them expressions are no more evaluated, and nothing that a case seems to come to counts.
    left_steps: u64,
}

impl Axis {
    fn at(self) -> usize {
        match self {
            Self::Tool => 0,
            Self::Var(var) => 1 + var.0 as usize,
        }
    }
}

impl<'m, 'p> Search<'m, 'p> {
    pub(super) fn new(model: &'m Model<'p>, frame: &'m Frame<'p>, memo: Memo) -> Self {
        let class = VarId(CLASSIFICATION as u32);
        let wanted = frame.cells.get(&class);
        let fits = |cell: Option<&CellId>| {
            wanted.is_none_or(|wanted| cell.is_some_and(|cell| wanted.contains(cell)))
        };
        let tools = model.tools.iter().enumerate().filter(|(_, (_, cells))| fits(cells.get(&class)));
        let mut all: Vec<CellSet> = vec![tools.map(|(at, _)| at).collect()];
        all.extend(model.vars.iter().enumerate().map(|(at, variable)| {
            let kept = frame.cells.get(&VarId(at as u32));
            let basis = variable.subject == Subject::Attribute(ART9_BASIS);
            let is = |id: &CellId| {
                kept.is_none_or(|kept| kept.contains(id)) && !(basis && model.cell(*id).json.is_none())
            };
            let cells = variable.cells.iter().enumerate();
            cells.filter(|(_, id)| is(id)).map(|(at, _)| at).collect()
        }));
        let left = all.clone();
        let mut search = Self {
            model,
            frame,
            memo,
            all,
            left,
            chosen: BTreeMap::new(),
            trail: Vec::new(),
            forced: None,
            known: vec![Cell::new((0, Truth::Error)); model.atoms.len()],
            case: 1,
            steps: Cell::new(0),
            left_steps: u64::MAX,
        };
        // Which tool it is decides of most rules that they have no say.
        search.cell(VarId(TOOL_NAME as u32));
        search
    }

    /// Begins again, with some of the tools if they are named, and with so many steps to take.
    pub(super) fn begin(&mut self, among: Option<&CellSet>, steps: u64) {
        while let Some(choice) = self.trail.pop() {
            match choice {
                Choice::Cut { axis, before, .. } => {
                    if let Some(left) = self.left.get_mut(axis.at()) {
                        *left = before;
                    }
                }
                Choice::Of { slot, .. } => drop(self.chosen.remove(&slot)),
            }
        }
        let axis = self.tools_axis();
        if let (Some(left), Some(all)) = (self.left.get_mut(axis.at()), self.all.get(axis.at())) {
            *left = among.map_or_else(|| all.clone(), |among| all.and(among));
        }
        self.case += 1;
        self.left_steps = steps;
        self.cell(VarId(TOOL_NAME as u32));
    }

    fn tools_axis(&self) -> Axis {
        if self.model.tools.is_empty() { Axis::Var(VarId(TOOL_NAME as u32)) } else { Axis::Tool }
    }

    /// The next case; `false` if there is none.
    pub(super) fn next(&mut self) -> bool {
        self.case += 1;
        while let Some(choice) = self.trail.last_mut() {
            match choice {
                Choice::Cut { axis, before, rest } => {
                    let next = rest.pop();
                    let more = next.is_some();
                    if let Some(left) = self.left.get_mut(axis.at()) {
                        *left = next.unwrap_or_else(|| std::mem::take(before));
                    }
                    if more {
                        return true;
                    }
                }
                Choice::Of { slot, count } => {
                    let next = self.chosen.get(slot).map_or(0, |chosen| chosen + 1);
                    if next < *count {
                        self.chosen.insert(*slot, next);
                        return true;
                    }
                    self.chosen.remove(slot);
                }
            }
            self.trail.pop();
        }
        false
    }

    /// With so many steps to take.
    pub(super) fn within(mut self, steps: u64) -> Self {
        self.left_steps = steps;
        self
    }

    /// The steps that are left after a case; `None` if it took more.
    pub(super) fn steps_left(&mut self) -> Option<u64> {
        self.left_steps = self.left_steps.checked_sub(self.steps.take())?;
        Some(self.left_steps)
    }

    /// Whether a case took more steps than there were. Nothing is looked at any more then, and what it seems to come to does not count.
    pub(super) fn is_spent(&self) -> bool {
        self.steps.get() > self.left_steps
    }

    /// Counts steps.
    pub(super) fn took(&self, steps: u64) {
        self.steps.set(self.steps.get().saturating_add(steps));
    }

    fn choose(&mut self, slot: Slot, count: usize) -> usize {
        if let Some(chosen) = self.chosen.get(&slot) {
            return *chosen;
        }
        self.chosen.insert(slot, 0);
        self.trail.push(Choice::Of { slot, count });
        0
    }

    /// Keeps the cells of one of the groups, the first that has some left; `None` if none has. The others are cases to come.
    fn cut(&mut self, axis: Axis, groups: &[Group]) -> Option<Comes> {
        let left = self.left.get(axis.at())?;
        let mut met = groups.iter().filter(|group| group.cells.meets(left));
        let first = met.next()?;
        let mut rest: Vec<CellSet> = met.map(|group| group.cells.and(left)).collect();
        if !rest.is_empty() {
            rest.reverse();
            let kept = first.cells.and(left);
            let left = self.left.get_mut(axis.at())?;
            let before = std::mem::replace(left, kept);
            self.trail.push(Choice::Cut { axis, before, rest });
        }
        Some(first.comes)
    }

    /// Cuts by a question about each cell, and answers it.
    fn ask(&mut self, axis: Axis, comes: impl Fn(usize) -> Comes) -> Option<Comes> {
        let groups = Group::of_each(self.left.get(axis.at())?.iter(), comes);
        self.cut(axis, &groups)
    }

    fn source(&mut self, var: VarId) -> Source {
        if let Some(forced) = self.forced.filter(|forced| forced.var == var) {
            return Source::Is(Some(forced.cell));
        }
        let model = self.model;
        let Some(variable) = model.variable(var) else { return Source::Is(None) };
        if !model.tools.is_empty() {
            match &variable.subject {
                Subject::Attribute(at) if ATTRIBUTES.get(*at).is_some_and(|a| a.of_tool) => {
                    return Source::Left(Axis::Tool);
                }
                Subject::Argument(keys) if keys.len() == 1 => {
                    let has = |tool: usize| {
                        let args = model.tools.get(tool).and_then(|tool| tool.0.args.as_ref());
                        args.is_none_or(|args| keys.iter().all(|key| args.iter().any(|a| **a == **key)))
                    };
                    if self.ask(Axis::Tool, |tool| Comes::Is(has(tool))) != Some(Comes::Is(true)) {
                        return Source::Is(None);
                    }
                }
                Subject::Attribute(_) | Subject::Argument(_) | Subject::Now => {}
            }
        } else if variable.subject == Subject::Attribute(ART9_BASIS) {
            let class = VarId(CLASSIFICATION as u32);
            let special =
                |at: usize| self.cell_at(class, at).is_some_and(|id| model.cell(id).is_text(SPECIAL));
            let groups = Group::of_each(0..model.cells_of(class).len(), |at| Comes::Is(special(at)));
            if self.cut(Axis::Var(class), &groups) != Some(Comes::Is(true)) {
                return Source::Is(variable.cells.iter().copied().find(|id| model.cell(*id).json.is_none()));
            }
        }
        Source::Left(Axis::Var(var))
    }

    /// The cell that a variable has at a place of its axis.
    fn cell_on(&self, axis: Axis, var: VarId, at: usize) -> Option<CellId> {
        match axis {
            Axis::Tool => self.model.tools.get(at)?.1.get(&var).copied(),
            Axis::Var(_) => self.cell_at(var, at),
        }
    }

    fn cell_at(&self, var: VarId, at: usize) -> Option<CellId> {
        self.model.variable(var)?.cells.get(at).copied()
    }

    /// The cell of a variable whose enclosing arguments are mappings, this one alone; `None` if it can have none in this frame.
    pub(super) fn cell(&mut self, var: VarId) -> Option<CellId> {
        match self.source(var) {
            Source::Is(cell) => cell,
            Source::Left(axis) => {
                let left = self.left.get(axis.at())?;
                if left.iter().nth(1).is_none() {
                    return self.cell_on(axis, var, left.first()?);
                }
                let group = |at: usize| Group {
                    comes: Comes::Cell(self.cell_on(axis, var, at)),
                    cells: std::iter::once(at).collect(),
                };
                let groups: Vec<Group> = left.iter().map(group).collect();
                match self.cut(axis, &groups)? {
                    Comes::Cell(cell) => cell,
                    Comes::Is(_) | Comes::Opens | Comes::Out(_) => None,
                }
            }
        }
    }

    /// The tool that this case is about, as [`Silence`](super::silence::Silence) counts them.
    pub(super) fn tool(&self) -> Option<usize> {
        let mut left = self.left.get(self.tools_axis().at())?.iter();
        left.next().filter(|_| left.next().is_none())
    }

    /// How an atom comes out, if that is settled by now: a rule that does not hold for the tool needs no look at what else it asks.
    fn settled(&self, id: AtomId, at: Where) -> Option<Truth> {
        self.took(1);
        let atom = self.model.atom(id)?;
        if let Some(known) = self.known(id, atom) {
            return Some(known);
        }
        self.took(OF_A_LOOK);
        let plain = |var: &VarId| {
            let forced = self.forced.is_some_and(|forced| forced.var == *var);
            let variable = self.model.variable(*var).filter(|_| !forced && self.model.tools.is_empty())?;
            let basis = variable.subject == Subject::Attribute(ART9_BASIS);
            (variable.within.is_empty() && !basis).then_some(*var)
        };
        let ([var], true) = (atom.vars.as_slice(), atom.form != Form::Free) else { return None };
        let var = plain(var)?;
        let groups = self.memo.groups(id, var, true, &self.memo_of(atom, at, &[])?)?;
        let left = self.left.get(Axis::Var(var).at())?;
        let mut met = groups.iter().filter(|group| group.cells.meets(left));
        match (met.next()?.comes, met.next()) {
            (Comes::Out(truth), None) => truth.inspect(|truth| self.remember(id, atom, *truth)),
            _ => None,
        }
    }

    /// How an atom came out before in this case.
    fn known(&self, id: AtomId, atom: &Atom) -> Option<Truth> {
        let (case, truth) = self.known.get(id.0 as usize).filter(|_| self.is_one(atom))?.get();
        (case == self.case).then_some(truth)
    }

    fn remember(&self, id: AtomId, atom: &Atom, truth: Truth) {
        if let Some(known) = self.known.get(id.0 as usize).filter(|_| self.is_one(atom)) {
            known.set((self.case, truth));
        }
    }

    /// Whether an atom comes out once in a case: see [`salt`](Self::salt).
    fn is_one(&self, atom: &Atom) -> bool {
        !atom.of_frame && !atom.of_runtime && self.forced.is_none()
    }

    /// The tools that this case is about, of those that are declared.
    pub(super) fn tools_left(&self) -> impl Iterator<Item = usize> {
        self.left.first().into_iter().flat_map(CellSet::iter)
    }

    /// How an atom comes out.
    pub(super) fn truth(&mut self, id: AtomId, at: Where) -> Truth {
        self.took(1);
        let Some(atom) = self.model.atom(id) else { return Truth::Error };
        if let Some(known) = self.known(id, atom) {
            return known;
        }
        self.took(OF_A_LOOK);
        let is_free = atom.form == Form::Free || self.is_spent();
        let decided = if is_free { None } else { self.comes_out(id, atom, at, true) };
        let truth = decided.unwrap_or_else(|| self.free(id, atom, at));
        self.remember(id, atom, truth);
        truth
    }

    /// How an atom comes out for the values that stand for its cells, also where others of them may come out otherwise. It looks at single
    /// attributes and the roles, and at nothing else. `None` where that is not known.
    pub(super) fn truth_of_these(&mut self, id: AtomId) -> Option<Truth> {
        self.comes_out(id, self.model.atom(id)?, Where { bundle: 0, level: 0 }, false)
    }

    /// How an atom comes out; if `surely`, for all that the cells stand for, and `None` where that is not certain. Where an argument within
    /// another is looked at that is no mapping, its kind alone counts.
    fn comes_out(&mut self, id: AtomId, atom: &Atom, at: Where, surely: bool) -> Option<Truth> {
        let model = self.model;
        // Each variable is looked for among those before it.
        let vars = atom.vars.len() as u64;
        self.took(vars.saturating_mul(vars) / 16);
        let mut looked_at: Vec<(VarId, CellId)> = Vec::new();
        for (place, var) in atom.vars.iter().enumerate() {
            let Some(variable) = model.variable(*var) else { continue };
            let last = place + 1 == atom.vars.len();
            for of in variable.within.iter().chain([var]) {
                if let Some((_, cell)) = looked_at.iter().find(|(other, _)| other == of) {
                    if model.cell(*cell).opens {
                        continue;
                    }
                    break;
                }
                // How it comes out by the last is all that has to be told apart; of those before, each cell may matter.
                let cell = if last {
                    match self.source(*of) {
                        Source::Is(cell) => cell,
                        Source::Left(axis) => {
                            let look = Look { id, atom, at, surely, of: *of, inner: of != var };
                            match self.told_apart(axis, &look, &looked_at)? {
                                Comes::Out(out) => return out,
                                Comes::Opens => self.opening(*of),
                                Comes::Cell(cell) => cell,
                                Comes::Is(_) => None,
                            }
                        }
                    }
                } else {
                    self.cell(*of)
                };
                let Some(cell) = cell else { break };
                looked_at.push((*of, cell));
                if !model.cell(cell).opens {
                    break;
                }
            }
        }
        self.evaluated(id, atom, at, surely, &looked_at)
    }

    /// Cuts what is left of the last that an atom looks at by how it comes out.
    fn told_apart(&mut self, axis: Axis, look: &Look<'_>, looked_at: &[(VarId, CellId)]) -> Option<Comes> {
        let key = self.memo_of(look.atom, look.at, looked_at);
        let known = key.as_ref().and_then(|key| self.memo.groups(look.id, look.of, look.surely, key));
        if let Some(groups) = known {
            return self.cut(axis, &groups);
        }
        let (each, rest) = match self.model.places(look.of).filter(|_| look.atom.is_plain && !look.inner) {
            Some(places) => places.told_apart(look.atom),
            None => {
                let count = match axis {
                    Axis::Tool => self.model.tools.len(),
                    Axis::Var(var) => self.model.cells_of(var).len(),
                };
                ((0..count).collect(), CellSet::default())
            }
        };
        let alone = each.into_iter().map(|at| (at, std::iter::once(at).collect()));
        let rest = rest.first().map(|at| (at, rest));
        let mut looks: Vec<(usize, CellSet)> = alone.chain(rest).collect();
        looks.sort_unstable_by_key(|(at, _)| *at);
        let comes = looks.into_iter().map(|(at, cells)| {
            let cell = self.cell_on(axis, look.of, at);
            let opens = cell.is_some_and(|cell| self.model.cell(cell).opens);
            let comes = if opens && look.inner {
                Comes::Opens
            } else {
                let all: Vec<_> = looked_at.iter().copied().chain(cell.map(|cell| (look.of, cell))).collect();
                Comes::Out(self.evaluated(look.id, look.atom, look.at, look.surely, &all))
            };
            (comes, cells)
        });
        let groups = Group::of(comes);
        let groups = match key {
            Some(key) => self.memo.keep(look.id, look.of, look.surely, key, groups),
            None => groups.into(),
        };
        self.cut(axis, &groups)
    }

    /// The cell of an argument that is a mapping.
    fn opening(&self, var: VarId) -> Option<CellId> {
        self.model.cells_of(var).iter().copied().find(|id| self.model.cell(*id).opens)
    }

    /// How an atom comes out for cells; if `surely`, `None` where they do not decide.
    fn evaluated(
        &mut self,
        id: AtomId,
        atom: &Atom,
        at: Where,
        surely: bool,
        looked_at: &[(VarId, CellId)],
    ) -> Option<Truth> {
        let (model, frame) = (self.model, self.frame);
        let unknown = looked_at.iter().filter(|(var, _)| atom.vars.contains(var));
        let mut unknown = unknown.map(|(_, cell)| model.cell(*cell)).filter(|cell| cell.region);
        let decided = !surely
            || match atom.form {
                Form::Cells => true,
                Form::Equality => {
                    let unknown: Vec<&cells::Cell> = unknown.collect();
                    // Texts of two regions are cells of their own, and what is of different kinds is never equal.
                    match unknown.as_slice() {
                        [one, other] => one.is_some_text() && other.is_some_text() || !one.is_of_kind(other),
                        _ => true,
                    }
                }
                Form::Points => unknown.next().is_none(),
                Form::Free => false,
            };
        if !decided || self.is_spent() {
            return None;
        }
        let key = self.memo_of(atom, at, looked_at);
        if let Some(truth) = key.as_ref().and_then(|key| self.memo.truth(id, key)) {
            return truth;
        }
        self.took(OF_A_VALUE.saturating_add(atom.parts));
        let mut values = Values::default();
        for (var, cell) in looked_at {
            values.set(model, *var, model.cell(*cell));
        }
        let scope = frame.scopes.get(at.bundle).map_or("", |scope| &**scope);
        let truth = values.truth_in(atom, scope, &frame.roles);
        if let Some(key) = key {
            self.memo.remember(id, key, truth);
        }
        truth
    }

    fn memo_of(&self, atom: &Atom, at: Where, looked_at: &[(VarId, CellId)]) -> Option<Seen> {
        let frame = if atom.of_frame { 1 + self.frame.id * 2 + at.bundle as u32 } else { 0 };
        Seen::new(frame, looked_at)
    }

    /// That an output that cannot be looked into says something; `None` where it fails.
    pub(super) fn speaks(&mut self, id: AtomId, at: Where) -> Option<Open> {
        let open = (id, self.model.atom(id).map_or_else(Salt::default, |atom| self.salt(atom, at)));
        (self.choose(Slot::Says(open), 2) == 0).then_some(open)
    }

    fn free(&mut self, id: AtomId, atom: &Atom, at: Where) -> Truth {
        let outcomes = [Truth::True, Truth::False, Truth::Error, Truth::Other];
        let count = if atom.boolean { 3 } else { outcomes.len() };
        let chosen = self.choose(Slot::Free(id, self.salt(atom, at)), count);
        outcomes.get(chosen).copied().unwrap_or(Truth::Error)
    }

    /// An atom comes out once in a case, unless what it looks at is not the same everywhere: the derived roles, the scope where two sets
    /// decide in different ones, and an argument that is tried with different values.
    fn salt(&self, atom: &Atom, at: Where) -> Salt {
        let scopes = &self.frame.scopes;
        let by_scope = atom.of_frame && scopes.first() != scopes.get(at.bundle);
        let place = match (atom.of_runtime, by_scope) {
            (true, _) => 1 + at.bundle * MOST_LEVELS + at.level,
            (false, true) => 1 + at.bundle * MOST_LEVELS,
            (false, false) => 0,
        };
        let forced = self.forced.filter(|Forced { var: forced, .. }| {
            atom.whole || atom.vars.iter().any(|var| self.model.are_about(*var, *forced))
        });
        Salt { place, forced: forced.map(|forced| (forced.cell, forced.second)) }
    }

    /// The atoms of this case that were chosen how to come out.
    pub(super) fn free_atoms(&self) -> Vec<&'m Atom> {
        let atom = |choice: &Choice| match choice {
            Choice::Of { slot: Slot::Free(id, _) | Slot::Says((id, _)), .. } => self.model.atom(*id),
            Choice::Cut { .. } => None,
        };
        self.trail.iter().filter_map(atom).collect()
    }

    /// The cells of a variable that are left, but for the first.
    pub(super) fn others(&self, var: VarId) -> impl Iterator<Item = &'m cells::Cell> {
        let (model, left) = (self.model, self.left.get(Axis::Var(var).at()));
        let cells = model.cells_of(var);
        let places = left.into_iter().flat_map(CellSet::iter).skip(1);
        places.filter_map(move |at| cells.get(at)).map(move |id| model.cell(*id))
    }

    /// Values of this case: of what is left the first that comes, and neither an argument nor a time that nothing has told apart.
    pub(super) fn values(&mut self) -> Values {
        let model = self.model;
        // Only what was chosen is kept for the cases to come.
        let (left, trail) = (self.left.clone(), self.trail.len());
        let mut values = Values::default();
        for (at, variable) in model.vars.iter().enumerate() {
            let var = VarId(at as u32);
            let is_set = match variable.subject {
                Subject::Attribute(_) => true,
                Subject::Argument(_) | Subject::Now => {
                    let forced = self.forced.is_some_and(|forced| forced.var == var);
                    forced || self.is_cut(var)
                }
            };
            let within = variable.within.iter().all(|outer| {
                self.is_cut(*outer) && self.cell(*outer).is_some_and(|cell| model.cell(cell).opens)
            });
            if is_set
                && within
                && let Some(cell) = self.cell(var)
            {
                values.set(model, var, model.cell(cell));
            }
        }
        self.left = left;
        self.trail.truncate(trail);
        values
    }

    fn is_cut(&self, var: VarId) -> bool {
        let at = Axis::Var(var).at();
        self.left.get(at) != self.all.get(at)
    }
}

/// A search that is asked from some place.
pub(super) struct Asking<'s, 'm, 'p> {
    pub(super) search: &'s mut Search<'m, 'p>,
    pub(super) at: Where,
}

impl Truths for Asking<'_, '_, '_> {
    fn truth(&mut self, atom: AtomId) -> Truth {
        self.search.truth(atom, self.at)
    }

    fn settled(&self, atom: AtomId) -> Option<Truth> {
        self.search.settled(atom, self.at)
    }
}

/// How an atom looks at the last of its variables, or at one around it.
struct Look<'a> {
    id: AtomId,
    atom: &'a Atom,
    at: Where,
    surely: bool,
    of: VarId,
    inner: bool,
}

/// Steps that it takes to find out which cells are left for an atom.
const OF_A_LOOK: u64 = 4;
/// Steps that it takes to evaluate an expression.
const OF_A_VALUE: u64 = 100;
/// More levels than a request has scopes above it.
const MOST_LEVELS: usize = 1 << 20;
