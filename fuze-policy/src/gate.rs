//! The gate: the only mint of [`Permit`].
//!
//! A permit owns the call it permits, is consumed by opening it, and is never `Clone`, `Default` or deserialised. Its
//! lifetime is invariant, so that code which is handed one for "some dispatch" cannot keep it beyond that dispatch.

use std::marker::PhantomData;

use crate::{Approver, Decision, EngineError, EngineIdentity, Obligation, Policy, Request, RuleId};

/// A call that may be permitted. It gives up its arguments only against an [`Opening`], which only a permit has.
pub trait Call {
    /// The arguments.
    type Args;
    /// Why the arguments cannot be had.
    type Error;

    /// The arguments: a fresh parse of exactly the bytes that were decided on.
    ///
    /// # Errors
    /// When the decided bytes do not parse to the same arguments again.
    fn open(self, opening: Opening) -> Result<Self::Args, Self::Error>;
}

/// Shows that a permit is being consumed. Nobody outside this module can make one.
#[derive(Debug)]
pub struct Opening(());

/// Proof that the gate allowed exactly this call, for this dispatch.
#[must_use = "a permit that is not run leaves a decision without an action in the evidence"]
pub struct Permit<'c, C>(C, PhantomData<fn(&'c ()) -> &'c ()>);

impl<C: Call> Permit<'_, C> {
    /// Consumes the permit: what the policy saw is what the tool gets.
    ///
    /// # Errors
    /// When the decided bytes do not parse to the same arguments again.
    pub fn into_args(self) -> Result<C::Args, C::Error> {
        self.0.open(Opening(()))
    }
}

/// Why a human is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequiredBy {
    /// The policy says so.
    pub policy: bool,
    /// The tool's declaration says so.
    pub tool: bool,
    /// An Annex III or Art. 22 agent acts on people.
    pub law: bool,
}

/// What stands beside the policy for one call.
#[derive(Debug, Default)]
pub struct Conditions {
    /// The tool's own demand.
    pub tool: Option<Obligation>,
    /// The law's demand.
    pub law: Option<Obligation>,
    /// Who approved exactly this call, by verified decisions. Stands in for approval where they meet the obligation as it
    /// is now; never for allow.
    pub approved: Vec<Approver>,
}

/// A call that waits for a human. It can be thrown away or decided again, not run.
#[must_use]
#[derive(Debug)]
pub struct Waiting<C> {
    /// The call.
    pub call: C,
    /// Who must approve.
    pub obligation: Obligation,
    /// Why.
    pub required_by: RequiredBy,
    /// The policy rule.
    pub rule: RuleId,
}

/// A call that may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The policy rule.
    pub rule: RuleId,
    /// Why.
    pub reason: DenyReason,
}

/// Why a call may not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// The policy denies it.
    Policy,
    /// The demands for approval together leave nobody who could approve.
    NobodyMayApprove,
}

/// What the gate decided.
#[must_use]
pub enum Decided<'c, C> {
    /// Run it.
    Permitted {
        /// The proof.
        permit: Permit<'c, C>,
        /// The policy rule.
        rule: RuleId,
        /// Set when an approval stood in: why a human was needed.
        approved_for: Option<RequiredBy>,
    },
    /// Ask a human.
    Waiting(Waiting<C>),
    /// Do not run it.
    Denied(Denied),
}

/// Asks the engine and applies the strictest of policy, tool and law.
#[derive(Clone, Debug)]
pub struct Gate {
    policy: Policy,
}

impl Gate {
    /// A gate before an engine.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }

    /// The gate before the engine as it is now: its identity and its decisions are of the same rules, also where the engine's are
    /// replaced meanwhile.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self { policy: self.policy.pinned() }
    }

    /// Name and rules of the engine.
    #[must_use]
    pub fn identity(&self) -> EngineIdentity {
        self.policy.identity()
    }

    /// See [`Engine::tools_named`](crate::Engine::tools_named).
    #[must_use]
    pub fn tools_named(&self) -> Vec<String> {
        self.policy.tools_named()
    }

    /// Decides one call.
    ///
    /// A remote engine is given its own time limit, and no more.
    ///
    /// # Errors
    /// When the engine cannot decide. The call is gone: nothing is allowed by an error.
    pub async fn decide<'c, C: Call>(
        &self,
        call: C,
        request: &Request<'_>,
        conditions: Conditions,
    ) -> Result<Decided<'c, C>, EngineError> {
        let verdict = match &self.policy {
            Policy::Local(engine) => engine.decide(request)?,
            Policy::Remote(engine) => {
                let limit = engine.time_limit();
                let limit_ms = limit.as_millis();
                tokio::time::timeout(limit, engine.decide(request))
                    .await
                    .map_err(|_| EngineError::TimedOut { limit_ms })??
            }
        };
        let rule = verdict.rule;
        let policy = match verdict.decision {
            Decision::Deny => return Ok(Decided::Denied(Denied { rule, reason: DenyReason::Policy })),
            Decision::RequiresApproval(obligation) => Some(obligation),
            Decision::Allow => None,
        };
        let required_by = RequiredBy {
            policy: policy.is_some(),
            tool: conditions.tool.is_some(),
            law: conditions.law.is_some(),
        };
        let mut demands: Vec<Obligation> =
            [policy, conditions.tool, conditions.law].into_iter().flatten().collect();
        // Who demands an approval does not decide how it has to be: what the policy says of it counts for the tool's and the law's.
        if !demands.is_empty() {
            demands.extend(verdict.approval);
        }
        let mut demanded: Option<Obligation> = None;
        for next in demands {
            // `strictest` with the default also normalises a single obligation that nobody can meet.
            let Some(both) = demanded.take().unwrap_or_default().strictest(next) else {
                return Ok(Decided::Denied(Denied { rule, reason: DenyReason::NobodyMayApprove }));
            };
            demanded = Some(both);
        }
        Ok(match demanded {
            None => Decided::Permitted { permit: Permit(call, PhantomData), rule, approved_for: None },
            Some(obligation) if obligation.is_met_by(&conditions.approved) => Decided::Permitted {
                permit: Permit(call, PhantomData),
                rule,
                approved_for: Some(required_by),
            },
            Some(obligation) => Decided::Waiting(Waiting { call, obligation, required_by, rule }),
        })
    }
}
