//! Decisions of people: what a token asked, what was decided, and what both commit to, as far as it is disclosed.
//!
//! The chain holds the hashes of token and decision, so that both are the ones that counted even where the overseer's key is
//! not known to whoever verifies; and what the records say is held against what was signed.

mod held;
mod recorded;
mod signed;

use std::collections::BTreeMap;
use std::fmt;

use fuze_evidence::content::{DisclosedLeaf, Disclosure, Opening, Salt};
use fuze_evidence::sign::{KeyId, PublicKey};
use fuze_evidence::{Hash, jcs, sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::held::{Differs, hold};
use self::signed::{Case, Decision, Signed, Token};
use crate::disclose;

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

/// Reasons that are kept, and characters of each.
const MAX_REASONS: usize = 4000;
const MAX_CHARS: usize = 2000;

/// The reasons of people that a bundle discloses beside their decisions, as far as they are kept for showing them: bounded, however many
/// there are. Each opens what was signed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reasons(BTreeMap<Hash, String>);

impl Reasons {
    pub(crate) fn keep(&mut self, decision: Hash, member: &OversightMember) {
        let rationale = member.opened.as_ref().and_then(|opened| opened.rationale.as_ref());
        if let Some(rationale) = rationale.filter(|_| self.0.len() < MAX_REASONS) {
            // A reason is text; what is none is shown as it stands.
            let said = serde_json::from_str(&rationale.json).unwrap_or_else(|_| rationale.json.clone());
            let shown = match said.char_indices().nth(MAX_CHARS) {
                None => said,
                Some((at, _)) => format!("{} […]", said.get(..at).unwrap_or_default()),
            };
            self.0.insert(decision, shown);
        }
    }

    /// Why somebody decided so, by the hash of the decision. Perhaps shortened.
    #[must_use]
    pub fn of(&self, decision: Hash) -> Option<&str> {
        self.0.get(&decision).map(String::as_str)
    }
}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reasons({})", self.0.len())
    }
}

pub(crate) use recorded::Recorded;
use recorded::Told;

/// What a bundle discloses of the content under a root; `None` where it has no such member.
pub(crate) type Disclosed<'d> = &'d mut dyn FnMut(Hash) -> Option<Disclosure>;

