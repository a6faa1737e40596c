//! One record of a run: what is common to all, its identity, and how a line is strictly read. Does not chain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};

use crate::hash::{Hash, write_hex};
use crate::jcs::{self, MAX_SAFE_INTEGER};
use crate::name::Name;
use crate::random::{Random, RandomError};
use crate::sign::{KeyId, PublicKey, SignatureError, SignedRoot};
use crate::span::attr::{AttrMap, AttrValue};
use crate::span::{AttrError, Span};
use crate::time::Timestamp;
use crate::vocab::{AnnexIii, Art22, LawfulBasis};

/// A run's identity: UUIDv7 (RFC 9562), so that runs sort by their beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 16]);

impl RunId {
    /// A new one: 48 bits of milliseconds, 74 random bits.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(at: Timestamp, random: &mut dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0u8; 16];
        random.fill(&mut bytes)?;
        let [_, _, m0, m1, m2, m3, m4, m5] = at.as_millis().to_be_bytes();
        let [b0, b1, b2, b3, b4, b5, version, _, variant, ..] = &mut bytes;
        (*b0, *b1, *b2, *b3, *b4, *b5) = (m0, m1, m2, m3, m4, m5);
        *version = *version & 0x0f | 0x70;
        *variant = *variant & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    /// The raw octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// When it was made, by the clock of whoever made it, to the millisecond.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        let [m0, m1, m2, m3, m4, m5, ..] = self.0;
        let millis = u64::from_be_bytes([0, 0, m0, m1, m2, m3, m4, m5]);
        Timestamp::from_nanos(i128::from(millis) * 1_000_000).unwrap_or(Timestamp::MAX)
    }

    /// Its only spelling: lowercase hex with four hyphens.
    pub(crate) fn text(self) -> [u8; 36] {
        let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, last @ ..] = self.0;
        let mut out = [b'-'; 36];
        for (start, bytes) in
            [(0, &[a0, a1, a2, a3][..]), (9, &[b0, b1]), (14, &[c0, c1]), (19, &[d0, d1]), (24, &last)]
        {
            write_hex(out.get_mut(start..start + 2 * bytes.len()).unwrap_or_default(), bytes);
        }
        out
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no lowercase UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotARunId;

impl fmt::Display for NotARunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a run id: a UUIDv7 in lowercase with hyphens")
    }
}

impl std::error::Error for NotARunId {}

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        if text.len() != 36 {
            return Err(NotARunId);
        }
        let digits: String = text.chars().filter(|&c| c != '-').collect();
        let number = u128::from_str_radix(&digits, 16).map_err(|_| NotARunId)?;
        let id = Self(number.to_be_bytes());
        let well_formed = number >> 76 & 0xf == 7 && number >> 62 & 3 == 2;
        // Comparing the spelling catches capitals, `+` and hyphens in other places.
        if well_formed && id.to_string() == text { Ok(id) } else { Err(NotARunId) }
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.text()).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What is the same in every record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// `fuze.annex_iii`: the AI Act's Annex III point.
    #[serde(rename = "fuze.annex_iii")]
    pub annex_iii: AnnexIii,
    /// `fuze.art22_decision`: the ground of a solely automated decision, GDPR Art. 22(2).
    #[serde(rename = "fuze.art22_decision")]
    pub art22: Art22,
    /// `fuze.principal.id`: alias of who started the run.
    #[serde(rename = "fuze.principal.id")]
    pub principal: Name,
    /// `fuze.retention.policy_id`.
    #[serde(rename = "fuze.retention.policy_id")]
    pub retention: Name,
    /// `fuze.run.lawful_basis`: GDPR Art. 6(1); absent if no personal data can be touched.
    #[serde(rename = "fuze.run.lawful_basis", default, skip_serializing_if = "Option::is_none")]
    pub lawful_basis: Option<LawfulBasis>,
    /// `fuze.subject.ref`: random alias of the data subject, for this run only.
    #[serde(rename = "fuze.subject.ref", default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Name>,
    /// `fuze.tenant.id`.
    #[serde(rename = "fuze.tenant.id")]
    pub tenant: Name,
}

/// One line of a chain: canonical octets without the final line feed, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    pub(crate) prev_hash: Hash,
    pub(crate) bytes: Vec<u8>,
}

impl Record {
    /// Its place, 0 for the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The hash of the record before.
    #[must_use]
    pub const fn prev_hash(&self) -> Hash {
        self.prev_hash
    }

