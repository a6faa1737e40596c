//! Names that stand for nothing: roles, attributes, arguments, values, tools.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::super::cell_set::CellSet;
use super::super::frames::{Frames, Wanted};
use super::super::memo::Memo;
use super::super::model::{For, Model};
use super::super::prove::steps;
use super::super::search::Search;
use super::super::silence::Silence;
use super::super::tool_rules::{RuleOf, rules};
use super::super::vocabulary::{ARGS, ATTRIBUTES, TOOL_NAME, attribute};
use super::super::{Lint, Policies, Reason, ToolDeclaration, Tools};
use super::Findings;
use super::compared::{Case, Compared, comparisons, texts};
use super::narrow::{Ask, Needs};
use crate::cel::{BinaryOp, Kind, Root, Value};
use crate::cerbos::closing::Closing;
use crate::cerbos::{Condition, Expression, Params, Place, Row, Rule, Whom};

pub(super) fn find(policies: &Policies<'_>, tools: &Tools, found: &mut Findings) {
    let tool_names: HashSet<&str> = tools.tools.iter().map(|tool| &*tool.name).collect();
    if let Some(declared) = &tools.roles {
        for of in rules(policies.set) {
            of.rows.iter().for_each(|row| roles(row, declared, found));
            if let Some(row) = of.of_role
                && !declared.iter().any(|role| **role == *row.role)
            {
                found.add(Lint::UnknownRole, &of.rule.place, format!("nobody has the role `{}`", row.role));
            }
        }
    }
    each_expression(policies, &mut |expression, params| names(expression, params, tools, &tool_names, found));
    if !tools.tools.is_empty() {
        arguments(policies, found);
    }
}

/// The tools that conditions name, and where: where it is written out, else where a variable or constant brings it; and whether they are
/// named in any case.
pub(in super::super) fn named_tools(policies: &Policies<'_>) -> BTreeSet<(Place, String, bool)> {
    let names = |closed: bool| {
        let mut named = BTreeSet::new();
        each_expression(policies, &mut |expression, params| {
            let written = expression.program.expr();
            let all = closed.then(|| Closing::new(params, &policies.params.globals).close(written));
            all.as_ref().unwrap_or(written).visit(&mut |part| {
                for Compared { attribute, case, texts } in comparisons(part, params) {
                    if attribute == TOOL_NAME {
                        let any_case = case != Case::AsItIs;
                        let names = texts.iter().map(|text| (**text).to_owned());
                        named.extend(names.map(|name| (expression.place.clone(), name, any_case)));
                    }
                }
            });
        });
        named
    };
    let mut named: BTreeSet<(Place, String, bool)> = names(false);
    let written: BTreeSet<String> = named.iter().map(|(_, name, _)| name.clone()).collect();
    named.extend(names(true).into_iter().filter(|(_, name, _)| !written.contains(name)));
    named
}

/// Each expression about tools, once, with what its names stand for.
fn each_expression(policies: &Policies<'_>, visit: &mut dyn FnMut(&Expression, &Params)) {
    let mut seen: BTreeSet<*const Expression> = BTreeSet::new();
    for RuleOf { rule, rows, .. } in rules(policies.set) {
        let derived = rows.iter().filter_map(|row| match &row.whom {
            Whom::DerivedRole { role, .. } => Some((role.condition.as_ref(), &role.params, None)),
            Whom::Role(_) | Whom::Resource(_) => None,
        });
        let own = (rule.condition.as_ref(), &rule.params, Some(&rule.output));
        for (condition, params, output) in derived.chain([own]) {
            let variables = params.variables.iter().map(|variable| &variable.expr);
            let said = output.map(|output| [&output.rule_activated, &output.condition_not_met]);
            let mut all: Vec<&Arc<Expression>> =
                variables.chain(said.into_iter().flatten().flatten()).collect();
            if let Some(condition) = condition {
                expressions(condition, &mut all);
            }
            for expression in all {
                if seen.insert(Arc::as_ptr(expression)) {
                    visit(expression, params);
                }
            }
        }
    }
}

/// The expressions of a condition.
fn expressions<'c>(condition: &'c Condition, all: &mut Vec<&'c Arc<Expression>>) {
    match condition {
        Condition::Expr(expression) => all.push(expression),
        Condition::All(of) | Condition::Any(of) | Condition::None(of) => {
            of.iter().for_each(|condition| expressions(condition, all));
        }
    }
}

