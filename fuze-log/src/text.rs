//! Spellings that the text formats share: decimal numbers and base64, each with exactly one form.

use base64ct::{Base64, Encoding as _};
use fuze_evidence::Hash;

/// Standard base64 with padding (RFC 4648 section 4), unused bits zero.
pub(crate) fn write_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

pub(crate) fn read_base64(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64::decode_vec(text).ok()?;
    // Encoding again refuses unused bits that are not zero.
    (Base64::encode_string(&bytes) == text).then_some(bytes)
}

pub(crate) fn read_hash(text: &str) -> Option<Hash> {
    // 44 characters are 32 octets: nothing longer is decoded.
    if text.len() != 44 {
        return None;
    }
    read_base64(text)?.try_into().ok().map(Hash)
}

/// A decimal number without sign or leading zeros, at most `most`.
pub(crate) fn read_decimal(text: &str, most: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= most)
}

/// What a person needs to see of a text that was refused.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text.chars().take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!((read_decimal("0", 9), read_decimal("10", 10)), (Some(0), Some(10)));
        for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "11", "١", "99999999999999999999"] {
            assert_eq!(read_decimal(wrong, 10), None, "{wrong:?}");
        }
        assert_eq!(read_decimal(&u64::MAX.to_string(), u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(read_base64("AA=="), Some(vec![0]));
        for wrong in ["AB==", "AA", "AA=", "AA==\n", "A A=", "_w==", "AA==AA=="] {
            assert_eq!(read_base64(wrong), None, "{wrong:?}");
        }
        assert_eq!(read_hash(&write_base64(&[7; 32])), Some(Hash([7; 32])));
        assert_eq!(read_hash(&write_base64(&[7; 31])), None);
        assert_eq!(read_hash(&write_base64(&[7; 33])), None);
    }
}
