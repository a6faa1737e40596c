//! The readers that give values. [`from_slice`] takes canonical octets only; [`parse`] takes any layout, order and escapes. Both
//! hold the profile.

use serde_json::{Map, Number, Value};

use super::cursor::Cursor;
use super::error::{ReadError, ReadErrorKind};
use super::number;
use super::text::clean_length;
use super::validate::validate;

/// Reads canonical octets: what [`super::to_vec`] would write, octet for octet.
///
/// # Errors
/// As [`validate`], which says what is canonical.
pub fn from_slice(bytes: &[u8]) -> Result<Value, ReadError> {
    validate(bytes)?;
    parse(bytes)
}

/// Reads JSON in any layout, key order and escapes, but inside the profile. Whole numbers come out as integers (`1.0` and
/// `1e0` as 1, `-0` as 0), so the result is what [`from_slice`] gives for its canonical form.
///
/// # Errors
/// For what is not JSON, and for what is outside the profile: duplicate keys, numbers out of range, depth, lone surrogates.
pub fn parse(bytes: &[u8]) -> Result<Value, ReadError> {
    let cursor = Cursor::new(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| cursor.error_at(error.valid_up_to(), ReadErrorKind::Utf8))?;
    let mut reader = Reader { cursor, text };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match reader.cursor.peek() {
        None => Ok(value),
        Some(_) => Err(reader.cursor.error(ReadErrorKind::Trailing)),
    }
}

struct Reader<'b> {
    cursor: Cursor<'b>,
    text: &'b str,
}

impl Reader<'_> {
    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.cursor.rest {
            self.cursor.rest = rest;
        }
    }

    fn value(&mut self) -> Result<Value, ReadError> {
        match self.cursor.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.cursor.word("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.cursor.word("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.cursor.word("null").map(|()| Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            _ => Err(self.cursor.unexpected("a value")),
        }
    }

    /// After an element: `true` if there is another one.
    fn more(&mut self, close: u8, expected: &'static str) -> Result<bool, ReadError> {
        self.space();
        if self.cursor.leave(close) {
            return Ok(false);
        }
        if !self.cursor.eat(b',') {
            return Err(self.cursor.unexpected(expected));
        }
        self.space();
        Ok(true)
    }

    fn array(&mut self) -> Result<Value, ReadError> {
        self.cursor.enter()?;
        self.space();
        let mut items = Vec::new();
        if self.cursor.leave(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            if !self.more(b']', "`,` or `]`")? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Value, ReadError> {
        self.cursor.enter()?;
        self.space();
        let mut map = Map::new();
        if self.cursor.leave(b'}') {
            return Ok(Value::Object(map));
        }
        loop {
            let start = self.cursor.offset();
            if self.cursor.peek() != Some(b'"') {
                return Err(self.cursor.unexpected("a key"));
            }
            let key = self.string()?;
            if map.contains_key(&key) {
                return Err(self.cursor.error_at(start, ReadErrorKind::DuplicateKey));
            }
            self.space();
            if !self.cursor.eat(b':') {
                return Err(self.cursor.unexpected("`:`"));
            }
            self.space();
            let value = self.value()?;
            map.insert(key, value);
            if !self.more(b'}', "`,` or `}`")? {
                return Ok(Value::Object(map));
            }
        }
    }

    fn string(&mut self) -> Result<String, ReadError> {
        self.cursor.skip(1);
        let mut out = String::new();
        loop {
            let start = self.cursor.offset();
            let clean = clean_length(self.cursor.rest);
            out.push_str(self.text.get(start..start + clean).unwrap_or_default());
            self.cursor.skip(clean);
            match self.cursor.peek() {
                Some(b'"') => {
                    self.cursor.skip(1);
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.cursor.escape()?),
                Some(_) => return Err(self.cursor.error(ReadErrorKind::Control)),
                None => return Err(self.cursor.unexpected("the end of the string")),
            }
        }
    }

    fn number(&mut self) -> Result<Number, ReadError> {
        let start = self.cursor.offset();
        match self.cursor.value_of_number()? {
            number::Number::Integer(n) => Ok(integer_number(n)),
            number::Number::Fraction(n) => {
                Number::from_f64(n).ok_or_else(|| self.cursor.error_at(start, ReadErrorKind::FloatRange))
            }
        }
    }
}

/// As serde_json's own parser does it, so that equal values compare equal.
fn integer_number(n: i64) -> Number {
    u64::try_from(n).map_or_else(|_| Number::from(n), Number::from)
}
