//! Which holds stand. Each release ends one hold of its scope and reason: two claims need two releases.

use std::collections::HashMap;

use super::AnnexError;
use super::entry::{AnnexEntry, Event, Hold, HoldReason, HoldScope};
use crate::record::RunId;

#[derive(Debug, Clone, Default)]
pub(super) struct Holds {
    /// The lines that ordered each, the latest last; never an empty list.
    standing: HashMap<Hold, Vec<u64>>,
}

impl Holds {
    /// What the next line changes, or why it cannot stand.
    pub(super) fn take(&mut self, entry: &AnnexEntry) -> Result<(), AnnexError> {
        match &entry.event {
            Event::Erased(erasure) => self.check(erasure.run_id),
            Event::Contested(_) | Event::LateOutcome(_) | Event::GivenUp(_) => Ok(()),
            Event::Hold(hold) => {
                self.standing.entry(*hold).or_default().push(entry.sequence);
                Ok(())
            }
            Event::Release(hold) => {
                let lines = self.standing.get_mut(hold).ok_or(AnnexError::NothingHeld)?;
                lines.pop();
                if lines.is_empty() {
                    self.standing.remove(hold);
                }
                Ok(())
            }
        }
    }

    pub(super) fn check(&self, run: RunId) -> Result<(), AnnexError> {
        self.check_all()?;
        self.check_scope(HoldScope::Run(run))
    }

    /// Whether a hold of the whole tenant stands.
    pub(super) fn check_all(&self) -> Result<(), AnnexError> {
        self.check_scope(HoldScope::Tenant)
    }

    fn check_scope(&self, scope: HoldScope) -> Result<(), AnnexError> {
        let standing = HoldReason::ALL.iter().find_map(|&reason| {
            let line = self.standing.get(&Hold { scope, reason })?.first()?;
            Some(AnnexError::Held { line: *line, reason })
        });
        standing.map_or(Ok(()), Err)
    }
}
