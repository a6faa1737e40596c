//! Salted commitments to content, and content under keys that can be thrown away.
//!
//! Only what is [`Redacted`] can be committed to. A [`Commitment`] shows a root and a padded number of leaves; what it
//! commits to is opened leaf by leaf. Not here: erasing, which deletes lines that this module writes.

mod commit;
mod merkle;
mod seal;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::base64::Of32;
use crate::hash::Hash;
use crate::jcs;
use crate::record::ContentRef;
use crate::redact::Redacted;

pub use commit::{CommitError, Commitment, commit};
pub use merkle::{Proof, inclusion_proof, inclusion_root, merkle_root, node_hash, verify_inclusion};
pub use seal::{ContentLine, KeysLine, OpenError, SealedContent, seal};
pub(crate) use seal::{KeyEntry, Lacks};

/// 32 random octets that keep a leaf from being guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub(crate) [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Of32::new(&self.0).as_str())
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        crate::keys::decode(&text)
            .map(Self)
            .map_err(|_| de::Error::custom("expected a salt of 32 octets in base64url"))
    }
}

/// One leaf, opened: where it stood, what it was, and its salt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// JSON Pointer (RFC 6901) into the redacted value.
    pub path: String,
    /// A scalar or an empty container.
    pub value: Value,
    /// The salt.
    pub salt: Salt,
}

// Content, its path too: `{:?}` prints neither.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

impl Opening {
    /// The leaf hash that it opens.
    ///
    /// # Errors
    /// When the value has no canonical form.
    pub fn leaf_hash(&self) -> Result<Hash, jcs::Error> {
        leaf_hash(&mut Vec::with_capacity(128), &self.salt, &self.path, &self.value)
    }
}

fn leaf_hash(buffer: &mut Vec<u8>, salt: &Salt, path: &str, value: &Value) -> Result<Hash, jcs::Error> {
    start_leaf(buffer, "[\"fuze/leaf/v1\",\"", salt);
    buffer.push(b',');
    jcs::to_writer(buffer, path)?;
    buffer.push(b',');
    jcs::to_writer(buffer, value)?;
    buffer.push(b']');
    Ok(Hash(Sha256::digest(buffer.as_slice()).into()))
}

fn decoy_hash(buffer: &mut Vec<u8>, salt: &Salt) -> Hash {
    start_leaf(buffer, "[\"fuze/decoy/v1\",\"", salt);
    buffer.push(b']');
    Hash(Sha256::digest(buffer.as_slice()).into())
}

/// The octet 0x00 that RFC 6962 puts before a leaf, the label and the salt.
fn start_leaf(buffer: &mut Vec<u8>, label: &str, salt: &Salt) {
    buffer.clear();
    buffer.push(0);
    buffer.extend_from_slice(label.as_bytes());
    buffer.extend_from_slice(Of32::new(&salt.0).as_bytes());
    buffer.push(b'"');
}

/// A pointer does not say whether `/0` is in an array or in an object. An object whose keys are exactly 0, 1, 2 … is marked
/// by a leaf `{}` of its own, so that `["a"]` and `{"0":"a"}` never have the same leaves.
fn looks_like_array(count: usize, has: impl Fn(&str) -> bool) -> bool {
    (0..count).all(|at| has(&at.to_string()))
}

/// A leaf that someone may see: opened, shown to be a decoy, or its hash alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisclosedLeaf {
    /// A leaf and its salt.
    Leaf(Opening),
    /// A decoy's salt.
    Decoy(Salt),
    /// Withheld or erased: only the hash.
    Hash(Hash),
}

impl DisclosedLeaf {
    /// Its leaf hash.
    ///
    /// # Errors
    /// When its value has no canonical form.
    pub fn hash(&self) -> Result<Hash, jcs::Error> {
        match self {
            Self::Leaf(opening) => opening.leaf_hash(),
            Self::Decoy(salt) => Ok(decoy_hash(&mut Vec::with_capacity(80), salt)),
            Self::Hash(hash) => Ok(*hash),
        }
    }
}

/// What opens a commitment, wholly or in part: travels beside tokens and in snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// In the order of their hashes.
    pub leaves: Vec<DisclosedLeaf>,
    /// What they are said to hash to.
    pub root: Hash,
}

/// Why a disclosure is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisclosureError {
    /// The leaves do not hash to the root.
    Root,
    /// The number or the order of leaves is not that of a commitment.
    Shape,
    /// A value has no canonical form.
    Canonical(jcs::Error),
    /// The leaves do not make one value: a path twice, or one that contradicts another.
    Value {
        /// The path.
        path: String,
    },
    /// Some leaves are not disclosed.
    Incomplete,
}

impl fmt::Display for DisclosureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the disclosed leaves do not hash to the root"),
            Self::Shape => {
                f.write_str("the disclosed leaves are not in number and order those of a commitment")
            }
            Self::Canonical(error) => error.fmt(f),
            Self::Value { path } => write!(f, "the leaf at `{path}` does not fit to the others"),
            Self::Incomplete => f.write_str("some leaves are not disclosed"),
        }
    }
}

