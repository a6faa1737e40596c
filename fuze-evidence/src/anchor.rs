//! What a signed root leaves in a transparency log, and what opens it again (`docs/evidence-format.md`, section 13).
//!
//! A leaf is a salted commitment and a random tag: it says when and how many, about whom nothing. Not here: the log, its
//! proofs and whom to trust about them (`fuze-log`).

mod error;

use std::fmt;

use async_trait::async_trait;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::name::Name;
use crate::random::Random;
use crate::sign::{RootDomain, SignedRoot};
use crate::time::Timestamp;
use crate::vocab::wire_enum;

pub use error::{AnchorError, LeafError};

/// Longer octets are no leaf.
pub const MAX_LEAF_BYTES: usize = 1024;

/// Goes before the salt of a `run_open` where that of its `run_close` is made.
const CLOSE_SALT: &[u8] = b"fuze/log-salt/close/v1";

/// A longer line is no [`AnchorLine`].
pub const MAX_ANCHOR_LINE_BYTES: usize = 4096;

/// Somewhere outside that keeps roots: a transparency log. It takes only what is signed.
///
/// For the `Place` of an error an implementation gives its own words. What it returns belongs to the run and goes into its
/// `anchors.jsonl` ([`AnchorLine::bytes`]).
///
/// The same root with the same blinding is the same leaf: whoever crashed before the line was kept asks again and gets
/// the same index.
#[async_trait]
pub trait Anchor: Send + Sync {
    /// Its origin, as it stands in the lines.
    fn origin(&self) -> &Name;

    /// The raw public key that it signs with: no run's and no overseer's.
    fn public_key(&self) -> [u8; 32];

    /// Keeps the open root of a run of which a close is due until `deadline`. Returns when it can be proven.
    ///
    /// # Errors
    /// When `root` is no open root or the place fails. Nothing may then be claimed about an anchor.
    async fn anchor_open(
        &self,
        root: &SignedRoot,
        deadline: Timestamp,
        blinding: &Blinding,
    ) -> Result<AnchorLine, AnchorError>;

    /// Keeps the close root of the run whose open root `opened` stands for, under the same tag. The salt follows from the
    /// one of `opened`. That it stands for that run's open root is the caller's to know ([`AnchorLine::opens_to`]).
    ///
    /// # Errors
    /// When `root` is no close root, `opened` is no open's or of another index than the root says, or the place fails.
    async fn anchor_close(&self, root: &SignedRoot, opened: &AnchorLine) -> Result<AnchorLine, AnchorError>;
}

wire_enum! {
    /// What a leaf stands for.
    LeafKind {
        /// A run was opened:
        RunOpen = "run_open",
        /// A run was closed:
        RunClose = "run_close",
        /// A line of a tenant's annex:
        Annex = "annex",
        /// A line of a key history:
        Key = "key",
    }
    /// Marks the octets of a leaf.
    LeafDomain {
        /// Version 1:
        V1 = "fuze/log-leaf/v1",
    }
}

/// A leaf as a public log holds it: canonical octets and what they say. Made by [`Prepared`], or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLeaf {
    members: Leaf,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Leaf {
    commit: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    domain: LeafDomain,
    kind: LeafKind,
    run_tag: Hash,
}

impl LogLeaf {
    fn from_members(members: Leaf) -> Result<Self, LeafError> {
        if members.deadline.is_some() != (members.kind == LeafKind::RunOpen) {
            return Err(LeafError::Members("`deadline` stands in a `run_open` and nowhere else".into()));
        }
        let bytes = jcs::to_vec(&members).map_err(|e| LeafError::Members(e.to_string()))?;
        Ok(Self { members, bytes })
    }

