//! For which tools a rule has no say: those that its condition excludes by their names, whatever else it asks. Of a thousand rules each for
//! one tool, one or two have to be looked at for each.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::atoms::{AtomId, VarId};
use super::cell_set::CellSet;
use super::cells::Cell;
use super::logic::{Logic, Test, Truth};
use super::model::{Model, TestId};
use super::vocabulary::TOOL_NAME;
use super::witness::Values;

/// The tools for which something surely holds, and those for which it surely does not: without an error on the way.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    holds: CellSet,
    pub(super) fails: CellSet,
}

impl Settled {
    fn not(self) -> Self {
        Self { holds: self.fails, fails: self.holds }
    }
}

/// See the module. Tools are places among those that are declared, else among the cells of their names.
pub(super) struct Silence<'m, 'p> {
    model: &'m Model<'p>,
    all: CellSet,
    atoms: RefCell<HashMap<AtomId, Settled>>,
    tests: RefCell<HashMap<TestId, Arc<Settled>>>,
}

impl<'m, 'p> Silence<'m, 'p> {
    pub(super) fn new(model: &'m Model<'p>) -> Self {
        let tools = if model.tools.is_empty() { model.cells_of(NAME).len() } else { model.tools.len() };
        Self { model, all: (0..tools).collect(), atoms: RefCell::default(), tests: RefCell::default() }
    }

    /// How many tools there are to be told apart.
    pub(super) fn tools(&self) -> usize {
        self.all.len()
    }

    /// The tools of which a condition, under a derived role's if there is one, surely does not hold.
    pub(super) fn silent(&self, derived: Option<TestId>, condition: Option<TestId>) -> CellSet {
        let condition = condition.map_or_else(CellSet::default, |id| self.test(id).fails.clone());
        match derived.map(|id| self.test(id)) {
            // The role is asked first, and may fail.
            Some(role) => role.holds.and(&condition).or(&role.fails),
            None => condition,
        }
    }

    /// What is left without some.
    pub(super) fn but(&self, silent: &CellSet) -> CellSet {
        self.all.clone().without(silent)
    }

    fn test(&self, id: TestId) -> Arc<Settled> {
        if let Some(known) = self.tests.borrow().get(&id) {
            return Arc::clone(known);
        }
        let settled = Arc::new(self.model.test(id).map_or_else(Settled::default, |test| self.of_test(test)));
        self.tests.borrow_mut().insert(id, Arc::clone(&settled));
        settled
    }

    pub(super) fn of_test(&self, test: &Test) -> Settled {
        match test {
            Test::All(of) => self.in_order(of.iter().map(|test| self.of_test(test))),
            Test::Any(of) => self.in_order(of.iter().map(|test| self.of_test(test).not())).not(),
            Test::None(of) => self.in_order(of.iter().map(|test| self.of_test(test).not())),
            Test::Expr(logic) => self.of_logic(logic),
        }
    }

    /// All of them, one after the other: what fails before the one that decides fails the whole.
    fn in_order(&self, of: impl Iterator<Item = Settled>) -> Settled {
        let mut settled = Settled { holds: self.all.clone(), fails: CellSet::default() };
        for next in of {
            settled.fails = settled.holds.and(&next.fails).or(&settled.fails);
            settled.holds = settled.holds.and(&next.holds);
        }
        settled
    }

    fn of_logic(&self, logic: &Logic) -> Settled {
        match logic {
            Logic::And(of) => self.all_of(of.iter().map(|logic| self.of_logic(logic))),
            Logic::Or(of) => self.all_of(of.iter().map(|logic| self.of_logic(logic).not())).not(),
            Logic::Not(of) => self.of_logic(of).not(),
            Logic::If(three) => {
                let [condition, then, otherwise] = three.each_ref().map(|logic| self.of_logic(logic));
                let both = |then: &CellSet, otherwise: &CellSet| {
                    condition.holds.and(then).or(&condition.fails.and(otherwise))
                };
                Settled {
                    holds: both(&then.holds, &otherwise.holds),
                    fails: both(&then.fails, &otherwise.fails),
                }
            }
            Logic::Atom(id) => self.of_atom(*id),
        }
    }

