//! What encloses every stored line, `{"hash":"…","payload":…,"prevHash":"…","sequence":n}`, read from both ends without looking
//! at the payload, and the links from line to line. Whether a payload is canonical, or makes sense, is not judged here.

use super::report::What;
use crate::chain::line_hashes;
use crate::hash::Hash;

/// 64 characters that should be a hash in hex.
type Hex = [u8; 64];

const START: &[u8] = b"{\"hash\":\"";
const PAYLOAD: &[u8] = b"\",\"payload\":";
const PREV_HASH: &[u8] = b",\"prevHash\":\"";
const SEQUENCE: &[u8] = b"\",\"sequence\":";

/// A line's frame.
pub(super) struct Frame<'l> {
    line: &'l [u8],
    hash: &'l Hex,
    prev_hash: &'l Hex,
    sequence: u64,
}

impl<'l> Frame<'l> {
    pub(super) fn read(line: &'l [u8]) -> Result<Self, What> {
        Self::split(line).ok_or_else(|| {
            What::line(
                "it is not built like a record: `hash`, `payload`, `prevHash`, `sequence`",
                "`{\"hash\":\"…\",\"payload\":{…},\"prevHash\":\"…\",\"sequence\":…}`",
                "a line of another form",
            )
        })
    }

    fn split(line: &'l [u8]) -> Option<Self> {
        let (hash, rest) = line.strip_prefix(START)?.split_first_chunk::<64>()?;
        let inner = rest.strip_prefix(PAYLOAD)?.strip_suffix(b"}")?;
        let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (inner, digits) = inner.split_at_checked(inner.len() - digits)?;
        let (inner, prev_hash) = inner.strip_suffix(SEQUENCE)?.split_last_chunk::<64>()?;
        inner.strip_suffix(PREV_HASH)?;
        Some(Self { line, hash, prev_hash, sequence: number(digits)? })
    }

    /// Whether each line hashes to what it says.
    pub(super) fn check_hashes(frames: &[Self]) -> impl Iterator<Item = Result<(), What>> {
        let hashes = line_hashes(frames.iter().map(|frame| frame.line));
        frames.iter().zip(hashes).map(|(frame, hash)| {
            // A line that has a frame has a hash; without one, nothing that a line can state is right.
            let hash = hash.map_or([0; 64], |hash| hash.to_hex());
            if hash == *frame.hash { Ok(()) } else { Err(differs("hash", &hash, frame.hash)) }
        })
    }
}

/// A decimal without leading zeros.
fn number(digits: &[u8]) -> Option<u64> {
    if matches!(digits, [] | [b'0', _, ..]) || digits.len() > 16 {
        return None;
    }
    Some(digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}

fn differs(what: &'static str, expected: &Hex, found: &Hex) -> What {
    let text = |hex: &Hex| String::from_utf8_lossy(hex).into_owned();
    What::Differs { what, expected: text(expected), found: text(found) }
}

/// Where a chain, or a piece of one, stands.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The sequence of the next record.
    pub(super) next: u64,
    /// The hash of the record before it.
    head: Hex,
}

impl Link {
    /// Before the first record.
    pub(super) fn genesis() -> Self {
        Self { next: 0, head: Hash::ZERO.to_hex() }
    }

    /// Before the record of `frame`, as that says.
    pub(super) const fn before(frame: &Frame<'_>) -> Self {
        Self { next: frame.sequence, head: *frame.prev_hash }
    }

    /// The hash of the record before, if it is one.
    pub(super) fn head(&self) -> Option<Hash> {
        std::str::from_utf8(&self.head).ok()?.parse().ok()
    }

    /// Whether the piece that begins at `other` goes on from here.
    pub(super) fn joins(&self, other: &Self) -> Result<(), What> {
        self.names(other.next, &other.head)
    }

    /// Whether the record of `frame` goes on from here; its own hash is not looked at.
    pub(super) fn precedes(&self, frame: &Frame<'_>) -> Result<(), What> {
        self.names(frame.sequence, frame.prev_hash)
    }

    fn names(&self, sequence: u64, prev_hash: &Hex) -> Result<(), What> {
        if self.next != sequence {
            let (expected, found) = (self.next.to_string(), sequence.to_string());
            return Err(What::Differs { what: "sequence", expected, found });
        }
        if self.head == *prev_hash { Ok(()) } else { Err(differs("prevHash", &self.head, prev_hash)) }
    }

    /// Goes on over the record of `frame`, which was checked.
    pub(super) const fn advance(&mut self, frame: &Frame<'_>) {
        self.next += 1;
        self.head = *frame.hash;
    }
}
