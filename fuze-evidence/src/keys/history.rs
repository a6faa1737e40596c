//! Keys over time: which key of a role was in force when, as a signed chain of introductions, rotations and revocations.
//!
//! `docs/evidence-format.md` section 14. The first key is trusted only because its id was given from outside; every
//! other because a key in force vouched for it and it vouched for itself. A history cannot tell whether a key was stolen:
//! whoever holds it can rotate too. What protects against that is the log, where each line of the history is a leaf.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::keys::Signer;
use crate::name::Name;
use crate::sign::{
    KeyId, PublicKey, SignError, SignatureError, SignedObject, read_object, read_signature, sign_checked,
    with_domain, write_signature,
};
use crate::time::Timestamp;
use crate::vocab::wire_enum;

wire_enum! {
    /// What a key signs. One key has one role.
    KeyRole {
        /// The roots and the annex of runs:
        Run = "run",
        /// Checkpoints of a transparency log:
        Log = "log",
        /// An overseer's decisions:
        Overseer = "overseer",
    }
    /// What happened to a key.
    KeyEvent {
        /// The first of a role:
        Introduced = "introduced",
        /// It takes the place of the one that signs:
        Rotated = "rotated",
        /// It is not to be relied upon any more:
        Revoked = "revoked",
    }
}

/// A file longer than this is no key history.
pub const MAX_BYTES: usize = 4 << 20;

/// What one line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyEntry {
    /// When.
    pub at: Timestamp,
    /// Revocations only: since when somebody else may have had the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// What happened.
    pub event: KeyEvent,
    /// The key that signs this line.
    pub key_id: KeyId,
    /// The deployment or the log.
    pub origin: Name,
    /// SHA-256 of the line before, zeros in the first.
    pub prev: Hash,
    /// The key that is introduced or revoked: base64url of the raw octets.
    pub public_key: String,
    /// What it signs.
    pub role: KeyRole,
    /// 0 in the first line, then one more on each.
    pub sequence: u64,
}

impl KeyEntry {
    /// The id of the key that is introduced or revoked.
    ///
    /// # Errors
    /// When `publicKey` is none that may be relied upon.
    pub fn subject(&self) -> Result<KeyId, SignatureError> {
        let octets = super::decode::<32>(&self.public_key).map_err(|_| SignatureError::KeyText)?;
        PublicKey::from_bytes(octets).map(|key| key.id())
    }
}

impl SignedObject for KeyEntry {
    const DOMAIN: &'static str = "fuze/key/v1";
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    entry: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    signature: String,
}

/// How a key stands at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was never introduced.
    Unknown,
    /// It may sign.
    InForce(PublicKey),
    /// It was introduced later.
    NotYet {
        /// When.
        from: Timestamp,
    },
    /// Another had taken its place.
    RotatedOut {
        /// When.
        at: Timestamp,
    },
    /// It was in force then, and was revoked since: what it signed counts only where a log shows that it stood there before the
    /// revocation did.
    Revoked {
        /// The key.
        key: PublicKey,
        /// When it was revoked.
        at: Timestamp,
        /// Since when somebody else may have had it, if that is known.
        compromised_since: Option<Timestamp>,
        /// SHA-256 of the line that revokes it: what a log's leaf commits to.
        line: Hash,
    },
}

#[derive(Debug, Clone, Copy)]
struct Period {
    key: PublicKey,
    from: Timestamp,
    until: Option<Timestamp>,
    revoked: Option<(Timestamp, Option<Timestamp>, Hash)>,
}

/// Which key of one role and origin was in force when. Its signatures have been verified.
#[derive(Debug, Clone)]
pub struct KeyHistory {
    origin: Name,
    role: KeyRole,
    lines: Vec<Vec<u8>>,
    periods: Vec<Period>,
    last_at: Timestamp,
}

