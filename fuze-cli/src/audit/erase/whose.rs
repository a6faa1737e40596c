//! Whose runs an order is about: a tenant's name is held against the runs before anything is erased. Judges no evidence.

use std::path::Path;

use fuze_evidence::erase::EraseError;
use fuze_evidence::place as evidence;
use fuze_evidence::{Name, RunId};
use fuze_store::Query;

use crate::outcome::{Problem, Result};
use crate::place::{Place, Places, STORE, open_store};

/// Refuses an order about a run that is not the named tenant's.
pub(super) fn check(directory: &Path, run: RunId, tenant: &Name) -> Result<()> {
    let found = of(directory, run)?;
    if found == *tenant {
        return Ok(());
    }
    Err(Problem::failed(format_args!(
        "`{}`: run {run} is of the tenant `{found}`, and `--tenant` says `{tenant}`: nothing was erased; name the run that you mean, \
         or its tenant",
        directory.display()
    )))
}

/// Whose a run is, as its first record says.
pub(super) fn of(directory: &Path, run: RunId) -> Result<Name> {
    let place = match directory.join(STORE).exists() {
        true => Place::Stored { store: directory.to_owned(), run },
        false => Place::Run(evidence::Place::new(directory).run(run)),
    };
    place.source()?.tenant().ok_or_else(|| {
        Problem::failed(format_args!(
            "`{}`: run {run} has no record here that says whose it is, so that it cannot be held against `--tenant`; nothing of it was \
             erased",
            directory.display()
        ))
    })
}

/// How many runs of a tenant were looked at for a person of whom nothing was found.
///
/// # Errors
/// When there are none and never were, as for every other order about a tenant.
pub(super) fn looked_at(directory: &Path, tenant: &Name) -> Result<u64> {
    let runs =
        if directory.join(STORE).exists() { listed(directory, tenant)? } else { filed(directory, tenant)? };
    // Of runs that have all gone their annex is left.
    let said = evidence::Place::new(directory).annex(tenant).exists();
    if runs == 0 && !said {
        return Err(super::problem(directory, &EraseError::UnknownTenant { tenant: tenant.clone() }));
    }
    Ok(runs)
}

fn listed(store: &Path, tenant: &Name) -> Result<u64> {
    let reader = open_store(store)?;
    let (mut runs, mut query) = (0, Query::new().tenant(tenant.clone()).limit(Query::MAX_PAGE));
    loop {
        let page = reader.query(&query).map_err(|error| Problem::file(store, error))?;
        runs += page.runs.len() as u64;
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(runs),
        }
    }
}

fn filed(directory: &Path, tenant: &Name) -> Result<u64> {
    let Places::Runs(places) = Place::all(directory)? else { return Ok(0) };
    let mut runs = 0;
    for place in places {
        runs += u64::from(place.source()?.tenant().is_some_and(|found| found == *tenant));
    }
    Ok(runs)
}
