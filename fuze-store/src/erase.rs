//! Erasure from the tables: rows and the statement in one transaction, then the subject's key, the files and the write-ahead log.
//!
//! The row in `unfinished` stands from the COMMIT until all of these have followed. What is left of it after a crash is finished by the
//! next erasure or by [`Eraser::recover`]; the files already when the store is opened. Content is overwritten where it stands;
//! other rows go, and `secure_delete` overwrites them. So nothing of content is left when the write-ahead log has followed, but how long it
//! was, in the room that it had; and of progress and wrapped run keys, which are sealed, a page may keep a part that SQLite had moved
//! before. Both go when the database is written anew, which ends an erasure unless [`Eraser::compact_later`] puts it off. What the file
//! system, the medium and backups keep of replaced and truncated files is beyond it.

mod files;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use fuze_agent::store::StoreError;
use fuze_evidence::annex::{Contest, Erased, Event, Hold, RETENTION};
use fuze_evidence::erase::{
    Change, Done, EraseError, KeysAlone, Lines, Order, PersonErased, Plan, Registrar, RunFacts, Target,
};
use fuze_evidence::keys::{MasterKey, Person, SubjectKeys};
use fuze_evidence::place::check_erasable;
use fuze_evidence::{Annex, Hash, Name, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::SqliteStore;
use crate::database::Ended;
use crate::error::{corrupt, sql};
use crate::keeper::Keeper;
use crate::stream::{self, Stream};
use crate::{read, rows};

use files::Room;
pub(crate) use files::{Unsettled, annex_file, holds_more};

/// Erases from a store, and keeps its tenants' annexes. What [`fuze_evidence::erase::Archive`] is for files.
#[derive(Clone)]
pub struct Eraser<'s> {
    store: &'s SqliteStore,
    desk: Desk,
}

/// What the store's thread needs for it.
#[derive(Clone)]
struct Desk {
    registrar: Registrar,
    master: Option<Arc<MasterKey>>,
    subjects: Option<Arc<dyn SubjectKeys>>,
    room: Room,
    keys_alone: KeysAlone,
}

impl fmt::Debug for Eraser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Eraser({:?})", self.desk.registrar)
    }
}

/// Why nothing was erased, or not all of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum EraserError {
    /// It may not be, or cannot.
    Erase(EraseError),
    /// The store. After [`StoreError::Unclear`], and after any other once the transaction has ended, [`Eraser::recover`] finishes
    /// what stands.
    Store(StoreError),
    /// What was to be erased is gone, but the database could not be written anew: it still shows how long that was, and may keep a part of
    /// sealed progress. [`Eraser::recover`] or [`Eraser::compact`] does it later.
    NotCompacted(StoreError),
}

impl fmt::Display for EraserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erase(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::NotCompacted(error) => write!(
                f,
                "what was to be erased is gone, but the database could not be written anew and still shows how long that was: {error}; \
                 once that is mended, `compact` does it (`fuze audit compact`)"
            ),
        }
    }
}

impl std::error::Error for EraserError {}

impl From<EraseError> for EraserError {
    fn from(error: EraseError) -> Self {
        Self::Erase(error)
    }
}

impl From<StoreError> for EraserError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn ended<T>(ended: Ended<T, EraserError>) -> Result<T, EraserError> {
    match ended {
        Ended::Committed(value) => Ok(value),
        Ended::RolledBack(error) => Err(error),
        Ended::Unclear(_, error) => Err(StoreError::Unclear(error.to_string()).into()),
    }
}

impl<'s> Eraser<'s> {
    /// Over `store`, whose runs and annexes `registrar` signs for.
    #[must_use]
    pub const fn new(store: &'s SqliteStore, registrar: Registrar) -> Self {
        Self {
            store,
            desk: Desk {
                registrar,
                master: None,
                subjects: None,
                room: Room::GivenBack,
                keys_alone: KeysAlone::Keep,
            },
        }
    }

    /// Fields are found with the master key.
    #[must_use]
    pub fn master_key(mut self, master: Arc<MasterKey>) -> Self {
        self.desk.master = Some(master);
        self
    }