/// Why a history was not read or extended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryError {
    /// No lines, a last line without line feed, or more than [`MAX_BYTES`].
    Shape(&'static str),
    /// A line that is not what it must be.
    Line {
        /// Which one, from 0.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The first key is another than the one that is trusted.
    Root {
        /// The one that is trusted.
        expected: KeyId,
        /// The one that stands there.
        found: KeyId,
    },
    /// It cannot be extended so.
    Refused(String),
    /// A key did not sign.
    Sign(SignError),
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(why) => write!(f, "this is no key history: {why}"),
            Self::Line { line, why } => write!(f, "line {line} of the key history: {why}"),
            Self::Root { expected, found } => {
                write!(f, "the key history begins with the key {found}, expected the trusted key {expected}")
            }
            Self::Refused(why) => write!(f, "the key history cannot be extended: {why}"),
            Self::Sign(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HistoryError {}

impl From<SignError> for HistoryError {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}

impl KeyHistory {
    /// A history that begins with `signer`'s key.
    ///
    /// # Errors
    /// When the key does not sign, or is none that may be relied upon.
    pub fn introduce(
        origin: Name,
        role: KeyRole,
        at: Timestamp,
        signer: &dyn Signer,
    ) -> Result<Self, HistoryError> {
        let key = usable(signer)?;
        let entry = KeyEntry {
            at,
            compromised_since: None,
            event: KeyEvent::Introduced,
            key_id: key.id(),
            origin: origin.clone(),
            prev: Hash::ZERO,
            public_key: encode(&key),
            role,
            sequence: 0,
        };
        let line = write(&entry, signer, None)?;
        Ok(Self {
            origin,
            role,
            lines: vec![line],
            periods: vec![Period { key, from: at, until: None, revoked: None }],
            last_at: at,
        })
    }

    /// From `at` on `new` is in force instead of `old`, which must be the one in force.
    ///
    /// # Errors
    /// When `old` is not in force, `new` has been in the history before, `at` lies before the line before, or a key does not sign.
    pub fn rotate(&mut self, at: Timestamp, old: &dyn Signer, new: &dyn Signer) -> Result<(), HistoryError> {
        let key = usable(new)?;
        let entry = self.entry(KeyEvent::Rotated, at, old, &key, None);
        let line = write(&entry, old, Some(new))?;
        self.extend(&line).map_err(HistoryError::Refused)
    }

    /// The key `key` is not to be relied upon any more. `by` is the key in force, and another one: rotate first.
    ///
    /// # Errors
    /// As [`KeyHistory::rotate`]; and when `key` is unknown or revoked already.
    pub fn revoke(
        &mut self,
        at: Timestamp,
        key: KeyId,
        compromised_since: Option<Timestamp>,
        by: &dyn Signer,
    ) -> Result<(), HistoryError> {
        let Some(period) = self.periods.iter().find(|period| period.key.id() == key) else {
            return Err(HistoryError::Refused(format!("the key {key} does not stand in it")));
        };
        let entry = self.entry(KeyEvent::Revoked, at, by, &period.key, compromised_since);
        let line = write(&entry, by, None)?;
        self.extend(&line).map_err(HistoryError::Refused)
    }

    fn entry(
        &self,
        event: KeyEvent,
        at: Timestamp,
        signer: &dyn Signer,
        key: &PublicKey,
        compromised_since: Option<Timestamp>,
    ) -> KeyEntry {
        KeyEntry {
            at,
            compromised_since,
            event,
            key_id: signer.key_id(),
            origin: self.origin.clone(),
            prev: self.head(),
            public_key: encode(key),
            role: self.role,
            sequence: self.lines.len() as u64,
        }
    }

    /// Reads a history whose first key has the id `trusted`: the only thing about it that is taken on trust.
    ///
    /// # Errors
    /// At the first line that is not canonical, not signed by the key in force, or does not continue the one before.
    pub fn read(bytes: &[u8], trusted: KeyId) -> Result<Self, HistoryError> {
        if bytes.len() > MAX_BYTES {
            return Err(HistoryError::Shape("it is longer than 4 MiB"));
        }
        let Some(bytes) = bytes.strip_suffix(b"\n") else {
            return Err(HistoryError::Shape("it is empty, or its last line has no line feed"));
        };
        let mut lines = bytes.split(|&octet| octet == b'\n');
        let first = lines.next().unwrap_or_default();
        let (entry, key) = Self::first(first, trusted)?;
        let mut history = Self {
            origin: entry.origin,
            role: entry.role,
            lines: vec![first.to_vec()],
            periods: vec![Period { key, from: entry.at, until: None, revoked: None }],
            last_at: entry.at,
        };
        for line in lines {
            let number = history.lines.len() as u64;
            history.extend(line).map_err(|why| HistoryError::Line { line: number, why })?;
        }
        Ok(history)
    }

    /// The id of the first key, **not** trusted by this: for whoever holds the keys and wants to add to the history.
    ///
    /// # Errors
    /// When the first line is not one.
    pub fn first_key(bytes: &[u8]) -> Result<KeyId, HistoryError> {
        let line = bytes.split(|&octet| octet == b'\n').next().unwrap_or_default();
        let read = Read::new(line).map_err(|why| HistoryError::Line { line: 0, why })?;
        Ok(read.key.id())
    }

    fn first(line: &[u8], trusted: KeyId) -> Result<(KeyEntry, PublicKey), HistoryError> {
        let at_first = |why: String| HistoryError::Line { line: 0, why };
        let read = Read::new(line).map_err(at_first)?;
        let key = read.key;
        if key.id() != trusted {
            return Err(HistoryError::Root { expected: trusted, found: key.id() });
        }
        read.signed_by(&key).map_err(at_first)?;
        let entry = read.entry;
        let first = entry.event == KeyEvent::Introduced
            && entry.key_id == key.id()
            && entry.prev == Hash::ZERO
            && entry.sequence == 0
            && entry.compromised_since.is_none()
            && read.proof == Some(read.signature);
        if first { Ok((entry, key)) } else { Err(at_first("it does not introduce the first key".to_owned())) }
    }

    /// Takes one more line, or says why not and stays as it was.
    fn extend(&mut self, line: &[u8]) -> Result<(), String> {
        let read = Read::new(line)?;
        let Some(current) = self.periods.last().copied() else {
            return Err("it has no first key".to_owned());
        };
        if read.entry.key_id != current.key.id() {
            return Err(format!(
                "expected the signature of the key in force {}, found that of {}",
                current.key.id(),
                read.entry.key_id
            ));
        }
        read.signed_by(&current.key)?;
        let entry = &read.entry;
        let same = |what: &str, fits: bool| {
            if fits { Ok(()) } else { Err(format!("`{what}` does not continue the history")) }
        };
        same("sequence", entry.sequence == self.lines.len() as u64)?;
        same("prev", entry.prev == self.head())?;
        same("origin", entry.origin == self.origin)?;
        same("role", entry.role == self.role)?;
        same("at", entry.at >= self.last_at)?;
        // The keys themselves: hashing each one anew would cost a reader a square of the lines that a stranger wrote.
        let known = self.periods.iter().position(|period| period.key == read.key);
        match (entry.event, known) {
            (KeyEvent::Introduced, _) => return Err("only the first line introduces a key".to_owned()),
            (KeyEvent::Rotated, Some(_)) => {
                return Err(format!("the key {} was in force before; a new one is needed", read.key.id()));
            }
            (KeyEvent::Rotated, None) => {
                let proof = read.proof.ok_or("the new key did not sign too")?;
                read.key
                    .verify(&read.message, &proof)
                    .map_err(|_| "the new key's own signature does not hold".to_owned())?;
                if entry.compromised_since.is_some() {
                    return Err("only a revocation says since when a key was known to others".to_owned());
                }
                if let Some(last) = self.periods.last_mut() {
                    last.until = Some(entry.at);
                }
                self.periods.push(Period { key: read.key, from: entry.at, until: None, revoked: None });
            }
            (KeyEvent::Revoked, None) => {
                return Err(format!("the key {} does not stand in it", read.key.id()));
            }
            (KeyEvent::Revoked, Some(position)) => {
                if read.proof.is_some() {
                    return Err("a revocation has no `proof`".to_owned());
                }
                if read.key.id() == current.key.id() {
                    return Err("the key in force cannot revoke itself: rotate first".to_owned());
                }
                let line_hash = sha256(line);
                match self.periods.get_mut(position) {
                    Some(period) if period.revoked.is_none() => {
                        period.revoked = Some((entry.at, entry.compromised_since, line_hash));
                    }
                    _ => return Err(format!("the key {} is revoked already", read.key.id())),
                }
            }
        }
        self.last_at = entry.at;
        self.lines.push(line.to_vec());
        Ok(())
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn origin(&self) -> &Name {
        &self.origin
    }

    /// What they sign.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        self.role
    }

    /// The key in force now.
    #[must_use]
    pub fn current(&self) -> Option<PublicKey> {
        self.periods.last().map(|period| period.key)
    }

    /// Whether a line introduced the key `id`.
    #[must_use]
    pub fn knows(&self, id: &KeyId) -> bool {
        self.periods.iter().any(|period| period.key.id() == *id)
    }

    /// Whether its keys sign runs of `origin`.
    #[must_use]
    pub fn is_of_runs(&self, origin: &Name) -> bool {
        self.role == KeyRole::Run && self.origin == *origin
    }

    /// Why a key of this history signs no runs of `origin`: a key has one role, and one deployment. `None` where it may.
    #[must_use]
    pub fn refuses_runs(&self, origin: &Name) -> Option<String> {
        (!self.is_of_runs(origin)).then(|| {
            format!(
                "is a key of `{}` for the role `{}`, says its history, and signs no runs of `{origin}`",
                self.origin, self.role
            )
        })
    }

    /// How the key `id` stood at `at`, as far as is known now.
    #[must_use]
    pub fn standing(&self, id: &KeyId, at: Timestamp) -> Standing {
        let Some(period) = self.periods.iter().find(|period| period.key.id() == *id) else {
            return Standing::Unknown;
        };
        if at < period.from {
            return Standing::NotYet { from: period.from };
        }
        // A time when two keys meet belongs to both: a clock may not tell them apart.
        if let Some(until) = period.until.filter(|&until| at > until) {
            return Standing::RotatedOut { at: until };
        }
        match period.revoked {
            None => Standing::InForce(period.key),
            Some((at, compromised_since, line)) => {
                Standing::Revoked { key: period.key, at, compromised_since, line }
            }
        }
    }

    /// SHA-256 of the last line: what the next names as `prev`, and what a log's leaf commits to.
    #[must_use]
    pub fn head(&self) -> Hash {
        self.lines.last().map_or(Hash::ZERO, |line| sha256(line))
    }

    /// The lines, each without its line feed.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    /// What each line says, in order.
    ///
    /// # Errors
    /// None in practice: the lines were read before.
    pub fn entries(&self) -> Result<Vec<KeyEntry>, HistoryError> {
        let entry = |(number, line): (usize, &Vec<u8>)| {
            Read::new(line)
                .map(|read| read.entry)
                .map_err(|why| HistoryError::Line { line: number as u64, why })
        };
        self.lines.iter().enumerate().map(entry).collect()
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
    }
}

/// A line, read but not yet believed.
struct Read {
    entry: KeyEntry,
    key: PublicKey,
    message: Vec<u8>,
    proof: Option<[u8; 64]>,
    signature: [u8; 64],
}

impl Read {
    fn new(line: &[u8]) -> Result<Self, String> {
        let value = jcs::from_slice(line).map_err(|e| e.to_string())?;
        let envelope: Envelope = serde_json::from_value(value).map_err(|e| e.to_string())?;
        match jcs::to_vec(&envelope) {
            Ok(again) if again == line => {}
            _ => return Err("it reads back otherwise".to_owned()),
        }
        let message = jcs::to_vec(&envelope.entry).map_err(|e| e.to_string())?;
        let entry: KeyEntry = read_object(&message).map_err(|e| e.to_string())?;
        let octets = super::decode::<32>(&entry.public_key)
            .map_err(|_| "`publicKey` is not 32 octets of base64url without padding".to_owned())?;
        let key = PublicKey::from_bytes(octets).map_err(|e| e.to_string())?;
        let signature = |text: &str| read_signature(text).map_err(|e| e.to_string());
        Ok(Self {
            entry,
            key,
            message,
            proof: envelope.proof.as_deref().map(signature).transpose()?,
            signature: signature(&envelope.signature)?,
        })
    }

    fn signed_by(&self, key: &PublicKey) -> Result<(), String> {
        key.verify(&self.message, &self.signature).map_err(|e: SignatureError| e.to_string())
    }
}

fn usable(signer: &dyn Signer) -> Result<PublicKey, HistoryError> {
    PublicKey::from_bytes(signer.public_key()).map_err(|e| HistoryError::Refused(e.to_string()))
}

fn encode(key: &PublicKey) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    Base64UrlUnpadded::encode_string(&key.to_bytes())
}

fn write(entry: &KeyEntry, signer: &dyn Signer, proof: Option<&dyn Signer>) -> Result<Vec<u8>, HistoryError> {
    let message = with_domain(entry)?;
    let signature = write_signature(&sign_checked(&message, signer)?);
    let proof = match entry.event {
        // One signature does for both: the key vouches for itself.
        KeyEvent::Introduced => Some(signature.clone()),
        KeyEvent::Rotated | KeyEvent::Revoked => {
            proof.map(|new| sign_checked(&message, new)).transpose()?.as_ref().map(write_signature)
        }
    };
    let entry = jcs::from_slice(&message).map_err(|_| SignError::Shape)?;
    let envelope = Envelope { entry, proof, signature };
    jcs::to_vec(&envelope).map_err(|e| HistoryError::Sign(SignError::Canonical(e)))
}
