//! Signed objects: canonical JSON with a `domain`, Ed25519. The domain is in the message, never in a parameter of the mechanism.
//!
//! A [`SignedRoot`] comes from the recorder that holds the chain, or from strict verification; from nowhere else. Not
//! here: which keys are trusted for what.

use std::fmt;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::keys::Signer;
use crate::name::Name;
use crate::record::RunId;
use crate::time::Timestamp;
use crate::vocab::{RunStatus, Suite, wire_enum};

/// Names a key: the SHA-256 of the raw public key.
pub type KeyId = Hash;

/// A public key that is canonically encoded and not of small order (RFC 8032; nothing else may verify).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// 2^255−19, little endian.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

/// What precedes the raw key in its SubjectPublicKeyInfo (RFC 8410 section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

impl PublicKey {
    /// Checks the raw octets.
    ///
    /// # Errors
    /// When they are no point, not canonical, or of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SignatureError> {
        let mut y = bytes;
        if let Some(top) = y.last_mut() {
            *top &= 0x7f;
        }
        if y.iter().rev().ge(FIELD_PRIME.iter().rev()) {
            return Err(SignatureError::Key);
        }
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| SignatureError::Key)?;
        if key.is_weak() { Err(SignatureError::Key) } else { Ok(Self(key)) }
    }

    /// Reads 64 hexadecimal digits, or a PEM `PUBLIC KEY` (RFC 8410); white space around either is ignored.
    ///
    /// # Errors
    /// When it is neither, or no key that may be relied upon.
    pub fn from_text(text: &str) -> Result<Self, SignatureError> {
        let text = text.trim();
        if let Ok(octets) = text.parse::<Hash>() {
            return Self::from_bytes(octets.0);
        }
        let body = text
            .strip_prefix(PEM_BEGIN)
            .and_then(|rest| rest.strip_suffix(PEM_END))
            .ok_or(SignatureError::KeyText)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = Base64::decode_vec(&body).map_err(|_| SignatureError::KeyText)?;
        let raw = der.strip_prefix(&SPKI_PREFIX).ok_or(SignatureError::KeyText)?;
        Self::from_bytes(raw.try_into().map_err(|_| SignatureError::KeyText)?)
    }

    /// As a PEM `PUBLIC KEY` (SubjectPublicKeyInfo, RFC 8410), for other people's tools.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [SPKI_PREFIX.as_slice(), self.0.as_bytes()].concat();
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", Base64::encode_string(&der))
    }

    /// The raw octets.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        sha256(self.0.as_bytes())
    }

    /// Strict verification: no small order, no malleability, no cofactor.
    ///
    /// # Errors
    /// When the signature is not this key's over exactly this message.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| SignatureError::Signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// Why a signed object is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// A public key that is no canonical point of full order.
    Key,
    /// Neither 64 hexadecimal digits nor a PEM public key.
    KeyText,
    /// The signature does not hold.
    Signature,
    /// Not 64 octets in base64url without padding.
    Encoding,
    /// Not canonical JSON.
    Canonical(jcs::ReadError),
    /// Signed for something else.
    Domain {
        /// What was expected.
        expected: &'static str,
    },
    /// Not the members that this object has.
    Members(String),
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("the public key is no canonical Ed25519 point of full order"),
            Self::KeyText => f.write_str(
                "expected an Ed25519 public key: 64 lowercase hexadecimal digits or a PEM `PUBLIC KEY`",
            ),
            Self::Signature => f.write_str("the signature does not hold for this key and message"),
            Self::Encoding => f.write_str("expected a signature of 64 octets in base64url without padding"),
            Self::Canonical(error) => write!(f, "the signed object is not canonical: {error}"),
            Self::Domain { expected } => write!(f, "the object was not signed for the domain `{expected}`"),
            Self::Members(why) => write!(f, "the signed object has other members than it must: {why}"),
        }
    }
}

impl std::error::Error for SignatureError {}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The signer's own words: a device that is gone, a key that was revoked.
    Signer(String),
    /// The signer answered with a signature that its own public key refuses.
    Wrong,
    /// The object has no canonical form.
    Canonical(jcs::Error),
    /// Not an object, or it has a member `domain` of its own.
    Shape,
    /// A domain that only the framework signs for.
    Reserved {
        /// The domain.
        domain: &'static str,
    },
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signer(why) => write!(f, "the signer failed: {why}"),
            Self::Wrong => f.write_str("the signer gave a signature that its own public key refuses"),
            Self::Canonical(error) => write!(f, "what was to be signed has no canonical form: {error}"),
            Self::Shape => {
                f.write_str("only an object without a member `domain` can be signed; the domain is added")
            }
            Self::Reserved { domain } => write!(f, "the framework alone signs for the domain `{domain}`"),
        }
    }
}

