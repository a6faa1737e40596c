//! Whether evidence accounts for every run that a log knows of. A log says of a run when it was opened and closed, and nothing
//! else; whose evidence is not handed over is found by its leaves being left over.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use fuze_evidence::anchor::{AnchorLine, LeafKind, LogLeaf};
use fuze_evidence::{RunId, Timestamp};
use fuze_log::Policy;

use crate::anchored::{GatherError, RunRoots, lines_of};
use crate::source::RunSource;
use crate::verify::{AuditError, BundleReport, Trust, verify};

/// The runs of a log, and those of which there is evidence.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Leaves of runs, by index; those that some evidence opens are gone.
    left: BTreeMap<u64, LogLeaf>,
    /// When the roots were signed that evidence has for leaves, by index.
    signed: BTreeMap<u64, Timestamp>,
}

/// A leaf of which none of the evidence has the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Its place in the log.
    pub index: u64,
    /// What it is of the run.
    pub kind: LeafKind,
    /// Of an open, until when a close was due.
    pub deadline: Option<Timestamp>,
    /// It was not in the log before: a root that stands before it was signed then.
    pub not_before: Option<Timestamp>,
}

/// Clocks differ, though not by days.
fn day_after(at: Timestamp) -> Timestamp {
    at.plus_days(1).unwrap_or(Timestamp::MAX)
}

/// A run that was erased as a whole, as an annex says, with what would open its leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// The run.
    pub run: RunId,
    /// When, as the annex says.
    pub at: Timestamp,
}

impl Gone {
    /// Whether it can be true at `now`: a run is erased after it was made, and not in the future. A day is left for clocks that differ.
    #[must_use]
    pub fn can_be(&self, now: Timestamp) -> bool {
        self.run.made_at() <= day_after(self.at) && self.at <= day_after(now)
    }
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

    fn take(&mut self, line: &AnchorLine, signed: Option<Timestamp>) {
        if self.left.get(&line.index()) == Some(line.leaf()) {
            self.left.remove(&line.index());
            self.signed.extend(signed.map(|at| (line.index(), at)));
        }
    }

    /// Takes a run where it lies: the leaves that open to its signed roots. Whether the rest of it is intact, verification says.
    ///
    /// # Errors
    /// When its `anchors.jsonl` cannot be read.
    pub fn run(&mut self, run: &dyn RunSource, roots: &RunRoots, policy: &Policy) -> Result<(), GatherError> {
        for line in lines_of(run)? {
            let opened = roots.open.iter().chain(&roots.close).find(|root| line.opens_to(root).is_ok());
            if let Some(root) = opened
                && line.log().as_str() == policy.origin()
            {
                self.take(&line, Some(root.root().at));
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
        report.anchor_lines.iter().for_each(|line| self.take(line, None));
        Ok(report)
    }

    /// The leaves of which none of the evidence has the run: a run was left out, or its close was.
    pub fn left_out(&self) -> impl Iterator<Item = LeftOut> {
        let mut signed = self.signed.iter().peekable();
        let mut not_before = None;
        self.left.iter().map(move |(&index, leaf)| {
            while let Some((_, &at)) = signed.next_if(|(place, _)| **place < index) {
                not_before = not_before.max(Some(at));
            }
            LeftOut { index, kind: leaf.kind(), deadline: leaf.deadline(), not_before }
        })
    }

    /// Whether each leaf that is left out can be of another one of the runs in `gone`, as far as times tell: a run was erased after its leaves
    /// were in the log, and made before the time until when its close was due. Which run a leaf is of, nothing tells any more.
    #[must_use]
    pub fn can_be_of(&self, gone: &[Gone]) -> bool {
        [LeafKind::RunOpen, LeafKind::RunClose].into_iter().all(|kind| {
            let left: Vec<LeftOut> = self.left_out().filter(|left| left.kind == kind).collect();
            // Runs that can be of the later leaves can be of the earlier ones as well, so that it is enough to count from each time on; and
            // so with deadlines.
            let (mut erased, mut not_before): (Vec<_>, Vec<_>) = (
                gone.iter().map(|gone| Some(day_after(gone.at))).collect(),
                left.iter().map(|left| left.not_before).collect(),
            );
            let (mut made, mut deadlines): (Vec<_>, Vec<_>) = (
                gone.iter().map(|gone| gone.run.made_at()).collect(),
                left.iter().filter_map(|left| left.deadline).collect(),
            );
            erased.sort_unstable_by(|one, other| other.cmp(one));
            not_before.sort_unstable_by(|one, other| other.cmp(one));
            made.sort_unstable();
            deadlines.sort_unstable();
            left.len() <= gone.len()
                && erased.iter().zip(&not_before).all(|(erased, not_before)| erased >= not_before)
                && made.iter().zip(&deadlines).all(|(made, deadline)| made < deadline)
        })
    }
}
