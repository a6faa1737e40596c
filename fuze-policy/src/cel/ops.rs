//! Operators: arithmetic that overflows into errors, equality and order across kinds of numbers.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::BinaryOp;
use super::budget::Budget;
use super::error::EvalError;
use super::functions::spiffe::Spiffe;
use super::functions::time;
use super::map::Key;
use super::value::{Duration, Value};

const INT_OVERFLOW: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("integer overflow"));
const UINT_OVERFLOW: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("unsigned integer overflow"));
const DIVIDE_BY_ZERO: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("division by zero"));
const MODULUS_BY_ZERO: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("modulus by zero"));

/// Applies an operator to two values.
pub(super) fn binary(op: BinaryOp, a: &Value, b: &Value, budget: &mut Budget) -> Result<Value, EvalError> {
    let order = |budget: &mut Budget, wanted: fn(Ordering) -> bool| {
        budget.step(text_cost(a).min(text_cost(b)))?;
        if unordered(a, b) {
            return Ok(Value::Bool(false));
        }
        compare(a, b).map(|order| Value::Bool(wanted(order)))
    };
    match op {
        BinaryOp::Equal => Ok(Value::Bool(equal(a, b, budget)? == Equality::Equal)).and_then(|value| {
            // Only kinds of Cerbos's own refuse to be compared, and only at the top.
            if incomparable(a, b) { Err(EvalError::NO_SUCH_OVERLOAD) } else { Ok(value) }
        }),
        BinaryOp::NotEqual => Ok(Value::Bool(equal(a, b, budget)? != Equality::Equal)),
        BinaryOp::Less => order(budget, Ordering::is_lt),
        BinaryOp::LessEqual => order(budget, Ordering::is_le),
        BinaryOp::Greater => order(budget, Ordering::is_gt),
        BinaryOp::GreaterEqual => order(budget, Ordering::is_ge),
        BinaryOp::In => contains(b, a, budget),
        BinaryOp::Add => add(a, b, budget),
        BinaryOp::Subtract => subtract(a, b),
        BinaryOp::Multiply => multiply(a, b),
        BinaryOp::Divide => divide(a, b),
        BinaryOp::Modulo => modulo(a, b),
    }
}

fn add(a: &Value, b: &Value, budget: &mut Budget) -> Result<Value, EvalError> {
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(*b).ok_or(INT_OVERFLOW)?),
        (Value::Uint(a), Value::Uint(b)) => Value::Uint(a.checked_add(*b).ok_or(UINT_OVERFLOW)?),
        (Value::Double(a), Value::Double(b)) => Value::Double(a + b),
        (Value::String(a), Value::String(b)) => {
            budget.grow(a.len() as u64 + b.len() as u64)?;
            Value::String([&**a, &**b].concat().into())
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            budget.grow(a.len() as u64 + b.len() as u64)?;
            Value::Bytes([&**a, &**b].concat().into())
        }
        (Value::List(a), Value::List(b)) => match (a.is_empty(), b.is_empty()) {
            (true, _) => Value::List(Arc::clone(b)),
            (_, true) => Value::List(Arc::clone(a)),
            _ => {
                budget.grow(list_bytes(a.len() + b.len()))?;
                Value::List(a.iter().chain(b.iter()).cloned().collect())
            }
        },
        (Value::Duration(a), Value::Duration(b)) => Value::Duration(Duration {
            nanoseconds: a.nanoseconds.checked_add(b.nanoseconds).ok_or(INT_OVERFLOW)?,
        }),
        (Value::Timestamp(t), Value::Duration(d)) | (Value::Duration(d), Value::Timestamp(t)) => {
            Value::Timestamp(time::shift(*t, d.nanoseconds)?)
        }
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    })
}

/// What a list of so many elements takes.
pub(super) fn list_bytes(elements: usize) -> u64 {
    (elements * size_of::<Value>()) as u64
}

