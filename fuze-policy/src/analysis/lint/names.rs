//! Names that stand for nothing: roles, attributes, arguments, values, tools.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::frames::{Frames, Wanted};
use super::super::memo::Memo;
use super::super::model::{For, Model, RuleOf, rules};
use super::super::prove::steps;
use super::super::search::Search;
use super::super::vocabulary::{ARGS, ATTRIBUTES, TOOL_NAME, attribute};
use super::super::{Lint, Policies, ToolDeclaration, Tools};
use super::Findings;
use super::narrow::{Ask, Needs};
use crate::cel::{BinaryOp, Expr, Kind, Path, Root, Value};
use crate::cerbos::closing::Closing;
use crate::cerbos::{Condition, Expression, Params, Place, Row, Rule, Whom};

pub(super) fn find(policies: &Policies<'_>, tools: &Tools, found: &mut Findings) {
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
    each_expression(policies, &mut |expression, params| names(expression, params, tools, found));
    if !tools.tools.is_empty() {
        arguments(policies, found);
    }
}

/// The tools that conditions name, and where: where it is written out, else where a variable or constant brings it.
pub(in super::super) fn named_tools(policies: &Policies<'_>) -> BTreeSet<(Place, String)> {
    let names = |closed: bool| {
        let mut named = BTreeSet::new();
        each_expression(policies, &mut |expression, params| {
            let written = expression.program.expr();
            let all = closed.then(|| Closing::new(params, &policies.params.globals).close(written));
            all.as_ref().unwrap_or(written).visit(&mut |part| {
                comparisons(part, params, &mut |path, texts| {
                    if attribute_of(path) == Some(TOOL_NAME) {
                        named
                            .extend(texts.iter().map(|text| (expression.place.clone(), (**text).to_owned())));
                    }
                });
            });
        });
        named
    };
    let mut named: BTreeSet<(Place, String)> = names(false);
    let written: BTreeSet<String> = named.iter().map(|(_, name)| name.clone()).collect();
    named.extend(names(true).into_iter().filter(|(_, name)| !written.contains(name)));
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
fn names(expression: &Expression, params: &Params, tools: &Tools, found: &mut Findings) {
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
        comparisons(part, params, &mut |path, texts| compared(path, texts, place, tools, found));
    });
}

/// Texts that a path is compared with, by `==`, `!=` or `in`.
fn comparisons(part: &Expr, params: &Params, visit: &mut dyn FnMut(&Path, &[Arc<str>])) {
    match &part.kind {
        Kind::Binary(BinaryOp::Equal | BinaryOp::NotEqual, both) => {
            let [left, right] = &**both;
            for (path, value) in [(left, right), (right, left)] {
                if let Kind::Path(path) = &path.kind {
                    visit(path, &texts(value, params));
                }
            }
        }
        Kind::Binary(BinaryOp::In, both) => {
            let [element, list] = &**both;
            if let Kind::Path(path) = &element.kind {
                visit(path, &texts(list, params));
            }
        }
        _ => {}
    }
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

/// Texts that something is compared with, constants looked up.
fn texts(expr: &Expr, params: &Params) -> Vec<Arc<str>> {
    let of_value = |value: &Value| match value {
        Value::String(text) => vec![Arc::clone(text)],
        Value::List(items) => items
            .iter()
            .filter_map(|item| if let Value::String(text) = item { Some(Arc::clone(text)) } else { None })
            .collect(),
        _ => Vec::new(),
    };
    match &expr.kind {
        Kind::Literal(value) => of_value(value),
        Kind::List(items) => items.iter().flat_map(|item| texts(&item.value, params)).collect(),
        Kind::Path(Path { root: Root::Constants, keys }) => match keys.as_slice() {
            [name] => params.constants.get_str(name).map(of_value).unwrap_or_default(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The attribute that a path is, as a whole.
fn attribute_of(path: &Path) -> Option<usize> {
    let field = matches!(path.root, Root::ResourceId | Root::PrincipalId);
    if path.keys.len() != usize::from(!field) {
        return None;
    }
    attribute(path.root, path.keys.first().map(|key| &**key))
}

fn compared(path: &Path, texts: &[Arc<str>], place: &Place, tools: &Tools, found: &mut Findings) {
    let Some(at) = attribute_of(path) else { return };
    if at == TOOL_NAME && !tools.tools.is_empty() {
        for name in texts.iter().filter(|name| tools.tools.iter().all(|tool| *tool.name != ***name)) {
            found.add(Lint::UnknownTool, place, format!("no tool is called `{name}`"));
        }
    }
    let Some(attribute) = ATTRIBUTES.get(at) else { return };
    if let Some(values) = attribute.domain.words() {
        for text in texts.iter().filter(|text| !values.contains(&&***text)) {
            let message = format!("`{}` is never `{text}`, only {}", attribute.written(), values.join(", "));
            found.add(Lint::UnknownValue, place, message);
        }
    }
}

/// Arguments that none of the tools has for which a rule can hold.
fn arguments(policies: &Policies<'_>, found: &mut Findings) {
    let model = Model::new(&[policies], For::Decisions);
    let frames = Frames::new(&model, &Wanted { deciding_roles: 1, classification: None });
    let mut steps_left = steps(policies.most_cases);
    for of in rules(policies.set) {
        let named = named_arguments(of.rule, policies);
        if named.is_empty() {
            continue;
        }
        let Some(tools) = tools_of(&model, &frames, &of, &mut steps_left) else { return };
        let has = |tool: &&ToolDeclaration, name: &str| {
            tool.args.as_ref().is_none_or(|args| args.iter().any(|arg| arg == name))
        };
        for (name, place) in named {
            // For no tool at all, the rule itself is what is wrong.
            if !tools.is_empty() && !tools.iter().any(|tool| has(tool, &name)) {
                let names: Vec<String> = tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
                let message = format!(
                    "no tool that this rule is about ({}) has an argument `{name}`",
                    names.join(", ")
                );
                found.add(Lint::UnknownArgument, &place, message);
            }
        }
    }
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

/// The declared tools for which a rule can hold; `None` if it takes too long to say.
fn tools_of<'p>(
    model: &Model<'p>,
    frames: &Frames<'p>,
    of: &RuleOf<'p>,
    steps_left: &mut u64,
) -> Option<Vec<&'p ToolDeclaration>> {
    let mut fits: BTreeSet<usize> = BTreeSet::new();
    let of_rows = of.rows.iter().map(|row| Needs::of_row(model, row));
    let of_role = of.of_role.map(|row| Needs::of_role(model, row));
    for needs in of_rows.chain(of_role) {
        for frame in &frames.all {
            let mut search = Search::new(model, frame, Memo::default()).within(*steps_left);
            loop {
                if needs.can_be_met(&mut search, Ask::Any) {
                    fits.extend(search.tools_left());
                }
                let left = search.steps_left();
                *steps_left = left.unwrap_or_default();
                left?;
                if fits.len() == model.tools.len() || !search.next() {
                    break;
                }
            }
        }
    }
    Some(fits.into_iter().filter_map(|at| model.tools.get(at)).map(|(tool, _)| *tool).collect())
}
