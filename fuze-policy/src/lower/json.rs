//! Looking into canonical JSON (RFC 8785) without building anything: the arguments of a call, as the tool will get them.

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    Null,
    Bool(bool),
    Number(f64),
    /// Text without escapes: its bytes are the text.
    Plain(&'a str),
    /// Text with escapes, which cannot be borrowed.
    Escaped,
    Object(&'a [u8]),
    Array(&'a [u8]),
}

/// What is no JSON, or more deeply nested than is worth a look. Whoever reads it properly decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Deeper nesting is not walked.
const DEPTH: usize = 64;

/// Reads a document.
pub(super) fn read(bytes: &[u8]) -> Result<Found<'_>, Unreadable> {
    match split_value(bytes)? {
        (value, []) => classify(value),
        _ => Err(Unreadable),
    }
}

/// The value under a key of an object. Canonical objects have no key twice.
pub(super) fn member<'a>(object: &'a [u8], key: &str) -> Result<Option<Found<'a>>, Unreadable> {
    for entry in Members::of(object)? {
        let (name, value) = entry?;
        let name = std::str::from_utf8(name).map_err(|_| Unreadable)?;
        if name.contains('\\') {
            // Its text is another than its bytes: it might be the key.
            return Err(Unreadable);
        }
        if name == key {
            return classify(value).map(Some);
        }
    }
    Ok(None)
}

/// Values of an array, in order.
pub(super) fn elements<'a>(
    array: &'a [u8],
) -> Result<impl Iterator<Item = Result<Found<'a>, Unreadable>>, Unreadable> {
    let inside = strip(array, b'[', b']')?;
    Ok(Parts { rest: inside, first: true }.map(|part| part.and_then(classify)))
}

fn classify(value: &[u8]) -> Result<Found<'_>, Unreadable> {
    match value.first() {
        Some(b'{') => Ok(Found::Object(value)),
        Some(b'[') => Ok(Found::Array(value)),
        Some(b'"') => {
            let text = std::str::from_utf8(strip(value, b'"', b'"')?).map_err(|_| Unreadable)?;
            Ok(if text.contains('\\') { Found::Escaped } else { Found::Plain(text) })
        }
        _ => match value {
            b"null" => Ok(Found::Null),
            b"true" => Ok(Found::Bool(true)),
            b"false" => Ok(Found::Bool(false)),
            number => {
                let text = std::str::from_utf8(number).map_err(|_| Unreadable)?;
                let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
                let number: f64 = text.parse().map_err(|_| Unreadable)?;
                if plain && number.is_finite() { Ok(Found::Number(number)) } else { Err(Unreadable) }
            }
        },
    }
}

fn strip(bytes: &[u8], open: u8, close: u8) -> Result<&[u8], Unreadable> {
    match bytes {
        [first, inside @ .., last] if *first == open && *last == close => Ok(inside),
        _ => Err(Unreadable),
    }
}

/// Values between commas.
struct Parts<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<&'a [u8], Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if !self.first {
            self.rest = match self.rest.split_first() {
                Some((b',', rest)) => rest,
                _ => return self.fail(),
            };
        }
        self.first = false;
        match split_value(self.rest) {
            Ok((value, rest)) => {
                self.rest = rest;
                Some(Ok(value))
            }
            Err(Unreadable) => self.fail(),
        }
    }
}

impl Parts<'_> {
    fn fail<T>(&mut self) -> Option<Result<T, Unreadable>> {
        self.rest = &[];
        Some(Err(Unreadable))
    }
}