fn subtract(a: &Value, b: &Value) -> Result<Value, EvalError> {
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_sub(*b).ok_or(INT_OVERFLOW)?),
        (Value::Uint(a), Value::Uint(b)) => Value::Uint(a.checked_sub(*b).ok_or(UINT_OVERFLOW)?),
        (Value::Double(a), Value::Double(b)) => Value::Double(a - b),
        (Value::Duration(a), Value::Duration(b)) => Value::Duration(Duration {
            nanoseconds: a.nanoseconds.checked_sub(b.nanoseconds).ok_or(INT_OVERFLOW)?,
        }),
        (Value::Timestamp(t), Value::Duration(d)) => {
            let back = d.nanoseconds.checked_neg().ok_or(INT_OVERFLOW)?;
            Value::Timestamp(time::shift(*t, back)?)
        }
        (Value::Timestamp(a), Value::Timestamp(b)) => {
            Value::Duration(time::between(*a, *b).ok_or(INT_OVERFLOW)?)
        }
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    })
}

fn multiply(a: &Value, b: &Value) -> Result<Value, EvalError> {
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_mul(*b).ok_or(INT_OVERFLOW)?),
        (Value::Uint(a), Value::Uint(b)) => Value::Uint(a.checked_mul(*b).ok_or(UINT_OVERFLOW)?),
        (Value::Double(a), Value::Double(b)) => Value::Double(a * b),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    })
}

fn divide(a: &Value, b: &Value) -> Result<Value, EvalError> {
    Ok(match (a, b) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => return Err(DIVIDE_BY_ZERO),
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_div(*b).ok_or(INT_OVERFLOW)?),
        (Value::Uint(a), Value::Uint(b)) => Value::Uint(a.checked_div(*b).ok_or(DIVIDE_BY_ZERO)?),
        (Value::Double(a), Value::Double(b)) => Value::Double(a / b),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    })
}

fn modulo(a: &Value, b: &Value) -> Result<Value, EvalError> {
    Ok(match (a, b) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => return Err(MODULUS_BY_ZERO),
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_rem(*b).ok_or(INT_OVERFLOW)?),
        (Value::Uint(a), Value::Uint(b)) => Value::Uint(a.checked_rem(*b).ok_or(MODULUS_BY_ZERO)?),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    })
}

/// `-value`.
pub(super) fn negate(value: &Value) -> Result<Value, EvalError> {
    Ok(match value {
        Value::Int(i) => Value::Int(i.checked_neg().ok_or(INT_OVERFLOW)?),
        Value::Double(d) => Value::Double(-d),
        Value::Duration(d) => {
            Value::Duration(Duration { nanoseconds: d.nanoseconds.checked_neg().ok_or(INT_OVERFLOW)? })
        }
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    })
}

/// Whether one is no number, which is neither below nor above anything. cel-go looks at the left one first.
fn unordered(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), _) if a.is_nan() => true,
        (Value::Double(_) | Value::Int(_) | Value::Uint(_), Value::Double(b)) => b.is_nan(),
        _ => false,
    }
}

/// The order of two values of one kind, or of numbers.
pub(super) fn compare(a: &Value, b: &Value) -> Result<Ordering, EvalError> {
    const NAN: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("NaN values cannot be ordered"));
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.instant().cmp(&b.instant()),
        (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        // cel-go compares the argument with the receiver here, which turns the order around.
        (Value::Spiffe(a), b) => Spiffe::compare(a, b)?,
        _ => return numbers(a, b).ok_or(EvalError::NO_SUCH_OVERLOAD)?.ok_or(NAN),
    })
}

/// The order of two numbers; nothing inside if one is not a number.
#[expect(clippy::cast_precision_loss, reason = "as cel-go compares: in doubles")]
fn numbers(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    let double_int = |d: f64, i: i64| d.partial_cmp(&(i as f64));
    let double_uint = |d: f64, u: u64| d.partial_cmp(&(u as f64));
    let int_uint = |i: i64, u: u64| u64::try_from(i).map_or(Ordering::Less, |i| i.cmp(&u));
    Some(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Uint(b)) => Some(int_uint(*a, *b)),
        (Value::Uint(a), Value::Int(b)) => Some(int_uint(*b, *a).reverse()),
        (Value::Double(a), Value::Int(b)) => double_int(*a, *b),
        (Value::Int(a), Value::Double(b)) => double_int(*b, *a).map(Ordering::reverse),
        (Value::Double(a), Value::Uint(b)) => double_uint(*a, *b),
        (Value::Uint(a), Value::Double(b)) => double_uint(*b, *a).map(Ordering::reverse),
        _ => return None,
    })
}

