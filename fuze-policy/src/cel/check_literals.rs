//! Literals that can never be what a function wants, which Cerbos refuses when it compiles a policy.

use super::functions::{convert, format as formatting, net, regexes, time};
use super::raw::{Node, Raw};
use super::value::{Timestamp, Type, Value};

/// Why the first argument in parentheses can never be what the function wants.
///
/// As in cel-go that is the text of `matches(text, pattern)`, and the pattern of `text.matches(pattern)`.
pub(super) fn argument(function: &str, node: &Node) -> Option<String> {
    match (function, &node.raw) {
        ("duration" | "timestamp", Raw::Literal(Value::Null)) => Some(format!("`null` is no {function}")),
        ("duration", Raw::Literal(Value::String(text))) => {
            let wrong = time::parse_duration(text).is_none();
            wrong.then(|| format!("`{text}` is no duration: write `90m`, `1h30m`, `1.5s`"))
        }
        ("timestamp", Raw::Literal(Value::String(text))) => {
            let wrong = convert::timestamp(text).is_err();
            wrong.then(|| format!("`{text}` is no timestamp: write `2026-01-31T12:00:00Z`"))
        }
        ("timestamp", Raw::Literal(Value::Int(seconds))) => {
            let wrong = Timestamp::new(*seconds, 0, 0).is_none();
            wrong.then(|| format!("{seconds} seconds are outside of the years 1 to 9999"))
        }
        ("matches", Raw::Literal(Value::String(text))) => {
            regexes::compile(text).err().map(|why| format!("`{text}` is no pattern: {why}"))
        }
        ("ip", Raw::Literal(Value::String(text))) => {
            net::address(text).is_err().then(|| format!("`{text}` is no IP address"))
        }
        ("cidr", Raw::Literal(Value::String(text))) => {
            let wrong = net::range(text).is_err();
            wrong.then(|| format!("`{text}` is no range of IP addresses: write `10.0.0.0/8`"))
        }
        _ => None,
    }
}

/// Why a literal pattern and a literal list of values of these types cannot be formatted.
pub(super) fn format(
    pattern: &Node,
    values: &Node,
    types: impl Iterator<Item = Option<Type>>,
) -> Option<String> {
    match (&pattern.raw, &values.raw) {
        (Raw::Literal(Value::String(pattern)), Raw::List(_)) => {
            formatting::check(pattern, &types.collect::<Vec<_>>()).err()
        }
        _ => None,
    }
}
