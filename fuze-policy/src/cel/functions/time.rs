//! Points and spans of time, as Go reads, writes and divides them.

use std::borrow::Cow;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::calendar::Date;
use super::{Computed, Context, Native, numbers};
use crate::cel::error::EvalError;
use crate::cel::signatures::Line;
use crate::cel::value::{Duration, Timestamp, Value};

const OF_TIMESTAMP: &[&str] = &["timestamp.() int", "timestamp.(string) int"];
const OF_BOTH: &[&str] = &["timestamp.() int", "timestamp.(string) int", "duration.() int"];

pub(super) const LINES: &[Line] = &[
    ("now", &["() timestamp"], Native::Eager(|context, _| context.now().map(Value::Timestamp))),
    ("timeSince", &["(timestamp) duration", "timestamp.() duration"], Native::Eager(time_since)),
    ("getFullYear", OF_TIMESTAMP, Native::Eager(|c, args| field(c, args, |t| t.date.year))),
    ("getMonth", OF_TIMESTAMP, Native::Eager(|c, args| field(c, args, |t| t.date.month - 1))),
    ("getDayOfYear", OF_TIMESTAMP, Native::Eager(|c, args| field(c, args, |t| t.date.day_of_year()))),
    ("getDayOfMonth", OF_TIMESTAMP, Native::Eager(|c, args| field(c, args, |t| t.date.day - 1))),
    ("getDate", OF_TIMESTAMP, Native::Eager(|c, args| field(c, args, |t| t.date.day))),
    // 1970-01-01 was a Thursday.
    (
        "getDayOfWeek",
        OF_TIMESTAMP,
        Native::Eager(|c, args| field(c, args, |t| (t.date.days() + 4).rem_euclid(7))),
    ),
    (
        "getHours",
        OF_BOTH,
        Native::Eager(|c, args| match args {
            [Value::Duration(d)] => Ok(Value::Int(whole(*d, 3_600_000_000_000))),
            _ => field(c, args, |t| t.second / 3_600),
        }),
    ),
    (
        "getMinutes",
        OF_BOTH,
        Native::Eager(|c, args| match args {
            [Value::Duration(d)] => Ok(Value::Int(whole(*d, 60_000_000_000))),
            _ => field(c, args, |t| t.second / 60 % 60),
        }),
    ),
    (
        "getSeconds",
        OF_BOTH,
        Native::Eager(|c, args| match args {
            [Value::Duration(d)] => Ok(Value::Int(whole(*d, NANOSECONDS))),
            _ => field(c, args, |t| t.second % 60),
        }),
    ),
    (
        "getMilliseconds",
        OF_BOTH,
        Native::Eager(|c, args| match args {
            [Value::Duration(d)] => Ok(Value::Int(d.nanoseconds / 1_000_000)),
            _ => field(c, args, |t| t.nanosecond / 1_000_000),
        }),
    ),
];

const NANOSECONDS: i64 = 1_000_000_000;
/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST: i64 = 253_402_300_799;

/// A point in time outside the years 1 to 9999.
pub(super) const OUT_OF_RANGE: EvalError = EvalError::Failed(Cow::Borrowed("timestamp overflow"));

impl Timestamp {
    pub(crate) const FIRST: Self = Self { seconds: FIRST, nanoseconds: 0, offset_seconds: 0 };
    pub(crate) const LAST: Self = Self { seconds: LAST, nanoseconds: 999_999_999, offset_seconds: 0 };

    /// The point in time, if it is in the years 1 to 9999 and the nanoseconds are below 10⁹.
    #[must_use]
    pub fn new(seconds: i64, nanoseconds: u32, offset_seconds: i32) -> Option<Timestamp> {
        ((FIRST..=LAST).contains(&seconds) && nanoseconds < 1_000_000_000).then_some(Timestamp {
            seconds,
            nanoseconds,
            offset_seconds,
        })
    }

    /// What order and equality go by.
    pub(in crate::cel) fn instant(self) -> (i64, u32) {
        (self.seconds, self.nanoseconds)
    }

    /// Whether it is the zero of Go.
    pub(super) fn is_first(self) -> bool {
        self.instant() == (FIRST, 0)
    }
}

