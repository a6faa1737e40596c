//! Making a commitment: a value's leaves, their salts, hashes and tree.
//!
//! Each leaf is written once, into one buffer with all others, as the octets that are hashed: filled up to whole blocks of SHA-256. What
//! is sealed later is taken from there.

use std::convert::Infallible;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};

use super::merkle::perfect_root;
use super::{DisclosedLeaf, Disclosure, Opening, Salt, looks_like_array};
use crate::base64::Of32;
use crate::hash::{BLOCK_BYTES, Hash, pad, sha256_padded_two};
use crate::jcs;
use crate::random::{Random, RandomError};
use crate::record::ContentRef;
use crate::redact::Redacted;

/// A salted commitment to one redacted value.
pub struct Commitment {
    root: Hash,
    redacted: Redacted,
    /// The value's leaves, then the decoys.
    made: Vec<Made>,
    /// What a leaf's hash begins with, and its place in `made`; in the order of the hashes.
    order: Vec<(u64, usize)>,
    /// What they are hashes of, in the same order.
    texts: Vec<u8>,
    recorded: AtomicBool,
}

struct Made {
    hash: Hash,
    salt: Salt,
    /// Where path and value stand in `texts`; nowhere for a decoy.
    pair: Range<usize>,
}

// Content: `{:?}` prints nothing of it.
impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commitment").field("root", &self.root).field("leaves", &self.leaves()).finish()
    }
}

/// Why nothing was committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitError {
    /// Part of the value has no canonical form.
    Canonical(jcs::Error),
    /// More leaves than a commitment may have.
    TooMany,
    /// The source of randomness failed.
    Random(RandomError),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canonical(error) => error.fmt(f),
            Self::TooMany => write!(f, "content has more than {} leaves; split it", ContentRef::MAX_LEAVES),
            Self::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

impl From<jcs::Error> for CommitError {
    fn from(error: jcs::Error) -> Self {
        Self::Canonical(error)
    }
}

/// How many salts are asked for at once: the fewest leaves, so that the number of leaves is a multiple of it.
const SALTS: usize = 8;

/// Commits to `redacted`.
///
/// # Errors
/// When it is outside the canonical profile, has too many leaves, or randomness fails.
pub fn commit(redacted: Redacted, random: &mut dyn Random) -> Result<Commitment, CommitError> {
    let mut size = Size::default();
    size.add(redacted.value(), 0, 0)?;
    let max = usize::try_from(ContentRef::MAX_LEAVES).unwrap_or(usize::MAX);
    if size.leaves > max {
        return Err(CommitError::TooMany);
    }
    let padded = size.leaves.next_power_of_two().max(SALTS);
    let octets = size.octets + (padded - size.leaves) * DECOY.as_flattened().len();
    let (mut texts, mut made) = (Vec::with_capacity(octets), Vec::with_capacity(padded));
    split(redacted.value(), &mut String::new(), &mut |path, value| {
        push_text(&mut texts, path, value).map(|pair| made.push(Made::of(pair)))
    })?;
    if made.len() > max {
        return Err(CommitError::TooMany);
    }
    made.resize_with(made.len().next_power_of_two().max(SALTS), || {
        texts.extend_from_slice(DECOY.as_flattened());
        Made::of(0..0)
    });
    salt(&mut made, &mut texts, random)?;
    let order = in_order(&made);
    let root = perfect_root(order.iter().filter_map(|&(_, at)| made.get(at)).map(|made| made.hash));
    Ok(Commitment { root, redacted, made, order, texts, recorded: AtomicBool::new(false) })
}

/// How much there will be of it, but for marks and escapes: so that hardly anything is moved while it is written.
#[derive(Default)]
struct Size {
    leaves: usize,
    octets: usize,
}

/// A slash and an index of as many digits as one below the most leaves has.
const INDEX: usize = 8;

