//! An overseer's decision, signed with the overseer's own key: `fzd1.<base64url JCS>.<base64url signature>`.
//!
//! The signed object holds salted commitments; what they commit to travels beside it as content.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use fuze_evidence::content::Opening;
use fuze_evidence::random::{OsRandom, Random};
use fuze_evidence::sign::{
    KeyId, PublicKey, SignError, SignatureError, SignedObject, read_object, sign_object, verify_object,
};
use fuze_evidence::vocab::{Custody, OversightAction};
use fuze_evidence::{Hash, Name, Signer, Timestamp, jcs, sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::case::{Case, salt};
use super::token::{join, split};

const PREFIX: &str = "fzd1";

/// What a person decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run it as it is.
    Approve,
    /// Run it with these arguments instead. They are checked and decided anew.
    Modify(Value),
    /// Do not run it; the model is told.
    Reject,
    /// Do not run it, and end the run.
    Halt,
    /// Of a call in doubt: it happened, and this is its output.
    Done(Value),
    /// Of a call in doubt: it did not happen.
    NotDone,
}

impl Action {
    /// The wire name.
    #[must_use]
    pub const fn kind(&self) -> OversightAction {
        match self {
            Self::Approve => OversightAction::Approve,
            Self::Modify(_) => OversightAction::Modify,
            Self::Reject => OversightAction::Reject,
            Self::Halt => OversightAction::Halt,
            Self::Done(_) => OversightAction::Done,
            Self::NotDone => OversightAction::NotDone,
        }
    }
}

/// What an overseer signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecisionClaims {
    /// The token that it answers.
    pub token_hash: Hash,
    /// What was decided.
    pub action: OversightAction,
    /// Commitment to the arguments to run instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modified_args_hash: Option<Hash>,
    /// Commitment to the output of a call in doubt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome_hash: Option<Hash>,
    /// Commitment to the reasons.
    pub rationale_hash: Hash,
    /// Changes that the overseer saw and takes.
    pub acks: Vec<Ack>,
    /// The overseer's alias.
    pub overseer: Name,
    /// The training relied on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub training: Option<Name>,
    /// Commitment to the case as it was shown.
    pub case_hash: Hash,
    /// Who kept the key.
    pub custody: Custody,
    /// When.
    pub decided_at: Timestamp,
    /// The overseer's key.
    pub key_id: KeyId,
}

impl SignedObject for DecisionClaims {
    const DOMAIN: &'static str = "fuze/decision/v1";
}

/// A change that an overseer saw and takes: of a model's snapshot, for Art. 22.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// What changed: `model`.
    pub kind: Name,
    /// From what.
    pub from: Name,
    /// To what.
    pub to: Name,
}

/// A decision with the openings of its commitments, as it travels from the overseer to the run.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedDecision {
    /// The token that it answers.
    pub token: String,
    /// `fzd1.….…`
    pub decision: String,
    /// Opens `rationaleHash`.
    pub rationale: Opened,
    /// Opens `modifiedArgsHash`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modified_args: Option<Opened>,
    /// Opens `outcomeHash`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Opened>,
}

/// A value with the salt that opens the commitment to it: `sha256(0x00 ‖ JCS(["fuze/leaf/v1", salt, "", text]))` where
/// `text` is the value's canonical JSON.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// 32 random bytes, base64url.
    pub salt: String,
    /// The value's canonical JSON.
    pub json: String,
}

// Openings are content: `{:?}` does not print them.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

impl fmt::Debug for SignedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedDecision({})", fuze_evidence::sha256(self.decision.as_bytes()))
    }
}

impl Opened {
    fn new(value: &Value, random: &mut dyn Random) -> Result<Self, DecisionError> {
        let mut salt = [0; 32];
        random.fill(&mut salt).map_err(|e| DecisionError::Sign(e.to_string()))?;
        let json = jcs::to_vec(value).map_err(|e| DecisionError::Form(e.to_string()))?;
        let json = String::from_utf8(json).map_err(|e| DecisionError::Form(e.to_string()))?;
        Ok(Self { salt: Base64UrlUnpadded::encode_string(&salt), json })
    }

    /// The commitment that this opens.
    ///
    /// # Errors
    /// When the salt is not 32 bytes, or the text is not canonical JSON.
    pub fn hash(&self) -> Result<Hash, DecisionError> {
        let salt = salt(&self.salt)
            .map_err(|_| DecisionError::Form("a salt is not 32 bytes of base64url".into()))?;
        self.value()?;
        let opening = Opening { path: String::new(), value: Value::String(self.json.clone()), salt };
        opening.leaf_hash().map_err(|e| DecisionError::Form(e.to_string()))
    }

    /// The value.
    ///
    /// # Errors
    /// When the text is not canonical JSON.
    pub fn value(&self) -> Result<Value, DecisionError> {
        jcs::from_slice(self.json.as_bytes()).map_err(|e| DecisionError::Form(e.to_string()))
    }
}

