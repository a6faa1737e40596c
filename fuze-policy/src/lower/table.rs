//! Rules about tools, by scope and action, in the order in which Cerbos evaluates them.

mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::Request;
use crate::cerbos::{Effect, Pattern};
use crate::decision::{Obligation, RuleId};

use super::expr::{Arena, At};
use super::run;
use super::stored::{Reader, Stored, stored};
use super::value::Stop;
use super::work::Work;

/// So many conditions keep their outcome within a decision; further ones are evaluated each time.
const KEPT: usize = 256;

/// What one action comes to.
#[derive(Debug)]
pub(crate) struct Answer<'t> {
    pub(crate) effect: Effect,
    /// The rule that decided, or the policy where none did.
    pub(crate) rule: &'t RuleId,
    /// What the rules on the way said an approval has to be.
    pub(crate) obligations: Obligations<'t>,
}

/// Obligations that were met with on the way. Few, and kept without a list.
#[derive(Debug, Default)]
pub(crate) struct Obligations<'t> {
    first: Option<&'t Obligation>,
    more: Vec<&'t Obligation>,
}

impl<'t> Obligations<'t> {
    fn add(&mut self, obligation: &'t Obligation) {
        if self.first.is_none() {
            self.first = Some(obligation);
        } else {
            // Allocates, where several rules ask for approval: such a call waits for people anyway.
            self.more.push(obligation);
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'t Obligation> + '_ {
        self.first.into_iter().chain(self.more.iter().copied())
    }
}

/// The flat form of a policy set.
#[derive(Debug, Default)]
pub(crate) struct Table {
    arena: Arena,
    conditions: Vec<Test>,
    /// Numbers of the tools that rules are for alone.
    tools: HashMap<Arc<str>, u32>,
    /// The root's levels, unless it is left to the interpreter.
    root: Option<Vec<Arc<Level>>>,
    /// By scope: its levels, the scope itself first; nothing where it is left to the interpreter.
    chains: HashMap<Arc<str>, Option<Vec<Arc<Level>>>>,
    /// Roles that role policies are about: whoever has one is decided by the interpreter.
    role_policies: HashSet<Arc<str>>,
    /// Principals with policies of their own.
    principals: HashSet<Arc<str>>,
}

#[derive(Debug)]
struct Level {
    policy: RuleId,
    consent: bool,
    /// By action.
    rules: [Rules; 2],
}

/// Rules of one level for one action. Those that hold for one tool alone are tried for that tool alone.
#[derive(Debug, Default)]
struct Rules {
    rows: Vec<Row>,
    /// By the tool's number, in their order.
    by_tool: Vec<(u32, Vec<u32>)>,
    for_others: Vec<u32>,
}

#[derive(Debug)]
struct Row {
    /// The rule.
    source: RuleId,
    role: RoleTest,
    derived: Option<TestId>,
    condition: Option<TestId>,
    allows: bool,
    /// The condition decides by its opposite.
    inverted: bool,
    when_met: Said,
    when_not_met: Said,
}

#[derive(Debug)]
enum RoleTest {
    Any,
    /// The plain case of a pattern, which most roles are: a decision tests every role of every rule.
    Literal(Arc<str>),
    Pattern(Pattern),
}

/// What a rule's output says.
#[derive(Clone, Debug)]
enum Said {
    Nothing,
    /// The output looks at nothing, so it was evaluated when the policy was loaded.
    Obligation(Arc<Obligation>),
    /// The interpreter has to be asked.
    Leave,
}

#[derive(Clone, Copy, Debug)]
struct TestId(u32);

#[derive(Debug)]
enum Test {
    /// With the number of its nodes.
    Expr(At, usize),
    All(Vec<Test>),
    Any(Vec<Test>),
    None(Vec<Test>),
}

stored!(struct Level { policy, consent, rules });

stored!(struct Rules { rows, by_tool, for_others });

stored!(struct Row { source, role, derived, condition, allows, inverted, when_met, when_not_met });

stored!(enum RoleTest { 0: Any {}, 1: Literal { 0: role }, 2: Pattern { 0: pattern } });

stored!(enum Said { 0: Nothing {}, 1: Obligation { 0: obligation }, 2: Leave {} });

stored!(enum Test { 0: Expr { 0: at, 1: nodes }, 1: All { 0: of }, 2: Any { 0: of }, 3: None { 0: of } });

impl Stored for TestId {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u32::read(from).map(Self)
    }
}

/// Levels are shared by the scopes below them: each is written once, and then named by its number.
impl Stored for Table {
    fn write(&self, out: &mut Vec<u8>) {
        let Self { arena, conditions, tools, root, chains, role_policies, principals } = self;
        let mut levels: Vec<Arc<Level>> = Vec::new();
        let mut numbers: HashMap<*const Level, u32> = HashMap::new();
        let mut numbered = |chain: &Option<Vec<Arc<Level>>>| -> Option<Vec<u32>> {
            let number = |level: &Arc<Level>| {
                *numbers.entry(Arc::as_ptr(level)).or_insert_with(|| {
                    levels.push(Arc::clone(level));
                    number(levels.len() - 1)
                })
            };
            chain.as_ref().map(|chain| chain.iter().map(number).collect())
        };
        let root = numbered(root);
        let sorted: BTreeMap<_, _> = chains.iter().collect();
        let chains: Vec<(Arc<str>, Option<Vec<u32>>)> =
            sorted.into_iter().map(|(scope, chain)| (Arc::clone(scope), numbered(chain))).collect();
        arena.write(out);
        conditions.write(out);
        tools.write(out);
        levels.write(out);
        root.write(out);
        chains.write(out);
        role_policies.write(out);
        principals.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let arena = Stored::read(from)?;
        let conditions = Stored::read(from)?;
        let tools = Stored::read(from)?;
        let levels: Vec<Arc<Level>> = Stored::read(from)?;
        let named = |chain: Option<Vec<u32>>| -> Option<Option<Vec<Arc<Level>>>> {
            let level = |number: u32| levels.get(usize::try_from(number).ok()?).cloned();
            match chain {
                Some(chain) => Some(Some(chain.into_iter().map(level).collect::<Option<_>>()?)),
                None => Some(None),
            }
        };
        let root = named(Stored::read(from)?)?;
        let chains: Vec<(Arc<str>, Option<Vec<u32>>)> = Stored::read(from)?;
        let chains = chains.into_iter().map(|(scope, chain)| Some((scope, named(chain)?)));
        let chains = chains.collect::<Option<_>>()?;
        let role_policies = Stored::read(from)?;
        let principals = Stored::read(from)?;
        Some(Self { arena, conditions, tools, root, chains, role_policies, principals })
    }
}

/// What stored bytes begin with: another layout is another number.
const LAYOUT: &[u8] = concat!("fuze-policy ", env!("CARGO_PKG_VERSION"), " flat form 1\n").as_bytes();

impl Table {
    /// The flat form of the policies of this hash as bytes; of the same policies the same bytes.
    pub(crate) fn to_bytes(&self, bundle_hash: &[u8; 32]) -> Vec<u8> {
        let mut bytes = LAYOUT.to_vec();
        bytes.extend_from_slice(bundle_hash);
        self.write(&mut bytes);
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) gave. `None` for bytes of another version, of other policies, or cut.
    pub(crate) fn from_bytes(bytes: &[u8], bundle_hash: &[u8; 32]) -> Option<Self> {
        let mut from = Reader::new(bytes.strip_prefix(LAYOUT)?.strip_prefix(bundle_hash)?);
        let table = Self::read(&mut from)?;
        from.is_at_end().then_some(table)
    }

