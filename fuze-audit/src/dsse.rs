//! DSSE envelopes (protocol v1.0.2) with one Ed25519 signature, in the one canonical spelling. Knows nothing of the payload.
//!
//! What is signed begins with `DSSEv1 `, so it can never be a signed object of `fuze-evidence`, which begins with `{`.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use fuze_evidence::jcs;
use fuze_evidence::keys::Signer;
use fuze_evidence::sign::{KeyId, PublicKey, SignError};
use serde::{Deserialize, Serialize};

/// What the payload of a manifest is.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    payload: String,
    payload_type: String,
    signatures: [WireSignature; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: KeyId,
    sig: String,
}

/// An envelope that was read strictly; its signature is not verified yet.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) payload: Vec<u8>,
    pub(crate) key_id: KeyId,
    signature: [u8; 64],
}

/// Why octets are no envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAnEnvelope;

impl fmt::Display for NotAnEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a canonical DSSE envelope of `{IN_TOTO}` with one signature")
    }
}

/// The pre-authentication encoding: what is signed.
fn encode(payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {IN_TOTO} {} ", IN_TOTO.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs `payload` and writes the envelope.
pub(crate) fn seal(payload: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let message = encode(payload);
    let signature = signer.sign(&message)?;
    let key = PublicKey::from_bytes(signer.public_key()).map_err(|_| SignError::Wrong)?;
    if key.id() != signer.key_id() || key.verify(&message, &signature).is_err() {
        return Err(SignError::Wrong);
    }
    let wire = Wire {
        payload: Base64::encode_string(payload),
        payload_type: IN_TOTO.to_owned(),
        signatures: [WireSignature { keyid: key.id(), sig: Base64::encode_string(&signature) }],
    };
    jcs::to_vec(&wire).map_err(SignError::Canonical)
}

impl Envelope {
    pub(crate) fn read(octets: &[u8]) -> Result<Self, NotAnEnvelope> {
        let value = jcs::from_slice(octets).map_err(|_| NotAnEnvelope)?;
        let wire: Wire = serde_json::from_value(value).map_err(|_| NotAnEnvelope)?;
        if wire.payload_type != IN_TOTO || jcs::to_vec(&wire).as_deref() != Ok(octets) {
            return Err(NotAnEnvelope);
        }
        let [signature] = &wire.signatures;
        let signature_octets = decode(&signature.sig)?;
        Ok(Self {
            payload: decode(&wire.payload)?,
            key_id: signature.keyid,
            signature: signature_octets.try_into().map_err(|_| NotAnEnvelope)?,
        })
    }

    /// Whether `key` signed it.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.id() == self.key_id && key.verify(&encode(&self.payload), &self.signature).is_ok()
    }
}

/// Standard base64 with padding; encoding again refuses unused bits that are not zero.
fn decode(text: &str) -> Result<Vec<u8>, NotAnEnvelope> {
    let octets = Base64::decode_vec(text).map_err(|_| NotAnEnvelope)?;
    if Base64::encode_string(&octets) == text { Ok(octets) } else { Err(NotAnEnvelope) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_one_of_the_protocol() {
        assert_eq!(encode(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    }
}
