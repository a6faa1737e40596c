//! Everything that one or two policy sets look at in a request about a tool: conditions, atoms, variables and their cells.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::atoms::{Atom, AtomId, Form, TENANT_IN_NAMES, VarId, is_of_tenant, look, mentions};
use super::cell_set::CellSet;
use super::cells::{Cell, Known, Point, Subject};
use super::logic::{Logic, Test, Truth};
use super::places::Places;
use super::says::{SayId, Says, constant};
use super::vocabulary::{ATTRIBUTES, CLASSIFICATION, Domain, PRINCIPAL, TENANT, TOOL_NAME};
use super::witness::Values;
use super::{Policies, ToolDeclaration, Tools};
use crate::agent_tool::{ACTIONS, KIND, VERSION, rows};
use crate::cel::{Expr, Kind, Map, Root};
use crate::cerbos::closing::{Closing, split};
use crate::cerbos::{
    CheckParams, Condition, Expression, Params, PolicyKind, PolicySet, RoleRow, Row, Rule, Whom, resource_key,
};

/// Conditionals of an output, or of what a condition compares, that are looked into, one within the other.
const MOST_SPLITS: u32 = 6;

/// Parts of atoms that are evaluated at most, for all variables together, to know which of their cells none tells apart.
const MOST_EVALUATED: u64 = 1_000_000;

/// The number of a cell in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CellId(pub(super) u32);

/// The number of a condition in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TestId(pub(super) usize);

/// Something that conditions can tell apart.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) subject: Subject,
    /// The argument that it is an entry of, and so on outwards; the outermost first.
    pub(super) within: Vec<VarId>,
    has_entries: bool,
    pub(super) cells: Arc<[CellId]>,
}

/// What a model is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// What calls come to.
    Decisions,
    /// The same, and what the arguments say is compared with tenants.
    Tenants,
    /// What single conditions exclude: of what they cannot be decided for as a whole there are some samples, and one scope is looked at
    /// alone.
    Exclusions,
}

/// One policy set.
pub(super) struct Bundle<'p> {
    pub(super) set: &'p PolicySet,
    pub(super) params: CheckParams,
    tests: HashMap<(usize, u32), TestId>,
    says: HashMap<(usize, u32), SayId>,
}

/// See the module.
pub(super) struct Model<'p> {
    made_for: For,
    pub(super) bundles: Vec<Bundle<'p>>,
    pub(super) tests: Vec<Test>,
    says: Vec<Says>,
    pub(super) atoms: Vec<Atom>,
    pub(super) vars: Vec<Variable>,
    pub(super) cells: Vec<Cell>,
    /// The declared tools, each with the cells of its attributes.
    pub(super) tools: Vec<(&'p ToolDeclaration, HashMap<VarId, CellId>)>,
    /// Roles that conditions look for.
    pub(super) roles: BTreeSet<Arc<str>>,
    /// The roles that principals can have, if that is known.
    pub(super) declared_roles: Option<&'p [String]>,
    by_key: HashMap<String, AtomId>,
    by_subject: HashMap<Subject, VarId>,
    by_cell: HashMap<(Option<String>, bool, bool), CellId>,
    /// By variable: the atoms that look at it, and where its texts stand.
    atoms_of: Vec<Vec<AtomId>>,
    places: Vec<Places>,
    /// Parts of atoms that may still be evaluated for merging cells.
    to_evaluate: u64,
}

/// The scopes that have policies for tools: runs of tenants with such a name are decided there, others in the root.
pub(super) fn scopes(set: &PolicySet) -> impl Iterator<Item = &Arc<str>> {
    set.resources
        .iter()
        .filter(|(_, versions)| {
            versions.get(VERSION).is_some_and(|index| {
                index.regular.contains_key(KIND) || index.roles.iter().any(|row| row.resource.matches(KIND))
            })
        })
        .map(|(scope, _)| scope)
}

