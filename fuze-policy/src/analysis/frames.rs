//! Who asks, in which tenant: the part of a request that decides which rules speak at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Reason;
use super::atoms::VarId;
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
    /// Whose principal policies speak; `None` for somebody who has none.
    pub(super) principal: Option<&'p str>,
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

type Levels<'p> = Arc<[Level<'p>]>;

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

    /// The same for rows that decide in the same way.
    fn identity(&self) -> Identity {
        (self.rule.map(|rule| std::ptr::from_ref(rule) as usize), self.derived.map(|test| test.0))
    }
}

/// All who may ask, and whether that is certain.
pub(super) struct Frames<'p> {
    pub(super) all: Vec<Frame<'p>>,
    /// Roles that policies name.
    pub(super) named_roles: BTreeSet<Arc<str>>,
    /// Patterns of roles that are too many, or too much of which is the same, to know which roles they tell apart.
    pub(super) doubtful: Vec<String>,
    /// What is too many, if anything is; then there are none here.
    pub(super) too_many: Option<Reason>,
}

/// Which requests are looked at.
pub(super) struct Wanted<'a> {
    /// Roles of which each may decide one of the questions that are compared.
    pub(super) deciding_roles: usize,
    /// Tools of this classification alone.
    pub(super) classification: Option<&'a str>,
}

/// Somebody whose name no policy has.
const OTHER_ROLE: &str = "another-role";

impl<'p> Frames<'p> {
    pub(super) fn new(model: &Model<'p>, wanted: &Wanted<'_>) -> Self {
        let tenants: BTreeSet<&Arc<str>> = model.bundles.iter().flat_map(|b| scopes(b.set)).collect();
        // The root, whether or not there are policies in it.
        let tenants: BTreeSet<&str> = tenants.into_iter().map(|t| &**t).chain([""]).collect();
        let principals: BTreeSet<&'p str> = model
            .bundles
            .iter()
            .flat_map(|bundle| rows(bundle.set).filter_map(|row| bundle.set.policy(row.policy)))
            .filter(|policy| policy.kind == PolicyKind::Principal)
            .map(|policy| &*policy.name)
            .collect();
        let silence = Silence::new(model);
        let mut builder = Builder { model, levels: HashMap::new(), shared: shared(model), silence };
        let decided_in: Vec<Vec<Arc<str>>> = tenants.iter().map(|tenant| scopes_of(model, tenant)).collect();
        let Roles { all: roles, named: named_roles, mut doubtful } = roles(model);
        let roles = builder.told_apart(roles, &decided_in);
        let looked_for: Vec<&Arc<str>> = model.roles.iter().filter(|role| roles.contains(*role)).collect();
        if looked_for.len() > MOST_LOOKED_FOR {
            doubtful.extend(looked_for.iter().map(|role| role.as_ref().to_owned()));
        }
        let mut all = Vec::new();
        let most = MOST_FRAMES / tenants.len().saturating_mul(principals.len() + 1);
        let Some(lists) = lists(&roles, &looked_for, wanted.deciding_roles, most) else {
            let (roles, tenants, principals) = (roles.len(), tenants.len(), principals.len());
            let too_many = Reason::TooManyRoles { roles, tenants, principals, limit: MOST_FRAMES };
            return Self { all, named_roles, doubtful, too_many: Some(too_many) };
        };
        for (tenant, scopes) in tenants.iter().zip(decided_in) {
            for principal in principals.iter().copied().map(Some).chain([None]) {
                let mut cells = HashMap::new();
                let mut keep = |var: usize, keep: &dyn Fn(&str) -> bool| {
                    let var = VarId(var as u32);
                    let all = model.variable(var).map(|v| Arc::clone(&v.cells)).unwrap_or_default();
                    let of = |id: &CellId| model.cell(*id).json.as_ref().and_then(|json| json.as_str());
                    cells.insert(var, all.iter().copied().filter(|id| of(id).is_some_and(keep)).collect());
                };
                keep(TENANT, &|text| {
                    if tenant.is_empty() { !tenants.contains(text) } else { text == *tenant }
                });
                keep(PRINCIPAL, &|text| principal.map_or(!principals.contains(text), |name| name == text));
                if let Some(classification) = wanted.classification {
                    keep(CLASSIFICATION, &|text| text == classification);
                }
                for roles in &lists {
                    let id = u32::try_from(all.len()).unwrap_or(u32::MAX);
                    let plans = scopes
                        .iter()
                        .enumerate()
                        .map(|(bundle, scope)| {
                            ACTIONS.map(|action| builder.plan(bundle, scope, action, principal, roles))
                        })
                        .collect();
                    let (roles, scopes, cells) = (roles.clone(), scopes.clone(), cells.clone());
                    all.push(Frame { id, roles, principal, scopes, cells, plans });
                }
            }
        }
        Self { all, named_roles, doubtful, too_many: None }
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
    /// By set: outcomes that rules share which differ in what they ask or say.
    shared: Vec<BTreeSet<u32>>,
    silence: Silence<'m, 'p>,
}

impl<'p> Builder<'_, 'p> {
    /// Of roles to which the same rules speak everywhere, the first; and all that conditions look for.
    fn told_apart(&mut self, roles: BTreeSet<Arc<str>>, decided_in: &[Vec<Arc<str>>]) -> BTreeSet<Arc<str>> {
        let mut seen: BTreeSet<Vec<Option<Identity>>> = BTreeSet::new();
        roles
            .into_iter()
            .filter(|role| {
                let mut spoken = Vec::new();
                for (bundle, scope) in decided_in.iter().flat_map(|scopes| scopes.iter().enumerate()) {
                    for action in ACTIONS {
                        let plan = self.plan(bundle, scope, action, None, std::slice::from_ref(role));
                        for level in plan.roles.iter().flat_map(|levels| levels.iter()) {
                            spoken.push(None);
                            spoken.extend(level.rules.iter().map(|speaks| Some(speaks.identity())));
                        }
                    }
                }
                self.model.roles.contains(role) | seen.insert(spoken)
            })
            .collect()
    }

