//! How attributes are written and strictly read back. Knows types of values, not spans.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::hash::Hash;
use crate::jcs::MAX_SAFE_INTEGER;
use crate::name::Name;
use crate::time::Timestamp;

/// An attribute that may not be written, or was read and is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttrError {
    /// No span of this name exists in version 1.
    UnknownSpan {
        /// The name, cut to 64 characters.
        span: String,
    },
    /// Not an attribute of this span.
    Unknown {
        /// The attribute, cut to 64 characters.
        attribute: String,
    },
    /// Required and absent.
    Missing {
        /// The attribute.
        attribute: &'static str,
    },
    /// Present, of another type or outside its values.
    Value {
        /// The attribute.
        attribute: String,
    },
    /// An integer beyond ±(2^53−1).
    Range {
        /// What was to be written.
        found: i128,
    },
    /// Two attributes contradict each other.
    Contradiction {
        /// The attribute.
        attribute: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// More than [`AppAttrs::MAX`] attributes of a tool's own.
    TooMany,
}

impl AttrError {
    /// What must stand there, and what stands there.
    pub(crate) fn sides(&self) -> (String, String) {
        match self {
            Self::UnknownSpan { span } => ("a span of format version 1".to_owned(), format!("`{span}`")),
            Self::Unknown { attribute } => {
                ("the attributes that this span has".to_owned(), format!("`{attribute}`"))
            }
            Self::Missing { attribute } => (format!("`{attribute}`"), "no such attribute".to_owned()),
            Self::Value { attribute } => (
                format!("`{attribute}` of its type and with a value that it may have"),
                "another value".to_owned(),
            ),
            Self::Range { found } => ("an integer within ±(2^53-1)".to_owned(), found.to_string()),
            Self::Contradiction { attribute, expected } => {
                (format!("`{attribute}`: {expected}"), "what contradicts another attribute".to_owned())
            }
            Self::TooMany => {
                (format!("at most {} attributes of a tool's own", AppAttrs::MAX), "more".to_owned())
            }
        }
    }
}

impl fmt::Display for AttrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSpan { span } => write!(f, "no span `{span}` in format version 1"),
            Self::Unknown { attribute } => write!(f, "unknown attribute `{attribute}`"),
            Self::Missing { attribute } => write!(f, "attribute `{attribute}` is missing"),
            Self::Value { attribute } => write!(f, "attribute `{attribute}` has a value that is not allowed"),
            Self::Range { found } => write!(f, "{found} is beyond ±(2^53-1); write it as a name"),
            Self::Contradiction { attribute, expected } => {
                write!(f, "attribute `{attribute}` contradicts another: expected it {expected}")
            }
            Self::TooMany => write!(f, "more than {} attributes under `app.`", AppAttrs::MAX),
        }
    }
}

impl std::error::Error for AttrError {}

/// A value that an attribute can have.
pub(crate) trait AttrValue: Sized {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError>;
    fn read_value(value: &Value) -> Option<Self>;
}

/// A field of a span: required, optional, or the group under `app.`.
pub(crate) trait Attr: Sized {
    fn write(&self, key: &'static str, out: &mut AttrWriter<'_>) -> Result<(), AttrError>;
    fn read(map: &mut AttrMap, key: &'static str) -> Result<Self, AttrError>;
}

impl<T: AttrValue> Attr for T {
    fn write(&self, key: &'static str, out: &mut AttrWriter<'_>) -> Result<(), AttrError> {
        self.write_value(out.key(key))
    }

    fn read(map: &mut AttrMap, key: &'static str) -> Result<Self, AttrError> {
        let value = map.0.remove(key).ok_or(AttrError::Missing { attribute: key })?;
        T::read_value(&value).ok_or_else(|| AttrError::Value { attribute: key.to_owned() })
    }
}

impl<T: AttrValue> Attr for Option<T> {
    fn write(&self, key: &'static str, out: &mut AttrWriter<'_>) -> Result<(), AttrError> {
        self.as_ref().map_or(Ok(()), |value| value.write_value(out.key(key)))
    }

