//! Tokens of CEL, as the grammar of cel-go divides them.

use super::ast::Span;
use super::hints;

/// A token without its text, which its span names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, reserved or not.
    Name,
    /// A name in backticks.
    Quoted,
    Int,
    Uint,
    Float,
    Str(Literal),
    Bytes(Literal),
    Op(&'static str),
    End,
}

/// How a literal of text or bytes is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Bytes before the content: prefix and quotes.
    pub(super) open: u8,
    /// Bytes of the closing quotes: 1 or 3.
    pub(super) close: u8,
    /// Whether backslashes stand for themselves.
    pub(super) raw: bool,
}

/// Where the text cannot be divided into tokens, and why.
#[derive(Debug)]
pub(super) struct LexError {
    pub(super) at: usize,
    pub(super) message: String,
}

/// Operators and delimiters, the longer of two that start alike first.
const OPERATORS: [&str; 26] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":",
    "+", "*", "/", "%", "=", "|",
];

/// Divides the source into tokens; the last one is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, Span)>, LexError> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at = skip_blanks(source, at);
        let rest = source.get(at..).unwrap_or_default();
        let Some(first) = rest.bytes().next() else {
            found.push((Token::End, span(at, at)));
            return Ok(found);
        };
        let (token, length) = match first {
            b'0'..=b'9' => number(rest),
            b'.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => number(rest),
            b'`' => quoted_name(rest).ok_or_else(|| error(at, "a name in backticks is not closed or has other characters than letters, digits, `_`, `.`, `-`, `/` and blanks"))?,
            b'"' | b'\'' => text(rest, 0, false, at)?,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => word(rest, at)?,
            _ => operator(rest).ok_or_else(|| {
                let character = rest.chars().next().unwrap_or_default();
                let mend = hints::operator(&character.to_string());
                let mend = mend.map_or_else(String::new, |mend| format!(": {mend}"));
                error(at, &format!("`{character}` means nothing here{mend}"))
            })?,
        };
        found.push((token, span(at, at + length)));
        at += length;
    }
}

fn error(at: usize, message: &str) -> LexError {
    LexError { at, message: message.to_owned() }
}

/// INVARIANT: sources are far shorter than 4 GiB, see [`super::parser::MAX_SOURCE_CHARS`].
pub(super) fn span(start: usize, end: usize) -> Span {
    Span { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
}

fn skip_blanks(source: &str, mut at: usize) -> usize {
    loop {
        let rest = source.get(at..).unwrap_or_default();
        let blanks = count(rest, |b| matches!(b, b'\t' | b' ' | b'\r' | b'\n' | b'\x0c'));
        let comment = match rest.get(blanks..) {
            Some(rest) if rest.starts_with("//") => count(rest, |b| b != b'\n'),
            _ => 0,
        };
        if blanks + comment == 0 {
            return at;
        }
        at += blanks + comment;
    }
}

/// How many of the first bytes satisfy the condition.
fn count(text: &str, condition: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| condition(*b)).count()
}

fn operator(rest: &str) -> Option<(Token, usize)> {
    let op = OPERATORS.iter().find(|op| rest.starts_with(**op))?;
    // Single `=` and `|` are listed for the sake of a good message only.
    (!matches!(*op, "=" | "|")).then_some((Token::Op(op), op.len()))
}

fn quoted_name(rest: &str) -> Option<(Token, usize)> {
    let inside = rest.get(1..)?;
    let length =
        count(inside, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b' '));
    (length > 0 && inside.as_bytes().get(length) == Some(&b'`')).then_some((Token::Quoted, length + 2))
}

fn word(rest: &str, at: usize) -> Result<(Token, usize), LexError> {
    for prefix in [2, 1] {
        let (Some(letters), Some(quote)) = (rest.get(..prefix), rest.as_bytes().get(prefix)) else {
            continue;
        };
        if !matches!(quote, b'"' | b'\'') {
            continue;
        }
        match letters.to_ascii_lowercase().as_str() {
            "r" => return text(rest, 1, true, at),
            "b" => return text(rest, 1, false, at).map(as_bytes),
            "br" => return text(rest, 2, true, at).map(as_bytes),
            _ => {}
        }
    }
    Ok((Token::Name, count(rest, |b| b.is_ascii_alphanumeric() || b == b'_')))
}

fn as_bytes((token, length): (Token, usize)) -> (Token, usize) {
    match token {
        Token::Str(literal) => (Token::Bytes(literal), length),
        other => (other, length),
    }
}

fn text(rest: &str, prefix: usize, raw: bool, at: usize) -> Result<(Token, usize), LexError> {
    let unclosed = || error(at, "a quoted text is not closed");
    let quote = rest.get(prefix..=prefix).ok_or_else(unclosed)?;
    let triple = quote.repeat(3);
    let body = rest.get(prefix..).unwrap_or_default();
    if body.starts_with(&triple)
        && let Some(length) = closing(body, &triple, raw, true)
    {
        return Ok((string_token(prefix + 3, 3, raw), prefix + length));
    }
    let length = closing(body, quote, raw, false).ok_or_else(unclosed)?;
    Ok((string_token(prefix + 1, 1, raw), prefix + length))
}

fn string_token(open: usize, close: u8, raw: bool) -> Token {
    // Prefix and quotes are at most five bytes.
    Token::Str(Literal { open: u8::try_from(open).unwrap_or(u8::MAX), close, raw })
}

/// Length of a literal with its quotes, if it is closed.
fn closing(body: &str, quotes: &str, raw: bool, lines: bool) -> Option<usize> {
    let mut at = quotes.len();
    loop {
        let rest = body.get(at..)?;
        if rest.starts_with(quotes) {
            return Some(at + quotes.len());
        }
        let first = rest.chars().next()?;
        match first {
            '\n' | '\r' if !lines => return None,
            '\\' if !raw => at += 1 + rest.chars().nth(1)?.len_utf8(),
            other => at += other.len_utf8(),
        }
    }
}

fn number(rest: &str) -> (Token, usize) {
    let bytes = rest.as_bytes();
    let digits = |from: usize| count(rest.get(from..).unwrap_or_default(), |b| b.is_ascii_digit());
    if rest.starts_with("0x") {
        let hex = count(rest.get(2..).unwrap_or_default(), |b| b.is_ascii_hexdigit());
        if hex > 0 {
            return suffixed(bytes, 2 + hex);
        }
    }
    let whole = digits(0);
    let mut end = whole;
    let mut float = false;
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
        float = true;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            return (Token::Float, end + 1 + sign + exponent);
        }
    }
    if float { (Token::Float, end) } else { suffixed(bytes, end) }
}

fn suffixed(bytes: &[u8], end: usize) -> (Token, usize) {
    if matches!(bytes.get(end), Some(b'u' | b'U')) { (Token::Uint, end + 1) } else { (Token::Int, end) }
}
