//! A place in octets, and what both readers do there: look, step over literals, count depth, say what is wrong.

use super::MAX_DEPTH;
use super::error::{ReadError, ReadErrorKind};
use super::number::Number;

/// Where a reader stands.
pub(super) struct Cursor<'b> {
    whole: &'b [u8],
    /// What has not been read. A slice, not an index: every step is a pattern, so nothing can be out of bounds.
    pub(super) rest: &'b [u8],
    depth: usize,
}

impl<'b> Cursor<'b> {
    pub(super) const fn new(whole: &'b [u8]) -> Self {
        Self { whole, rest: whole, depth: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    /// The octets from `start` up to here.
    pub(super) fn since(&self, start: usize) -> &'b [u8] {
        self.whole.get(start..self.offset()).unwrap_or_default()
    }

    #[cold]
    pub(super) fn error(&self, kind: ReadErrorKind) -> ReadError {
        self.error_at(self.offset(), kind)
    }

    #[cold]
    pub(super) fn error_at(&self, offset: usize, kind: ReadErrorKind) -> ReadError {
        let there = self.whole.get(offset..).unwrap_or_default();
        let found = there.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        ReadError { offset, kind, expected: kind.expected(), found }
    }

    /// Something else stands here than `expected`, or nothing.
    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> ReadError {
        let kind = if self.rest.is_empty() { ReadErrorKind::End } else { ReadErrorKind::Unexpected };
        ReadError { expected, ..self.error(kind) }
    }

    pub(super) const fn peek(&self) -> Option<u8> {
        match self.rest {
            [byte, ..] => Some(*byte),
            [] => None,
        }
    }

    /// Steps over `byte`, if it stands here.
    pub(super) const fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn skip(&mut self, octets: usize) {
        self.rest = self.rest.get(octets..).unwrap_or_default();
    }

    pub(super) fn word(&mut self, word: &'static str) -> Result<(), ReadError> {
        for byte in word.bytes() {
            if !self.eat(byte) {
                return Err(self.unexpected(word));
            }
        }
        Ok(())
    }

    /// Steps over the `[` or `{` that stands here.
    pub(super) fn enter(&mut self) -> Result<(), ReadError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(ReadErrorKind::Depth));
        }
        self.depth += 1;
        self.skip(1);
        Ok(())
    }

    /// Steps over `close`, if it stands here.
    pub(super) const fn leave(&mut self, close: u8) -> bool {
        let closed = self.eat(close);
        if closed {
            self.depth -= 1;
        }
        closed
    }

    /// Steps over a number (RFC 8259 section 6) and says whether it is an integer literal.
    pub(super) fn number(&mut self) -> Result<(&'b [u8], bool), ReadError> {
        let start = self.offset();
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        let mut integer = true;
        if self.eat(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            integer = false;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok((self.since(start), integer))
    }

    fn digits(&mut self) -> Result<(), ReadError> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.unexpected("a digit"));
        }
        self.skip(count);
        Ok(())
    }

    /// Steps over a number and gives its value, which is inside the profile.
    pub(super) fn value_of_number(&mut self) -> Result<Number, ReadError> {
        let start = self.offset();
        let (literal, integer) = self.number()?;
        Number::read(literal, integer).map_err(|kind| self.error_at(start, kind))
    }

    /// Steps over an escape of any kind; the `\` stands here.
    pub(super) fn escape(&mut self) -> Result<char, ReadError> {
        let start = self.offset();
        self.skip(1);
        let Some(letter) = self.peek() else { return Err(self.unexpected("the letter of an escape")) };
        self.skip(1);
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(start),
            _ => return Err(self.error_at(start, ReadErrorKind::Escape)),
        })
    }

    fn unicode(&mut self, start: usize) -> Result<char, ReadError> {
        let high = self.four_digits()?;
        if !(0xd800..0xe000).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.error_at(start, ReadErrorKind::LoneSurrogate));
        }
        if high >= 0xdc00 || !self.rest.starts_with(b"\\u") {
            return Err(self.error_at(start, ReadErrorKind::LoneSurrogate));
        }
        self.skip(2);
        let low = self.four_digits()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(self.error_at(start, ReadErrorKind::LoneSurrogate));
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
            .ok_or_else(|| self.error_at(start, ReadErrorKind::LoneSurrogate))
    }

    fn four_digits(&mut self) -> Result<u32, ReadError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            value = value << 4
                | digit.ok_or_else(|| match self.rest {
                    [] => self.unexpected("four hex digits"),
                    _ => self.error(ReadErrorKind::Escape),
                })?;
            self.skip(1);
        }
        Ok(value)
    }
}