    /// Where the keys of data subjects are.
    #[must_use]
    pub fn subject_keys(mut self, subjects: Arc<dyn SubjectKeys>) -> Self {
        self.desk.subjects = Some(subjects);
        self
    }

    /// What becomes of a person's keys under whose aliases no run is here.
    #[must_use]
    pub fn keys_alone(mut self, keys_alone: KeysAlone) -> Self {
        self.desk.keys_alone = keys_alone;
        self
    }

    /// Erasures do not write the database anew when they end, which takes as long as copying it: for whoever erases much, or from a large
    /// store while it is in use. Until [`Eraser::compact`], which is then to follow, the database shows how long what was erased was.
    #[must_use]
    pub fn compact_later(mut self) -> Self {
        self.desk.room = Room::Kept;
        self
    }

    /// Erases `target` from a closed run and says so in the annex. When this returns it is durable, and gone from tables, files and the
    /// write-ahead log; and unless [`Eraser::compact_later`] puts that off, the database is as if there had never been more than is left.
    ///
    /// # Errors
    /// When the run has not closed or a hold stands: then nothing was touched. See [`EraserError::Store`] for the rest.
    pub async fn erase(&self, run: RunId, target: Target, order: Order) -> Result<Done, EraserError> {
        let desk = self.desk.clone();
        let ask = move |keeper: &mut Keeper| {
            desk.carry_out(keeper, run, order.at, &order.by, |connection, id, facts, annex| {
                let lines = |root| lines_of(connection, id, root);
                let keys = || {
                    let line: Vec<u8> = connection
                        .query_row("SELECT keys FROM runs WHERE id = ?1", [id], |row| row.get(0))
                        .map_err(sql)?;
                    Ok(facts.open_keys(&line, desk.master.as_deref(), desk.subjects.as_deref())?)
                };
                Plan::of_order(facts, annex, &target, &order, lines, keys)
            })
        };
        self.store.ask(ask).await
    }

    /// Erases what the run's retention windows have ended for at `now`.
    ///
    /// # Errors
    /// As [`Eraser::erase`].
    pub async fn retain(&self, run: RunId, now: Timestamp) -> Result<Done, EraserError> {
        let desk = self.desk.clone();
        let by = Name::new(RETENTION).map_err(|error| corrupt(error.to_string()))?;
        let ask = move |keeper: &mut Keeper| {
            desk.carry_out(keeper, run, now, &by, |_, _, facts, annex| Ok(Plan::due(facts, annex, now)?))
        };
        self.store.ask(ask).await
    }

    /// Erases all that is here of a person, by the aliases under which the subject keys know the person.
    ///
    /// # Errors
    /// When the aliases cannot be found. What stands against one run is its own answer; a failure of the store ends it.
    pub async fn erase_person(&self, person: Person<'_>, order: Order) -> Result<PersonErased, EraserError> {
        let subjects = self.desk.subjects.clone().ok_or(EraseError::KeysNeeded)?;
        let aliases = subjects.aliases(person).map_err(EraseError::Subject)?;
        // Written anew once, at the end. After a crash before that it is still to be done, with whatever is erased next.
        let each = Self { store: self.store, desk: self.desk.clone() }.compact_later();
        let runs = std::collections::BTreeMap::new();
        let mut erased =
            PersonErased { runs, keys_alone: Vec::new(), keys_left: Vec::new(), unbegun: Vec::new() };
        for alias in aliases {
            let wanted = alias.to_string();
            let find = move |keeper: &mut Keeper| -> Result<Vec<String>, StoreError> {
                keeper.database.snapshot(|connection| {
                    connection
                        .prepare_cached("SELECT run FROM runs WHERE subject = ?1")
                        .and_then(|mut statement| statement.query_map([&wanted], |row| row.get(0))?.collect())
                        .map_err(sql)
                })
            };
            let runs = self.store.ask(find).await?;
            match (runs.is_empty(), self.desk.keys_alone) {
                (false, _) => {}
                (true, KeysAlone::Keep) => erased.keys_left.push(alias),
                (true, KeysAlone::Erase) => {
                    self.may_erase_keys(person.tenant.clone(), order.at).await?;
                    subjects.erase(&alias).map_err(EraseError::Subject)?;
                    erased.keys_alone.push(alias);
                }
            }
            for run in runs {
                let run: RunId = run.parse().map_err(|_| corrupt(format!("a run has the id `{run}`")))?;
                match each.erase(run, Target::Subject, order.clone()).await {
                    Ok(done) => drop(erased.runs.insert(run, Ok(done))),
                    Err(EraserError::Erase(error)) => drop(erased.runs.insert(run, Err(error))),
                    Err(error @ (EraserError::Store(_) | EraserError::NotCompacted(_))) => return Err(error),
                }
            }
        }
        let any = erased.runs.values().any(|done| matches!(done, Ok(Done::Erased)));
        match self.desk.room {
            Room::GivenBack if any => self.compact().await?,
            Room::GivenBack | Room::Kept => {}
        }
        Ok(erased)
    }

