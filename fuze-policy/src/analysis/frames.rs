//! Who asks, in which tenant: the part of a request that decides which rules speak at all.

mod orders;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use orders::{Class, Listed, MOST_LOOKED_FOR, lists};

use super::Reason;
use super::atoms::{AtomId, VarId};
use super::cell_set::CellSet;
use super::model::{CellId, Model, TestId, scopes};
use super::says::SayId;
use super::silence::{ByTool, Silence};
use super::tool_rules::names_action;
use super::vocabulary::{CLASSIFICATION, PRINCIPAL, TENANT};
use crate::agent_tool::{ACTIONS, KIND, VERSION, rows};
use crate::cerbos::bindings::{Binding, Query, of_principal, of_resource};
use crate::cerbos::{
    Condition, Effect, Glob, Params, Pattern, PolicyKind, PolicySet, RoleRow, Rule, ScopePermissions, Whom,
    parents, role_key, texts_told_apart,
};

/// One who asks.
pub(super) struct Frame<'p> {
    pub(super) id: u32,
    pub(super) roles: Vec<Arc<str>>,
    /// Whether the roles are asked in this order; else there may be others that are, or not.
    pub(super) in_order: bool,
    /// By set: the scope in which it decides.
    pub(super) scopes: Vec<Arc<str>>,
    /// Variables that can have these cells alone.
    pub(super) cells: HashMap<VarId, Arc<[CellId]>>,
    /// By set and action.
    pub(super) plans: Vec<[Plan<'p>; 2]>,
}

/// What speaks to one action.
#[derive(Clone)]
pub(super) struct Plan<'p> {
    /// The policies of the principal.
    pub(super) principal: Levels<'p>,
    /// By role.
    pub(super) roles: Vec<Levels<'p>>,
}

pub(super) type Levels<'p> = Arc<[Level<'p>]>;

/// What speaks to a role, or to a principal, by set and action.
pub(super) type Spoken<'p> = Vec<[Levels<'p>; 2]>;

/// The rules of one scope.
pub(super) struct Level<'p> {
    pub(super) scope: Arc<str>,
    pub(super) consent: bool,
    pub(super) rules: Vec<Speaks<'p>>,
    /// The places of those that may decide or say something about a tool.
    by_tool: ByTool,
}

impl<'p> Level<'p> {
    /// The rules that may decide or say something, about this tool if it is known.
    pub(super) fn speaking(&self, tool: Option<usize>) -> impl Iterator<Item = &Speaks<'p>> {
        let of_tool = tool.map(|tool| self.by_tool.of(tool).filter_map(|at| self.rules.get(at)));
        let all = of_tool.is_none().then_some(&self.rules);
        of_tool.into_iter().flatten().chain(all.into_iter().flatten())
    }
}

/// A rule as it speaks to an action.
pub(super) struct Speaks<'p> {
    pub(super) rule: Option<&'p Rule>,
    pub(super) effect: Option<Effect>,
    pub(super) derived: Option<TestId>,
    pub(super) condition: Option<TestId>,
    /// Whether the condition decides by its opposite.
    pub(super) turned: bool,
    pub(super) outcome: Option<u32>,
    /// What it says if it holds.
    pub(super) activated: Option<SayId>,
    /// What it says if it does not.
    pub(super) not_met: Option<SayId>,
}

/// A rule, none for what a role policy does not name, and the condition of its derived role.
type Identity = (Option<usize>, Option<usize>);

impl<'p> Speaks<'p> {
    /// A rule that says nothing.
    fn names(row: &'p RoleRow) -> Self {
        Self {
            rule: Some(&row.rule),
            effect: None,
            derived: None,
            condition: None,
            turned: false,
            outcome: None,
            activated: None,
            not_met: None,
        }
    }

    /// Calls back for each atom that it looks at.
    pub(super) fn each_atom(&self, model: &Model<'_>, of: &mut dyn FnMut(AtomId)) {
        let tests = [self.derived, self.condition].into_iter().flatten();
        tests.filter_map(|id| model.test(id)).for_each(|test| test.each_atom(of));
        let says = [self.activated, self.not_met].into_iter().flatten();
        says.filter_map(|id| model.says(id)).for_each(|says| says.each_atom(of));
    }