impl std::error::Error for DisclosureError {}

impl Disclosure {
    /// Checks that the leaves hash to the root that a record or token names.
    ///
    /// # Errors
    /// When they do not, or `root` is another.
    pub fn verify(&self, root: Hash) -> Result<(), DisclosureError> {
        let mut buffer = Vec::with_capacity(256);
        let mut hashes = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            hashes.push(match leaf {
                DisclosedLeaf::Leaf(opening) => {
                    leaf_hash(&mut buffer, &opening.salt, &opening.path, &opening.value)
                        .map_err(DisclosureError::Canonical)?
                }
                DisclosedLeaf::Decoy(salt) => decoy_hash(&mut buffer, salt),
                DisclosedLeaf::Hash(hash) => *hash,
            });
        }
        check_shape(&hashes)?;
        if self.root == root && merkle_root(hashes) == root { Ok(()) } else { Err(DisclosureError::Root) }
    }

    /// The whole redacted value, put together from the leaves.
    ///
    /// # Errors
    /// When the leaves do not hash to `root`, some are withheld, or they contradict each other.
    pub fn value(&self, root: Hash) -> Result<Value, DisclosureError> {
        self.verify(root)?;
        let mut openings = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            match leaf {
                DisclosedLeaf::Leaf(opening) => openings.push(opening),
                DisclosedLeaf::Decoy(_) => {}
                DisclosedLeaf::Hash(_) => return Err(DisclosureError::Incomplete),
            }
        }
        assemble(&openings)
    }

    /// Whether it is the whole opening of `redacted` under `root`: how a stored call is shown to be the committed one.
    #[must_use]
    pub fn opens(&self, root: Hash, redacted: &Redacted) -> bool {
        let Ok(value) = self.value(root) else { return false };
        matches!((jcs::to_vec(&value), jcs::to_vec(redacted.value())), (Ok(a), Ok(b)) if a == b)
    }
}

pub(crate) fn check_shape(hashes: &[Hash]) -> Result<(), DisclosureError> {
    let count = u32::try_from(hashes.len()).map_err(|_| DisclosureError::Shape)?;
    let sized = count.is_power_of_two() && (ContentRef::MIN_LEAVES..=ContentRef::MAX_LEAVES).contains(&count);
    if sized && hashes.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(DisclosureError::Shape) }
}

/// Puts leaves together again; the reverse of splitting a value.
fn assemble(openings: &[&Opening]) -> Result<Value, DisclosureError> {
    let mut root = Tree::default();
    for opening in openings {
        let wrong = || DisclosureError::Value { path: opening.path.clone() };
        let mut node = &mut root;
        if !opening.path.is_empty() {
            let path = opening.path.strip_prefix('/').ok_or_else(wrong)?;
            for (depth, token) in path.split('/').enumerate() {
                if depth > jcs::MAX_DEPTH {
                    return Err(wrong());
                }
                node = node.members.entry(unescape(token).ok_or_else(wrong)?).or_default();
            }
        }
        let scalar = match &opening.value {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => true,
        };
        if node.leaf.is_some() || !scalar {
            return Err(wrong());
        }
        node.leaf = Some(opening.value.clone());
    }
    root.into_value().ok_or(DisclosureError::Value { path: String::new() })
}

/// A token of a JSON Pointer as the key that it stands for; `None` if its escapes are none.
pub(crate) fn unescape(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => out.push(match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

#[derive(Default)]
struct Tree {
    leaf: Option<Value>,
    members: std::collections::BTreeMap<String, Tree>,
}

impl Tree {
    fn into_value(mut self) -> Option<Value> {
        let count = self.members.len();
        if count == 0 {
            return self.leaf;
        }
        let marked = match &self.leaf {
            None => false,
            Some(Value::Object(mark)) if mark.is_empty() => true,
            Some(_) => return None,
        };
        let array_keys = looks_like_array(count, |key| self.members.contains_key(key));
        if array_keys && !marked {
            let items = (0..count).map(|at| self.members.remove(&at.to_string())?.into_value());
            return items.collect::<Option<Vec<_>>>().map(Value::Array);
        }
        if marked && !array_keys {
            return None;
        }
        let members = self.members.into_iter().map(|(key, tree)| Some((key, tree.into_value()?)));
        members.collect::<Option<Map<_, _>>>().map(Value::Object)
    }
}

/// The next value of the history chain: `H(n) = sha256(JCS(["fuze/hist/v1", H(n−1), root(n)]))`. [`Hash::ZERO`] before the
/// first message.
#[must_use]
pub fn history(previous: Hash, root: Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"[\"fuze/hist/v1\",\"");
    hasher.update(previous.to_hex());
    hasher.update(b"\",\"");
    hasher.update(root.to_hex());
    hasher.update(b"\"]");
    Hash(hasher.finalize().into())
}