    fn read(map: &mut AttrMap, key: &'static str) -> Result<Self, AttrError> {
        match map.0.remove(key) {
            None => Ok(None),
            Some(value) => match T::read_value(&value) {
                Some(value) => Ok(Some(value)),
                None => Err(AttrError::Value { attribute: key.to_owned() }),
            },
        }
    }
}

/// Writes one flat object; the caller gives the keys in canonical order.
pub(crate) struct AttrWriter<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> AttrWriter<'o> {
    pub(crate) fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Keys are ASCII without `"` and `\`, so nothing needs an escape.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.raw_key("", key)
    }

    fn raw_key(&mut self, prefix: &str, key: &str) -> &mut Vec<u8> {
        let before: &[u8] = if self.first { b"\"" } else { b",\"" };
        self.first = false;
        self.out.reserve(before.len() + prefix.len() + key.len() + 2);
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

/// What is left to be read.
pub(crate) struct AttrMap(pub(crate) Map<String, Value>);

impl AttrMap {
    pub(crate) fn finish(self) -> Result<(), AttrError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(AttrError::Unknown { attribute: key.chars().take(64).collect() }),
        }
    }
}

/// Whether ASCII `keys` stand in canonical order, none twice.
pub(crate) const fn sorted(keys: &[&str]) -> bool {
    let mut rest = keys;
    while let [first, tail @ ..] = rest {
        if let [second, ..] = tail
            && !less(first.as_bytes(), second.as_bytes())
        {
            return false;
        }
        rest = tail;
    }
    true
}

const fn less(mut a: &[u8], mut b: &[u8]) -> bool {
    loop {
        match (a, b) {
            (_, []) => return false,
            ([], _) => return true,
            ([x, a_rest @ ..], [y, b_rest @ ..]) => {
                if *x != *y {
                    return *x < *y;
                }
                a = a_rest;
                b = b_rest;
            }
        }
    }
}

pub(crate) fn push_integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

impl AttrValue for bool {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
        Ok(())
    }

    fn read_value(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl AttrValue for u32 {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
        push_integer(out, u64::from(*self));
        Ok(())
    }

    fn read_value(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl AttrValue for u64 {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
        if *self > MAX_SAFE_INTEGER {
            return Err(AttrError::Range { found: i128::from(*self) });
        }
        push_integer(out, *self);
        Ok(())
    }

    fn read_value(value: &Value) -> Option<Self> {
        value.as_u64().filter(|&n| n <= MAX_SAFE_INTEGER)
    }
}

impl AttrValue for Hash {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
        push_text(out, &self.to_hex());
        Ok(())
    }

    fn read_value(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl AttrValue for Name {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
        // A name's alphabet needs no escape.
        push_text(out, self.as_str().as_bytes());
        Ok(())
    }

    fn read_value(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl AttrValue for Timestamp {
    fn write_value(&self, out: &mut Vec<u8>) -> Result<(), AttrError> {
        push_text(out, &self.to_rfc3339());
        Ok(())
    }

    fn read_value(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

/// What stands after `app.`: 1 to 64 characters of `a–z 0–9 . _`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey(String);

impl AppKey {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is empty, longer than 64 characters or has others.
    pub fn new(text: &str) -> Result<Self, AttrError> {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(AttrError::Unknown { attribute: text.chars().take(64).collect() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, without `app.`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a tool may say about itself: no text but the value of a declared enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppValue {
    /// Yes or no.
    Bool(bool),
    /// An integer within ±(2^53−1).
    Int(i64),
    /// The wire name of a declared enumeration's value.
    Declared(Name),
}

/// A tool's own attributes. At most [`AppAttrs::MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppAttrs(BTreeMap<AppKey, AppValue>);

impl AppAttrs {
    /// How many one execution may have.
    pub const MAX: usize = 32;

    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets one, replacing an earlier value.
    ///
    /// # Errors
    /// When there are too many, or an integer lies beyond ±(2^53−1).
    pub fn set(&mut self, key: AppKey, value: AppValue) -> Result<(), AttrError> {
        if let AppValue::Int(n) = value
            && n.unsigned_abs() > MAX_SAFE_INTEGER
        {
            return Err(AttrError::Range { found: i128::from(n) });
        }
        if self.0.len() >= Self::MAX && !self.0.contains_key(&key) {
            return Err(AttrError::TooMany);
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// All of them, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&AppKey, &AppValue)> {
        self.0.iter()
    }
}

impl Attr for AppAttrs {
    fn write(&self, prefix: &'static str, out: &mut AttrWriter<'_>) -> Result<(), AttrError> {
        for (key, value) in &self.0 {
            let out = out.raw_key(prefix, &key.0);
            match value {
                AppValue::Bool(value) => value.write_value(out)?,
                AppValue::Declared(name) => name.write_value(out)?,
                AppValue::Int(value) => {
                    if *value < 0 {
                        out.push(b'-');
                    }
                    value.unsigned_abs().write_value(out)?;
                }
            }
        }
        Ok(())
    }

    fn read(map: &mut AttrMap, prefix: &'static str) -> Result<Self, AttrError> {
        let mut attrs = Self::new();
        let keys: Vec<String> = map.0.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        for key in keys {
            let wrong = || AttrError::Value { attribute: key.chars().take(68).collect() };
            let value = match map.0.remove(&key) {
                Some(Value::Bool(value)) => AppValue::Bool(value),
                Some(Value::Number(n)) => AppValue::Int(n.as_i64().ok_or_else(wrong)?),
                Some(Value::String(text)) => AppValue::Declared(text.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            };
            attrs.set(AppKey::new(key.strip_prefix(prefix).unwrap_or_default())?, value)?;
        }
        Ok(attrs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_they_are() {
        for n in [0, 7, 10, 4_294_967_296, MAX_SAFE_INTEGER] {
            let mut out = Vec::new();
            n.write_value(&mut out).unwrap();
            assert_eq!(out, n.to_string().as_bytes());
        }
        assert_eq!(
            (MAX_SAFE_INTEGER + 1).write_value(&mut Vec::new()),
            Err(AttrError::Range { found: 1 << 53 })
        );
    }

    #[test]
    fn a_tool_cannot_reach_beyond_its_own_attributes() {
        for wrong in ["", "fuze tool", "Ä", "A", "x\"", "x\":1,\"fuze.tool.outcome", &"x".repeat(65)] {
            assert!(AppKey::new(wrong).is_err(), "{wrong}");
        }
        let mut attrs = AppAttrs::new();
        for n in 0..AppAttrs::MAX {
            attrs.set(AppKey::new(&format!("k{n}")).unwrap(), AppValue::Bool(true)).unwrap();
        }
        let more = AppKey::new("more").unwrap();
        assert_eq!(attrs.set(more, AppValue::Bool(true)), Err(AttrError::TooMany));
        assert!(attrs.set(AppKey::new("k0").unwrap(), AppValue::Int(i64::MIN)).is_err());
    }

    #[test]
    fn order_of_keys_is_that_of_their_octets() {
        assert!(sorted(&["app.", "fuze.a", "fuze.a.b", "fuze.a_b", "gen"]));
        assert!(!sorted(&["a", "a"]));
        assert!(!sorted(&["ab", "a"]));
    }
}