    /// The same for rows that decide in the same way.
    fn identity(&self) -> Identity {
        (self.rule.map(|rule| std::ptr::from_ref(rule) as usize), self.derived.map(|test| test.0))
    }
}

/// Whom policies know by name.
pub(super) struct Known<'p> {
    /// Tenants that are decided in scopes of their own, and the root.
    tenants: BTreeSet<&'p str>,
    /// Principals that have policies.
    principals: BTreeSet<&'p str>,
}

impl<'p> Known<'p> {
    pub(super) fn new(model: &Model<'p>) -> Self {
        let tenants = model.bundles.iter().flat_map(|bundle| scopes(bundle.set)).map(|scope| &**scope);
        let policies =
            model.bundles.iter().flat_map(|b| rows(b.set).filter_map(|row| b.set.policy(row.policy)));
        let principals = policies.filter(|policy| policy.kind == PolicyKind::Principal);
        // The root, whether or not there are policies in it.
        Self { tenants: tenants.chain([""]).collect(), principals: principals.map(|p| &*p.name).collect() }
    }

    /// Somebody with this one role, to be asked of single conditions: no rule speaks to such a frame. `None` where there is no such scope.
    pub(super) fn alone(
        &self,
        model: &Model<'p>,
        id: u32,
        (scope, principal, role): (&Arc<str>, Option<&'p str>, &Arc<str>),
    ) -> Option<Frame<'p>> {
        let tenant = self.tenants.get(&**scope)?;
        let (scopes, cells) = (vec![Arc::clone(scope)], self.cells(model, tenant, principal, None));
        Some(Frame { id, roles: vec![Arc::clone(role)], in_order: true, scopes, cells, plans: Vec::new() })
    }

    /// The cells that those variables can have which are about who asks.
    fn cells(
        &self,
        model: &Model<'p>,
        tenant: &str,
        principal: Option<&str>,
        classification: Option<&str>,
    ) -> HashMap<VarId, Arc<[CellId]>> {
        let mut cells = HashMap::new();
        let mut keep = |var: usize, keep: &dyn Fn(&str) -> bool| {
            let var = VarId(var as u32);
            let all = model.variable(var).map(|v| Arc::clone(&v.cells)).unwrap_or_default();
            let of = |id: &CellId| model.cell(*id).json.as_ref().and_then(|json| json.as_str());
            cells.insert(var, all.iter().copied().filter(|id| of(id).is_some_and(keep)).collect());
        };
        keep(TENANT, &|text| if tenant.is_empty() { !self.tenants.contains(text) } else { text == tenant });
        keep(PRINCIPAL, &|text| principal.map_or(!self.principals.contains(text), |name| name == text));
        if let Some(classification) = classification {
            keep(CLASSIFICATION, &|text| text == classification);
        }
        cells
    }
}

/// All who may ask, and whether that is certain.
pub(super) struct Frames<'p> {
    pub(super) all: Vec<Frame<'p>>,
    /// Patterns of roles that are too many, or too much of which is the same, to know which roles they tell apart.
    pub(super) doubtful: Vec<String>,
    /// What is too many, if anything is; then there are none here.
    pub(super) too_many: Option<Reason>,
}

/// Which requests are looked at.
pub(super) struct Wanted<'a, 'p> {
    /// Roles of which each may decide one of the questions that are compared.
    pub(super) deciding_roles: usize,
    /// Tools of this classification alone.
    pub(super) classification: Option<&'a str>,
    /// Of rules that speak to a role or a principal in these scopes, whether they matter. Where none of those does that speak to somebody,
    /// there is no such frame.
    pub(super) matters: &'a dyn Fn(&[Arc<str>], &Spoken<'p>) -> bool,
}

impl<'a, 'p> Wanted<'a, 'p> {
    /// All of them.
    pub(super) fn all(deciding_roles: usize) -> Self {
        Self { deciding_roles, classification: None, matters: &|_, _| true }
    }