impl std::error::Error for SignError {}

/// An object that is signed under a domain. Its serialised form has no member `domain`; signing adds it.
pub trait SignedObject: Serialize + DeserializeOwned {
    /// Says what a signature over it means, for instance `fuze/decision/v1`. Those beginning `fuze/run-`, `fuze/annex/` and
    /// `fuze/key/` are refused.
    const DOMAIN: &'static str;
}

/// Canonical octets and the signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBytes {
    /// What was signed.
    pub bytes: Vec<u8>,
    /// Ed25519 over `bytes`.
    pub signature: [u8; 64],
}

impl SignedBytes {
    /// The SHA-256 of the signed octets: `tokenHash`, `decision_hash`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.bytes)
    }
}

/// Only this crate's own code signs for these.
const RESERVED_DOMAINS: [&str; 3] = ["fuze/run-", "fuze/annex/", "fuze/key/"];

/// Signs `object` under its domain.
///
/// # Errors
/// When it has no canonical form, its domain is reserved, or the signer fails.
pub fn sign_object<T: SignedObject>(object: &T, signer: &dyn Signer) -> Result<SignedBytes, SignError> {
    if RESERVED_DOMAINS.iter().any(|reserved| T::DOMAIN.starts_with(reserved)) {
        return Err(SignError::Reserved { domain: T::DOMAIN });
    }
    let bytes = with_domain(object)?;
    let signature = sign_checked(&bytes, signer)?;
    Ok(SignedBytes { bytes, signature })
}

/// The octets that [`sign_object`] signs, for a signer elsewhere (an overseer's own device).
///
/// # Errors
/// When the object has no canonical form or brings its own `domain`.
pub fn with_domain<T: SignedObject>(object: &T) -> Result<Vec<u8>, SignError> {
    let plain = jcs::to_vec(object).map_err(SignError::Canonical)?;
    let Ok(Value::Object(mut members)) = jcs::from_slice(&plain) else { return Err(SignError::Shape) };
    if members.insert("domain".to_owned(), Value::from(T::DOMAIN)).is_some() {
        return Err(SignError::Shape);
    }
    jcs::to_vec(&members).map_err(SignError::Canonical)
}

/// Verifies octets and signature, then reads the object.
///
/// # Errors
/// When the signature does not hold, the octets are not canonical, the domain is another or a member is missing, unknown or
/// would be written otherwise.
pub fn verify_object<T: SignedObject>(
    bytes: &[u8],
    signature: &[u8; 64],
    key: &PublicKey,
) -> Result<T, SignatureError> {
    key.verify(bytes, signature)?;
    read_object(bytes)
}

/// Reads a signed object **without** verifying its signature, for instance to learn which key it names.
///
/// # Errors
/// As [`verify_object`], but for the signature.
pub fn read_object<T: SignedObject>(bytes: &[u8]) -> Result<T, SignatureError> {
    let members = jcs::from_slice(bytes).map_err(SignatureError::Canonical)?;
    let Value::Object(mut members) = members else { return Err(SignatureError::Members("no object".into())) };
    if members.remove("domain").as_ref().and_then(Value::as_str) != Some(T::DOMAIN) {
        return Err(SignatureError::Domain { expected: T::DOMAIN });
    }
    let object: T =
        serde_json::from_value(Value::Object(members)).map_err(|e| SignatureError::Members(e.to_string()))?;
    // Writing it again catches what serde lets pass: members it does not know, nulls for absent ones.
    match with_domain(&object) {
        Ok(again) if again == bytes => Ok(object),
        _ => Err(SignatureError::Members("it reads back otherwise".into())),
    }
}

/// Signs and checks the answer, so that a faulty device is found before the signature is relied upon. For messages that are
/// no [`SignedObject`]: whoever calls sees to it that they cannot be taken for one.
///
/// # Errors
/// When the signer fails, or answers with what its own public key refuses.
pub fn sign_checked(message: &[u8], signer: &dyn Signer) -> Result<[u8; 64], SignError> {
    let signature = signer.sign(message)?;
    if !signer.to_be_checked() {
        return Ok(signature);
    }
    let key = PublicKey::from_bytes(signer.public_key()).map_err(|_| SignError::Wrong)?;
    if key.id() != signer.key_id() {
        return Err(SignError::Wrong);
    }
    key.verify(message, &signature).map_err(|_| SignError::Wrong)?;
    Ok(signature)
}

