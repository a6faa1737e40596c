//! SHA-256 values and their one spelling: 64 characters of lowercase hex. No other hash function, no other encoding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// A SHA-256 value (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// 32 zero octets: what precedes the first record, the first root and the first message.
    pub const ZERO: Self = Self([0; 32]);

    /// The raw octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 octets of its lowercase hex.
    #[must_use]
    pub fn to_hex(self) -> [u8; 64] {
        let mut out = [0u8; 64];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = hex_digit(byte >> 4);
                *low = hex_digit(byte & 15);
            }
        }
        out
    }

    /// Its first eight octets: they order hashes as all of them do, but for two that begin alike.
    pub(crate) const fn start(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    pub(crate) fn push_hex(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_hex());
    }
}

/// Writes the lowercase hex of `bytes` into `out`, which has two octets for each.
pub(crate) fn write_hex(out: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            *high = hex_digit(byte >> 4);
            *low = hex_digit(byte & 15);
        }
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// What SHA-256 hashes at once, in octets.
pub(crate) const BLOCK_BYTES: usize = 64;

/// The SHA-256 of a message that [`pad`] has filled up: for many short ones, of which a hasher would first make a copy each.
pub(crate) fn sha256_padded(blocks: &[[u8; BLOCK_BYTES]]) -> Hash {
    // FIPS 180-4 section 5.3.3.
    let mut state = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    compress256(&mut state, blocks);
    let mut out = [0; 32];
    for (place, word) in out.as_chunks_mut().0.iter_mut().zip(state) {
        *place = u32::to_be_bytes(word);
    }
    Hash(out)
}

/// Fills up the message that begins at `start`, where a block begins, to whole blocks (FIPS 180-4 section 5.1.1).
pub(crate) fn pad(out: &mut Vec<u8>, start: usize) {
    let octets = out.len().saturating_sub(start);
    let bits = u64::try_from(octets).unwrap_or(u64::MAX).wrapping_mul(8);
    out.push(0x80);
    out.resize(start + (octets + 9).next_multiple_of(BLOCK_BYTES) - 8, 0);
    out.extend_from_slice(&bits.to_be_bytes());
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.to_hex();
        f.write_str(std::str::from_utf8(&hex).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 characters of lowercase hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 64 characters of lowercase hex")
    }
}

impl std::error::Error for NotAHash {}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotAHash)?;
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            let [high, low] = pair else { return Err(NotAHash) };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(out))
    }
}

const fn nibble(digit: u8) -> Result<u8, NotAHash> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotAHash),
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex = self.to_hex();
        serializer.serialize_str(std::str::from_utf8(&hex).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_message_has_the_same_hash() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut blocks = vec![7; BLOCK_BYTES];
        for length in 0..bytes.len() {
            blocks.truncate(BLOCK_BYTES);
            blocks.extend_from_slice(&bytes[..length]);
            pad(&mut blocks, BLOCK_BYTES);
            let (blocks, rest) = blocks.as_chunks();
            assert!(rest.is_empty());
            assert_eq!(sha256_padded(&blocks[1..]), sha256(&bytes[..length]), "{length}");
        }
    }

    #[test]
    fn only_lowercase_hex_of_the_right_length_is_a_hash() {
        let hash = sha256(b"abc");
        let text = hash.to_string();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(text.parse(), Ok(hash));
        for wrong in [&text.to_uppercase(), &text[..63], &format!("{text}0"), &format!("g{}", &text[1..]), ""]
        {
            assert_eq!(wrong.parse::<Hash>(), Err(NotAHash), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Hash>(&format!("\"{text}\"")).unwrap(), hash);
    }
}
