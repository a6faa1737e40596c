//! Which model the run has, and where that is.

use crate::name::Name;
use crate::span::{AgentInvoke, ModelDrift, ModelGenerate};
use crate::vocab::{Classification, Residency};

/// What records have said of the model. Another one may take the run up, so where it is said to be holds until then.
#[derive(Default)]
pub(super) struct Model {
    snapshot: Option<Name>,
    residency: Option<Residency>,
    /// It was outside the EU.
    was_outside: bool,
    /// A tool handles special categories of personal data.
    hears_special: bool,
}

impl Model {
    pub(super) fn begins(&mut self, invoke: &AgentInvoke) {
        self.snapshot = Some(invoke.model_snapshot.clone());
        self.residency = Some(invoke.model_residency);
        self.was_outside = invoke.model_residency != Residency::Eu;
    }

    pub(super) const fn resumed(&mut self) {
        self.residency = None;
    }

    /// Whether it is where it was.
    pub(super) fn asked(&mut self, request: &ModelGenerate) -> bool {
        self.was_outside |= request.residency != Residency::Eu;
        *self.residency.get_or_insert(request.residency) == request.residency
    }

    /// Whether another takes over from the one that was there.
    pub(super) fn drifts(&mut self, drift: &ModelDrift) -> bool {
        let before = self.snapshot.replace(drift.to.clone());
        drift.from != drift.to && before.is_none_or(|before| before == drift.from)
    }

    /// The end of a call says what its tool handles.
    pub(super) fn hears(&mut self, handles: Classification) {
        self.hears_special |= handles == Classification::SpecialCategory;
    }

    /// Special categories stay in the EU: the framework's policy.
    pub(super) const fn is_near_enough(&self) -> bool {
        !(self.hears_special && self.was_outside)
    }
}