/// Names (without quotes) and values of an object.
struct Members<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Members<'a> {
    fn of(object: &'a [u8]) -> Result<Self, Unreadable> {
        Ok(Self { rest: strip(object, b'{', b'}')?, first: true })
    }

    fn entry(&mut self) -> Result<(&'a [u8], &'a [u8]), Unreadable> {
        if !self.first {
            self.rest = self.rest.strip_prefix(b",").ok_or(Unreadable)?;
        }
        self.first = false;
        let (name, rest) = split_value(self.rest)?;
        let (value, rest) = split_value(rest.strip_prefix(b":").ok_or(Unreadable)?)?;
        self.rest = rest;
        Ok((strip(name, b'"', b'"')?, value))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

/// The first value and what follows it.
fn split_value(bytes: &[u8]) -> Result<(&[u8], &[u8]), Unreadable> {
    let end = match bytes.first() {
        Some(b'"') => end_of_text(bytes)?,
        Some(b'{' | b'[') => end_of_nested(bytes)?,
        Some(_) => bytes.iter().position(|b| matches!(b, b',' | b'}' | b']' | b':')).unwrap_or(bytes.len()),
        None => return Err(Unreadable),
    };
    if end == 0 { Err(Unreadable) } else { bytes.split_at_checked(end).ok_or(Unreadable) }
}

/// After the closing quote of the text that begins here.
fn end_of_text(bytes: &[u8]) -> Result<usize, Unreadable> {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(Unreadable)
}

fn end_of_nested(bytes: &[u8]) -> Result<usize, Unreadable> {
    let mut closing = [0_u8; DEPTH];
    let mut depth = 0_usize;
    let mut at = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += end_of_text(bytes.get(at..).unwrap_or_default())?;
                continue;
            }
            b'{' | b'[' => {
                *closing.get_mut(depth).ok_or(Unreadable)? = if *byte == b'{' { b'}' } else { b']' };
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1).ok_or(Unreadable)?;
                if closing.get(depth) != Some(byte) {
                    return Err(Unreadable);
                }
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(array: &str) -> Result<Vec<Found<'_>>, Unreadable> {
        elements(array.as_bytes()).and_then(Iterator::collect)
    }

    #[test]
    fn members_are_found_behind_everything() {
        let text = r#"{"a":1,"b":{"a":2,"x":"}"},"c":["]",{}],"d":"q\"","é":"ü"}"#;
        let object = text.as_bytes();
        assert_eq!(member(object, "a"), Ok(Some(Found::Number(1.0))));
        assert_eq!(member(object, "d"), Ok(Some(Found::Escaped)));
        assert_eq!(member(object, "é"), Ok(Some(Found::Plain("ü"))));
        assert_eq!(member(object, "x"), Ok(None), "one level down");
        let Ok(Some(Found::Object(inner))) = member(object, "b") else { panic!("{text}") };
        assert_eq!(member(inner, "x"), Ok(Some(Found::Plain("}"))));
        let Ok(Some(Found::Array(list))) = member(object, "c") else { panic!("{text}") };
        assert_eq!(
            all(std::str::from_utf8(list).unwrap()),
            Ok(vec![Found::Plain("]"), Found::Object(b"{}")])
        );
    }

    #[test]
    fn a_key_with_an_escape_is_not_passed_over() {
        assert_eq!(member(br#"{"\u0061":1}"#, "a"), Err(Unreadable));
        assert_eq!(member(br#"{"a\"":1,"b":2}"#, "b"), Err(Unreadable));
    }

    #[test]
    fn lists() {
        assert_eq!(all("[]"), Ok(vec![]));
        assert_eq!(
            all("[null,true,false,-1.5e+21]"),
            Ok(vec![Found::Null, Found::Bool(true), Found::Bool(false), Found::Number(-1.5e21)])
        );
        for wrong in [
            "[1 2]", "[1,]", "[,1]", "[1e999]", "[1", "1]", "[nan]", "[inf]", "[tru]", "[1,,2]", "[\"a]",
            "[{]]",
        ] {
            assert_eq!(all(wrong), Err(Unreadable), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_json_is_unreadable_and_nothing_else() {
        for wrong in [r#"{"a"}"#, r#"{"a":}"#, r#"{a:1}"#, r#"{"a":1"b":2}"#, r#"{"b":1,}"#, "{", "[]", ""] {
            assert_eq!(member(wrong.as_bytes(), "zz"), Err(Unreadable), "{wrong}");
        }
        let deep = format!("{}{}", "[".repeat(DEPTH + 1), "]".repeat(DEPTH + 1));
        assert_eq!(read(deep.as_bytes()), Err(Unreadable));
        assert!(read(&deep.as_bytes()[1..=DEPTH * 2]).is_ok());
        assert_eq!(read("\"\u{e9}\"".as_bytes().get(..2).unwrap()), Err(Unreadable));
    }
}
