//! Content under keys: each leaf encrypted once under a key of its own, those keys and the salts wrapped under the run's (and the
//! data subject's) key. Content and keys are separate lines, so that the keys can be thrown away.

mod entries;

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Commitment, DisclosedLeaf, Disclosure, Opening, Salt, check_shape, decoy_hash, merkle_root};
use crate::base64;
use crate::crypto::{self, NONCE_BYTES, TAG_BYTES};
use crate::hash::Hash;
use crate::jcs;
use crate::keys::{KeyError, RunKeys, decode};
use crate::name::Name;
use crate::random::Random;
use crate::record::RunId;

pub(crate) use entries::KeyEntry;

const ERASED: u8 = 0;
const LEAF: u8 = 1;
const DECOY: u8 = 2;

/// A commitment's content, encrypted: one line for `content.jsonl`, one for `keys.jsonl`, both without line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedContent {
    root: Hash,
    content: Vec<u8>,
    keys: Vec<u8>,
}

impl SealedContent {
    /// Takes lines back from a store.
    ///
    /// # Errors
    /// When one is not canonical, not of its kind, or they name different roots.
    pub fn from_lines(content: Vec<u8>, keys: Vec<u8>) -> Result<Self, OpenError> {
        let root = ContentLine::read(&content)?.root;
        if KeysLine::read(&keys)?.root != root {
            return Err(OpenError::Malformed);
        }
        Ok(Self { root, content, keys })
    }

    /// The commitment's root.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The line for `content.jsonl`.
    #[must_use]
    pub fn content_line(&self) -> &[u8] {
        &self.content
    }

    /// The line for `keys.jsonl`.
    #[must_use]
    pub fn keys_line(&self) -> &[u8] {
        &self.keys
    }

    /// Decrypts what has not been erased.
    ///
    /// # Errors
    /// When it was changed, or the keys are of another run.
    pub fn open(&self, keys: &RunKeys) -> Result<Disclosure, OpenError> {
        ContentLine::read(&self.content)?.open(&KeysLine::read(&self.keys)?, keys)
    }
}

/// Why content did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Not a line of its kind.
    Malformed,
    /// The leaf list does not hash to the root.
    Root,
    /// The key or the content was changed, or is of another run.
    Refused,
    /// What came out is not what was committed to.
    Leaf {
        /// The leaf hash.
        hash: Hash,
    },
    /// The run's keys.
    Key(KeyError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("a content or key line is not in its form"),
            Self::Root => f.write_str("the leaf list does not hash to its root"),
            Self::Refused => f.write_str("content or its keys do not decrypt: changed, or of another run"),
            Self::Leaf { hash } => {
                write!(f, "what decrypts for the leaf {hash} is not what was committed to")
            }
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentLeaf {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    hash: Hash,
}

/// A line of `content.jsonl`, read strictly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentLine {
    leaves: Vec<ContentLeaf>,
    root: Hash,
    v: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ContentKind {
    Content,
}

/// A line of `keys.jsonl` for one commitment, read strictly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysLine {
    kind: ContentKind,
    nonce: String,
    root: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Name>,
    v: u64,
    wrapped: String,
}