    /// Those for tools of a classification.
    pub(super) fn of(deciding_roles: usize, classification: &'a str) -> Self {
        Self { classification: Some(classification), ..Self::all(deciding_roles) }
    }
}

/// Somebody whose name no policy has.
const OTHER_ROLE: &str = "another-role";

/// Where it is asked by whom.
struct Here<'p> {
    tenant: &'p str,
    scopes: Vec<Arc<str>>,
    principal: Option<&'p str>,
    lists: Arc<[Listed]>,
}

impl<'p> Frames<'p> {
    pub(super) fn new(model: &Model<'p>, wanted: &Wanted<'_, 'p>) -> Self {
        let known = Known::new(model);
        let Known { tenants, principals } = &known;
        let mut roles = roles(model);
        let looked_for: Vec<&Arc<str>> =
            model.roles.iter().filter(|role| roles.all.contains(*role)).collect();
        if looked_for.len() > MOST_LOOKED_FOR {
            roles.doubtful.extend(looked_for.iter().map(|role| role.as_ref().to_owned()));
        }
        let mut builder = Builder::new(model);
        let (mut here, mut count, mut told_apart) = (Vec::new(), 0, 0);
        for tenant in tenants {
            let scopes = scopes_of(model, tenant);
            let mut classes = builder.classes(&roles, &scopes, wanted.matters);
            told_apart = told_apart.max(classes.len());
            // Lists with a role that matters; and all of them, for principals whose own policies do.
            let mut made: [Option<Option<Arc<[Listed]>>>; 2] = [None, None];
            for principal in principals.iter().copied().map(Some).chain([None]) {
                let own = principal.is_some_and(|principal| {
                    let spoken = builder.spoken(&scopes, |builder, bundle, _, action| {
                        builder.of_principal(bundle, action, principal)
                    });
                    (wanted.matters)(&scopes, &spoken)
                });
                let [some, all] = &mut made;
                let lists = if own { all } else { some }.get_or_insert_with(|| {
                    if own {
                        classes.iter_mut().for_each(|class| class.matters = true);
                    }
                    lists(&classes, wanted.deciding_roles, MOST_FRAMES).map(Into::into)
                });
                count += lists.as_ref().map_or(MOST_FRAMES + 1, |lists| lists.len());
                let Some(lists) = lists.clone().filter(|_| count <= MOST_FRAMES) else {
                    let (tenants, principals) = (tenants.len(), principals.len());
                    let too_many =
                        Reason::TooManyRoles { roles: told_apart, tenants, principals, limit: MOST_FRAMES };
                    return Self { all: Vec::new(), doubtful: roles.doubtful, too_many: Some(too_many) };
                };
                here.push(Here { tenant, scopes: scopes.clone(), principal, lists });
            }
        }
        let mut all = Vec::new();
        for Here { tenant, scopes, principal, lists } in here {
            let cells = known.cells(model, tenant, principal, wanted.classification);
            for Listed { roles, in_order } in lists.iter() {
                let id = u32::try_from(all.len()).unwrap_or(u32::MAX);
                let plan = |(bundle, scope): (usize, &Arc<str>)| {
                    ACTIONS.map(|action| builder.plan(bundle, scope, action, principal, roles))
                };
                let plans = scopes.iter().enumerate().map(plan).collect();
                let (roles, in_order) = (roles.clone(), *in_order);
                all.push(Frame { id, roles, in_order, scopes: scopes.clone(), cells: cells.clone(), plans });
            }
        }
        Self { all, doubtful: roles.doubtful, too_many: None }
    }

    /// The steps that it takes to make them, about.
    pub(super) fn size(&self) -> u64 {
        let levels = |levels: &Levels<'_>| levels.iter().map(|level| 1 + level.rules.len()).sum::<usize>();
        let plan = |plan: &Plan<'_>| levels(&plan.principal) + plan.roles.iter().map(levels).sum::<usize>();
        self.all.iter().flat_map(|frame| frame.plans.iter().flatten()).map(|of| plan(of) as u64).sum()
    }
}