/// The point in time so many nanoseconds later.
pub(in crate::cel) fn shift(t: Timestamp, nanoseconds: i64) -> Result<Timestamp, EvalError> {
    let total =
        i128::from(t.seconds) * i128::from(NANOSECONDS) + i128::from(t.nanoseconds) + i128::from(nanoseconds);
    let seconds = i64::try_from(total.div_euclid(i128::from(NANOSECONDS))).map_err(|_| OUT_OF_RANGE)?;
    let rest = u32::try_from(total.rem_euclid(i128::from(NANOSECONDS))).map_err(|_| OUT_OF_RANGE)?;
    Timestamp::new(seconds, rest, t.offset_seconds).ok_or(OUT_OF_RANGE)
}

/// How much later the first is, if a duration can hold it.
pub(in crate::cel) fn between(a: Timestamp, b: Timestamp) -> Option<Duration> {
    let seconds = a.seconds.checked_sub(b.seconds)?.checked_mul(NANOSECONDS)?;
    let nanoseconds = seconds.checked_add(i64::from(a.nanoseconds) - i64::from(b.nanoseconds))?;
    Some(Duration { nanoseconds })
}

/// `timeSince`: Go's own difference, which stops at the longest duration.
fn time_since(context: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::Timestamp(t)] = args else { return Err(EvalError::NO_SUCH_OVERLOAD) };
    let now = context.now()?;
    let longest = if now.instant() < t.instant() { i64::MIN } else { i64::MAX };
    Ok(Value::Duration(between(now, *t).unwrap_or(Duration { nanoseconds: longest })))
}

/// How often the unit fits; Go divides in doubles.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as Go computes")]
fn whole(d: Duration, unit: i64) -> i64 {
    ((d.nanoseconds / unit) as f64 + (d.nanoseconds % unit) as f64 / unit as f64) as i64
}

/// A point in time on a clock at some place.
struct Local {
    date: Date,
    /// Of the day.
    second: i64,
    nanosecond: i64,
}

fn field(context: &mut Context<'_>, args: &[Value], f: fn(&Local) -> i64) -> Computed {
    let (t, offset) = match args {
        [Value::Timestamp(t)] => (t, 0),
        [Value::Timestamp(t), Value::String(zone)] => {
            // A name is looked up among some six hundred.
            context.budget.step(200 + zone.len() as u64)?;
            (t, offset(zone, *t)?)
        }
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    let seconds = t.seconds.saturating_add(offset);
    let local = Local {
        date: Date::from_days(seconds.div_euclid(86_400)),
        second: seconds.rem_euclid(86_400),
        nanosecond: i64::from(t.nanoseconds),
    };
    Ok(Value::Int(f(&local)))
}

/// Why there is no such time zone, whatever the time.
pub(in crate::cel) fn no_zone(zone: &str) -> Option<String> {
    let midnight = Timestamp::new(0, 0, 0)?;
    if offset(zone, midnight).is_ok() {
        return None;
    }
    let database = TimeZoneDatabase::bundled();
    let mut names = database.available().map(|name| name.as_str().to_owned());
    let meant = names.find(|name| {
        let place = name.rsplit('/').next().unwrap_or(name);
        name.eq_ignore_ascii_case(zone) || place.eq_ignore_ascii_case(zone.rsplit('/').next().unwrap_or(zone))
    });
    let mend = meant.map_or_else(
        || "write one such as `Europe/Madrid`, or `+02:00`".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    Some(format!("there is no time zone `{zone}`, so this would fail whenever it is asked: {mend}"))
}

/// Seconds east of UTC of a zone by name, or by `hours:minutes`.
fn offset(zone: &str, at: Timestamp) -> Result<i64, EvalError> {
    if let Some((hours, minutes)) = zone.split_once(':') {
        let number = |text: &str| {
            text.parse::<i32>().map_err(|_| EvalError::failed("a time zone is `+02:00` or `Europe/Madrid`"))
        };
        let (hours, minutes) = (i64::from(number(hours)?), i64::from(number(minutes)?));
        let minutes = if zone.starts_with('-') { hours * 60 - minutes } else { hours * 60 + minutes };
        return Ok(minutes * 60);
    }
    // `Local` is the clock of the machine in Go; there is none here that could differ between machines.
    if matches!(zone, "" | "UTC" | "Local") {
        return Ok(0);
    }
    let unknown = || EvalError::failed(format!("unknown time zone {zone}"));
    let found = TimeZoneDatabase::bundled().get(zone).map_err(|_| unknown())?;
    if found.iana_name() != Some(zone) {
        return Err(unknown());
    }
    zone_offset(&found, at).ok_or_else(unknown)
}

fn zone_offset(zone: &TimeZone, at: Timestamp) -> Option<i64> {
    let instant = jiff::Timestamp::from_second(at.seconds).ok()?;
    Some(i64::from(zone.to_offset(instant).seconds()))
}

/// Go's `ParseDuration` in nanoseconds.
pub(in crate::cel) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    // One more than the longest, which the shortest of negative durations needs.
    const LIMIT: u64 = 1 << 63;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after) = leading_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => leading_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_length = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_length)?;
        let unit: u64 = match unit {
            "ns" => 1,
            // Both signs of micro are in use.
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part = whole.checked_mul(unit)?.checked_add(fraction_of(fraction, unit))?;
        total = total.checked_add(part).filter(|total| *total <= LIMIT)?;
        rest = after;
    }
    if negative { 0i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() }
}

