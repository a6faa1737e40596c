//! Which rules are asked about tools.

use crate::cerbos::{PolicyKind, PolicySet, Row, Whom};

use super::{ACTIONS, KIND, VERSION};

/// The rows of a set that are asked about tools: those of the version that is asked, for an action that is.
pub(crate) fn rows(set: &PolicySet) -> impl Iterator<Item = &Row> {
    set.rows().iter().filter(|row| {
        let Some(policy) = set.policy(row.policy) else { return false };
        let kind = match (policy.kind, &row.whom) {
            (PolicyKind::Resource, _) => &*policy.name == KIND,
            // A run's principal is looked for in the root alone.
            (PolicyKind::Principal, Whom::Resource(resource)) => {
                policy.scope.is_empty() && resource.matches(KIND)
            }
            _ => false,
        };
        kind && &*policy.version == VERSION && ACTIONS.iter().any(|action| row.action.matches(action))
    })
}
