//! Characters beyond U+FFFF that JSON escapes as a pair (RFC 8259, section 7).
//!
//! Cerbos reads `"\ud83d\ude00"` as the one character that it is; YAML has `"\U0001f600"` for it, and the parser here reads that alone. So
//! a text that is JSON throughout, in which a backslash stands in strings alone, is given the other escape before it is read. That is
//! shorter by two characters, which stand as blanks behind the string: whatever comes after it keeps its place.

use std::borrow::Cow;

use serde_json::Value;

/// The text with the other escape, if it is JSON and has such pairs.
pub(super) fn joined(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") || serde_json::from_str::<Value>(text).is_err() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let (mut rest, mut within, mut owed) = (text, false, 0);
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '"' => {
                shown.push('"');
                within = !within;
                if !within {
                    shown.extend(std::iter::repeat_n(' ', owed));
                    owed = 0;
                }
            }
            '\\' => match pair(rest) {
                Some(character) => {
                    shown += &format!("\\U{:08x}", u32::from(character));
                    owed += 2;
                    taken = PAIR;
                }
                None => {
                    // The escaped character, which may be a quote or another backslash.
                    taken += rest.chars().nth(1).map_or(0, char::len_utf8);
                    shown += rest.get(..taken).unwrap_or_default();
                }
            },
            other => shown.push(other),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(shown)
}

/// The length of two escapes.
const PAIR: usize = 12;

/// The character that the two escapes at the beginning are.
fn pair(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (high, low) = (unit(0)?, unit(6)?);
    if !(0xd800..0xdc00).contains(&high) {
        return None;
    }
    char::decode_utf16([high, low]).next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_json_are_joined_and_nothing_else_is_touched() {
        for (json, wanted) in [
            (r#"{"a": "\ud83d\ude00", "b": 1}"#, r#"{"a": "\U0001f600"  , "b": 1}"#),
            (r#"["\uD83D\uDE00x\ud83d\ude01"]"#, r#"["\U0001f600x\U0001f601"    ]"#),
            (r#"{"\ud83d\ude00": 1}"#, r#"{"\U0001f600"  : 1}"#),
            (r#"["\"\ud83d\ude00"]"#, r#"["\"\U0001f600"  ]"#),
        ] {
            assert_eq!(joined(json), wanted);
            assert_eq!(json.len(), wanted.len());
        }
        for same in [
            // An escaped backslash; half a pair; the halves the wrong way round; no escape at all.
            r#"["\\ud83d\\ude00"]"#,
            r#"["\\\\ud83d\ude0"]"#,
            r#"["\ud83d\u0041"]"#,
            r#"["\ud83d", "\ude00"]"#,
            r#"["\ude00\ud83d"]"#,
            r#"["\u00e9\u20ac\\"]"#,
            // No JSON: who knows what is a string.
            r#"a: "\ud83d\ude00""#,
            r"a: \ud83d\ude00",
            r#"{'a': "\ud83d\ude00"}"#,
        ] {
            assert_eq!(joined(same), same);
        }
    }
}