/// Reads a canonical line that must be written again octet for octet.
fn read_line<T: Serialize + for<'de> Deserialize<'de>>(line: &[u8]) -> Result<T, OpenError> {
    let value = jcs::from_slice(line).map_err(|_| OpenError::Malformed)?;
    let read: T = serde_json::from_value(value).map_err(|_| OpenError::Malformed)?;
    match jcs::to_vec(&read) {
        Ok(again) if again == line => Ok(read),
        _ => Err(OpenError::Malformed),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, OpenError> {
    let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| OpenError::Malformed)?;
    if Base64UrlUnpadded::encode_string(&bytes) == text { Ok(bytes) } else { Err(OpenError::Malformed) }
}

impl ContentLine {
    /// Reads a line and checks that its leaf list hashes to its root.
    ///
    /// # Errors
    /// When it is not in its form, or does not.
    pub fn read(line: &[u8]) -> Result<Self, OpenError> {
        let read: Self = read_line(line)?;
        let hashes: Vec<Hash> = read.leaves.iter().map(|leaf| leaf.hash).collect();
        if read.v != crate::FORMAT_VERSION || check_shape(&hashes).is_err() {
            return Err(OpenError::Malformed);
        }
        for data in read.leaves.iter().filter_map(|leaf| leaf.data.as_deref()) {
            bytes(data)?;
        }
        if merkle_root(hashes) == read.root { Ok(read) } else { Err(OpenError::Root) }
    }

    /// The commitment's root.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// How many leaf hashes it lists, decoys included.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Each leaf hash, and whether its cipher text is there.
    pub(crate) fn states(&self) -> impl ExactSizeIterator<Item = (Hash, bool)> {
        self.leaves.iter().map(|leaf| (leaf.hash, leaf.data.is_some()))
    }

    /// How much of it is not there, as far as lengths show that to whoever has no keys: of `erased` leaf hashes it is known that nothing is
    /// left.
    pub(crate) fn lacks(&self, keys: &KeysLine, erased: usize) -> Result<Lacks, OpenError> {
        let there = |leaf: &&ContentLeaf| {
            leaf.data.as_ref().is_some_and(|data| octets(data) >= SHORTEST_LEAF.len() + TAG_BYTES)
        };
        let (all, there) = (self.leaves.len(), self.leaves.iter().filter(there).count());
        let rest = all.saturating_sub(erased);
        // Were none of them a leaf, the rest would have as many octets as so many decoys; each leaf has a key more.
        let least = TAG_BYTES + erased + rest * DECOY_BYTES;
        let more = octets(&keys.wrapped).checked_sub(least);
        let Some(more) = more.filter(|more| more % (LEAF_BYTES - DECOY_BYTES) == 0) else {
            return Ok(Lacks::Keys);
        };
        let leaves = more / (LEAF_BYTES - DECOY_BYTES);
        // What nobody erased from has as many decoys as it takes to reach the next power of two, or eight.
        let few = erased == 0 && (leaves == 0 || all > FEWEST_HASHES && leaves <= all / 2);
        if few || leaves > rest {
            return Ok(Lacks::Keys);
        }
        leaves.checked_sub(there).map(Lacks::Data).ok_or(OpenError::Malformed)
    }

    /// The same line without the cipher text of the leaves that `erased` names.
    pub(crate) fn without(&self, erased: &std::collections::BTreeSet<Hash>) -> Result<Vec<u8>, OpenError> {
        let leaves = self.leaves.iter().map(|leaf| match erased.contains(&leaf.hash) {
            true => ContentLeaf { data: None, hash: leaf.hash },
            false => leaf.clone(),
        });
        let line = Self { leaves: leaves.collect(), root: self.root, v: self.v };
        jcs::to_vec(&line).map_err(|_| OpenError::Malformed)
    }

    /// The leaf hashes in their order: all that can be shown of content without its keys.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> + '_ {
        self.leaves.iter().map(|leaf| leaf.hash)
    }

    /// Decrypts what has not been erased; what was, comes out as its hash.
    ///
    /// # Errors
    /// When content or keys were changed, or do not belong together.
    pub fn open(&self, line: &KeysLine, keys: &RunKeys) -> Result<Disclosure, OpenError> {
        if line.root != self.root {
            return Err(OpenError::Malformed);
        }
        let entries = line.entries(self.leaves.len(), keys)?;
        self.open_entries(entries, keys.run_id())
    }

    /// As [`ContentLine::open`], with entries that were decrypted before.
    pub(crate) fn open_entries(
        &self,
        entries: Vec<KeyEntry>,
        run_id: RunId,
    ) -> Result<Disclosure, OpenError> {
        let mut buffer = Vec::with_capacity(256);
        let mut leaves = Vec::with_capacity(self.leaves.len());
        for (leaf, entry) in self.leaves.iter().zip(entries) {
            leaves.push(match (entry, &leaf.data) {
                (KeyEntry::Erased | KeyEntry::Leaf { .. }, None) => DisclosedLeaf::Hash(leaf.hash),
                (KeyEntry::Decoy { salt }, None) if decoy_hash(&mut buffer, &salt) == leaf.hash => {
                    DisclosedLeaf::Decoy(salt)
                }
                (KeyEntry::Leaf { salt, key }, Some(data)) => {
                    DisclosedLeaf::Leaf(open_leaf(run_id, leaf.hash, salt, &key, &bytes(data)?)?)
                }
                // Not what was committed to, or cipher text that nothing opens any more, or that a decoy never has.
                (KeyEntry::Decoy { .. }, None) | (KeyEntry::Erased | KeyEntry::Decoy { .. }, Some(_)) => {
                    return Err(OpenError::Leaf { hash: leaf.hash });
                }
            });
        }
        Ok(Disclosure { leaves, root: self.root })
    }
}

