//! Cells: values that stand for all values between which no condition can tell a difference.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Number, Value as Json};

use super::vocabulary::{ATTRIBUTES, Domain};
use crate::cel::Timestamp;

/// What a variable is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// One of [`ATTRIBUTES`].
    Attribute(usize),
    /// An argument, by the keys below `R.attr.args`.
    Argument(Vec<Arc<str>>),
    /// When it is asked: what `now()` says.
    Now,
}

/// A value that some condition names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    Text(Arc<str>),
    /// The bits of a finite double, in the order of the numbers.
    Number(i64),
    /// An instant, in nanoseconds since 1970.
    Instant(i128),
}

impl Point {
    pub(super) fn number(number: f64) -> Self {
        // No two zeros: they are equal.
        let bits = if number == 0.0 { 0 } else { number.to_bits().cast_signed() };
        Self::Number(if bits < 0 { i64::MIN - bits } else { bits })
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(order) => {
                let bits = if *order < 0 { i64::MIN - order } else { *order };
                Some(f64::from_bits(bits.cast_unsigned()))
            }
            Self::Text(_) | Self::Instant(_) => None,
        }
    }
}

/// A value, or what stands for many.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    /// `None`: it is not there.
    pub(super) json: Option<Json>,
    /// Whether it stands for many.
    pub(super) region: bool,
    /// Whether it is a mapping whose entries are variables of their own.
    pub(super) opens: bool,
}

impl Cell {
    pub(super) fn point(json: impl Into<Json>) -> Self {
        Self { json: Some(json.into()), region: false, opens: false }
    }

    fn region(json: impl Into<Json>) -> Self {
        Self { region: true, ..Self::point(json) }
    }

    pub(super) const MISSING: Self = Self { json: None, region: false, opens: false };

    /// Whether it is a text.
    pub(super) fn is_some_text(&self) -> bool {
        matches!(self.json, Some(Json::String(_)))
    }

    /// Whether two values are both texts, both numbers and so on.
    pub(super) fn is_of_kind(&self, other: &Self) -> bool {
        let kind = |cell: &Self| cell.json.as_ref().map(std::mem::discriminant);
        kind(self) == kind(other)
    }

    /// Whether it stands for all lists, or for all mappings.
    pub(super) fn is_structure(&self) -> bool {
        self.region && matches!(self.json, Some(Json::Array(_) | Json::Object(_)))
    }

    pub(super) fn is_text(&self, text: &str) -> bool {
        self.json.as_ref().and_then(Json::as_str) == Some(text)
    }
}

/// What the cells of a variable are made from.
pub(super) struct Known<'a> {
    pub(super) subject: &'a Subject,
    pub(super) points: &'a BTreeSet<Point>,
    /// Texts that nobody names, one more than another variable can be equal to.
    pub(super) fresh: &'a [String],
    /// Whether conditions look into it.
    pub(super) has_entries: bool,
}