    /// What a key opens whose run is not here may be held, wherever it is kept; and somebody who is not heard about the tenant here has
    /// nothing to say about it.
    async fn may_erase_keys(&self, tenant: Name, at: Timestamp) -> Result<(), EraserError> {
        let desk = self.desk.clone();
        let ask = move |keeper: &mut Keeper| {
            let check = |connection: &Connection| -> Result<(), EraserError> {
                let annex = desk.annex(&tenant, &annex_lines(connection, &tenant)?)?;
                annex.check_tenant_not_held().map_err(EraseError::from)?;
                desk.check_heard(connection, &annex, at, None)
            };
            keeper.database.snapshot(|connection| Ok(check(connection)))?
        };
        self.store.ask(ask).await
    }

    /// Orders that nothing of a run or of the tenant's runs is erased: GDPR Art. 17(3)(e), AI Act Art. 73(6).
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn hold(&self, tenant: Name, hold: Hold, at: Timestamp, by: Name) -> Result<(), EraserError> {
        self.say(tenant, Event::Hold(hold), at, by).await
    }

    /// Ends one hold.
    ///
    /// # Errors
    /// [`fuze_evidence::annex::AnnexError::NothingHeld`] when none stands; else as [`Eraser::hold`].
    pub async fn release(
        &self,
        tenant: Name,
        hold: Hold,
        at: Timestamp,
        by: Name,
    ) -> Result<(), EraserError> {
        self.say(tenant, Event::Release(hold), at, by).await
    }

    /// Notes that a decision was contested (GDPR Art. 22(3)). What was said is kept by whoever calls.
    ///
    /// # Errors
    /// As [`Eraser::hold`].
    pub async fn contest(
        &self,
        tenant: Name,
        contest: Contest,
        at: Timestamp,
        by: Name,
    ) -> Result<(), EraserError> {
        self.say(tenant, Event::Contested(contest), at, by).await
    }

    /// Notes what came of a call that was in doubt when its run closed.
    ///
    /// # Errors
    /// As [`Eraser::hold`].
    pub async fn late_outcome(
        &self,
        tenant: Name,
        outcome: Contest,
        at: Timestamp,
        by: Name,
    ) -> Result<(), EraserError> {
        self.say(tenant, Event::LateOutcome(outcome), at, by).await
    }

    /// A tenant's annex, verified with the registrar's keys.
    ///
    /// # Errors
    /// When it does not hold or cannot be read.
    pub async fn annex(&self, tenant: Name) -> Result<Annex, EraserError> {
        let desk = self.desk.clone();
        let read = move |keeper: &mut Keeper| {
            let lines = keeper.database.snapshot(|connection| annex_lines(connection, &tenant))?;
            desk.annex(&tenant, &lines)
        };
        self.store.ask(read).await
    }

    /// Finishes what a crash cut off after its transaction. Says which runs.
    ///
    /// # Errors
    /// When something still cannot be done; it stays unfinished.
    pub async fn recover(&self) -> Result<Vec<RunId>, EraserError> {
        let (subjects, room) = (self.desk.subjects.clone(), self.desk.room);
        self.store.ask(move |keeper| keeper.finish_erasures(subjects.as_deref(), room)?.all()).await
    }