/// Who signs a decision.
pub struct OverseerSigner<'s> {
    /// The alias in the registry.
    pub alias: Name,
    /// The training relied on. A case that asks for one is decided with it (AI Act Art. 26(2)).
    pub training: Option<Name>,
    /// The overseer's own key. Never the deployment's.
    pub signer: &'s dyn Signer,
    /// Who keeps it.
    pub custody: Custody,
}

impl SignedDecision {
    /// Decides a case, now.
    ///
    /// # Errors
    /// When the case cannot be signed.
    pub fn sign(
        case: &Case,
        action: &Action,
        rationale: &str,
        overseer: &OverseerSigner<'_>,
        decided_at: Timestamp,
        acks: Vec<Ack>,
    ) -> Result<Self, DecisionError> {
        let mut random = OsRandom::new();
        let rationale = Opened::new(&Value::String(rationale.to_owned()), &mut random)?;
        let (modified_args, outcome) = match action {
            Action::Modify(args) => (Some(Opened::new(args, &mut random)?), None),
            Action::Done(output) => (None, Some(Opened::new(output, &mut random)?)),
            Action::Approve | Action::Reject | Action::Halt | Action::NotDone => (None, None),
        };
        let claims = DecisionClaims {
            token_hash: case.token().hash(),
            action: action.kind(),
            modified_args_hash: modified_args.as_ref().map(Opened::hash).transpose()?,
            outcome_hash: outcome.as_ref().map(Opened::hash).transpose()?,
            rationale_hash: rationale.hash()?,
            acks,
            overseer: overseer.alias.clone(),
            training: overseer.training.clone(),
            case_hash: case.hash()?,
            custody: overseer.custody,
            decided_at,
            key_id: overseer.signer.key_id(),
        };
        let signed = sign_object(&claims, overseer.signer)?;
        let decision = join(PREFIX, &signed.bytes, &signed.signature);
        Ok(Self { token: case.token().as_str().to_owned(), decision, rationale, modified_args, outcome })
    }

    /// Who it says it is from, before anything is verified: to find the key to verify it by.
    pub(crate) fn claims(&self) -> Result<DecisionClaims, DecisionError> {
        let (bytes, _) = split(&self.decision, PREFIX).map_err(DecisionError::Form)?;
        Ok(read_object(&bytes)?)
    }

    /// Verifies signature and openings.
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<VerifiedDecision, DecisionError> {
        let (bytes, signature) = split(&self.decision, PREFIX).map_err(DecisionError::Form)?;
        let claims: DecisionClaims = verify_object(&bytes, &signature, key)?;
        if claims.key_id != key.id() {
            return Err(DecisionError::OtherKey { overseer: claims.overseer });
        }
        let opens = |hash: Hash, opened: &Opened, what: &'static str| match opened.hash()? == hash {
            true => Ok(()),
            false => Err(DecisionError::Opening { what }),
        };
        opens(claims.rationale_hash, &self.rationale, "rationale")?;
        let action = match (claims.action, &self.modified_args, &self.outcome) {
            (OversightAction::Approve, None, None) => Action::Approve,
            (OversightAction::Reject, None, None) => Action::Reject,
            (OversightAction::Halt, None, None) => Action::Halt,
            (OversightAction::NotDone, None, None) => Action::NotDone,
            (OversightAction::Modify, Some(args), None) => {
                let hash =
                    claims.modified_args_hash.ok_or(DecisionError::Opening { what: "modifiedArgs" })?;
                opens(hash, args, "modifiedArgs")?;
                Action::Modify(args.value()?)
            }
            (OversightAction::Done, None, Some(output)) => {
                let hash = claims.outcome_hash.ok_or(DecisionError::Opening { what: "outcome" })?;
                opens(hash, output, "outcome")?;
                Action::Done(output.value()?)
            }
            (OversightAction::Withdraw | OversightAction::Escalate, _, _) => {
                return Err(DecisionError::NotForThis { action: claims.action });
            }
            (
                OversightAction::Approve
                | OversightAction::Reject
                | OversightAction::Halt
                | OversightAction::NotDone
                | OversightAction::Modify
                | OversightAction::Done,
                _,
                _,
            ) => {
                return Err(DecisionError::Form(format!(
                    "`{}` with other openings than it needs",
                    claims.action
                )));
            }
        };
        let extra = (claims.modified_args_hash.is_some() && !matches!(action, Action::Modify(_)))
            || (claims.outcome_hash.is_some() && !matches!(action, Action::Done(_)));
        if extra {
            return Err(DecisionError::Form(format!(
                "`{}` with a commitment that it does not need",
                claims.action
            )));
        }
        Ok(VerifiedDecision { claims, action, rationale: self.rationale.value()?, hash: sha256(&bytes) })
    }
}

