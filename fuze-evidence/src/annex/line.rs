//! A line of the annex: an entry and the signature over its canonical octets. Read strictly, written one way.

use serde::{Deserialize, Serialize};

use super::entry::{AnnexEntry, Wire};
use crate::jcs;
use crate::keys::Signer;
use crate::sign::{PublicKey, SignError, SignatureError, read_signature, sign_checked, write_signature};

/// The longest line, without its line feed.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024 * 1024 - 1;

/// A line in its form, whose signature nobody has verified.
pub(super) struct Line {
    entry: AnnexEntry,
    message: Vec<u8>,
    signature: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    entry: Wire,
    signature: String,
}

impl Line {
    pub(super) fn sign(entry: AnnexEntry, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let entry = Wire::from(entry);
        let message = jcs::to_vec(&entry).map_err(SignError::Canonical)?;
        let signature = write_signature(&sign_checked(&message, signer)?);
        jcs::to_vec(&Envelope { entry, signature }).map_err(SignError::Canonical)
    }

    pub(super) fn read(line: &[u8]) -> Result<Self, SignatureError> {
        let members = |why: &str| SignatureError::Members(why.to_owned());
        let value = jcs::from_slice(line).map_err(SignatureError::Canonical)?;
        let Envelope { entry, signature } =
            serde_json::from_value(value).map_err(|e| SignatureError::Members(e.to_string()))?;
        let entry = entry.into_entry().ok_or_else(|| members("they do not fit to its kind and scope"))?;
        entry.check().map_err(members)?;
        let wire = Wire::from(entry.clone());
        let message = jcs::to_vec(&wire).map_err(|e| members(&e.to_string()))?;
        let signature_octets = read_signature(&signature)?;
        match jcs::to_vec(&Envelope { entry: wire, signature }) {
            Ok(again) if again == line => Ok(Self { entry, message, signature: signature_octets }),
            _ => Err(members("it reads back otherwise")),
        }
    }

    pub(super) const fn entry(&self) -> &AnnexEntry {
        &self.entry
    }

    /// The entry, whose signature was found to hold in another way.
    pub(super) fn into_entry(self) -> AnnexEntry {
        self.entry
    }

    pub(super) fn verify(self, key: &PublicKey) -> Result<AnnexEntry, SignatureError> {
        key.verify(&self.message, &self.signature)?;
        Ok(self.entry)
    }
}
