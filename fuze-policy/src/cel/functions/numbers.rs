//! Doubles as Go reads and writes them.

/// `%g`: the shortest digits that read back, with an exponent below 10⁻⁴ and from 10⁶ on.
pub(crate) fn general(d: f64) -> String {
    if let Some(special) = special(d, "+Inf", "-Inf") {
        return special.to_owned();
    }
    let scientific = format!("{d:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{d}");
    }
    format!("{digits}e{}", go_exponent(exponent))
}

/// `%f` with the shortest digits that read back.
pub(crate) fn plain(d: f64) -> String {
    format!("{d}")
}

/// `%.nf`.
pub(crate) fn fixed(d: f64, precision: usize) -> String {
    format!("{d:.precision$}")
}

/// `%.ne`.
pub(crate) fn scientific(d: f64, precision: usize) -> String {
    let text = format!("{d:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{digits}e{}", go_exponent(exponent.parse().unwrap_or(0))),
        None => text,
    }
}

/// What JSON writes: an exponent below -6 and from 21 digits on.
pub(crate) fn json(d: f64) -> String {
    let scientific = format!("{d:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if d == 0.0 || (-6..21).contains(&exponent) {
        return format!("{d}");
    }
    let sign = if exponent < 0 { "-" } else { "+" };
    format!("{digits}e{sign}{}", exponent.unsigned_abs())
}

/// Go's names of the infinite; what is no number Rust, too, calls `NaN`.
pub(crate) fn special(d: f64, plus: &'static str, minus: &'static str) -> Option<&'static str> {
    match d {
        f64::INFINITY => Some(plus),
        f64::NEG_INFINITY => Some(minus),
        _ => None,
    }
}

/// Sign and at least two digits.
fn go_exponent(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{:02}", exponent.unsigned_abs())
}

/// `strconv.ParseFloat`, without hexadecimal.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => {
            return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        _ => {}
    }
    let digits = without_underscores(text)?;
    if !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    digits.parse::<f64>().ok().filter(|d| d.is_finite())
}

/// The text without underscores, which may stand between digits only.
fn without_underscores(text: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !text.contains('_') {
        return Some(text.into());
    }
    let parts: Vec<_> = text.split('_').collect();
    let between_digits = parts.windows(2).all(|pair| match pair {
        [before, after] => {
            before.ends_with(|c: char| c.is_ascii_digit()) && after.starts_with(|c: char| c.is_ascii_digit())
        }
        _ => true,
    });
    between_digits.then(|| parts.concat().into())
}
