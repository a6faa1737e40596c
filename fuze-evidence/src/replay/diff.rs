//! What two runs have in common and where they part: records that answer each other, and what differs in them.
//!
//! What is different in any two runs (times, ids, salted commitments, the keyed part of redaction marks) is left out. Content is
//! compared as far as it is open on both sides; where it is not, that is said.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::redact;
use crate::replay::{Content, Replay, Step};

/// Two runs side by side.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "content may not have been compared"]
pub struct Comparison {
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// Records that answer each other and whose content could not be compared, or not all of it, because it is not open on both
    /// sides. Nothing is known about that.
    pub not_compared: Vec<NotCompared>,
}

/// Two records whose content could not be compared as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCompared {
    /// The left one's place.
    pub left: u64,
    /// The right one's place.
    pub right: u64,
}

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
pub fn diff(left: &Replay, right: &Replay) -> Comparison {
    let mut found: Vec<Difference> = Vec::new();
    let mut not_compared = Vec::new();
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
                let mut changes = changes(left, right);
                if !contents(left, right, &mut changes) {
                    not_compared.push(NotCompared { left: left.sequence, right: right.sequence });
                }
                if !changes.is_empty() {
                    found.push(Difference::Changed { left: left.sequence, right: right.sequence, changes });
                }
            }
            (None, None) => {}
        }
    }
    Comparison { differences: found, not_compared }
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
    names
        .into_iter()
        .map(|what| Change { left: ours.remove(&what), right: theirs.remove(&what), what })
        .filter(|change| change.left != change.right)
        .collect()
}

/// Compares the contents of two records, and answers whether all of them could be compared.
fn contents(left: &Step, right: &Step, changes: &mut Vec<Change>) -> bool {
    let (ours, theirs) = match (&left.content, &right.content) {
        (None, None) => return true,
        (Some(ours), Some(theirs)) => (ours, theirs),
        // One of them has none.
        (ours, theirs) => {
            let (left, right) = (ours.as_ref().map(told), theirs.as_ref().map(told));
            changes.push(Change { what: "content".to_owned(), left, right });
            return true;
        }
    };
    // The same commitment is to the same content, open or not.
    if ours.root == theirs.root {
        return true;
    }
    let marks = redact::by_kind;
    if let (Some(left), Some(right)) = (&ours.value, &theirs.value) {
        if marks(left) != marks(right) {
            let (left, right) = (Some(left.clone()), Some(right.clone()));
            changes.push(Change { what: "content".to_owned(), left, right });
        }
        return true;
    }
    let (left, right) = (open(ours), open(theirs));
    for (path, left) in &left {
        if let Some(right) = right.get(path).filter(|right| marks(left) != marks(right)) {
            let (left, right) = (Some((*left).clone()), Some((*right).clone()));
            changes.push(Change { what: format!("content{path}"), left, right });
        }
    }
    false
}

/// The leaves that are open.
fn open(content: &Content) -> BTreeMap<&str, &Value> {
    let opened = content.fields.iter().filter_map(|field| field.opened.as_ref());
    opened.map(|(path, value)| (path.as_str(), value)).collect()
}

/// What can be told of a content, open or not.
fn told(content: &Content) -> Value {
    content.value.clone().unwrap_or_else(|| Value::String(format!("not open: {}", content.root)))
}
