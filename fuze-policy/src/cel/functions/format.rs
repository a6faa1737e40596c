//! `"…".format([…])`.

use std::fmt::Write;

use super::{Computed, Context, numbers, time};
use crate::cel::error::EvalError;
use crate::cel::map::Map;
use crate::cel::value::{Timestamp, Type, Value};

/// Digits after the point unless told otherwise.
const PRECISION: usize = 6;
/// Digits after the point at most.
const MAX_PRECISION: usize = 100;

pub(super) fn format(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(pattern), Value::List(values)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = &**pattern;
    while let Some((plain, after)) = rest.split_once('%') {
        grow(context, &mut out, plain)?;
        if let Some(after) = after.strip_prefix('%') {
            grow(context, &mut out, "%")?;
            rest = after;
            continue;
        }
        let value = values.next().ok_or_else(|| EvalError::failed("index out of range"))?;
        if after.is_empty() {
            return Err(EvalError::failed("unexpected end of string"));
        }
        let (clause, after) = clause(after)?;
        clause.write(context, &mut out, value)?;
        rest = after;
    }
    grow(context, &mut out, rest)?;
    Ok(Value::String(out.into()))
}

/// Whether the pattern and values of these types, where they are known, fit together.
pub(in crate::cel) fn check(pattern: &str, kinds: &[Option<Type>]) -> Result<(), String> {
    let mut left = kinds.iter();
    let mut rest = pattern;
    while let Some((_, after)) = rest.split_once('%') {
        if let Some(after) = after.strip_prefix('%') {
            rest = after;
            continue;
        }
        let kind =
            left.next().ok_or_else(|| format!("`{pattern}` takes more than {} values", kinds.len()))?;
        let (clause, after) = clause(after).map_err(|error| error.to_string())?;
        if let Some(kind) = kind.filter(|kind| !clause.takes(*kind)) {
            return Err(format!("`%{}` cannot be used with {}", clause.verb, kind.name()));
        }
        rest = after;
    }
    match left.len() {
        0 => Ok(()),
        more => Err(format!("`{pattern}` has no place for {more} of the values")),
    }
}

fn grow(context: &mut Context<'_>, out: &mut String, text: &str) -> Result<(), EvalError> {
    context.budget.grow(text.len() as u64)?;
    out.push_str(text);
    Ok(())
}

struct Clause {
    verb: char,
    precision: usize,
}

fn clause(text: &str) -> Result<(Clause, &str), EvalError> {
    let (precision, rest) = match text.strip_prefix('.') {
        None => (PRECISION, text),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let end = end.ok_or_else(|| EvalError::failed("could not find end of precision specifier"))?;
            let (digits, rest) = rest.split_at_checked(end).unwrap_or_default();
            let precision = digits.parse().ok().filter(|p: &usize| *p <= MAX_PRECISION);
            (
                precision.ok_or_else(|| {
                    EvalError::failed(format!("`{digits}` is no precision up to {MAX_PRECISION}"))
                })?,
                rest,
            )
        }
    };
    let mut characters = rest.chars();
    let verb = characters.next().unwrap_or_default();
    if !matches!(verb, 's' | 'd' | 'f' | 'e' | 'b' | 'x' | 'X' | 'o') {
        return Err(EvalError::failed(format!("unrecognized formatting clause \"{verb}\"")));
    }
    Ok((Clause { verb, precision }, characters.as_str()))
}

impl Clause {
    /// Whether values of this type can be written so.
    fn takes(&self, kind: Type) -> bool {
        match self.verb {
            'd' | 'f' | 'e' => matches!(kind, Type::Int | Type::Uint | Type::Double),
            'b' => matches!(kind, Type::Bool | Type::Int | Type::Uint),
            'o' => matches!(kind, Type::Int | Type::Uint),
            'x' | 'X' => matches!(kind, Type::Int | Type::Uint | Type::String | Type::Bytes),
            _ => matches!(
                kind,
                Type::Null
                    | Type::Bool
                    | Type::Int
                    | Type::Uint
                    | Type::Double
                    | Type::String
                    | Type::Bytes
                    | Type::List
                    | Type::Map
                    | Type::Timestamp
                    | Type::Duration
                    | Type::Type
            ),
        }
    }

