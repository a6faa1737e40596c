//! Lists.

use super::{Computed, Context, Native, list};
use crate::cel::error::EvalError;
use crate::cel::eval_fold::sorted;
use crate::cel::ops::{Equality, equal};
use crate::cel::signatures::Line;
use crate::cel::value::Value;

pub(super) const LINES: &[Line] = &[
    ("slice", &["list(T).(int, int) list(T)"], Native::Eager(slice)),
    ("flatten", &["list(list(T)).() list(T)", "list(dyn).(int) list(dyn)"], Native::Eager(flatten)),
    (
        "sort",
        &[
            "list(int).() list(int)",
            "list(uint).() list(uint)",
            "list(double).() list(double)",
            "list(bool).() list(bool)",
            "list(duration).() list(duration)",
            "list(timestamp).() list(timestamp)",
            "list(string).() list(string)",
            "list(bytes).() list(bytes)",
        ],
        Native::Eager(sort),
    ),
    ("lists.range", &["(int) list(int)"], Native::Eager(range)),
    ("reverse", &["list(T).() list(T)", "string.() string"], Native::Eager(reverse)),
    ("distinct", &["list(T).() list(T)"], Native::Eager(distinct)),
    ("first", &["list(V).() optional(V)"], Native::Eager(first)),
    ("last", &["list(V).() optional(V)"], Native::Eager(last)),
];

fn slice(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::List(items), Value::Int(start), Value::Int(end)] = args else {
        return Err(EvalError::NO_SUCH_OVERLOAD);
    };
    let range = usize::try_from(*start).ok().zip(usize::try_from(*end).ok());
    let part = range.and_then(|(start, end)| items.get(start..end)).ok_or_else(|| {
        EvalError::failed(format!("cannot slice({start}, {end}) a list of {}", items.len()))
    })?;
    list(context, part.to_vec())
}

fn flatten(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let (items, depth) = match args {
        [Value::List(items)] => (items, 1),
        [Value::List(items), Value::Int(depth)] => (items, *depth),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    if depth < 0 {
        return Err(EvalError::failed("level must be non-negative"));
    }
    let mut flat = Vec::new();
    push_flat(context, items, depth, &mut flat)?;
    list(context, flat)
}

/// Recurses no deeper than the value is nested, which the expression and the attributes bound.
fn push_flat(
    context: &mut Context<'_>,
    items: &[Value],
    depth: i64,
    flat: &mut Vec<Value>,
) -> Result<(), EvalError> {
    for item in items {
        context.budget.step(1)?;
        match item {
            Value::List(inner) if depth > 0 => push_flat(context, inner, depth - 1, flat)?,
            other => flat.push(other.clone()),
        }
    }
    Ok(())
}

fn sort(context: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::List(items)] => sorted(items, items, context.budget),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn range(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::Int(count)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    if *count < 0 {
        return Err(EvalError::failed(format!("lists.range: size must be non-negative, got {count}")));
    }
    // Before the list is made: its length is the author's or the request's choice.
    context.budget.step(count.unsigned_abs())?;
    list(context, (0..*count).map(Value::Int).collect())
}

fn reverse(context: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::List(items)] => list(context, items.iter().rev().cloned().collect()),
        [Value::String(s)] => super::text(context, s.chars().rev().collect::<String>()),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn distinct(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::List(items)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let mut kept: Vec<Value> = Vec::new();
    for item in items.iter() {
        let mut seen = false;
        for other in &kept {
            seen = equal(item, other, context.budget)? == Equality::Equal;
            if seen {
                break;
            }
        }
        if !seen {
            kept.push(item.clone());
        }
    }
    list(context, kept)
}

fn first(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::List(items)] => Ok(optional(items.first())),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn last(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::List(items)] => Ok(optional(items.last())),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn optional(value: Option<&Value>) -> Value {
    Value::Optional(value.map(|value| value.clone().into()))
}