    /// Writes the database anew without what erasures left blank: nothing in it shows any more how much there was, and nothing is left in what
    /// pages do not use. Takes as long as copying the file, needs as much room again, and the store does nothing else meanwhile.
    ///
    /// # Errors
    /// When something is unfinished that cannot be finished, a reader is in the way, or the disk is full: nothing is lost.
    pub async fn compact(&self) -> Result<(), EraserError> {
        self.store.compact(self.desk.subjects.clone()).await
    }

    async fn say(&self, tenant: Name, event: Event, at: Timestamp, by: Name) -> Result<(), EraserError> {
        let desk = self.desk.clone();
        let say = move |keeper: &mut Keeper| {
            keeper.project_annex(tenant.as_str())?;
            let stated = keeper.database.write(|connection| -> Result<(), EraserError> {
                let run = event.run_id();
                let facts = run.map(|run| begins(connection, run)).transpose()?.flatten();
                if let Some(run) = run {
                    event.check_whose(&tenant, run, facts.as_ref().map(|facts| facts.tenant.clone()))?;
                }
                let mut annex = desk.annex(&tenant, &annex_lines(connection, &tenant)?)?;
                desk.check_heard(connection, &annex, at, facts.as_ref())?;
                desk.state(connection, &mut annex, at, &by, event.clone())
            });
            ended(stated)?;
            Ok(keeper.project_annex(tenant.as_str())?)
        };
        self.store.ask(say).await
    }
}

impl SqliteStore {
    /// As [`Eraser::compact`], for whoever has no key that signs. `subjects` finish an erasure that a crash cut off.
    ///
    /// # Errors
    /// As [`Eraser::compact`].
    pub async fn compact(&self, subjects: Option<Arc<dyn SubjectKeys>>) -> Result<(), EraserError> {
        let compact = move |keeper: &mut Keeper| {
            // What is stuck keeps nobody else's pages from being written anew.
            let finished = keeper.finish_erasures(subjects.as_deref(), Room::GivenBack)?;
            if finished.runs.is_empty() {
                keeper.compact()?;
            }
            finished.all().map(drop)
        };
        self.ask(compact).await
    }
}

impl Desk {
    fn annex(&self, tenant: &Name, lines: &[u8]) -> Result<Annex, EraserError> {
        self.registrar.annex(tenant, lines).map_err(|error| EraseError::AnnexBroken(error).into())
    }

    /// Whether a line made at `at` in `annex`, about `run` if it is about one, will be heard.
    fn check_heard(
        &self,
        connection: &Connection,
        annex: &Annex,
        at: Timestamp,
        run: Option<&RunFacts>,
    ) -> Result<(), EraserError> {
        let mut statement = connection
            .prepare_cached(
                "SELECT line FROM summaries JOIN records ON records.run = summaries.run AND sequence = 0
                 WHERE tenant = ?1 ORDER BY opened DESC",
            )
            .map_err(sql)?;
        let lines = statement.query_map([annex.tenant().as_str()], |row| row.get(0)).map_err(sql)?;
        let here = lines.filter_map(|line: rusqlite::Result<Vec<u8>>| match line {
            // What cannot be read speaks for nobody.
            Ok(line) => RunFacts::read([Ok(line)]).ok().map(Ok),
            Err(error) => Some(Err(EraserError::Store(sql(error)))),
        });
        self.registrar.check_heard(annex, at, run, here)
    }

