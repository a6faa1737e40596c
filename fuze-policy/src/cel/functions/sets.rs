//! Lists as sets: `sets.…` of cel-go, and those Cerbos had before.

use super::{Computed, Context, Native, list};
use crate::cel::error::EvalError;
use crate::cel::ops::list_contains;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

const OPERATION: &[&str] = &["(list(A), list(A)) list(A)", "list(A).(list(A)) list(A)"];
const TEST: &[&str] = &["(list(A), list(A)) bool", "list(A).(list(A)) bool"];

pub(super) const LINES: &[Line] = &[
    ("sets.contains", &["(list(T), list(T)) bool"], Native::Eager(contains)),
    ("sets.equivalent", &["(list(T), list(T)) bool"], Native::Eager(equivalent)),
    ("sets.intersects", &["(list(T), list(T)) bool"], Native::Eager(intersects)),
    ("except", OPERATION, Native::Eager(except)),
    ("intersect", OPERATION, Native::Eager(intersect)),
    ("hasIntersection", TEST, Native::Eager(intersects)),
    ("has_intersection", TEST, Native::Eager(intersects)),
    ("isSubset", TEST, Native::Eager(is_subset)),
    ("is_subset", TEST, Native::Eager(is_subset)),
];

fn lists(args: &[Value]) -> Result<(&[Value], &[Value]), EvalError> {
    match args {
        [Value::List(a), Value::List(b)] => Ok((a, b)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn all_in(context: &mut Context<'_>, items: &[Value], container: &[Value]) -> Result<bool, EvalError> {
    for item in items {
        if !list_contains(container, item, context.budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn kept(context: &mut Context<'_>, items: &[Value], others: &[Value], inside: bool) -> Computed {
    let mut kept = Vec::new();
    for item in items {
        if list_contains(others, item, context.budget)? == inside {
            kept.push(item.clone());
        }
    }
    list(context, kept)
}

fn contains(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (container, items) = lists(args)?;
    all_in(context, items, container).map(Value::Bool)
}

fn is_subset(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (items, container) = lists(args)?;
    all_in(context, items, container).map(Value::Bool)
}

fn equivalent(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (a, b) = lists(args)?;
    Ok(Value::Bool(all_in(context, b, a)? && all_in(context, a, b)?))
}

fn intersects(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (a, b) = lists(args)?;
    for item in a {
        if list_contains(b, item, context.budget)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn except(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (a, b) = lists(args)?;
    kept(context, a, b, false)
}

/// What both have, in the order of the shorter.
fn intersect(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (a, b) = lists(args)?;
    let (a, b) = if a.len() > b.len() { (b, a) } else { (a, b) };
    kept(context, a, b, true)
}
