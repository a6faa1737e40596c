//! What a plain scalar means.

use super::Value;

/// Reads a plain scalar. `Ok(None)` is text; `Err` says why it cannot be told.
pub(super) fn plain(text: &str) -> Result<Option<Value>, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Some(Value::Null)),
        "true" | "True" | "TRUE" => return Ok(Some(Value::Bool(true))),
        "false" | "False" | "FALSE" => return Ok(Some(Value::Bool(false))),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err("infinity and NaN have no place in a policy");
    }
    if hidden_number(text, unsigned) {
        return Err(
            "Cerbos takes this for a number, whatever its underscores and signs: write the number plainly, or \
                    put it in quotes if it is text",
        );
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(None);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) && unsigned.starts_with(|c: char| c != '.') {
        return integer(text, unsigned).map(Some);
    }
    if radix(unsigned) {
        return Err(
            "a number in another base than ten is read differently by different programs: write it in \
                    decimal, or put it in quotes if it is text",
        );
    }
    if !is_decimal_fraction(unsigned) {
        return Ok(None);
    }
    if !unsigned.contains('.') {
        return Err(
            "Cerbos 0.55 takes a number with an exponent and no point for text: write a point, as in `1.0e+6`, or put it in quotes \
                    if it is text",
        );
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(Value::Float(number))),
        _ => Err("the number is too large"),
    }
}

fn integer(text: &str, digits: &str) -> Result<Value, &'static str> {
    if digits.len() > 1 && digits.starts_with('0') || text.starts_with('+') {
        return Err(
            "a number with a leading zero or a plus sign is read differently by different programs: write it \
                    plainly, or put it in quotes if it is text",
        );
    }
    let number =
        text.parse::<i128>().ok().filter(|n| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(n));
    match (number, text.parse::<f64>()) {
        (Some(whole), Ok(number)) => Ok(Value::Int { text: whole.to_string(), number }),
        _ => Err("the number has more than 64 bits: put it in quotes if it is text"),
    }
}

/// Whether it is a number once its underscores are gone, and a plus before a minus, which Cerbos does not mind.
fn hidden_number(text: &str, unsigned: &str) -> bool {
    if text.starts_with('_') {
        return false;
    }
    let bare = text.strip_prefix('+').unwrap_or(text);
    let bare: String = bare.strip_prefix('-').unwrap_or(bare).chars().filter(|c| *c != '_').collect();
    bare != unsigned && (is_decimal_fraction(&bare) || radix(&bare))
}

/// `0x…`, `0o…`, `0b…`.
fn radix(unsigned: &str) -> bool {
    let mut chars = unsigned.chars();
    chars.next() == Some('0') && matches!(chars.next(), Some('x' | 'X' | 'o' | 'O' | 'b' | 'B')) && {
        let rest = chars.as_str();
        !rest.is_empty()
            && rest.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '_' | '.' | 'p' | 'P' | '+' | '-'))
    }
}

/// Digits with a fraction or an exponent, as in YAML 1.2 (10.3.2).
fn is_decimal_fraction(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_number = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str, number: f64) -> Result<Option<Value>, &'static str> {
        Ok(Some(Value::Int { text: text.to_owned(), number }))
    }

    #[test]
    fn plain_scalars_of_the_core_schema() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Ok(Some(Value::Null)), "{text}");
        }
        assert_eq!(plain("true"), Ok(Some(Value::Bool(true))));
        assert_eq!(plain("FALSE"), Ok(Some(Value::Bool(false))));
        assert_eq!(plain("20210210"), int("20210210", 20_210_210.0));
        assert_eq!(plain("-7"), int("-7", -7.0));
        assert_eq!(plain("0"), int("0", 0.0));
        assert_eq!(plain("18446744073709551615"), int("18446744073709551615", 18_446_744_073_709_551_615.0));
        for (text, number) in [("1.5", 1.5), ("-.5", -0.5), ("1.", 1.0), ("1.e3", 1000.0), ("-1.5E-1", -0.15)]
        {
            assert_eq!(plain(text), Ok(Some(Value::Float(number))), "{text}");
        }
    }

    #[test]
    fn what_is_text() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "nul",
            "1.2.3",
            "2026-01-02",
            "10:30",
            "1a",
            ".",
            "..",
            "1e",
            "0xg",
            "-",
            "--1",
            "acme.hr",
            "1 2",
        ] {
            assert_eq!(plain(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        for text in [
            "010",
            "1_000",
            "+1",
            "0x1F",
            "0o17",
            "0b1",
            ".inf",
            "-.INF",
            ".nan",
            "18446744073709551616",
            "1.0e999",
            "1e3",
            "-1E+3",
            "12e-3",
        ] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
