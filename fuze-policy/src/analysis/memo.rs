//! How atoms come out by the cells that they look at: each is evaluated once for each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::atoms::{AtomId, VarId};
use super::cell_set::CellSet;
use super::logic::Truth;
use super::model::CellId;

/// What comes of looking at a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// An atom comes out so; `None` where that is not certain.
    Out(Option<Truth>),
    /// It is a mapping, and what is in it is looked at next.
    Opens,
    /// A question is answered.
    Is(bool),
    /// It is this one.
    Cell(Option<CellId>),
}

/// The cells of which the same comes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) comes: Comes,
    pub(super) cells: CellSet,
}

impl Group {
    /// Groups cells; first those that come first.
    pub(super) fn of(looks: impl Iterator<Item = (Comes, CellSet)>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for (comes, cells) in looks {
            match groups.iter_mut().find(|group| group.comes == comes) {
                Some(group) => group.cells.add(&cells),
                None => groups.push(Self { comes, cells }),
            }
        }
        groups
    }

    /// The same where each is asked by itself.
    pub(super) fn of_each(cells: impl Iterator<Item = usize>, comes: impl Fn(usize) -> Comes) -> Vec<Self> {
        Self::of(cells.map(|at| (comes(at), std::iter::once(at).collect())))
    }
}

/// The frame, if it matters, and the cells that an atom looks at, each with its variable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Seen([(u32, u32); 6]);

impl Seen {
    /// `None` for an atom that looks at more: it is evaluated each time.
    pub(super) fn new(frame: u32, cells: &[(VarId, CellId)]) -> Option<Self> {
        let mut seen = [(u32::MAX, u32::MAX); 6];
        let (first, rest) = seen.split_first_mut()?;
        *first = (frame, 0);
        let places = rest.get_mut(..cells.len())?.iter_mut();
        places.zip(cells).for_each(|(place, (var, cell))| *place = (var.0, cell.0));
        Some(Self(seen))
    }
}

/// What is cut, by an atom's look at a variable.
type Cut = (VarId, bool, Seen);

/// See the module.
#[derive(Default)]
pub(super) struct Memo {
    truths: Vec<BTreeMap<Seen, Option<Truth>>>,
    groups: Vec<HashMap<Cut, Arc<[Group]>>>,
}

impl Memo {
    /// What was found of an atom: how it comes out, or that this is not known.
    pub(super) fn truth(&self, atom: AtomId, seen: &Seen) -> Option<Option<Truth>> {
        self.truths.get(atom.0 as usize)?.get(seen).copied()
    }

    pub(super) fn remember(&mut self, atom: AtomId, seen: Seen, truth: Option<Truth>) {
        let at = atom.0 as usize;
        if self.truths.len() <= at {
            self.truths.resize_with(at + 1, BTreeMap::new);
        }
        if let Some(of_atom) = self.truths.get_mut(at) {
            of_atom.insert(seen, truth);
        }
    }

    pub(super) fn groups(&self, atom: AtomId, var: VarId, surely: bool, seen: &Seen) -> Option<Arc<[Group]>> {
        self.groups.get(atom.0 as usize)?.get(&(var, surely, *seen)).cloned()
    }

    pub(super) fn keep(
        &mut self,
        atom: AtomId,
        var: VarId,
        surely: bool,
        seen: Seen,
        groups: Vec<Group>,
    ) -> Arc<[Group]> {
        let at = atom.0 as usize;
        if self.groups.len() <= at {
            self.groups.resize_with(at + 1, HashMap::new);
        }
        let groups: Arc<[Group]> = groups.into();
        if let Some(of_atom) = self.groups.get_mut(at) {
            of_atom.insert((var, surely, seen), Arc::clone(&groups));
        }
        groups
    }
}
