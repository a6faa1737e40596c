//! What a set says about tools, lowered into a table.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::expr::Names;
use super::{Level, RoleTest, Row, Rules, Said, Table, Test, TestId, number};
use crate::agent_tool::{ACTIONS, KIND, VERSION, obligation, rule_id};
use crate::cel::{
    Activation, BinaryOp, Budget, Expr, Kind, Map, Principal, Resource, Root, Timestamp, Value,
};
use crate::cerbos::{
    Condition, Effect, Expression, Params, Pattern, PolicyKind, PolicySet, RowId, ScopePermissions, Whom,
};

impl Table {
    /// Lowers what a set says about tools.
    pub(crate) fn new(set: &PolicySet, globals: &Map) -> Self {
        let mut table = Self::default();
        let mut seen = Seen::default();
        for (scope, versions) in &set.resources {
            let Some(index) = versions.get(VERSION) else { continue };
            table.role_policies.extend(index.roles.iter().map(|row| Arc::clone(&row.role)));
            // A scope in which a role policy alone is about tools is one, too: the interpreter's.
            let by_role = index.roles.iter().any(|row| row.resource.matches(KIND));
            if index.regular.contains_key(KIND) || by_role {
                let levels: Option<Vec<Arc<Level>>> = std::iter::once(&**scope)
                    .chain(crate::cerbos::parents(scope))
                    .map(|scope| table.level_once(set, scope, globals, &mut seen))
                    .collect();
                if scope.is_empty() {
                    table.root = levels;
                } else {
                    table.chains.insert(Arc::clone(scope), levels);
                }
            }
        }
        // A role policy of any scope and version, and the roles below those it names, are left to the interpreter.
        for roles in set.parent_roles.values() {
            table.role_policies.extend(roles.keys().cloned());
        }
        for policy in set.policies() {
            match policy.kind {
                PolicyKind::Principal => drop(table.principals.insert(Arc::clone(&policy.name))),
                PolicyKind::Role => drop(table.role_policies.insert(Arc::clone(&policy.name))),
                _ => {}
            }
        }
        table
    }

    /// The level of a scope, made once for all scopes below it.
    fn level_once(
        &mut self,
        set: &PolicySet,
        scope: &str,
        globals: &Map,
        seen: &mut Seen,
    ) -> Option<Arc<Level>> {
        if let Some(level) = seen.levels.get(scope) {
            return level.clone();
        }
        let level = self.level(set, scope, globals, seen).map(Arc::new);
        seen.levels.insert(scope.to_owned(), level.clone());
        level
    }

    fn level(&mut self, set: &PolicySet, scope: &str, globals: &Map, seen: &mut Seen) -> Option<Level> {
        let rows = set.resources.get(scope)?.get(VERSION)?.regular.get(KIND)?;
        let policy = set.policies().iter().find(|policy| {
            policy.kind == PolicyKind::Resource
                && &*policy.name == KIND
                && &*policy.version == VERSION
                && &*policy.scope == scope
        })?;
        let rules = ACTIONS.map(|action| self.rules(set, rows, action, globals, seen));
        let consent = policy.scope_permissions == ScopePermissions::RequireParentalConsentForAllows;
        Some(Level { policy: rule_id(&policy.key), consent, rules })
    }

    fn rules(
        &mut self,
        set: &PolicySet,
        rows: &[RowId],
        action: &str,
        globals: &Map,
        seen: &mut Seen,
    ) -> Rules {
        let mut rules = Rules::default();
        let mut only_for: Vec<Option<Arc<str>>> = Vec::new();
        for row in rows.iter().filter_map(|id| set.row(*id)).filter(|row| row.action.matches(action)) {
            let (role, derived) = match &row.whom {
                Whom::Role(role) => (role_test(role), None),
                Whom::DerivedRole { parent, role } => {
                    let test = role.condition.as_ref().map(|c| self.test(c, &role.params, globals, seen));
                    (role_test(parent), test)
                }
                Whom::Resource(_) => continue,
            };
            let rule = &row.rule;
            let condition = rule.condition.as_ref().map(|c| self.test(c, &rule.params, globals, seen));
            let mut said = |output: &Option<Arc<Expression>>| seen.said(output.as_deref(), &rule.params);
            let (met, not_met) = (said(&rule.output.rule_activated), said(&rule.output.condition_not_met));
            // An inverted rule is one whose condition is the opposite, and its outputs follow that.
            let (when_met, when_not_met) = if rule.inverted { (not_met, met) } else { (met, not_met) };
            let row = Row {
                source: rule_id(&rule.source),
                role,
                derived,
                condition,
                allows: rule.effect == Effect::Allow,
                inverted: rule.inverted,
                when_met,
                when_not_met,
            };
            // To pass over a row must be the same as to find that its condition does not hold.
            let skippable =
                !row.inverted && matches!(row.when_not_met, Said::Nothing) && row.derived.is_none();
            only_for.push(rule.condition.as_ref().filter(|_| skippable).and_then(only_tool));
            rules.rows.push(row);
        }
        let tools: BTreeSet<&Arc<str>> = only_for.iter().flatten().collect();
        for tool in tools {
            let fits = |(_, only): &(usize, &Option<Arc<str>>)| only.as_ref().is_none_or(|only| only == tool);
            let rows = only_for.iter().enumerate().filter(fits).map(|(at, _)| number(at)).collect();
            let next = number(self.tools.len());
            let tool = *self.tools.entry(Arc::clone(tool)).or_insert(next);
            rules.by_tool.push((tool, rows));
        }
        let open = |(_, only): &(usize, &Option<Arc<str>>)| only.is_none();
        rules.by_tool.sort_unstable_by_key(|(tool, _)| *tool);
        rules.for_others = only_for.iter().enumerate().filter(open).map(|(at, _)| number(at)).collect();
        rules
    }

