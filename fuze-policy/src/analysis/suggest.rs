//! Values and times that an expression suggests which cells do not decide: texts that a pattern takes, dates on both sides of now, the hours
//! of a week. What comes of them the real evaluation says.

use serde_json::{Value as Json, json};

use super::atoms::Atom;
use crate::cel::{Kind, Timestamp, Value};

/// Texts for the functions and patterns that an expression has.
pub(super) fn texts(atom: &Atom, now: Option<Timestamp>) -> Vec<Json> {
    let mut all = Vec::new();
    atom.program.expr().visit(&mut |part| match &part.kind {
        Kind::Matches(_, pattern) => all.extend(taken(pattern.source()).into_iter().map(Json::from)),
        Kind::Call(function, _) => match function.name() {
            "timestamp" => {
                let beside = [-DAY, DAY, -400 * DAY, 400 * DAY].map(|seconds| Some(later(now?, seconds)));
                let written = beside.into_iter().flatten().flatten();
                all.extend(written.filter_map(|at| Value::Timestamp(at).to_json().ok()));
            }
            "duration" => all.extend(["0s", "1h", "1000h"].map(Json::from)),
            _ => {}
        },
        Kind::Literal(Value::String(text)) => {
            // The first address of a range.
            all.extend(text.split_once('/').map(|(first, _)| json!(first)));
        }
        _ => {}
    });
    all
}

/// Each hour of the week after a time, and noon once in each of the months after it; those first that differ most.
pub(super) fn times(now: Timestamp) -> Vec<Timestamp> {
    let from =
        Timestamp { seconds: now.seconds - now.seconds.rem_euclid(DAY), nanoseconds: 0, offset_seconds: 0 };
    let days = (0..7).map(|day| day * DAY + 12 * HOUR);
    let hours = (0..24).map(|hour| hour * HOUR);
    let months = (1..12).map(|month| month * 30 * DAY + 12 * HOUR);
    let rest = (1..7).flat_map(|day| (0..24).map(move |hour| day * DAY + hour * HOUR));
    days.chain(hours).chain(months).chain(rest).filter_map(|seconds| later(from, seconds)).collect()
}

/// Those of [`times`] that are one for each day, hour and month.
pub(super) const DIFFERENT_TIMES: usize = 7 + 24 + 11;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn later(now: Timestamp, seconds: i64) -> Option<Timestamp> {
    Timestamp::new(now.seconds.checked_add(seconds)?, 0, 0)
}

/// Texts that a pattern takes, if it is made of letters, classes, groups and counts; none for what is more.
fn taken(pattern: &str) -> Vec<String> {
    let mut all: Vec<String> = (0..4).filter_map(|which| Taken::of(pattern, which)).collect();
    all.dedup();
    all
}

/// A text that is put together while its pattern is read.
struct Taken<'p> {
    rest: std::str::Chars<'p>,
    /// Which of several ways to go: the alternatives in turn.
    which: usize,
    /// Characters that may still be made.
    left: usize,
}

/// Characters of a text.
const MOST: usize = 400;
/// Groups in one another.
const DEEPEST: usize = 20;

impl<'p> Taken<'p> {
    fn of(pattern: &'p str, which: usize) -> Option<String> {
        let mut taken = Self { rest: pattern.chars(), which, left: MOST };
        let text = taken.alternatives(0)?;
        taken.rest.next().is_none().then_some(text)
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        if is {
            self.rest.next();
        }
        is
    }

    fn alternatives(&mut self, depth: usize) -> Option<String> {
        let mut all = vec![self.sequence(depth)?];
        while self.eat('|') {
            all.push(self.sequence(depth)?);
        }
        let which = self.which % all.len();
        all.into_iter().nth(which)
    }