    /// Reads the octets of a leaf: canonical, every member, no other.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn read(bytes: &[u8]) -> Result<Self, LeafError> {
        let leaf = Self::from_members(read_strictly(bytes, MAX_LEAF_BYTES)?)?;
        if leaf.bytes == bytes { Ok(leaf) } else { Err(LeafError::Members("it reads back otherwise".into())) }
    }

    /// The octets that the log holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it stands for.
    #[must_use]
    pub const fn kind(&self) -> LeafKind {
        self.members.kind
    }

    /// The commitment.
    #[must_use]
    pub const fn commit(&self) -> Hash {
        self.members.commit
    }

    /// Until when a close is due; exactly in a `run_open`.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.members.deadline
    }

    /// Joins the open and the close of one run; random, and in nothing else that is public.
    #[must_use]
    pub const fn run_tag(&self) -> Hash {
        self.members.run_tag
    }
}

fn read_strictly<T: for<'de> Deserialize<'de>>(bytes: &[u8], most: usize) -> Result<T, LeafError> {
    if bytes.len() > most {
        return Err(LeafError::TooLong { most, found: bytes.len() });
    }
    let value = jcs::from_slice(bytes).map_err(LeafError::Canonical)?;
    serde_json::from_value(value).map_err(|e| LeafError::Members(e.to_string()))
}

/// What hides a leaf: its salt and its tag. To be kept, encrypted, before the leaf goes to a log, so that after a crash the
/// same leaf can be made again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blinding {
    salt: Salt,
    tag: Hash,
}

impl Blinding {
    /// A new one, for one leaf.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(random: &mut dyn Random) -> Result<Self, LeafError> {
        Ok(Self { salt: Salt(fresh(random)?), tag: Hash(fresh(random)?) })
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding(…)")
    }
}

/// Written as b64 (section 2).
#[derive(Clone, PartialEq, Eq)]
struct Salt([u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = Base64UrlUnpadded::decode_vec(&text).ok().and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| de::Error::custom("expected 32 octets in base64url without padding"))
    }
}

/// A leaf that is not in a log yet, with the salt that opens it. Consumed by [`Prepared::anchored`].
#[derive(Debug)]
#[must_use = "a leaf says nothing before a log holds it"]
pub struct Prepared {
    leaf: LogLeaf,
    salt: [u8; 32],
}

impl Prepared {
    /// For the open root of a run, whose close is due until `deadline`.
    ///
    /// # Errors
    /// When it is another root, or the deadline is not after it.
    pub fn open(root: &SignedRoot, deadline: Timestamp, blinding: &Blinding) -> Result<Self, LeafError> {
        expect_domain(root, RootDomain::Open)?;
        if deadline <= root.root().at {
            return Err(LeafError::Deadline { deadline, opened: root.root().at });
        }
        Self::new(LeafKind::RunOpen, root.hash(), blinding.tag, Some(deadline), blinding.salt.0)
    }

    /// For the close root of the run whose open is in the log as `opened`.
    ///
    /// The close root names that leaf by its index alone, and a run that was anchored only after its end does not name it. Whose leaf
    /// it is the open root says: whoever has `opened` from where others can write asks [`AnchorLine::opens_to`] first.
    ///
    /// # Errors
    /// When it is another root, or `opened` is not of kind `run_open` or not at the index that the root names.
    pub fn close(root: &SignedRoot, opened: &AnchorLine) -> Result<Self, LeafError> {
        expect_domain(root, RootDomain::Close)?;
        opened.expect_open_of(root)?;
        let salt = opened.salt_of_close();
        Self::new(LeafKind::RunClose, root.hash(), opened.leaf.run_tag(), None, salt)
    }

    /// For a line of an annex, given as the SHA-256 of its canonical octets.
    ///
    /// # Errors
    /// When it has no canonical form.
    pub fn annex(line: Hash, blinding: &Blinding) -> Result<Self, LeafError> {
        Self::new(LeafKind::Annex, line, blinding.tag, None, blinding.salt.0)
    }

    /// For a line of a key history, given as the SHA-256 of its canonical octets.
    ///
    /// # Errors
    /// When it has no canonical form.
    pub fn key(line: Hash, blinding: &Blinding) -> Result<Self, LeafError> {
        Self::new(LeafKind::Key, line, blinding.tag, None, blinding.salt.0)
    }

