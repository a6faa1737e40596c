//! The tree of a condition: each part with how it came out, and the values that made it so.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cel::{Activation, Budget, Expr, Kind, Program, Root, Value};
use crate::cerbos::{Condition, Expression, Outcome, Variable};

use super::{About, Came, Line};

/// Characters of a value that are shown.
const LONGEST: usize = 80;

/// An expression that was evaluated, and what it saw.
pub(super) struct Seen {
    /// Which: the one of the set, not the copy.
    one: *const Expression,
    expression: Expression,
    came: Came,
    activation: Activation,
}

impl Seen {
    pub(super) fn new(expression: &Expression, outcome: Outcome, seen: &Activation) -> Self {
        let (came, activation) = (outcome.into(), seen.clone());
        Self { one: expression, expression: expression.clone(), came, activation }
    }
}

/// Writes the lines of conditions, with those of the variables that they name, each of them once.
pub(super) struct Writer<'a> {
    variables: &'a [Variable],
    told: BTreeSet<Arc<str>>,
    out: &'a mut Vec<Line>,
}

impl<'a> Writer<'a> {
    /// For conditions that can name these variables.
    pub(super) fn new(variables: &'a [Variable], out: &'a mut Vec<Line>) -> Self {
        Self { variables, told: BTreeSet::new(), out }
    }

    fn line(&mut self, depth: usize, about: About, text: String, came: Came, why: Option<String>) {
        self.out.push(Line { depth, about, text, came, why });
    }

    fn seen(&mut self, seen: &Seen, depth: usize) {
        let text = format!("{} ({})", one_line(&seen.expression.source), seen.expression.place);
        self.expression(&seen.expression, &seen.activation, depth, (About::Condition, text, seen.came));
    }

    /// What an expression is, the operands of `&&` and `||`, the values of what it names.
    fn expression(
        &mut self,
        expression: &Expression,
        seen: &Activation,
        depth: usize,
        (about, text, came): (About, String, Came),
    ) {
        let expr = expression.program.expr();
        let value = eval(expr, seen);
        let (Kind::And(of) | Kind::Or(of)) = &expr.kind else {
            self.line(depth, about, text, came, reason(&value, expr, expression, seen));
            return self.variables(expr, seen, depth + 1);
        };
        self.line(depth, about, text, came, failure(&value));
        for part in of {
            let value = eval(part, seen);
            let why = reason(&value, part, expression, seen);
            self.line(depth + 1, About::Condition, written(part, expression), came_of(&value), why);
            self.variables(part, seen, depth + 2);
        }
    }

    /// What the variables stand for that an expression names.
    fn variables(&mut self, expr: &Expr, seen: &Activation, depth: usize) {
        let mut named = Vec::new();
        expr.visit(&mut |part| named.extend(variable(part)));
        for name in named {
            let Some(variable) = self.variables.iter().find(|variable| variable.name == name) else {
                continue;
            };
            if !self.told.insert(name) {
                continue;
            }
            let expression = &variable.expr;
            let text =
                format!("V.{} = {} ({})", variable.name, one_line(&expression.source), expression.place);
            let came = came_of(&eval(expression.program.expr(), seen));
            self.expression(expression, seen, depth, (About::Variable, text, came));
        }
    }

    /// The lines of a condition; what stands before them belongs to something else, such as the derived role's condition.
    pub(super) fn condition(&mut self, condition: &Condition, seen: &[Seen], depth: usize) {
        self.others(seen.iter().filter(|seen| !contains(condition, seen.one)), depth);
        self.tree(condition, seen, depth);
    }

    /// The lines of expressions without a condition around them.
    pub(super) fn others<'s>(&mut self, others: impl IntoIterator<Item = &'s Seen>, depth: usize) {
        others.into_iter().for_each(|seen| self.seen(seen, depth));
    }

    fn tree(&mut self, condition: &Condition, seen: &[Seen], depth: usize) {
        let (text, all) = match condition {
            Condition::Expr(expression) => {
                return match of(expression, seen) {
                    Some(seen) => self.seen(seen, depth),
                    None => {
                        let text = format!("{} ({})", one_line(&expression.source), expression.place);
                        let why = "what stands before it decided".to_owned();
                        self.line(depth, About::Condition, text, Came::NotAsked, Some(why));
                    }
                };
            }
            Condition::All(all) => ("all of", all),
            Condition::Any(all) => ("any of", all),
            Condition::None(all) => ("none of", all),
        };
        self.line(depth, About::Condition, text.to_owned(), came(condition, seen), None);
        all.iter().for_each(|part| self.tree(part, seen, depth + 1));
    }
}

