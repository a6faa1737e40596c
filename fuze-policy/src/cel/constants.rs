//! Parts of an expression that depend on nothing are computed when it is read.
//!
//! What fails, or costs much, is left for the evaluation, where a decisive operand may save it.

use std::sync::Arc;

use super::ast::{Entry, Expr, Item, Kind};
use super::budget::Budget;
use super::error::EvalError;
use super::functions::{Context, Function, Native};
use super::map::{Key, Map};
use super::value::Value;
use super::{folding, signatures};

fn literal(expr: &Expr) -> Option<&Value> {
    match &expr.kind {
        Kind::Literal(value) => Some(value),
        _ => None,
    }
}

/// A list of these items.
pub(super) fn list(items: Vec<Item>) -> Kind {
    let value = |item: &Item| literal(&item.value).filter(|_| !item.optional).cloned();
    match items.iter().map(value).collect::<Option<Vec<_>>>() {
        Some(values) => Kind::Literal(Value::List(values.into())),
        None => Kind::List(items),
    }
}

/// A map of these entries.
pub(super) fn map(entries: Vec<Entry>) -> Kind {
    let entry = |entry: &Entry| {
        let key = literal(&entry.key).filter(|_| !entry.optional).and_then(Key::from_value)?;
        Some((key, literal(&entry.value)?.clone()))
    };
    match entries.iter().map(entry).collect::<Option<Map>>() {
        Some(map) => Kind::Literal(Value::Map(Arc::new(map))),
        None => Kind::Map(entries),
    }
}

/// A function of these operands.
pub(super) fn call(function: Function, args: Vec<Expr>) -> Kind {
    // What these give depends on when they are asked.
    if folding::is_of_time(function.name()) {
        return Kind::Call(function, args);
    }
    let values = args.iter().map(|arg| literal(arg).cloned()).collect::<Option<Vec<_>>>();
    match values.and_then(|values| computed(function, &values)) {
        Some(Ok(value)) => Kind::Literal(value),
        Some(Err(_)) | None => Kind::Call(function, args),
    }
}

/// What a function gives for these, if it is one that looks at its operands alone.
pub(super) fn computed(function: Function, values: &[Value]) -> Option<Result<Value, EvalError>> {
    const STEPS: u64 = 10_000;
    const BYTES: u64 = 4 * 1024;
    let Native::Eager(native) = signatures::decl(function)?.native else { return None };
    Some(native(&mut Context { now: None, budget: &mut Budget::new(STEPS, BYTES) }, values))
}
