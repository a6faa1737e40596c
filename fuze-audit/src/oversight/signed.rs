//! What is signed: tokens, decisions, and the case that a decision commits to (section 11 of the format). Each has exactly its members.

use std::num::NonZeroU8;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_evidence::content::{Disclosure, Salt};
use fuze_evidence::sign::{KeyId, PublicKey, SignedObject, read_object, read_signature};
use fuze_evidence::vocab::{Art22, Custody, OversightAction, SuspendReason};
use fuze_evidence::{Hash, Name, RunId, Timestamp, sha256};
use serde::{Deserialize, Serialize};

const MAX_TEXT_BYTES: usize = 16 * 1024;

/// What is written as `<prefix>.<octets>.<signature>`.
pub(super) trait Text: SignedObject {
    const PREFIX: &'static str;
    fn key_id(&self) -> KeyId;
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Token {
    pub(super) args_hash: Hash,
    pub(super) art22: Art22,
    pub(super) bundle_hash: Hash,
    pub(super) call_id: Hash,
    pub(super) case_id: Hash,
    pub(super) chain_head: Hash,
    pub(super) expires_at: Timestamp,
    pub(super) fingerprint: Hash,
    pub(super) issued_at: Timestamp,
    pub(super) key_id: KeyId,
    pub(super) model: Name,
    pub(super) nonce: Salt,
    pub(super) obligation: Obligation,
    pub(super) of: u32,
    pub(super) origin: Name,
    pub(super) principal: Name,
    pub(super) reason: SuspendReason,
    pub(super) registry_hash: Hash,
    pub(super) run_id: RunId,
    pub(super) segment: u32,
    pub(super) sequence: u64,
    pub(super) slot: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Name>,
    pub(super) tenant: Name,
    pub(super) tool: Name,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Obligation {
    pub(super) approvers: NonZeroU8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) may_approve: Option<Vec<String>>,
    pub(super) trainings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Decision {
    acks: Vec<Ack>,
    pub(super) action: OversightAction,
    pub(super) case_hash: Hash,
    pub(super) custody: Custody,
    pub(super) decided_at: Timestamp,
    pub(super) key_id: KeyId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) modified_args_hash: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome_hash: Option<Hash>,
    pub(super) overseer: Name,
    pub(super) rationale_hash: Hash,
    pub(super) token_hash: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) training: Option<Name>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ack {
    from: Name,
    kind: AckKind,
    to: Name,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AckKind {
    Model,
}

/// What the person was shown.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Case {
    pub(super) agent: Name,
    pub(super) arguments: String,
    classification: String,
    pub(super) purpose: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) question: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<Disclosure>,
    pub(super) salt: Salt,
    template: Template,
    tool_description: String,
}

#[derive(Serialize, Deserialize)]
enum Template {
    #[serde(rename = "fuze/case/v1")]
    V1,
}

impl Case {
    /// The salt as it stands in the case: what `caseId` is a hash of.
    pub(super) fn salt_text(&self) -> String {
        match serde_json::to_value(self.salt) {
            Ok(serde_json::Value::String(text)) => text,
            _ => String::new(),
        }
    }
}

impl SignedObject for Token {
    const DOMAIN: &'static str = "fuze/resume/v1";
}

impl Text for Token {
    const PREFIX: &'static str = "fz1";

    fn key_id(&self) -> KeyId {
        self.key_id
    }
}

impl SignedObject for Decision {
    const DOMAIN: &'static str = "fuze/decision/v1";
}

impl Text for Decision {
    const PREFIX: &'static str = "fzd1";

    fn key_id(&self) -> KeyId {
        self.key_id
    }
}

impl Decision {
    /// Which commitments it has hangs on the action.
    pub(super) fn check(&self) -> Result<(), String> {
        use OversightAction as A;
        if matches!(self.action, A::Withdraw | A::Escalate) {
            return Err(format!("`{}` is reserved: no decision says it", self.action));
        }
        for (what, there, wanted) in [
            ("modifiedArgsHash", self.modified_args_hash.is_some(), self.action == A::Modify),
            ("outcomeHash", self.outcome_hash.is_some(), self.action == A::Done),
        ] {
            if there != wanted {
                let is = if there { "is there" } else { "is missing" };
                return Err(format!("`{what}` {is}, and the action is `{}`", self.action));
            }
        }
        Ok(())
    }
}

/// `<prefix>.<octets>.<signature>`, read strictly.
pub(super) struct Signed<T> {
    pub(super) says: T,
    pub(super) hash: Hash,
    octets: Vec<u8>,
    signature: [u8; 64],
}

impl<T: Text> Signed<T> {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (prefix, domain) = (T::PREFIX, T::DOMAIN);
        let wrong = |why: &dyn std::fmt::Display| {
            format!("expected `{prefix}.<octets>.<signature>` over a canonical object of `{domain}`: {why}")
        };
        if text.len() > MAX_TEXT_BYTES {
            return Err(wrong(&format_args!("it is longer than {MAX_TEXT_BYTES} octets")));
        }
        let mut parts = text.split('.');
        let (Some(head), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong(&"it has not three parts"));
        };
        let octets = Base64UrlUnpadded::decode_vec(body).map_err(|e| wrong(&e))?;
        if head != prefix || Base64UrlUnpadded::encode_string(&octets) != body {
            return Err(wrong(&"another prefix, or base64 in another form than the one"));
        }
        let says = read_object(&octets).map_err(|e| wrong(&e))?;
        let signature = read_signature(signature).map_err(|e| wrong(&e))?;
        Ok(Self { says, hash: sha256(&octets), octets, signature })
    }

    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.says.key_id() == key.id() && key.verify(&self.octets, &self.signature).is_ok()
    }
}