    /// Signs a statement and writes its row.
    fn state(
        &self,
        connection: &Connection,
        annex: &mut Annex,
        at: Timestamp,
        by: &Name,
        event: Event,
    ) -> Result<(), EraserError> {
        let (run, (erases, root)) = (event.run_id(), erases(&event));
        let sequence = i64::try_from(annex.entries().len()).unwrap_or(i64::MAX);
        let line =
            self.registrar.append(annex, at, by, event).map_err(|error| EraserError::Erase(error.into()))?;
        connection
            .prepare_cached(
                "INSERT INTO annex (tenant, sequence, run, erases, root, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut statement| {
                let (run, root) = (run.map(|run| run.to_string()), root.as_ref().map(Hash::as_bytes));
                statement.execute(params![annex.tenant().as_str(), sequence, run, erases, root, line])
            })
            .map_err(sql)?;
        Ok(())
    }

    fn carry_out(
        &self,
        keeper: &mut Keeper,
        run: RunId,
        at: Timestamp,
        by: &Name,
        plan: impl FnOnce(&Connection, i64, &RunFacts, &Annex) -> Result<Option<Plan>, EraserError>,
    ) -> Result<Done, EraserError> {
        let earlier = keeper.follow_erasures(self.subjects.as_deref())?;
        let none = earlier.followed.is_empty();
        // A file that is not the table's is found before anything goes, and only this tenant is refused.
        if let Some(tenant) = keeper.database.snapshot(|connection| tenant_of(connection, run))? {
            earlier.of_tenant(&tenant)?;
            keeper.project_annex(tenant.as_str())?;
        }
        // So is what would stay of its files under another name.
        check_erasable(&keeper.projection.directory(run)).map_err(EraseError::from)?;
        let stands = keeper.database.write(|connection| {
            let row = rows::find(connection, run)?.ok_or(EraseError::UnknownRun(run))?;
            let lines = read::lines(connection, row.id, 0, u64::MAX)?;
            if lines.is_empty() {
                return Err(EraseError::UnknownRun(run).into());
            }
            let facts = facts_of(run, lines)?;
            self.registrar.check_origin(&facts)?;
            let Some(close) = facts.close else {
                return Err(EraseError::NotClosed { run, waiting: facts.waiting, stored: true }.into());
            };
            let mut annex = self.annex(&facts.tenant, &annex_lines(connection, &facts.tenant)?)?;
            self.check_heard(connection, &annex, close.not_before(at), Some(&facts))?;
            let Some(plan) = plan(connection, row.id, &facts, &annex)? else { return Ok(false) };
            if plan.subject_key().is_some() && self.subjects.is_none() {
                return Err(EraseError::KeysNeeded.into());
            }
            if let (Some(alias), Some(subjects)) = (plan.subject_key(), &self.subjects) {
                subjects.check_erasable(alias).map_err(EraseError::Subject)?;
            }
            // The statements first: what they do not explain, the tables do not let go.
            let at = close.not_before(at);
            for erasure in plan.erasures() {
                self.state(connection, &mut annex, at, by, Event::Erased(erasure.clone()))?;
            }
            erase_rows(connection, row.id, &facts, &plan)?;
            connection
                .prepare_cached("INSERT INTO unfinished (run, subject) VALUES (?1, ?2)")
                .and_then(|mut s| s.execute(params![row.id, plan.subject_key().map(Name::as_str)]))
                .map_err(sql)?;
            Ok(true)
        });
        let stands = ended(stands)?;
        if stands || !none {
            keeper.finish_erasures(self.subjects.as_deref(), self.room)?.of_run(run)?;
        }
        Ok(if stands { Done::Erased } else { Done::Already })
    }
}

/// What the table's triggers look for in a statement.
fn erases(event: &Event) -> (Option<&'static str>, Option<Hash>) {
    match event {
        Event::Erased(erasure) => match erasure.what {
            Erased::Field { root, .. } | Erased::Record { root } => (Some("content"), Some(root)),
            Erased::Run | Erased::Subject => (Some("content"), None),
            Erased::Directory { .. } => (Some("evidence"), None),
        },
        Event::Contested(_)
        | Event::LateOutcome(_)
        | Event::Hold(_)
        | Event::Release(_)
        | Event::GivenUp(_) => (None, None),
    }
}

