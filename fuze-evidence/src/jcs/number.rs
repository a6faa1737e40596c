//! Numbers as ECMAScript writes them. Only layout: Rust's own formatter gives the shortest digits that read back.

use std::fmt::Write as _;

use super::MAX_SAFE_INTEGER;

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

/// At most 17 digits, a point, a sign and an exponent.
struct Scratch {
    bytes: [u8; 32],
    len: usize,
}

impl std::fmt::Write for Scratch {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Appends `n`, which must be finite, as `Number::toString` writes it (ECMA-262 section 6.1.6.1.20).
pub(super) fn push(out: &mut Vec<u8>, n: f64) {
    if n == 0.0 {
        out.push(b'0');
        return;
    }
    if n.is_sign_negative() {
        out.push(b'-');
    }
    let mut scratch = Scratch { bytes: [0; 32], len: 0 };
    // `1.2345e-7`: one digit, the rest, the exponent. It always fits: 17 digits, a point, `e-324`.
    let written = write!(scratch, "{:e}", n.abs());
    debug_assert!(written.is_ok(), "a double has at most 17 digits");
    let text = scratch.bytes.get(..scratch.len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = 1 + rest.len();
    // Where the decimal point stands, counted from before the first digit: `n` in ECMA-262.
    let point = exponent + 1;
    let zeros = |out: &mut Vec<u8>, many: usize| out.resize(out.len() + many, b'0');
    match usize::try_from(point) {
        Ok(point) if point <= 21 && point > 0 => {
            out.extend_from_slice(first.as_bytes());
            if count <= point {
                out.extend_from_slice(rest.as_bytes());
                zeros(out, point - count);
            } else {
                let (whole, fraction) = rest.split_at_checked(point - 1).unwrap_or((rest, ""));
                out.extend_from_slice(whole.as_bytes());
                out.push(b'.');
                out.extend_from_slice(fraction.as_bytes());
            }
        }
        _ if (-5..=0).contains(&point) => {
            out.extend_from_slice(b"0.");
            zeros(out, usize::try_from(-point).unwrap_or(0));
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(rest.as_bytes());
        }
        _ => {
            out.extend_from_slice(first.as_bytes());
            if !rest.is_empty() {
                out.push(b'.');
                out.extend_from_slice(rest.as_bytes());
            }
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            crate::span::attr::push_integer(out, u64::from(exponent.unsigned_abs()));
        }
    }
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
        fn agrees_with_the_second_implementation(bits: u64) {
            let n = f64::from_bits(bits);
            prop_assume!(n.is_finite());
            prop_assert_eq!(text(n), String::from_utf8(serde_jcs::to_vec(&n).unwrap()).unwrap());
            prop_assert_eq!(text(n).parse::<f64>().unwrap(), n);
        }

        #[test]
        fn agrees_on_short_decimals(digits in -99_999_999_i64..99_999_999, scale in -30_i32..30) {
            let n: f64 = format!("{digits}e{scale}").parse().unwrap();
            prop_assert_eq!(text(n), String::from_utf8(serde_jcs::to_vec(&n).unwrap()).unwrap());
        }
    }
}
