//! SHA-256 values and their one spelling: 64 characters of lowercase hex. No other hash function, no other encoding.

use std::fmt;
use std::slice;
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

/// What SHA-256 has between two blocks.
type State = [u32; 8];

/// Before the first block (FIPS 180-4 section 5.3.3).
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

fn finished(state: State) -> Hash {
    let mut out = [0; 32];
    for (place, word) in out.as_chunks_mut().0.iter_mut().zip(state) {
        *place = u32::to_be_bytes(word);
    }
    Hash(out)
}

/// Goes on over both messages, a block of one and a block of the other in turn: each round of SHA-256 waits for the one before it, and
/// a processor has time for another message's meanwhile. Both take some seven tenths of what they take one after the other.
fn compress_two([left, right]: &mut [State; 2], [one, two]: [&[[u8; BLOCK_BYTES]]; 2]) {
    for (one, two) in one.iter().zip(two) {
        compress256(left, slice::from_ref(one));
        compress256(right, slice::from_ref(two));
    }
    let both = one.len().min(two.len());
    for (state, rest) in [(left, one.get(both..)), (right, two.get(both..))] {
        match rest {
            Some([]) | None => {}
            Some(rest) => compress256(state, rest),
        }
    }
}

/// The SHA-256 of a message that [`pad`] has filled up: for many short ones, of which a hasher would first make a copy each.
pub(crate) fn sha256_padded(blocks: &[[u8; BLOCK_BYTES]]) -> Hash {
    let mut state = INITIAL;
    compress256(&mut state, blocks);
    finished(state)
}

/// [`sha256_padded`] of two messages at once.
pub(crate) fn sha256_padded_two(messages: [&[[u8; BLOCK_BYTES]]; 2]) -> [Hash; 2] {
    let mut states = [INITIAL; 2];
    compress_two(&mut states, messages);
    states.map(finished)
}

/// A message in whole blocks, of which most stay where they are.
pub(crate) struct Message<'m> {
    first: [u8; BLOCK_BYTES],
    body: &'m [[u8; BLOCK_BYTES]],
    /// What follows them, filled up: one block or two.
    last: [[u8; BLOCK_BYTES]; 2],
    lasts: usize,
}

impl<'m> Message<'m> {
    /// `first`, and then `rest`.
    pub(crate) fn new(first: [u8; BLOCK_BYTES], rest: &'m [u8]) -> Self {
        let (body, tail) = rest.as_chunks();
        let bits = u64::try_from(BLOCK_BYTES + rest.len()).unwrap_or(u64::MAX).wrapping_mul(8);
        let mut last = [[0; BLOCK_BYTES]; 2];
        if let Some((place, [end, ..])) = last.as_flattened_mut().split_at_mut_checked(tail.len()) {
            place.copy_from_slice(tail);
            *end = 0x80;
        }
        let lasts = (tail.len() + 9).div_ceil(BLOCK_BYTES);
        if let Some(place) = last.get_mut(lasts - 1).and_then(|block| block.last_chunk_mut()) {
            *place = bits.to_be_bytes();
        }
        Self { first, body, last, lasts }
    }

    fn last(&self) -> &[[u8; BLOCK_BYTES]] {
        self.last.get(..self.lasts).unwrap_or_default()
    }

    pub(crate) fn sha256(&self) -> Hash {
        let mut state = INITIAL;
        compress256(&mut state, slice::from_ref(&self.first));
        compress256(&mut state, self.body);
        compress256(&mut state, self.last());
        finished(state)
    }

    /// Of two at once.
    pub(crate) fn sha256_of_two([one, two]: [&Self; 2]) -> [Hash; 2] {
        let mut states = [INITIAL; 2];
        compress_two(&mut states, [slice::from_ref(&one.first), slice::from_ref(&two.first)]);
        compress_two(&mut states, [one.body, two.body]);
        compress_two(&mut states, [one.last(), two.last()]);
        states.map(finished)
    }
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
            let (own, hash) = (&blocks[1..], sha256(&bytes[..length]));
            assert_eq!(sha256_padded(own), hash, "{length}");
            for other in [[0_u8; BLOCK_BYTES].as_slice(), &[1; 3 * BLOCK_BYTES]] {
                let mut padded = other.to_vec();
                pad(&mut padded, 0);
                let (padded, other) = (padded.as_chunks().0, sha256(other));
                assert_eq!(sha256_padded_two([own, padded]), [hash, other], "{length}");
                assert_eq!(sha256_padded_two([padded, own]), [other, hash], "{length}");
            }
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