    /// Whether a scope below the root has policies for tools.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.chains.contains_key(scope)
    }

    /// Decides both actions; `None` hands the decision to the interpreter.
    pub(crate) fn decide<'t>(&'t self, request: &Request<'t>) -> Option<[Answer<'t>; 2]> {
        let levels = match self.chains.get(request.run.tenant) {
            Some(own) => own.as_ref()?,
            None => self.root.as_ref()?,
        };
        let leave = self.principals.contains(request.run.principal)
            || request.run.roles.iter().any(|role| self.role_policies.contains(role.as_str()))
            || !are_in_order(request.run.roles);
        if leave {
            return None;
        }
        let tool = self.tools.get(request.tool.name).copied();
        let mut decision =
            Decision { table: self, request, tool, kept: [Kept::Unknown; KEPT], work: Work::new() };
        let [invoke, auto] = [0, 1].map(|action| decision.action(levels, action));
        Some([invoke.ok()?, auto.ok()?])
    }
}

/// More roles are left to the interpreter.
const MOST_ROLES: usize = 64;

/// Whether these are the roles of a request as they are asked: some, none without a name, each once, in alphabetical order. The interpreter
/// is asked about others, for whom that is made of them ([`question`](crate::agent_tool::question)).
fn are_in_order(roles: &[String]) -> bool {
    let named = roles.first().is_some_and(|first| !first.is_empty());
    named && roles.len() <= MOST_ROLES && roles.array_windows().all(|[one, next]| one < next)
}

/// Of what there is far less than this.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[derive(Clone, Copy)]
enum Kept {
    Unknown,
    Holds,
    DoesNot,
}

struct Decision<'t, 'r> {
    table: &'t Table,
    request: &'r Request<'t>,
    /// The tool's number, if rules are for it alone.
    tool: Option<u32>,
    kept: [Kept; KEPT],
    work: Work,
}

