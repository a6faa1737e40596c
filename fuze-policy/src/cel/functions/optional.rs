//! Optional values.

use std::sync::Arc;

use super::{Computed, Context, Native, list};
use crate::cel::error::EvalError;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

pub(super) const LINES: &[Line] = &[
    ("optional.of", &["(V) optional(V)"], Native::Eager(of)),
    ("optional.ofNonZeroValue", &["(V) optional(V)"], Native::Eager(of_non_zero)),
    ("optional.none", &["() optional(V)"], Native::Eager(none)),
    ("value", &["optional(V).() V"], Native::Eager(value)),
    ("hasValue", &["optional(V).() bool"], Native::Eager(has_value)),
    ("or", &["optional(V).(optional(V)) optional(V)"], Native::OrElse(|value| Value::Optional(Some(value)))),
    ("orValue", &["optional(V).(V) V"], Native::OrElse(|value| Value::clone(&value))),
    ("optional.unwrap", &["(list(optional(V))) list(V)"], Native::Eager(unwrap)),
    ("unwrapOpt", &["list(optional(V)).() list(V)"], Native::Eager(unwrap)),
];

fn of(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [value] => Ok(Value::Optional(Some(Arc::new(value.clone())))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn of_non_zero(context: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [value] if is_zero(value) => Ok(Value::Optional(None)),
        _ => of(context, args),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) => true,
        Value::Double(d) => *d == 0.0,
        Value::String(s) => s.is_empty(),
        Value::Bytes(b) => b.is_empty(),
        Value::List(l) => l.is_empty(),
        Value::Map(m) => m.is_empty(),
        Value::Duration(d) => d.nanoseconds == 0,
        Value::Timestamp(t) => t.is_first(),
        _ => false,
    }
}

fn none(_: &mut Context<'_>, _: &[Value]) -> Computed {
    Ok(Value::Optional(None))
}

fn value(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Optional(Some(value))] => Ok(Value::clone(value)),
        [Value::Optional(None)] => Err(EvalError::failed("optional.none() dereference")),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn has_value(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn unwrap(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::List(items)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let mut values = Vec::new();
    for item in items.iter() {
        match item {
            Value::Optional(Some(value)) => values.push(Value::clone(value)),
            Value::Optional(None) => {}
            _ => return Err(EvalError::failed("value is not optional")),
        }
    }
    list(context, values)
}
