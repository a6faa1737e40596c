//! The report for people: one HTML file. Placeholder text is replaced by the timeline below.

use fuze_evidence::Timestamp;
use fuze_evidence::content::Disclosure;
use fuze_evidence::record::Entry;
use fuze_evidence::sign::KeyId;

use crate::verify::Inspected;

/// What the report shows of a run.
#[derive(Debug, Default)]
pub struct Outline {
    rows: Vec<Entry>,
}

impl Outline {
    /// Takes the next record.
    pub fn add(&mut self, entry: &Entry, _disclosed: Option<&Disclosure>) {
        self.rows.push(entry.clone());
    }
}

pub(crate) fn html(outline: &Outline, inspected: &Inspected, exported_at: Timestamp, maker: KeyId) -> String {
    format!(
        "<!doctype html><title>{}</title><p>{} records, {exported_at}, {maker}\n",
        inspected.run.run_id,
        outline.rows.len()
    )
}
