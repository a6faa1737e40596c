//! Erasure over the files of a deployment without a store: `runs/`, `annex/`, and `erasures/` for what is under way.
//!
//! An erasure is an intent, then the subject's key, then the run's files, then the annex, then the intent's end; each is
//! durable before the next, and each may be done again. After a crash [`Archive::recover`] goes through the same steps.

mod left;
mod under_way;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, io, read_if_there};
use super::intent::Intent;
use super::plan::{Lines, Plan};
use super::rewrite::{content_after, keys_after, rewritten};
use super::{Done, EraseError, Order, Registrar, RunFacts, Target};
use crate::annex::{Annex, Contest, Event, Hold, RETENTION};
use crate::content::{ContentLine, KeysLine};
use crate::files::{MAX_ANNEX_BYTES, open_own, read_own};
use crate::hash::Hash;
use crate::keys::{MasterKey, Person, RunKeys, SubjectKeys};
use crate::name::Name;
use crate::place::{Place, check_erasable};
use crate::record::RunId;
use crate::sink::{CONTENT, KEYS, RECORDS, ROOTS};
use crate::time::Timestamp;

pub use left::GaveUp;
use under_way::Of;
pub use under_way::Recovered;

/// A deployment's evidence in files, as [`crate::sink::JsonlSink`] writes it. Whoever erases is alone: a tenant's annex and a run are
/// locked while something is done to them.
#[derive(Debug)]
pub struct Archive<'k> {
    place: Place,
    registrar: Registrar,
    keys: Keys<'k>,
    keys_alone: KeysAlone,
    pub(super) disk: Disk,
}

/// What becomes of the keys of an erased person under whose aliases no run is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeysAlone {
    /// They stay, and are told. The runs that they open may be in another place that shares the keys, held there, and with nothing that
    /// would explain what is gone.
    #[default]
    Keep,
    /// They are erased, for a tenant whose lines in the annex an auditor would hear. Whoever orders this knows that their runs are
    /// nowhere else.
    Erase,
}

#[derive(Clone, Copy, Default)]
struct Keys<'k> {
    master: Option<&'k MasterKey>,
    subjects: Option<&'k dyn SubjectKeys>,
}

impl std::fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// What came of erasing a person: one answer for each run of that person that is here.
#[derive(Debug)]
#[must_use = "some runs may be held or waiting"]
pub struct PersonErased {
    /// By run. A run that waits or is held keeps its content and its key; so does one whose first record cannot be read, which stands
    /// here unless its keys say that it is somebody else's.
    pub runs: BTreeMap<RunId, Result<Done, EraseError>>,
    /// Keys of aliases under which no run is here, or one that had never begun: erased.
    pub keys_alone: Vec<Name>,
    /// Keys of aliases under which no run is here that stayed: see [`KeysAlone`].
    pub keys_left: Vec<Name>,
    /// Runs of that person that had never begun, and lay put aside: removed.
    pub unbegun: Vec<RunId>,
}

impl<'k> Archive<'k> {
    /// Over `directory`, the one that a sink was given.
    pub fn new(directory: impl Into<PathBuf>, registrar: Registrar) -> Self {
        Self {
            place: Place::new(directory),
            registrar,
            keys: Keys::default(),
            keys_alone: KeysAlone::Keep,
            disk: Disk::default(),
        }
    }

    /// Fields are found with the master key.
    #[must_use]
    pub const fn master_key(mut self, master: &'k MasterKey) -> Self {
        self.keys.master = Some(master);
        self
    }

    /// Where the keys of data subjects are.
    #[must_use]
    pub fn subject_keys(mut self, subjects: &'k dyn SubjectKeys) -> Self {
        self.keys.subjects = Some(subjects);
        self
    }

    /// What becomes of a person's keys under whose aliases no run is here.
    #[must_use]
    pub const fn keys_alone(mut self, keys_alone: KeysAlone) -> Self {
        self.keys_alone = keys_alone;
        self
    }

    /// Where a run's files are.
    #[must_use]
    pub fn run_directory(&self, run: RunId) -> PathBuf {
        self.place.run(run)
    }

    /// Where a tenant's annex is, or will be.
    #[must_use]
    pub fn annex_path(&self, tenant: &Name) -> PathBuf {
        self.place.annex(tenant)
    }

