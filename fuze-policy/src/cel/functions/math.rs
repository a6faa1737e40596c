//! `math.…`: extremes, rounding, bits.

use std::cmp::Ordering;

use super::{Computed, Context, Native};
use crate::cel::error::EvalError;
use crate::cel::ops::compare;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

const EXTREME: &[&str] = &[
    "(double) double",
    "(int) int",
    "(uint) uint",
    "(double, double) double",
    "(int, int) int",
    "(uint, uint) uint",
    "(int, uint) dyn",
    "(int, double) dyn",
    "(double, int) dyn",
    "(double, uint) dyn",
    "(uint, int) dyn",
    "(uint, double) dyn",
    "(list(double)) double",
    "(list(int)) int",
    "(list(uint)) uint",
];
const ROUND: &[&str] = &["(double) double"];
const TEST: &[&str] = &["(double) bool"];
const SIGNED: &[&str] = &["(double) double", "(int) int", "(uint) uint"];
const BITS: &[&str] = &["(int, int) int", "(uint, uint) uint"];
const SHIFT: &[&str] = &["(int, int) int", "(uint, int) uint"];

pub(super) const LINES: &[Line] = &[
    ("math.@min", EXTREME, Native::Eager(min)),
    ("math.@max", EXTREME, Native::Eager(max)),
    ("math.ceil", ROUND, Native::Eager(|_, args| double(args, f64::ceil))),
    ("math.floor", ROUND, Native::Eager(|_, args| double(args, f64::floor))),
    ("math.round", ROUND, Native::Eager(|_, args| double(args, f64::round))),
    ("math.trunc", ROUND, Native::Eager(|_, args| double(args, f64::trunc))),
    ("math.isInf", TEST, Native::Eager(|_, args| test(args, f64::is_infinite))),
    ("math.isNaN", TEST, Native::Eager(|_, args| test(args, f64::is_nan))),
    ("math.isFinite", TEST, Native::Eager(|_, args| test(args, f64::is_finite))),
    ("math.abs", SIGNED, Native::Eager(abs)),
    ("math.sign", SIGNED, Native::Eager(sign)),
    ("math.sqrt", &["(double) double", "(int) double", "(uint) double"], Native::Eager(sqrt)),
    ("math.bitAnd", BITS, Native::Eager(|_, args| bits(args, |a, b| a & b))),
    ("math.bitOr", BITS, Native::Eager(|_, args| bits(args, |a, b| a | b))),
    ("math.bitXor", BITS, Native::Eager(|_, args| bits(args, |a, b| a ^ b))),
    ("math.bitNot", &["(int) int", "(uint) uint"], Native::Eager(not)),
    ("math.bitShiftLeft", SHIFT, Native::Eager(|_, args| shift(args, u64::checked_shl))),
    ("math.bitShiftRight", SHIFT, Native::Eager(|_, args| shift(args, u64::checked_shr))),
];

fn min(context: &mut Context<'_>, args: &[Value]) -> Computed {
    extreme(context, args, Ordering::Greater)
}

fn max(context: &mut Context<'_>, args: &[Value]) -> Computed {
    extreme(context, args, Ordering::Less)
}

/// The number for which no other is on the replacing side.
fn extreme(context: &mut Context<'_>, args: &[Value], replaced_if: Ordering) -> Computed {
    let numbers = match args {
        [Value::List(items)] => items,
        numbers => numbers,
    };
    context.budget.step(numbers.len() as u64)?;
    let (first, rest) =
        numbers.split_first().ok_or_else(|| EvalError::failed("the list of numbers must not be empty"))?;
    let mut best = first;
    for number in rest {
        if compare(best, number)? == replaced_if {
            best = number;
        }
    }
    match best {
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => Ok(best.clone()),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn double(args: &[Value], f: fn(f64) -> f64) -> Computed {
    match args {
        [Value::Double(d)] => Ok(Value::Double(f(*d))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn test(args: &[Value], f: fn(f64) -> bool) -> Computed {
    match args {
        [Value::Double(d)] => Ok(Value::Bool(f(*d))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn abs(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Double(d)] => Ok(Value::Double(d.abs())),
        [Value::Int(i)] => {
            i.checked_abs().map(Value::Int).ok_or_else(|| EvalError::failed("integer overflow"))
        }
        [Value::Uint(u)] => Ok(Value::Uint(*u)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn sign(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        // Not a number stays what it is.
        [Value::Double(d)] => Ok(Value::Double(if *d == 0.0 { 0.0 } else { d.signum() })),
        [Value::Int(i)] => Ok(Value::Int(i.signum())),
        [Value::Uint(u)] => Ok(Value::Uint((*u).min(1))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as cel-go converts")]
fn sqrt(_: &mut Context<'_>, args: &[Value]) -> Computed {
    let number = match args {
        [Value::Double(d)] => *d,
        [Value::Int(i)] => *i as f64,
        [Value::Uint(u)] => *u as f64,
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    Ok(Value::Double(number.sqrt()))
}

fn bits(args: &[Value], f: fn(u64, u64) -> u64) -> Computed {
    match args {
        [Value::Int(a), Value::Int(b)] => {
            Ok(Value::Int(f(a.cast_unsigned(), b.cast_unsigned()).cast_signed()))
        }
        [Value::Uint(a), Value::Uint(b)] => Ok(Value::Uint(f(*a, *b))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn not(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Int(a)] => Ok(Value::Int(!a)),
        [Value::Uint(a)] => Ok(Value::Uint(!a)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

/// Shifts are of the bits, signs included; by 64 and more nothing is left.
fn shift(args: &[Value], f: fn(u64, u32) -> Option<u64>) -> Computed {
    let distance = match args {
        [_, Value::Int(distance)] if *distance < 0 => {
            return Err(EvalError::failed(format!("negative offset: {distance}")));
        }
        [_, Value::Int(distance)] => u32::try_from(*distance).unwrap_or(u32::MAX),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    match args {
        [Value::Int(a), _] => Ok(Value::Int(f(a.cast_unsigned(), distance).unwrap_or(0).cast_signed())),
        [Value::Uint(a), _] => Ok(Value::Uint(f(*a, distance).unwrap_or(0))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}
