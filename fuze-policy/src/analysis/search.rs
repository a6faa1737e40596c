//! Goes through all cases: a variable gets a cell when a condition first looks at it, and no sooner.

use std::collections::{BTreeMap, HashMap};

use super::atoms::{Atom, AtomId, Form, VarId};
use super::cells::{Cell, Subject};
use super::frames::Frame;
use super::logic::Truth;
use super::model::{CellId, Model};
use super::outcome::Open;
use super::vocabulary::{ART9_BASIS, ATTRIBUTES, CLASSIFICATION, SPECIAL};
use super::witness::Values;

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Var(VarId),
    Tool,
    /// How an atom comes out that cells do not decide; of those that look at the derived roles, by scope.
    Free(AtomId, u32),
    /// Whether an output that cannot be looked into says anything that can be read.
    Says(Open),
}

/// What was chosen: there is a case for each turn of these, so that looking them up is most of the work.
#[derive(Clone, Default)]
struct Chosen {
    vars: Vec<Option<usize>>,
    rest: BTreeMap<Slot, usize>,
}

impl Chosen {
    fn get(&self, slot: Slot) -> Option<usize> {
        match slot {
            Slot::Var(var) => self.vars.get(var.0 as usize).copied().flatten(),
            Slot::Tool | Slot::Free(..) | Slot::Says(_) => self.rest.get(&slot).copied(),
        }
    }

    fn set(&mut self, slot: Slot, chosen: Option<usize>) {
        match (slot, chosen) {
            (Slot::Var(var), _) => {
                let at = var.0 as usize;
                if self.vars.len() <= at {
                    self.vars.resize(at + 1, None);
                }
                if let Some(place) = self.vars.get_mut(at) {
                    *place = chosen;
                }
            }
            (_, Some(chosen)) => drop(self.rest.insert(slot, chosen)),
            (_, None) => drop(self.rest.remove(&slot)),
        }
    }
}

/// Outcomes of atoms by the cells that they look at.
#[derive(Default)]
pub(super) struct Memo(Vec<BTreeMap<Seen, Truth>>);

impl Memo {
    fn get(&self, atom: AtomId, seen: &Seen) -> Option<Truth> {
        self.0.get(atom.0 as usize)?.get(seen).copied()
    }

    fn insert(&mut self, atom: AtomId, seen: Seen, truth: Truth) {
        let at = atom.0 as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, BTreeMap::new);
        }
        if let Some(of_atom) = self.0.get_mut(at) {
            of_atom.insert(seen, truth);
        }
    }
}

/// The frame, if it matters, and the cells that an atom looks at; an atom with more is evaluated each time.
type Seen = [u32; 8];

fn seen(frame: u32, cells: &[(VarId, CellId)]) -> Option<Seen> {
    let mut seen = [u32::MAX; 8];
    let (first, rest) = seen.split_first_mut()?;
    *first = frame;
    rest.get_mut(..cells.len())?.iter_mut().zip(cells).for_each(|(place, (_, cell))| *place = cell.0);
    Some(seen)
}

/// One case after another, of one frame.
pub(super) struct Search<'m, 'p> {
    pub(super) model: &'m Model<'p>,
    pub(super) frame: &'m Frame<'p>,
    pub(super) memo: Memo,
    chosen: Chosen,
    /// In the order in which they were chosen, each with how many there are to choose from.
    trail: Vec<(Slot, usize)>,
    /// A variable that is to have this cell, whatever was chosen for it.
    pub(super) forced: Option<(VarId, CellId)>,
}

impl<'m, 'p> Search<'m, 'p> {
    pub(super) fn new(model: &'m Model<'p>, frame: &'m Frame<'p>, memo: Memo) -> Self {
        Self { model, frame, memo, chosen: Chosen::default(), trail: Vec::new(), forced: None }
    }

    /// The next case; `false` if there is none.
    pub(super) fn next(&mut self) -> bool {
        while let Some((slot, count)) = self.trail.last().copied() {
            let next = self.chosen.get(slot).map(|chosen| chosen + 1).filter(|next| *next < count);
            self.chosen.set(slot, next);
            if next.is_some() {
                return true;
            }
            self.trail.pop();
        }
        false
    }

    fn choose(&mut self, slot: Slot, count: usize) -> usize {
        if let Some(chosen) = self.chosen.get(slot) {
            return chosen;
        }
        // With one to choose from there is nothing to come back to.
        if count > 1 {
            self.chosen.set(slot, Some(0));
            self.trail.push((slot, count));
        }
        0
    }