    /// A tenant's annex, verified with the registrar's keys.
    ///
    /// # Errors
    /// When it does not hold or cannot be read.
    pub fn annex(&self, tenant: &Name) -> Result<Annex, EraseError> {
        let octets = read_if_there(&self.annex_path(tenant), MAX_ANNEX_BYTES)?.unwrap_or_default();
        self.registrar.annex(tenant, &octets).map_err(EraseError::AnnexBroken)
    }

    /// What an erasure must know of a run.
    ///
    /// # Errors
    /// When the run is not here, or its records cannot be read.
    pub fn facts(&self, run: RunId) -> Result<RunFacts, EraseError> {
        let path = self.run_directory(run).join(RECORDS);
        let file = match open_own(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(EraseError::UnknownRun(run)),
            opened => opened.map_err(io(&path))?,
        };
        let line = |why| EraseError::Line { path: path.clone(), why };
        let mut torn = false;
        let facts = match RunFacts::read_file(BufReader::new(file), &mut torn) {
            // As a crash leaves it: whatever the line was to say, it is no close.
            Err(why) => match self.begins(run) {
                Ok(Some(first)) if torn => return Err(first.not_closed()),
                Ok(_) | Err(_) => return Err(line(why)),
            },
            Ok(facts) => facts,
        };
        if facts.run_id != run {
            return Err(line(format!("it is run {}", facts.run_id)));
        }
        self.registrar.check_origin(&facts)?;
        Ok(facts)
    }

    /// Erases `target` from a closed run and says so in the annex. Durable when this returns.
    ///
    /// # Errors
    /// When the run has not closed, a hold stands, or something earlier is unfinished: then nothing was touched. After
    /// [`EraseError::Io`] the erasure may be under way, and [`Archive::recover`] finishes it.
    pub fn erase(&self, run: RunId, target: &Target, order: &Order) -> Result<Done, EraseError> {
        self.carry_out(run, order.at, &order.by, |facts, annex| {
            let lines = |root| self.lines_of(run, root);
            Plan::of_order(facts, annex, target, order, lines, || self.run_keys(facts))
        })
    }

    /// Erases what the run's retention windows have ended for at `now`.
    ///
    /// # Errors
    /// As [`Archive::erase`].
    pub fn retain(&self, run: RunId, now: Timestamp) -> Result<Done, EraseError> {
        let by = Name::new(RETENTION)
            .map_err(|e| EraseError::Line { path: PathBuf::new(), why: e.to_string() })?;
        self.carry_out(run, now, &by, |facts, annex| Plan::due(facts, annex, now))
    }

    /// Erases all that is here of a person: each run's keys and content, by the aliases under which the subject keys know the
    /// person. Needs [`Archive::subject_keys`].
    ///
    /// # Errors
    /// When the aliases cannot be found or the runs not be listed. What stands against one run is its own answer.
    pub fn erase_person(&self, person: Person<'_>, order: &Order) -> Result<PersonErased, EraseError> {
        let subjects = self.keys.subjects.ok_or(EraseError::KeysNeeded)?;
        let aliases = subjects.aliases(person)?;
        let (mut runs, mut met, mut strangers) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for run in self.runs()? {
            let directory = self.run_directory(run);
            let (alias, unread) = match self.begins(run) {
                Ok(Some(first)) => (first.subject, None),
                unread => match (unread, self.alias_of_keys(&directory)) {
                    (Ok(_), Ok(Some(alias))) => {
                        let why =
                            "it has no first record; put its records back, or give the run up".to_owned();
                        (alias, Some(EraseError::Line { path: directory.join(RECORDS), why }))
                    }
                    (Err(error), Ok(Some(alias))) => (alias, Some(error)),
                    // It may be anybody's.
                    (Err(error), Ok(None) | Err(_)) | (Ok(_), Err(error)) => {
                        runs.insert(run, Err(error));
                        strangers.push(run);
                        continue;
                    }
                    // Nothing is in it; a hold may stand on it all the same.
                    (Ok(_), Ok(None)) => {
                        strangers.push(run);
                        continue;
                    }
                },
            };
            // An alias is one run's. If two have it all the same, both are erased and both say so.
            let Some(alias) = alias.filter(|alias| aliases.contains(alias)) else { continue };
            let done = unread.map_or_else(|| self.erase(run, &Target::Subject, order), Err);
            runs.insert(run, done);
            met.insert(alias);
        }
        let put_aside = self.aliases_put_aside()?;
        let alone = aliases.into_iter().filter(|alias| !met.contains(alias));
        let (here, elsewhere): (Vec<Name>, Vec<Name>) = alone.partition(|alias| put_aside.contains(alias));
        let (mut keys_alone, mut keys_left) = match self.keys_alone {
            KeysAlone::Keep => (here, elsewhere),
            KeysAlone::Erase => {
                if !elsewhere.is_empty() {
                    self.check_heard(person.tenant, order.at)?;
                }
                ([here, elsewhere].concat(), Vec::new())
            }
        };
        if !keys_alone.is_empty() {
            // What these keys open may be held, wherever it is kept.
            let annex = self.annex(person.tenant)?;
            annex.check_tenant_not_held()?;
            if strangers.into_iter().any(|run| annex.check_not_held(run).is_err()) {
                keys_left.append(&mut keys_alone);
            }
        }
        for alias in &keys_alone {
            subjects.erase(alias)?;
        }
        let unbegun = self.erase_unbegun(&keys_alone)?;
        Ok(PersonErased { runs, keys_alone, keys_left, unbegun })
    }

