//! The engine that allows everything, for experiments. It cannot be reached by a feature or a default: only by the call
//! whose name says what it does, and the run's first record says so too.

use super::{Engine, EngineError, EngineIdentity};
use crate::{Decision, Request, RuleId, Verdict};

/// Allows every call.
#[derive(Clone, Debug)]
pub struct Permissive(());

impl Permissive {
    /// An engine without rules. Every run under it is recorded as permissive.
    #[must_use]
    pub fn dangerous_allow_everything() -> Self {
        Self(())
    }
}

impl Engine for Permissive {
    fn identity(&self) -> EngineIdentity {
        EngineIdentity { name: "permissive/1".into(), bundle_hash: [0; 32], permissive: true }
    }

    fn decide(&self, _: &Request<'_>) -> Result<Verdict, EngineError> {
        Ok(Verdict::new(Decision::Allow, RuleId::new("permissive")))
    }
}