    /// The cell of a variable whose enclosing arguments are mappings; `None` if it can have none in this frame.
    pub(super) fn cell(&mut self, var: VarId) -> Option<CellId> {
        if let Some((forced, cell)) = self.forced
            && forced == var
        {
            return Some(cell);
        }
        let model = self.model;
        let variable = model.variable(var)?;
        if !model.tools.is_empty() {
            match &variable.subject {
                Subject::Attribute(at) if ATTRIBUTES.get(*at).is_some_and(|a| a.of_tool) => {
                    return self.tool().and_then(|tool| tool.1.get(&var).copied());
                }
                Subject::Argument(keys) if keys.len() == 1 => {
                    let known = self.tool().and_then(|tool| tool.0.args.as_ref());
                    let has =
                        known.is_none_or(|args| keys.iter().all(|key| args.iter().any(|a| **a == **key)));
                    if !has {
                        return None;
                    }
                }
                _ => {}
            }
        }
        if variable.subject == Subject::Attribute(ART9_BASIS) {
            let classification = self.cell(VarId(CLASSIFICATION as u32))?;
            if !model.cell(classification).is_text(SPECIAL) {
                return variable.cells.iter().copied().find(|id| model.cell(*id).json.is_none());
            }
            let bases = variable.cells.len().saturating_sub(1);
            let chosen = self.choose(Slot::Var(var), bases);
            return variable.cells.get(chosen).copied();
        }
        let cells = self.frame.cells.get(&var).unwrap_or(&variable.cells);
        let chosen = self.choose(Slot::Var(var), cells.len());
        cells.get(chosen).copied()
    }