    fn new(
        kind: LeafKind,
        what: Hash,
        run_tag: Hash,
        deadline: Option<Timestamp>,
        salt: [u8; 32],
    ) -> Result<Self, LeafError> {
        let commit = commitment(&salt, what);
        let leaf = LogLeaf::from_members(Leaf { commit, deadline, domain: LeafDomain::V1, kind, run_tag })?;
        Ok(Self { leaf, salt })
    }

    /// What the log takes.
    #[must_use]
    pub const fn leaf(&self) -> &LogLeaf {
        &self.leaf
    }

    /// What the run keeps, once the log named `log` holds the leaf at `index`.
    ///
    /// # Errors
    /// When `index` is beyond 2^53−1 or `log` has a `+`, which no name of a log may have.
    pub fn anchored(self, index: u64, log: Name, at: Timestamp) -> Result<AnchorLine, LeafError> {
        AnchorLine::new(at, index, self.leaf, log, Salt(self.salt))
    }
}

fn fresh(random: &mut dyn Random) -> Result<[u8; 32], LeafError> {
    let mut out = [0u8; 32];
    random.fill(&mut out).map_err(LeafError::Random)?;
    Ok(out)
}

fn commitment(salt: &[u8; 32], what: Hash) -> Hash {
    let mut octets = [0u8; 64];
    let (front, back) = octets.split_at_mut(32);
    front.copy_from_slice(salt);
    back.copy_from_slice(what.as_bytes());
    sha256(&octets)
}

const fn expect_domain(root: &SignedRoot, expected: RootDomain) -> Result<(), LeafError> {
    let found = root.root().domain;
    match (expected, found) {
        (RootDomain::Open, RootDomain::Open) | (RootDomain::Close, RootDomain::Close) => Ok(()),
        _ => Err(LeafError::Root { expected, found }),
    }
}

/// A line of `anchors.jsonl`: where a leaf is, and what opens it. Kept with the run; whoever has it can tell which leaf is the run's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorLine {
    at: Timestamp,
    index: u64,
    leaf: LogLeaf,
    log: Name,
    salt: Salt,
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: Timestamp,
    index: u64,
    kind: LeafKind,
    leaf: Leaf,
    log: Name,
    salt: Salt,
    v: u64,
}

impl AnchorLine {
    fn new(at: Timestamp, index: u64, leaf: LogLeaf, log: Name, salt: Salt) -> Result<Self, LeafError> {
        if log.as_str().contains('+') {
            return Err(LeafError::Members(format!("`{log}` has a `+`, which no name of a log may have")));
        }
        let line = Line {
            at,
            index,
            kind: leaf.kind(),
            leaf: leaf.members.clone(),
            log: log.clone(),
            salt: salt.clone(),
            v: crate::FORMAT_VERSION,
        };
        // An index beyond 2^53-1 has no canonical form.
        let bytes = jcs::to_vec(&line).map_err(|e| LeafError::Members(e.to_string()))?;
        Ok(Self { at, index, leaf, log, salt, bytes })
    }

    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// When it is not canonical or not this object.
    pub fn read(line: &[u8]) -> Result<Self, LeafError> {
        let wire: Line = read_strictly(line, MAX_ANCHOR_LINE_BYTES)?;
        if wire.v != crate::FORMAT_VERSION {
            return Err(LeafError::Version { found: wire.v });
        }
        let leaf = LogLeaf::from_members(wire.leaf)?;
        let read = Self::new(wire.at, wire.index, leaf, wire.log, wire.salt)?;
        // Writing it again catches nulls for absent members, a `kind` that is not the leaf's and loose base64.
        if read.bytes == line { Ok(read) } else { Err(LeafError::Members("it reads back otherwise".into())) }
    }

