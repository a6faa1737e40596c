//! Finds what must not stay readable even in encrypted content, and replaces it by marks. The only source of [`Redacted`].
//!
//! A mark is a keyed hash of what it replaces, so two different originals never become the same text and nobody without the
//! run's redaction key can guess one. Redaction finds patterns; it does not understand text, and is no anonymisation.

mod detect;
mod secret;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value};

use crate::crypto::{self, Secret};
use crate::jcs;
use crate::keys::RunKeys;

pub use detect::{Bearer, Card, Email, Iban, Jwt};
use secret::Secrets;

/// Finds one kind of thing in text, in time linear in its length.
pub trait Detector: Send + Sync {
    /// The kind, as it stands in marks: lowercase letters, digits and `_`.
    fn name(&self) -> &'static str;

    /// The octet ranges where it stands. Ranges that are empty, out of bounds or not on character borders are ignored.
    fn find(&self, text: &str) -> Vec<Range<usize>>;
}

/// A value that may be committed to. Comes from [`Redactor::redact`] and from nowhere else.
pub struct Redacted(Value);

impl Redacted {
    /// What is left.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redacted")
    }
}

/// What stands for a secret's value.
pub const SECRET_MARK: &str = "[secret]";

/// What redacted values that differ in nothing but what stands in their marks beside the kind, which differs from run to run, have in
/// common: a value to be compared with others like it.
pub(crate) fn by_kind(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text_by_kind(text)),
        Value::Array(elements) => elements.iter().map(by_kind).collect(),
        Value::Object(members) => {
            // A list, because names that differ in what was taken alone come to the same.
            let mut named: Vec<Value> = members
                .iter()
                .map(|(name, value)| Value::from(vec![Value::from(text_by_kind(name)), by_kind(value)]))
                .collect();
            named.sort_by_cached_key(Value::to_string);
            Value::Object(Map::from_iter([("members".to_owned(), Value::Array(named))]))
        }
        plain => plain.clone(),
    }
}

fn text_by_kind(text: &str) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for range in detect::marks(text) {
        let kind = text.get(range.clone()).and_then(|mark| mark.split_once(':')).map_or("", |(kind, _)| kind);
        out.push_str(text.get(done..range.start).unwrap_or_default());
        // Still a mark: a redacted text has nothing else that looks like one.
        out.push_str(kind);
        out.push_str(":AAAAAAAAAAAAAAAAAAAAAA]");
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// Replaces personal identifiers and secrets in values, under one run's redaction key.
pub struct Redactor {
    key: Secret,
    detectors: Vec<Arc<dyn Detector>>,
    secrets: Secrets,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.detectors.iter().map(|d| d.name())).finish()
    }
}

impl Redactor {
    /// With the built-in detectors: e-mail, IBAN, payment card, JSON Web Token, bearer token.
    #[must_use]
    pub fn new(keys: &RunKeys) -> Self {
        Self {
            key: keys.redaction().clone(),
            detectors: vec![Arc::new(Email), Arc::new(Iban), Arc::new(Card), Arc::new(Jwt), Arc::new(Bearer)],
            secrets: Secrets::default(),
        }
    }

    /// Also looks for what `detector` finds.
    #[must_use]
    pub fn with_detector(mut self, detector: Arc<dyn Detector>) -> Self {
        self.detectors.push(detector);
        self
    }

    /// Also replaces these exact values, raw and in their base64, hex, percent-encoded and JSON-escaped forms. Empty values are
    /// ignored.
    #[must_use]
    pub fn with_secrets(mut self, secrets: &[&[u8]]) -> Self {
        for secret in secrets {
            self.secrets.add(secret);
        }
        self
    }

    /// Redacts strings, object keys and numbers at every depth.
    #[must_use]
    pub fn redact(&self, value: Value) -> Redacted {
        Redacted(self.value(value, &|text| self.text(text)))
    }

    /// Redacts one text.
    #[must_use]
    pub fn redact_text(&self, text: &str) -> Redacted {
        Redacted(Value::String(self.text(text).unwrap_or_else(|| text.to_owned())))
    }

    /// Replaces only the values of secrets: for what a model gets to see.
    #[must_use]
    pub fn scrub_secrets(&self, value: Value) -> Value {
        if self.secrets.is_empty() { value } else { self.value(value, &|text| self.secrets.scrub(text)) }
    }

    fn value(&self, value: Value, redact: &dyn Fn(&str) -> Option<String>) -> Value {
        match value {
            Value::String(text) => Value::String(redact(&text).unwrap_or(text)),
            Value::Number(number) => {
                // A card number or a secret may come as a number. Whole floats are spelt as integers.
                let text = match number.as_f64() {
                    Some(n) if n.fract() == 0.0 && n.abs() < 1e19 && !number.is_i64() && !number.is_u64() => {
                        format!("{n}")
                    }
                    _ => number.to_string(),
                };
                redact(&text).map_or(Value::Number(number), Value::String)
            }
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.value(item, redact)).collect())
            }
            Value::Object(mut members) if members.keys().all(|key| redact(key).is_none()) => {
                for member in members.values_mut() {
                    *member = self.value(member.take(), redact);
                }
                Value::Object(members)
            }
            Value::Object(members) => {
                let mut out = Map::new();
                for (key, member) in members {
                    let member = self.value(member, redact);
                    let key = redact(&key).unwrap_or(key);
                    // Two keys that were different secrets: neither may push the other out.
                    let mut free = key.clone();
                    let mut number = 2_u64;
                    while out.contains_key(&free) {
                        free = format!("{key}~{number}");
                        number += 1;
                    }
                    out.insert(free, member);
                }
                Value::Object(out)
            }
            plain @ (Value::Null | Value::Bool(_)) => plain,
        }
    }

    /// `None` when there is nothing to replace.
    fn text(&self, text: &str) -> Option<String> {
        let scrubbed = if self.secrets.is_empty() { None } else { self.secrets.scrub(text) };
        let current = scrubbed.as_deref().unwrap_or(text);
        let mut finds: Vec<(Range<usize>, &'static str)> =
            detect::marks(current).into_iter().map(|range| (range, "mark")).collect();
        for detector in &self.detectors {
            let name = detector.name();
            let found = detector.find(current).into_iter();
            finds.extend(
                found
                    .filter(|range| !range.is_empty() && current.get(range.clone()).is_some())
                    .map(|r| (r, name)),
            );
        }
        if finds.is_empty() {
            return scrubbed;
        }
        finds.sort_by(|(a, _), (b, _)| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        let mut out = String::with_capacity(current.len() + 32);
        let mut done = 0;
        let mut finds = finds.into_iter().peekable();
        while let Some((mut range, kind)) = finds.next() {
            // Overlapping finds become one, so that no tail of the second stays behind.
            while let Some((next, _)) = finds.next_if(|(next, _)| next.start < range.end) {
                range.end = range.end.max(next.end);
            }
            out.push_str(current.get(done..range.start).unwrap_or_default());
            self.push_mark(&mut out, kind, current.get(range.clone()).unwrap_or_default());
            done = range.end;
        }
        out.push_str(current.get(done..).unwrap_or_default());
        Some(out)
    }

    fn push_mark(&self, out: &mut String, kind: &str, original: &str) {
        let message = jcs::to_vec(&(kind, original)).unwrap_or_default();
        let tag = crypto::hmac(&self.key, &[&message]);
        let short =
            tag.first_chunk::<16>().map_or_else(String::new, |short| Base64UrlUnpadded::encode_string(short));
        out.push('[');
        out.push_str(kind);
        out.push(':');
        out.push_str(&short);
        out.push(']');
    }
}
