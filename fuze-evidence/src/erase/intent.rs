//! What an erasure over files was about to do, made durable before the first file is touched. Signed, so that nobody who can
//! write a file makes a recovery say that something was erased by order. Holds nothing of what goes: no pointer, no value.

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Replacement};
use super::{EraseError, Registrar};
use crate::annex::{Erased, Erasure, ErasureReason};
use crate::hash::Hash;
use crate::jcs;
use crate::name::Name;
use crate::record::RunId;
use crate::sign::{
    KeyId, SignError, SignedObject, read_object, read_signature, sign_object, write_signature,
};
use crate::time::Timestamp;

/// An order and its plan.
pub(super) struct Intent {
    /// The key that signs it.
    pub(super) signer: KeyId,
    pub(super) at: Timestamp,
    pub(super) by: Name,
    pub(super) run_id: RunId,
    pub(super) tenant: Name,
    pub(super) plan: Plan,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    at: Timestamp,
    by: Name,
    erasures: Vec<WireErasure>,
    origin: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replace: Option<WireReplacement>,
    run_id: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Name>,
    tenant: Name,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireErasure {
    reason: ErasureReason,
    what: WireErased,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WireErased {
    Field { root: Hash, leaves: Vec<Hash> },
    Record { root: Hash },
    Run {},
    Subject {},
    Directory { close_root: Hash },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireReplacement {
    content: String,
    keys: String,
    root: Hash,
}

impl SignedObject for Wire {
    const DOMAIN: &'static str = "fuze/erasure-intent/v1";
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    intent: String,
    signature: String,
}

impl Intent {
    pub(super) fn write(&self, registrar: &Registrar) -> Result<Vec<u8>, EraseError> {
        let erasures = self.plan.erasures.iter().map(|erasure| WireErasure {
            reason: erasure.reason,
            what: match &erasure.what {
                Erased::Field { root, leaves } => WireErased::Field { root: *root, leaves: leaves.clone() },
                Erased::Record { root } => WireErased::Record { root: *root },
                Erased::Run => WireErased::Run {},
                Erased::Subject => WireErased::Subject {},
                Erased::Directory { close_root } => WireErased::Directory { close_root: *close_root },
            },
        });
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        let wire = Wire {
            at: self.at,
            by: self.by.clone(),
            erasures: erasures.collect(),
            origin: registrar.origin().clone(),
            replace: self.plan.replace.as_ref().map(|replace| WireReplacement {
                content: text(&replace.content),
                keys: text(&replace.keys),
                root: replace.root,
            }),
            run_id: self.run_id,
            subject: self.plan.subject.clone(),
            tenant: self.tenant.clone(),
        };
        let signed = sign_object(&wire, registrar.signer()).map_err(EraseError::Sign)?;
        let intent = text(&signed.bytes);
        jcs::to_vec(&Envelope { intent, signature: write_signature(&signed.signature) })
            .map_err(|e| EraseError::Sign(SignError::Canonical(e)))
    }

    /// Reads an intent that one of the registrar's keys signed.
    pub(super) fn read(bytes: &[u8], registrar: &Registrar) -> Result<Self, String> {
        let value = jcs::from_slice(bytes).map_err(|e| e.to_string())?;
        let envelope: Envelope = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let signature = read_signature(&envelope.signature).map_err(|e| e.to_string())?;
        let octets = envelope.intent.as_bytes();
        let wire: Wire = read_object(octets).map_err(|e| e.to_string())?;
        let signer = registrar
            .who_signed(octets, &signature, wire.at)
            .ok_or("it is not signed by a key of this deployment")?;
        if wire.origin != *registrar.origin() {
            return Err(format!("it is of the deployment `{}`", wire.origin));
        }
        let erasures = wire.erasures.into_iter().map(|erasure| Erasure {
            run_id: wire.run_id,
            reason: erasure.reason,
            what: match erasure.what {
                WireErased::Field { root, leaves } => Erased::Field { root, leaves },
                WireErased::Record { root } => Erased::Record { root },
                WireErased::Run {} => Erased::Run,
                WireErased::Subject {} => Erased::Subject,
                WireErased::Directory { close_root } => Erased::Directory { close_root },
            },
        });
        let plan = Plan {
            erasures: erasures.collect(),
            replace: wire.replace.map(|replace| Replacement {
                root: replace.root,
                content: replace.content.into_bytes(),
                keys: replace.keys.into_bytes(),
            }),
            subject: wire.subject,
        };
        Ok(Self { signer, at: wire.at, by: wire.by, run_id: wire.run_id, tenant: wire.tenant, plan })
    }
}