    /// Reads a whole `anchors.jsonl`: each line ends in a line feed, none is empty.
    ///
    /// # Errors
    /// With the number of the first line that is not one, beginning with 1.
    pub fn read_all(file: &[u8]) -> Result<Vec<Self>, (usize, LeafError)> {
        file.split_inclusive(|&octet| octet == b'\n')
            .zip(1..)
            .map(|(line, number)| {
                let line = line
                    .strip_suffix(b"\n")
                    .ok_or_else(|| (number, LeafError::Members("it does not end in a line feed".into())))?;
                Self::read(line).map_err(|error| (number, error))
            })
            .collect()
    }

    /// The canonical line without its line feed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// When the log had it, by the clock of whoever put it there.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The leaf's place in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The leaf.
    #[must_use]
    pub const fn leaf(&self) -> &LogLeaf {
        &self.leaf
    }

    /// The origin of the log.
    #[must_use]
    pub const fn log(&self) -> &Name {
        &self.log
    }

    /// Of the `run_close` that belongs to this `run_open`: whoever cannot open this cannot open that.
    fn salt_of_close(&self) -> [u8; 32] {
        let mut hashed = CLOSE_SALT.to_vec();
        hashed.extend_from_slice(&self.salt.0);
        sha256(&hashed).0
    }

    /// Whether the leaf is the one of `root`: the kind fits and the commitment opens. Says nothing about any log.
    ///
    /// # Errors
    /// When it is another's.
    pub fn opens_to(&self, root: &SignedRoot) -> Result<(), LeafError> {
        let expected = match root.root().domain {
            RootDomain::Open => LeafKind::RunOpen,
            RootDomain::Close => LeafKind::RunClose,
            RootDomain::Suspend => {
                return Err(LeafError::Root { expected: RootDomain::Close, found: RootDomain::Suspend });
            }
        };
        self.opens_to_hash(expected, root.hash())
    }

    /// Whether the leaf is the one of an annex or key line, given as the SHA-256 of its canonical octets.
    ///
    /// # Errors
    /// When it is of another kind or another's.
    pub fn opens_to_hash(&self, kind: LeafKind, what: Hash) -> Result<(), LeafError> {
        if self.leaf.kind() != kind {
            return Err(LeafError::Kind { expected: kind, found: self.leaf.kind() });
        }
        let expected = commitment(&self.salt.0, what);
        if self.leaf.commit() == expected {
            Ok(())
        } else {
            Err(LeafError::Commit { expected, found: self.leaf.commit() })
        }
    }

    /// Whether this, of kind `run_open`, can be the open of the run that `close` closed: the root may name the index.
    fn expect_open_of(&self, close: &SignedRoot) -> Result<(), LeafError> {
        if self.leaf.kind() != LeafKind::RunOpen {
            return Err(LeafError::Kind { expected: LeafKind::RunOpen, found: self.leaf.kind() });
        }
        match close.root().open_leaf {
            Some(expected) if expected != self.index => {
                Err(LeafError::OpenLeaf { expected, found: self.index })
            }
            _ => Ok(()),
        }
    }

    /// Whether `opened` and this are the two anchors of one run: the tags are the same, `opened` stands before in the same log, and
    /// `close`, which this opens to, names its index if it names one.
    ///
    /// # Errors
    /// When they are not.
    pub fn closes(&self, close: &SignedRoot, opened: &Self) -> Result<(), LeafError> {
        self.opens_to(close)?;
        expect_domain(close, RootDomain::Close)?;
        opened.expect_open_of(close)?;
        if opened.leaf.run_tag() != self.leaf.run_tag() {
            return Err(LeafError::Tag { expected: opened.leaf.run_tag(), found: self.leaf.run_tag() });
        }
        if opened.log != self.log {
            return Err(LeafError::Log { expected: opened.log.clone(), found: self.log.clone() });
        }
        if opened.index >= self.index {
            return Err(LeafError::Order { opened: opened.index, closed: self.index });
        }
        Ok(())
    }
}