    /// The canonical octets, without the line feed that ends the line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A record's commitment to content: the root and the padded number of leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRef {
    /// The Merkle root over the leaf hashes.
    pub root: Hash,
    /// How many leaf hashes, decoys included: a power of two, at least 8.
    pub leaves: u32,
}

impl ContentRef {
    /// The fewest leaves a commitment shows.
    pub const MIN_LEAVES: u32 = 8;
    /// The most leaves a commitment may have.
    pub const MAX_LEAVES: u32 = 1 << 20;
}

/// A line that was strictly read: all of it is known, typed and canonical. Says nothing about the chain or a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place in the chain as it says.
    pub sequence: u64,
    /// Its hash as it says.
    pub hash: Hash,
    /// The hash of the record before as it says.
    pub prev_hash: Hash,
    /// The run.
    pub run_id: RunId,
    /// The step.
    pub step_id: u64,
    /// The step that this one belongs to.
    pub parent_step_id: Option<u64>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What is common to the run.
    pub common: Common,
    /// What happened.
    pub span: Span,
    /// The content it commits to.
    pub content: Option<ContentRef>,
    /// The signed close root, in `run.close` only; not verified here.
    pub(crate) signature: Option<Value>,
    /// The payload without the signature, for the close hash: in `run.close` only.
    pub(crate) unsigned: Option<Map<String, Value>>,
}

/// Why a line is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryError {
    /// Not canonical JSON.
    Canonical(jcs::ReadError),
    /// An unknown format version: this reader cannot say anything about it.
    Version {
        /// What stands there.
        found: String,
    },
    /// An unknown suite: this reader cannot say anything about it.
    Suite {
        /// What stands there.
        found: String,
    },
    /// A member is missing, unknown or of another type.
    Member {
        /// Which one.
        member: String,
        /// What was expected.
        expected: &'static str,
    },
    /// An attribute is missing, unknown or contradicts another.
    Attribute(AttrError),
}

impl EntryError {
    /// What is expected of a member that is missing.
    pub(crate) const THERE: &'static str = "it to be there";
    /// What is expected of a member that no record has.
    pub(crate) const ABSENT: &'static str = "no such member";
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canonical(error) => error.fmt(f),
            Self::Version { found } => {
                write!(f, "format version `{found}` is not known to this reader, which knows 1")
            }
            Self::Suite { found } => write!(f, "suite `{found}` is not known to this reader"),
            Self::Member { member, expected } => write!(f, "member `{member}`: expected {expected}"),
            Self::Attribute(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EntryError {}

impl Entry {
    /// The signed close root that a `run.close` holds, verified with the key that `key` finds for its `keyId`; `None` in other records.
    /// Whether it is of this chain is for the verifier.
    ///
    /// # Errors
    /// As [`SignedRoot::read`].
    pub fn close_root(
        &self,
        key: impl FnOnce(&KeyId) -> Option<PublicKey>,
    ) -> Result<Option<SignedRoot>, SignatureError> {
        let Some(signature) = &self.signature else { return Ok(None) };
        let octets = jcs::to_vec(signature).map_err(|error| SignatureError::Members(error.to_string()))?;
        SignedRoot::read(&octets, key).map(Some)
    }

    /// Reads one line, without its line feed.
    ///
    /// # Errors
    /// When it is not canonical, or anything in it is missing, unknown or of another type.
    pub fn read(line: &[u8]) -> Result<Self, EntryError> {
        let mut record = object(jcs::from_slice(line).map_err(EntryError::Canonical)?, "record")?;
        let mut payload = object(take(&mut record, "payload")?, "payload")?;
        // The version comes first: of another version nothing else may be judged.
        let version = payload.get("v").ok_or_else(|| missing("v"))?;
        if version.as_u64() != Some(crate::FORMAT_VERSION) {
            return Err(EntryError::Version { found: version.to_string().chars().take(64).collect() });
        }
        let signature = payload.remove("signature");
        let unsigned = signature.is_some().then(|| payload.clone());
        payload.remove("v");
        let attrs = object(take(&mut payload, "attrs")?, "attrs")?;
        if let Some(Value::String(suite)) = attrs.get("fuze.suite")
            && suite.parse::<crate::vocab::Suite>().is_err()
        {
            return Err(EntryError::Suite { found: suite.chars().take(64).collect() });
        }
        let span_name = typed::<String>(&mut payload, "span", "the name of a span")?;
        let span = Span::read_attrs(&span_name, AttrMap(attrs)).map_err(EntryError::Attribute)?;
        if typed::<String>(&mut payload, "role", "a role")? != span.role().as_str() {
            return Err(member("role", "the role of this span"));
        }
        let entry = Self {
            sequence: attr(&mut record, "sequence", "an integer")?,
            hash: attr(&mut record, "hash", "a hash")?,
            prev_hash: attr(&mut record, "prevHash", "a hash")?,
            run_id: typed(&mut payload, "runId", "a UUIDv7")?,
            step_id: attr(&mut payload, "stepId", "an integer")?,
            parent_step_id: optional(&mut payload, "parentStepId", "an integer")?,
            started_at: attr(&mut payload, "startedAt", "a time")?,
            ended_at: attr(&mut payload, "endedAt", "a time")?,
            common: typed(&mut payload, "common", "the common attributes of a run")?,
            content: content_ref(&mut payload)?,
            signature,
            unsigned,
            span,
        };
        if entry.signature.is_some() != matches!(entry.span, Span::RunClose(_)) {
            return Err(member("signature", "it in `run.close`, and there alone"));
        }
        finish(&payload)?;
        finish(&record)?;
        Ok(entry)
    }
}

fn content_ref(payload: &mut Map<String, Value>) -> Result<Option<ContentRef>, EntryError> {
    let Some(value) = payload.remove("content") else { return Ok(None) };
    let mut content = object(value, "content")?;
    let root = attr(&mut content, "root", "a hash")?;
    let leaves: u32 = attr(&mut content, "leaves", "an integer")?;
    if !leaves.is_power_of_two() || !(ContentRef::MIN_LEAVES..=ContentRef::MAX_LEAVES).contains(&leaves) {
        return Err(member("leaves", "a power of two from 8 to 1048576"));
    }
    finish(&content)?;
    Ok(Some(ContentRef { root, leaves }))
}

fn member(name: &str, expected: &'static str) -> EntryError {
    EntryError::Member { member: name.to_owned(), expected }
}

fn missing(name: &str) -> EntryError {
    member(name, EntryError::THERE)
}

fn object(value: Value, name: &str) -> Result<Map<String, Value>, EntryError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(member(name, "an object")),
    }
}