/// By set, the scope in which a tenant's runs are decided.
fn scopes_of(model: &Model<'_>, tenant: &str) -> Vec<Arc<str>> {
    let of = |set| scopes(set).find(|scope| ***scope == *tenant).cloned().unwrap_or_default();
    model.bundles.iter().map(|bundle| of(bundle.set)).collect()
}

/// A policy set, a scope of it, an action and a role.
type Asked = (usize, Arc<str>, &'static str, Arc<str>);

struct Builder<'m, 'p> {
    model: &'m Model<'p>,
    levels: HashMap<Asked, Levels<'p>>,
    of_principals: HashMap<(usize, &'static str, &'p str), Levels<'p>>,
    /// By set: outcomes that rules share which differ in what they ask or say.
    shared: Vec<BTreeSet<u32>>,
    silence: Silence<'m, 'p>,
}

impl<'m, 'p> Builder<'m, 'p> {
    fn new(model: &'m Model<'p>) -> Self {
        let (levels, of_principals) = (HashMap::new(), HashMap::new());
        Self { model, levels, of_principals, shared: shared(model), silence: Silence::new(model) }
    }

    /// The roles of one tenant, those together to which the same rules speak there. One that conditions look for is one of its own, since
    /// they tell it apart.
    fn classes(
        &mut self,
        roles: &Roles,
        scopes: &[Arc<str>],
        matters: &dyn Fn(&[Arc<str>], &Spoken<'p>) -> bool,
    ) -> Vec<Class> {
        type Told<'r> = (Option<&'r Arc<str>>, Vec<Option<Identity>>);
        let mut known: HashMap<Told<'_>, usize> = HashMap::new();
        let mut classes: Vec<Class> = Vec::new();
        for role in &roles.all {
            let spoken = self.spoken(scopes, |builder, bundle, scope, action| {
                builder.of_role(bundle, scope, action, role)
            });
            let levels = || spoken.iter().flatten().flat_map(|levels| levels.iter());
            let identities = levels()
                .flat_map(|level| {
                    std::iter::once(None).chain(level.rules.iter().map(|speaks| Some(speaks.identity())))
                })
                .collect();
            let looked_for = self.model.roles.contains(role);
            let unnamed = roles.unnamed.get(role);
            let at = *known.entry((looked_for.then_some(role), identities)).or_insert_with(|| {
                classes.push(Class {
                    names: Vec::new(),
                    preferred: Arc::clone(role),
                    others: None,
                    is_silent: levels().all(|level| level.rules.is_empty()),
                    is_looked_for: looked_for,
                    matters: matters(scopes, &spoken),
                });
                classes.len() - 1
            });
            let Some(class) = classes.get_mut(at) else { continue };
            class.names.push(Arc::clone(role));
            if let Some(Unnamed { prefix, samples }) = unnamed {
                class.names.extend(samples.iter().cloned());
                // Where there are two, what both begin with.
                let common = class.others.as_ref().map_or(prefix.len(), |other| {
                    other
                        .char_indices()
                        .zip(prefix.chars())
                        .find(|((_, a), b)| a != b)
                        .map_or_else(|| other.len().min(prefix.len()), |((at, _), _)| at)
                });
                class.others = prefix.get(..common).map(Into::into);
            }
        }
        for class in &mut classes {
            class.names.sort();
            class.names.dedup();
        }
        classes
    }

    fn spoken(
        &mut self,
        scopes: &[Arc<str>],
        mut of: impl FnMut(&mut Self, usize, &Arc<str>, &'static str) -> Levels<'p>,
    ) -> Spoken<'p> {
        let of_set =
            |(bundle, scope): (usize, &Arc<str>)| ACTIONS.map(|action| of(self, bundle, scope, action));
        scopes.iter().enumerate().map(of_set).collect()
    }

    fn plan(
        &mut self,
        bundle: usize,
        scope: &Arc<str>,
        action: &'static str,
        principal: Option<&'p str>,
        roles: &[Arc<str>],
    ) -> Plan<'p> {
        let principal =
            principal.map_or_else(Arc::default, |principal| self.of_principal(bundle, action, principal));
        let roles = roles.iter().map(|role| self.of_role(bundle, scope, action, role)).collect();
        Plan { principal, roles }
    }

    fn of_principal(&mut self, bundle: usize, action: &'static str, principal: &'p str) -> Levels<'p> {
        let key = (bundle, action, principal);
        if let Some(known) = self.of_principals.get(&key) {
            return Arc::clone(known);
        }
        let levels = self.of(bundle, "", action, &[], |set, query| of_principal(set, query, principal));
        self.of_principals.insert(key, Arc::clone(&levels));
        levels
    }

    fn of_role(
        &mut self,
        bundle: usize,
        scope: &Arc<str>,
        action: &'static str,
        role: &Arc<str>,
    ) -> Levels<'p> {
        let key = (bundle, Arc::clone(scope), action, Arc::clone(role));
        if let Some(known) = self.levels.get(&key) {
            return Arc::clone(known);
        }
        let set = self.model.bundles.get(bundle).map(|bundle| bundle.set);
        let roles = set.map(|set| set.with_parent_roles(scope, std::slice::from_ref(role)));
        let roles = roles.unwrap_or_default();
        let levels = self.of(bundle, scope, action, &roles, |set, query| of_resource(set, query, &roles));
        self.levels.insert(key, Arc::clone(&levels));
        levels
    }

    fn of(
        &self,
        bundle: usize,
        scope: &str,
        action: &str,
        roles: &[Arc<str>],
        bindings: impl Fn(&'p PolicySet, &Query<'_>) -> Vec<Binding<'p>>,
    ) -> Levels<'p> {
        let Some(set) = self.model.bundles.get(bundle).map(|bundle| bundle.set) else {
            return Arc::default();
        };
        let level = |scope: &str| {
            let query = Query { version: VERSION, resource: KIND, scope, action };
            let mut silent = silent(set, &query, roles).into_iter().peekable();
            let mut rules = Vec::new();
            for binding in bindings(set, &query) {
                let at = place(&binding, &query, roles);
                while let Some((_, row)) = silent.next_if(|(of, _)| *of <= at) {
                    rules.push(Speaks::names(row));
                }
                rules.push(self.speaks(bundle, &binding));
            }
            rules.extend(silent.map(|(_, row)| Speaks::names(row)));
            let consent = set.scope_permissions.get(scope).copied().unwrap_or_default()
                == ScopePermissions::RequireParentalConsentForAllows;
            let mut by_tool = ByTool::default();
            for (at, speaks) in rules.iter().enumerate() {
                by_tool.push(at, &self.silence.but(&self.silent(bundle, speaks)), self.silence.tools());
            }
            Level { scope: scope.into(), consent, rules, by_tool }
        };
        std::iter::once(scope).chain(parents(scope)).map(level).collect()
    }

    /// The tools about which a rule decides nothing and says nothing, also to the rules that share its outcome.
    fn silent(&self, bundle: usize, speaks: &Speaks<'p>) -> CellSet {
        let shares = |outcome: u32| self.shared.get(bundle).is_none_or(|shared| shared.contains(&outcome));
        if speaks.turned || speaks.not_met.is_some() || speaks.outcome.is_some_and(shares) {
            return CellSet::default();
        }
        self.silence.silent(speaks.derived, speaks.condition)
    }

    fn speaks(&self, bundle: usize, binding: &Binding<'p>) -> Speaks<'p> {
        let test = |condition: &Condition, params: &Params| self.model.test_of(bundle, condition, params);
        let rule = binding.rule();
        let (condition, turned) = binding.condition().map_or((None, false), |(condition, turned)| {
            (rule.and_then(|rule| test(condition, &rule.params)), turned)
        });
        let says = |held: bool| {
            let output = binding.output(held)?;
            self.model.says_of(bundle, output, &rule?.params)
        };
        let derived = binding.derived_role();
        Speaks {
            rule,
            effect: binding.effect(),
            derived: derived.and_then(|role| test(role.condition.as_ref()?, &role.params)),
            condition,
            turned,
            outcome: binding.outcome(),
            activated: says(true),
            not_met: says(false),
        }
    }
}

