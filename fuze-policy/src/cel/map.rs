//! Maps of CEL: keys of five kinds, numbers equal across kinds, always in the same order.

use std::cmp::Ordering;
use std::sync::Arc;

use super::value::Value;

/// A key of a map.
#[derive(Clone, Debug)]
pub enum Key {
    /// `true`, `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double.
    Double(f64),
    /// A string, by far the most frequent.
    String(Arc<str>),
}

impl Key {
    fn rank(&self) -> u8 {
        match self {
            Key::Bool(_) => 0,
            Key::Int(_) => 1,
            Key::Uint(_) => 2,
            Key::Double(_) => 3,
            Key::String(_) => 4,
        }
    }

    /// The key as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Key::Bool(b) => Value::Bool(*b),
            Key::Int(i) => Value::Int(*i),
            Key::Uint(u) => Value::Uint(*u),
            Key::Double(d) => Value::Double(*d),
            Key::String(s) => Value::String(Arc::clone(s)),
        }
    }

    /// The value as a key, unless its kind cannot be one.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Key> {
        match value {
            Value::Bool(b) => Some(Key::Bool(*b)),
            Value::Int(i) => Some(Key::Int(*i)),
            Value::Uint(u) => Some(Key::Uint(*u)),
            // As Go compares: the two zeros are one key.
            Value::Double(d) => Some(Key::Double(if *d == 0.0 { 0.0 } else { *d })),
            Value::String(s) => Some(Key::String(Arc::clone(s))),
            _ => None,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Key::Bool(a), Key::Bool(b)) => a.cmp(b),
            (Key::Int(a), Key::Int(b)) => a.cmp(b),
            (Key::Uint(a), Key::Uint(b)) => a.cmp(b),
            (Key::Double(a), Key::Double(b)) => a.total_cmp(b),
            (Key::String(a), Key::String(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

/// An immutable map, ordered by key.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// INVARIANT: sorted by key, no key twice.
    entries: Vec<(Key, Value)>,
}

impl Map {
    /// A map of the entries; of entries with the same key the last one counts.
    #[must_use]
    pub fn new(mut entries: Vec<(Key, Value)>) -> Self {
        // Stable, so that after the reversal the last of equal keys comes first and survives.
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, first| later.0 == first.0);
        Map { entries }
    }

    /// Puts an entry in, in the place of one with the same key.
    pub(crate) fn insert(&mut self, key: Key, value: Value) {
        match self.entries.binary_search_by(|(candidate, _)| candidate.cmp(&key)) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The value under a string key.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<&Value> {
        let found = self.entries.binary_search_by(|(candidate, _)| match candidate {
            Key::String(s) => (**s).cmp(key),
            _ => Ordering::Less,
        });
        found.ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// The value under a key, numbers being equal across their kinds.
    #[must_use]
    pub fn get(&self, key: &Value) -> Option<&Value> {
        let key = match key {
            Value::String(s) => return self.get_str(s),
            other => Key::from_value(other)?,
        };
        self.exact(&key).or_else(|| match key {
            Key::Double(d) => lossless_i64(d)
                .and_then(|i| self.exact(&Key::Int(i)))
                .or_else(|| lossless_u64(d).and_then(|u| self.exact(&Key::Uint(u)))),
            Key::Int(i) => u64::try_from(i).ok().and_then(|u| self.exact(&Key::Uint(u))),
            Key::Uint(u) => i64::try_from(u).ok().and_then(|i| self.exact(&Key::Int(i))),
            Key::Bool(_) | Key::String(_) => None,
        })
    }

    /// Whether this very key is there, numbers of other kinds aside.
    pub(super) fn has_exactly(&self, key: &Key) -> bool {
        self.exact(key).is_some()
    }

    fn exact(&self, key: &Key) -> Option<&Value> {
        let at = self.entries.binary_search_by(|(candidate, _)| candidate.cmp(key)).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }
}

impl FromIterator<(Key, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(entries: I) -> Self {
        Map::new(entries.into_iter().collect())
    }
}

impl<'a> FromIterator<(&'a str, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (&'a str, Value)>>(entries: I) -> Self {
        entries.into_iter().map(|(key, value)| (Key::String(key.into()), value)).collect()
    }
}

/// 2⁶³, the least double that no `i64` holds.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
/// 2⁶⁴, the least double that no `u64` holds.
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

/// The double as an `i64` if that loses nothing. As in cel-go, -2⁶³ counts as out of range.
pub(super) fn lossless_i64(d: f64) -> Option<i64> {
    let in_range = d > -TWO_63 && d < TWO_63;
    #[expect(clippy::cast_possible_truncation, reason = "in range and without fraction")]
    (in_range && d.trunc() == d).then_some(d as i64)
}

/// The double as a `u64` if that loses nothing.
fn lossless_u64(d: f64) -> Option<u64> {
    let in_range = (0.0..TWO_64).contains(&d);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range and without fraction"
    )]
    (in_range && d.trunc() == d).then_some(d as u64)
}
