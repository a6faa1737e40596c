//! Writes base64url without padding (RFC 4648 section 5), in the same time for all octets, so secrets too. To read it is the
//! matter of the `base64ct` crate.

/// The characters of 32 octets: a salt, a key.
#[derive(Clone, Copy)]
pub(crate) struct Of32([u8; 48]);

impl Of32 {
    /// How many characters there are.
    pub(crate) const CHARS: usize = chars(32);

    pub(crate) fn new(octets: &[u8; 32]) -> Self {
        let [text] = Self::each(&[*octets]);
        text
    }

    /// Of several: in less time than one by one.
    pub(crate) fn each<const N: usize>(octets: &[[u8; 32]; N]) -> [Self; N] {
        encode(octets.each_ref().map(|octets| filled(octets))).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.get(..Self::CHARS).unwrap_or_default()
    }
}

/// Appends the characters of `octets`.
pub(crate) fn push(out: &mut Vec<u8>, octets: &[u8]) {
    out.reserve(chars(octets.len()));
    let (groups, rest) = octets.as_chunks();
    for group in groups {
        out.extend_from_slice(encode([*group]).as_flattened());
    }
    out.extend_from_slice(encode([filled(rest)]).as_flattened().get(..chars(rest.len())).unwrap_or_default());
}

/// How many characters so many octets have.
pub(crate) const fn chars(octets: usize) -> usize {
    (octets * 4).div_ceil(3)
}

fn filled(octets: &[u8]) -> [u8; 36] {
    let mut filled = [0; 36];
    if let Some(place) = filled.get_mut(..octets.len()) {
        place.copy_from_slice(octets);
    }
    filled
}

/// Without tables and branches. So many octets at once because compilers then see vectors in it.
fn encode<const N: usize>(octets: [[u8; 36]; N]) -> [[u8; 48]; N] {
    let mut text = [[0; 48]; N];
    for (text, octets) in text.iter_mut().zip(&octets) {
        for (place, group) in text.as_chunks_mut().0.iter_mut().zip(octets.as_chunks().0) {
            *place = sixes(group);
        }
    }
    for six in text.as_flattened_mut() {
        *six = letter(*six);
    }
    text
}

/// Eight times six bits, each in an octet of its own.
const fn sixes(&[a, b, c, d, e, f]: &[u8; 6]) -> [u8; 8] {
    const TWELVE: u64 = 0x0000_0fff_0000_0fff;
    const SIX: u64 = 0x003f_003f_003f_003f;
    let bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    // Halved three times, the first half before the second, as octets stand in a little-endian number.
    let halves = bits >> 24 | (bits & 0xff_ffff) << 32;
    let quarters = halves >> 12 & TWELVE | (halves & TWELVE) << 16;
    let eighths = quarters >> 6 & SIX | (quarters & SIX) << 8;
    eighths.to_le_bytes()
}

/// The character for six bits. What follows `Z`, `z`, `9` and `-` in the alphabet does not follow it in ASCII.
fn letter(six: u8) -> u8 {
    let from = |first: u8, difference: u8| u8::from(six >= first) * difference;
    (b'A' + six)
        .wrapping_add(from(26, b'a' - b'Z' - 1))
        .wrapping_sub(from(52, b'z' + 1 - b'0'))
        .wrapping_sub(from(62, b'9' + 1 - b'-'))
        .wrapping_add(from(63, b'_' - b'-' - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    #[test]
    fn it_is_spelt_as_the_other_implementation_spells_it() {
        let bytes: Vec<u8> = (0..=255).rev().chain(0..=255).collect();
        for length in 0..bytes.len() {
            let mut out = b"before".to_vec();
            push(&mut out, &bytes[..length]);
            let theirs = format!("before{}", Base64UrlUnpadded::encode_string(&bytes[..length]));
            assert_eq!(String::from_utf8(out).unwrap(), theirs);
        }
        for octets in bytes.windows(32) {
            let octets = octets.try_into().unwrap();
            assert_eq!(Of32::new(octets).as_str(), Base64UrlUnpadded::encode_string(octets));
        }
        for six in 0..64_u8 {
            let theirs = Base64UrlUnpadded::encode_string(&[six << 2]);
            assert_eq!(letter(six), theirs.as_bytes()[0]);
        }
    }
}
