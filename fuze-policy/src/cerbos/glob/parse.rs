//! From the text of a pattern to its parts, with the same leniency as gobwas: an unclosed `{` ends with the pattern, a
//! `}` or `,` outside of braces and a `]` without `[` stand for themselves, a `\` at the end for nothing.

use std::iter::Peekable;
use std::str::Chars;

/// A part of a pattern.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// This character.
    Char(char),
    /// `?`.
    One,
    /// `*`.
    Any,
    /// `**`.
    Anything,
    /// `[abc]`, `[!abc]`.
    OneOf { chars: Vec<char>, not: bool },
    /// `[a-z]`, `[!a-z]`.
    Range { low: char, high: char, not: bool },
    /// `{a,b}`.
    Either(Vec<Vec<Part>>),
}

/// Braces in one another.
const DEEPEST: usize = 8;

/// Reads a pattern.
pub(super) fn parse(pattern: &str) -> Result<Vec<Part>, String> {
    if pattern.contains(['\0', char::REPLACEMENT_CHARACTER]) {
        return Err(format!(
            "the pattern `{}` has a character that cannot stand in one",
            pattern.escape_debug()
        ));
    }
    if pattern.contains("***") {
        return Err(format!("the pattern `{pattern}` has three stars in a row: write `*` or `**`"));
    }
    sequence(pattern, &mut pattern.chars().peekable(), 0)
}

fn sequence(pattern: &str, chars: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Vec<Part>, String> {
    if depth > DEEPEST {
        return Err(format!("the pattern `{pattern}` has braces more than {DEEPEST} deep"));
    }
    let mut parts = Vec::new();
    while let Some(c) = chars.peek().copied() {
        if depth > 0 && matches!(c, ',' | '}') {
            return Ok(parts);
        }
        chars.next();
        match c {
            '*' if depth > 0 => return Err(unreliable(pattern)),
            '*' if chars.next_if_eq(&'*').is_some() => parts.push(Part::Anything),
            '*' => parts.push(Part::Any),
            '?' => parts.push(Part::One),
            '[' => parts.push(class(pattern, chars)?),
            '{' => {
                let mut either = Vec::new();
                loop {
                    either.push(sequence(pattern, chars, depth + 1)?);
                    if either.last().is_some_and(Vec::is_empty) {
                        return Err(unreliable(pattern));
                    }
                    if chars.next() != Some(',') {
                        break;
                    }
                }
                parts.push(Part::Either(either));
            }
            '\\' => parts.extend(chars.next().map(Part::Char)),
            other => parts.push(Part::Char(other)),
        }
    }
    Ok(parts)
}

/// gobwas loses matches of such patterns: of `{a*,a}` it matches `a` alone.
fn unreliable(pattern: &str) -> String {
    format!(
        "the pattern `{pattern}` has a `*`, or nothing, among its `{{…}}`, which Cerbos does not match as it should: \
         write each alternative as an item of its own"
    )
}

fn class(pattern: &str, chars: &mut Peekable<Chars<'_>>) -> Result<Part, String> {
    let wrong = || {
        format!(
            "the pattern `{pattern}` has a `[` that is not the start of `[abc]`, `[a-z]`, `[!abc]` or `[!a-z]`"
        )
    };
    let not = chars.next_if_eq(&'!').is_some();
    let mut ahead = chars.clone();
    if let (Some(low), Some('-')) = (ahead.next(), ahead.next()) {
        let high = ahead.next().ok_or_else(wrong)?;
        if ahead.next() != Some(']') || high < low {
            return Err(wrong());
        }
        *chars = ahead;
        return Ok(Part::Range { low, high, not });
    }
    let mut of = Vec::new();
    loop {
        match chars.next() {
            None => return Err(wrong()),
            Some(']') => break,
            Some('\\') => of.extend(chars.next()),
            Some(c) => of.push(c),
        }
    }
    if of.is_empty() { Err(wrong()) } else { Ok(Part::OneOf { chars: of, not }) }
}
