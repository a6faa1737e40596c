//! The built-in detectors. Each looks at every character a bounded number of times.

use std::ops::Range;

use memchr::{memchr_iter, memmem};

use super::Detector;

/// Characters that people put between groups of digits.
const fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '-'
            | '.'
            | '_'
            | '/'
            | '\u{a0}'
            | '\u{2007}'
            | '\u{2009}'
            | '\u{2010}'
            | '\u{2011}'
            | '\u{202f}'
    )
}

/// E-mail addresses: a local part, `@`, a domain with at least one dot.
#[derive(Debug, Clone, Copy)]
pub struct Email;

impl Detector for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        for at in memchr_iter(b'@', text.as_bytes()) {
            let local = text.get(from..at).unwrap_or_default();
            let domain = text.get(at + 1..).unwrap_or_default();
            from = at + 1;
            let local_length: usize =
                local.chars().rev().take_while(|&c| is_local(c)).map(char::len_utf8).sum();
            // At most 255 octets (RFC 5321 section 4.5.3.1.2), which also bounds the work for each `@`.
            let bytes_of_domain: usize =
                domain.chars().take(255).take_while(|&c| is_domain(c)).map(char::len_utf8).sum();
            let domain = domain.get(..bytes_of_domain).unwrap_or_default().trim_end_matches(['.', '-']);
            let last = domain.rsplit('.').next().unwrap_or_default();
            let dotted = domain.contains('.') && !domain.starts_with('.') && last.chars().count() >= 2;
            let literal = last.chars().all(|c| c.is_ascii_digit()) && !last.is_empty();
            if local_length > 0 && dotted && (literal || last.chars().any(char::is_alphabetic)) {
                found.push(at - local_length..at + 1 + domain.len());
            }
        }
        found
    }
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '.'
}

/// Lengths by country (ISO 13616 registry); other countries are found at any length from 15 to 34.
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VG", 24),
    ("XK", 20),
];

/// International bank account numbers (ISO 13616): country, check digits, mod 97 = 1; single separators between characters.
#[derive(Debug, Clone, Copy)]
pub struct Iban;

impl Detector for Iban {
    fn name(&self) -> &'static str {
        "iban"
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if text.len() < SHORTEST_IBAN {
            return found;
        }
        let mut skip_to = 0;
        let mut in_word = false;
        for (start, byte) in text.bytes().enumerate() {
            let boundary = !in_word;
            in_word = byte.is_ascii_alphanumeric();
            if boundary
                && start >= skip_to
                && byte.is_ascii_alphabetic()
                && let Some(end) = iban_end(text, start)
            {
                found.push(start..end);
                skip_to = end;
            }
        }
        found
    }
}

/// In characters: the shortest of the registry, and of other countries.
const SHORTEST_IBAN: usize = 15;

/// Where the longest valid number that begins at `start` ends. Looks at 34 characters and their separators at most.
fn iban_end(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let mut country = [0u8; 2];
    let mut expected = None;
    let mut head = 0_u32;
    let mut remainder = 0_u32;
    let mut count = 0_usize;
    let mut end = None;
    let mut separated = false;
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if count > 0 && !separated && is_separator(c) {
            separated = true;
            continue;
        }
        separated = false;
        if !c.is_ascii_alphanumeric() || count == 34 {
            break;
        }
        // A letter counts as two digits: A is 10, Z is 35.
        let value = c.to_digit(36)?;
        let shift = if value < 10 { 10 } else { 100 };
        match (count, c) {
            (0 | 1, 'A'..='Z' | 'a'..='z') => {
                *country.get_mut(count)? = u8::try_from(c.to_ascii_uppercase()).ok()?;
            }
            (2 | 3, '0'..='9') => {}
            (0..=3, _) => return None,
            _ => remainder = (remainder * shift + value) % 97,
        }
        if count < 4 {
            head = (head * shift + value) % 97;
        }
        count += 1;
        if count == 4 {
            let listed = IBAN_LENGTHS.iter().find(|(name, _)| name.as_bytes() == country);
            expected = listed.map(|(_, length)| *length);
        }
        let fits = expected.map_or(count >= SHORTEST_IBAN, |length| count == length);
        let mut next_joins = || chars.peek().is_some_and(|(_, next)| next.is_ascii_alphanumeric());
        // The first four characters, six digits, are moved to the end before the division.
        if fits && (remainder * (1_000_000 % 97) + head) % 97 == 1 && !next_joins() {
            end = Some(start + at + c.len_utf8());
        }
        if expected.is_some_and(|length| count >= length) {
            break;
        }
    }
    end
}

/// Payment card numbers (ISO/IEC 7812): 13 to 19 digits with the check digit of Luhn, single separators between groups.
#[derive(Debug, Clone, Copy)]
pub struct Card;

