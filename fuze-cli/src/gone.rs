//! Runs of which nothing is left, as the end of their last retention window leaves them, and the lines of the annexes that say so.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use fuze_evidence::annex::{Erased, Event};
use fuze_evidence::files::{MAX_ANNEX_BYTES, read_own};
use fuze_evidence::place::Place;
use fuze_evidence::verify::TrustedKeys;
use fuze_evidence::{Annex, Name, RunId, Timestamp};

use crate::outcome::{Problem, Result};
use crate::place::misplaced;

/// What an annex says of a run that was erased as a whole.
pub(crate) struct Gone {
    tenant: Name,
    /// The line of the annex, from 0.
    line: usize,
    pub(crate) at: Timestamp,
    by: Name,
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tenant, line, at, by } = self;
        write!(
            f,
            "the run was erased as a whole at the end of its last retention window, at {at}, by `{by}`: so says line {line} of the annex \
             of the tenant `{tenant}`, which holds. Nothing of it is left that could be verified"
        )
    }
}

/// All that the annexes of the store or sink in `directory` say was erased as a whole. An annex that `keys` do not verify vouches for
/// nothing.
pub(crate) fn from_all_annexes(directory: &Path, keys: &TrustedKeys<'_>) -> Result<BTreeMap<RunId, Gone>> {
    let place = Place::new(directory);
    place.check().map_err(misplaced)?;
    let annexes = place.annexes();
    let failed = |error| Problem::file(&annexes, error);
    let mut gone = BTreeMap::new();
    let entries = match fs::read_dir(&annexes) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(gone);
        }
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let octets = read_own(&path, MAX_ANNEX_BYTES).map_err(|error| Problem::file(&path, error))?;
        let Ok(annex) = Annex::read(&octets, keys) else { continue };
        for (line, entry) in annex.entries().iter().enumerate() {
            if let Event::Erased(erasure) = &entry.event
                && let Erased::Directory { .. } = erasure.what
            {
                let (tenant, by) = (annex.tenant().clone(), entry.by.clone());
                gone.insert(erasure.run_id, Gone { tenant, line, at: entry.at, by });
            }
        }
    }
    Ok(gone)
}
