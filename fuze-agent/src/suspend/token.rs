//! The resume token: `fz1.<base64url JCS>.<base64url signature>`, one for each slot of a case.
//!
//! It says in one signed object what waits, for whom, under which rules and until when. It is worth nothing by itself: it
//! resumes a run only together with an overseer's signed decision, and its nonce is claimed once.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use fuze_evidence::sign::{
    KeyId, PublicKey, SignError, SignatureError, SignedObject, read_object, read_signature, sign_object,
    verify_object, write_signature,
};
use fuze_evidence::vocab::SuspendReason;
use fuze_evidence::{Hash, Name, RunId, Signer, Timestamp, sha256};
use fuze_policy::Obligation;
use serde::{Deserialize, Serialize};

const PREFIX: &str = "fz1";
/// Longer texts are refused before anything is decoded.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenClaims {
    /// The deployment.
    pub origin: Name,
    /// The run.
    pub run_id: RunId,
    /// Which part of the run, counted from 0: one more at each resume.
    pub segment: u32,
    /// The case: the hash of its random salt, the same for all its slots.
    pub case_id: Hash,
    /// Which slot of the case, counted from 0.
    pub slot: u32,
    /// How many slots.
    pub of: u32,
    /// The call's execution id.
    pub call_id: Hash,
    /// The record before the first `oversight.suspend`.
    pub sequence: u64,
    /// Its hash.
    pub chain_head: Hash,
    /// 32 random bytes, base64url.
    pub nonce: String,
    /// Why a human is needed.
    pub reason: SuspendReason,
    /// The tool.
    pub tool: Name,
    /// The content root of the arguments.
    pub args_hash: Hash,
    /// Who must approve.
    pub obligation: ObligationClaims,
    /// The registry of overseers.
    pub registry_hash: Hash,
    /// The agent's definition.
    pub fingerprint: Hash,
    /// The tenant.
    pub tenant: Name,
    /// Who started the run: may not decide.
    pub principal: Name,
    /// The data subject's alias.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Name>,
    /// The model's snapshot.
    pub model: Name,
    /// GDPR Art. 22.
    pub art22: Name,
    /// The policy in force at the suspension.
    pub bundle_hash: Hash,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When silence becomes a denial.
    pub expires_at: Timestamp,
    /// The key that signs it.
    pub key_id: KeyId,
}

impl SignedObject for TokenClaims {
    const DOMAIN: &'static str = "fuze/resume/v1";
}

/// An [`Obligation`] as it stands in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObligationClaims {
    /// How many distinct persons.
    pub approvers: u8,
    /// Aliases that count; everyone in the registry if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub may_approve: Option<Vec<String>>,
    /// Trainings that each must hold.
    pub trainings: Vec<String>,
}

impl From<&Obligation> for ObligationClaims {
    fn from(o: &Obligation) -> Self {
        Self {
            approvers: o.approvers,
            may_approve: o.may_approve.as_ref().map(|set| set.iter().cloned().collect()),
            trainings: o.trainings.iter().cloned().collect(),
        }
    }
}

/// A token whose form and signature hold. Whether it is this run's, unused and in time is checked against the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    claims: TokenClaims,
    text: String,
    hash: Hash,
}

impl Token {
    /// Signs a token.
    pub(crate) fn issue(claims: TokenClaims, signer: &dyn Signer) -> Result<Self, SignError> {
        let signed = sign_object(&claims, signer)?;
        Ok(Self { claims, text: join(PREFIX, &signed.bytes, &signed.signature), hash: signed.hash() })
    }

    /// Reads a token and verifies its signature by the deployment's public key.
    ///
    /// # Errors
    /// [`TokenError`] with what is wrong.
    pub fn read(text: &str, key: &PublicKey) -> Result<Self, TokenError> {
        let (bytes, signature) = split(text, PREFIX).map_err(|found| TokenError::Form { found })?;
        let unverified: TokenClaims = read_object(&bytes)?;
        if unverified.key_id != key.id() {
            return Err(TokenError::OtherDeployment);
        }
        let claims = verify_object(&bytes, &signature, key)?;
        Ok(Self { claims, text: text.to_owned(), hash: sha256(&bytes) })
    }

    /// What it says.
    #[must_use]
    pub fn claims(&self) -> &TokenClaims {
        &self.claims
    }

    /// SHA-256 of its JCS bytes: how records and decisions name it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The text to hand to an overseer.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// `<prefix>.<base64url of bytes>.<base64url of signature>`.
pub(crate) fn join(prefix: &str, bytes: &[u8], signature: &[u8; 64]) -> String {
    format!("{prefix}.{}.{}", Base64UrlUnpadded::encode_string(bytes), write_signature(signature))
}

/// The reverse of [`join`]; nothing is verified.
pub(crate) fn split(text: &str, prefix: &str) -> Result<(Vec<u8>, [u8; 64]), String> {
    if text.len() > MAX_TOKEN_BYTES {
        return Err(format!("{} bytes; expected at most {MAX_TOKEN_BYTES}", text.len()));
    }
    let mut parts = text.split('.');
    let (Some(head), Some(body), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(format!("{} parts; expected `{prefix}.<body>.<signature>`", text.split('.').count()));
    };
    if head != prefix {
        return Err(format!("does not begin with `{prefix}.`"));
    }
    let bytes = Base64UrlUnpadded::decode_vec(body).map_err(|_| "the body is not base64url".to_owned())?;
    let signature = read_signature(signature).map_err(|error| error.to_string())?;
    Ok((bytes, signature))
}

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// It is not a token: cut off, or changed beyond recognition.
    Form {
        /// What was found.
        found: String,
    },
    /// Another key signed it: another deployment's token.
    OtherDeployment,
    /// The signature does not fit: something in it was changed.
    Signature,
    /// It is of another run.
    OtherRun {
        /// Which.
        found: RunId,
        /// Which this is.
        expected: RunId,
    },
    /// It is of another tenant.
    OtherTenant {
        /// Which.
        found: Name,
    },
    /// The run does not wait for this token: it is of an earlier suspension, or was never issued.
    NotWaiting,
    /// Its time is over.
    Expired {
        /// Since when.
        at: Timestamp,
    },
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { found } => write!(f, "this is not a resume token: {found}; copy it whole"),
            Self::OtherDeployment => {
                f.write_str("another key signed this token: it is of another deployment")
            }
            Self::Signature => f.write_str("the token's signature does not fit: something in it was changed"),
            Self::OtherRun { found, expected } => {
                write!(f, "the token is of the run {found}, expected {expected}")
            }
            Self::OtherTenant { found } => write!(f, "the token is of the tenant `{found}`"),
            Self::NotWaiting => {
                f.write_str("the run does not wait for this token: it is of an earlier suspension")
            }
            Self::Expired { at } => write!(f, "the token expired at {at}: silence counts as a denial"),
        }
    }
}

impl std::error::Error for TokenError {}

impl From<SignatureError> for TokenError {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Signature => Self::Signature,
            other => Self::Form { found: other.to_string() },
        }
    }
}
