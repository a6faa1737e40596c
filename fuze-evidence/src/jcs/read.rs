//! The readers. [`from_slice`] takes canonical octets only; [`parse`] takes any layout, order and escapes. Both hold the profile.

use std::fmt;

use serde_json::{Map, Number, Value};

use super::{MAX_DEPTH, MAX_SAFE_INTEGER, number, utf16_order};

/// Why octets were not read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Counted from 0.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ReadErrorKind,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// Not UTF-8.
    Utf8,
    /// The end came too early.
    End,
    /// An octet that cannot stand here.
    Unexpected,
    /// Octets after the value.
    Trailing,
    /// White space in canonical JSON.
    WhiteSpace,
    /// Keys out of order in canonical JSON.
    KeyOrder,
    /// One key twice.
    DuplicateKey,
    /// An escape that canonical JSON writes otherwise, or that does not exist.
    Escape,
    /// A control character that is not escaped.
    Control,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// An integer beyond ±(2^53−1).
    IntegerRange,
    /// A number that is too large for a double, or that reads as an integer beyond ±(2^53−1).
    FloatRange,
    /// A number that canonical JSON writes otherwise; `-0` too.
    NumberForm,
    /// Deeper than 64.
    Depth,
}

impl fmt::Display for ReadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "not UTF-8",
            Self::End => "ends too early",
            Self::Unexpected => "not JSON",
            Self::Trailing => "something follows the value",
            Self::WhiteSpace => "white space, which canonical JSON does not have",
            Self::KeyOrder => "a key out of order: canonical JSON sorts keys by UTF-16 code units",
            Self::DuplicateKey => "a key stands twice in one object",
            Self::Escape => "an escape that does not exist or is not the canonical one",
            Self::Control => "a control character that is not escaped",
            Self::LoneSurrogate => "half of a surrogate pair",
            Self::IntegerRange => "an integer beyond ±(2^53-1); write it as a string",
            Self::FloatRange => "a number out of range; write it as a string",
            Self::NumberForm => "a number that is not in canonical form",
            Self::Depth => "nests deeper than 64",
        })
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at octet {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for ReadError {}

/// Reads canonical octets: what [`super::to_vec`] would write, octet for octet.
///
/// # Errors
/// With the offset of the first octet that is otherwise.
pub fn from_slice(bytes: &[u8]) -> Result<Value, ReadError> {
    Reader::read(bytes, true)
}

/// Reads JSON in any layout, key order and escapes, but inside the profile. Whole numbers come out as integers (`1.0` and
/// `1e0` as 1, `-0` as 0), so the result is what [`from_slice`] gives for its canonical form.
///
/// # Errors
/// For what is not JSON, and for what is outside the profile: duplicate keys, numbers out of range, depth, lone surrogates.
pub fn parse(bytes: &[u8]) -> Result<Value, ReadError> {
    Reader::read(bytes, false)
}

struct Reader<'b> {
    text: &'b str,
    at: usize,
    depth: usize,
    canonical: bool,
}

