//! Numbers as ECMAScript writes them, against the stream of test values that cyberphone/json-canonicalization describes in its
//! `testdata/README.md`: 168 chosen doubles, 2 000 from the smallest normal one on, and then a chain of SHA-256 values, four doubles
//! of each. A line is the double's bits in hex, a comma and its text. Published is the SHA-256 of the first 10^3 to 10^8 lines.

use std::io;

use fuze_evidence::jcs::{ReadErrorKind, push_number, validate};
use sha2::{Digest, Sha256};

/// How many lines, and the published SHA-256 of that many.
pub const PUBLISHED: [(u64, &str); 6] = [
    (1_000, "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687"),
    (10_000, "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892"),
    (100_000, "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7"),
    (1_000_000, "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16"),
    (10_000_000, "b9f8a44a91d46813b21b9602e72f112613c91408db0b8341fb94603d9db135e0"),
    (100_000_000, "0f7dda6b0837dde083c5d6b896f7d62340c8a2415b0c7121d83145e08a755272"),
];

/// Thirds of powers of ten, as repeated rounding left them; they stand there with a minus first.
const THIRDS: [u64; 50] = [
    0x4466_9669_5dbd_1cc3,
    0x4432_11ed_e497_4a35,
    0x43fc_e97c_a0f2_1056,
    0x43c7_2130_80c1_a6ac,
    0x4392_80f3_9a34_8556,
    0x435d_9b1f_5d20_d557,
    0x4327_af4c_4a80_aaac,
    0x42f2_f2a3_6ecd_5556,
    0x42be_5105_7e15_5558,
    0x4288_40d1_31aa_aaac,
    0x4253_670d_c155_5557,
    0x421f_0b49_3555_5557,
    0x41e8_d5d4_2aaa_aaac,
    0x41b3_de43_5555_5556,
    0x417f_ca05_5555_5556,
    0x4149_6e6a_aaaa_aaab,
    0x4114_5855_5555_5555,
    0x40e0_46aa_aaaa_aaab,
    0x40aa_0aaa_aaaa_aaaa,
    0x4074_d555_5555_5555,
    0x4040_aaaa_aaaa_aaab,
    0x400a_aaaa_aaaa_aaab,
    0x3fd5_5555_5555_5555,
    0x3fa1_1111_1111_1111,
    0x3f6b_4e81_b4e8_1b4f,
    0x3f35_d867_c3ec_e2a5,
    0x3f01_79ec_9cbd_821e,
    0x3ecb_f647_612f_3696,
    0x3e96_5e9f_80f2_9212,
    0x3e61_e54c_6728_74db,
    0x3e2c_a213_d840_baf8,
    0x3df6_e80f_e033_c8c6,
    0x3dc2_533f_e68f_d3d2,
    0x3d8d_51ff_d74c_861c,
    0x3d57_74cc_ac3d_3817,
    0x3d22_c3d6_f030_f9ac,
    0x3cee_0624_b381_8f79,
    0x3cb8_04ea_2934_72c7,
    0x3c83_3721_ba90_5bd3,
    0x3c4e_be9c_5db3_c61e,
    0x3c18_987d_17c3_04e5,
    0x3be3_ad30_dfcf_371d,
    0x3baf_7b81_6618_582f,
    0x3b79_2f9a_b813_79bf,
    0x3b44_2615_600f_9499,
    0x3b10_1e77_800c_76e1,
    0x3ad9_ca58_cce0_be35,
    0x3aa4_a1e0_a3e6_fe90,
    0x3a70_8180_831f_320d,
    0x3a3a_68cd_9e98_5016,
];

const CHOSEN: [f64; 64] = [
    10.0,
    5.0,
    0.5,
    0.05,
    0.005,
    0.0005,
    5e-5,
    5e-6,
    5e-7,
    5e-8,
    5e-9,
    5.06e-6,
    5.006e-6,
    5.0006e-6,
    5.00006e-6,
    5.000006e-6,
    5.0000006e-6,
    5.00000006e-6,
    5.000000006e-6,
    5.0000000006e-6,
    5.00000000006e-6,
    5.000000000006e-6,
    5.0000000000006e-6,
    5.00000000000006e-6,
    5.000000000000006e-6,
    5e-6,
    1.0,
    -1.0,
    -0.9999999999999993,
    -0.9999999999999994,
    0.9999999999999993,
    0.9999999999999994,
    0.9999999999999996,
    0.9999999999999998,
    -0.9999999999999999,
    -0.9999999999999999,
    0.9999999999999999,
    0.9999999999999999,
    0.29999999999999993,
    0.3,
    0.30000000000000004,
    2.2250738585072014e-308,
    2.2250738585072e-308,
    2.225073858507201e-308,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    9007199254740992.0,
    -9007199254740992.0,
    2.9514790517935283e20,
    9.999999999999997e22,
    1e23,
    1.0000000000000001e23,
    9.999999999999997e20,
    9.999999999999999e20,
    1e21,
    9.999999999999997e-7,
    1e-6,
    333333333.3333332,
    333333333.33333325,
    333333333.3333333,
    333333333.3333334,
    333333333.33333343,
    -3.3333333333333333e-6,
    1424953923781206.2,
];

