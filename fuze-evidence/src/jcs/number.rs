//! Numbers as ECMAScript writes them, and which of them are inside the profile.

use super::MAX_SAFE_INTEGER;
use super::error::ReadErrorKind;
use super::write::Error;

/// From here on ECMAScript writes an exponent, so that the literal cannot be taken for an integer.
const EXPONENT_FROM: f64 = 1e21;

/// Whether the canonical form of `n` is inside the profile.
pub(super) fn in_profile(n: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact")]
    let max = MAX_SAFE_INTEGER as f64;
    n.is_finite() && (n.abs() <= max || n.abs() >= EXPONENT_FROM)
}

/// The integer that `n` is, if it is one inside ±(2^53−1).
pub(super) fn as_integer(n: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact")]
    let max = MAX_SAFE_INTEGER as f64;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within ±(2^53-1)")]
    (n.fract() == 0.0 && n.abs() <= max).then_some(n as i64)
}

/// A number that is inside the profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// Within ±(2^53−1), however it was spelt.
    Integer(i64),
    /// Any other: with a fraction, or so large that it is written with an exponent.
    Fraction(f64),
}

impl Number {
    /// Reads a literal of RFC 8259; `integer`: it has neither fraction nor exponent.
    pub(super) fn read(literal: &[u8], integer: bool) -> Result<Self, ReadErrorKind> {
        if integer {
            return integer_of(literal).map(Self::Integer).ok_or(ReadErrorKind::IntegerRange);
        }
        // Rust reads decimals to the nearest double, ties to even, as ECMAScript does.
        let n: f64 = std::str::from_utf8(literal)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(ReadErrorKind::FloatRange)?;
        if !in_profile(n) {
            return Err(ReadErrorKind::FloatRange);
        }
        Ok(as_integer(n).map_or(Self::Fraction(n), Self::Integer))
    }

    /// Whether `literal`, which was read as this number, is its canonical spelling.
    pub(super) fn is_spelt(self, literal: &[u8]) -> bool {
        match self {
            Self::Integer(0) => literal == b"0",
            // The grammar leaves an integer literal no other spelling.
            Self::Integer(_) => !literal.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')),
            Self::Fraction(n) => ryu_js::Buffer::new().format_finite(n).as_bytes() == literal,
        }
    }
}

fn integer_of(literal: &[u8]) -> Option<i64> {
    let (negative, digits) = match literal {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // 2^53-1 has 16 digits, and a literal no leading zeros.
    if digits.len() > 16 {
        return None;
    }
    let magnitude = digits.iter().fold(0_i64, |n, digit| n * 10 + i64::from(digit - b'0'));
    (magnitude.unsigned_abs() <= MAX_SAFE_INTEGER).then_some(if negative { -magnitude } else { magnitude })
}

/// Appends `n` as ECMAScript's `Number::toString` writes it, which is how RFC 8785 does. Wider than the profile: numbers that
/// read as an integer beyond ±(2^53−1) are written too. For values use [`super::to_vec`].
///
/// # Errors
/// [`Error::NotFinite`].
pub fn push_number(out: &mut Vec<u8>, n: f64) -> Result<(), Error> {
    if !n.is_finite() {
        return Err(Error::NotFinite);
    }
    push(out, n);
    Ok(())
}

/// Appends `n`, which must be finite, as `Number::toString` writes it (ECMA-262 section 6.1.6.1.20). Rust's own shortest digits
/// will not do: of two that are equally near ECMAScript takes the even one.
pub(super) fn push(out: &mut Vec<u8>, n: f64) {
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(n).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(n: f64) -> String {
        let mut out = Vec::new();
        push(&mut out, n);
        String::from_utf8(out).unwrap()
    }

    /// RFC 8785 appendix B, the finite ones.
    #[test]
    fn the_appendix_of_rfc_8785() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(text(f64::from_bits(bits)), expected, "{bits:x}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn no_shorter_text_reads_back(bits: u64) {
            let n = f64::from_bits(bits);
            prop_assume!(n.is_finite());
            let digits = |text: &str| {
                let mantissa = text.split('e').next().unwrap_or_default().replace(['-', '.'], "");
                mantissa.trim_matches('0').len()
            };
            prop_assert_eq!(text(n).parse::<f64>().unwrap(), n);
            prop_assert_eq!(digits(&text(n)), digits(&format!("{n:e}")));
        }

        #[test]
        fn the_profile_is_what_reads_back_as_the_same_kind_of_number(bits: u64, whole in -(1_i64 << 60)..1 << 60) {
            #[expect(clippy::cast_precision_loss, reason = "any double will do")]
            for n in [f64::from_bits(bits), whole as f64] {
                prop_assume!(n.is_finite());
                let literal_is_integer = !text(n).contains(['.', 'e']);
                let safe = text(n).parse::<i128>().is_ok_and(|i| i.unsigned_abs() <= u128::from(MAX_SAFE_INTEGER));
                prop_assert_eq!(in_profile(n), !literal_is_integer || safe);
                prop_assert_eq!(as_integer(n).is_some(), literal_is_integer && safe);
            }
        }
    }
}