/// By set: outcomes that rules share which differ in what they ask or say.
fn shared(model: &Model<'_>) -> Vec<BTreeSet<u32>> {
    /// Whether a rule decides by its condition's opposite, its condition, what it says if that does not hold, its derived role's condition.
    type Alike = (bool, Option<TestId>, Option<SayId>, Option<TestId>);
    let of_bundle = |at: usize, set: &PolicySet| {
        let mut seen: HashMap<u32, Alike> = HashMap::new();
        let mut shared = BTreeSet::new();
        let mut note = |outcome: u32, rule: &Rule, derived: Option<TestId>| {
            let test = rule.condition.as_ref().and_then(|test| model.test_of(at, test, &rule.params));
            let said = rule.output.condition_not_met.as_ref();
            let said = said.and_then(|said| model.says_of(at, said, &rule.params));
            let alike = (rule.inverted, test, said, derived);
            if *seen.entry(outcome).or_insert(alike) != alike {
                shared.insert(outcome);
            }
        };
        for row in rows(set) {
            let derived = match &row.whom {
                Whom::DerivedRole { role, .. } => {
                    role.condition.as_ref().and_then(|test| model.test_of(at, test, &role.params))
                }
                Whom::Role(_) | Whom::Resource(_) => None,
            };
            note(row.outcome, &row.rule, derived);
        }
        // These decide by the opposite of their conditions.
        shared.extend(set.role_rows().map(|row| row.outcome));
        shared
    };
    model.bundles.iter().enumerate().map(|(at, bundle)| of_bundle(at, bundle.set)).collect()
}

