//! The proleptic Gregorian calendar.

/// A day of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
}

impl Date {
    /// The day that is so many days after 1970-01-01.
    ///
    /// After Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day comes last.
    pub(super) fn from_days(days: i64) -> Date {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Date { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// How many days after 1970-01-01 it is.
    pub(super) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = (self.month + 9) % 12;
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// Whether there is such a day. One that is not is counted as another.
    pub(super) fn exists(self) -> bool {
        Date::from_days(self.days()) == self
    }

    /// How many days of its year came before.
    pub(super) fn day_of_year(self) -> i64 {
        self.days() - Date { year: self.year, month: 1, day: 1 }.days()
    }
}