/// The variable that an expression is, whatever is taken from it.
fn variable(expr: &Expr) -> Option<Arc<str>> {
    match &expr.kind {
        Kind::Path(path) if path.root == Root::Variables => path.keys.first().cloned(),
        _ => None,
    }
}

/// How an operand or a variable came out.
fn came_of(value: &Option<Result<Value, String>>) -> Came {
    match value {
        Some(Ok(Value::Bool(true))) => Came::Held,
        Some(Ok(Value::Bool(false))) => Came::NotHeld,
        Some(Err(_)) => Came::Failed,
        // Nothing that holds or does not.
        Some(Ok(_)) | None => Came::Heads,
    }
}

/// Whether some of a condition was evaluated.
pub(super) fn was_asked(condition: &Condition, seen: &[Seen]) -> bool {
    match condition {
        Condition::Expr(expression) => of(expression, seen).is_some(),
        Condition::All(all) | Condition::Any(all) | Condition::None(all) => {
            all.iter().any(|c| was_asked(c, seen))
        }
    }
}

fn of<'s>(expression: &Expression, seen: &'s [Seen]) -> Option<&'s Seen> {
    seen.iter().rev().find(|seen| std::ptr::eq(seen.one, expression))
}

fn contains(condition: &Condition, wanted: *const Expression) -> bool {
    match condition {
        Condition::Expr(expression) => std::ptr::eq(&raw const **expression, wanted),
        Condition::All(all) | Condition::Any(all) | Condition::None(all) => {
            all.iter().any(|condition| contains(condition, wanted))
        }
    }
}

/// How a condition came out, as far as it was evaluated.
fn came(condition: &Condition, seen: &[Seen]) -> Came {
    let any = |all: &[Condition], wanted: Came, otherwise: Came| {
        let all: Vec<Came> = all.iter().map(|part| came(part, seen)).collect();
        let found = |came: Came| all.contains(&came);
        if found(Came::Failed) {
            Came::Failed
        } else if found(wanted) {
            wanted
        } else if !all.is_empty() && all.iter().all(|came| *came == Came::NotAsked) {
            Came::NotAsked
        } else {
            otherwise
        }
    };
    match condition {
        Condition::Expr(expression) => of(expression, seen).map_or(Came::NotAsked, |seen| seen.came),
        Condition::All(all) => any(all, Came::NotHeld, Came::Held),
        Condition::Any(all) => any(all, Came::Held, Came::NotHeld),
        Condition::None(all) => match any(all, Came::Held, Came::NotHeld) {
            Came::Held => Came::NotHeld,
            Came::NotHeld => Came::Held,
            other => other,
        },
    }
}

/// `None` for what names a variable of a macro around it.
fn eval(expr: &Expr, seen: &Activation) -> Option<Result<Value, String>> {
    let mut local = false;
    expr.visit(&mut |part| local |= matches!(part.kind, Kind::Local(_)));
    let bound = matches!(expr.kind, Kind::Fold(_) | Kind::Bind(_) | Kind::OptMap { .. });
    if local && !bound && !binds(expr) {
        return None;
    }
    Some(Program::of_part(expr.clone()).eval(seen, &mut Budget::default()).map_err(|error| error.to_string()))
}

fn binds(expr: &Expr) -> bool {
    let mut found = false;
    expr.visit(&mut |part| found |= matches!(part.kind, Kind::Fold(_) | Kind::Bind(_) | Kind::OptMap { .. }));
    found
}

fn failure(value: &Option<Result<Value, String>>) -> Option<String> {
    match value {
        Some(Err(message)) => Some(message.clone()),
        _ => None,
    }
}

