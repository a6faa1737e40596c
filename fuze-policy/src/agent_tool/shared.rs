//! Rules of role policies that share the outcome of one condition about both actions.
//!
//! Cerbos 0.55 remembers the outcome of a role policy's rule for a whole request, by the rule's number among those for its resource, and
//! forgets the resource. Of two rules with one number, for `agent.tool` and for a pattern of it, the second that is looked at is decided by
//! the condition of the first, whatever action it is for. Where both can be for one action, that is by chance, and no set is taken at all.
//! Where they are for different ones it is certain, and Cerbos's own answers come of it; but a tool is asked about with both actions, so
//! that `invoke:auto` would be decided by the condition of `invoke`, and never by its own.

use std::collections::HashMap;

use crate::cerbos::{PolicySet, Problem, RoleRow};

use super::{ACTIONS, INVOKE, INVOKE_AUTO, KIND};

/// Rules about tools that are decided by the condition of another.
pub(super) fn find(set: &PolicySet) -> Vec<Problem> {
    let mut first: HashMap<u32, &RoleRow> = HashMap::new();
    let mut found = Vec::new();
    for row in set.role_rows().filter(|row| is_asked(row) && is_evaluated(row)) {
        let Some(other) = first.get(&row.outcome) else {
            first.insert(row.outcome, row);
            continue;
        };
        if row.rule.condition.is_none() && other.rule.condition.is_none() {
            continue;
        }
        let (one, two) = if other.rule.place < row.rule.place { (*other, row) } else { (row, *other) };
        let message = format!(
            "Cerbos 0.55 decides this rule and the one at {} by one condition, that of the action which is asked about first, so that \
             `{INVOKE_AUTO}` would hang on the condition of `{INVOKE}`: write both rules for the same resource, `{KIND}`",
            one.rule.place
        );
        found.push(Problem { place: two.rule.place.clone(), message });
    }
    found
}

fn is_asked(row: &RoleRow) -> bool {
    row.resource.matches(KIND)
        && ACTIONS.iter().any(|action| row.allow_actions.iter().any(|glob| glob.matches(action)))
}

/// Whether Cerbos looks at it at all: what says nothing and asks for nothing it leaves out.
fn is_evaluated(row: &RoleRow) -> bool {
    let output = &row.rule.output;
    row.rule.condition.is_some() || output.rule_activated.is_some() || output.condition_not_met.is_some()
}