impl Size {
    fn add(&mut self, value: &Value, path: usize, depth: usize) -> Result<(), jcs::Error> {
        let text = match value {
            Value::Array(_) | Value::Object(_) if depth == jcs::MAX_DEPTH => return Err(jcs::Error::Depth),
            Value::Array(items) if !items.is_empty() => {
                return items.iter().try_for_each(|item| self.add(item, path + INDEX, depth + 1));
            }
            Value::Object(members) if !members.is_empty() => {
                return members
                    .iter()
                    .try_for_each(|(key, member)| self.add(member, path + 1 + key.len(), depth + 1));
            }
            Value::String(text) => text.len() + 2,
            // At most.
            Value::Number(_) => 24,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => 5,
        };
        // Two quotes, comma and bracket, and the nine octets that a message is at least filled up with.
        let octets = (LEAF.len() + path + text + 4 + 9).next_multiple_of(BLOCK_BYTES);
        self.leaves += 1;
        self.octets = self.octets.saturating_add(octets);
        Ok(())
    }
}

/// What a leaf is the hash of, up to its path: the octet 0x00 that RFC 6962 puts before a leaf, the label, room for the salt.
const LEAF: &[u8; 63] = b"\0[\"fuze/leaf/v1\",\"...........................................\",";
/// What a decoy is the hash of, with room for the salt, and filled up.
const DECOY: [[u8; BLOCK_BYTES]; 2] =
    [*b"\0[\"fuze/decoy/v1\",\"...........................................\"]", {
        let mut filling = [0; BLOCK_BYTES];
        filling[0] = 0x80;
        // The length in bits: 512.
        filling[62] = 2;
        filling
    }];
const LEAF_SALT: usize = 18;
const DECOY_SALT: usize = 19;

/// Visits the leaves of a value, each with its JSON Pointer (RFC 6901).
fn split<E>(
    value: &Value,
    path: &mut String,
    leaf: &mut impl FnMut(&str, &Value) -> Result<(), E>,
) -> Result<(), E> {
    let length = path.len();
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                push_index(path, at);
                split(item, path, leaf)?;
                path.truncate(length);
            }
            Ok(())
        }
        Value::Object(members) if !members.is_empty() => {
            if is_marked(members) {
                leaf(path, &Value::Object(Map::new()))?;
            }
            for (key, member) in members {
                push_key(path, key);
                split(member, path, leaf)?;
                path.truncate(length);
            }
            Ok(())
        }
        value => leaf(path, value),
    }
}

/// Appends what a leaf is the hash of, filled up to whole blocks; the salt is still missing. Gives the place of path and value.
fn push_text(texts: &mut Vec<u8>, path: &str, value: &Value) -> Result<Range<usize>, jcs::Error> {
    let start = texts.len();
    texts.extend_from_slice(LEAF);
    let pair = texts.len();
    jcs::push_string(texts, path);
    texts.push(b',');
    match value {
        Value::String(text) => jcs::push_string(texts, text),
        other => jcs::to_writer(texts, other)?,
    }
    texts.push(b']');
    let end = texts.len();
    pad(texts, start);
    Ok(pair..end)
}

/// A pointer does not say whether `/0` is in an array or in an object: such an object has a leaf of its own.
fn is_marked(members: &Map<String, Value>) -> bool {
    members.keys().any(|key| key == "0") && looks_like_array(members.len(), |key| members.contains_key(key))
}

fn push_index(path: &mut String, index: usize) {
    if index < 10 {
        path.push('/');
    } else {
        push_index(path, index / 10);
    }
    path.extend(char::from_digit(u32::try_from(index % 10).unwrap_or(0), 10));
}

/// Appends a key to a JSON Pointer (RFC 6901 section 3).
fn push_key(path: &mut String, key: &str) {
    path.push('/');
    if key.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
    } else {
        path.push_str(key);
    }
}

impl Made {
    const fn of(pair: Range<usize>) -> Self {
        Self { hash: Hash::ZERO, salt: Salt([0; 32]), pair }
    }

    /// How many blocks its text has.
    fn blocks(&self) -> usize {
        match self.pair.is_empty() {
            true => DECOY.len(),
            false => (LEAF.len() + self.pair.len() + 9).div_ceil(BLOCK_BYTES),
        }
    }
}

