//! A data subject's key between its making and its run's: one without a run would stay behind, and nobody would look for it.
//!
//! Keys are kept apart from runs, so no transaction makes both. A process that dies in between leaves the key; whoever erases the person
//! finds it by its alias.

use std::sync::Arc;

use fuze_evidence::keys::{SubjectKeyError, SubjectKeys};
use fuze_evidence::{Name, RunId};

use super::journal::Home;
use crate::store::StoreError;

/// A key that was made for a run that is not in its home yet. Dropped so, the key is erased.
pub(crate) struct NewSubjectKey {
    subjects: Arc<dyn SubjectKeys>,
    alias: Option<Name>,
}

impl NewSubjectKey {
    pub(crate) fn new(subjects: Arc<dyn SubjectKeys>, alias: Name) -> Self {
        Self { subjects, alias: Some(alias) }
    }

    /// Whether the run stands is not known from here on: nothing is erased by dropping this.
    pub(crate) fn handed_over(mut self) -> HandedOver {
        HandedOver { subjects: Arc::clone(&self.subjects), alias: self.alias.take() }
    }
}

impl Drop for NewSubjectKey {
    fn drop(&mut self) {
        if let Some(alias) = self.alias.take() {
            // Whoever waited for the run is gone, or hears of what stopped it.
            self.subjects.erase(&alias).ok();
        }
    }
}

/// A key whose run was handed to its home, which has not answered yet.
pub(crate) struct HandedOver {
    subjects: Arc<dyn SubjectKeys>,
    alias: Option<Name>,
}

impl HandedOver {
    /// The home refused: the key goes, unless the run may stand all the same. In files nothing of a first batch that failed counts.
    pub(crate) async fn refused(self, home: &Home, run: RunId) -> Result<(), SubjectKeyError> {
        let absent = match home {
            Home::Sink(_) => true,
            Home::Store(store) => matches!(store.load(run).await, Err(StoreError::NotFound)),
        };
        match self.alias.filter(|_| absent) {
            Some(alias) => self.subjects.erase(&alias),
            None => Ok(()),
        }
    }
}
