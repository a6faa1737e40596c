//! Strings: the seven short escapes, `\u00xx` for the other controls, everything else as it is.

/// The one canonical spelling of a character that needs an escape.
pub(super) struct Escape {
    octets: [u8; 6],
    length: usize,
}

impl Escape {
    /// For an octet that needs one: below U+0020, `"` and `\`.
    pub(super) fn of(byte: u8) -> Option<Self> {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0c => b'f',
            0x0d => b'r',
            0x00..=0x1f => {
                let low = byte & 15;
                let low = if low < 10 { b'0' + low } else { b'a' + low - 10 };
                return Some(Self { octets: [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low], length: 6 });
            }
            _ => return None,
        };
        Some(Self { octets: [b'\\', short, 0, 0, 0, 0], length: 2 })
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
/// The high bit of each of eight octets.
pub(super) const HIGH_BITS: u64 = EACH * 0x80;

/// Sets the high bit of those of eight octets that need an escape. Exact for the lowest one; above it a borrow can set more.
pub(super) const fn need_escape(eight: u64) -> u64 {
    let control = eight.wrapping_sub(EACH * 0x20) & !eight;
    let quote = eight ^ (EACH * b'"' as u64);
    let quote = quote.wrapping_sub(EACH) & !quote;
    let backslash = eight ^ (EACH * b'\\' as u64);
    let backslash = backslash.wrapping_sub(EACH) & !backslash;
    (control | quote | backslash) & HIGH_BITS
}

/// Whether none of the octets needs an escape; `ascii`: nor lies beyond ASCII. One test for all of them, which compilers make one of
/// vectors.
pub(super) fn is_clean<const N: usize>(block: &[u8; N], ascii: bool) -> bool {
    let most = if ascii { 0x7f } else { 0xff };
    block
        .iter()
        .fold(true, |clean, &byte| clean & (byte >= 0x20) & (byte != b'"') & (byte != b'\\') & (byte <= most))
}

/// How many octets at the beginning need no escape.
pub(super) fn clean_length(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<128>()
        && is_clean(block, false)
    {
        rest = after;
    }
    while let Some((block, after)) = rest.split_first_chunk::<32>()
        && is_clean(block, false)
    {
        rest = after;
    }
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let found = need_escape(u64::from_le_bytes(*eight));
        if found != 0 {
            return bytes.len() - rest.len() + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
        }
        rest = after;
    }
    // The last eight together: some are looked at again.
    if bytes.last_chunk().is_some_and(|eight| need_escape(u64::from_le_bytes(*eight)) == 0) {
        return bytes.len();
    }
    bytes.len() - rest.len() + rest.iter().take_while(|&&byte| Escape::of(byte).is_none()).count()
}

/// Appends `text` as a canonical string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    // Nearly all text is as long as it is written; growing step by step would copy a long one again and again.
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((clean, after)) = rest.split_at_checked(clean_length(rest)) {
        out.extend_from_slice(clean);
        let [byte, after @ ..] = after else { break };
        if let Some(escape) = Escape::of(*byte) {
            out.extend_from_slice(escape.octets());
        }
        rest = after;
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every octet at every place of eight, beside every kind of neighbour: the scan by words sees what the scan by octets sees.
    #[test]
    fn many_octets_at_once_are_seen_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for place in 0..176 {
                for beside in [b'a', 0x1f, 0x20, b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut octets = [beside; 176];
                    octets[place] = byte;
                    let one_by_one = octets.iter().take_while(|&&b| Escape::of(b).is_none()).count();
                    assert_eq!(clean_length(&octets), one_by_one, "{byte:#x} at {place} beside {beside:#x}");
                    assert_eq!(is_clean(&octets, false), one_by_one == 176);
                    assert_eq!(is_clean(&octets, true), one_by_one == 176 && octets.is_ascii());
                }
            }
        }
    }
}
