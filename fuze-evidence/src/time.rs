//! Points in time as the evidence writes them: RFC 3339, UTC, nine fractional digits. No clock: whoever calls has one.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NANOS_PER_SECOND: u128 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59.999999999Z.
const MAX_NANOS: u128 = 253_402_300_800 * NANOS_PER_SECOND - 1;

/// Nanoseconds since 1970-01-01T00:00:00Z, from then to the end of the year 9999, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u128);

impl Timestamp {
    /// The last one: the end of the year 9999.
    pub const MAX: Self = Self(MAX_NANOS);

    /// So many days of 24 hours later; `None` beyond the year 9999.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Option<Self> {
        let nanos = self.0.checked_add(u128::from(days) * u128::from(SECONDS_PER_DAY) * NANOS_PER_SECOND)?;
        (nanos <= MAX_NANOS).then_some(Self(nanos))
    }

    /// So much later; `None` beyond the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Option<Self> {
        let nanos = self.0.checked_add(duration.as_nanos())?;
        (nanos <= MAX_NANOS).then_some(Self(nanos))
    }

    /// From nanoseconds since the Unix epoch.
    ///
    /// # Errors
    /// When it lies before 1970 or after 9999.
    pub fn from_nanos(nanos: i128) -> Result<Self, TimeError> {
        match u128::try_from(nanos) {
            Ok(nanos) if nanos <= MAX_NANOS => Ok(Self(nanos)),
            _ => Err(TimeError::OutOfRange),
        }
    }

    /// From the system's type.
    ///
    /// # Errors
    /// When it lies before 1970 or after 9999.
    pub fn from_system_time(time: SystemTime) -> Result<Self, TimeError> {
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| TimeError::OutOfRange)?;
        Self::from_nanos(i128::try_from(since.as_nanos()).map_err(|_| TimeError::OutOfRange)?)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u128 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or(u64::MAX)
    }

    /// Nanoseconds from `earlier` to this, `None` when it is not earlier.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> Option<u128> {
        self.0.checked_sub(earlier.0)
    }

    /// The 30 octets of its only spelling.
    #[must_use]
    pub fn to_rfc3339(self) -> [u8; 30] {
        let seconds = u64::try_from(self.0 / NANOS_PER_SECOND).unwrap_or(0);
        let nanos = u32::try_from(self.0 % NANOS_PER_SECOND).unwrap_or(0);
        let (year, month, day) = civil_from_days(seconds / SECONDS_PER_DAY);
        let second = u32::try_from(seconds % SECONDS_PER_DAY).unwrap_or(0);
        let mut out = *b"0000-00-00T00:00:00.000000000Z";
        for (range, value) in [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, second / 3600),
            (14..16, second / 60 % 60),
            (17..19, second % 60),
            (20..29, nanos),
        ] {
            let mut rest = value;
            for digit in out.get_mut(range).unwrap_or_default().iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        out
    }
}

/// Year, month and day of a day count since 1970-01-01 (Gregorian calendar, days counted from 1 March of the year 0).
fn civil_from_days(days: u64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    (small(year), small(month), small(day))
}

fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// What is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// Before 1970 or after 9999.
    OutOfRange,
    /// Not exactly `YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ`, or a date that does not exist.
    Spelling,
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "a time lies before 1970 or after 9999",
            Self::Spelling => {
                "expected a time as `2026-01-31T23:59:59.123456789Z`: UTC, nine fractional digits"
            }
        })
    }
}

impl std::error::Error for TimeError {}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let number = |range: std::ops::Range<usize>| -> Result<u64, TimeError> {
            let digits = text.get(range).ok_or(TimeError::Spelling)?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(TimeError::Spelling);
            }
            digits.parse().map_err(|_| TimeError::Spelling)
        };
        if text.len() != 30 {
            return Err(TimeError::Spelling);
        }
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second, nanos) =
            (number(11..13)?, number(14..16)?, number(17..19)?, number(20..29)?);
        if year < 1970
            || !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return Err(TimeError::Spelling);
        }
        let seconds =
            days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
        let time = Self(u128::from(seconds) * NANOS_PER_SECOND + u128::from(nanos));
        // Catches wrong punctuation and days like the 31st of April, which come out spelt differently.
        if time.to_rfc3339() == text.as_bytes() { Ok(time) } else { Err(TimeError::Spelling) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_rfc3339()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times_are_spelt_as_they_should_be() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_294_256_123_456_789, "2026-11-21T20:50:56.123456789Z"),
            (i128::try_from(MAX_NANOS).unwrap(), "9999-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(Timestamp::from_nanos(nanos).unwrap().to_string(), text);
            assert_eq!(text.parse(), Timestamp::from_nanos(nanos));
        }
        assert_eq!(Timestamp::from_nanos(-1), Err(TimeError::OutOfRange));
        assert_eq!(Timestamp::from_nanos(i128::try_from(MAX_NANOS).unwrap() + 1), Err(TimeError::OutOfRange));
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for wrong in [
            "2026-11-21T20:50:56Z",
            "2026-11-21T20:50:56.123Z",
            "2026-11-21t20:50:56.123456789Z",
            "2026-11-21T20:50:56.123456789z",
            "2026-11-21 20:50:56.123456789Z",
            "2026-11-21T20:50:56,123456789Z",
            "2026-11-21T20:50:60.123456789Z",
            "2026-11-31T20:50:56.123456789Z",
            "2025-02-29T20:50:56.123456789Z",
            "1969-12-31T20:50:56.123456789Z",
            "+026-11-21T20:50:56.123456789Z",
            "2026-11-21T24:00:00.000000000Z",
            "2026-11-21T20:50:56.12345678éZ",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(TimeError::Spelling), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_time_reads_back(nanos in 0..=MAX_NANOS) {
            let time = Timestamp(nanos);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