    /// The declared tool that is asked about. With a classification asked for, only those that have it.
    fn tool(&mut self) -> Option<&'m (&'p super::ToolDeclaration, HashMap<VarId, CellId>)> {
        let model = self.model;
        let class = VarId(CLASSIFICATION as u32);
        let wanted = self.frame.cells.get(&class);
        let fits = |cell: Option<&CellId>| {
            wanted.is_none_or(|wanted| cell.is_some_and(|cell| wanted.contains(cell)))
        };
        let tools: Vec<_> = model.tools.iter().filter(|(_, cells)| fits(cells.get(&class))).collect();
        let chosen = self.choose(Slot::Tool, tools.len());
        tools.get(chosen).copied()
    }

    /// The tool that this case is about, if something has looked at it and there are several.
    pub(super) fn chosen_tool(&self) -> Option<usize> {
        self.chosen.get(Slot::Tool)
    }

    /// How an atom comes out.
    pub(super) fn truth(&mut self, id: AtomId, bundle: usize, level: usize) -> Truth {
        let model = self.model;
        let Some(atom) = model.atom(id) else { return Truth::Error };
        if atom.form == Form::Free {
            return self.free(id, atom, salt(atom, bundle, level));
        }
        let looked_at = self.looked_at(atom);
        let unknown = looked_at.iter().filter(|(var, _)| atom.vars.contains(var));
        let mut unknown = unknown.map(|(_, cell)| model.cell(*cell)).filter(|cell| cell.region);
        let decided = match atom.form {
            Form::Cells => true,
            Form::Equality => {
                let unknown: Vec<&Cell> = unknown.collect();
                unknown.len() < 2
                    || unknown.iter().all(|cell| cell.json.as_ref().is_some_and(serde_json::Value::is_string))
            }
            Form::Points => unknown.next().is_none(),
            Form::Free => false,
        };
        if !decided {
            return self.free(id, atom, 0);
        }
        self.evaluated(id, atom, bundle, &looked_at)
    }

    /// How an atom comes out for the values that stand for its cells, also where others of them may come out otherwise. It looks at single
    /// attributes and the roles, and at nothing else.
    pub(super) fn truth_of_these(&mut self, id: AtomId, bundle: usize) -> Truth {
        let Some(atom) = self.model.atom(id) else { return Truth::Error };
        let looked_at = self.looked_at(atom);
        self.evaluated(id, atom, bundle, &looked_at)
    }

    /// The cells that an atom looks at: where an argument within another is looked at that is no mapping, its kind alone.
    fn looked_at(&mut self, atom: &Atom) -> Vec<(VarId, CellId)> {
        let model = self.model;
        let mut looked_at: Vec<(VarId, CellId)> = Vec::with_capacity(atom.vars.len());
        for var in &atom.vars {
            let Some(variable) = model.variable(*var) else { continue };
            for of in variable.within.iter().chain([var]) {
                let Some(cell) = self.cell(*of) else { break };
                if !looked_at.contains(&(*of, cell)) {
                    looked_at.push((*of, cell));
                }
                if !model.cell(cell).opens {
                    break;
                }
            }
        }
        looked_at
    }

    fn evaluated(&mut self, id: AtomId, atom: &Atom, bundle: usize, looked_at: &[(VarId, CellId)]) -> Truth {
        let (model, frame) = (self.model, self.frame);
        let frame_id = if atom.of_frame { 1 + frame.id * 2 + bundle as u32 } else { 0 };
        let seen = seen(frame_id, looked_at);
        if let Some(truth) = seen.and_then(|seen| self.memo.get(id, &seen)) {
            return truth;
        }
        let mut values = Values::default();
        for (var, cell) in looked_at {
            values.set(model, *var, model.cell(*cell));
        }
        let scope = frame.scopes.get(bundle).map_or("", |scope| &**scope);
        let truth = values.truth_in(atom, scope, &frame.roles);
        if let Some(seen) = seen {
            self.memo.insert(id, seen, truth);
        }
        truth
    }

    /// Whether an attribute of this case is an empty text, as none of a real request is.
    pub(super) fn has_empty_text(&self) -> bool {
        self.trail.iter().any(|(slot, _)| {
            let Slot::Var(var) = slot else { return false };
            let Some(variable) = self.model.variable(*var) else { return false };
            let cells = self.frame.cells.get(var).unwrap_or(&variable.cells);
            let cell = self.chosen.get(*slot).and_then(|at| cells.get(at));
            matches!(variable.subject, Subject::Attribute(_))
                && cell.is_some_and(|cell| self.model.cell(*cell).is_text(""))
        })
    }

    /// That an output that cannot be looked into says something; `None` where it fails.
    pub(super) fn speaks(&mut self, id: AtomId, bundle: usize, level: usize) -> Option<Open> {
        let open = (id, self.model.atom(id).map_or(0, |atom| salt(atom, bundle, level)));
        (self.choose(Slot::Says(open), 2) == 0).then_some(open)
    }

    fn free(&mut self, id: AtomId, atom: &Atom, salt: u32) -> Truth {
        let outcomes = [Truth::True, Truth::False, Truth::Error, Truth::Other];
        let count = if atom.boolean { 3 } else { outcomes.len() };
        let chosen = self.choose(Slot::Free(id, salt), count);
        outcomes.get(chosen).copied().unwrap_or(Truth::Error)
    }

    /// The atoms of this case that were chosen how to come out.
    pub(super) fn free_atoms(&self) -> Vec<&'m Atom> {
        let atom = |(slot, _): &(Slot, usize)| match slot {
            Slot::Free(id, _) | Slot::Says((id, _)) => self.model.atom(*id),
            Slot::Var(_) | Slot::Tool => None,
        };
        self.trail.iter().filter_map(atom).collect()
    }

    /// Values of this case: of what nothing looked at, the first that comes.
    pub(super) fn values(&mut self) -> Values {
        let model = self.model;
        // Only what was chosen is kept for the cases to come.
        let (chosen, trail) = (self.chosen.clone(), self.trail.len());
        let mut values = Values::default();
        for (at, variable) in model.vars.iter().enumerate() {
            let var = VarId(at as u32);
            let looked_at = match variable.subject {
                Subject::Attribute(_) => true,
                Subject::Argument(_) => {
                    self.chosen.get(Slot::Var(var)).is_some() || self.forced.is_some_and(|(f, _)| f == var)
                }
            };
            let within = variable.within.iter().all(|outer| {
                self.chosen.get(Slot::Var(*outer)).is_some()
                    && self.cell(*outer).is_some_and(|cell| model.cell(cell).opens)
            });
            if looked_at
                && within
                && let Some(cell) = self.cell(var)
            {
                values.set(model, var, model.cell(cell));
            }
        }
        self.chosen = chosen;
        self.trail.truncate(trail);
        values
    }
}

/// Tells apart what looks at the derived roles: they differ by set and scope.
fn salt(atom: &Atom, bundle: usize, level: usize) -> u32 {
    let salt = if atom.of_runtime { 1 + bundle * 1000 + level } else { 0 };
    u32::try_from(salt).unwrap_or(u32::MAX)
}