impl<'p> Model<'p> {
    /// Looks through policy sets.
    pub(super) fn new(policies: &[&Policies<'p>], made_for: For) -> Self {
        let tools = policies.iter().find_map(|policies| policies.tools);
        let mut model = Self {
            made_for,
            bundles: Vec::new(),
            tests: Vec::new(),
            says: Vec::new(),
            atoms: Vec::new(),
            vars: Vec::new(),
            cells: Vec::new(),
            tools: Vec::new(),
            roles: BTreeSet::new(),
            declared_roles: tools.and_then(|tools| tools.roles.as_deref()),
            by_key: HashMap::new(),
            by_subject: HashMap::new(),
            by_cell: HashMap::new(),
            atoms_of: Vec::new(),
            places: Vec::new(),
            to_evaluate: MOST_EVALUATED,
        };
        for at in 0..ATTRIBUTES.len() {
            model.var(&Subject::Attribute(at));
        }
        for (salt, policies) in policies.iter().enumerate() {
            model.bundle(policies, salt);
        }
        if made_for == For::Tenants && model.atoms.iter().any(Atom::sees_all_arguments) {
            // Whatever sees all of them, or one whose name is computed, may look at one that nobody names.
            model.var(&Subject::Argument(vec![TENANT_IN_NAMES.into()]));
        }
        model.atoms_of = vec![Vec::new(); model.vars.len()];
        for (at, atom) in model.atoms.iter().enumerate() {
            for var in &atom.vars {
                if let Some(of_var) = model.atoms_of.get_mut(var.0 as usize) {
                    of_var.push(AtomId(at as u32));
                }
            }
        }
        model.make_cells(tools);
        model.places = (0..model.vars.len()).map(|at| model.find_places(VarId(at as u32))).collect();
        model
    }

    fn bundle(&mut self, policies: &Policies<'p>, salt: usize) {
        let set = policies.set;
        // One request has one time, whichever set decides.
        let now = self.bundles.first().map_or(policies.params.now, |bundle| bundle.params.now);
        let (mut tests, mut says) = (HashMap::new(), HashMap::new());
        let mut condition = |this: &mut Self, condition: Option<&Condition>, params: &Params| {
            let Some(condition) = condition else { return };
            let key = (std::ptr::from_ref(condition) as usize, params.id);
            if tests.contains_key(&key) {
                return;
            }
            let test = this.read_condition(condition, params, &policies.params.globals, salt);
            tests.insert(key, TestId(this.tests.len()));
            this.tests.push(test);
        };
        let mut output = |this: &mut Self, rule: &Rule| {
            let both = [&rule.output.rule_activated, &rule.output.condition_not_met];
            for output in both.into_iter().flatten() {
                let key = (std::ptr::from_ref(&**output) as usize, rule.params.id);
                if let Entry::Vacant(place) = says.entry(key) {
                    let read = this.read_output(output, &rule.params, &policies.params.globals, salt);
                    place.insert(SayId(this.says.len()));
                    this.says.push(read);
                }
            }
        };
        for row in rows(set) {
            condition(self, row.rule.condition.as_ref(), &row.rule.params);
            output(self, &row.rule);
            if let Whom::DerivedRole { role, .. } = &row.whom {
                condition(self, role.condition.as_ref(), &role.params);
            }
        }
        for row in set.role_rows() {
            condition(self, row.rule.condition.as_ref(), &row.rule.params);
            output(self, &row.rule);
        }
        // A condition can ask for any derived role of its policy, also for one that rules for other actions name.
        for scope in set.resources.keys() {
            let roles = set.derived_roles.get(resource_key(KIND, VERSION, scope).as_str());
            for role in roles.into_iter().flatten() {
                condition(self, role.condition.as_ref(), &role.params);
            }
        }
        let params = CheckParams { now, ..policies.params.clone() };
        self.bundles.push(Bundle { set, params, tests, says });
    }

    /// The test of a condition.
    pub(super) fn test_of(&self, bundle: usize, condition: &Condition, params: &Params) -> Option<TestId> {
        let key = (std::ptr::from_ref(condition) as usize, params.id);
        self.bundles.get(bundle)?.tests.get(&key).copied()
    }

    /// What an output says.
    pub(super) fn says_of(&self, bundle: usize, output: &Expression, params: &Params) -> Option<SayId> {
        let key = (std::ptr::from_ref(output) as usize, params.id);
        self.bundles.get(bundle)?.says.get(&key).copied()
    }

    pub(super) fn says(&self, id: SayId) -> Option<&Says> {
        self.says.get(id.0)
    }

    pub(super) fn test(&self, id: TestId) -> Option<&Test> {
        self.tests.get(id.0)
    }

    pub(super) fn atom(&self, id: AtomId) -> Option<&Atom> {
        self.atoms.get(id.0 as usize)
    }

    pub(super) fn variable(&self, id: VarId) -> Option<&Variable> {
        self.vars.get(id.0 as usize)
    }

    pub(super) fn cells_of(&self, var: VarId) -> &[CellId] {
        self.variable(var).map_or(&[], |variable| &variable.cells)
    }

    pub(super) fn cell(&self, id: CellId) -> &Cell {
        self.cells.get(id.0 as usize).unwrap_or(&Cell::MISSING)
    }

    /// Interns a cell.
    pub(super) fn cell_id(&mut self, cell: Cell) -> CellId {
        let key = (cell.json.as_ref().map(Json::to_string), cell.region, cell.opens);
        let cells = &mut self.cells;
        *self.by_cell.entry(key).or_insert_with(|| {
            cells.push(cell);
            CellId(u32::try_from(cells.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// The steps that it takes to make it, about.
    pub(super) fn size(&self) -> u64 {
        let rows: usize = self.bundles.iter().map(|bundle| bundle.set.rows().len()).sum();
        let parts: u64 = self.atoms.iter().map(|atom| atom.parts).sum();
        let read = (rows + self.tests.len() + self.cells.len()) as u64;
        read.saturating_add(parts).saturating_mul(OF_A_READING)
    }

    /// The atoms that look at a variable.
    fn atoms_of(&self, var: VarId) -> impl Iterator<Item = &Atom> {
        self.atoms_of.get(var.0 as usize).into_iter().flatten().filter_map(|id| self.atom(*id))
    }

    /// Where texts stand among the cells of a variable; of a tool's attribute, among the tools that are declared.
    pub(super) fn places(&self, var: VarId) -> Option<&Places> {
        self.places.get(var.0 as usize)
    }

    /// Whether what a variable can be is cut by the declared tools.
    pub(super) fn is_of_tools(&self, var: VarId) -> bool {
        let is = |at: usize| ATTRIBUTES.get(at).is_some_and(|attribute| attribute.of_tool);
        !self.tools.is_empty()
            && matches!(self.variable(var).map(|v| &v.subject), Some(Subject::Attribute(at)) if is(*at))
    }

    fn find_places(&self, var: VarId) -> Places {
        let missing = &Cell::MISSING;
        if self.is_of_tools(var) {
            let cell = |cells: &HashMap<VarId, CellId>| cells.get(&var).map_or(missing, |id| self.cell(*id));
            return Places::of(self.tools.iter().map(|(_, cells)| cell(cells)));
        }
        Places::of(self.cells_of(var).iter().map(|id| self.cell(*id)))
    }

    fn read_condition(&mut self, condition: &Condition, params: &Params, globals: &Map, salt: usize) -> Test {
        let mut all =
            |of: &[Condition]| of.iter().map(|c| self.read_condition(c, params, globals, salt)).collect();
        match condition {
            Condition::All(of) => Test::All(all(of)),
            Condition::Any(of) => Test::Any(all(of)),
            Condition::None(of) => Test::None(all(of)),
            Condition::Expr(expression) => {
                let mut closing = match self.made_for {
                    For::Exclusions => Closing::of_one_scope(params, globals),
                    For::Decisions | For::Tenants => Closing::new(params, globals),
                };
                let closed = closing.close(expression.program.expr());
                // What is not written out is told apart by the policy that it stands in.
                let salt = format!("{salt}/{}", params.id);
                let exact = closing.exact;
                Test::Expr(self.logic(&closed, exact, &salt, expression, MOST_SPLITS))
            }
        }
    }

    fn read_output(&mut self, output: &Expression, params: &Params, globals: &Map, salt: usize) -> Says {
        let mut closing = Closing::new(params, globals);
        let closed = closing.close(output.program.expr());
        let (exact, salt) = (closing.exact, format!("{salt}/{}", params.id));
        self.read_said(closed, exact, &salt, output, MOST_SPLITS)
    }

    fn read_said(&mut self, expr: Expr, exact: bool, salt: &str, stands: &Expression, splits: u32) -> Says {
        if let Some(says) = constant(&expr).filter(|_| exact) {
            return says;
        }
        match split(&expr, false).filter(|_| exact && splits > 0) {
            Some((condition, both)) => {
                let condition = self.logic(condition, exact, salt, stands, MOST_SPLITS);
                let both = both.map(|expr| self.read_said(expr, exact, salt, stands, splits - 1));
                Says::If(condition, Box::new(both))
            }
            None => Says::Free(self.intern(&expr, exact, salt, stands)),
        }
    }

    fn logic(&mut self, expr: &Expr, exact: bool, salt: &str, stands: &Expression, splits: u32) -> Logic {
        let mut all = |of: &[Expr]| of.iter().map(|e| self.logic(e, exact, salt, stands, splits)).collect();
        match &expr.kind {
            Kind::And(of) => Logic::And(all(of)),
            Kind::Or(of) => Logic::Or(all(of)),
            Kind::Not(of) => Logic::Not(Box::new(self.logic(of, exact, salt, stands, splits))),
            Kind::Conditional(three) => {
                let three = three.each_ref().map(|e| self.logic(e, exact, salt, stands, splits));
                Logic::If(Box::new(three))
            }
            _ => match split(expr, true).filter(|_| exact && splits > 0) {
                Some((condition, [then, otherwise])) => {
                    let three = [condition, &then, &otherwise];
                    let three = three.map(|e| self.logic(e, exact, salt, stands, splits - 1));
                    Logic::If(Box::new(three))
                }
                None => Logic::Atom(self.intern(expr, exact, salt, stands)),
            },
        }
    }

    fn intern(&mut self, expr: &Expr, exact: bool, salt: &str, stands: &Expression) -> AtomId {
        let salt = if exact && !mentions(expr, Root::Variables) { "" } else { salt };
        let key = format!("{salt}{expr:?}");
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let looks = look(expr, exact);
        self.roles.extend(looks.roles.iter().cloned());
        let vars = looks.subjects.iter().map(|subject| self.var(subject)).collect();
        let id = AtomId(u32::try_from(self.atoms.len()).unwrap_or(u32::MAX));
        self.atoms.push(Atom::new(expr.clone(), looks, vars, stands));
        self.by_key.insert(key, id);
        id
    }

    fn var(&mut self, subject: &Subject) -> VarId {
        if let Some(id) = self.by_subject.get(subject) {
            return *id;
        }
        let mut within = Vec::new();
        if let Subject::Argument(keys) = subject {
            for end in 1..keys.len() {
                let outer = self.var(&Subject::Argument(keys.iter().take(end).cloned().collect()));
                within.push(outer);
                if let Some(outer) = self.vars.get_mut(outer.0 as usize) {
                    outer.has_entries = true;
                }
            }
        }
        let id = VarId(u32::try_from(self.vars.len()).unwrap_or(u32::MAX));
        let subject = subject.clone();
        self.vars.push(Variable {
            subject: subject.clone(),
            within,
            has_entries: false,
            cells: Arc::default(),
        });
        self.by_subject.insert(subject, id);
        id
    }

    /// Variables for arguments that name tenants: see [`Property::NothingCrossesTenants`](super::Property).
    pub(super) fn tenant_arguments(&self) -> Vec<VarId> {
        let tenant = VarId(TENANT as u32);
        let mut named: BTreeSet<&str> =
            self.bundles.iter().flat_map(|b| scopes(b.set)).map(|s| &**s).filter(|s| !s.is_empty()).collect();
        for atom in self.atoms.iter().filter(|atom| atom.vars == [tenant]) {
            named.extend(atom.points.iter().filter_map(|point| match point {
                Point::Text(text) if !text.is_empty() => Some(&**text),
                _ => None,
            }));
        }
        let about_tenants = |var: VarId| {
            self.atoms_of(var).any(|atom| {
                atom.vars.contains(&tenant)
                    || atom.of_frame
                    || atom.names_tenant
                    || atom.points.iter().any(|p| matches!(p, Point::Text(text) if named.contains(&**text)))
            })
        };
        let ids = (0..self.vars.len()).map(|at| VarId(at as u32));
        ids.filter(|id| match self.variable(*id).map(|variable| &variable.subject) {
            Some(Subject::Argument(keys)) => keys.iter().any(|key| is_of_tenant(key)) || about_tenants(*id),
            _ => false,
        })
        .collect()
    }

    fn make_cells(&mut self, tools: Option<&'p Tools>) {
        let classes = self.classes();
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
        let special =
            matches!(variable.subject, Subject::Attribute(at) if at == super::vocabulary::ART9_BASIS);
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

/// Steps that it takes to read a part of an expression.
const OF_A_READING: u64 = 10;

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

/// A rule about tools.
pub(super) struct RuleOf<'p> {
    pub(super) rule: &'p Arc<Rule>,
    pub(super) rows: Vec<&'p Row>,
    /// Of a role policy's rule; such a rule has one of these, and no row.
    pub(super) of_role: Option<&'p RoleRow>,
}

impl<'p> RuleOf<'p> {
    /// The version of its policy.
    pub(super) fn version(&self, set: &'p PolicySet) -> Option<&'p str> {
        let policy =
            self.of_role.map(|row| row.policy).or_else(|| self.rows.first().map(|row| row.policy))?;
        set.policy(policy).map(|policy| &*policy.version)
    }

    /// Whether it is about one of the actions that are asked about tools.
    pub(super) fn is_asked(&self) -> bool {
        let named = |action: &str| {
            self.of_role.is_some_and(|row| names_action(row, action))
                || self.rows.iter().any(|row| row.action.matches(action))
        };
        ACTIONS.into_iter().any(named)
    }
}

/// Whether a role policy's rule names an action.
pub(super) fn names_action(row: &RoleRow, action: &str) -> bool {
    row.allow_actions.iter().any(|allow| allow.as_str() == action || allow.matches(action))
}

/// The rules for tools, whatever version and action they are for; those of role policies last.
pub(super) fn rules(set: &PolicySet) -> Vec<RuleOf<'_>> {
    let mut rules: Vec<RuleOf<'_>> = Vec::new();
    let mut known: HashMap<*const Rule, usize> = HashMap::new();
    for row in set.rows() {
        let Some(policy) = set.policy(row.policy) else { continue };
        let about_tools = match &row.whom {
            Whom::Resource(resource) => resource.matches(KIND),
            Whom::Role(_) | Whom::DerivedRole { .. } => &*policy.name == KIND,
        };
        if !about_tools {
            continue;
        }
        let at = *known.entry(Arc::as_ptr(&row.rule)).or_insert(rules.len());
        match rules.get_mut(at) {
            Some(rule) => rule.rows.push(row),
            None => rules.push(RuleOf { rule: &row.rule, rows: vec![row], of_role: None }),
        }
    }
    let of_roles = set.role_rows().filter(|row| row.resource.matches(KIND));
    rules.extend(of_roles.map(|row| RuleOf { rule: &row.rule, rows: Vec::new(), of_role: Some(row) }));
    rules
}