/// How far a decision was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) decision: Hash,
    /// The overseer's key, if their own signature was verified: only with that key.
    pub(crate) verified_by: Option<KeyId>,
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
        disclosed: Disclosed<'_>,
    ) -> Result<Checked, String> {
        let token = Signed::<Token>::read(&self.token)?;
        if !token.is_signed_by(run_key) {
            return Err("the token is not signed by the run's key".to_owned());
        }
        let decision = Signed::<Decision>::read(&self.decision)?;
        decision.says.check()?;
        if decision.says.token_hash != token.hash {
            return Err("the decision answers another token".to_owned());
        }
        if decision.says.key_id == run_key.id() {
            return Err(
                "the decision is signed by the key that signs the run, which is no person's".to_owned()
            );
        }
        let told = recorded.check(&token, &decision)?;
        let overseer = overseers.get(&decision.says.key_id);
        if overseer.is_some_and(|key| !decision.is_signed_by(key)) {
            return Err("the decision is not signed by the overseer's key".to_owned());
        }
        self.check_case(&token.says, &decision.says, &told, disclosed)?;
        self.check_opened(&decision.says, &told, disclosed)?;
        Ok(Checked { decision: decision.hash, verified_by: overseer.map(PublicKey::id) })
    }

    /// What was shown: it opens `caseHash`, and says what records commit to.
    fn check_case(
        &self,
        token: &Token,
        decision: &Decision,
        told: &Told<'_>,
        disclosed: Disclosed<'_>,
    ) -> Result<(), String> {
        let Some(value) = &self.case else { return Ok(()) };
        let wrong = |why: &dyn fmt::Display| format!("expected the case with exactly its members: {why}");
        let case: Case = serde_json::from_value(value.clone()).map_err(|e| wrong(&e))?;
        if jcs::to_vec(&case) != jcs::to_vec(value) {
            return Err(wrong(&"it reads back otherwise"));
        }
        if commitment(case.salt, text_of(&(&self.token, value))?)? != decision.case_hash {
            return Err("the case is not the one that was decided".to_owned());
        }
        if sha256(case.salt_text().as_bytes()) != token.case_id {
            return Err("`caseId` of the token is not that of the case".to_owned());
        }
        for (what, shown, expected) in
            [("agent", &case.agent, told.agent), ("purpose", &case.purpose, told.purpose)]
        {
            if Some(shown) != expected {
                return Err(format!("`{what}` of the case is not what the records say"));
            }
        }
        let arguments = jcs::from_slice(case.arguments.as_bytes())
            .map_err(|_| "`arguments` of the case are not canonical".to_owned())?;
        let shown = |Differs(path): Differs| {
            format!("the case shows other arguments at `{path}` than the records commit to")
        };
        if let Some(recorded) = &case.recorded {
            let octets = disclose::write(recorded.clone()).map_err(|e| e.to_string())?;
            let recorded = disclose::read(&octets, token.args_hash)
                .map_err(|error| format!("what the case shows of the recorded arguments: {error}"))?;
            if recorded.leaves.iter().any(|leaf| matches!(leaf, DisclosedLeaf::Hash(_))) {
                return Err("the case withholds some of the recorded arguments".to_owned());
            }
            hold(&arguments, &recorded, "").map_err(shown)?;
        }
        if let Some(recorded) = disclosed(token.args_hash) {
            hold(&arguments, &recorded, "").map_err(shown)?;
        }
        match (&case.question, told.question) {
            (None, None) => Ok(()),
            (Some(question), Some(root)) => {
                let Some(recorded) = disclosed(root) else { return Ok(()) };
                hold(&Value::from(question.as_str()), &recorded, "/question").map_err(|_| {
                    "the case asks another question than the record of the suspension".to_owned()
                })
            }
            _ => Err("a case has a question exactly if its reason is `requested`".to_owned()),
        }
    }

    /// What opens the decision's commitments: it says what the decision's record holds, and the arguments that ran.
    fn check_opened(
        &self,
        decision: &Decision,
        told: &Told<'_>,
        disclosed: Disclosed<'_>,
    ) -> Result<(), String> {
        let none = Openings::default();
        let opened = self.opened.as_ref().unwrap_or(&none);
        for (what, member, opened, hash) in [
            ("rationaleHash", "rationale", &opened.rationale, Some(decision.rationale_hash)),
            ("modifiedArgsHash", "modifiedArgs", &opened.modified_args, decision.modified_args_hash),
            ("outcomeHash", "outcome", &opened.outcome, decision.outcome_hash),
        ] {
            let Some(opened) = opened else { continue };
            let value = jcs::from_slice(opened.json.as_bytes())
                .map_err(|_| format!("what opens `{what}` is not canonical"))?;
            if Some(commitment(opened.salt, opened.json.clone())?) != hash {
                return Err(format!("what is disclosed does not open `{what}`"));
            }
            let differs = |Differs(path): Differs| {
                format!("`{member}` is not what the decision's record commits to at `{path}`")
            };
            if let Some(recorded) = told.content.and_then(&mut *disclosed) {
                hold(&value, &recorded, &format!("/{member}")).map_err(differs)?;
            }
            if member != "modifiedArgs" {
                continue;
            }
            for root in &told.ran_with {
                let Some(ran) = disclosed(*root) else { continue };
                hold(&value, &ran, "").map_err(|Differs(path)| {
                    format!("the call ran with other arguments at `{path}` than `modifiedArgs`")
                })?;
            }
        }
        Ok(())
    }
}

/// Section 11's commitment: the leaf hash of a text at the path `""`.
fn commitment(salt: Salt, text: String) -> Result<Hash, String> {
    Opening { path: String::new(), value: Value::String(text), salt }.leaf_hash().map_err(|e| e.to_string())
}

fn text_of(value: &impl Serialize) -> Result<String, String> {
    String::from_utf8(jcs::to_vec(value).map_err(|e| e.to_string())?).map_err(|e| e.to_string())
}