/// What one role came to, by which rule.
enum Role<'t> {
    NoMatch,
    Deny(&'t RuleId),
    Allow(&'t RuleId),
}

impl<'t> Decision<'t, '_> {
    /// Each role on its own; the first that allows decides, else the first that says something.
    fn action(&mut self, levels: &'t [Arc<Level>], action: usize) -> Result<Answer<'t>, Stop> {
        let policy = levels.first().map(|level| &level.policy).ok_or(Stop::Leave)?;
        let mut answer = Answer { effect: Effect::Deny, rule: policy, obligations: Obligations::default() };
        let mut denied = None;
        for role in self.request.run.roles {
            match self.role(levels, action, role, &mut answer.obligations)? {
                Role::Allow(rule) => {
                    answer.effect = Effect::Allow;
                    answer.rule = rule;
                    return Ok(answer);
                }
                Role::Deny(rule) => denied = denied.or(Some(rule)),
                Role::NoMatch => {}
            }
        }
        answer.rule = denied.unwrap_or(policy);
        Ok(answer)
    }

    fn role(
        &mut self,
        levels: &'t [Arc<Level>],
        action: usize,
        role: &str,
        said: &mut Obligations<'t>,
    ) -> Result<Role<'t>, Stop> {
        for level in levels {
            let rules = level.rules.get(action).ok_or(Stop::Leave)?;
            let own =
                self.tool.and_then(|tool| rules.by_tool.binary_search_by_key(&tool, |(tool, _)| *tool).ok());
            let own = own.and_then(|at| rules.by_tool.get(at)).map(|(_, rows)| rows);
            let rows = own.unwrap_or(&rules.for_others);
            self.work.take(rows.len())?;
            let mut allowed = None;
            for row in rows {
                let row = usize::try_from(*row).ok().and_then(|at| rules.rows.get(at)).ok_or(Stop::Leave)?;
                if let RoleTest::Pattern(pattern) = &row.role {
                    self.work.take(pattern.cost(role))?;
                }
                if !row.role.is(role) || !self.holds(row.derived)? {
                    continue;
                }
                let met = self.holds(row.condition)?;
                match if met { &row.when_met } else { &row.when_not_met } {
                    Said::Nothing => {}
                    Said::Obligation(obligation) => said.add(obligation),
                    Said::Leave => return Err(Stop::Leave),
                }
                match (row.inverted, row.allows, met) {
                    (true, _, true) | (false, _, false) => {}
                    (true, _, false) | (false, false, true) => return Ok(Role::Deny(&row.source)),
                    (false, true, true) => allowed = allowed.or(Some(&row.source)),
                }
            }
            if let Some(rule) = allowed.filter(|_| !level.consent) {
                return Ok(Role::Allow(rule));
            }
        }
        Ok(Role::NoMatch)
    }

    fn holds(&mut self, id: Option<TestId>) -> Result<bool, Stop> {
        let Some(TestId(id)) = id else { return Ok(true) };
        let at = usize::try_from(id).map_err(|_| Stop::Leave)?;
        let test = self.table.conditions.get(at).ok_or(Stop::Leave)?;
        match self.kept.get(at) {
            Some(Kept::Holds) => return Ok(true),
            Some(Kept::DoesNot) => return Ok(false),
            Some(Kept::Unknown) => {}
            None => self.work.take(test.nodes())?,
        }
        let holds = self.test(test)?;
        if let Some(kept) = self.kept.get_mut(at) {
            *kept = if holds { Kept::Holds } else { Kept::DoesNot };
        }
        Ok(holds)
    }

    /// In order, and no further than decides; an error stops, nothing absorbs it.
    fn test(&mut self, test: &'t Test) -> Result<bool, Stop> {
        match test {
            Test::Expr(at, _) => run::truth(&self.table.arena, *at, self.request, &mut self.work),
            Test::All(of) => Ok(!self.any(of, false)?),
            Test::Any(of) => self.any(of, true),
            Test::None(of) => Ok(!self.any(of, true)?),
        }
    }

    fn any(&mut self, of: &'t [Test], wanted: bool) -> Result<bool, Stop> {
        for test in of {
            if self.test(test)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Test {
    /// How many nodes its expressions have, itself one more.
    fn nodes(&self) -> usize {
        match self {
            Test::Expr(_, nodes) => *nodes,
            Test::All(of) | Test::Any(of) | Test::None(of) => {
                of.iter().fold(1, |sum, test| sum.saturating_add(test.nodes()))
            }
        }
    }
}

impl RoleTest {
    fn is(&self, role: &str) -> bool {
        match self {
            RoleTest::Any => true,
            RoleTest::Literal(literal) => **literal == *role,
            RoleTest::Pattern(pattern) => pattern.matches(role),
        }
    }
}
