//! A run that waits for people, and what makes it go on: one decision for each slot, verified, then claimed once.
//!
//! [`Suspended::verify`] is the only mint of [`Resumable`]; it is taken by value to resume exactly that run.

pub mod case;
pub mod decision;
pub mod registry;
pub mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fuze_evidence::sign::PublicKey;
use fuze_evidence::vocab::{OversightAction, SuspendReason};
use fuze_evidence::{Hash, Name, RunId};

use crate::deployment::Deployment;
use crate::driver::state::{State, Wait};
pub use case::{Case, CaseData};
pub use decision::{Ack, Action, DecisionError, OverseerSigner, SignedDecision};
pub use registry::{Overseer, OverseerRegistry, RegistryError};
pub use token::{Token, TokenClaims, TokenError};

use decision::VerifiedDecision;

/// A run that waits.
#[must_use = "a suspended run goes on only when people decide: show them its cases"]
pub struct Suspended {
    pub(crate) deployment: Deployment,
    pub(crate) run: RunId,
    pub(crate) epoch: u64,
    pub(crate) state: State,
    pub(crate) cases: Vec<Case>,
}

/// Verified decisions for exactly one suspended run. No other mint than [`Suspended::verify`]; never `Clone`.
#[must_use = "verified decisions change nothing until the run is resumed"]
pub struct Resumable {
    pub(crate) suspended: Suspended,
    pub(crate) resolved: Vec<Resolved>,
}

/// One case with what people decided.
pub(crate) struct Resolved {
    pub(crate) execution: Hash,
    pub(crate) reason: SuspendReason,
    /// One for each slot that was filled, in the order of slots, with the token that it answers.
    pub(crate) decisions: Vec<(Token, VerifiedDecision)>,
    pub(crate) action: Action,
}

/// The run back, still suspended, with what is missing or wrong.
#[must_use = "the run is still suspended"]
pub struct NotResumable {
    /// The run.
    pub suspended: Suspended,
    /// What is wrong, each with the place of the decision in the list that was given, if it is about one.
    pub problems: Vec<(Option<usize>, Problem)>,
}

/// What is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// With a token.
    Token(TokenError),
    /// With a decision.
    Decision(DecisionError),
}

impl Suspended {
    pub(crate) fn of(
        deployment: Deployment,
        run: RunId,
        epoch: u64,
        state: State,
    ) -> Result<Self, TokenError> {
        let key = PublicKey::from_bytes(deployment.signer().public_key())?;
        let mut cases = Vec::new();
        for wait in &state.header.waits {
            for text in &wait.tokens {
                cases.push(Case { token: Token::read(text, &key)?, data: wait.case.clone() });
            }
        }
        Ok(Self { deployment, run, epoch, state, cases })
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.run
    }

    /// What people must decide: one for each slot.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Verifies decisions: every slot filled, one set of arguments for each case, distinct persons and keys, none of them
    /// the principal, each in the registry, trained, in time, and shown this very case.
    ///
    /// One `halt` decides for the whole run, whatever the other cases wait for (AI Act Art. 14(4)(e)).
    ///
    /// # Errors
    /// The run back, with everything that is missing or wrong.
    pub fn verify(self, decisions: &[SignedDecision]) -> Result<Resumable, Box<NotResumable>> {
        let mut problems = Vec::new();
        let mut answers: BTreeMap<Hash, (Token, VerifiedDecision)> = BTreeMap::new();
        for (at, decision) in decisions.iter().enumerate() {
            match self.verify_one(decision) {
                Ok((token, verified)) => {
                    if answers.insert(token.hash(), (token, verified)).is_some() {
                        problems.push((Some(at), Problem::Decision(DecisionError::Twice)));
                    }
                }
                Err(problem) => problems.push((Some(at), problem)),
            }
        }
        let halted = answers.values().any(|(_, verified)| verified.action == Action::Halt);
        let mut resolved = Vec::new();
        for wait in &self.state.header.waits {
            match self.resolve(wait, &mut answers, halted) {
                // Nobody said anything about it, and nobody needs to: the run ends.
                Ok(case) if halted && case.decisions.is_empty() => {}
                Ok(case) => resolved.push(case),
                Err(error) => problems.push((None, Problem::Decision(error))),
            }
        }
        if problems.is_empty() {
            Ok(Resumable { suspended: self, resolved })
        } else {
            Err(Box::new(NotResumable { suspended: self, problems }))
        }
    }