impl Detector for Card {
    fn name(&self) -> &'static str {
        "card"
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if text.len() < SHORTEST_CARD || text.bytes().filter(u8::is_ascii_digit).count() < SHORTEST_CARD {
            return found;
        }
        let groups = digit_groups(text);
        let mut at = 0;
        while let Some(group) = groups.get(at..) {
            if group.is_empty() {
                break;
            }
            match card_end(text, group) {
                Some((count, range)) => {
                    found.push(range);
                    at += count;
                }
                None => at += 1,
            }
        }
        found
    }
}

/// In digits.
const SHORTEST_CARD: usize = 13;

/// A run of ASCII digits, and whether exactly one separator stands between it and the next run.
struct Group {
    range: Range<usize>,
    joins_next: bool,
}

fn digit_groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut separators = 2;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            match groups.last_mut() {
                Some(last) if last.range.end == at => last.range.end = at + 1,
                last => {
                    if let Some(last) = last {
                        last.joins_next = separators == 1;
                    }
                    groups.push(Group { range: at..at + 1, joins_next: false });
                }
            }
            separators = 0;
        } else if is_separator(c) {
            separators += 1;
        } else {
            separators = 2;
        }
    }
    groups
}

/// The longest number that begins with the first group: how many groups, and where.
fn card_end(text: &str, groups: &[Group]) -> Option<(usize, Range<usize>)> {
    let start = groups.first()?.range.start;
    // Industry digits of payment cards; 0, 7, 8 and 9 are other things.
    if !matches!(text.as_bytes().get(start), Some(b'1'..=b'6')) {
        return None;
    }
    let mut digits: Vec<u8> = Vec::with_capacity(19);
    let mut best = None;
    for (at, group) in groups.iter().enumerate() {
        if digits.len() + group.range.len() > 19 {
            break;
        }
        digits.extend_from_slice(text.as_bytes().get(group.range.clone())?);
        if digits.len() >= SHORTEST_CARD && luhn(&digits) {
            best = Some((at + 1, start..group.range.end));
        }
        if !group.joins_next {
            break;
        }
    }
    best
}

/// ISO/IEC 7812-1 annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| {
            let value = u32::from(digit - b'0');
            match value * 2 {
                _ if at % 2 == 0 => value,
                doubled if doubled > 9 => doubled - 9,
                doubled => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

const fn is_base64url(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_')
}

/// JSON Web Tokens (RFC 7519), signed or encrypted: three or five base64url parts, the first beginning `eyJ`.
#[derive(Debug, Clone, Copy)]
pub struct Jwt;

impl Detector for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = text.as_bytes().get(from..).and_then(|rest| memmem::find(rest, b"eyJ")) {
            let start = from + at;
            let token = text.get(start..).unwrap_or_default();
            let length: usize =
                token.chars().take_while(|&c| is_base64url(c) || c == '.').map(char::len_utf8).sum();
            let token = token.get(..length).unwrap_or_default().trim_end_matches('.');
            // The third part of an unsecured token is empty, so a trailing dot may belong to it.
            if token.split('.').count() >= 2 && token.split('.').take(2).all(|part| part.len() >= 4) {
                found.push(start..start + token.len());
            }
            from = start + length;
        }
        found
    }
}

/// What follows `Bearer` (RFC 6750) in a header or a log line.
#[derive(Debug, Clone, Copy)]
pub struct Bearer;

const BEARER: &[u8] = b"bearer";
/// Shorter ones are words: "bearer bonds".
const MIN_TOKEN: usize = 8;

impl Detector for Bearer {
    fn name(&self) -> &'static str {
        "bearer"
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        // The word, one character between, the token.
        if bytes.len() <= BEARER.len() + MIN_TOKEN {
            return found;
        }
        let mut at = 0;
        while let Some(window) = bytes.get(at..at + BEARER.len()) {
            if !window.eq_ignore_ascii_case(BEARER) {
                at += 1;
                continue;
            }
            let after = at + BEARER.len();
            let gap = count(bytes, after, |b| matches!(b, b' ' | b'\t' | b':' | b'=' | b'"' | b'\''));
            let length = count(bytes, after + gap, |b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
            let token = bytes.get(after + gap..after + gap + length).unwrap_or_default();
            if gap > 0 && length >= MIN_TOKEN && !token.iter().all(u8::is_ascii_lowercase) {
                found.push(after + gap..after + gap + length);
            }
            at = after + gap + length;
        }
        found
    }
}

fn count(bytes: &[u8], from: usize, accepts: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take_while(|&&b| accepts(b)).count()
}

/// What already looks like a mark, `[kind:22 characters]` or `[secret]`: replaced too, so that nobody can write one.
pub(super) fn marks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for start in memchr_iter(b'[', text.as_bytes()) {
        let rest = text.as_bytes().get(start + 1..).unwrap_or_default();
        let kind = rest.iter().take(32).take_while(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')).count();
        let tag = rest.get(kind + 1..kind + 23).unwrap_or_default();
        let shaped = kind > 0
            && rest.get(kind) == Some(&b':')
            && tag.len() == 22
            && tag.iter().all(|&b| is_base64url(char::from(b)))
            && rest.get(kind + 23) == Some(&b']');
        if shaped {
            found.push(start..start + kind + 25);
        }
    }
    found
}