impl Known<'_> {
    /// The cells, those first that read best in a counterexample.
    pub(super) fn cells(&self) -> Vec<Cell> {
        match self.subject {
            Subject::Attribute(at) => {
                match ATTRIBUTES.get(*at).map_or(Domain::Text, |attribute| attribute.domain) {
                    Domain::Text | Domain::Open(_) => self.texts().collect(),
                    Domain::Closed(values) => values.iter().map(|value| Cell::point(*value)).collect(),
                    Domain::OfSpecial(values) => {
                        let values = values.iter().map(|value| Cell::point(*value));
                        values.chain([Cell::MISSING]).collect()
                    }
                    Domain::Flag => vec![Cell::point(true), Cell::point(false)],
                    Domain::Count => self.counts(),
                }
            }
            Subject::Now => self.instants(),
            Subject::Argument(_) => {
                let mut cells = Vec::new();
                if self.has_entries {
                    let json = Some(Json::Object(serde_json::Map::new()));
                    // What is in it is up to other variables: to whatever looks at it as a whole it stands for many.
                    cells.push(Cell { json, region: true, opens: true });
                }
                cells.extend(self.numbers());
                cells.extend(self.texts());
                cells.extend([true, false].map(Cell::point));
                cells.extend([Cell::MISSING, Cell::point(Json::Null), Cell::region(Json::Array(Vec::new()))]);
                if !self.has_entries {
                    cells.push(Cell::region(Json::Object(serde_json::Map::new())));
                }
                cells
            }
        }
    }

    fn texts(&self) -> impl Iterator<Item = Cell> {
        // What an attribute says is never nothing: see `possible`.
        let may_be_empty = matches!(self.subject, Subject::Argument(_));
        let named = self.points.iter().filter_map(move |point| match point {
            Point::Text(text) if text.is_empty() && !may_be_empty => None,
            Point::Text(text) => Some(Cell::point(&**text)),
            Point::Number(_) | Point::Instant(_) => None,
        });
        named.chain(self.fresh.iter().map(|text| Cell::region(text.as_str())))
    }

    /// Each number that is named, and one between each two, before and after.
    fn numbers(&self) -> Vec<Cell> {
        let named: Vec<f64> = self.points.iter().filter_map(Point::as_number).collect();
        let (Some(first), Some(last)) = (named.first(), named.last()) else {
            return vec![Cell::region(number(1.0))];
        };
        let mut cells = vec![];
        for (at, value) in named.iter().enumerate() {
            cells.push(Cell::point(number(*value)));
            if *value == 0.0 {
                // Equal, and not the same: `1.0 / x` and `string(x)` tell it apart.
                cells.push(Cell::point(-0.0));
            }
            // A whole number of the policy may lie between two doubles: those beside the nearest are cells of their own.
            if value.abs() >= WHOLE {
                cells.extend([value.next_down(), value.next_up()].map(number).map(Cell::point));
            }
            if let Some(next) = named.get(at + 1)
                && value.next_up() < *next
            {
                let middle = value + (next - value) / 2.0;
                let middle = if middle.is_finite() && *value < middle && middle < *next {
                    middle
                } else {
                    value.next_up()
                };
                cells.push(Cell::region(number(middle)));
            }
        }
        let below = if first.abs() < WHOLE { first - 1.0 } else { first.next_down().next_down() };
        let above = if last.abs() < WHOLE { last + 1.0 } else { last.next_up().next_up() };
        cells.extend([below, above].into_iter().filter(|n| n.is_finite()).map(|n| Cell::region(number(n))));
        cells
    }

    /// Each instant that is named, and one between each two, before and after; there is none before the year 1 and after the year 9999,
    /// where the time of a request cannot be either.
    fn instants(&self) -> Vec<Cell> {
        let named: Vec<i128> = self
            .points
            .iter()
            .filter_map(|point| match point {
                Point::Instant(at) => Some(*at),
                Point::Text(_) | Point::Number(_) => None,
            })
            .collect();
        let between = named.array_windows().map(|[one, next]| one + (next - one) / 2);
        let [first, last] = [Timestamp::FIRST, Timestamp::LAST].map(nanoseconds);
        let before = named.first().map(|at| first.max(at - DAY));
        let after = named.last().map(|at| last.min(at + DAY));
        let beside = between.chain(before).chain(after).filter(|at| !named.contains(at));
        let regions = beside.map(|at| Cell::region(at.to_string()));
        named.iter().map(|at| Cell::point(at.to_string())).chain(regions).collect()
    }

    /// The same for numbers that only count.
    fn counts(&self) -> Vec<Cell> {
        let mut named: Vec<f64> = self.points.iter().filter_map(Point::as_number).collect();
        named.push(0.0);
        let beside = |value: f64| [value.floor() - 1.0, value.floor(), value.floor() + 1.0];
        let mut all: Vec<f64> = named
            .iter()
            .flat_map(|value| beside(*value))
            .filter(|value| (0.0..=f64::from(u32::MAX)).contains(value))
            .collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let known = |value: f64| named.contains(&value);
        all.into_iter().map(|n| Cell { region: !known(n), ..Cell::point(number(n)) }).collect()
    }
}

/// A day, in nanoseconds.
const DAY: i128 = 86_400_000_000_000;

/// Since 1970.
pub(super) fn nanoseconds(at: Timestamp) -> i128 {
    i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanoseconds)
}

/// An instant, if there is such a one.
pub(super) fn instant(nanoseconds: i128) -> Option<Timestamp> {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    Timestamp::new(seconds, u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?, 0)
}

/// 2⁵³: doubles below it tell all whole numbers apart.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A number as JSON writes it: whole if it is.
pub(super) fn number(value: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2⁵³")]
    if value.trunc() == value && value.abs() < WHOLE {
        return Json::from(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}
