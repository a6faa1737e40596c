//! What crashes leave behind in files: runs without a close, which nobody can go on with, and runs that never began.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::{EraseError, RunFacts};
use super::under_way::Of;
use super::{Archive, files, find};
use crate::annex::{Event, GivenUp};
use crate::name::Name;
use crate::place::check_erasable;
use crate::record::RunId;
use crate::sink::{self, RECORDS, UNBEGUN};
use crate::time::Timestamp;

/// What came of giving up a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what was cut off or put aside is to be reported"]
pub enum GaveUp {
    /// The annex says so.
    Run {
        /// Whether it says so since now.
        already: bool,
        /// Each file of the run that a crash had torn, and how many octets were cut off.
        cut: Vec<(PathBuf, u64)>,
    },
    /// It had never begun, and nobody was told that it had: its directory was put aside under this name.
    Unbegun(PathBuf),
}

impl Archive<'_> {
    /// Gives up a run that a crash left without a close: cuts off what the crash tore ([`crate::sink::recover`]), and says in the annex
    /// how many records there are and that there will be no more. From then on it is erased from like a closed run (GDPR Art. 17), and
    /// its windows begin; it still verifies as not closed.
    ///
    /// Only a run that nobody can go on with: no store has it, and no process writes it (its files are locked as long as one does).
    ///
    /// # Errors
    /// [`EraseError::Closed`] when there is nothing to be given up; [`EraseError::NotClosed`] when a store has the run;
    /// [`EraseError::Locked`] while somebody writes it; and when a crash does not explain what is there.
    pub fn give_up(&self, run: RunId, at: Timestamp, by: &Name) -> Result<GaveUp, EraseError> {
        self.refuse_unfinished(Of::Run(run))?;
        let directory = self.run_directory(run);
        check_erasable(&directory)?;
        if !directory.is_dir() {
            return Err(EraseError::UnknownRun(run));
        }
        // Before anything is cut off: whose run it is. What cannot be read `recover` judges.
        if let Ok(Some(first)) = self.begins(run) {
            self.registrar.check_origin(&first)?;
            if first.store.is_some() {
                return Err(first.not_closed());
            }
        }
        let sink::Recovered { cut, unbegun } = sink::recover(&directory)?;
        if let Some(path) = unbegun {
            return Ok(GaveUp::Unbegun(path));
        }
        let before = self.facts(run)?;
        if before.close.is_some() {
            return Err(EraseError::Closed(run));
        }
        let at = before.last_at.max(at);
        let (held, mut annex) = self.hold_annex_to_say(&before.tenant, at, Some(&before))?;
        let _run = self.hold_run(run)?;
        // Once more, now that nobody else can begin anything.
        self.refuse_unfinished(Of::Tenant(&before.tenant))?;
        let facts = self.facts(run)?;
        if facts != before {
            return Err(EraseError::Locked { path: directory });
        }
        let (count, head) = facts.head;
        let given_up = GivenUp { run_id: run, count, head };
        match annex.given_up(run) {
            Some((_, said)) if said == given_up => return Ok(GaveUp::Run { already: true, cut }),
            Some(_) => return Err(EraseError::WentOn { run }),
            None => {}
        }
        let line = self.registrar.append(&mut annex, at, by, Event::GivenUp(given_up))?;
        self.disk.append(&held.file, &held.path, &line)?;
        Ok(GaveUp::Run { already: false, cut })
    }

    /// When a run that never closed was given up, if it still is as it was then.
    pub(super) fn given_up_at(&self, facts: &RunFacts) -> Result<Timestamp, EraseError> {
        match self.annex(&facts.tenant)?.given_up(facts.run_id) {
            Some((at, given_up)) if facts.head == (given_up.count, given_up.head) => Ok(at),
            Some(_) => Err(EraseError::WentOn { run: facts.run_id }),
            None => Err(facts.not_closed()),
        }
    }

    /// Removes what [`crate::sink::recover`] put aside as never begun, when its content window has ended at `now`, counted from when
    /// its id was made; at once where not even its first record is there, for nothing says how long it may stay. Says which.
    ///
    /// The annex says nothing of it: nobody was told of the run, and no record commits to what goes.
    ///
    /// # Errors
    /// When something cannot be read or removed. What another deployment or a hold keeps is left where it is.
    pub fn retain_unbegun(&self, now: Timestamp) -> Result<Vec<RunId>, EraseError> {
        let mut removed = Vec::new();
        for Unbegun { run, path, first } in self.unbegun()? {
            let days = first.as_ref().map_or(0, |first| first.windows.content_days);
            let over = run.made_at().plus_days(days).is_some_and(|end| end <= now);
            if over && self.may_go(run, first.as_ref())? {
                check_erasable(&path)?;
                self.remove_run(&path)?;
                removed.push(run);
            }
        }
        Ok(removed)
    }

    /// Removes what was put aside of the persons with these aliases.
    pub(super) fn erase_unbegun(&self, aliases: &[Name]) -> Result<Vec<RunId>, EraseError> {
        let mut removed = Vec::new();
        for unbegun in self.unbegun()? {
            let theirs = self.alias_of(&unbegun)?.is_some_and(|alias| aliases.contains(&alias));
            if theirs && self.may_go(unbegun.run, unbegun.first.as_ref())? {
                check_erasable(&unbegun.path)?;
                self.remove_run(&unbegun.path)?;
                removed.push(unbegun.run);
            }
        }
        Ok(removed)
    }

    /// The aliases of what was put aside.
    pub(super) fn aliases_put_aside(&self) -> Result<BTreeSet<Name>, EraseError> {
        let aliases = self.unbegun()?.into_iter().map(|unbegun| self.alias_of(&unbegun));
        aliases.filter_map(Result::transpose).collect()
    }

    fn alias_of(&self, unbegun: &Unbegun) -> Result<Option<Name>, EraseError> {
        match &unbegun.first {
            Some(first) => Ok(first.subject.clone()),
            // Keys are durable before the first record.
            None => Ok(self.alias_of_keys(&unbegun.path)?.flatten()),
        }
    }

    /// Whether it is this deployment's and no hold keeps it, as far as its first record says whose it is.
    fn may_go(&self, run: RunId, first: Option<&RunFacts>) -> Result<bool, EraseError> {
        let Some(first) = first else { return Ok(true) };
        Ok(self.registrar.check_origin(first).is_ok()
            && self.annex(&first.tenant)?.check_not_held(run).is_ok())
    }

    /// What was put aside, in the order of the runs' ids.
    fn unbegun(&self) -> Result<Vec<Unbegun>, EraseError> {
        let named = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(UNBEGUN)?.parse::<RunId>().ok();
        self.place.check()?;
        let paths = files(&self.place.runs())?;
        let there = paths.into_iter().filter_map(|path| named(&path).map(|run| (run, path)));
        there
            .map(|(run, path)| {
                let line = find(&path.join(RECORDS), |_| true)?;
                let first = line.and_then(|line| RunFacts::read([Ok(line)]).ok());
                Ok(Unbegun { run, first: first.filter(|first| first.run_id == run), path })
            })
            .collect()
    }
}

/// A run that never began.
struct Unbegun {
    run: RunId,
    path: PathBuf,
    /// What its first record says, if that is there.
    first: Option<RunFacts>,
}
