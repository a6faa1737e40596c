//! What is kept of a run for showing it: bounded, however long the run.

use fuze_evidence::content::{DisclosedLeaf, Disclosure};
use fuze_evidence::record::Entry;
use fuze_evidence::{Hash, Span, jcs};

use super::words::Story;

/// Records that are shown, from the first on; decisions beyond, and what was asked for them, are shown too, up to as many again.
const MAX_ROWS: usize = 2000;
/// Disclosed fields shown of one record.
const MAX_FIELDS: usize = 200;
/// Characters shown of one field.
const MAX_CHARS: usize = 2000;

/// What the report shows of a run.
#[derive(Debug, Default)]
pub struct Outline {
    rows: Vec<Row>,
    total: u64,
}

/// A record that is shown.
#[derive(Debug)]
pub struct Row {
    /// The record.
    pub entry: Entry,
    /// Disclosed fields: JSON Pointer and canonical value, both perhaps shortened.
    pub fields: Vec<(String, String)>,
    /// How many leaves of its content are disclosed and not shown.
    pub more_fields: u64,
    /// Its content is gone, and an erasure explains it.
    pub erased: bool,
    /// How many leaves of its content are not disclosed.
    pub withheld: u64,
}

impl Outline {
    /// Takes the next record.
    pub fn add(&mut self, entry: &Entry, disclosed: Option<&Disclosure>) {
        self.total += 1;
        let room = if decides(&entry.span) { 2 * MAX_ROWS } else { MAX_ROWS };
        if self.rows.len() >= room {
            return;
        }
        let mut row =
            Row { entry: entry.clone(), fields: Vec::new(), more_fields: 0, erased: false, withheld: 0 };
        row.erased = entry.content.is_some() && disclosed.is_none();
        for leaf in disclosed.map_or(&[][..], |disclosure| &disclosure.leaves) {
            match leaf {
                DisclosedLeaf::Leaf(_) if row.fields.len() >= MAX_FIELDS => row.more_fields += 1,
                DisclosedLeaf::Leaf(opening) => {
                    let value = jcs::to_vec(&opening.value).unwrap_or_default();
                    let value = String::from_utf8_lossy(&value);
                    row.fields.push((shorten(&opening.path), shorten(&value)));
                }
                DisclosedLeaf::Hash(_) => row.withheld += 1,
                DisclosedLeaf::Decoy(_) => {}
            }
        }
        // Leaves stand in the order of their hashes, which says nothing to anyone.
        row.fields.sort();
        self.rows.push(row);
    }

    /// What is shown, in the order of the records.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What the records that are shown tell of one another.
    pub(super) fn story(&self) -> Story {
        Story::of(self.rows.iter().map(|row| (&row.entry).into()))
    }

    /// The row of the record whose content has this root.
    pub(super) fn of_content(&self, root: Hash) -> Option<&Row> {
        self.rows.iter().find(|row| row.entry.content.is_some_and(|content| content.root == root))
    }

    /// How many records are not shown.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.total.saturating_sub(self.rows.len() as u64)
    }
}

/// Whether somebody decided, or was asked to.
const fn decides(span: &Span) -> bool {
    match span {
        Span::PolicyEvaluate(_) | Span::OversightSuspend(_) | Span::HumanDecision(_) | Span::RunCancel(_) => {
            true
        }
        Span::Guardrail(a) => a.tripped,
        Span::AgentInvoke(_)
        | Span::ModelGenerate(_)
        | Span::ToolExecute(_)
        | Span::RunResume(_)
        | Span::RunGap(_)
        | Span::ModelDrift(_)
        | Span::RunClose(_) => false,
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{} […]", text.get(..at).unwrap_or_default()),
    }
}