    fn sequence(&mut self, depth: usize) -> Option<String> {
        let mut text = String::new();
        while let Some(next) = self.peek().filter(|next| !matches!(next, '|' | ')')) {
            self.rest.next();
            let piece = match next {
                '(' => {
                    // Flags and names are not looked into.
                    if self.eat('?') && !self.eat(':') || depth == DEEPEST {
                        return None;
                    }
                    let group = self.alternatives(depth + 1)?;
                    self.eat(')').then_some(group)?
                }
                '[' => self.class()?.to_string(),
                '\\' => self.escaped()?.map(String::from).unwrap_or_default(),
                '^' | '$' => String::new(),
                '.' => "a".to_owned(),
                '*' | '+' | '?' | '{' => return None,
                other => other.to_string(),
            };
            let count = self.count()?;
            let made = piece.chars().count().checked_mul(count)?;
            self.left = self.left.checked_sub(made)?;
            text.push_str(&piece.repeat(count));
        }
        Some(text)
    }

    /// How often what stands before is to come.
    fn count(&mut self) -> Option<usize> {
        let count = match self.peek() {
            Some('*' | '+') => 1,
            Some('?') => self.which % 2,
            Some('{') => {
                self.rest.next();
                let least = self.number()?;
                let most = if self.eat(',') { self.number() } else { Some(least) };
                // At least one, where there may be.
                least.max(most.unwrap_or(1).min(1))
            }
            _ => return Some(1),
        };
        // The sign of the count, or the bracket at its end.
        self.rest.next();
        self.eat('?');
        Some(count)
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.rest.next();
        }
        digits.parse().ok()
    }

    /// One of a class of characters.
    fn class(&mut self) -> Option<char> {
        let not = self.eat('^');
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let first = match self.rest.next()? {
                ']' if !ranges.is_empty() => break,
                '[' => return None,
                '\\' => self.escaped()??,
                other => other,
            };
            let mut ahead = self.rest.clone();
            let last = match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) if !matches!(last, ']' | '\\' | '[') => {
                    self.rest = ahead;
                    last
                }
                _ => first,
            };
            ranges.push((first, last));
        }
        if !not {
            return ranges.get(self.which % ranges.len()).map(|(first, _)| *first);
        }
        let is_in = |one: &char| ranges.iter().any(|(first, last)| (first..=last).contains(&one));
        "a0 A-_.x".chars().find(|one| !is_in(one))
    }

    /// What an escape stands for: nothing for a boundary.
    fn escaped(&mut self) -> Option<Option<char>> {
        Some(match self.rest.next()? {
            'd' => Some('0'),
            'w' | 'D' | 'S' => Some('a'),
            's' | 'W' => Some(' '),
            'A' | 'z' => None,
            other if other.is_ascii_alphanumeric() => return None,
            other => Some(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::Pattern;

    #[test]
    fn texts_that_a_pattern_takes_are_taken() {
        for pattern in [
            "^DE[0-9]{20}$",
            r"^\d{4}-(0[1-9]|1[0-2])-[0-3]\d$",
            "^[a-z_]+$",
            r"^[^@\s]+@example\.(org|com)$",
            "^(?:INV|RE)-[0-9]{4,}(-[A-Z])?$",
            "^.*$",
            "a|b",
            r"^[\w.-]{2,8}\z",
            "^[]x]{3}$",
            "^[+-]?[0-9]{1,3}?$",
        ] {
            let all = taken(pattern);
            let compiled = Pattern::compile(pattern).unwrap();
            assert!(!all.is_empty(), "{pattern}");
            assert!(all.iter().all(|text| compiled.is_match(text)), "{pattern}: {all:?}");
        }
        assert_eq!(taken("^(INV|RE)-[0-9]{2}$"), ["INV-00", "RE-00", "INV-00", "RE-00"]);
        for pattern in ["(?i)a", r"\bword\b", "[[:alpha:]]", r"\pL", "a{401}", "(", "[a", "a{", r"\"] {
            assert_eq!(taken(pattern), [""; 0], "{pattern}");
        }
    }

    #[test]
    fn a_week_has_each_of_its_hours() {
        let all = times(Timestamp { seconds: 1_767_225_600 + 5_000, nanoseconds: 7, offset_seconds: 0 });
        let of = |seconds: i64| all.iter().any(|at| at.seconds == 1_767_225_600 + seconds);
        assert!((0..7 * 24).all(|hour| of(hour * HOUR)));
        assert!(of(330 * DAY + 12 * HOUR) && all.iter().all(|at| at.nanoseconds == 0));
    }
}