/// So many units by the digits after the point, computed in doubles as Go does.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as Go computes"
)]
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0;
    for digit in digits.bytes() {
        let next = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0')));
        match next.filter(|next| *next <= 1 << 63) {
            Some(next) => value = next,
            // What does not fit any more is below a nanosecond.
            None => break,
        }
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn leading_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `string(duration)`: seconds.
#[expect(clippy::cast_precision_loss, reason = "as Go computes")]
pub(super) fn format_duration(d: Duration) -> String {
    let seconds = (d.nanoseconds / NANOSECONDS) as f64 + (d.nanoseconds % NANOSECONDS) as f64 / 1e9;
    format!("{}s", numbers::plain(seconds))
}

/// `string(timestamp)`: RFC 3339 with as many digits of the second as there are, on the clock it was written with.
pub(super) fn format_timestamp(t: Timestamp) -> String {
    let seconds = t.seconds + i64::from(t.offset_seconds);
    let Date { year, month, day } = Date::from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let fraction = match t.nanoseconds {
        0 => String::new(),
        n => format!(".{n:09}").trim_end_matches('0').to_owned(),
    };
    let zone = match t.offset_seconds / 60 {
        0 => "Z".to_owned(),
        minutes => {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
        }
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

impl Timestamp {
    /// Reads RFC 3339; nothing if it is no such time, or outside the years 1 to 9999.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_timestamp(text).flatten()
    }
}

/// Reads RFC 3339; nothing if it is not, and nothing inside if it is outside the years 1 to 9999.
pub(super) fn parse_timestamp(text: &str) -> Option<Option<Timestamp>> {
    let mut reader = Reader { rest: text };
    let year = reader.digits(4)?;
    let month = reader.after("-")?.digits(2)?;
    let day = reader.after("-")?.digits(2)?;
    let hour = reader.after("T")?.digits(2)?;
    let minute = reader.after(":")?.digits(2)?;
    let second = reader.after(":")?.digits(2)?;
    let nanoseconds = reader.fraction()?;
    let offset = reader.offset()?;
    let date = Date { year, month, day };
    if !date.exists() || hour > 23 || minute > 59 || second > 59 || !reader.rest.is_empty() {
        return None;
    }
    let seconds = date.days() * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(Timestamp::new(seconds, nanoseconds, i32::try_from(offset).ok()?))
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn after(&mut self, text: &str) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(self)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    }

    /// Nanoseconds; further digits count for nothing.
    fn fraction(&mut self) -> Option<u32> {
        let Some(after) = self.rest.strip_prefix('.') else { return Some(0) };
        let (digits, rest) = leading_digits(after);
        self.rest = rest;
        let nine = digits.get(..9).unwrap_or(digits);
        (!digits.is_empty()).then(|| format!("{nine:0<9}").parse().ok()).flatten()
    }

    fn offset(&mut self) -> Option<i64> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Some(0);
        }
        let sign = match self.rest.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.rest = self.rest.get(1..)?;
        let hours = self.digits(2)?;
        let minutes = self.after(":")?.digits(2)?;
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
    }
}