/// What of a content that nobody here can open is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// The cipher text of so many leaves.
    Data(usize),
    /// The wrapped keys: they are not as long as those of any content of so many leaf hashes.
    Keys,
}

/// How many octets `text` encodes, in base64url without padding.
const fn octets(text: &str) -> usize {
    text.len() / 4 * 3 + text.len() % 4 * 3 / 4
}

fn open_leaf(
    run_id: RunId,
    hash: Hash,
    salt: Salt,
    key: &[u8; 32],
    data: &[u8],
) -> Result<Opening, OpenError> {
    let plain = crypto::open_once(key, &content_aad(run_id, hash), data).map_err(|_| OpenError::Refused)?;
    let wrong = || OpenError::Leaf { hash };
    let Ok(Value::Array(pair)) = jcs::from_slice(&plain) else { return Err(wrong()) };
    let Ok([Value::String(path), value]) = <[Value; 2]>::try_from(pair) else { return Err(wrong()) };
    let opening = Opening { path, value, salt };
    if opening.leaf_hash() == Ok(hash) { Ok(opening) } else { Err(wrong()) }
}

impl KeysLine {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is not in its form.
    pub fn read(line: &[u8]) -> Result<Self, OpenError> {
        let read: Self = read_line(line)?;
        decode::<NONCE_BYTES>(&read.nonce).map_err(OpenError::Key)?;
        bytes(&read.wrapped)?;
        if read.v == crate::FORMAT_VERSION { Ok(read) } else { Err(OpenError::Malformed) }
    }

    /// The commitment's root.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The alias of the data subject whose key is needed too.
    #[must_use]
    pub const fn subject(&self) -> Option<&Name> {
        self.subject.as_ref()
    }
}

const CONTENT: &str = "fuze/content/v1";

/// What cipher text is bound to: the canonical octets of `[label, runId, hash]`. None of the three has a character that is escaped.
struct Aad(Vec<u8>);

impl Aad {
    const END: &[u8] = b"\"]";

    /// Its hash is still to be said.
    fn new(label: &str, run_id: RunId) -> Self {
        let mut out = Vec::with_capacity(144);
        out.extend_from_slice(b"[\"");
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(&run_id.text());
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(&[b'0'; 64]);
        out.extend_from_slice(Self::END);
        Self(out)
    }

    fn of(&mut self, hash: &[u8; 64]) -> &[u8] {
        let end = self.0.len() - Self::END.len();
        if let Some(place) = self.0.get_mut(..end).and_then(<[u8]>::last_chunk_mut) {
            *place = *hash;
        }
        &self.0
    }
}

fn keys_aad(run_id: RunId, root: Hash) -> Vec<u8> {
    let mut aad = Aad::new("fuze/content-keys/v1", run_id);
    aad.of(&root.to_hex());
    aad.0
}

fn content_aad(run_id: RunId, leaf: Hash) -> Vec<u8> {
    let mut aad = Aad::new(CONTENT, run_id);
    aad.of(&leaf.to_hex());
    aad.0
}