fn roles(row: &Row, declared: &[String], found: &mut Findings) {
    let mut nobody = |pattern: &str, matches: bool, place: &Place| {
        if !matches {
            found.add(Lint::UnknownRole, place, format!("nobody has the role `{pattern}`"));
        }
    };
    match &row.whom {
        Whom::Role(role) => {
            nobody(role.as_str(), declared.iter().any(|d| role.matches(d)), &row.rule.place);
        }
        Whom::DerivedRole { role, .. } => {
            for parent in role.parent_roles.iter().filter(|parent| &***parent != "*") {
                let matches = crate::cerbos::Pattern::new(parent)
                    .is_ok_and(|parent| declared.iter().any(|d| parent.matches(d)));
                nobody(parent, matches, &role.place);
            }
        }
        Whom::Resource(_) => {}
    }
}

/// Attributes, values, tools and roles that an expression names.
fn names(
    expression: &Expression,
    params: &Params,
    tools: &Tools,
    tool_names: &HashSet<&str>,
    found: &mut Findings,
) {
    let place = &expression.place;
    expression.program.expr().visit(&mut |part| match &part.kind {
        Kind::Path(path) => known_attribute(path.root, path.keys.first(), place, found),
        Kind::Has { operand, field } => {
            if let Kind::Path(path) = &operand.kind
                && path.keys.is_empty()
            {
                known_attribute(path.root, Some(field), place, found);
            }
        }
        Kind::Index { operand, index, .. } => {
            if let (Kind::Path(path), Kind::Literal(Value::String(field))) = (&operand.kind, &index.kind)
                && path.keys.is_empty()
            {
                known_attribute(path.root, Some(field), place, found);
            }
        }
        Kind::Binary(BinaryOp::In, both) => {
            let [element, list] = &**both;
            if let Kind::Path(path) = &list.kind
                && path.root == Root::PrincipalRoles
            {
                for role in texts(element, params) {
                    if tools.roles.as_ref().is_some_and(|roles| roles.iter().all(|known| **known != *role)) {
                        found.add(Lint::UnknownRole, place, format!("nobody has the role `{role}`"));
                    }
                }
            }
        }
        _ => {}
    });
    expression.program.expr().visit(&mut |part| {
        for compared in comparisons(part, params) {
            self::compared(&compared, place, tool_names, found);
        }
    });
}

fn known_attribute(root: Root, first: Option<&Arc<str>>, place: &Place, found: &mut Findings) {
    let Some(first) = first else { return };
    let (written, who) = match root {
        Root::ResourceAttr if &**first != ARGS => ("R.attr", "tool"),
        Root::PrincipalAttr => ("P.attr", "run"),
        Root::AuxData | Root::AuxDataJwt | Root::AuxDataJwts => {
            let message = "a run has no token: `request.auxData` is always empty";
            return found.add(Lint::UnknownAttribute, place, message);
        }
        _ => return,
    };
    if attribute(root, Some(first)).is_some() {
        return;
    }
    let known = ATTRIBUTES.iter().filter(|a| a.root == root).map(|a| a.name);
    let known: Vec<&str> = known.chain((root == Root::ResourceAttr).then_some(ARGS)).collect();
    let message = format!("no {who} has `{written}.{first}`, only {}", known.join(", "));
    found.add(Lint::UnknownAttribute, place, message);
}

fn compared(compared: &Compared, place: &Place, tool_names: &HashSet<&str>, found: &mut Findings) {
    let Compared { attribute: at, case, texts } = compared;
    if *at == TOOL_NAME && !tool_names.is_empty() {
        let is = |text: &str| match case {
            Case::AsItIs => tool_names.contains(text),
            Case::Lower | Case::Upper => tool_names.iter().any(|name| *case.of(name) == *text),
        };
        for name in texts.iter().filter(|name| !is(name)) {
            found.add(Lint::UnknownTool, place, format!("no tool is called `{name}`"));
        }
    }
    let Some(attribute) = ATTRIBUTES.get(*at) else { return };
    if let Some(values) = attribute.domain.words() {
        let values: Vec<Cow<'_, str>> = values.iter().map(|value| case.of(value)).collect();
        for text in texts.iter().filter(|text| !values.iter().any(|value| **value == ***text)) {
            let message = format!("`{}` is never `{text}`, only {}", attribute.written(), values.join(", "));
            found.add(Lint::UnknownValue, place, message);
        }
    }
}