/// Reads a signature's text form.
///
/// # Errors
/// When it is not base64url without padding of 64 octets.
pub fn read_signature(text: &str) -> Result<[u8; 64], SignatureError> {
    let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| SignatureError::Encoding)?;
    // Encoding again refuses unused bits that are not zero.
    if Base64UrlUnpadded::encode_string(&bytes) != text {
        return Err(SignatureError::Encoding);
    }
    bytes.try_into().map_err(|_| SignatureError::Encoding)
}

/// A signature's text form: base64url without padding.
#[must_use]
pub fn write_signature(signature: &[u8; 64]) -> String {
    Base64UrlUnpadded::encode_string(signature)
}

wire_enum! {
    /// What a root says about its run.
    RootDomain {
        /// It was opened:
        Open = "fuze/run-open/v1",
        /// It waits; not closed:
        Suspend = "fuze/run-suspend/v1",
        /// It ended:
        Close = "fuze/run-close/v1",
    }
}

/// What a signed root says. Anyone may build one; only a [`SignedRoot`] counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Root {
    /// When it was signed.
    pub at: Timestamp,
    /// Close only: SHA-256 of the `run.close` payload without its signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_hash: Option<Hash>,
    /// How many records it covers.
    pub count: u64,
    /// Open, suspend or close.
    pub domain: RootDomain,
    /// The hash of the last record that it covers.
    pub head: Hash,
    /// The key that signs.
    pub key_id: KeyId,
    /// Close only: the index of the run's first leaf in a transparency log, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_leaf: Option<u64>,
    /// Close only: when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// The deployment.
    pub origin: Name,
    /// The hash of the signed root before, zeros for the open root.
    pub prev_root: Hash,
    /// The run.
    pub run_id: RunId,
    /// How often the run was resumed before.
    pub segment: u32,
    /// Close only: how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// The suite.
    pub suite: Suite,
    /// The tenant.
    pub tenant: Name,
}

/// A root whose signature holds. Minted by a recorder, or read back with a trusted key; there is no other way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot {
    root: Root,
    signature: [u8; 64],
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    root: Root,
    signature: String,
}

impl SignedRoot {
    pub(crate) fn sign(root: Root, signer: &dyn Signer) -> Result<Self, SignError> {
        let message = jcs::to_vec(&root).map_err(SignError::Canonical)?;
        let signature = sign_checked(&message, signer)?;
        // As `Envelope` is written, around the octets that were signed.
        let mut bytes = Vec::with_capacity(message.len() + 128);
        bytes.extend_from_slice(b"{\"root\":");
        bytes.extend_from_slice(&message);
        bytes.extend_from_slice(b",\"signature\":\"");
        bytes.extend_from_slice(write_signature(&signature).as_bytes());
        bytes.extend_from_slice(b"\"}");
        Ok(Self { root, signature, bytes })
    }

    /// Reads a line of `roots.jsonl`, or the member `signature` of `run.close`, and verifies it with the key that `key`
    /// finds for its `keyId`.
    ///
    /// # Errors
    /// When it is not canonical or its signature does not hold; [`SignatureError::Key`] when there is no such key.
    pub fn read(bytes: &[u8], key: impl FnOnce(&KeyId) -> Option<PublicKey>) -> Result<Self, SignatureError> {
        let envelope = Self::read_unverified(bytes)?;
        let key = key(&envelope.root.key_id).ok_or(SignatureError::Key)?;
        let signature = read_signature(&envelope.signature)?;
        let message = jcs::to_vec(&envelope.root).map_err(|e| SignatureError::Members(e.to_string()))?;
        if key.id() != envelope.root.key_id {
            return Err(SignatureError::Key);
        }
        key.verify(&message, &signature)?;
        Ok(Self { root: envelope.root, signature, bytes: bytes.to_vec() })
    }

    fn read_unverified(bytes: &[u8]) -> Result<Envelope, SignatureError> {
        let value = jcs::from_slice(bytes).map_err(SignatureError::Canonical)?;
        let envelope: Envelope =
            serde_json::from_value(value).map_err(|e| SignatureError::Members(e.to_string()))?;
        let root = &envelope.root;
        let close = root.domain == RootDomain::Close;
        let complete = [root.close_hash.is_some(), root.opened_at.is_some(), root.status.is_some()];
        if complete.iter().any(|&there| there != close) || root.open_leaf.is_some() && !close {
            return Err(SignatureError::Members("a close root has more members than the others".into()));
        }
        match jcs::to_vec(&envelope) {
            Ok(again) if again == bytes => Ok(envelope),
            _ => Err(SignatureError::Members("it reads back otherwise".into())),
        }
    }

    /// What it says.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The canonical octets of the whole, signature included: a line of `roots.jsonl` without its line feed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the next root names as `prevRoot`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.bytes)
    }
}