    fn verify_one(&self, decision: &SignedDecision) -> Result<(Token, VerifiedDecision), Problem> {
        let key = PublicKey::from_bytes(self.deployment.signer().public_key()).map_err(TokenError::from)?;
        let token = Token::read(&decision.token, &key)?;
        let claims = token.claims();
        if claims.origin != *self.deployment.origin() {
            return Err(TokenError::OtherDeployment.into());
        }
        if claims.tenant != self.state.header.run.common.tenant {
            return Err(TokenError::OtherTenant { found: claims.tenant.clone() }.into());
        }
        if claims.run_id != self.run {
            return Err(TokenError::OtherRun { found: claims.run_id, expected: self.run }.into());
        }
        let case = self.cases.iter().find(|case| case.token.hash() == token.hash());
        let case = case.ok_or(TokenError::NotWaiting)?;
        let now = self.deployment.clock().now();
        if now > claims.expires_at {
            return Err(TokenError::Expired { at: claims.expires_at }.into());
        }
        let said = decision.claims()?;
        let overseer = self.deployment.overseers().find(&said.overseer);
        let overseer = overseer.ok_or(DecisionError::UnknownOverseer { overseer: said.overseer.clone() })?;
        if Some(claims.registry_hash) != self.deployment.registry_hash() {
            return Err(DecisionError::OtherRegistry.into());
        }
        let verified = decision.verify(&overseer.public_key)?;
        check(&verified, case, overseer)?;
        // By a clock that is ahead of ours: no record could say that it was decided before it was recorded.
        if verified.claims.decided_at > now {
            return Err(DecisionError::Ahead { decided_at: verified.claims.decided_at, now }.into());
        }
        Ok((token, verified))
    }

    /// One case: what its slots together come to. Where somebody halted the run, what is open stays open.
    fn resolve(
        &self,
        wait: &Wait,
        answers: &mut BTreeMap<Hash, (Token, VerifiedDecision)>,
        halted: bool,
    ) -> Result<Resolved, DecisionError> {
        let slots = self.cases.iter().filter(|case| case.token.claims().call_id == wait.execution);
        let mut decisions = Vec::new();
        let mut open = None;
        let mut persons = BTreeSet::new();
        for case in slots {
            let claims = case.token.claims();
            match answers.remove(&case.token.hash()) {
                None => open = open.or(Some((claims.slot, claims.of))),
                Some((token, verified)) => {
                    if !persons.insert(verified.claims.overseer.clone()) {
                        return Err(DecisionError::SamePerson { overseer: verified.claims.overseer });
                    }
                    decisions.push((token, verified));
                }
            }
        }
        let all = || decisions.iter().map(|(_, verified)| &verified.action);
        // One refusal decides a case: silence of the others would be a denial too.
        let refusal = all()
            .find(|action| **action == Action::Halt)
            .or_else(|| all().find(|action| **action == Action::Reject));
        let action = match (refusal, open) {
            (Some(refusal), _) => refusal.clone(),
            (None, Some(_)) if halted => Action::Halt,
            (None, Some((slot, of))) => return Err(DecisionError::SlotOpen { slot, of }),
            (None, None) => {
                let first = all().next().cloned().ok_or(DecisionError::SlotOpen { slot: 0, of: 1 })?;
                match all().all(|action| *action == first) {
                    true => first,
                    false if halted => Action::Halt,
                    false => return Err(DecisionError::Disagree),
                }
            }
        };
        Ok(Resolved { execution: wait.execution, reason: wait.reason, decisions, action })
    }
}