/// Rules of role policies that name an action and nothing else, each with the place of its role. They decide nothing, so that an evaluation
/// passes over them; whether they are reached is a question all the same.
fn silent<'p>(set: &'p PolicySet, query: &Query<'_>, roles: &[Arc<str>]) -> Vec<(usize, &'p RoleRow)> {
    let index = set.resources.get(query.scope).and_then(|versions| versions.get(query.version));
    let rows = || index.into_iter().flat_map(|index| &index.roles);
    let is_silent = |row: &&RoleRow| {
        let rule = &row.rule;
        let says = rule.output.rule_activated.is_some() || rule.output.condition_not_met.is_some();
        rule.condition.is_none()
            && !says
            && row.resource.matches(query.resource)
            && names_action(row, query.action)
    };
    let of = |(at, role): (usize, &Arc<str>)| {
        rows().filter(is_silent).filter(|row| row.role == *role).map(|row| (at, row)).collect::<Vec<_>>()
    };
    roles.iter().enumerate().flat_map(of).collect()
}

/// The place of the role for which a role policy speaks; rules of other policies come after all of these.
fn place(binding: &Binding<'_>, query: &Query<'_>, roles: &[Arc<str>]) -> usize {
    let at = |is: &dyn Fn(&Arc<str>) -> bool| roles.iter().position(is).unwrap_or(usize::MAX);
    match binding {
        Binding::Row(_) => usize::MAX,
        Binding::RoleSays(row) | Binding::RoleUnless(row) => at(&|role| *role == row.role),
        Binding::RoleIsSilent { policy } => {
            at(&|role| role_key(role, query.version, query.scope) == **policy)
        }
    }
}

/// Roles that stand for all roles.
pub(super) struct Roles {
    pub(super) all: BTreeSet<Arc<str>>,
    /// Those that policies name.
    pub(super) named: BTreeSet<Arc<str>>,
    /// Those that stand for others, by how these are called.
    unnamed: HashMap<Arc<str>, Unnamed>,
    /// Patterns of which that is not certain.
    pub(super) doubtful: Vec<String>,
}

/// Roles that no policy names, and that the same patterns mean.
struct Unnamed {
    /// What each of their names begins with.
    prefix: String,
    /// Some names.
    samples: Vec<Arc<str>>,
}

