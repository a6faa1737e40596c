//! Keys: the signing key, the master key, a data subject's key, and what a run derives from its one secret.
//!
//! Secrets are wiped when dropped, never printed and never serialised. Which key was in force when: [`history`].

mod file;
pub mod history;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
mod subject;

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{self, NONCE_BYTES};
use crate::hash::Hash;
use crate::jcs;
use crate::name::Name;
use crate::random::{Random, RandomError};
use crate::record::RunId;
use crate::sign::{KeyId, SignError};

pub use crate::crypto::Secret;
pub(crate) use file::sync_parent;
pub use file::{KeyFileError, MasterKeyFile};
pub use subject::{
    FileSubjectKeys, MemorySubjectKeys, Person, SubjectIndexKey, SubjectKeyError, SubjectKeys,
};

/// Signs raw octets. Trusted: its identity stands in a run's first record.
pub trait Signer: Send + Sync {
    /// The SHA-256 of the raw public key.
    fn key_id(&self) -> KeyId;

    /// The raw public key.
    fn public_key(&self) -> [u8; 32];

    /// An Ed25519 signature over exactly `message`: no prehash, no context.
    ///
    /// # Errors
    /// When the key cannot be used; then whatever was to be signed does not happen.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;

    /// What the first record says about it, for instance `file` or the name of a device.
    fn identity(&self) -> Name;

    /// Whether each signature is verified before it is relied upon: a device, a service or somebody else's code may fail
    /// without saying so. Only a key in this process's own memory, used by this crate itself, need not be.
    fn to_be_checked(&self) -> bool {
        true
    }
}

/// A signing key in memory, read from a file that only its owner may read.
pub struct FileSigner {
    key: ed25519_dalek::SigningKey,
    id: KeyId,
    identity: Name,
}

impl FileSigner {
    fn from_secret(secret: &Secret, identity: Name) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        let id = crate::hash::sha256(key.verifying_key().as_bytes());
        Self { key, id, identity }
    }

    /// A new key that is nowhere on disk: for tests and for processes that hand the public key on.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn ephemeral(identity: Name, random: &mut dyn Random) -> Result<Self, RandomError> {
        Ok(Self::from_secret(&fresh(random)?, identity))
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSigner({})", self.id)
    }
}

impl Signer for FileSigner {
    fn key_id(&self) -> KeyId {
        self.id
    }

    fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.key.try_sign(message).map(|s| s.to_bytes()).map_err(|e| SignError::Signer(e.to_string()))
    }

    fn identity(&self) -> Name {
        self.identity.clone()
    }

    fn to_be_checked(&self) -> bool {
        false
    }
}

fn fresh(random: &mut dyn Random) -> Result<Secret, RandomError> {
    let mut secret = Zeroizing::new([0u8; 32]);
    random.fill(secret.as_mut_slice())?;
    Ok(secret)
}

/// Wraps the secrets of runs. Whoever holds it can read all content that is not erased.
pub struct MasterKey(Secret);

impl MasterKey {
    /// A new key that is nowhere on disk.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn ephemeral(random: &mut dyn Random) -> Result<Self, RandomError> {
        fresh(random).map(Self)
    }

    /// Its public name.
    #[must_use]
    pub fn id(&self) -> Hash {
        Hash(crypto::hmac(&self.0, &[b"fuze/master-key-id/v1"]))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// A data subject's key: with it gone, what it protected cannot be read by anyone.
pub struct SubjectKey(Secret);

impl SubjectKey {
    /// From 32 secret random octets: for stores of subject keys.
    #[must_use]
    pub const fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey")
    }
}

/// The keys of one run, all derived from one random secret by HMAC with labels.
pub struct RunKeys {
    run_id: RunId,
    secret: Secret,
    kek: Secret,
    redaction: Secret,
    exec: Secret,
    snapshot: Secret,
    subject: Option<Name>,
}

impl fmt::Debug for RunKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunKeys({})", self.run_id)
    }
}

/// A run's secret under the master key: the first line of `keys.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrappedRunKeys {
    kind: RunKind,
    master_key_id: Hash,
    nonce: String,
    run_id: RunId,
    v: u64,
    wrapped: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RunKind {
    Run,
}

impl WrappedRunKeys {
    /// The master key that opens it.
    #[must_use]
    pub const fn master_key_id(&self) -> Hash {
        self.master_key_id
    }

    /// The run.
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        self.run_id
    }

    /// The canonical line, without its line feed.
    ///
    /// # Errors
    /// None in practice; the canonical writer's own.
    pub fn to_line(&self) -> Result<Vec<u8>, jcs::Error> {
        jcs::to_vec(self)
    }

    /// Reads the canonical line.
    ///
    /// # Errors
    /// When it is not canonical or not this object.
    pub fn from_line(line: &[u8]) -> Result<Self, KeyError> {
        let value = jcs::from_slice(line).map_err(|_| KeyError::Malformed)?;
        let read: Self = serde_json::from_value(value).map_err(|_| KeyError::Malformed)?;
        match jcs::to_vec(&read) {
            Ok(again) if again == line && read.v == crate::FORMAT_VERSION => Ok(read),
            _ => Err(KeyError::Malformed),
        }
    }
}

