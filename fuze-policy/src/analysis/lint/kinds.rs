//! Kinds of resources that are `agent.tool` but for a slip: what is written for them, nobody asks about.

use super::super::Lint;
use super::Findings;
use crate::agent_tool::KIND;
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

/// How many characters have to be put in, taken out or exchanged (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut left = at + 1;
        let mut above_left = at;
        let mut next = vec![left];
        for (above, d) in row.iter().skip(1).zip(&other) {
            left = (left + 1).min(above + 1).min(above_left + usize::from(c != *d));
            above_left = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_edits() {
        for (one, other, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("agent.tool", "agent.tool", 0),
            ("agent.tools", "agent.tool", 1),
            ("agent-tool", "agent.tool", 1),
            ("agnet.tool", "agent.tool", 2),
            ("agenttool", "agent.tool", 1),
            ("album", "agent.tool", 9),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), edits, "{one} {other}");
            assert_eq!(distance(other, one), edits, "{other} {one}");
        }
    }
}
