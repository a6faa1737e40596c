//! What Cerbos decides of an expression when it reads it, where that changes the answer.
//!
//! Cerbos 0.55 has cel-go fold constants before it evaluates. Mostly that gives what evaluation would, only sooner. Not so for `in`:
//! `x in []` is false and `1 in [1, x]` is true, and `x` is not looked at, so that it cannot fail. And some macros over constants are
//! folded into `null` (cel-go issue 1504). An expression that asks for the time is not folded.

use super::activation::{Activation, Principal, Resource};
use super::ast::{Expr, FoldKind, Kind, Span};
use super::budget::Budget;
use super::error::EvalError;
use super::eval::{Interpreter, Slot};
use super::functions::{Function, regexes};
use super::nesting::{DEEPEST, nesting};
use super::raw::{Node, Raw};
use super::value::Value;
use super::{constants, ops};

/// What a constant may cost while an expression is read.
const STEPS: u64 = 10_000;
const BYTES: u64 = 64 * 1024;

/// Whether a function's result depends on when it is asked for.
pub(super) fn is_of_time(name: &str) -> bool {
    matches!(name, "now" | "timeSince")
}

/// Whether an expression asks for the time anywhere.
pub(super) fn asks_for_time(node: &Node) -> bool {
    let mut found = matches!(&node.raw, Raw::Call { name, .. } if is_of_time(name));
    node.raw.each_child(|child| found = found || asks_for_time(child));
    found
}

/// What `left in right` is, whatever is asked. `locals` variables of enclosing macros are around it.
pub(super) fn membership(left: &Expr, right: &Expr, locals: usize) -> Option<bool> {
    let right = chosen(right, locals);
    let all = constant(right, locals).or_else(|| match right.kind {
        // A macro that is left over is tried last of all, whatever it names: what it does not come to look at cannot fail. Only an empty
        // list makes a difference then.
        Kind::Fold(_) | Kind::Bind(_) => blindly(right, locals),
        _ => None,
    });
    if let Some(all) = all {
        return matches!(all, Value::List(items) if items.is_empty()).then_some(false);
    }
    let Kind::List(items) = &right.kind else { return None };
    let wanted = constant(left, locals).filter(is_scalar)?;
    let same = |item: Value| ops::list_contains(&[item], &wanted, &mut Budget::new(STEPS, BYTES)) == Ok(true);
    items.iter().any(|item| constant(&item.value, locals).is_some_and(same)).then_some(true)
}

/// The branch that is taken, if that is known.
fn chosen(expr: &Expr, locals: usize) -> &Expr {
    let Kind::Conditional(three) = &expr.kind else { return expr };
    let [condition, then, otherwise] = &**three;
    match constant(condition, locals) {
        Some(Value::Bool(true)) => chosen(then, locals),
        Some(Value::Bool(false)) => chosen(otherwise, locals),
        _ => expr,
    }
}

/// Lists and maps are no literals to cel-go, and names of types are not either.
fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Type(_))
}

/// Whether a function of these operands fails whatever is asked, and Cerbos finds that out before it evaluates: a conversion of a
/// constant, or a pattern that is none. cel-go then makes no program of the expression, which fails as a whole, whatever would have
/// decided it: `true` in `R.attr.ok || int("x") > 1`, and `none` around it.
pub(super) fn is_hopeless(function: Function, operands: &[Expr], locals: usize) -> bool {
    match (function.name(), operands) {
        ("bool" | "bytes" | "double" | "duration" | "int" | "string" | "timestamp" | "uint", [operand]) => {
            constant(operand, locals).is_some_and(|value| {
                matches!(constants::computed(function, &[value]), Some(Err(EvalError::Failed(_))))
            })
        }
        ("matches", [_, Expr { kind: Kind::Literal(Value::String(pattern)), .. }]) => {
            regexes::compile(pattern).is_err()
        }
        _ => false,
    }
}

/// Whether an index is a constant by which cel-go takes nothing out of anything: `null`, bytes, times, lists, maps, types. It makes no
/// program of the expression then; of one that a variable stands for, Cerbos 0.55 does not even start.
pub(super) fn is_no_qualifier(index: &Expr, locals: usize) -> bool {
    constant(index, locals).is_some_and(|value| {
        matches!(
            value,
            Value::Null
                | Value::Bytes(_)
                | Value::Duration(_)
                | Value::Timestamp(_)
                | Value::List(_)
                | Value::Map(_)
                | Value::Type(_)
        )
    })
}

/// The value of an expression that looks at nothing.
fn constant(expr: &Expr, locals: usize) -> Option<Value> {
    if let Kind::Literal(value) = &expr.kind {
        return Some(value.clone());
    }
    let mut looks = false;
    expr.visit(&mut |part| {
        looks = looks
            || match &part.kind {
                Kind::Path(_) => true,
                Kind::Local(slot) => *slot < locals,
                Kind::Call(function, _) => is_of_time(function.name()),
                _ => false,
            }
    });
    if looks { None } else { blindly(expr, locals) }
}

/// The value of an expression, if it comes to one without looking at anything.
fn blindly(expr: &Expr, locals: usize) -> Option<Value> {
    // Of what is too deep nothing is made: it is refused as a whole.
    if nesting(expr, &|_| 1) > DEEPEST {
        return None;
    }
    let activation = Activation::timeless(Principal::default(), Resource::default());
    let around = || Slot::Failed(EvalError::NO_SUCH_OVERLOAD);
    let locals = std::iter::repeat_with(around).take(locals).collect();
    let budget = &mut Budget::new(STEPS, BYTES);
    Interpreter { activation: &activation, budget, locals, sees: false }.eval(expr).ok()
}

/// A macro of which Cerbos makes `null`: `all`, `exists`, `filter` or `map` over a constant that is not empty, where a literal predicate
/// leaves nothing to do. Macros within macros are spared.
pub(super) fn lost(expr: &Expr) -> Option<Span> {
    let (mut found, mut folded, mut within) = (None, true, 0);
    expr.visit(&mut |part| match &part.kind {
        Kind::Call(function, _) if is_of_time(function.name()) => folded = false,
        Kind::Fold(fold) if part.span.start >= within => {
            within = part.span.end;
            let idle = match fold.kind {
                FoldKind::All => truth(&fold.body) == Some(true),
                FoldKind::Exists | FoldKind::Filter => truth(&fold.body) == Some(false),
                FoldKind::Map => fold.filter.as_ref().and_then(truth) == Some(false),
                FoldKind::ExistsOne
                | FoldKind::TransformMap
                | FoldKind::TransformMapEntry
                | FoldKind::SortBy => false,
            };
            let full = || match constant(&fold.range, 0) {
                Some(Value::List(items)) => !items.is_empty(),
                Some(Value::Map(map)) => !map.is_empty(),
                _ => false,
            };
            if idle && fold.variables == 1 && full() {
                found = found.or(Some(part.span));
            }
        }
        _ => {}
    });
    found.filter(|_| folded)
}

/// What a predicate is, if a literal in it decides.
fn truth(expr: &Expr) -> Option<bool> {
    let any = |terms: &[Expr], wanted: bool| terms.iter().any(|term| truth(term) == Some(wanted));
    match &expr.kind {
        Kind::Literal(Value::Bool(value)) => Some(*value),
        Kind::And(terms) if any(terms, false) => Some(false),
        Kind::Or(terms) if any(terms, true) => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