/// Why keys were not made, wrapped or unwrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The source of randomness failed.
    Random(RandomError),
    /// A wrapped key that is not in its form.
    Malformed,
    /// Wrapped under another master key.
    OtherMaster {
        /// The one it names.
        needed: Hash,
    },
    /// It does not open: changed, or of another run.
    Refused,
    /// The run has a data subject and its key was not given, or the other way round.
    Subject,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => error.fmt(f),
            Self::Malformed => f.write_str("a wrapped key is not in its form"),
            Self::OtherMaster { needed } => {
                write!(f, "the run's keys are wrapped under the master key {needed}")
            }
            Self::Refused => {
                f.write_str("a wrapped key does not open: it was changed or belongs to another run")
            }
            Self::Subject => {
                f.write_str("the data subject's key is missing, or one was given and there is no subject")
            }
        }
    }
}

impl std::error::Error for KeyError {}

impl From<RandomError> for KeyError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl RunKeys {
    /// New keys for a run; `subject` is the run's alias for its data subject, with that subject's key.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(
        run_id: RunId,
        subject: Option<(Name, &SubjectKey)>,
        random: &mut dyn Random,
    ) -> Result<Self, KeyError> {
        Ok(Self::derive(run_id, fresh(random)?, subject))
    }

    fn derive(run_id: RunId, secret: Secret, subject: Option<(Name, &SubjectKey)>) -> Self {
        let label = |label: &[u8]| Zeroizing::new(crypto::hmac(&secret, &[label]));
        let run_key = label(b"fuze/run-key/v1");
        // With a data subject these three need the subject's key too: without it nothing of the person can be read or guessed.
        let personal = |label: &[u8]| {
            Zeroizing::new(match &subject {
                None => crypto::hmac(&run_key, &[label, &[0]]),
                Some((_, key)) => crypto::hmac(&run_key, &[label, &[1], key.0.as_slice()]),
            })
        };
        Self {
            run_id,
            kek: personal(b"fuze/content-kek/v1"),
            redaction: personal(b"fuze/redaction-key/v1"),
            exec: label(b"fuze/exec-secret/v1"),
            snapshot: personal(b"fuze/snapshot-key/v1"),
            subject: subject.map(|(alias, _)| alias),
            secret,
        }
    }

    /// Wraps them for storage.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn wrap(&self, master: &MasterKey, random: &mut dyn Random) -> Result<WrappedRunKeys, KeyError> {
        let mut nonce = [0u8; NONCE_BYTES];
        random.fill(&mut nonce)?;
        let master_key_id = master.id();
        let wrapped = crypto::seal(
            &master.0,
            &nonce,
            &wrap_aad(self.run_id, master_key_id)?,
            Zeroizing::new(self.secret.to_vec()),
        )
        .map_err(|_| KeyError::Refused)?;
        Ok(WrappedRunKeys {
            kind: RunKind::Run,
            master_key_id,
            nonce: Base64UrlUnpadded::encode_string(&nonce),
            run_id: self.run_id,
            v: crate::FORMAT_VERSION,
            wrapped: Base64UrlUnpadded::encode_string(&wrapped),
        })
    }

    /// The reverse of [`RunKeys::wrap`].
    ///
    /// # Errors
    /// When the master key is another one, or the wrapped keys were changed.
    pub fn unwrap(
        wrapped: &WrappedRunKeys,
        master: &MasterKey,
        subject: Option<(Name, &SubjectKey)>,
    ) -> Result<Self, KeyError> {
        if master.id() != wrapped.master_key_id {
            return Err(KeyError::OtherMaster { needed: wrapped.master_key_id });
        }
        let nonce = decode::<NONCE_BYTES>(&wrapped.nonce)?;
        let cipher = decode::<48>(&wrapped.wrapped)?;
        let plain =
            crypto::open(&master.0, &nonce, &wrap_aad(wrapped.run_id, wrapped.master_key_id)?, &cipher)
                .map_err(|_| KeyError::Refused)?;
        let mut secret = Zeroizing::new([0u8; 32]);
        if plain.len() != secret.len() {
            return Err(KeyError::Malformed);
        }
        secret.copy_from_slice(&plain);
        Ok(Self::derive(wrapped.run_id, secret, subject))
    }

    /// The run.
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        self.run_id
    }

    /// The alias of the data subject whose key is needed too.
    #[must_use]
    pub const fn subject(&self) -> Option<&Name> {
        self.subject.as_ref()
    }

    /// HMAC-SHA256 under the run's exec secret; `exec_id` is that of the canonical `[stepId, callIndex, parentExecId, ordinal]`.
    #[must_use]
    pub fn exec_id(&self, message: &[u8]) -> Hash {
        Hash(crypto::hmac(&self.exec, &[message]))
    }

    pub(crate) const fn kek(&self) -> &Secret {
        &self.kek
    }

    pub(crate) const fn redaction(&self) -> &Secret {
        &self.redaction
    }

    pub(crate) const fn snapshot(&self) -> &Secret {
        &self.snapshot
    }
}

fn wrap_aad(run_id: RunId, master_key_id: Hash) -> Result<Vec<u8>, KeyError> {
    jcs::to_vec(&("fuze/run-secret/v1", run_id, master_key_id)).map_err(|_| KeyError::Malformed)
}

/// Exactly `N` octets of base64url without padding, unused bits zero.
pub(crate) fn decode<const N: usize>(text: &str) -> Result<[u8; N], KeyError> {
    let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| KeyError::Malformed)?;
    if Base64UrlUnpadded::encode_string(&bytes) != text {
        return Err(KeyError::Malformed);
    }
    bytes.try_into().map_err(|_| KeyError::Malformed)
}
