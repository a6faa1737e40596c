//! The strict reader: whether octets are canonical, in one pass, with no tree and nothing allocated.
//!
//! Takes exactly what [`super::to_vec`] can write. What a value means is not its business.

use std::cmp::Ordering;

use super::cursor::Cursor;
use super::error::{ReadError, ReadErrorKind};
use super::text::{Escape, HIGH_BITS, is_clean, need_escape};

/// Checks that `bytes` are one canonical value: RFC 8785 over the profile of `docs/evidence-format.md`, section 1.
///
/// # Errors
/// With the offset of the first octet that is otherwise.
pub fn validate(bytes: &[u8]) -> Result<(), ReadError> {
    let mut strict = Strict(Cursor::new(bytes));
    strict.value()?;
    match strict.0.peek() {
        None => Ok(()),
        Some(byte) => Err(strict.0.error(if is_space(byte) {
            ReadErrorKind::WhiteSpace
        } else {
            ReadErrorKind::Trailing
        })),
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Strict<'b>(Cursor<'b>);

/// A string as it stands between its quotes.
#[derive(Clone, Copy)]
struct Spelt<'b> {
    octets: &'b [u8],
    /// ASCII without escapes: what it says is what stands there.
    plain: bool,
}

impl<'b> Strict<'b> {
    #[cold]
    fn unexpected(&self, expected: &'static str) -> ReadError {
        match self.0.peek() {
            Some(byte) if is_space(byte) => self.0.error(ReadErrorKind::WhiteSpace),
            _ => self.0.unexpected(expected),
        }
    }

    fn value(&mut self) -> Result<(), ReadError> {
        match self.0.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.0.word("true"),
            Some(b'f') => self.0.word("false"),
            Some(b'n') => self.0.word("null"),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn array(&mut self) -> Result<(), ReadError> {
        self.0.enter()?;
        if self.0.leave(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if self.0.leave(b']') {
                return Ok(());
            }
            if !self.0.eat(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<(), ReadError> {
        self.0.enter()?;
        if self.0.leave(b'}') {
            return Ok(());
        }
        let mut last: Option<Spelt<'b>> = None;
        loop {
            let start = self.0.offset();
            if self.0.peek() != Some(b'"') {
                return Err(self.unexpected("a key"));
            }
            let key = self.string()?;
            if let Some(last) = last {
                match order(last, key) {
                    Ordering::Less => {}
                    Ordering::Equal => return Err(self.0.error_at(start, ReadErrorKind::DuplicateKey)),
                    Ordering::Greater => return Err(self.0.error_at(start, ReadErrorKind::KeyOrder)),
                }
            }
            last = Some(key);
            if !self.0.eat(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.value()?;
            if self.0.leave(b'}') {
                return Ok(());
            }
            if !self.0.eat(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn string(&mut self) -> Result<Spelt<'b>, ReadError> {
        self.0.skip(1);
        let start = self.0.offset();
        let mut plain = true;
        loop {
            self.skip_plain();
            match self.0.peek() {
                Some(b'"') => {
                    let octets = self.0.since(start);
                    self.0.skip(1);
                    return Ok(Spelt { octets, plain });
                }
                Some(b'\\') => {
                    plain = false;
                    self.escape()?;
                }
                Some(0x80..) => {
                    plain = false;
                    self.beyond_ascii()?;
                }
                Some(_) => return Err(self.0.error(ReadErrorKind::Control)),
                None => return Err(self.0.unexpected("the end of the string")),
            }
        }
    }

    /// Steps over printable ASCII but `"` and `\`, many octets at a time.
    fn skip_plain(&mut self) {
        while let Some((block, rest)) = self.0.rest.split_first_chunk::<32>()
            && is_clean(block, true)
        {
            self.0.rest = rest;
        }
        while let Some((eight, rest)) = self.0.rest.split_first_chunk::<8>() {
            let eight = u64::from_le_bytes(*eight);
            let special = need_escape(eight) | eight & HIGH_BITS;
            if special != 0 {
                self.0.skip(usize::try_from(special.trailing_zeros() / 8).unwrap_or(0));
                return;
            }
            self.0.rest = rest;
        }
        while let [byte @ ..=0x7f, rest @ ..] = self.0.rest
            && Escape::of(*byte).is_none()
        {
            self.0.rest = rest;
        }
    }

    fn escape(&mut self) -> Result<(), ReadError> {
        let start = self.0.offset();
        let says = self.0.escape()?;
        let canonical = u8::try_from(says).ok().and_then(Escape::of);
        if canonical.is_some_and(|canonical| canonical.octets() == self.0.since(start)) {
            Ok(())
        } else {
            Err(self.0.error_at(start, ReadErrorKind::Escape))
        }
    }

    /// Octets from 0x80 on stand in whole characters, so a run of them is UTF-8 by itself or not at all.
    fn beyond_ascii(&mut self) -> Result<(), ReadError> {
        let length = self.0.rest.iter().take_while(|byte| !byte.is_ascii()).count();
        let run = self.0.rest.get(..length).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(run) {
            self.0.skip(error.valid_up_to());
            return Err(self.0.error(ReadErrorKind::Utf8));
        }
        self.0.skip(length);
        Ok(())
    }

    fn number(&mut self) -> Result<(), ReadError> {
        let start = self.0.offset();
        let number = self.0.value_of_number()?;
        if number.is_spelt(self.0.since(start)) {
            Ok(())
        } else {
            Err(self.0.error_at(start, ReadErrorKind::NumberForm))
        }
    }
}

fn order(a: Spelt<'_>, b: Spelt<'_>) -> Ordering {
    if a.plain && b.plain { a.octets.cmp(b.octets) } else { units(a).cmp(units(b)) }
}

/// The UTF-16 code units of what a string says whose octets were checked.
fn units(spelt: Spelt<'_>) -> impl Iterator<Item = u16> {
    let mut chars = std::str::from_utf8(spelt.octets).unwrap_or_default().chars();
    let says = std::iter::from_fn(move || {
        let rest = chars.as_str();
        if !rest.starts_with('\\') {
            return chars.next();
        }
        let mut cursor = Cursor::new(rest.as_bytes());
        let says = cursor.escape().ok()?;
        chars = rest.get(cursor.offset()..)?.chars();
        Some(says)
    });
    says.flat_map(|c| {
        let mut units = [0; 2];
        let count = c.encode_utf16(&mut units).len();
        units.into_iter().take(count)
    })
}
