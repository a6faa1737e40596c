//! What the chain says of a run and of the calls that waited in it, as far as tokens and decisions say it, too.
//!
//! A record holds the hashes of a token and of a decision. That binds the record to what was signed, and says nothing about whether the
//! record tells the same: who has the run's key writes "approve" beside the hash of a signed "reject".

use std::collections::BTreeMap;

use fuze_evidence::record::Entry;
use fuze_evidence::span::{AgentInvoke, HumanDecision, OversightSuspend};
use fuze_evidence::{Hash, Span, Timestamp, jcs};
use serde::Serialize;
use serde_json::Value;

use super::Signed;

/// A member, and what it must be; `None` where it must not be there.
type Must = (&'static str, Option<Vec<u8>>);

/// What the records say, up to the last that was observed.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    run: Vec<Must>,
    principal: String,
    segment: u32,
    /// The last record that is no suspension: what the tokens after it begin from.
    before: Option<(u64, Hash)>,
    waiting: BTreeMap<Hash, Vec<Must>>,
    decisions: BTreeMap<Hash, HumanDecision>,
}

/// The canonical octets of what a member must be: numbers are compared as they are written.
fn must(name: &'static str, value: impl Serialize) -> Must {
    (name, jcs::to_vec(&value).ok())
}

fn maybe(name: &'static str, value: Option<impl Serialize>) -> Must {
    (name, value.and_then(|value| jcs::to_vec(&value).ok()))
}

fn check(what: &str, signed: &Signed, all: &[Must]) -> Result<(), String> {
    for (name, expected) in all {
        let found = signed.members.get(*name).and_then(|value| jcs::to_vec(value).ok());
        if found != *expected {
            return Err(format!("`{name}` of the {what} is not what the records say"));
        }
    }
    Ok(())
}

impl Recorded {
    /// Takes the next record.
    ///
    /// # Errors
    /// When it repeats a token or a decision.
    pub(crate) fn observe(&mut self, entry: &Entry) -> Result<(), String> {
        let twice =
            |what: &str| Err(format!("record {}: the {what} stands in an earlier record", entry.sequence));
        match &entry.span {
            Span::AgentInvoke(invoke) => self.begin(entry, invoke),
            Span::RunResume(_) => self.segment = self.segment.saturating_add(1),
            Span::OversightSuspend(suspend) => {
                if self.waiting.insert(suspend.token_hash, self.token_of(suspend)).is_some() {
                    return twice("token");
                }
                return Ok(());
            }
            Span::HumanDecision(decision) => {
                let earlier = self.decisions.insert(decision.decision_hash, decision.clone());
                if earlier.is_some() {
                    return twice("decision");
                }
            }
            _ => {}
        }
        self.before = Some((entry.sequence, entry.hash));
        Ok(())
    }

    fn begin(&mut self, entry: &Entry, invoke: &AgentInvoke) {
        let common = &entry.common;
        common.principal.as_str().clone_into(&mut self.principal);
        self.run = vec![
            must("runId", entry.run_id),
            must("origin", &invoke.origin),
            must("tenant", &common.tenant),
            must("principal", &common.principal),
            maybe("subject", common.subject.as_ref()),
            must("art22", common.art22),
            must("fingerprint", invoke.fingerprint),
            maybe("registryHash", invoke.registry_hash),
        ];
    }

    fn token_of(&self, suspend: &OversightSuspend) -> Vec<Must> {
        let (sequence, head) = self.before.unwrap_or((0, Hash::ZERO));
        let mut all = vec![
            must("chainHead", head),
            must("expiresAt", suspend.expires_at),
            must("of", suspend.of),
            must("reason", suspend.reason),
            must("segment", self.segment),
            must("sequence", sequence),
            must("slot", suspend.slot),
        ];
        all.extend(suspend.args_hash.map(|root| must("argsHash", root)));
        all.extend(suspend.tool.as_ref().map(|tool| must("tool", tool)));
        all
    }

    /// Holds a decision and its token against the records: the decision's, that of the call that waited, and the first.
    pub(super) fn check(&self, token: &Signed, decision: &Signed) -> Result<(), String> {
        let Some(record) = self.decisions.get(&decision.hash) else {
            return Err(format!("no record holds the decision {}", decision.hash));
        };
        let Some(waiting) = self.waiting.get(&token.hash) else {
            return Err(format!("no record holds the token {}", token.hash));
        };
        check("token", token, &self.run)?;
        check("token", token, waiting)?;
        check(
            "token",
            token,
            &record.args_hash.map(|root| must("argsHash", root)).into_iter().collect::<Vec<_>>(),
        )?;
        check(
            "decision",
            decision,
            &[
                must("action", record.action),
                must("custody", record.custody),
                must("keyId", record.key_id),
                maybe("modifiedArgsHash", record.modified_args_hash),
                must("overseer", &record.overseer),
                must("tokenHash", record.token_hash),
                maybe("training", record.training.as_ref()),
            ],
        )?;
        self.check_person(token, record)?;
        let (issued, decided) = (time(token, "issuedAt")?, time(decision, "decidedAt")?);
        if decided < issued || decided > time(token, "expiresAt")? {
            return Err(format!("it was decided at {decided}, and the token is for another time"));
        }
        Ok(())
    }

    fn check_person(&self, token: &Signed, record: &HumanDecision) -> Result<(), String> {
        let overseer = record.overseer.as_str();
        if overseer == self.principal {
            return Err(format!("`{overseer}` started the run, and may not decide about it"));
        }
        let allowed = token.members.get("obligation").and_then(|obligation| obligation.get("mayApprove"));
        let names = |list: &Vec<Value>| list.iter().any(|alias| alias.as_str() == Some(overseer));
        match allowed {
            None => Ok(()),
            Some(Value::Array(list)) if names(list) => Ok(()),
            Some(_) => Err(format!("`{overseer}` is not among those whom the token lets decide")),
        }
    }
}

fn time(signed: &Signed, member: &str) -> Result<Timestamp, String> {
    let text = signed.members.get(member).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("`{member}` is missing"))
}
