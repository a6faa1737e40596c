//! Base64 and JSON.

use std::fmt::Write;

use super::{Computed, Context, Native, numbers, text, time};
use crate::cel::budget::Budget;
use crate::cel::error::EvalError;
use crate::cel::map::{Key, Map};
use crate::cel::signatures::Line;
use crate::cel::value::Value;

pub(super) const LINES: &[Line] = &[
    ("base64.decode", &["(string) bytes"], Native::Eager(decode_base64)),
    ("base64.encode", &["(bytes) string"], Native::Eager(encode_base64)),
    ("json.encode", &["(dyn) string"], Native::Eager(encode_json)),
];

/// What a part of JSON takes, without its text: the size of a `serde_json::Value` whatever its features are, which another crate of the
/// build can switch on. What a condition costs must not depend on that.
const JSON_BYTES: u64 = 72;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = ALPHABET.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// Go's standard decoding: with padding or without, line ends ignored, bits left over ignored.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    let digits = text.get(..text.len() - padding)?;
    let padded = padding > 0;
    if padding > 2 || padded && !text.len().is_multiple_of(4) || digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut bits: u32 = 0;
        for at in 0..4 {
            let value = match chunk.get(at) {
                Some(digit) => ALPHABET.iter().position(|candidate| candidate == digit)?,
                None => 0,
            };
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        out.extend(bytes.into_iter().take(chunk.len() - 1));
    }
    Some(out)
}

fn decode_base64(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(s)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.grow(s.len() as u64)?;
    let bytes = from_base64(s).ok_or_else(|| EvalError::failed("illegal base64 data"))?;
    Ok(Value::Bytes(bytes.into()))
}

fn encode_base64(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::Bytes(bytes)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    context.budget.grow(bytes.len() as u64 * 2)?;
    text(context, base64(bytes))
}

fn encode_json(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [value] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let json = to_json(value, context.budget)?;
    let mut out = String::new();
    write_json(&mut out, &json);
    text(context, out)
}

/// The value as a protocol buffer `Value`, which is what Cerbos makes JSON of.
pub(in crate::cel) fn to_json(value: &Value, budget: &mut Budget) -> Result<serde_json::Value, EvalError> {
    budget.grow(JSON_BYTES)?;
    match value {
        Value::Null => Ok(serde_json::Value::Null),
        Value::Optional(None) => Err(EvalError::failed("optional.none() dereference")),
        Value::Bool(b) => Ok(serde_json::Value::Bool(*b)),
        // Integers that doubles cannot hold are text.
        Value::Int(i) if i.unsigned_abs() < 1 << 53 => number(*i as f64),
        Value::Int(i) => string(i.to_string(), budget),
        Value::Uint(u) if *u < 1 << 53 => number(*u as f64),
        Value::Uint(u) => string(u.to_string(), budget),
        Value::Double(d) => number(*d),
        Value::String(s) => string(s.to_string(), budget),
        Value::Bytes(b) => string(base64(b), budget),
        Value::Timestamp(t) => string(time::format_timestamp(*t), budget),
        Value::Duration(d) => string(time::format_duration(*d), budget),
        Value::Optional(Some(value)) => to_json(value, budget),
        Value::List(items) => items
            .iter()
            .map(|item| to_json(item, budget))
            .collect::<Result<_, _>>()
            .map(serde_json::Value::Array),
        Value::Map(map) => object(map, budget),
        Value::Object(message) => object(&message.fields, budget),
        Value::Type(_) | Value::Ip(_) | Value::Cidr(_) | Value::Hierarchy(_) | Value::Spiffe(_) => {
            Err(EvalError::failed(format!("type conversion not supported for '{}'", value.type_of().name())))
        }
    }
}

fn string(text: String, budget: &mut Budget) -> Result<serde_json::Value, EvalError> {
    budget.grow(text.len() as u64)?;
    Ok(serde_json::Value::String(text))
}

fn number(d: f64) -> Result<serde_json::Value, EvalError> {
    serde_json::Number::from_f64(d)
        .map(serde_json::Value::Number)
        .ok_or_else(|| EvalError::failed("JSON has no form for infinite numbers and NaN"))
}

fn object(map: &Map, budget: &mut Budget) -> Result<serde_json::Value, EvalError> {
    let mut fields = serde_json::Map::new();
    for (key, value) in map.iter() {
        let Key::String(key) = key else {
            let kind = key.to_value().type_of().name();
            return Err(EvalError::failed(format!("unsupported type conversion from '{kind}' to string")));
        };
        budget.grow(key.len() as u64)?;
        fields.insert(key.to_string(), to_json(value, budget)?);
    }
    Ok(serde_json::Value::Object(fields))
}

/// JSON as Go writes it: fit for HTML, whole doubles without point.
fn write_json(out: &mut String, json: &serde_json::Value) {
    match json {
        serde_json::Value::Null => out.push_str("null"),
        serde_json::Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        serde_json::Value::Number(n) => out.push_str(&numbers::json(n.as_f64().unwrap_or_default())),
        serde_json::Value::String(s) => write_text(out, s),
        serde_json::Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_json(out, item);
            }
            out.push(']');
        }
        serde_json::Value::Object(fields) => {
            // In the order of the keys, whatever the map keeps.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_text(out, key);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
