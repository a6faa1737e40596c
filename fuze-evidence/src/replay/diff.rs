//! What two runs have in common and where they part: records that answer each other, and what differs in them.
//!
//! What is different in any two runs (times, ids, salted commitments) is left out; content is compared where both could be opened.

use serde_json::Value;

use crate::replay::{Replay, Step};

/// A place where two runs differ.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// The runs as a whole: agent, model, policy, law, end.
    Run(Change),
    /// A record that only the left one has.
    OnlyLeft {
        /// Its place.
        sequence: u64,
    },
    /// A record that only the right one has.
    OnlyRight {
        /// Its place.
        sequence: u64,
    },
    /// Records that answer each other and say different things.
    Changed {
        /// The left one's place.
        left: u64,
        /// The right one's place.
        right: u64,
        /// What differs.
        changes: Vec<Change>,
    },
}

/// One value that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which one: an attribute's name on the wire, `status`, or `content`.
    pub what: String,
    /// In the left run; `None` where it has none.
    pub left: Option<Value>,
    /// In the right run.
    pub right: Option<Value>,
}

/// Beyond this many pairs the records are compared place by place.
const MAX_PAIRS: usize = 16_000_000;

/// Attributes that differ between any two runs, or follow from others.
const FRESH: &[&str] = &[
    "fuze.approval.step",
    "fuze.model.history_hash",
    "fuze.oversight.decision_hash",
    "fuze.oversight.epoch",
    "fuze.oversight.expires_at",
    "fuze.oversight.modified_args_hash",
    "fuze.oversight.snapshot_hash",
    "fuze.oversight.token_hash",
    "fuze.run.count",
    "fuze.run.epoch",
    "fuze.tool.args_hash",
    "fuze.tool.exec_id",
];

/// Compares two runs.
#[must_use]
pub fn diff(left: &Replay, right: &Replay) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let status = |replay: &Replay| replay.status.map(|status| Value::from(status.as_str()));
    if status(left) != status(right) {
        let change = Change { what: "status".to_owned(), left: status(left), right: status(right) };
        found.push(Difference::Run(change));
    }
    for pair in align(&left.steps, &right.steps) {
        match pair {
            (Some(left), None) => found.push(Difference::OnlyLeft { sequence: left.sequence }),
            (None, Some(right)) => found.push(Difference::OnlyRight { sequence: right.sequence }),
            (Some(left), Some(right)) => {
                let changes = changes(left, right);
                if !changes.is_empty() {
                    found.push(Difference::Changed { left: left.sequence, right: right.sequence, changes });
                }
            }
            (None, None) => {}
        }
    }
    found
}

/// What a record is about: records that are about the same answer each other.
fn about(step: &Step) -> (&'static str, Option<Value>, Option<Value>) {
    let mut attributes = step.attributes();
    let mut take = |names: &[&str]| names.iter().find_map(|name| attributes.remove(*name));
    let which = take(&["gen_ai.tool.name", "fuze.guardrail.name", "fuze.oversight.overseer"]);
    let place = take(&["fuze.tool.call_index", "fuze.guardrail.phase", "fuze.gap.what"]);
    (step.span.name(), which, place)
}

type Pair<'s> = (Option<&'s Step>, Option<&'s Step>);

/// The longest common subsequence of what the records are about.
fn align<'s>(left: &'s [Step], right: &'s [Step]) -> Vec<Pair<'s>> {
    let (rows, columns) = (left.len() + 1, right.len() + 1);
    if rows.saturating_mul(columns) > MAX_PAIRS {
        let longest = left.len().max(right.len());
        return (0..longest).map(|at| (left.get(at), right.get(at))).collect();
    }
    let about_left: Vec<_> = left.iter().map(about).collect();
    let about_right: Vec<_> = right.iter().map(about).collect();
    // lengths[i * columns + j]: how much the rests from i and j on have in common.
    let mut lengths = vec![0u32; rows * columns];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * columns + j).copied().unwrap_or(0);
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            let length = if about_left.get(i) == about_right.get(j) {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(place) = lengths.get_mut(i * columns + j) {
                *place = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < left.len() || j < right.len() {
        let same = i < left.len() && j < right.len() && about_left.get(i) == about_right.get(j);
        if same {
            pairs.push((left.get(i), right.get(j)));
            i += 1;
            j += 1;
        } else if j >= right.len() || (i < left.len() && at(&lengths, i + 1, j) >= at(&lengths, i, j + 1)) {
            pairs.push((left.get(i), None));
            i += 1;
        } else {
            pairs.push((None, right.get(j)));
            j += 1;
        }
    }
    pairs
}

fn changes(left: &Step, right: &Step) -> Vec<Change> {
    let (mut ours, mut theirs) = (left.attributes(), right.attributes());
    for fresh in FRESH {
        ours.remove(*fresh);
        theirs.remove(*fresh);
    }
    let mut names: Vec<String> = ours.keys().chain(theirs.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|what| Change { left: ours.remove(&what), right: theirs.remove(&what), what })
        .filter(|change| change.left != change.right)
        .collect();
    let value = |step: &Step| step.content.as_ref().and_then(|content| content.value.clone());
    if let (Some(ours), Some(theirs)) = (value(left), value(right))
        && ours != theirs
    {
        changes.push(Change { what: "content".to_owned(), left: Some(ours), right: Some(theirs) });
    }
    changes
}
