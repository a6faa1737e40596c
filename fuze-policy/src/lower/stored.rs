//! The flat form as bytes, which a build script puts into a program.
//!
//! Whole numbers are little-endian and of fixed width, a text or a list begins with how many octets or items it has, an enumeration with a
//! number for the variant. What is read is held against what can be there; a length that does not fit gives nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use crate::cel::{BinaryOp, Cidr, FoldKind, Key, Map, Pattern, Value, range};
use crate::cerbos;
use crate::decision::{Obligation, RuleId};

use super::value::Ref;

/// What is left to read.
pub(super) struct Reader<'b> {
    left: &'b [u8],
    /// How much deeper values may stand in values.
    depth: u32,
}

/// Deeper than conditions and literals of a policy can be, and far from what a stack holds.
const DEEPEST: u32 = 500;

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { left: bytes, depth: DEEPEST }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, left) = self.left.split_at_checked(count)?;
        self.left = left;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// How many items follow, each of at least one octet.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(u32::read(self)?).ok()?;
        (count <= self.left.len()).then_some(count)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth = self.depth.checked_sub(1)?;
        let value = read(self);
        self.depth += 1;
        value
    }
}

/// What the flat form is made of.
pub(super) trait Stored: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// `None` for what nothing was written as.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// Writes and reads the fields of a structure, or a variant's number and its fields, in one order.
macro_rules! stored {
    (struct $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::lower::stored::Stored for $name {
            fn write(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($crate::lower::stored::Stored::write($field, out);)*
            }

            fn read(from: &mut $crate::lower::stored::Reader<'_>) -> Option<Self> {
                $(let $field = $crate::lower::stored::Stored::read(from)?;)*
                Some(Self { $($field),* })
            }
        }
    };
    (enum $name:ident { $($number:literal: $variant:ident { $($index:tt: $field:ident),* }),* $(,)? }) => {
        impl $crate::lower::stored::Stored for $name {
            fn write(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($index: $field),* } => {
                        out.push($number);
                        $($crate::lower::stored::Stored::write($field, out);)*
                    })*
                }
            }

            fn read(from: &mut $crate::lower::stored::Reader<'_>) -> Option<Self> {
                Some(match <u8 as $crate::lower::stored::Stored>::read(from)? {
                    $($number => {
                        $(let $field = $crate::lower::stored::Stored::read(from)?;)*
                        Self::$variant { $($index: $field),* }
                    })*
                    _ => return None,
                })
            }
        }
    };
}
pub(super) use stored;

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Stored for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(from: &mut Reader<'_>) -> Option<Self> {
                from.array().map(Self::from_le_bytes)
            }
        }
    )*};
}
numbers!(u8, u32, u64, i64);

impl Stored for usize {
    fn write(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from)?.try_into().ok()
    }
}

impl Stored for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_bits().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from).map(Self::from_bits)
    }
}

impl Stored for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn read_text<'b>(from: &mut Reader<'b>) -> Option<&'b str> {
    let count = from.count()?;
    std::str::from_utf8(from.take(count)?).ok()
}

/// Nothing of a policy has 2³² parts: its files are far smaller.
fn write_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count).unwrap_or(u32::MAX).write(out);
}

impl Stored for Arc<str> {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        read_text(from).map(Into::into)
    }
}

impl Stored for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        read_text(from).map(Into::into)
    }
}

impl<T: Stored> Stored for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_count(self.len(), out);
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let count = from.count()?;
        from.deeper(|from| (0..count).map(|_| T::read(from)).collect())
    }
}

impl<T: Stored> Stored for [T; 2] {
    fn write(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some([T::read(from)?, T::read(from)?])
    }
}

impl<T: Stored> Stored for Arc<T> {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        T::read(from).map(Arc::new)
    }
}

