//! The tree of a condition: each part with how it came out, and the values that made it so.

use crate::cel::{Activation, Budget, Expr, Kind, Program, Root, Value};
use crate::cerbos::{Condition, Expression, Outcome};

use super::{About, Came, Line};

/// Characters of a value that are shown.
const LONGEST: usize = 80;

/// An expression that was evaluated.
pub(super) struct Seen {
    expression: *const Expression,
    line: Line,
    /// Operands of `&&` and `||`, and the values of what it names.
    parts: Vec<Line>,
}

impl Seen {
    pub(super) fn new(expression: &Expression, outcome: Outcome, seen: &Activation) -> Self {
        let text = format!("{} ({})", one_line(&expression.source), expression.place);
        let expr = expression.program.expr();
        let value = eval(expr, seen);
        let came = outcome.into();
        let (parts, why) = match &expr.kind {
            Kind::And(of) | Kind::Or(of) => (parts(of, expression, seen), failure(&value)),
            _ => (Vec::new(), reason(&value, expr, expression, seen)),
        };
        let line = Line { depth: 0, about: About::Condition, text, came, why };
        Self { expression, line, parts }
    }

    pub(super) fn lines(&self, depth: usize) -> impl Iterator<Item = Line> {
        let own = Line { depth, ..self.line.clone() };
        std::iter::once(own)
            .chain(self.parts.iter().map(move |part| Line { depth: depth + 1, ..part.clone() }))
    }
}

/// The operands of `&&` or `||`.
fn parts(of: &[Expr], expression: &Expression, seen: &Activation) -> Vec<Line> {
    of.iter()
        .map(|part| {
            let value = eval(part, seen);
            let came = match &value {
                Some(Ok(Value::Bool(true))) => Came::Held,
                Some(Ok(_)) => Came::NotHeld,
                Some(Err(_)) => Came::Failed,
                None => Came::Heads,
            };
            let why = reason(&value, part, expression, seen);
            Line { depth: 0, about: About::Condition, text: written(part, expression), came, why }
        })
        .collect()
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
    seen.iter().rev().find(|seen| std::ptr::eq(seen.expression, expression))
}

/// The lines of a condition; what stands before them belongs to something else, such as the derived role's condition.
pub(super) fn lines(condition: &Condition, seen: &[Seen], depth: usize, out: &mut Vec<Line>) {
    let others = seen.iter().filter(|seen| !contains(condition, seen.expression));
    out.extend(others.flat_map(|seen| seen.lines(depth)));
    tree(condition, seen, depth, out);
}

fn contains(condition: &Condition, wanted: *const Expression) -> bool {
    match condition {
        Condition::Expr(expression) => std::ptr::eq(&raw const **expression, wanted),
        Condition::All(all) | Condition::Any(all) | Condition::None(all) => {
            all.iter().any(|condition| contains(condition, wanted))
        }
    }
}

fn tree(condition: &Condition, seen: &[Seen], depth: usize, out: &mut Vec<Line>) {
    let (text, all) = match condition {
        Condition::Expr(expression) => {
            match of(expression, seen) {
                Some(seen) => out.extend(seen.lines(depth)),
                None => out.push(Line {
                    depth,
                    about: About::Condition,
                    text: format!("{} ({})", one_line(&expression.source), expression.place),
                    came: Came::NotAsked,
                    why: Some("what stands before it decided".to_owned()),
                }),
            }
            return;
        }
        Condition::All(all) => ("all of", all),
        Condition::Any(all) => ("any of", all),
        Condition::None(all) => ("none of", all),
    };
    let came = came(condition, seen);
    out.push(Line { depth, about: About::Condition, text: text.to_owned(), came, why: None });
    all.iter().for_each(|part| tree(part, seen, depth + 1, out));
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
        Condition::Expr(expression) => of(expression, seen).map_or(Came::NotAsked, |seen| seen.line.came),
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
    let all: Vec<String> = failure(value).into_iter().chain(values(expr, expression, seen)).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// `R.attr.depth is 1, V.limit is 500`: of everything that an expression names, each once.
fn values(expr: &Expr, expression: &Expression, seen: &Activation) -> Option<String> {
    let mut named: Vec<(String, String)> = Vec::new();
    names(expr, &mut |part| {
        let name = written(part, expression);
        if name.is_empty() || named.iter().any(|(known, _)| *known == name) {
            return;
        }
        let said = match eval(part, seen) {
            Some(Ok(value)) => format!("is {}", shown(&value)),
            Some(Err(message)) => format!("fails ({message})"),
            None => return,
        };
        named.push((name, said));
    });
    let named: Vec<String> = named.into_iter().map(|(name, said)| format!("{name} {said}")).collect();
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