/// A decision whose signature and openings hold. One mint: [`SignedDecision::verify`].
#[derive(Clone, Debug)]
pub(crate) struct VerifiedDecision {
    pub(crate) claims: DecisionClaims,
    pub(crate) action: Action,
    pub(crate) rationale: Value,
    pub(crate) hash: Hash,
}

/// What is wrong with a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecisionError {
    /// It cannot be read.
    Form(String),
    /// The signature does not fit: something in it was changed.
    Signature,
    /// The overseer's key in the registry is another.
    OtherKey {
        /// Who it says it is.
        overseer: Name,
    },
    /// The registry does not know the overseer.
    UnknownOverseer {
        /// Who it says it is.
        overseer: Name,
    },
    /// The registry has changed since the run began.
    OtherRegistry,
    /// Who started the run may not decide it.
    IsPrincipal {
        /// Who.
        overseer: Name,
    },
    /// The policy names others who may approve.
    MayNotApprove {
        /// Who it says it is.
        overseer: Name,
    },
    /// The overseer lacks a training.
    Untrained {
        /// Who.
        overseer: Name,
        /// Which.
        missing: String,
    },
    /// The decision names no training, and one is asked for.
    NoTraining {
        /// Who.
        overseer: Name,
        /// Which.
        asked: String,
    },
    /// The same person decides twice in a case that needs several.
    SamePerson {
        /// Who.
        overseer: Name,
    },
    /// What travels beside the decision is not what was signed.
    Opening {
        /// Which part.
        what: &'static str,
    },
    /// The overseer was shown another case than the one that waits.
    OtherCase,
    /// It was decided before the token was issued, or after it expired.
    OutOfTime {
        /// When.
        decided_at: Timestamp,
    },
    /// It was decided later than now, by the deployment's clock.
    Ahead {
        /// When.
        decided_at: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// The action does not fit what the case waits for.
    NotForThis {
        /// Which.
        action: OversightAction,
    },
    /// It answers no token that was given.
    NoToken,
    /// Two decisions answer one token.
    Twice,
    /// Two approvers of one case want different arguments.
    Disagree,
    /// A slot of a case has no decision.
    SlotOpen {
        /// Which.
        slot: u32,
        /// Of how many.
        of: u32,
    },
    /// Signing failed.
    Sign(String),
}

impl From<SignError> for DecisionError {
    fn from(error: SignError) -> Self {
        Self::Sign(error.to_string())
    }
}

impl fmt::Display for DecisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(what) => write!(f, "this is not a decision: {what}"),
            Self::Signature => {
                f.write_str("the decision's signature does not fit: something in it was changed")
            }
            Self::OtherKey { overseer } => write!(f, "the key of `{overseer}` in the registry is another"),
            Self::UnknownOverseer { overseer } => write!(f, "the registry has no overseer `{overseer}`"),
            Self::OtherRegistry => {
                f.write_str("the registry of overseers is another than the one the run began with")
            }
            Self::IsPrincipal { overseer } => write!(f, "`{overseer}` started the run and may not decide it"),
            Self::MayNotApprove { overseer } => {
                write!(f, "the policy does not name `{overseer}` as an approver")
            }
            Self::Untrained { overseer, missing } => {
                write!(f, "`{overseer}` lacks the training `{missing}` (AI Act Art. 26(2))")
            }
            Self::NoTraining { overseer, asked } => write!(
                f,
                "the decision of `{overseer}` names no training, and `{asked}` is asked for (AI Act Art. 26(2)): sign it with the training relied on"
            ),
            Self::SamePerson { overseer } => {
                write!(f, "`{overseer}` decides twice; the case needs different persons")
            }
            Self::Opening { what } => write!(f, "`{what}` is not what the overseer signed"),
            Self::OtherCase => f.write_str("the overseer was shown another case than the one that waits"),
            Self::OutOfTime { decided_at } => write!(f, "decided at {decided_at}, outside the token's time"),
            Self::Ahead { decided_at, now } => write!(
                f,
                "decided at {decided_at}, and here it is {now}: set the clocks right, and hand the decision in again when its time has come"
            ),
            Self::NotForThis { action } => write!(f, "`{action}` does not fit what this case waits for"),
            Self::NoToken => f.write_str("the decision answers another token than the one it came with"),
            Self::Twice => f.write_str("two decisions answer the same token"),
            Self::Disagree => {
                f.write_str("the approvers of one case want different arguments: one must give way")
            }
            Self::SlotOpen { slot, of } => write!(f, "slot {} of {of} has no decision yet", slot + 1),
            Self::Sign(why) => write!(f, "the decision cannot be signed: {why}"),
        }
    }
}

impl std::error::Error for DecisionError {}

impl From<SignatureError> for DecisionError {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Signature => Self::Signature,
            other => Self::Form(other.to_string()),
        }
    }
}
