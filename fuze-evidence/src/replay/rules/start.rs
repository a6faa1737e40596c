//! What the first record says of the whole run, and what law and the loop ask of a run that says so.

use super::Rules;
use super::rule::Rule;
use crate::name::Name;
use crate::record::{Common, Entry};
use crate::sign::KeyId;
use crate::span::{AgentInvoke, HumanDecision};
use crate::vocab::{AnnexIii, Art22, Classification, StartOutcome};

/// Six months, counted as the longest six months of a year (AI Act Art. 19, 26(6)).
const HIGH_RISK_DECISION_DAYS: u32 = 184;

/// What the first record says.
pub(super) struct Start {
    principal: Name,
    subject: Option<Name>,
    has_basis: bool,
    key_id: KeyId,
    has_store: bool,
    has_registry: bool,
    /// The agent's plan names the training that overseers need.
    pub(super) asks_training: bool,
    pub(super) art22: bool,
    /// Under Annex III or GDPR Art. 22: law asks for a person before all but a `read`.
    pub(super) is_high_risk: bool,
    pub(super) is_refused: bool,
}

impl Start {
    fn of(common: &Common, invoke: &AgentInvoke) -> Self {
        let art22 = common.art22 != Art22::None;
        Self {
            principal: common.principal.clone(),
            subject: common.subject.clone(),
            has_basis: common.lawful_basis.is_some(),
            key_id: invoke.key_id,
            has_store: invoke.store.is_some(),
            has_registry: invoke.registry_hash.is_some(),
            asks_training: invoke.training.is_some(),
            art22,
            is_high_risk: art22 || common.annex_iii != AnnexIii::None,
            is_refused: invoke.outcome == StartOutcome::Refused,
        }
    }

    /// The run has a store to wait in and people who may decide.
    pub(super) const fn can_wait(&self) -> bool {
        self.has_store && self.has_registry
    }

    pub(super) const fn has_store(&self) -> bool {
        self.has_store
    }

    pub(super) const fn has_subject(&self) -> bool {
        self.subject.is_some()
    }

    /// A tool may handle this.
    pub(super) fn admits(&self, handles: Classification) -> bool {
        let personal = match handles {
            Classification::Public | Classification::Confidential => false,
            Classification::Personal | Classification::SpecialCategory => true,
        };
        !personal || (self.has_basis && self.has_subject())
    }

    /// Whoever decided has no part in the run.
    pub(super) fn is_independent(&self, human: &HumanDecision) -> bool {
        human.overseer != self.principal
            && self.subject.as_ref() != Some(&human.overseer)
            && human.key_id != self.key_id
    }

    /// The three windows fit together, and are as long as law has them.
    const fn keeps_enough(&self, invoke: &AgentInvoke) -> bool {
        let (content, decisions) = (invoke.retention_content_days, invoke.retention_decision_days);
        let least = if self.is_high_risk { HIGH_RISK_DECISION_DAYS } else { 1 };
        content > 0 && content <= invoke.retention_hash_days && decisions >= least
    }

    /// Who is overseen is overseen by a plan, and a plan names its training.
    const fn is_planned(&self, invoke: &AgentInvoke) -> bool {
        let plan = invoke.oversight_plan.is_some();
        plan == self.asks_training && (plan || !self.is_high_risk)
    }
}

impl Rules {
    pub(super) fn begin(&mut self, entry: &Entry, invoke: &AgentInvoke) {
        if self.start.is_some() {
            return;
        }
        let start = Start::of(&entry.common, invoke);
        self.bundle = Some(invoke.bundle_hash);
        self.engine = Some(invoke.engine.clone());
        self.model.begins(invoke);
        // What was refused does nothing, whatever it lacks.
        if !start.is_refused {
            self.rule(start.keeps_enough(invoke), entry, Rule::Retention);
            self.rule(start.is_planned(invoke), entry, Rule::OversightPlan);
            self.rule(start.can_wait() || !start.is_high_risk, entry, Rule::AbleToWait);
        }
        self.start = Some(start);
    }

    /// What the first record says holds. Where there is none, nothing is known of the run.
    pub(super) fn start_says(&self, holds: impl FnOnce(&Start) -> bool) -> bool {
        self.start.as_ref().is_none_or(holds)
    }
}