    /// All of them, in any order: one that decides wins over what fails beside it.
    fn all_of(&self, of: impl Iterator<Item = Settled>) -> Settled {
        of.fold(Settled { holds: self.all.clone(), fails: CellSet::default() }, |sum, next| Settled {
            holds: sum.holds.and(&next.holds),
            fails: sum.fails.or(&next.fails),
        })
    }

    fn of_atom(&self, id: AtomId) -> Settled {
        let model = self.model;
        let Some(atom) = model.atom(id).filter(|atom| atom.is_plain && atom.vars == [NAME]) else {
            return Settled::default();
        };
        if let Some(known) = self.atoms.borrow().get(&id) {
            return known.clone();
        }
        let mut settled = Settled::default();
        if let Some(places) = model.places(NAME) {
            let (each, rest) = places.told_apart(atom);
            let mut note = |at: Option<usize>, of: &CellSet| {
                let cell = at.map_or(&Cell::MISSING, |at| self.named(at));
                match Values::of(model, NAME, cell).truth(atom) {
                    Some(Truth::True) => settled.holds = std::mem::take(&mut settled.holds).or(of),
                    Some(Truth::False) => settled.fails = std::mem::take(&mut settled.fails).or(of),
                    Some(Truth::Error | Truth::Other) | None => {}
                }
            };
            each.into_iter().for_each(|at| note(Some(at), &std::iter::once(at).collect()));
            note(rest.first(), &rest);
        }
        self.atoms.borrow_mut().insert(id, settled.clone());
        settled
    }

    /// What a tool is called.
    fn named(&self, at: usize) -> &'m Cell {
        let model = self.model;
        let declared = model.tools.get(at).and_then(|(_, cells)| cells.get(&NAME).copied());
        let cell = if model.tools.is_empty() { model.cells_of(NAME).get(at).copied() } else { declared };
        cell.map_or(&Cell::MISSING, |id| model.cell(id))
    }
}

const NAME: VarId = VarId(TOOL_NAME as u32);

/// Things in an order, of which some are for few tools.
#[derive(Debug, Default)]
pub(super) struct ByTool {
    for_many: Vec<usize>,
    for_few: HashMap<usize, Vec<usize>>,
}

impl ByTool {
    /// Adds the next, with the tools that it is for.
    pub(super) fn push(&mut self, at: usize, tools: &CellSet, of: usize) {
        // What is for many is looked at for all, so that a list of each tool's stays short.
        if tools.len() > of / 16 + 1 {
            self.for_many.push(at);
        } else {
            tools.iter().for_each(|tool| self.for_few.entry(tool).or_default().push(at));
        }
    }

    /// Those that may be for a tool, in order.
    pub(super) fn of(&self, tool: usize) -> impl Iterator<Item = usize> {
        let mut many = self.for_many.iter().copied().peekable();
        let mut few = self.for_few.get(&tool).into_iter().flatten().copied().peekable();
        std::iter::from_fn(move || match (many.peek(), few.peek()) {
            (Some(one), Some(other)) if other < one => few.next(),
            (Some(_), _) => many.next(),
            (None, _) => few.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_a_tool_comes_in_order() {
        let mut all = ByTool::default();
        let tools = |of: &[usize]| of.iter().copied().collect::<CellSet>();
        let many = (0..100).collect::<CellSet>();
        for (at, of) in [tools(&[7]), many.clone(), tools(&[7, 8]), tools(&[]), many].iter().enumerate() {
            all.push(at, of, 100);
        }
        assert_eq!(all.of(7).collect::<Vec<_>>(), [0, 1, 2, 4]);
        assert_eq!(all.of(8).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(all.of(9).collect::<Vec<_>>(), [1, 4]);
    }
}