/// Why it failed, if it did, and what it looked at.
fn reason(
    value: &Option<Result<Value, String>>,
    expr: &Expr,
    expression: &Expression,
    seen: &Activation,
) -> Option<String> {
    let failure = failure(value);
    let values = values(expr, expression, seen, failure.as_deref());
    let all: Vec<String> = failure.into_iter().chain(values).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// `R.attr.depth is 1, V.limit is 500`: of everything that an expression names, each once, unless it fails as was said.
fn values(expr: &Expr, expression: &Expression, seen: &Activation, said: Option<&str>) -> Option<String> {
    let mut named: Vec<(String, String)> = Vec::new();
    names(expr, &mut |part| {
        let name = written(part, expression);
        if name.is_empty() || named.iter().any(|(known, _)| *known == name) {
            return;
        }
        let value = match eval(part, seen) {
            Some(Ok(value)) => format!("is {}", shown(&value)),
            Some(Err(message)) if said != Some(&message) => format!("fails ({message})"),
            Some(Err(_)) | None => return,
        };
        named.push((name, value));
    });
    let named: Vec<String> = named.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Calls back for what an expression names: the longest paths.
fn names(expr: &Expr, of: &mut dyn FnMut(&Expr)) {
    match &expr.kind {
        Kind::Path(path) if !matches!(path.root, Root::Request) => of(expr),
        Kind::Select { operand, .. } if is_path(operand) => of(expr),
        Kind::Index { operand, index, .. } if is_path(operand) && matches!(index.kind, Kind::Literal(_)) => {
            of(expr)
        }
        _ => {
            let mut parts: Vec<&Expr> = Vec::new();
            let mut depth_one = Vec::new();
            expr.visit(&mut |part| parts.push(part));
            // Of all parts those that no other part but the whole holds.
            for part in parts.into_iter().skip(1) {
                let inner =
                    |outer: &&Expr| outer.span.start <= part.span.start && part.span.end <= outer.span.end;
                if !depth_one.iter().any(inner) {
                    depth_one.push(part);
                }
            }
            depth_one.into_iter().for_each(|part| names(part, of));
        }
    }
}

fn is_path(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Path(_) => true,
        Kind::Select { operand, .. } => is_path(operand),
        Kind::Index { operand, index, .. } => is_path(operand) && matches!(index.kind, Kind::Literal(_)),
        _ => false,
    }
}

fn written(part: &Expr, expression: &Expression) -> String {
    let range = part.span.start as usize..part.span.end as usize;
    let mut text = expression.source.get(range).map(one_line).unwrap_or_default();
    // The last parenthesis around an operand is not part of it.
    let open = text.matches('(').count().saturating_sub(text.matches(')').count());
    text.push_str(&")".repeat(open));
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shown(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

/// As JSON, and what that has no form for as an expression would have it; no further than is shown.
fn write(value: &Value, out: &mut String) {
    if out.chars().count() > LONGEST {
        return;
    }
    match value {
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate().take(LONGEST) {
                out.push_str(if at == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate().take(LONGEST) {
                out.push_str(if at == 0 { "" } else { "," });
                write(&key.to_value(), out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Optional(None) => out.push_str("optional.none()"),
        Value::Optional(Some(value)) => {
            out.push_str("optional.of(");
            write(value, out);
            out.push(')');
        }
        Value::String(text) => {
            let some: String = text.chars().take(LONGEST + 1).collect();
            out.push_str(&serde_json::Value::from(some).to_string());
        }
        other => match other.to_json() {
            Ok(json) => out.push_str(&json.to_string()),
            Err(_) => out.push_str(other.type_of().name()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_a_policy_has_them() {
        let of = |source: &str| {
            let activation =
                Activation::timeless(crate::cel::Principal::default(), crate::cel::Resource::default());
            let value = Program::parse(source).unwrap().eval(&activation, &mut Budget::default());
            shown(&value.unwrap())
        };
        for (source, expected) in [
            ("500.0", "500.0"),
            (r#"[1, "a\"b", {"k": [true, null]}]"#, r#"[1.0,"a\"b",{"k":[true,null]}]"#),
            ("{1: 2}", "{1.0:2.0}"),
            ("[optional.of(1), optional.none()]", "[optional.of(1.0),optional.none()]"),
        ] {
            assert_eq!(of(source), expected);
        }
        for (source, start) in
            [("[\"a0\"].map(x, [[[x, x]]])", r#"[[[["a0""#), ("\"a\".lowerAscii()", "\"a\"")]
        {
            assert!(of(source).starts_with(start), "{source}");
        }
        // However deep and long it is.
        let mut value = Value::from("x".repeat(1000).as_str());
        for _ in 0..300 {
            value = Value::List(std::iter::repeat_n(value, 2).collect());
        }
        assert_eq!(shown(&value).chars().count(), LONGEST + 1);
    }
}