/// Salts and hashes leaves and decoys.
fn salt(made: &mut [Made], texts: &mut [u8], random: &mut dyn Random) -> Result<(), CommitError> {
    let mut salts = [[0; 32]; SALTS];
    let mut rest = texts.as_chunks_mut().0;
    for group in made.chunks_mut(SALTS) {
        random.fill(salts.as_flattened_mut()).map_err(CommitError::Random)?;
        let chars = Of32::each(&salts);
        let blocks = group.iter().map(Made::blocks).sum();
        let (own, after) = std::mem::take(&mut rest).split_at_mut_checked(blocks).unwrap_or_default();
        rest = after;
        // All are written before the first is hashed: what was just written in pieces is slow to be read as a whole.
        let mut at = 0;
        for ((made, salt), chars) in group.iter_mut().zip(salts).zip(chars) {
            made.salt = Salt(salt);
            let start = if made.pair.is_empty() { DECOY_SALT } else { LEAF_SALT };
            if let Some(place) = own.get_mut(at).and_then(|first| first.get_mut(start..start + Of32::CHARS)) {
                place.copy_from_slice(chars.as_bytes());
            }
            at += made.blocks();
        }
        let mut own: &[_] = own;
        // As many as there are salts, so an even number.
        for two in group.as_chunks_mut().0 {
            let blocks = two.each_ref().map(|made: &Made| {
                let (blocks, after) = own.split_at_checked(made.blocks()).unwrap_or_default();
                own = after;
                blocks
            });
            let [left, right]: &mut [Made; 2] = two;
            [left.hash, right.hash] = sha256_padded_two(blocks);
        }
    }
    Ok(())
}

/// What each hash begins with and its place in `made`, in the order of the hashes.
fn in_order(made: &[Made]) -> Vec<(u64, usize)> {
    let mut order = nearly_in_order(made);
    for end in 1..order.len() {
        for at in (1..=end).rev() {
            match order.get_mut(at - 1..=at) {
                Some([left, right]) if left.0 > right.0 => std::mem::swap(left, right),
                Some(_) | None => break,
            }
        }
    }
    // Two hashes that begin alike are seen once in 2^64, or with randomness that is none.
    if !order.is_sorted_by(|(left, _), (right, _)| left < right) {
        order.sort_unstable_by_key(|(_, at)| made.get(*at).map(|made| made.hash));
    }
    order
}

/// Each about where it belongs: hashes are spread evenly, so what they begin with says so.
fn nearly_in_order(made: &[Made]) -> Vec<(u64, usize)> {
    let mut order: Vec<(u64, usize)> =
        made.iter().zip(0..).map(|(made, at)| (made.hash.start(), at)).collect();
    if order.len() > FEW {
        let shift = u64::BITS - order.len().ilog2();
        let bucket = |start: u64| usize::try_from(start >> shift).unwrap_or(usize::MAX);
        let mut ends = vec![0; order.len()];
        for (start, _) in &order {
            if let Some(end) = ends.get_mut(bucket(*start)) {
                *end += 1;
            }
        }
        let mut before = 0;
        for end in &mut ends {
            before += *end;
            *end = before;
        }
        for (made, at) in made.iter().zip(0..) {
            let start = made.hash.start();
            if let Some(end) = ends.get_mut(bucket(start)) {
                *end -= 1;
                if let Some(place) = order.get_mut(*end) {
                    *place = (start, at);
                }
            }
        }
    }
    order
}

/// So few are in order sooner without buckets.
const FEW: usize = 16;

impl Commitment {
    /// The root: for arguments, the `argsHash`.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// How many leaves it shows, decoys included.
    #[must_use]
    pub fn leaves(&self) -> u32 {
        u32::try_from(self.made.len()).unwrap_or(u32::MAX)
    }

    /// What a record says about it.
    #[must_use]
    pub fn content_ref(&self) -> ContentRef {
        ContentRef { root: self.root, leaves: self.leaves() }
    }

