//! Everything that one or two policy sets look at in a request about a tool: conditions, atoms, variables and their cells.

mod making;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::atoms::{Atom, AtomId, TENANT_IN_NAMES, VarId, is_of_tenant, look, mentions};
use super::cells::{Cell, Point, Subject};
use super::logic::{Logic, Test};
use super::places::Places;
use super::says::{SayId, Says, constant};
use super::vocabulary::{ATTRIBUTES, TENANT};
use super::{Policies, ToolDeclaration};
use crate::agent_tool::{KIND, VERSION, rows};
use crate::cel::{Expr, Kind, Map, Root};
use crate::cerbos::closing::{Closing, split};
use crate::cerbos::{CheckParams, Condition, Expression, Params, PolicySet, Rule, Whom, resource_key};

/// Conditionals of an output, or of what a condition compares, that are looked into, one within the other.
const MOST_SPLITS: u32 = 6;

/// Steps that it takes to read a part of an expression.
const OF_A_READING: u64 = 10;

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
            to_evaluate: making::MOST_EVALUATED,
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

    /// Whether two variables are one, or one is an entry of the other.
    pub(super) fn are_about(&self, one: VarId, other: VarId) -> bool {
        let within = |inner: VarId, outer: VarId| {
            self.variable(inner).is_some_and(|variable| variable.within.contains(&outer))
        };
        one == other || within(one, other) || within(other, one)
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
}
