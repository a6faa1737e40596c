//! Conversions between kinds.

use super::{Computed, Context, Native, numbers, text, time};
use crate::cel::error::EvalError;
use crate::cel::signatures::Line;
use crate::cel::value::{Duration, Timestamp, Value};

pub(super) const LINES: &[Line] = &[
    ("bool", &["(bool) bool", "(string) bool"], Native::Eager(to_bool)),
    ("bytes", &["(bytes) bytes", "(string) bytes"], Native::Eager(to_bytes)),
    (
        "double",
        &["(double) double", "(int) double", "(string) double", "(uint) double"],
        Native::Eager(to_double),
    ),
    ("duration", &["(duration) duration", "(string) duration"], Native::Eager(to_duration)),
    (
        "int",
        &["(int) int", "(double) int", "(duration) int", "(string) int", "(timestamp) int", "(uint) int"],
        Native::Eager(to_int),
    ),
    (
        "string",
        &[
            "(string) string",
            "(bool) string",
            "(bytes) string",
            "(double) string",
            "(duration) string",
            "(int) string",
            "(timestamp) string",
            "(uint) string",
            "(ip) string",
            "(cidr) string",
        ],
        Native::Eager(to_string),
    ),
    (
        "timestamp",
        &["(timestamp) timestamp", "(int) timestamp", "(string) timestamp"],
        Native::Eager(to_timestamp),
    ),
    ("uint", &["(uint) uint", "(double) uint", "(int) uint", "(string) uint"], Native::Eager(to_uint)),
];

const INT_OVERFLOW: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("integer overflow"));
const UINT_OVERFLOW: EvalError = EvalError::Failed(std::borrow::Cow::Borrowed("unsigned integer overflow"));

fn unreadable(to: &str) -> EvalError {
    EvalError::failed(format!("type conversion error from 'string' to '{to}'"))
}

fn to_bool(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Bool(b)] => Ok(Value::Bool(*b)),
        [Value::String(s)] => match &**s {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Value::Bool(false)),
            _ => Err(unreadable("bool")),
        },
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn to_bytes(context: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [bytes @ Value::Bytes(_)] => Ok(bytes.clone()),
        [Value::String(s)] => {
            context.budget.grow(s.len() as u64)?;
            Ok(Value::Bytes(s.as_bytes().into()))
        }
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as cel-go converts")]
fn to_double(_: &mut Context<'_>, args: &[Value]) -> Computed {
    Ok(Value::Double(match args {
        [Value::Double(d)] => *d,
        [Value::Int(i)] => *i as f64,
        [Value::Uint(u)] => *u as f64,
        [Value::String(s)] => numbers::parse(s).ok_or_else(|| unreadable("double"))?,
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    }))
}

#[expect(clippy::cast_possible_truncation, reason = "in range: checked before")]
fn to_int(_: &mut Context<'_>, args: &[Value]) -> Computed {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    Ok(Value::Int(match args {
        [Value::Int(i)] => *i,
        [Value::Uint(u)] => i64::try_from(*u).map_err(|_| INT_OVERFLOW)?,
        // Both bounds are refused, as in cel-go.
        [Value::Double(d)] if *d > -TWO_63 && *d < TWO_63 => *d as i64,
        [Value::Double(_)] => return Err(INT_OVERFLOW),
        [Value::Duration(d)] => d.nanoseconds,
        [Value::Timestamp(t)] => t.seconds,
        [Value::String(s)] => s.parse().map_err(|_| unreadable("int"))?,
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    }))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range: checked before")]
fn to_uint(_: &mut Context<'_>, args: &[Value]) -> Computed {
    const TWO_64: f64 = 18_446_744_073_709_551_616.0;
    Ok(Value::Uint(match args {
        [Value::Uint(u)] => *u,
        [Value::Int(i)] => u64::try_from(*i).map_err(|_| UINT_OVERFLOW)?,
        [Value::Double(d)] if *d >= 0.0 && *d < TWO_64 => *d as u64,
        [Value::Double(_)] => return Err(UINT_OVERFLOW),
        // Go takes no sign here.
        [Value::String(s)] if !s.starts_with('+') => s.parse().map_err(|_| unreadable("uint"))?,
        [Value::String(_)] => return Err(unreadable("uint")),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    }))
}

fn to_string(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [value] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    match value {
        Value::String(_) => Ok(value.clone()),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(valid) => text(context, valid),
            Err(_) => Err(EvalError::failed("invalid UTF-8 in bytes, cannot convert to string")),
        },
        Value::Bool(b) => text(context, if *b { "true" } else { "false" }),
        Value::Int(i) => text(context, i.to_string()),
        Value::Uint(u) => text(context, u.to_string()),
        Value::Double(d) => text(context, numbers::general(*d)),
        Value::Duration(d) => text(context, time::format_duration(*d)),
        Value::Timestamp(t) => text(context, time::format_timestamp(*t)),
        Value::Ip(ip) => text(context, ip.to_string()),
        Value::Cidr(cidr) => text(context, cidr.to_string()),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn to_duration(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Duration(d)] => Ok(Value::Duration(*d)),
        [Value::String(s)] => {
            let nanoseconds =
                time::parse_duration(s).ok_or_else(|| unreadable("google.protobuf.Duration"))?;
            Ok(Value::Duration(Duration { nanoseconds }))
        }
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn to_timestamp(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Timestamp(t)] => Ok(Value::Timestamp(*t)),
        [Value::Int(seconds)] => {
            Timestamp::new(*seconds, 0, 0).map(Value::Timestamp).ok_or(time::OUT_OF_RANGE)
        }
        [Value::String(s)] => timestamp(s).map(Value::Timestamp),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

/// `timestamp("…")`.
pub(in crate::cel) fn timestamp(text: &str) -> Result<Timestamp, EvalError> {
    time::parse_timestamp(text)
        .ok_or_else(|| unreadable("google.protobuf.Timestamp"))?
        .ok_or(time::OUT_OF_RANGE)
}