    fn write(&self, context: &mut Context<'_>, out: &mut String, value: &Value) -> Result<(), EvalError> {
        let wrong = || {
            let kind = value.type_of().name();
            EvalError::failed(format!("error during formatting: `%{}` cannot be used with {kind}", self.verb))
        };
        let text = match self.verb {
            's' => return plain(context, out, value),
            'd' => decimal(value).ok_or_else(wrong)?,
            'f' => self.float(value, numbers::fixed).ok_or_else(wrong)?,
            'e' => self.float(value, numbers::scientific).ok_or_else(wrong)?,
            'b' => match value {
                Value::Bool(b) => u8::from(*b).to_string(),
                Value::Int(i) => signed(*i, |u| format!("{u:b}")),
                Value::Uint(u) => format!("{u:b}"),
                _ => return Err(wrong()),
            },
            'o' => match value {
                Value::Int(i) => signed(*i, |u| format!("{u:o}")),
                Value::Uint(u) => format!("{u:o}"),
                _ => return Err(wrong()),
            },
            upper => {
                let hex = hex(value).ok_or_else(wrong)?;
                if upper == 'X' { hex.to_ascii_uppercase() } else { hex }
            }
        };
        grow(context, out, &text)
    }

    #[expect(clippy::cast_precision_loss, reason = "as cel-go converts")]
    fn float(&self, value: &Value, write: fn(f64, usize) -> String) -> Option<String> {
        let d = match value {
            Value::Int(i) => *i as f64,
            Value::Uint(u) => *u as f64,
            Value::Double(d) => *d,
            _ => return None,
        };
        Some(special(d).map_or_else(|| write(d, self.precision), str::to_owned))
    }
}

fn special(d: f64) -> Option<&'static str> {
    numbers::special(d, "Infinity", "-Infinity")
}

fn decimal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => u.to_string(),
        Value::Double(d) => special(*d).map_or_else(|| numbers::plain(*d), str::to_owned),
        _ => return None,
    })
}

/// Go writes the sign and the digits of what is left.
fn signed(i: i64, digits: fn(u64) -> String) -> String {
    let sign = if i < 0 { "-" } else { "" };
    format!("{sign}{}", digits(i.unsigned_abs()))
}

fn hex(value: &Value) -> Option<String> {
    let bytes = |bytes: &[u8]| {
        bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, b| {
            // Writing to a string cannot fail.
            let _ = write!(out, "{b:02x}");
            out
        })
    };
    Some(match value {
        Value::Int(i) => signed(*i, |u| format!("{u:x}")),
        Value::Uint(u) => format!("{u:x}"),
        Value::String(s) => bytes(s.as_bytes()),
        Value::Bytes(b) => bytes(b),
        _ => return None,
    })
}

/// `%s`. Recurses no deeper than the value is nested.
fn plain(context: &mut Context<'_>, out: &mut String, value: &Value) -> Result<(), EvalError> {
    context.budget.step(1)?;
    match value {
        Value::Null => grow(context, out, "null"),
        Value::Bool(b) => grow(context, out, if *b { "true" } else { "false" }),
        Value::String(s) => grow(context, out, s),
        Value::Bytes(b) => grow(context, out, &String::from_utf8_lossy(b)),
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => {
            grow(context, out, &decimal(value).unwrap_or_default())
        }
        Value::Duration(d) => grow(context, out, &time::format_duration(*d)),
        Value::Timestamp(t) => {
            grow(context, out, &time::format_timestamp(Timestamp { offset_seconds: 0, ..*t }))
        }
        Value::Type(ty) => grow(context, out, ty.name()),
        Value::List(items) => {
            grow(context, out, "[")?;
            for (at, item) in items.iter().enumerate() {
                grow(context, out, if at > 0 { ", " } else { "" })?;
                plain(context, out, item)?;
            }
            grow(context, out, "]")
        }
        Value::Map(map) => plain_map(context, out, map),
        other => {
            let kind = other.type_of().name();
            Err(EvalError::failed(format!("error during formatting: `%s` cannot be used with {kind}")))
        }
    }
}

/// Entries are in the order of their keys as text.
fn plain_map(context: &mut Context<'_>, out: &mut String, map: &Map) -> Result<(), EvalError> {
    let mut entries = Vec::with_capacity(map.len());
    for (key, value) in map.iter() {
        let (mut key_text, mut value_text) = (String::new(), String::new());
        plain(context, &mut key_text, &key.to_value())?;
        plain(context, &mut value_text, value)?;
        entries.push((key_text, value_text));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let entries: Vec<_> = entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    grow(context, out, &format!("{{{}}}", entries.join(", ")))
}