fn erase_rows(connection: &Connection, id: i64, facts: &RunFacts, plan: &Plan) -> Result<(), StoreError> {
    for content in &facts.contents {
        let (after, keys): (&[u8], &[u8]) = match plan.change(content.root) {
            Change::Keep => continue,
            Change::Replace(lines) => (&lines.content, &lines.keys),
            Change::Drop => (&[], &[]),
        };
        write_over(connection, id, content.root, after, keys)?;
    }
    // A closed run needs no progress any more, and all of its content is in there.
    let mut statements = vec!["DELETE FROM progress WHERE run = ?1"];
    if plan.is_whole() {
        statements.extend(["UPDATE runs SET keys = x'' WHERE id = ?1", "DELETE FROM tokens WHERE run = ?1"]);
    }
    if plan.is_directory() {
        statements.extend([
            "DELETE FROM effects WHERE run = ?1",
            "DELETE FROM anchors WHERE run = ?1",
            "DELETE FROM roots WHERE run = ?1",
            "DELETE FROM summaries WHERE run = ?1",
            "DELETE FROM records WHERE run = ?1",
        ]);
    }
    for statement in statements {
        connection.execute(statement, [id]).map_err(sql)?;
    }
    Ok(())
}

/// Puts other lines in the place of a content's, or nothing, in as many octets as there were: blanks fill what is left. A row that became
/// smaller or went would make SQLite move its neighbours, and what it moves stays behind in what a page does not use, `secure_delete`
/// or not; so each row stays where it was once written, until all pages are written anew and the blanks go.
fn write_over(
    connection: &Connection,
    id: i64,
    root: Hash,
    content: &[u8],
    keys: &[u8],
) -> Result<(), StoreError> {
    let lengths: Option<(i64, i64)> = connection
        .prepare_cached("SELECT length(content), length(keys) FROM contents WHERE run = ?1 AND root = ?2")
        .and_then(|mut s| {
            s.query_row(params![id, root.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(sql)?;
    let Some(lengths) = lengths else { return Ok(()) };
    let filled = |line: &[u8], length: i64| {
        let mut line = line.to_vec();
        line.resize(usize::try_from(length).unwrap_or(0).max(line.len()), stream::BLANK);
        line
    };
    connection
        .prepare_cached("UPDATE contents SET content = ?3, keys = ?4 WHERE run = ?1 AND root = ?2")
        .and_then(|mut s| {
            s.execute(params![id, root.as_bytes(), filled(content, lengths.0), filled(keys, lengths.1)])
        })
        .map(drop)
        .map_err(sql)
}

fn lines_of(connection: &Connection, id: i64, root: Hash) -> Result<Option<Lines>, EraserError> {
    connection
        .query_row(
            "SELECT CAST(rtrim(content) AS BLOB), CAST(rtrim(keys) AS BLOB) FROM contents
             WHERE run = ?1 AND root = ?2 AND substr(content, 1, 1) <> x'20'",
            params![id, root.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(|error| sql(error).into())
}

/// What a run's first record says, if the run is here.
fn begins(connection: &Connection, run: RunId) -> Result<Option<RunFacts>, EraserError> {
    let Some(row) = rows::find(connection, run)? else { return Ok(None) };
    let lines = read::lines(connection, row.id, 0, 1)?;
    if lines.is_empty() {
        return Ok(None);
    }
    Ok(Some(facts_of(run, lines)?))
}

/// A run's facts. What is wrong with its records stops it alone: of a person or tenant others are erased all the same.
fn facts_of(run: RunId, lines: Vec<Vec<u8>>) -> Result<RunFacts, EraseError> {
    RunFacts::read(lines.into_iter().map(Ok)).map_err(|why| {
        let path = Path::new("runs").join(run.to_string()).join(Stream::Records.file_name());
        EraseError::Line { path, why }
    })
}

/// Whose a run is, if it is here.
pub(crate) fn tenant_of(connection: &Connection, run: RunId) -> Result<Option<Name>, StoreError> {
    let found: Option<String> = connection
        .prepare_cached("SELECT tenant FROM summaries JOIN runs ON id = summaries.run WHERE runs.run = ?1")
        .and_then(|mut s| s.query_row([run.to_string()], |row| row.get(0)).optional())
        .map_err(sql)?;
    found.map(Name::new).transpose().map_err(|error| corrupt(error.to_string()))
}

/// A tenant's annex as its file.
pub(crate) fn annex_lines(connection: &Connection, tenant: &Name) -> Result<Vec<u8>, StoreError> {
    files::annex(connection, tenant.as_str())
}
