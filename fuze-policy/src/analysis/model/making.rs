//! The cells of a model: what conditions may tell apart of each variable, and of cells that none does, one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::atoms::{Atom, Form, VarId};
use super::super::cell_set::CellSet;
use super::super::cells::{Cell, Known, Point, Subject};
use super::super::logic::Truth;
use super::super::places::Places;
use super::super::vocabulary::{
    ART9_BASIS, ATTRIBUTES, CLASSIFICATION, Domain, PRINCIPAL, TENANT, TOOL_NAME,
};
use super::super::witness::Values;
use super::super::{ToolDeclaration, Tools};
use super::{CellId, For, Model, scopes};
use crate::cerbos::PolicyKind;

/// Parts of atoms that are evaluated at most, for all variables together, to know which of their cells none tells apart.
pub(super) const MOST_EVALUATED: u64 = 1_000_000;

/// Parts of an atom that an evaluation costs besides.
const OF_AN_EVALUATION: u64 = 8;

/// Texts for which a condition that cannot be decided for all of them may come out differently.
fn samples() -> impl Iterator<Item = String> {
    let some = ["a", "A", "a_b", "a-b", "a.b", "a b", "B-7:x", "0", "_", "-", "ä"].map(str::to_owned);
    some.into_iter().chain(["z".repeat(40), "Z9".repeat(150)])
}

/// What the first attributes of a declared tool are, in their order.
fn values_of(tool: &ToolDeclaration) -> [Option<&str>; 6] {
    [
        Some(&tool.name),
        Some(&tool.classification),
        tool.art9_basis.as_ref(),
        Some(&tool.residency),
        Some(&tool.effect),
        Some(&tool.egress),
    ]
    .map(|value| value.map(String::as_str))
}