    /// Lowers a condition once, however many rows use it.
    fn test(&mut self, condition: &Condition, params: &Params, globals: &Map, seen: &mut Seen) -> TestId {
        let key = (std::ptr::from_ref(condition) as usize, params.id);
        if let Some(id) = seen.tests.get(&key) {
            return *id;
        }
        let test = self.lower(condition, params, globals);
        let id = TestId(u32::try_from(self.conditions.len()).unwrap_or(u32::MAX));
        self.conditions.push(test);
        seen.tests.insert(key, id);
        id
    }

    fn lower(&mut self, condition: &Condition, params: &Params, globals: &Map) -> Test {
        let mut all = |of: &[Condition]| of.iter().map(|c| self.lower(c, params, globals)).collect();
        match condition {
            Condition::All(of) => Test::All(all(of)),
            Condition::Any(of) => Test::Any(all(of)),
            Condition::None(of) => Test::None(all(of)),
            Condition::Expr(expression) => {
                let variables = |name: &str| {
                    params.variables.iter().find(|v| &*v.name == name).map(|v| v.expr.program.expr())
                };
                let constants = |name: &str| params.constants.get_str(name).cloned();
                let globals = |name: &str| globals.get_str(name).cloned();
                let names = Names { variables: &variables, constants: &constants, globals: &globals };
                let (at, nodes) = self.arena.lower(expression.program.expr(), &names);
                Test::Expr(at, nodes)
            }
        }
    }
}

/// What was lowered already.
#[derive(Default)]
struct Seen {
    /// By the condition's place in memory and the number of what it can name.
    tests: HashMap<(usize, u32), TestId>,
    /// By the output's.
    said: HashMap<(usize, u32), Said>,
    levels: HashMap<String, Option<Arc<Level>>>,
}

impl Seen {
    fn said(&mut self, output: Option<&Expression>, params: &Params) -> Said {
        let Some(output) = output else { return Said::Nothing };
        let key = (std::ptr::from_ref(output) as usize, params.id);
        self.said.entry(key).or_insert_with(|| said(output, params)).clone()
    }
}

fn role_test(pattern: &Pattern) -> RoleTest {
    match pattern.as_str() {
        "*" => RoleTest::Any,
        text if text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) => {
            RoleTest::Literal(text.into())
        }
        _ => RoleTest::Pattern(pattern.clone()),
    }
}

/// The only tool for which a condition can hold, if not to hold is all that it does for another: the test of the name has to come
/// before anything that could be an error.
fn only_tool(condition: &Condition) -> Option<Arc<str>> {
    match condition {
        Condition::All(of) => of.first().and_then(only_tool),
        Condition::Expr(expression) => named_tool(expression.program.expr()),
        Condition::Any(_) | Condition::None(_) => None,
    }
}

fn named_tool(expr: &Expr) -> Option<Arc<str>> {
    match &expr.kind {
        // One operand that is false decides `&&`, whatever errors stand beside it.
        Kind::And(operands) => operands.iter().find_map(named_tool),
        Kind::Binary(BinaryOp::Equal, sides) => match sides.each_ref().map(|side| &side.kind) {
            [Kind::Path(path), Kind::Literal(Value::String(name))]
            | [Kind::Literal(Value::String(name)), Kind::Path(path)] => {
                let tool_name =
                    path.root == Root::ResourceAttr && matches!(&*path.keys, [key] if &**key == "tool_name");
                tool_name.then(|| Arc::clone(name))
            }
            _ => None,
        },
        _ => None,
    }
}

/// An output that looks at nothing has one value for all requests.
fn said(output: &Expression, params: &Params) -> Said {
    if !looks_at_nothing(output.program.expr()) {
        return Said::Leave;
    }
    let epoch = Timestamp { seconds: 0, nanoseconds: 0, offset_seconds: 0 };
    let mut nothing = Activation::new(Principal::default(), Resource::default(), epoch);
    nothing.constants = Arc::clone(&params.constants);
    // An obligation is small: what is large is no obligation, or is not worth the time to load.
    let mut budget = Budget::new(5_000, 64 * 1024);
    let value = output.program.eval(&nothing, &mut budget);
    let read = value
        .and_then(|value| value.to_json_within(&mut budget))
        .ok()
        .and_then(|json| obligation::read(&json).ok());
    match read {
        Some(Some(obligation)) => Said::Obligation(Arc::new(obligation)),
        Some(None) => Said::Nothing,
        None => Said::Leave,
    }
}

/// Literals, lists, maps and constants; anything else may depend on the request.
fn looks_at_nothing(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Literal(_) => true,
        Kind::Path(path) => path.root == Root::Constants,
        Kind::List(items) => items.iter().all(|item| looks_at_nothing(&item.value)),
        Kind::Map(entries) => {
            entries.iter().all(|entry| looks_at_nothing(&entry.key) && looks_at_nothing(&entry.value))
        }
        _ => false,
    }
}