/// Arguments that none of the tools has for which a rule can hold.
fn arguments(policies: &Policies<'_>, found: &mut Findings) {
    let model = Model::new(&[policies], For::Decisions);
    let frames = Frames::new(&model, &Wanted::all(1));
    let all = rules(policies.set);
    let silence = Silence::new(&model);
    let mut asked = Vec::new();
    for of in &all {
        let named = named_arguments(of.rule, policies);
        if !named.is_empty() {
            asked.push(Asked::new(&model, &silence, of, named));
        }
    }
    let limit = policies.most_cases;
    if !look_for_tools(&model, &frames, &mut asked, steps(limit)) {
        let left = asked.iter().filter(|asked| !asked.is_well(&model)).map(|asked| asked.of.rule);
        return found.not_judged(
            left,
            "names arguments that no tool has",
            &Reason::TooMuchWork { limit: steps(limit) },
        );
    }
    for asked in asked.iter().filter(|asked| asked.fits.first().is_some()) {
        let tools: Vec<&ToolDeclaration> = asked.tools(&model).collect();
        for (name, place) in asked.named.iter().filter(|(name, _)| !tools.iter().any(|tool| has(tool, name)))
        {
            let message =
                format!("no tool that this rule is about ({}) has an argument `{name}`", listed(&tools));
            found.add(Lint::UnknownArgument, place, message);
        }
    }
}

/// The names of some tools.
fn listed(tools: &[&ToolDeclaration]) -> String {
    const MOST: usize = 20;
    let names: Vec<String> = tools.iter().take(MOST).map(|tool| format!("`{}`", tool.name)).collect();
    let more = match tools.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.join(", ") + &more
}

fn has(tool: &ToolDeclaration, name: &str) -> bool {
    tool.args.as_ref().is_none_or(|args| args.iter().any(|arg| arg == name))
}

/// A rule that names arguments, and the declared tools for which it can hold, as far as they were found.
struct Asked<'m, 'p> {
    of: &'m RuleOf<'p>,
    named: BTreeSet<(Arc<str>, Place)>,
    /// Each of its conditions, with the tools that it does not exclude by their names.
    needs: Vec<(Needs<'m, 'p>, CellSet)>,
    fits: CellSet,
}

impl<'m, 'p> Asked<'m, 'p> {
    fn new(
        model: &'m Model<'p>,
        silence: &Silence<'m, 'p>,
        of: &'m RuleOf<'p>,
        named: BTreeSet<(Arc<str>, Place)>,
    ) -> Self {
        let of_rows = of.rows.iter().map(|row| Needs::of_row(model, row));
        let of_role = of.of_role.map(|row| Needs::of_role(model, row));
        let needs = of_rows.chain(of_role).map(|needs| {
            let left = silence.but(&needs.excluded(silence));
            (needs, left)
        });
        Self { of, named, needs: needs.collect(), fits: CellSet::default() }
    }

    fn tools(&self, model: &Model<'p>) -> impl Iterator<Item = &'p ToolDeclaration> {
        self.fits.iter().filter_map(|at| model.tools.get(at)).map(|(tool, _)| *tool)
    }

    /// Whether for each argument a tool was found that has it: then no other matters.
    fn is_well(&self, model: &Model<'p>) -> bool {
        self.named.iter().all(|(name, _)| self.tools(model).any(|tool| has(tool, name)))
    }
}

/// Looks for the tools for which rules can hold; `false` if that takes too long.
fn look_for_tools(
    model: &Model<'_>,
    frames: &Frames<'_>,
    asked: &mut [Asked<'_, '_>],
    mut steps_left: u64,
) -> bool {
    for frame in &frames.all {
        let mut search = Search::new(model, frame, Memo::default());
        for asked in asked.iter_mut().filter(|asked| !asked.is_well(model)) {
            for (needs, tools) in &asked.needs {
                let left = tools.clone().without(&asked.fits);
                if left.first().is_none() {
                    continue;
                }
                search.begin(Some(&left), steps_left);
                loop {
                    if needs.can_be_met(&mut search, Ask::Any) {
                        asked.fits = search.tools_left().fold(std::mem::take(&mut asked.fits), with);
                    }
                    let Some(left) = search.steps_left() else { return false };
                    steps_left = left;
                    if !search.next() {
                        break;
                    }
                }
            }
        }
    }
    true
}

fn with(mut set: CellSet, at: usize) -> CellSet {
    set.insert(at);
    set
}

fn named_arguments(rule: &Rule, policies: &Policies<'_>) -> BTreeSet<(Arc<str>, Place)> {
    let mut all = Vec::new();
    if let Some(condition) = &rule.condition {
        expressions(condition, &mut all);
    }
    let mut named = BTreeSet::new();
    for expression in all {
        let closed = Closing::new(&rule.params, &policies.params.globals).close(expression.program.expr());
        closed.visit(&mut |part| {
            let (path, field) = match &part.kind {
                Kind::Path(path) => (path, None),
                Kind::Has { operand, field } => match &operand.kind {
                    Kind::Path(path) => (path, Some(field)),
                    _ => return,
                },
                _ => return,
            };
            let mut keys = path.keys.iter().chain(field);
            if path.root == Root::ResourceAttr
                && keys.next().is_some_and(|key| &**key == ARGS)
                && let Some(name) = keys.next()
            {
                named.insert((Arc::clone(name), expression.place.clone()));
            }
        });
    }
    named
}