fn take(map: &mut Map<String, Value>, key: &str) -> Result<Value, EntryError> {
    map.remove(key).ok_or_else(|| missing(key))
}

fn attr<T: AttrValue>(
    map: &mut Map<String, Value>,
    key: &str,
    expected: &'static str,
) -> Result<T, EntryError> {
    T::read_value(&take(map, key)?).ok_or_else(|| member(key, expected))
}

fn optional<T: AttrValue>(
    map: &mut Map<String, Value>,
    key: &str,
    expected: &'static str,
) -> Result<Option<T>, EntryError> {
    match map.remove(key) {
        None => Ok(None),
        Some(value) => T::read_value(&value).map(Some).ok_or_else(|| member(key, expected)),
    }
}

/// For types with no null form: a `null` is refused, because records hold none.
fn typed<T: de::DeserializeOwned>(
    map: &mut Map<String, Value>,
    key: &str,
    expected: &'static str,
) -> Result<T, EntryError> {
    let value = take(map, key)?;
    if value.as_object().is_some_and(|inner| inner.values().any(Value::is_null)) {
        return Err(member(key, expected));
    }
    serde_json::from_value(value).map_err(|_| member(key, expected))
}

fn finish(map: &Map<String, Value>) -> Result<(), EntryError> {
    match map.keys().next() {
        None => Ok(()),
        Some(key) => {
            Err(EntryError::Member { member: key.chars().take(64).collect(), expected: EntryError::ABSENT })
        }
    }
}

/// Whether an identifier fits into the canonical form.
pub(crate) const fn is_safe(n: u64) -> bool {
    n <= MAX_SAFE_INTEGER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn a_run_id_is_a_uuid_of_version_7() {
        let at = Timestamp::from_nanos(1_795_294_256_123_456_789).unwrap();
        let id = RunId::generate(at, &mut OsRandom::new()).unwrap();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(&text[14..15], "7");
        assert!("89ab".contains(&text[19..20]));
        assert_eq!(u64::from_str_radix(&text.replace('-', "")[..12], 16).unwrap(), at.as_millis());
        for wrong in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            "01890a5d-ac96-474b-bcce-b302099a8057".into(),
            "01890a5d-ac96-774b-7cce-b302099a8057".into(),
            "01890a5dac96-774b-bcce-b302099a8057-".into(),
            "+1890a5d-ac96-774b-bcce-b302099a8057".into(),
        ] {
            assert_eq!(wrong.parse::<RunId>(), Err(NotARunId), "{wrong}");
        }
    }
}