    /// The openings of the real leaves.
    #[must_use]
    pub fn openings(&self) -> Vec<Opening> {
        let mut openings = Vec::new();
        let mut salts = self.made.iter().map(|made| made.salt);
        let split: Result<(), Infallible> =
            split(self.redacted.value(), &mut String::new(), &mut |path, value| {
                let (path, value) = (path.to_owned(), value.clone());
                openings.extend(salts.next().map(|salt| Opening { path, value, salt }));
                Ok(())
            });
        let Ok(()) = split;
        openings
    }

    /// Everything that opens it, for a snapshot or for who must see the content. As secret as the content.
    #[must_use]
    pub fn disclose(&self) -> Disclosure {
        let mut leaves: Vec<Option<DisclosedLeaf>> =
            self.openings().into_iter().map(|opening| Some(DisclosedLeaf::Leaf(opening))).collect();
        let decoys = self.made.iter().skip(leaves.len()).map(|made| Some(DisclosedLeaf::Decoy(made.salt)));
        leaves.extend(decoys);
        let in_order = self.order.iter().filter_map(|&(_, at)| leaves.get_mut(at).and_then(Option::take));
        Disclosure { leaves: in_order.collect(), root: self.root }
    }

    /// Hash, salt and, where it is no decoy, the canonical octets of path and value as they stand in an array, with the bracket that
    /// ends it.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (Hash, Salt, Option<&[u8]>)> {
        self.order.iter().filter_map(|&(_, at)| self.made.get(at)).map(|made| {
            let pair = self.texts.get(made.pair.clone()).filter(|pair| !pair.is_empty());
            (made.hash, made.salt, pair)
        })
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }

    pub(crate) fn mark_recorded(&self) {
        self.recorded.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RunKeys;
    use crate::random::OsRandom;
    use crate::record::RunId;
    use crate::redact::Redactor;
    use proptest::prelude::*;
    use serde_json::json;

    fn committed(value: Value) -> Commitment {
        let mut random = OsRandom::new();
        let at = crate::Timestamp::from_nanos(1_795_294_256_123_456_789).unwrap();
        let run_id = RunId::generate(at, &mut random).unwrap();
        let keys = RunKeys::generate(run_id, None, &mut random).unwrap();
        commit(Redactor::new(&keys).redact(value), &mut random).unwrap()
    }

    /// Reading hashes each leaf by itself, from its parts, and makes the tree in another way.
    fn check(value: Value) {
        let commitment = committed(value.clone());
        assert_eq!(commitment.disclose().value(commitment.root()).as_ref(), Ok(&value));
    }

    #[test]
    fn a_leaf_of_any_length_is_hashed_as_a_reader_hashes_it() {
        check((0..300).map(|length| "x".repeat(length)).collect());
        check((0..140).map(|length| ("k".repeat(length), json!(length))).collect());
        // Each is longer than was foreseen: `\u0001`, `~1`, and indices of five digits.
        check(
            (0..100)
                .map(|length| (format!("/{}", "\"".repeat(length)), json!("\u{1}".repeat(length))))
                .collect(),
        );
        check(vec![true; 10_001].into());
    }

    #[test]
    fn marks_count_although_they_were_not_foreseen() {
        for (objects, leaves) in [(4, 8), (5, 16), (100, 256)] {
            let value: Value = (0..objects).map(|n| json!({"0": n})).collect();
            assert_eq!(committed(value.clone()).leaves(), leaves);
            check(value);
        }
    }

    proptest! {
        #[test]
        fn leaves_stand_in_the_order_of_their_hashes(
            hashes in proptest::collection::vec(any::<[u8; 32]>(), 1..600),
            alike in 0..40_usize,
        ) {
            let mut hashes = hashes;
            // Hashes that begin alike, and one that is there twice.
            for hash in hashes.iter_mut().take(alike) {
                hash[..8].fill(7);
            }
            hashes.push(hashes[0]);
            let made: Vec<Made> = hashes.iter().map(|hash| Made { hash: Hash(*hash), ..Made::of(0..0) }).collect();
            let order: Vec<[u8; 32]> = in_order(&made).into_iter().map(|(_, at)| hashes[at]).collect();
            hashes.sort_unstable();
            prop_assert_eq!(order, hashes);
        }
    }
}