fn check(verified: &VerifiedDecision, case: &Case, overseer: &Overseer) -> Result<(), DecisionError> {
    let said = &verified.claims;
    let token = case.token.claims();
    if said.token_hash != case.token.hash() {
        return Err(DecisionError::NoToken);
    }
    if said.case_hash != case.hash()? {
        return Err(DecisionError::OtherCase);
    }
    if overseer.alias == token.principal {
        return Err(DecisionError::IsPrincipal { overseer: overseer.alias.clone() });
    }
    let named = |who: &Vec<String>| who.iter().any(|name| name == overseer.alias.as_str());
    if !token.obligation.may_approve.as_ref().is_none_or(named) {
        return Err(DecisionError::MayNotApprove { overseer: overseer.alias.clone() });
    }
    if let Some(missing) = token.obligation.trainings.iter().find(|t| !overseer.trainings.contains(*t)) {
        return Err(DecisionError::Untrained { overseer: overseer.alias.clone(), missing: missing.clone() });
    }
    if let Some(training) = &said.training
        && !overseer.trainings.contains(training.as_str())
    {
        let missing = training.as_str().to_owned();
        return Err(DecisionError::Untrained { overseer: overseer.alias.clone(), missing });
    }
    // What is asked for is on record, wherever a record can hold its name.
    let mut asked = token.obligation.trainings.iter().filter(|training| Name::new(training.as_str()).is_ok());
    if said.training.is_none()
        && let Some(asked) = asked.next()
    {
        return Err(DecisionError::NoTraining { overseer: overseer.alias.clone(), asked: asked.clone() });
    }
    if said.decided_at < token.issued_at || said.decided_at > token.expires_at {
        return Err(DecisionError::OutOfTime { decided_at: said.decided_at });
    }
    if !fits(token.reason, said.action) {
        return Err(DecisionError::NotForThis { action: said.action });
    }
    Ok(())
}

/// Which actions answer which wait.
const fn fits(reason: SuspendReason, action: OversightAction) -> bool {
    match (reason, action) {
        (_, OversightAction::Halt) => true,
        (SuspendReason::InDoubt, OversightAction::Done | OversightAction::NotDone) => true,
        (SuspendReason::Requested, OversightAction::Approve | OversightAction::Reject) => true,
        (
            SuspendReason::Policy | SuspendReason::Tool | SuspendReason::Law,
            OversightAction::Approve | OversightAction::Modify | OversightAction::Reject,
        ) => true,
        (
            SuspendReason::InDoubt,
            OversightAction::Approve | OversightAction::Modify | OversightAction::Reject,
        )
        | (
            SuspendReason::Requested,
            OversightAction::Modify | OversightAction::Done | OversightAction::NotDone,
        )
        | (
            SuspendReason::Policy | SuspendReason::Tool | SuspendReason::Law,
            OversightAction::Done | OversightAction::NotDone,
        )
        | (_, OversightAction::Withdraw | OversightAction::Escalate) => false,
    }
}

impl Resumable {
    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.suspended.run
    }

    /// Whether somebody ends the run.
    pub(crate) fn halts(&self) -> bool {
        self.resolved.iter().any(|case| case.action == Action::Halt)
    }

    /// Whether every decision-maker acknowledged this change of the model.
    pub(crate) fn acknowledges(&self, from: &Name, to: &Name) -> bool {
        self.resolved.iter().flat_map(|case| &case.decisions).all(|(_, verified)| {
            verified
                .claims
                .acks
                .iter()
                .any(|ack| ack.kind.as_str() == "model" && ack.from == *from && ack.to == *to)
        })
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<DecisionError> for Problem {
    fn from(error: DecisionError) -> Self {
        Self::Decision(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Decision(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for NotResumable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the run {} is still suspended", self.suspended.run)?;
        for (at, problem) in &self.problems {
            match at {
                Some(at) => write!(f, "; decision {}: {problem}", at + 1)?,
                None => write!(f, "; {problem}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NotResumable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for NotResumable {}

impl fmt::Debug for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Suspended({}, {} case(s))", self.run, self.cases.len())
    }
}

impl fmt::Debug for Resumable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resumable({})", self.suspended.run)
    }
}