/// The smallest normal double, and how many in a row stand there from it on.
const SERIAL: (u64, u64) = (0x0010_0000_0000_0000, 2_000);

/// The doubles of the stream, without end.
fn doubles() -> impl Iterator<Item = f64> {
    const SIGN: u64 = 1 << 63;
    let smallest = [0, SIGN, 1, SIGN | 1];
    let chosen = smallest.into_iter().chain(THIRDS.map(|bits| bits | SIGN)).chain(THIRDS).map(f64::from_bits);
    let serial = (SERIAL.0..SERIAL.0 + SERIAL.1).map(f64::from_bits);
    let mut block = [0; 32];
    let chain = std::iter::from_fn(move || {
        block = Sha256::digest(block).into();
        Some(block)
    });
    let drawn = chain
        .flat_map(|block| {
            let (eights, _) = block.as_chunks::<8>();
            <[[u8; 8]; 4]>::try_from(eights).unwrap_or_default()
        })
        .map(f64::from_le_bytes)
        .filter(|n| n.is_finite() && *n != 0.0);
    chosen.chain(CHOSEN).chain(serial).chain(drawn)
}

/// Writes the first `lines` lines, has the strict reader judge each number, and compares with what is published, calling `passed`
/// with each number of lines that is.
///
/// # Errors
/// With the first line that the strict reader judges wrongly, or the first number of lines whose SHA-256 is another.
pub fn check(lines: u64, mut passed: impl FnMut(u64)) -> io::Result<()> {
    let mut published = PUBLISHED.iter().take_while(|(count, _)| *count <= lines).peekable();
    let mut hasher = Sha256::new();
    let mut buffer = Vec::with_capacity(1 << 16);
    for (n, done) in doubles().zip(1..=lines) {
        push_hex(&mut buffer, n.to_bits());
        buffer.push(b',');
        let start = buffer.len();
        push_number(&mut buffer, n).map_err(io::Error::other)?;
        let text = buffer.get(start..).unwrap_or_default();
        if !is_judged_right(n, text) {
            let text = String::from_utf8_lossy(text);
            return Err(io::Error::other(format!("line {done}: the strict reader judges `{text}` wrongly")));
        }
        buffer.push(b'\n');
        let due = published.next_if(|(count, _)| *count == done);
        if due.is_some() || buffer.len() > (1 << 16) - 64 {
            hasher.update(&buffer);
            buffer.clear();
        }
        if let Some((count, expected)) = due {
            let found = fuze_evidence::Hash(hasher.clone().finalize().into()).to_string();
            if found != *expected {
                let why = format!("the first {count} lines: expected SHA-256 {expected}, found {found}");
                return Err(io::Error::other(why));
            }
            passed(*count);
        }
    }
    Ok(())
}

/// What is inside the profile is taken; what reads as an integer beyond ±(2^53−1) is refused as that.
fn is_judged_right(n: f64, text: &[u8]) -> bool {
    let reads_as_integer = !text.iter().any(|byte| matches!(byte, b'.' | b'e'));
    match validate(text) {
        Ok(()) => !reads_as_integer || n.abs() < 9_007_199_254_740_992.0,
        Err(error) => {
            reads_as_integer
                && n.abs() >= 9_007_199_254_740_992.0
                && error.kind == ReadErrorKind::IntegerRange
        }
    }
}

/// Lowercase hex without leading zeros.
fn push_hex(out: &mut Vec<u8>, bits: u64) {
    let digits = (64 - bits.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let nibble = (bits >> (4 * place)) as u8 & 15;
        out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_million_lines_are_those_that_are_published() {
        let mut passed = Vec::new();
        check(1_000_000, |count| passed.push(count)).unwrap();
        assert_eq!(passed, [1_000, 10_000, 100_000, 1_000_000]);
    }
}
