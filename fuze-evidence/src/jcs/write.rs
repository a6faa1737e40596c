//! The writer: a serde serializer that puts canonical octets straight into a buffer. An object whose keys come sorted costs
//! nothing more; one whose keys do not is put in order when it ends.

use std::cmp::Ordering;
use std::fmt::{self, Display};

use serde::ser::{self, Serialize};

use super::key::KeyText;
use super::text::push_string;
use super::{MAX_DEPTH, MAX_SAFE_INTEGER, number, utf16_order};
use crate::span::attr::push_integer;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An integer beyond ±(2^53−1).
    IntegerRange {
        /// The number, as far as it is known.
        found: String,
    },
    /// NaN or an infinity.
    NotFinite,
    /// A double whose canonical form reads as an integer beyond ±(2^53−1).
    FloatRange {
        /// The number.
        found: String,
    },
    /// One key twice in one object.
    DuplicateKey {
        /// The key, cut to 64 characters.
        key: String,
    },
    /// An object key that is neither text, an integer nor a boolean.
    Key,
    /// Deeper than 64.
    Depth,
    /// JSON text that is to be passed through unread.
    Raw,
    /// What a `Serialize` implementation says.
    Message(String),
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IntegerRange { found } => {
                write!(f, "integer {found} is beyond ±(2^53-1); write it as a string")
            }
            Self::NotFinite => f.write_str("a number is not finite; canonical JSON has no such value"),
            Self::FloatRange { found } => {
                write!(f, "number {found} would read as an integer beyond ±(2^53-1); write it as a string")
            }
            Self::DuplicateKey { key } => write!(f, "key `{key}` stands twice in one object"),
            Self::Key => f.write_str("an object key is neither text, an integer nor a boolean"),
            Self::Depth => write!(f, "arrays and objects nest deeper than {MAX_DEPTH}"),
            Self::Raw => f.write_str("raw JSON text cannot be passed through; parse it first"),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Message(message.to_string())
    }
}

/// The canonical octets of `value`.
///
/// # Errors
/// When any part of it is outside the profile.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(256);
    to_writer(&mut out, value)?;
    Ok(out)
}

/// Appends the canonical octets of `value` to `out`. After an error `out` holds what was written so far: discard it.
///
/// # Errors
/// When any part of `value` is outside the profile.
pub fn to_writer<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    let mut writer = Writer { out, depth: 0, keys: String::new(), entries: Vec::new() };
    value.serialize(&mut writer)
}

pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
    /// The unescaped keys of all objects that are open, one after the other.
    keys: String,
    /// The entries of all objects that are open.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    key_start: usize,
    key_end: usize,
    /// Where `"key":value` begins in the output.
    start: usize,
    /// Where it ends; known when the next one begins.
    end: usize,
}

impl Writer<'_> {
    fn enter(&mut self) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::Depth);
        }
        self.depth += 1;
        Ok(())
    }

    fn integer(&mut self, negative: bool, magnitude: u128) -> Result<(), Error> {
        match u64::try_from(magnitude) {
            Ok(small) if small <= MAX_SAFE_INTEGER => {
                if negative {
                    self.out.push(b'-');
                }
                push_integer(self.out, small);
                Ok(())
            }
            _ => {
                Err(Error::IntegerRange { found: format!("{}{magnitude}", if negative { "-" } else { "" }) })
            }
        }
    }

    fn float(&mut self, n: f64) -> Result<(), Error> {
        if !n.is_finite() {
            return Err(Error::NotFinite);
        }
        if !number::in_profile(n) {
            return Err(Error::FloatRange { found: n.to_string() });
        }
        match number::as_integer(n) {
            Some(whole) => self.integer(whole < 0, u128::from(whole.unsigned_abs())),
            None => {
                number::push(self.out, n);
                Ok(())
            }
        }
    }

    fn string(&mut self, text: &str) {
        push_string(self.out, text);
    }

    fn key_text(&self, entry: Entry) -> &str {
        self.keys.get(entry.key_start..entry.key_end).unwrap_or_default()
    }
}

/// An array under way.
pub(super) struct Sequence<'w, 'o> {
    writer: &'w mut Writer<'o>,
    first: bool,
    /// What ends it: `]`, or `]}` for a variant.
    close: &'static [u8],
    levels: usize,
}

impl<'w, 'o> Sequence<'w, 'o> {
    fn begin(writer: &'w mut Writer<'o>, variant: Option<&'static str>) -> Result<Self, Error> {
        begin_variant(writer, variant)?;
        writer.enter()?;
        writer.out.push(b'[');
        let (close, levels): (&[u8], usize) = if variant.is_some() { (b"]}", 2) } else { (b"]", 1) };
        Ok(Self { writer, first: true, close, levels })
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !self.first {
            self.writer.out.push(b',');
        }
        self.first = false;
        value.serialize(&mut *self.writer)
    }

    fn finish(self) {
        self.writer.out.extend_from_slice(self.close);
        self.writer.depth -= self.levels;
    }
}

/// `{"Variant":` of an externally tagged value.
fn begin_variant(writer: &mut Writer<'_>, variant: Option<&'static str>) -> Result<(), Error> {
    if let Some(name) = variant {
        writer.enter()?;
        writer.out.push(b'{');
        writer.string(name);
        writer.out.push(b':');
    }
    Ok(())
}

/// An object under way.
pub(super) struct Object<'w, 'o> {
    writer: &'w mut Writer<'o>,
    first_entry: usize,
    first_key: usize,
    start: usize,
    sorted: bool,
    in_variant: bool,
}