/// Texts that are not among the points.
fn fresh(subject: Option<&Subject>, points: &BTreeSet<Point>, count: usize) -> Vec<String> {
    let name = match subject {
        Some(Subject::Attribute(TOOL_NAME)) => "another_tool",
        Some(Subject::Attribute(TENANT)) => "another-tenant",
        Some(Subject::Attribute(PRINCIPAL)) => "somebody",
        _ => "something-else",
    };
    // Of a list that may grow, a word that there is reads better than one that there may be.
    let listed = match subject {
        Some(Subject::Attribute(at)) => match ATTRIBUTES.get(*at).map(|attribute| attribute.domain) {
            Some(Domain::Open(words)) => words,
            _ => &[],
        },
        _ => &[],
    };
    let numbered = (1_usize..).map(|n| if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
    let all = listed.iter().map(|word| (*word).to_owned()).chain(numbered);
    all.filter(|text| !points.contains(&Point::Text(text.as_str().into()))).take(count).collect()
}

impl<'p> Model<'p> {
    pub(super) fn make_cells(&mut self, tools: Option<&'p Tools>) {
        let classes = self.classes();
        let points = self.points(&classes, tools);
        let opaque =
            |atom: &&Atom| self.made_for == For::Exclusions && matches!(atom.form, Form::Points | Form::Free);
        let sampled: BTreeSet<usize> = self
            .atoms
            .iter()
            .filter(opaque)
            .flat_map(|atom| &atom.vars)
            .filter_map(|var| classes.get(var.0 as usize).copied())
            .collect();
        let nothing = BTreeSet::new();
        let mut mates: HashMap<usize, usize> = HashMap::new();
        classes.iter().for_each(|class| *mates.entry(*class).or_default() += 1);
        for at in 0..self.vars.len() {
            let class = classes.get(at).copied().unwrap_or(at);
            let points = points.get(class).unwrap_or(&nothing);
            let Some(variable) = self.vars.get(at) else { continue };
            let mates = mates.get(&class).copied().unwrap_or_default();
            let mut fresh = fresh(self.vars.get(class).map(|v| &v.subject), points, mates);
            if sampled.contains(&class) {
                fresh.extend(samples().filter(|text| !points.contains(&Point::Text(text.as_str().into()))));
            }
            let known = Known {
                subject: &variable.subject,
                points,
                fresh: &fresh,
                has_entries: variable.has_entries,
            };
            let cells: Vec<CellId> = known.cells().into_iter().map(|cell| self.cell_id(cell)).collect();
            // For exclusions it matters which values have names.
            let alike = mates == 1 && self.made_for != For::Exclusions;
            let cells = if alike { self.merged(VarId(at as u32), cells) } else { cells };
            if let Some(variable) = self.vars.get_mut(at) {
                variable.cells = cells.into();
            }
        }
        for tool in tools.into_iter().flat_map(|tools| &tools.tools) {
            let cells = values_of(tool).into_iter().enumerate().map(|(at, value)| {
                let cell = value.map_or(Cell::MISSING, Cell::point);
                (VarId(at as u32), self.cell_id(cell))
            });
            let cells = cells.collect();
            self.tools.push((tool, cells));
        }
    }

    /// What may matter of each class of variables, by the first of the class.
    fn points(&self, classes: &[usize], tools: Option<&Tools>) -> Vec<BTreeSet<Point>> {
        let mut points: Vec<BTreeSet<Point>> = vec![BTreeSet::new(); self.vars.len()];
        let mut note = |var: usize, point: Point| {
            if let Some(points) = points.get_mut(classes.get(var).copied().unwrap_or(var)) {
                points.insert(point);
            }
        };
        for atom in &self.atoms {
            for var in &atom.vars {
                atom.points.iter().for_each(|point| note(var.0 as usize, point.clone()));
            }
        }
        for atom in
            self.atoms.iter().filter(|atom| self.made_for == For::Tenants && atom.sees_all_arguments())
        {
            let texts = atom.points.iter().filter(|point| matches!(point, Point::Text(_)));
            texts.for_each(|point| note(TENANT, point.clone()));
        }
        // What is a cell of one variable is a cell of whatever is compared with it: beside a region it would never seem to be equal.
        for (at, variable) in self.vars.iter().enumerate() {
            if let Subject::Attribute(known) = variable.subject
                && let Some(attribute) = ATTRIBUTES.get(known)
            {
                attribute.domain.points().into_iter().for_each(|point| note(at, point));
            }
        }
        for tool in tools.into_iter().flat_map(|tools| &tools.tools) {
            for (at, value) in values_of(tool).into_iter().enumerate() {
                value.into_iter().for_each(|value| note(at, Point::Text(value.into())));
            }
        }
        for atom in self.atoms.iter().filter(|atom| atom.of_frame) {
            for scope in self.bundles.iter().flat_map(|bundle| scopes(bundle.set)).chain([&Arc::default()]) {
                atom.vars.iter().for_each(|var| note(var.0 as usize, Point::Text(Arc::clone(scope))));
            }
        }
        for bundle in &self.bundles {
            scopes(bundle.set)
                .filter(|scope| !scope.is_empty())
                .for_each(|scope| note(TENANT, Point::Text(Arc::clone(scope))));
            let principals =
                bundle.set.policies().iter().filter(|policy| policy.kind == PolicyKind::Principal);
            principals.for_each(|policy| note(PRINCIPAL, Point::Text(Arc::clone(&policy.name))));
        }
        points
    }

    /// By variable the first of those that it may be compared with.
    fn classes(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.vars.len()).collect();
        let mut join = |a: VarId, b: VarId| {
            let (Some(a), Some(b)) = (classes.get(a.0 as usize).copied(), classes.get(b.0 as usize).copied())
            else {
                return;
            };
            classes
                .iter_mut()
                .filter(|class| **class == a || **class == b)
                .for_each(|class| *class = a.min(b));
        };
        for atom in self.atoms.iter().filter(|atom| atom.form == Form::Equality) {
            if let [a, b] = atom.vars.as_slice() {
                join(*a, *b);
            }
        }
        if self.made_for == For::Tenants {
            self.tenant_arguments().into_iter().for_each(|argument| join(VarId(TENANT as u32), argument));
        }
        classes
    }

    /// Of cells that no atom tells apart, the first.
    fn merged(&mut self, var: VarId, cells: Vec<CellId>) -> Vec<CellId> {
        let Some(variable) = self.variable(var) else { return cells };
        // Who is who matters elsewhere, too.
        let named = [CLASSIFICATION, TENANT, PRINCIPAL].map(|at| VarId(at as u32)).contains(&var);
        let alone = |atom: &Atom| atom.vars == [var] && !atom.of_frame && atom.form != Form::Free;
        let special = matches!(variable.subject, Subject::Attribute(at) if at == ART9_BASIS);
        if named || special || variable.has_entries || !self.atoms_of(var).all(alone) {
            return cells;
        }
        let places = Places::of(cells.iter().map(|id| self.cell(*id)));
        // To merge only saves cases: where that takes longer than they do, it is left.
        let cost = |atom: &Atom| {
            let (each, rest) = self.looked_at_in(atom, &places, cells.len());
            (OF_AN_EVALUATION + atom.parts).saturating_mul((each.len() + rest.len().min(1)) as u64)
        };
        let cost = self.atoms_of(var).map(cost).fold(0, u64::saturating_add);
        let Some(left) = self.to_evaluate.checked_sub(cost) else { return cells };
        let truth = |atom: &Atom, at: usize| {
            let cell = cells.get(at).map_or(&Cell::MISSING, |id| self.cell(*id));
            let free = atom.form != Form::Cells && cell.region;
            (!free).then(|| Values::of(self, var, cell).truth(atom)).flatten()
        };
        // Of each cell the atoms that come out otherwise for it than they mostly do.
        let mut told: Vec<Vec<(usize, Option<Truth>)>> = vec![Vec::new(); cells.len()];
        for (number, atom) in self.atoms_of(var).enumerate() {
            let (each, rest) = self.looked_at_in(atom, &places, cells.len());
            let mostly = rest.first().map(|at| truth(atom, at));
            for at in each {
                let truth = truth(atom, at);
                if mostly != Some(truth)
                    && let Some(told) = told.get_mut(at)
                {
                    told.push((number, truth));
                }
            }
        }
        let mut seen = BTreeSet::new();
        let merged = cells.iter().zip(told).filter(|(_, told)| seen.insert(told.clone()));
        let merged = merged.map(|(id, _)| *id).collect();
        self.to_evaluate = left;
        merged
    }

    /// The places of cells that an atom may tell apart, each by itself, and those for all of which it comes out alike.
    fn looked_at_in(&self, atom: &Atom, places: &Places, cells: usize) -> (Vec<usize>, CellSet) {
        if atom.is_plain { places.told_apart(atom) } else { ((0..cells).collect(), CellSet::default()) }
    }
}
