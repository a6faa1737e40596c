//! Where texts stand among the cells of a variable, or among the declared tools: most conditions name few of them, and all others come out
//! alike.

use std::collections::HashMap;
use std::sync::Arc;

use super::atoms::Atom;
use super::cell_set::CellSet;
use super::cells::{Cell, Point};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_text: HashMap<Arc<str>, Vec<usize>>,
    texts: CellSet,
    /// What is no text.
    others: Vec<usize>,
}

impl Places {
    pub(super) fn of<'c>(cells: impl Iterator<Item = &'c Cell>) -> Self {
        let mut places = Self::default();
        for (at, cell) in cells.enumerate() {
            match cell.json.as_ref().and_then(|json| json.as_str()) {
                Some(text) => {
                    places.texts.insert(at);
                    match places.by_text.get_mut(text) {
                        Some(known) => known.push(at),
                        None => drop(places.by_text.insert(text.into(), vec![at])),
                    }
                }
                None => places.others.push(at),
            }
        }
        places
    }

    /// For an atom that is [plain](Atom::is_plain): each place that has to be looked at by itself, and all the others, which are texts.
    pub(super) fn told_apart(&self, atom: &Atom) -> (Vec<usize>, CellSet) {
        let mut alone = self.others.clone();
        let mut rest = self.texts.clone();
        for point in &atom.points {
            let Point::Text(text) = point else { continue };
            for at in self.by_text.get(text).into_iter().flatten() {
                rest.remove(*at);
                alone.push(*at);
            }
        }
        alone.sort_unstable();
        alone.dedup();
        (alone, rest)
    }
}