    fn plan(
        &mut self,
        bundle: usize,
        scope: &Arc<str>,
        action: &'static str,
        principal: Option<&str>,
        roles: &[Arc<str>],
    ) -> Plan<'p> {
        let principal = principal.map_or_else(Arc::default, |principal| {
            self.of(bundle, "", action, &[], |set, query| of_principal(set, query, principal))
        });
        let roles = roles
            .iter()
            .map(|role| {
                let key = (bundle, Arc::clone(scope), action, Arc::clone(role));
                if let Some(known) = self.levels.get(&key) {
                    return Arc::clone(known);
                }
                let set = self.model.bundles.get(bundle).map(|bundle| bundle.set);
                let roles = set.map(|set| set.with_parent_roles(scope, std::slice::from_ref(role)));
                let roles = roles.unwrap_or_default();
                let levels =
                    self.of(bundle, scope, action, &roles, |set, query| of_resource(set, query, &roles));
                self.levels.insert(key, Arc::clone(&levels));
                levels
            })
            .collect();
        Plan { principal, roles }
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
struct Roles {
    all: BTreeSet<Arc<str>>,
    /// Those that policies name.
    named: BTreeSet<Arc<str>>,
    /// Patterns of which that is not certain.
    doubtful: Vec<String>,
}

fn roles(model: &Model<'_>) -> Roles {
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
        return Roles { all, named: exact, doubtful: Vec::new() };
    }
    let patterns: Vec<&Glob> = globs.values().copied().collect();
    let mut doubtful = Vec::new();
    // Each way in which a role that nobody names can be meant by patterns.
    let texts = texts_told_apart(&patterns, &exact, MOST_STEPS).unwrap_or_else(|| {
        doubtful.extend(globs.keys().map(|glob| (*glob).to_owned()));
        Vec::new()
    });
    let meant = |text: &str| patterns.iter().map(|glob| glob.matches(text)).collect::<Vec<_>>();
    let readable: Vec<String> = std::iter::once(OTHER_ROLE.to_owned())
        .chain(
            globs.keys().flat_map(|glob| ["x", "xx"].map(|star| glob.replace("**", "*").replace('*', star))),
        )
        .filter(|text| !exact.contains(text.as_str()))
        .collect();
    let reads_well =
        |text: String| readable.iter().find(|other| meant(other) == meant(&text)).cloned().unwrap_or(text);
    let texts = texts.into_iter().map(|text| reads_well(text).into());
    Roles { all: exact.iter().cloned().chain(texts).collect(), named: exact.clone(), doubtful }
}

/// Lists of roles, such that whatever list of roles decides something, one of these decides it, too: of those that decide the questions
/// the first `deciding`, in each order, and behind them some of those that conditions look for. `None` if there are more than `most`, which
/// is known before they are made.
fn lists(
    roles: &BTreeSet<Arc<str>>,
    looked_for: &[&Arc<str>],
    deciding: usize,
    most: usize,
) -> Option<Vec<Vec<Arc<str>>>> {
    let longest = deciding.min(roles.len());
    let orders = |length: usize| (0..length).fold(1, |all: usize, at| all.saturating_mul(roles.len() - at));
    if (1..=longest).map(orders).fold(0, usize::saturating_add) > most {
        return None;
    }
    let mut orders: Vec<Vec<Arc<str>>> = vec![Vec::new()];
    let mut lists: Vec<Vec<Arc<str>>> = Vec::new();
    for _ in 0..deciding {
        let mut longer = Vec::new();
        for order in &orders {
            for role in roles.iter().filter(|role| !order.contains(role)) {
                longer.push(order.iter().chain([role]).cloned().collect::<Vec<_>>());
            }
        }
        lists.extend(longer.iter().cloned());
        orders = longer;
    }
    let mut seen: BTreeSet<Vec<Arc<str>>> = BTreeSet::new();
    let mut all = Vec::new();
    for list in lists {
        let rest: Vec<&Arc<str>> = looked_for.iter().copied().filter(|role| !list.contains(role)).collect();
        let subsets = 1usize << rest.len().min(MOST_LOOKED_FOR);
        for subset in 0..subsets {
            let some = rest.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1);
            let roles: Vec<Arc<str>> =
                list.iter().cloned().chain(some.map(|(_, role)| Arc::clone(role))).collect();
            if seen.insert(roles.clone()) {
                if all.len() == most {
                    return None;
                }
                all.push(roles);
            }
        }
    }
    Some(all)
}

/// Steps of looking for roles that patterns tell apart.
const MOST_STEPS: usize = 5_000_000;
/// Combinations of tenants, principals and roles that are looked at.
const MOST_FRAMES: usize = 30_000;
/// Roles of which each set is tried.
const MOST_LOOKED_FOR: usize = 12;
