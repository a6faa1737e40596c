//! What the annex says of one run, held against what is there. A statement that is not true is a failure of its own.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::report::{VerifyError, What};
use crate::annex::{Annex, AnnexEntry, Erased, ErasureReason, Event, GivenUp, failure};
use crate::hash::Hash;
use crate::name::Name;
use crate::record::{ContentRef, RunId};
use crate::retention::Windows;
use crate::time::Timestamp;

/// The statements about one run.
pub(crate) struct Explained<'a> {
    statements: Vec<&'a AnnexEntry>,
    /// The line that says that all content and the run's keys are gone.
    whole: Option<u64>,
    /// The line that says that the data subject's key is gone too.
    subject: Option<u64>,
    records: HashMap<Hash, u64>,
    fields: HashMap<Hash, BTreeMap<Hash, u64>>,
    /// The roots that the records commit to, and which belong to oversight.
    seen: HashMap<Hash, bool>,
    no_fields: BTreeMap<Hash, u64>,
}

impl<'a> Explained<'a> {
    pub(super) fn new(
        annexes: &[&'a Annex],
        origin: &Name,
        tenant: &Name,
        run: RunId,
    ) -> Result<Self, VerifyError> {
        let own = annexes.iter().filter(|annex| annex.origin() == origin && annex.tenant() == tenant);
        let statements: Vec<&AnnexEntry> = own.flat_map(|annex| annex.of_run(run)).collect();
        let (mut whole, mut subject) = (None, None);
        let mut records = HashMap::new();
        let mut fields: HashMap<Hash, BTreeMap<Hash, u64>> = HashMap::new();
        for entry in &statements {
            let Event::Erased(erasure) = &entry.event else { continue };
            match &erasure.what {
                Erased::Field { root, leaves } => {
                    let listed = leaves.iter().map(|leaf| (*leaf, entry.sequence));
                    fields.entry(*root).or_default().extend(listed);
                }
                Erased::Record { root } => {
                    records.entry(*root).or_insert(entry.sequence);
                }
                Erased::Run => {
                    whole.get_or_insert(entry.sequence);
                }
                Erased::Subject => {
                    whole.get_or_insert(entry.sequence);
                    subject.get_or_insert(entry.sequence);
                }
                Erased::Directory { .. } => return Err(there(entry.sequence, "the run as a whole")),
            }
        }
        let (seen, no_fields) = (HashMap::new(), BTreeMap::new());
        Ok(Self { statements, whole, subject, records, fields, seen, no_fields })
    }

    /// A record commits to `content`.
    pub(super) fn see(&mut self, content: &ContentRef, oversight: bool) {
        // Remembered only where something is to be compared: a run without statements costs nothing.
        if !self.statements.is_empty() {
            self.seen.insert(content.root, oversight);
        }
    }

    /// The statement that all content under `root` is gone.
    pub(super) fn gone(&self, root: Hash) -> Option<u64> {
        self.whole.or_else(|| self.records.get(&root).copied())
    }

    /// The statement that all content and the run's keys are gone.
    pub(super) const fn whole(&self) -> Option<u64> {
        self.whole
    }

    /// The statement that the data subject's key is gone.
    pub(super) const fn subject(&self) -> Option<u64> {
        self.subject
    }

    /// The leaves under `root` that are said to be gone, and by which line.
    pub(super) fn fields(&self, root: Hash) -> &BTreeMap<Hash, u64> {
        self.fields.get(&root).unwrap_or(&self.no_fields)
    }

    /// What can only be judged at the end: statements about nothing, and statements before their time.
    pub(super) fn finish(&self, end: &End, windows: Windows) -> Result<(), VerifyError> {
        let Some(last_at) = end.last_at else { return Ok(()) };
        // A run that closed is over with its close, another one when it was given up; before that nothing of it is erased.
        let mut over = end.closed.then_some(last_at);
        for entry in &self.statements {
            if let Event::GivenUp(given_up) = &entry.event {
                end.check_given_up(entry, given_up)?;
                over.get_or_insert(entry.at);
            }
            let root = match &entry.event {
                Event::Erased(erasure) => match &erasure.what {
                    Erased::Field { root, .. } | Erased::Record { root } => Some(*root),
                    Erased::Run | Erased::Subject | Erased::Directory { .. } => None,
                },
                Event::Contested(contest) | Event::LateOutcome(contest) => contest.root,
                Event::Hold(_) | Event::Release(_) | Event::GivenUp(_) => None,
            };
            if let Some(root) = root.filter(|root| !self.seen.contains_key(root)) {
                return Err(failure(entry.sequence, What::Unknown { what: format!("the content {root}") }));
            }
            let Event::Erased(erasure) = &entry.event else { continue };
            let Some(over) = over else {
                let expected = "a close, or a statement before that it was given up".to_owned();
                let (what, found) = ("the end of a run that was erased from", "neither".to_owned());
                return Err(failure(entry.sequence, What::Differs { what, expected, found }));
            };
            let ends = match erasure.reason {
                ErasureReason::Request | ErasureReason::ConsentWithdrawn => Some(over),
                ErasureReason::ContentWindow => windows.content_ends(over),
                ErasureReason::DecisionWindow => windows.decision_ends(over),
                ErasureReason::HashWindow => windows.hash_ends(over),
            };
            // Content of oversight outlives the content window, which therefore never explains its absence.
            let oversight = || match root {
                Some(root) => self.seen.get(&root) == Some(&true),
                None => self.seen.values().any(|&oversight| oversight),
            };
            let ends = match erasure.reason {
                ErasureReason::ContentWindow if oversight() => windows.decision_ends(over),
                _ => ends,
            };
            let from = ends.unwrap_or(Timestamp::MAX);
            if entry.at < from {
                return Err(failure(entry.sequence, What::Early { from, at: entry.at }));
            }
        }
        Ok(())
    }
}

/// How the records end.
pub(super) struct End {
    /// When the last one ended; none of a run without records.
    pub(super) last_at: Option<Timestamp>,
    pub(super) closed: bool,
    pub(super) count: u64,
    pub(super) head: Hash,
}

impl End {
    /// A run that was given up has no close, and ends where it ended then: a record more, or one less, is not the same run's.
    fn check_given_up(&self, entry: &AnnexEntry, given_up: &GivenUp) -> Result<(), VerifyError> {
        let differs = |what, expected: String, found: String| {
            Err(failure(entry.sequence, What::Differs { what, expected, found }))
        };
        let GivenUp { run_id: _, count, head } = given_up;
        if self.closed {
            return differs("the end of a run that was given up", "no close".into(), "`run.close`".into());
        }
        if *count != self.count {
            return differs(
                "the records of a run that was given up",
                count.to_string(),
                self.count.to_string(),
            );
        }
        if *head != self.head {
            return differs("the head of a run that was given up", head.to_string(), self.head.to_string());
        }
        match self.last_at.filter(|from| entry.at < *from) {
            Some(from) => Err(failure(entry.sequence, What::Early { from, at: entry.at })),
            None => Ok(()),
        }
    }
}

/// The statement of line `sequence` says that `what` is gone, and it is there.
pub(super) fn there(sequence: u64, what: impl Into<String>) -> VerifyError {
    failure(sequence, What::StillThere { what: what.into() })
}

/// The leaf list of `root` does not have a leaf that a statement names.
pub(super) fn check_leaves(
    root: Hash,
    listed: &BTreeMap<Hash, u64>,
    leaves: impl Iterator<Item = Hash>,
) -> Result<(), VerifyError> {
    if listed.is_empty() {
        return Ok(());
    }
    let there: HashSet<Hash> = leaves.collect();
    match listed.iter().find(|(leaf, _)| !there.contains(leaf)) {
        None => Ok(()),
        Some((leaf, sequence)) => {
            Err(failure(*sequence, What::Unknown { what: format!("the leaf {leaf} of the content {root}") }))
        }
    }
}