/// What comparing two values gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equality {
    /// They are equal.
    Equal,
    /// They are not.
    Different,
    /// The kinds refuse to be compared. Inside lists and maps cel-go takes that for equal.
    Refused,
}

/// Whether two values are equal, whatever their kinds.
pub(super) fn equal(a: &Value, b: &Value, budget: &mut Budget) -> Result<Equality, EvalError> {
    budget.step(1)?;
    let same = match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b)) => {
            if a.len() == b.len() {
                budget.step(text_cost_of(a.len()))?;
            }
            a == b
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            budget.step(text_cost_of(a.len().min(b.len())))?;
            a == b
        }
        (Value::Timestamp(a), Value::Timestamp(b)) => a.instant() == b.instant(),
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        (Value::Cidr(a), Value::Cidr(b)) => a == b,
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => return equal(a, b, budget),
            _ => false,
        },
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(Equality::Different);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if equal(a, b, budget)? == Equality::Different {
                    return Ok(Equality::Different);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => return equal_maps(a, b, budget),
        (Value::Object(a), Value::Object(b)) => {
            return if a.kind == b.kind {
                equal_maps(&a.fields, &b.fields, budget)
            } else {
                Ok(Equality::Different)
            };
        }
        (Value::Hierarchy(a), Value::Hierarchy(b)) => {
            let shorter = if a.len() < b.len() { a } else { b };
            budget.step(shorter.iter().map(|part| 1 + text_cost_of(part.len())).sum())?;
            a == b
        }
        (Value::Spiffe(a), b) => return Ok(Spiffe::equality(a, b)),
        (Value::Hierarchy(_), _) => return Ok(Equality::Refused),
        _ => numbers(a, b).flatten() == Some(Ordering::Equal),
    };
    Ok(if same { Equality::Equal } else { Equality::Different })
}

fn equal_maps(a: &super::map::Map, b: &super::map::Map, budget: &mut Budget) -> Result<Equality, EvalError> {
    if a.len() != b.len() {
        return Ok(Equality::Different);
    }
    for (key, value) in a.iter() {
        let found = b.get(&key.to_value());
        match found {
            Some(other) if equal(value, other, budget)? != Equality::Different => {}
            _ => return Ok(Equality::Different),
        }
    }
    Ok(Equality::Equal)
}

/// `value in container`.
pub(super) fn contains(container: &Value, value: &Value, budget: &mut Budget) -> Result<Value, EvalError> {
    match container {
        Value::List(items) => list_contains(items, value, budget).map(Value::Bool),
        Value::Map(map) => {
            budget.step(1 + text_cost(value))?;
            Ok(Value::Bool(map.get(value).is_some()))
        }
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

/// Whether any element equals the value.
pub(super) fn list_contains(items: &[Value], value: &Value, budget: &mut Budget) -> Result<bool, EvalError> {
    for item in items {
        if equal(value, item, budget)? == Equality::Equal {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `==` on these two is an error.
fn incomparable(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Hierarchy(_), Value::Hierarchy(_)) => false,
        (Value::Hierarchy(_), _) => true,
        (Value::Spiffe(a), b) => Spiffe::equality(a, b) == Equality::Refused,
        _ => false,
    }
}

/// Steps that walking the text of a value takes.
pub(super) fn text_cost(value: &Value) -> u64 {
    match value {
        Value::String(s) => text_cost_of(s.len()),
        Value::Bytes(b) => text_cost_of(b.len()),
        _ => 0,
    }
}

/// Steps that comparing a key with another takes.
pub(super) fn key_cost(key: &Key) -> u64 {
    match key {
        Key::String(s) => text_cost_of(s.len()),
        Key::Bool(_) | Key::Int(_) | Key::Uint(_) | Key::Double(_) => 0,
    }
}

/// Steps that walking so many bytes takes.
pub(super) fn text_cost_of(bytes: usize) -> u64 {
    bytes as u64 / 32
}
