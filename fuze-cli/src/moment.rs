//! Times as people write them: RFC 3339 with any offset and any fraction, as evidence writes them inside.

use fuze_evidence::Timestamp;

/// Reads a time of an argument.
///
/// # Errors
/// When it is none.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    read(text).ok_or_else(|| {
        "expected a time (RFC 3339) from 1970 on, for instance 2026-11-23T09:30:00Z or 2026-11-23T10:30:00.5+01:00".to_owned()
    })
}

fn read(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, offset) = rest.split_at_checked(digits)?;
            ((1..=9).contains(&digits).then_some(fraction)?, offset)
        }
    };
    let at: Timestamp = format!("{date}T{time}.{fraction:0<9}Z").parse().ok()?;
    let ahead = match offset {
        "Z" | "z" => 0,
        _ => {
            let (sign, rest) = offset.split_at_checked(1)?;
            let (hours, minutes) = rest.split_once(':')?;
            let number = |digits: &str, below: i128| {
                let whole = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
                digits.parse::<i128>().ok().filter(|number| whole && *number < below)
            };
            let ahead = number(hours, 24)? * 60 + number(minutes, 60)?;
            match sign {
                "+" => ahead,
                "-" => -ahead,
                _ => return None,
            }
        }
    };
    let nanos = i128::try_from(at.as_nanos()).ok()? - ahead * 60 * 1_000_000_000;
    Timestamp::from_nanos(nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        for (text, expected) in [
            ("2026-11-23T09:30:00Z", "2026-11-23T09:30:00.000000000Z"),
            ("2026-11-23t09:30:00.5z", "2026-11-23T09:30:00.500000000Z"),
            ("2026-11-23 09:30:00.123456789Z", "2026-11-23T09:30:00.123456789Z"),
            ("2026-11-23T00:30:00+01:00", "2026-11-22T23:30:00.000000000Z"),
            ("2026-12-31T23:30:00-00:45", "2027-01-01T00:15:00.000000000Z"),
        ] {
            assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T09:30Z",
            "2026-11-23T09:30:00",
            "2026-11-23T09:30:00.Z",
            "2026-11-23T09:30:00.1234567890Z",
            "2026-11-31T09:30:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T09:30:00+1:00",
            "2026-11-23T09:30:00+24:00",
            "2026-11-23T09:30:00+01:60",
            "2026-11-23T09:30:00++1:00",
            "1970-01-01T00:00:00+01:00",
            "2026-11-23é09:30:00Z",
            "2026-11-23T09:30:00 01:00",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