impl<'w, 'o> Object<'w, 'o> {
    fn begin(writer: &'w mut Writer<'o>, variant: Option<&'static str>) -> Result<Self, Error> {
        begin_variant(writer, variant)?;
        writer.enter()?;
        writer.out.push(b'{');
        let (first_entry, first_key, start) = (writer.entries.len(), writer.keys.len(), writer.out.len());
        Ok(Self { writer, first_entry, first_key, start, sorted: true, in_variant: variant.is_some() })
    }

    fn end_entry(&mut self) -> bool {
        let end = self.writer.out.len();
        match self.writer.entries.get_mut(self.first_entry..).and_then(<[Entry]>::last_mut) {
            Some(last) => {
                last.end = end;
                true
            }
            None => false,
        }
    }

    fn key(&mut self, key: &str) -> Result<(), Error> {
        if self.end_entry() {
            self.writer.out.push(b',');
        }
        let key_start = self.writer.keys.len();
        self.writer.keys.push_str(key);
        let start = self.writer.out.len();
        let entry = Entry { key_start, key_end: self.writer.keys.len(), start, end: start };
        if self.sorted
            && let Some(&last) = self.writer.entries.get(self.first_entry..).and_then(<[Entry]>::last)
        {
            match utf16_order(self.writer.key_text(last), key) {
                Ordering::Less => {}
                Ordering::Equal => return Err(duplicate(key)),
                Ordering::Greater => self.sorted = false,
            }
        }
        self.writer.entries.push(entry);
        self.writer.string(key);
        self.writer.out.push(b':');
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.end_entry();
        if !self.sorted {
            self.sort()?;
        }
        let writer = self.writer;
        writer.entries.truncate(self.first_entry);
        writer.keys.truncate(self.first_key);
        writer.out.extend_from_slice(if self.in_variant { b"}}" } else { b"}" });
        writer.depth -= if self.in_variant { 2 } else { 1 };
        Ok(())
    }

    fn sort(&mut self) -> Result<(), Error> {
        let writer = &mut *self.writer;
        let mut entries = writer.entries.split_off(self.first_entry);
        entries.sort_by(|&a, &b| utf16_order(writer.key_text(a), writer.key_text(b)));
        let unsorted = writer.out.split_off(self.start);
        let mut last: Option<Entry> = None;
        for entry in entries {
            if let Some(last) = last {
                if writer.key_text(last) == writer.key_text(entry) {
                    return Err(duplicate(writer.key_text(entry)));
                }
                writer.out.push(b',');
            }
            let range = entry.start - self.start..entry.end - self.start;
            writer.out.extend_from_slice(unsorted.get(range).unwrap_or_default());
            last = Some(entry);
        }
        Ok(())
    }
}

fn duplicate(key: &str) -> Error {
    Error::DuplicateKey { key: key.chars().take(64).collect() }
}

/// How serde_json marks a number kept as text (its feature `arbitrary_precision`) and raw text (`raw_value`). Other crates
/// of a build can switch these on, so both must come out right or be an error.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";
const RAW_TOKEN: &str = "$serde_json::private::RawValue";

pub(super) enum Structure<'w, 'o> {
    Object(Object<'w, 'o>),
    Number(&'w mut Writer<'o>),
}

impl<'w, 'o> ser::Serializer for &'w mut Writer<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Sequence<'w, 'o>;
    type SerializeTuple = Sequence<'w, 'o>;
    type SerializeTupleStruct = Sequence<'w, 'o>;
    type SerializeTupleVariant = Sequence<'w, 'o>;
    type SerializeMap = Object<'w, 'o>;
    type SerializeStruct = Structure<'w, 'o>;
    type SerializeStructVariant = Object<'w, 'o>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(i64::from(value))
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.integer(value < 0, u128::from(value.unsigned_abs()))
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.integer(value < 0, value.unsigned_abs())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(u64::from(value))
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(u64::from(value))
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(u64::from(value))
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.integer(false, u128::from(value))
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.integer(false, value)
    }

    /// As the double it widens to, which is what `serde_json::to_value` makes of it.
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.float(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.float(value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        let mut sequence = Sequence::begin(self, None)?;
        for byte in value {
            sequence.element(byte)?;
        }
        sequence.finish();
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        begin_variant(self, Some(variant))?;
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Sequence::begin(self, None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Sequence::begin(self, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Sequence::begin(self, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Sequence::begin(self, Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Object::begin(self, None)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        match name {
            NUMBER_TOKEN => Ok(Structure::Number(self)),
            RAW_TOKEN => Err(Error::Raw),
            _ => Object::begin(self, None).map(Structure::Object),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Object::begin(self, Some(variant))
    }
}

impl ser::SerializeSeq for Sequence<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTuple for Sequence<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTupleStruct for Sequence<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTupleVariant for Sequence<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let key = key.serialize(KeyText)?;
        self.key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl ser::SerializeStruct for Structure<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Object(object) => {
                object.key(key)?;
                value.serialize(&mut *object.writer)
            }
            Self::Number(writer) => {
                let text = value.serialize(KeyText)?;
                let digits = text.strip_prefix('-').unwrap_or(&text);
                if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
                    let magnitude =
                        digits.parse().map_err(|_| Error::IntegerRange { found: text.clone() })?;
                    writer.integer(digits.len() < text.len() && magnitude != 0, magnitude)
                } else {
                    writer.float(text.parse().map_err(|_| Error::NotFinite)?)
                }
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        match self {
            Self::Object(object) => object.finish(),
            Self::Number(_) => Ok(()),
        }
    }
}

impl ser::SerializeStructVariant for Object<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.key(key)?;
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}