    /// The runs that are here, in order of their ids.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, EraseError> {
        self.place.check()?;
        let path = self.place.runs();
        let mut runs = Vec::new();
        match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(runs),
            entries => {
                for entry in entries.map_err(io(&path))? {
                    let name = entry.map_err(io(&path))?.file_name();
                    runs.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
                }
            }
        }
        runs.sort_unstable();
        Ok(runs)
    }

    /// Orders that nothing of a run or of the tenant's runs is erased: GDPR Art. 17(3)(e), AI Act Art. 73(6).
    ///
    /// # Errors
    /// When it cannot be stored, or something earlier is unfinished.
    pub fn hold(&self, tenant: &Name, hold: Hold, at: Timestamp, by: &Name) -> Result<(), EraseError> {
        self.say(tenant, Event::Hold(hold), at, by)
    }

    /// Ends one hold.
    ///
    /// # Errors
    /// [`crate::annex::AnnexError::NothingHeld`] when none stands; else as [`Archive::hold`].
    pub fn release(&self, tenant: &Name, hold: Hold, at: Timestamp, by: &Name) -> Result<(), EraseError> {
        self.say(tenant, Event::Release(hold), at, by)
    }

    /// Notes that a decision was contested (GDPR Art. 22(3)). What was said is kept by whoever calls.
    ///
    /// # Errors
    /// As [`Archive::hold`].
    pub fn contest(
        &self,
        tenant: &Name,
        contest: Contest,
        at: Timestamp,
        by: &Name,
    ) -> Result<(), EraseError> {
        self.say(tenant, Event::Contested(contest), at, by)
    }

    /// Notes what came of a call that was in doubt when its run closed.
    ///
    /// # Errors
    /// As [`Archive::hold`].
    pub fn late_outcome(
        &self,
        tenant: &Name,
        outcome: Contest,
        at: Timestamp,
        by: &Name,
    ) -> Result<(), EraseError> {
        self.say(tenant, Event::LateOutcome(outcome), at, by)
    }

    fn carry_out(
        &self,
        run: RunId,
        at: Timestamp,
        by: &Name,
        plan: impl FnOnce(&RunFacts, &Annex) -> Result<Option<Plan>, EraseError>,
    ) -> Result<Done, EraseError> {
        self.refuse_unfinished(Of::Run(run))?;
        check_erasable(&self.run_directory(run))?;
        let facts = self.facts(run)?;
        #[cfg(test)]
        self.disk.pause();
        let over = match facts.close {
            Some(close) => close.at,
            None => self.given_up_at(&facts)?,
        };
        let (held, mut annex) = self.hold_annex_to_say(&facts.tenant, over.max(at), Some(&facts))?;
        let _run = self.hold_run(run)?;
        // Once more, now that nobody else can begin anything.
        self.refuse_unfinished(Of::Tenant(&facts.tenant))?;
        let Some(plan) = plan(&facts, &annex)? else { return Ok(Done::Already) };
        if plan.subject_key().is_some() && self.keys.subjects.is_none() {
            return Err(EraseError::KeysNeeded);
        }
        let at = over.max(at);
        let signer = self.registrar.signer().key_id();
        let intent = Intent { signer, at, by: by.clone(), run_id: run, tenant: facts.tenant, plan };
        // Found out now, not when the content is gone.
        let mut trial = annex.clone();
        for erasure in &intent.plan.erasures {
            self.registrar.append(&mut trial, at, by, Event::Erased(erasure.clone()))?;
        }
        self.prepare(&intent)?;
        disk::make_directory(&self.erasures())?;
        let path = self.intent_path(run);
        self.disk.replace(&path, &intent.write(&self.registrar)?)?;
        self.finish(&intent, &held, &mut annex)?;
        Ok(Done::Erased)
    }

    /// Finds what would stop [`Self::finish`] half way: an intent that cannot be carried out stands in the way of every other.
    fn prepare(&self, intent: &Intent) -> Result<(), EraseError> {
        let directory = self.run_directory(intent.run_id);
        self.check_erasable(intent)?;
        if intent.plan.is_directory() {
            let other = files(&directory)?.into_iter().find(|path| path.is_dir());
            return other.map_or(Ok(()), |path| {
                Err(EraseError::Line { path, why: "no run has a directory in its own".into() })
            });
        }
        if intent.plan.is_whole() {
            return Ok(());
        }
        rewritten(&directory.join(CONTENT), |line| content_after(&intent.plan, line))?;
        rewritten(&directory.join(KEYS), |line| keys_after(&intent.plan, line)).map(drop)
    }

    /// Whether all that is to go has no other name or place, under which it would stay.
    fn check_erasable(&self, intent: &Intent) -> Result<(), EraseError> {
        if let (Some(alias), Some(subjects)) = (intent.plan.subject_key(), self.keys.subjects) {
            subjects.check_erasable(alias)?;
        }
        Ok(check_erasable(&self.run_directory(intent.run_id))?)
    }

    /// Every step of an erasure after its intent. Each may have been taken before.
    fn finish(&self, intent: &Intent, held: &Held, annex: &mut Annex) -> Result<(), EraseError> {
        let plan = &intent.plan;
        if let Some(alias) = plan.subject_key() {
            self.keys.subjects.ok_or(EraseError::KeysNeeded)?.erase(alias)?;
        }
        let directory = self.run_directory(intent.run_id);
        let (content, keys) = (directory.join(CONTENT), directory.join(KEYS));
        for path in [&content, &keys] {
            let new = disk::new_name(path);
            if new.exists() {
                self.disk.remove(&new)?;
            }
            if plan.is_whole() {
                self.disk.remove(path)?;
            }
        }
        if plan.is_directory() {
            self.remove_run(&directory)?;
        } else if !plan.is_whole() {
            if let Some(octets) = rewritten(&content, |line| content_after(plan, line))? {
                self.disk.replace(&content, &octets)?;
            }
            if let Some(octets) = rewritten(&keys, |line| keys_after(plan, line))? {
                self.disk.replace(&keys, &octets)?;
            }
        }
        for erasure in &plan.erasures {
            if !annex.states(erasure) {
                let event = Event::Erased(erasure.clone());
                let line = self.registrar.append(annex, intent.at, &intent.by, event)?;
                self.disk.append(&held.file, &held.path, &line)?;
            }
        }
        self.disk.remove(&self.intent_path(intent.run_id))
    }

    /// Deletes a run's directory, its records last: until they go it is still known which run it is.
    fn remove_run(&self, directory: &Path) -> Result<(), EraseError> {
        for path in files(directory)? {
            if path.file_name() != Some(RECORDS.as_ref()) {
                self.disk.remove(&path)?;
            }
        }
        self.disk.remove(&directory.join(ROOTS))?;
        self.disk.remove(&directory.join(RECORDS))?;
        self.disk.remove_directory(directory)
    }

    /// The two lines of a content, if both are there.
    fn lines_of(&self, run: RunId, root: Hash) -> Result<Option<Lines>, EraseError> {
        let directory = self.run_directory(run);
        let content = find(&directory.join(CONTENT), |line| {
            ContentLine::read(line).is_ok_and(|line| line.root() == root)
        })?;
        let keys =
            find(&directory.join(KEYS), |line| KeysLine::read(line).is_ok_and(|line| line.root() == root))?;
        Ok(content.zip(keys))
    }

    /// Whose alias the keys in a run's directory name, if any; `None` if no keys can be read there.
    fn alias_of_keys(&self, directory: &Path) -> Result<Option<Option<Name>>, EraseError> {
        let line = find(&directory.join(KEYS), |line| KeysLine::read(line).is_ok())?;
        Ok(line.and_then(|line| KeysLine::read(&line).ok()).map(|keys| keys.subject().cloned()))
    }

    fn run_keys(&self, facts: &RunFacts) -> Result<RunKeys, EraseError> {
        let line = find(&self.run_directory(facts.run_id).join(KEYS), |_| true)?;
        facts.open_keys(&line.unwrap_or_default(), self.keys.master, self.keys.subjects)
    }

    /// What a run's first record says: enough to know whose it is.
    fn begins(&self, run: RunId) -> Result<Option<RunFacts>, EraseError> {
        let path = self.run_directory(run).join(RECORDS);
        let Some(line) = find(&path, |_| true)? else { return Ok(None) };
        let wrong = |why: String| EraseError::Line { path: path.clone(), why };
        RunFacts::read([Ok(line)]).map(Some).map_err(wrong)
    }

    fn say(&self, tenant: &Name, event: Event, at: Timestamp, by: &Name) -> Result<(), EraseError> {
        self.refuse_unfinished(Of::Tenant(tenant))?;
        let facts = event.run_id().map(|run| self.begins(run)).transpose()?.flatten();
        if let Some(run) = event.run_id() {
            event.check_whose(tenant, run, facts.as_ref().map(|facts| facts.tenant.clone()))?;
        }
        #[cfg(test)]
        self.disk.pause();
        let (held, mut annex) = self.hold_annex_to_say(tenant, at, facts.as_ref())?;
        // Once more, now that nobody else can begin anything.
        self.refuse_unfinished(Of::Tenant(tenant))?;
        let line = self.registrar.append(&mut annex, at, by, event)?;
        self.disk.append(&held.file, &held.path, &line)
    }

    /// Whether a line about the tenant, made at `at`, would be heard.
    fn check_heard(&self, tenant: &Name, at: Timestamp) -> Result<(), EraseError> {
        self.check_heard_in(&self.annex(tenant)?, at, None)
    }

    fn check_heard_in(&self, annex: &Annex, at: Timestamp, run: Option<&RunFacts>) -> Result<(), EraseError> {
        let runs = self.runs()?;
        // What cannot be read speaks for nobody.
        let here = runs.iter().rev().filter_map(|&run| self.begins(run).ok().flatten()).map(Ok);
        self.registrar.check_heard::<EraseError>(annex, at, run, here)
    }

    /// As [`Self::hold_annex`], when a line made at `at` will be heard.
    fn hold_annex_to_say(
        &self,
        tenant: &Name,
        at: Timestamp,
        run: Option<&RunFacts>,
    ) -> Result<(Held, Annex), EraseError> {
        let heard = |annex: &Annex| self.check_heard_in(annex, at, run);
        if !self.annex_path(tenant).exists() {
            // Not even a file is made.
            heard(&Annex::begin(self.registrar.origin().clone(), tenant.clone()))?;
        }
        let (held, annex) = self.hold_annex(tenant)?;
        heard(&annex)?;
        Ok((held, annex))
    }

    fn hold_annex(&self, tenant: &Name) -> Result<(Held, Annex), EraseError> {
        let path = self.annex_path(tenant);
        disk::make_directory(&self.place.annexes())?;
        let file = disk::hold(&path, true)?;
        let octets = read_own(&path, MAX_ANNEX_BYTES).map_err(io(&path))?;
        if octets.last().is_some_and(|&last| last != b'\n') {
            return Err(EraseError::Unfinished { path });
        }
        let annex = self.registrar.annex(tenant, &octets).map_err(EraseError::AnnexBroken)?;
        Ok((Held { file, path }, annex))
    }

    /// Nobody writes the run meanwhile. A run whose directory is going may have no records any more.
    fn hold_run(&self, run: RunId) -> Result<Option<File>, EraseError> {
        match disk::hold(&self.run_directory(run).join(RECORDS), false) {
            Err(EraseError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            held => held.map(Some),
        }
    }
}

/// A tenant's annex, locked until dropped.
struct Held {
    file: File,
    path: PathBuf,
}

/// An annex in which nothing was said is none: verifiers refuse an empty file.
#[cfg(unix)]
impl Drop for Held {
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|found| found.len() == 0) {
            // Where it cannot be removed it is as it was before.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// The files of a directory that may not be there, in the order of their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>, EraseError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io(directory))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(io(directory))?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

/// The first line of a file that `wanted` takes; none of a file that is not there.
fn find(path: &Path, wanted: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, EraseError> {
    const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;
    let file = match open_own(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io(path))?,
    };
    let mut reader = BufReader::new(file);
    loop {
        let mut line = Vec::new();
        (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(io(path))?;
        if line.pop() != Some(b'\n') {
            return Ok(None);
        }
        if wanted(&line) {
            return Ok(Some(line));
        }
    }
}