impl Reader<'_> {
    fn read(bytes: &[u8], canonical: bool) -> Result<Value, ReadError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ReadError { offset: error.valid_up_to(), kind: ReadErrorKind::Utf8 })?;
        let mut reader = Reader { text, at: 0, depth: 0, canonical };
        reader.space()?;
        let value = reader.value()?;
        reader.space()?;
        if reader.at < bytes.len() { Err(reader.error(ReadErrorKind::Trailing)) } else { Ok(value) }
    }

    fn error(&self, kind: ReadErrorKind) -> ReadError {
        ReadError { offset: self.at, kind }
    }

    fn peek(&self) -> Result<u8, ReadError> {
        self.text.as_bytes().get(self.at).copied().ok_or_else(|| self.error(ReadErrorKind::End))
    }

    fn expect(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.peek()? != byte {
            return Err(self.error(ReadErrorKind::Unexpected));
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) -> Result<(), ReadError> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            if self.canonical {
                return Err(self.error(ReadErrorKind::WhiteSpace));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Value, ReadError> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Value::String),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number().map(Value::Number),
            _ => Err(self.error(ReadErrorKind::Unexpected)),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, ReadError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    fn enter(&mut self) -> Result<(), ReadError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(ReadErrorKind::Depth));
        }
        self.depth += 1;
        self.at += 1;
        self.space()
    }

    /// After an element: `true` if there is another one.
    fn more(&mut self, close: u8) -> Result<bool, ReadError> {
        self.space()?;
        let byte = self.peek()?;
        if byte != b',' && byte != close {
            return Err(self.error(ReadErrorKind::Unexpected));
        }
        self.at += 1;
        if byte == close {
            self.depth -= 1;
            return Ok(false);
        }
        self.space()?;
        Ok(true)
    }

    fn array(&mut self) -> Result<Value, ReadError> {
        self.enter()?;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            self.depth -= 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            if !self.more(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Value, ReadError> {
        self.enter()?;
        let mut map = Map::new();
        let mut last: Option<String> = None;
        if self.peek()? == b'}' {
            self.at += 1;
            self.depth -= 1;
            return Ok(Value::Object(map));
        }
        loop {
            let start = self.at;
            if self.peek()? != b'"' {
                return Err(self.error(ReadErrorKind::Unexpected));
            }
            let key = self.string()?;
            if map.contains_key(&key) {
                return Err(ReadError { offset: start, kind: ReadErrorKind::DuplicateKey });
            }
            if self.canonical {
                if last.as_deref().is_some_and(|last| utf16_order(last, &key).is_ge()) {
                    return Err(ReadError { offset: start, kind: ReadErrorKind::KeyOrder });
                }
                last = Some(key.clone());
            }
            self.space()?;
            self.expect(b':')?;
            self.space()?;
            let value = self.value()?;
            map.insert(key, value);
            if !self.more(b'}')? {
                return Ok(Value::Object(map));
            }
        }
    }

    fn string(&mut self) -> Result<String, ReadError> {
        self.at += 1;
        let mut out = String::new();
        let mut from = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    out.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    out.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.escape(&mut out)?;
                    from = self.at;
                }
                0x00..=0x1f => return Err(self.error(ReadErrorKind::Control)),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), ReadError> {
        let start = self.at;
        let wrong = |kind| ReadError { offset: start, kind };
        self.at += 1;
        let letter = self.peek()?;
        self.at += 1;
        let short = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'/' if !self.canonical => '/',
            b'u' => {
                let c = self.unicode(start)?;
                // Canonical: only controls without a short form, in lowercase.
                if self.canonical {
                    let spelt = self.text.get(start + 2..self.at).unwrap_or_default();
                    let needed = u32::from(c) < 0x20 && !matches!(c, '\u{8}' | '\t' | '\n' | '\u{c}' | '\r');
                    if !needed || spelt.bytes().any(|b| b.is_ascii_uppercase()) {
                        return Err(wrong(ReadErrorKind::Escape));
                    }
                }
                c
            }
            _ => return Err(wrong(ReadErrorKind::Escape)),
        };
        out.push(short);
        Ok(())
    }

    fn unicode(&mut self, start: usize) -> Result<char, ReadError> {
        let lone = ReadError { offset: start, kind: ReadErrorKind::LoneSurrogate };
        let high = self.four_digits()?;
        if !(0xd800..0xe000).contains(&high) {
            return char::from_u32(high).ok_or(lone);
        }
        if high >= 0xdc00 || self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") {
            return Err(lone);
        }
        self.at += 2;
        let low = self.four_digits()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(lone);
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(lone)
    }

    fn four_digits(&mut self) -> Result<u32, ReadError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit =
                char::from(self.peek()?).to_digit(16).ok_or_else(|| self.error(ReadErrorKind::Escape))?;
            value = value << 4 | digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> Result<(), ReadError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(self.error(ReadErrorKind::Unexpected));
        }
        while self.text.as_bytes().get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Number, ReadError> {
        let start = self.at;
        let wrong = |kind| ReadError { offset: start, kind };
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.text.as_bytes().get(self.at) == Some(&b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.as_bytes().get(self.at) {
            integer = false;
            self.at += 1;
            if let b'+' | b'-' = self.peek()? {
                self.at += 1;
            }
            self.digits()?;
        }
        let literal = self.text.get(start..self.at).unwrap_or_default();
        if integer {
            let n: i64 = literal.parse().map_err(|_| wrong(ReadErrorKind::IntegerRange))?;
            if n.unsigned_abs() > MAX_SAFE_INTEGER {
                return Err(wrong(ReadErrorKind::IntegerRange));
            }
            if self.canonical && literal == "-0" {
                return Err(wrong(ReadErrorKind::NumberForm));
            }
            return Ok(integer_number(n));
        }
        let n: f64 = literal.parse().map_err(|_| wrong(ReadErrorKind::FloatRange))?;
        if !number::in_profile(n) {
            return Err(wrong(ReadErrorKind::FloatRange));
        }
        let whole = number::as_integer(n);
        if self.canonical {
            let mut canonical = Vec::with_capacity(24);
            number::push(&mut canonical, n);
            if whole.is_some() || canonical != literal.as_bytes() {
                return Err(wrong(ReadErrorKind::NumberForm));
            }
        }
        match whole {
            Some(n) => Ok(integer_number(n)),
            None => Number::from_f64(n).ok_or(wrong(ReadErrorKind::FloatRange)),
        }
    }
}

/// As serde_json's own parser does it, so that equal values compare equal.
fn integer_number(n: i64) -> Number {
    u64::try_from(n).map_or_else(|_| Number::from(n), Number::from)
}