/// Encrypts what `commitment` commits to.
///
/// # Errors
/// When randomness fails.
pub fn seal(
    commitment: &Commitment,
    keys: &RunKeys,
    random: &mut dyn Random,
) -> Result<SealedContent, OpenError> {
    let failed = |error| OpenError::Key(KeyError::Random(error));
    let (root, leaves) = (commitment.root(), usize::try_from(commitment.leaves()).unwrap_or(0));
    let mut entries = Zeroizing::new(Vec::with_capacity(leaves * LEAF_BYTES + TAG_BYTES));
    // Holds a leaf's text, and then what it is encrypted to.
    let mut text = Vec::with_capacity(256);
    let mut aad = Aad::new(CONTENT, keys.run_id());
    // Both lines are written straight in their canonical order, in an alphabet that needs no escapes.
    let pairs = commitment.in_order().filter_map(|(_, _, pair)| pair);
    let data: usize = pairs.map(|pair| base64::chars(pair.len() + 1 + TAG_BYTES) + 10).sum();
    let mut content = Vec::with_capacity(leaves * 76 + data + 96);
    content.extend_from_slice(b"{\"leaves\":[");
    for (at, (hash, salt, pair)) in commitment.in_order().enumerate() {
        content.extend_from_slice(if at == 0 { b"{" } else { b",{" });
        let hash = hash.to_hex();
        match pair {
            None => {
                entries.push(DECOY);
                entries.extend_from_slice(&salt.0);
            }
            Some(pair) => {
                entries.push(LEAF);
                entries.extend_from_slice(&salt.0);
                entries.extend_from_slice(&[0; 32]);
                let key = entries.last_chunk_mut::<32>().ok_or(OpenError::Malformed)?;
                random.fill(key).map_err(failed)?;
                text.clear();
                text.push(b'[');
                text.extend_from_slice(pair);
                crypto::seal_once(key, aad.of(&hash), &mut text).map_err(|_| OpenError::Refused)?;
                content.extend_from_slice(b"\"data\":\"");
                base64::push(&mut content, &text);
                content.extend_from_slice(b"\",");
            }
        }
        content.extend_from_slice(b"\"hash\":\"");
        content.extend_from_slice(&hash);
        content.extend_from_slice(b"\"}");
    }
    content.extend_from_slice(b"],\"root\":\"");
    root.push_hex(&mut content);
    content.extend_from_slice(VERSION_END);
    let mut nonce = [0u8; NONCE_BYTES];
    random.fill(&mut nonce).map_err(failed)?;
    let wrapped = crypto::seal(keys.kek(), &nonce, &keys_aad(keys.run_id(), root), entries)
        .map_err(|_| OpenError::Refused)?;
    Ok(SealedContent { root, content, keys: keys_line(&nonce, root, keys.subject(), &wrapped) })
}

/// Of a leaf: its kind, its salt, its key.
const LEAF_BYTES: usize = 1 + 32 + 32;

/// Of a decoy: its kind, its salt.
const DECOY_BYTES: usize = 1 + 32;

/// Decoys make up for what a content has less.
const FEWEST_HASHES: usize = 8;

/// No leaf's text is shorter.
const SHORTEST_LEAF: &str = "[\"\",0]";

const VERSION_END: &[u8] = b"\",\"v\":1}";

fn keys_line(nonce: &[u8], root: Hash, subject: Option<&Name>, wrapped: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(base64::chars(wrapped.len()) + 256);
    out.extend_from_slice(b"{\"kind\":\"content\",\"nonce\":\"");
    base64::push(&mut out, nonce);
    out.extend_from_slice(b"\",\"root\":\"");
    root.push_hex(&mut out);
    if let Some(subject) = subject {
        out.extend_from_slice(b"\",\"subject\":\"");
        out.extend_from_slice(subject.as_str().as_bytes());
    }
    out.extend_from_slice(b"\",\"v\":1,\"wrapped\":\"");
    base64::push(&mut out, wrapped);
    out.extend_from_slice(b"\"}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_is_canonical() {
        let at = crate::Timestamp::from_nanos(1_795_294_256_123_456_789).unwrap();
        let run_id = RunId::generate(at, &mut crate::random::OsRandom::new()).unwrap();
        let hash = crate::sha256(b"leaf");
        let canonical = jcs::to_vec(&("fuze/content/v1", run_id.to_string(), hash.to_string())).unwrap();
        assert_eq!(content_aad(run_id, hash), canonical);
        let canonical = jcs::to_vec(&("fuze/content-keys/v1", run_id.to_string(), hash.to_string())).unwrap();
        assert_eq!(keys_aad(run_id, hash), canonical);
    }
}
