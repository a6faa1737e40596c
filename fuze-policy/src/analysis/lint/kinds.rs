//! Kinds of resources that are `agent.tool` but for a slip: what is written for them, nobody asks about.

use super::super::Lint;
use super::Findings;
use crate::agent_tool::KIND;
use crate::cel::hints::distance;
use crate::cerbos::{Pattern, Place, PolicyKind, PolicySet, Whom};

/// Edits that make a slip.
const SLIP: usize = 2;

pub(super) fn find(set: &PolicySet, found: &mut Findings) {
    for policy in set.policies().iter().filter(|policy| policy.kind == PolicyKind::Resource) {
        look(&policy.name, &policy.place, found);
    }
    for row in set.rows() {
        if let Whom::Resource(Pattern::Exact(kind)) = &row.whom {
            look(kind, &row.rule.place, found);
        }
    }
    for row in set.role_rows() {
        if let Pattern::Exact(kind) = &row.resource {
            look(kind, &row.rule.place, found);
        }
    }
}

fn look(kind: &str, place: &Place, found: &mut Findings) {
    let folded = kind.to_lowercase();
    if kind != KIND && distance(&folded, KIND) <= SLIP {
        let message = format!("this is about `{kind}`, which is no tool: did you mean `{KIND}`?");
        found.add(Lint::UnknownKind, place, message);
    }
}