/// In the order of the keys, so that the same policies are the same bytes.
impl<K: Stored + Ord + Hash, V: Stored> Stored for HashMap<K, V> {
    fn write(&self, out: &mut Vec<u8>) {
        write_count(self.len(), out);
        for (key, value) in self.iter().collect::<BTreeMap<_, _>>() {
            key.write(out);
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Vec::<(K, V)>::read(from).map(Self::from_iter)
    }
}

impl<T: Stored + Ord + Hash> Stored for HashSet<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_count(self.len(), out);
        self.iter().collect::<BTreeSet<_>>().into_iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Vec::<T>::read(from).map(Self::from_iter)
    }
}

impl<T: Stored + Ord> Stored for BTreeSet<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_count(self.len(), out);
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Vec::<T>::read(from).map(Self::from_iter)
    }
}

stored!(struct Obligation { approvers, may_approve, trainings, deadline_seconds });

impl Stored for RuleId {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self.as_str(), out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        read_text(from).map(Self::new)
    }
}

impl Stored for cerbos::Pattern {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self.as_str(), out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Self::new(read_text(from)?).ok()
    }
}

impl Stored for Pattern {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self.source(), out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Self::compile(read_text(from)?)
    }
}

impl Stored for Cidr {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(&self.to_string(), out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        range(read_text(from)?).ok()
    }
}

stored!(enum FoldKind {
    0: All {}, 1: Exists {}, 2: ExistsOne {}, 3: Filter {}, 4: Map {}, 5: TransformMap {}, 6: TransformMapEntry {}, 7: SortBy {},
});

stored!(enum BinaryOp {
    0: Add {}, 1: Subtract {}, 2: Multiply {}, 3: Divide {}, 4: Modulo {}, 5: Equal {}, 6: NotEqual {}, 7: Less {}, 8: LessEqual {},
    9: Greater {}, 10: GreaterEqual {}, 11: In {},
});

stored!(enum Key { 0: Bool { 0: value }, 1: Int { 0: value }, 2: Uint { 0: value }, 3: Double { 0: value }, 4: String { 0: value } });

/// A literal of the flat form: of the kinds alone that it can look at.
#[derive(Clone, Debug)]
pub(super) struct Plain(Value);

impl Plain {
    /// `None` for what the flat form leaves to the interpreter.
    pub(super) fn new(value: Value) -> Option<Self> {
        is_plain(&value).then_some(Self(value))
    }

    pub(super) fn value(&self) -> &Value {
        &self.0
    }
}

/// Whether the flat form can look at a value and at all that is in it.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().all(is_plain),
        Value::Map(map) => map.iter().all(|(_, value)| is_plain(value)),
        scalar => Ref::of(scalar).is_ok(),
    }
}

impl Stored for Plain {
    fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Value::Bool(value) => (1_u8, *value).write(out),
            Value::Int(value) => (2_u8, *value).write(out),
            Value::Uint(value) => (3_u8, *value).write(out),
            Value::Double(value) => (4_u8, *value).write(out),
            Value::String(value) => (5_u8, Arc::clone(value)).write(out),
            Value::List(items) => {
                let items: Vec<Plain> = items.iter().cloned().map(Plain).collect();
                (6_u8, items).write(out);
            }
            Value::Map(map) => {
                let entries: Vec<_> =
                    map.iter().map(|(key, value)| (key.clone(), Plain(value.clone()))).collect();
                (7_u8, entries).write(out);
            }
            // And what is not plain, which `new` keeps out.
            _ => 0_u8.write(out),
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self(match u8::read(from)? {
            0 => Value::Null,
            1 => Value::Bool(Stored::read(from)?),
            2 => Value::Int(Stored::read(from)?),
            3 => Value::Uint(Stored::read(from)?),
            4 => Value::Double(Stored::read(from)?),
            5 => Value::String(Stored::read(from)?),
            6 => Value::List(Vec::<Plain>::read(from)?.into_iter().map(|item| item.0).collect()),
            7 => {
                let entries: Vec<(Key, Plain)> = Stored::read(from)?;
                let entries = entries.into_iter().map(|(key, value)| (key, value.0)).collect();
                Value::Map(Arc::new(Map::new(entries)))
            }
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests;