pub(super) fn roles(model: &Model<'_>) -> Roles {
    let mut exact: BTreeSet<Arc<str>> = model.roles.clone();
    let mut globs: BTreeMap<&str, &Glob> = BTreeMap::new();
    for bundle in &model.bundles {
        for row in rows(bundle.set) {
            match &row.whom {
                Whom::Role(Pattern::Exact(role)) | Whom::DerivedRole { parent: Pattern::Exact(role), .. } => {
                    exact.insert(Arc::clone(role));
                }
                Whom::Role(Pattern::Glob(glob)) | Whom::DerivedRole { parent: Pattern::Glob(glob), .. } => {
                    if !matches!(glob.as_str(), "*" | "**") {
                        globs.insert(glob.as_str(), glob);
                    }
                }
                Whom::Resource(_) => {}
            }
        }
        exact.extend(bundle.set.role_rows().map(|row| Arc::clone(&row.role)));
        exact.extend(bundle.set.parent_roles.values().flat_map(HashMap::keys).cloned());
        exact.extend(bundle.set.parent_roles.values().flat_map(HashMap::values).flatten().cloned());
    }
    if let Some(declared) = model.declared_roles {
        // Nobody has another; whatever patterns there are, these are all.
        let all = declared.iter().map(|role| role.as_str().into()).collect();
        return Roles { all, named: exact, unnamed: HashMap::new(), doubtful: Vec::new() };
    }
    let patterns: Vec<&Glob> = globs.values().copied().collect();
    let mut doubtful = Vec::new();
    // Each way in which a role that nobody names can be meant by patterns.
    let texts = texts_told_apart(&patterns, &exact, MOST_STEPS).unwrap_or_else(|| {
        doubtful.extend(globs.keys().map(|glob| (*glob).to_owned()));
        Vec::new()
    });
    let meant = |text: &str| patterns.iter().map(|glob| glob.matches(text)).collect::<Vec<_>>();
    let mut by_meaning: HashMap<Vec<bool>, Vec<String>> = HashMap::new();
    for text in names_beside(&exact, &globs).into_iter().filter(|text| !exact.contains(text.as_str())) {
        by_meaning.entry(meant(&text)).or_default().push(text);
    }
    let mut all = exact.clone();
    let mut unnamed = HashMap::new();
    for text in texts {
        let means = meant(&text);
        let prefixes = patterns.iter().zip(&means).filter(|(_, means)| **means);
        let prefix =
            prefixes.map(|(glob, _)| literal_prefix(glob.as_str())).max_by_key(|prefix| prefix.len());
        let samples: Vec<Arc<str>> =
            by_meaning.remove(&means).into_iter().flatten().map(Into::into).collect();
        // The first reads best.
        let role = samples.first().cloned().unwrap_or_else(|| text.into());
        all.insert(Arc::clone(&role));
        unnamed.insert(role, Unnamed { prefix: prefix.unwrap_or_default().to_owned(), samples });
    }
    Roles { all, named: exact, unnamed, doubtful }
}

/// What all that a pattern means begins with.
fn literal_prefix(glob: &str) -> &str {
    glob.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default()
}

/// Names that no policy has, before and behind those that it has, and such as patterns may mean; those first that read best.
fn names_beside(exact: &BTreeSet<Arc<str>>, globs: &BTreeMap<&str, &Glob>) -> Vec<String> {
    let behind =
        || exact.iter().take(MOST_BESIDE).flat_map(|role| ["-2", "!"].map(|more| format!("{role}{more}")));
    let filled = globs.keys().take(MOST_BESIDE).flat_map(|glob| {
        let parts = ["x", "xx", "a", "z", "0", "!", "~"].map(str::to_owned).into_iter();
        parts.map(|part| glob.replace("**", "*").replace('*', &part).replace('?', "x"))
    });
    let others = [OTHER_ROLE, "a-role", "A-role", "0", "!"].map(str::to_owned).into_iter();
    others.chain(filled).chain(behind()).collect()
}

/// Names of policies beside which others are made up.
const MOST_BESIDE: usize = 500;
/// Steps of looking for roles that patterns tell apart.
const MOST_STEPS: usize = 5_000_000;
/// Combinations of tenants, principals and roles that are looked at.
const MOST_FRAMES: usize = 30_000;
