//! Hierarchies such as `a.b.c`.

use std::sync::Arc;

use super::{Computed, Context, Native, strings_of};
use crate::cel::error::EvalError;
use crate::cel::ops::{list_bytes, text_cost_of};
use crate::cel::signatures::Line;
use crate::cel::value::Value;

type Parts = [Arc<str>];

const TEST: &[&str] = &["hierarchy.(hierarchy) bool"];

pub(super) const LINES: &[Line] = &[
    (
        "hierarchy",
        &["(string) hierarchy", "(string, string) hierarchy", "(list(string)) hierarchy"],
        Native::Eager(new),
    ),
    ("ancestorOf", TEST, Native::Eager(|c, args| test(c, args, is_ancestor))),
    ("descendentOf", TEST, Native::Eager(|c, args| test(c, args, |a, b| is_ancestor(b, a)))),
    ("immediateParentOf", TEST, Native::Eager(|c, args| test(c, args, is_parent))),
    ("immediateChildOf", TEST, Native::Eager(|c, args| test(c, args, |a, b| is_parent(b, a)))),
    ("siblingOf", TEST, Native::Eager(|c, args| test(c, args, is_sibling))),
    ("overlaps", TEST, Native::Eager(|c, args| test(c, args, |a, b| a.starts_with(b) || b.starts_with(a)))),
    ("commonAncestors", &["hierarchy.(hierarchy) hierarchy"], Native::Eager(common_ancestors)),
];

fn new(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let parts: Vec<Arc<str>> = match args {
        [Value::String(text)] => split(context, text, ".")?,
        [Value::String(text), Value::String(delimiter)] => split(context, text, delimiter)?,
        [list @ Value::List(_)] => strings_of(list)
            .ok_or_else(|| EvalError::failed("a hierarchy is made of strings"))?
            .into_iter()
            .map(Arc::clone)
            .collect(),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    context.budget.grow(list_bytes(parts.len()))?;
    Ok(Value::Hierarchy(parts.into()))
}

fn split(context: &mut Context<'_>, text: &str, delimiter: &str) -> Result<Vec<Arc<str>>, EvalError> {
    context.budget.grow(text.len() as u64)?;
    Ok(super::strings::split_all(text, delimiter).map(Arc::from).collect())
}

fn test(context: &mut Context<'_>, args: &[Value], f: fn(&Parts, &Parts) -> bool) -> Computed {
    let [Value::Hierarchy(a), Value::Hierarchy(b)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    cost(context, a, b)?;
    Ok(Value::Bool(f(a, b)))
}

fn cost(context: &mut Context<'_>, a: &Parts, b: &Parts) -> Result<(), EvalError> {
    let shorter = if a.len() < b.len() { a } else { b };
    context.budget.step(shorter.iter().map(|part| 1 + text_cost_of(part.len())).sum())
}

fn is_ancestor(a: &Parts, b: &Parts) -> bool {
    b.len() > a.len() && b.starts_with(a)
}

fn is_parent(a: &Parts, b: &Parts) -> bool {
    b.len() == a.len() + 1 && b.starts_with(a)
}

fn is_sibling(a: &Parts, b: &Parts) -> bool {
    let parents = |parts: &Parts| parts.len().saturating_sub(1);
    a.len() == b.len() && a.get(..parents(a)) == b.get(..parents(b))
}

/// What both begin with, themselves excepted.
fn common_ancestors(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::Hierarchy(a), Value::Hierarchy(b)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    cost(context, a, b)?;
    if a.is_empty() && b.is_empty() {
        // The engine fails on this one.
        return Err(EvalError::failed("an empty hierarchy has no ancestors"));
    }
    let longest = if a.len() == b.len() { a.len().saturating_sub(1) } else { a.len().min(b.len()) };
    let common = a.iter().zip(b.iter()).take(longest).take_while(|(a, b)| a == b).map(|(a, _)| Arc::clone(a));
    Ok(Value::Hierarchy(common.collect()))
}
