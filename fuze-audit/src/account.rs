//! Whether evidence accounts for every run that a log knows of. A log says of a run when it was opened and closed, and nothing
//! else; whose evidence is not handed over is found by its leaves being left over.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use fuze_evidence::anchor::{AnchorLine, LeafKind, LogLeaf};
use fuze_log::Policy;

use crate::anchored::{GatherError, RunRoots, lines_of};
use crate::source::RunSource;
use crate::verify::{AuditError, BundleReport, Trust, verify};

/// The runs of a log, and those of which there is evidence.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Leaves of runs, by index; those that some evidence opens are gone.
    left: BTreeMap<u64, LogLeaf>,
}

impl Accounts {
    /// Takes the next entry of the log. What is no leaf is reported elsewhere.
    pub fn observe(&mut self, index: u64, entry: &[u8]) {
        if let Ok(leaf) = LogLeaf::read(entry)
            && matches!(leaf.kind(), LeafKind::RunOpen | LeafKind::RunClose)
        {
            self.left.insert(index, leaf);
        }
    }

    fn take(&mut self, line: &AnchorLine) {
        if self.left.get(&line.index()) == Some(line.leaf()) {
            self.left.remove(&line.index());
        }
    }

    /// Takes a run where it lies: the leaves that open to its signed roots. Whether the rest of it is intact, verification says.
    ///
    /// # Errors
    /// When its `anchors.jsonl` cannot be read.
    pub fn run(&mut self, run: &dyn RunSource, roots: &RunRoots, policy: &Policy) -> Result<(), GatherError> {
        for line in lines_of(run)? {
            let opens = roots.open.iter().chain(&roots.close).any(|root| line.opens_to(root).is_ok());
            if opens && line.log().as_str() == policy.origin() {
                self.take(&line);
            }
        }
        Ok(())
    }

    /// Takes a bundle, which is verified. What it tells may still be against the rules: the report says so.
    ///
    /// # Errors
    /// When it does not verify.
    pub fn bundle(&mut self, bundle: impl Read + Seek, trust: &Trust) -> Result<BundleReport, AuditError> {
        let report = verify(bundle, trust)?;
        report.anchor_lines.iter().for_each(|line| self.take(line));
        Ok(report)
    }

    /// The leaves of which none of the evidence has the run: a run was left out, or its close was.
    pub fn left_out(&self) -> impl Iterator<Item = (u64, LeafKind)> {
        self.left.iter().map(|(index, leaf)| (*index, leaf.kind()))
    }
}
