//! Decisions of people: what a token asked, what was decided, and what both commit to, as far as it is disclosed.
//!
//! The chain holds the hashes of token and decision, so that both are the ones that counted even where the overseer's key is
//! not known to whoever verifies; and what the records say is held against what was signed.

mod recorded;

use std::collections::BTreeMap;
use std::fmt;

use crate::disclose;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use fuze_evidence::content::{Opening, Salt};
use fuze_evidence::sign::{KeyId, PublicKey, read_signature};
use fuze_evidence::{Hash, jcs, sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const TOKEN: (&str, &str) = ("fz1", "fuze/resume/v1");
const DECISION: (&str, &str) = ("fzd1", "fuze/decision/v1");
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// A member `oversight/<n>.json`: a decision, the token that it answers, and what of both is disclosed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OversightMember {
    /// The case as it was shown: content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Value>,
    /// `fzd1.….…`
    pub decision: String,
    /// What opens the decision's commitments: content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Openings>,
    /// `fz1.….…`
    pub token: String,
}

/// What opens a decision's commitments.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Openings {
    /// Opens `modifiedArgsHash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_args: Option<Opened>,
    /// Opens `outcomeHash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Opened>,
    /// Opens `rationaleHash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<Opened>,
}

/// A value's canonical text and the salt of the commitment to it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The canonical JSON.
    pub json: String,
    /// 32 octets.
    pub salt: Salt,
}

// Content: `{:?}` prints none of it.
impl fmt::Debug for OversightMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OversightMember({})", sha256(self.decision.as_bytes()))
    }
}

impl fmt::Debug for Openings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Openings")
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

pub(crate) use recorded::Recorded;

/// How far a decision was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) decision: Hash,
    /// Whether the overseer's own signature was verified: only with the overseer's key.
    pub(crate) signature_verified: bool,
}

impl OversightMember {
    /// The member's octets: canonical, without a line feed.
    ///
    /// # Errors
    /// When the case has no canonical form.
    pub(crate) fn write(&self) -> Result<Vec<u8>, jcs::Error> {
        jcs::to_vec(self)
    }

    /// Reads a member's octets strictly: canonical, every member, no other.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_value(jcs::from_slice(octets).ok()?).ok()?;
        (jcs::to_vec(&read).ok()? == octets).then_some(read)
    }

    /// Checks it against the chain: `recorded` are its decisions, `overseers` the keys that the verifier was given.
    pub(crate) fn check(
        &self,
        run_key: &PublicKey,
        recorded: &Recorded,
        overseers: &BTreeMap<KeyId, PublicKey>,
    ) -> Result<Checked, String> {
        let token = Signed::read(&self.token, TOKEN)?;
        if !token.is_signed_by(run_key) {
            return Err("the token is not signed by the run's key".to_owned());
        }
        let decision = Signed::read(&self.decision, DECISION)?;
        if decision.hash_at("tokenHash")? != token.hash {
            return Err("the decision answers another token".to_owned());
        }
        recorded.check(&token, &decision)?;
        let overseer = overseers.get(&decision.hash_at("keyId")?);
        if overseer.is_some_and(|key| !decision.is_signed_by(key)) {
            return Err("the decision is not signed by the overseer's key".to_owned());
        }
        self.check_case(&token, &decision)?;
        let none = Openings::default();
        let opened = self.opened.as_ref().unwrap_or(&none);
        for (what, opened) in [
            ("rationaleHash", &opened.rationale),
            ("modifiedArgsHash", &opened.modified_args),
            ("outcomeHash", &opened.outcome),
        ] {
            let Some(opened) = opened else { continue };
            jcs::from_slice(opened.json.as_bytes())
                .map_err(|_| format!("what opens `{what}` is not canonical"))?;
            if commitment(opened.salt, opened.json.clone())? != decision.hash_at(what)? {
                return Err(format!("what is disclosed does not open `{what}`"));
            }
        }
        Ok(Checked { decision: decision.hash, signature_verified: overseer.is_some() })
    }

    fn check_case(&self, token: &Signed, decision: &Signed) -> Result<(), String> {
        let Some(case) = &self.case else { return Ok(()) };
        let salt = case.get("salt").cloned().unwrap_or_default();
        let salt = serde_json::from_value(salt).map_err(|_| "the case has no salt".to_owned())?;
        let shown = jcs::to_vec(&(&self.token, case)).map_err(|e| e.to_string())?;
        let shown = String::from_utf8(shown).map_err(|e| e.to_string())?;
        if commitment(salt, shown)? != decision.hash_at("caseHash")? {
            return Err("the case is not the one that was decided".to_owned());
        }
        // What was shown of the recorded arguments is what the token is about.
        let Some(recorded) = case.get("recorded") else { return Ok(()) };
        let opened = |member: &str| recorded.get(member).cloned().unwrap_or_default();
        let content = serde_json::json!({"leaves": opened("leaves"), "root": opened("root"), "v": 1});
        let octets = jcs::to_vec(&content).map_err(|e| e.to_string())?;
        disclose::read(&octets, token.hash_at("argsHash")?)
            .map(drop)
            .map_err(|error| format!("what the case shows of the recorded arguments: {error}"))
    }
}

/// Section 11's commitment: the leaf hash of a text at the path `""`.
fn commitment(salt: Salt, text: String) -> Result<Hash, String> {
    Opening { path: String::new(), value: Value::String(text), salt }.leaf_hash().map_err(|e| e.to_string())
}

/// `<prefix>.<octets>.<signature>`, read strictly.
struct Signed {
    octets: Vec<u8>,
    members: Value,
    hash: Hash,
    signature: [u8; 64],
}

impl Signed {
    fn read(text: &str, (prefix, domain): (&str, &str)) -> Result<Self, String> {
        let wrong =
            || format!("expected `{prefix}.<octets>.<signature>` over a canonical object of `{domain}`");
        let mut parts = text.split('.');
        let (Some(head), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let octets = Base64UrlUnpadded::decode_vec(body).map_err(|_| wrong())?;
        let canonical = Base64UrlUnpadded::encode_string(&octets) == body;
        let members = jcs::from_slice(&octets).map_err(|_| wrong())?;
        let known = members.get("domain").and_then(Value::as_str) == Some(domain);
        if head != prefix || !canonical || !known || text.len() > MAX_TEXT_BYTES {
            return Err(wrong());
        }
        let signature = read_signature(signature).map_err(|_| wrong())?;
        Ok(Self { hash: sha256(&octets), octets, members, signature })
    }

    fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.hash_at("keyId") == Ok(key.id()) && key.verify(&self.octets, &self.signature).is_ok()
    }

    fn hash_at(&self, member: &str) -> Result<Hash, String> {
        let text = self.members.get(member).and_then(Value::as_str);
        text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("`{member}` is missing"))
    }
}
