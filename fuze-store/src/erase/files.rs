//! What follows an erasure's transaction: the subject's key, the run's files, the annex as a file, the write-ahead log.
//!
//! Each step may be taken again; the row in `unfinished` goes last.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fuze_agent::store::StoreError;
use fuze_evidence::annex::file_name;
use fuze_evidence::erase::EraseError;
use fuze_evidence::files::{MAX_ANNEX_BYTES, read_own};
use fuze_evidence::keys::SubjectKeys;
use fuze_evidence::place::{Misplaced, check_erasable};
use fuze_evidence::{Name, RunId};
use rusqlite::{Connection, Row, params};

use super::EraserError;
use crate::error::{self, corrupt, sql};
use crate::keeper::{Keeper, known};
use crate::place::sync_parent;
use crate::projection::make_directory;
use crate::stream::{self, Stream};

#[cfg(test)]
thread_local! {
    /// How many more steps the store's thread takes before a test's crash.
    pub(super) static STEPS_LEFT: std::cell::Cell<Option<u32>> = const { std::cell::Cell::new(None) };
}

#[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "tests crash here"))]
fn step() -> Result<(), StoreError> {
    #[cfg(test)]
    if let Some(left) = STEPS_LEFT.get() {
        STEPS_LEFT.set(Some(left.saturating_sub(1)));
        if left == 0 {
            return Err(StoreError::Io("crashed".into()));
        }
    }
    Ok(())
}

/// A row of `unfinished`.
struct Unfinished {
    id: i64,
    run: RunId,
    tenant: String,
    subject: Option<Name>,
}

/// What becomes of the room that erased content took in the database: how much that is tells how much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// The erasure ends with a database that has none of it.
    GivenBack,
    /// It stays until the database is written anew.
    Kept,
}

/// What came of finishing erasures.
#[derive(Default)]
pub(crate) struct Finished {
    /// Those that have only the database's own part left: the table's numbers, and the runs.
    pub(super) followed: Vec<(i64, RunId)>,
    /// Those that are over.
    pub(crate) runs: Vec<RunId>,
    /// Those that are not, and why.
    pub(crate) stuck: Vec<Stuck>,
}

/// An erasure that cannot be finished now.
pub(crate) struct Stuck {
    run: RunId,
    tenant: String,
    error: EraserError,
}

impl Finished {
    /// What is over, if nothing stands in the way of anything.
    pub(crate) fn all(self) -> Result<Vec<RunId>, EraserError> {
        match self.stuck.into_iter().next() {
            Some(stuck) => Err(stuck.error),
            None => Ok(self.runs),
        }
    }

    /// Nothing of this tenant is left unfinished: what comes after it would be said before it.
    pub(crate) fn of_tenant(self, tenant: &Name) -> Result<(), EraserError> {
        self.without(|stuck| stuck.tenant == tenant.as_str())
    }

    /// Nothing of this run is left unfinished.
    pub(crate) fn of_run(self, run: RunId) -> Result<(), EraserError> {
        self.without(|stuck| stuck.run == run)
    }

    fn without(self, wanted: impl Fn(&Stuck) -> bool) -> Result<(), EraserError> {
        match self.stuck.into_iter().find(wanted) {
            Some(stuck) => Err(stuck.error),
            None => Ok(()),
        }
    }
}

/// Which files are not in step with the tables: what they belong to refuses until they are.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    pub(crate) runs: BTreeMap<RunId, StoreError>,
    pub(crate) annexes: BTreeMap<Name, StoreError>,
}

impl Keeper {
    /// Brings every erasure that was committed to its end, if nothing stands in its way; one that is stuck holds up no other.
    pub(crate) fn finish_erasures(
        &mut self,
        subjects: Option<&dyn SubjectKeys>,
        room: Room,
    ) -> Result<Finished, EraserError> {
        let mut finished = self.follow_erasures(subjects)?;
        if finished.followed.is_empty() {
            return Ok(finished);
        }
        step()?;
        self.database.truncate_log()?;
        match room {
            Room::GivenBack => self.compact().map_err(EraserError::NotCompacted)?,
            Room::Kept => {}
        }
        step()?;
        known(self.database.write(|connection| -> Result<(), StoreError> {
            for (id, _) in &finished.followed {
                connection.execute("DELETE FROM unfinished WHERE run = ?1", [id]).map_err(sql)?;
            }
            Ok(())
        }))?;
        finished.runs = finished.followed.drain(..).map(|(_, run)| run).collect();
        Ok(finished)
    }

    /// What follows the transactions of all erasures that are unfinished, and leaves them so: what stays in the database is still to go.
    pub(super) fn follow_erasures(
        &mut self,
        subjects: Option<&dyn SubjectKeys>,
    ) -> Result<Finished, EraserError> {
        let mut finished = Finished::default();
        for erased in self.unfinished()? {
            match self.follow(&erased, subjects) {
                Ok(()) => finished.followed.push((erased.id, erased.run)),
                Err(error) => finished.stuck.push(Stuck { run: erased.run, tenant: erased.tenant, error }),
            }
        }
        Ok(finished)
    }

    /// What follows an erasure's transaction: the subject's key, the run's files, the tenant's annex.
    fn follow(&mut self, erased: &Unfinished, subjects: Option<&dyn SubjectKeys>) -> Result<(), EraserError> {
        if let Some(alias) = &erased.subject {
            step()?;
            let path = self.projection.store().to_owned();
            let subjects = subjects.ok_or(EraseError::Unfinished { path })?;
            subjects.erase(alias).map_err(EraseError::Subject)?;
        }
        self.settle_run(erased)?;
        Ok(self.project_annex(&erased.tenant)?)
    }

    /// Takes out the blanks, whole rows and the ends of others, and writes every page anew: then the database is as if there had never
    /// been more than is left. Of rows that move meanwhile a copy stays in what pages do not use, and goes with those pages.
    pub(super) fn compact(&mut self) -> Result<(), StoreError> {
        // Only what an erasure has changed can end in blanks.
        const TRIM: &str =
            "UPDATE contents SET content = CAST(rtrim(content) AS BLOB), keys = CAST(rtrim(keys) AS BLOB)
             WHERE run IN (SELECT id FROM annex JOIN runs ON runs.run = annex.run WHERE erases IS NOT NULL)
               AND (substr(content, -1) = x'20' OR substr(keys, -1) = x'20')";
        known(self.database.write(|connection| {
            connection
                .execute("DELETE FROM contents WHERE substr(content, 1, 1) = x'20'", [])
                .and_then(|_| connection.execute(TRIM, []))
                .map_err(sql)
        }))?;
        step()?;
        self.database.vacuum()?;
        step()?;
        self.database.truncate_log()
    }

    /// Brings the files in step with what was erased from the tables: a run's, and every tenant's annex. Says where that cannot be.
    pub(crate) fn settle_files(&mut self) -> Result<Unsettled, StoreError> {
        let mut unsettled = Unsettled::default();
        for erased in self.unfinished()? {
            if let Err(error) = self.settle_run(&erased) {
                unsettled.runs.insert(erased.run, error);
            }
        }
        let tenants: Vec<String> = self.database.snapshot(|connection| {
            connection
                .prepare("SELECT DISTINCT tenant FROM annex")
                .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
                .map_err(sql)
        })?;
        for tenant in tenants {
            let name = Name::new(tenant.as_str()).map_err(|error| corrupt(error.to_string()))?;
            if let Err(error) = self.project_annex(&tenant) {
                unsettled.annexes.insert(name, error);
            }
        }
        Ok(unsettled)
    }

    fn settle_run(&mut self, erased: &Unfinished) -> Result<(), StoreError> {
        self.rewrite(erased.run, erased.id)?;
        // Of a run that is gone nothing is to be completed any more; of another one that is the sweep's to say.
        const GONE: &str = "UPDATE runs SET projected = 1
             WHERE id = ?1 AND state = 'closed' AND NOT EXISTS (SELECT 1 FROM records WHERE records.run = id)";
        known(self.database.write(|connection| connection.execute(GONE, [erased.id]).map(drop).map_err(sql)))
    }

    fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        // The statement was made with the row, in one transaction.
        const ROWS: &str = "SELECT id, runs.run, unfinished.subject,
               (SELECT tenant FROM annex WHERE annex.run = runs.run AND erases IS NOT NULL LIMIT 1)
             FROM unfinished JOIN runs ON id = unfinished.run";
        let rows: Vec<(i64, String, Option<String>, String)> = self.database.snapshot(|connection| {
            connection
                .prepare_cached(ROWS)
                .and_then(|mut statement| {
                    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                    statement.query_map([], row)?.collect()
                })
                .map_err(sql)
        })?;
        let read = |(id, run, subject, tenant): (i64, String, Option<String>, String)| {
            let run = run.parse().map_err(|_| corrupt(format!("a run has the id `{run}`")))?;
            let subject = subject.map(Name::new).transpose().map_err(|error| corrupt(error.to_string()))?;
            Ok(Unfinished { id, run, tenant, subject })
        };
        rows.into_iter().map(read).collect()
    }

    /// Writes a run's content and keys anew, or removes its directory when nothing of it is left.
    fn rewrite(&mut self, run: RunId, id: i64) -> Result<(), StoreError> {
        let directory = self.projection.directory(run);
        // What came there since the erasure began.
        check_erasable(&directory).map_err(|Misplaced { path, source }| error::io(&path, &source))?;
        let _turn = self.projection.take_turn(run)?;
        self.projection.forget(run);
        let (gone, content, keys) = self.database.snapshot(|connection| {
            let records: i64 = connection
                .query_row("SELECT count(*) FROM records WHERE run = ?1", [id], |row| row.get(0))
                .map_err(sql)?;
            Ok((records == 0, lines(connection, Stream::Content, id)?, lines(connection, Stream::Keys, id)?))
        })?;
        if gone {
            return remove_directory(&directory);
        }
        for (stream, octets) in [(Stream::Content, content), (Stream::Keys, keys)] {
            replace(&directory.join(stream.file_name()), &octets)?;
        }
        Ok(())
    }

    /// Brings a tenant's annex as a file in step with the table.
    pub(crate) fn project_annex(&self, tenant: &str) -> Result<(), StoreError> {
        let octets = self.database.snapshot(|connection| annex(connection, tenant))?;
        let directory = self.projection.store().join("annex");
        make_directory(&directory)?;
        let name = Name::new(tenant).map_err(|error| corrupt(error.to_string()))?;
        let path = directory.join(file_name(&name));
        let there = annex_file(self.projection.store(), &name)?.map(|(_, octets)| octets).unwrap_or_default();
        if there == octets {
            return Ok(());
        }
        // A crash may have cut its last line short; anything else is not the table's.
        if !octets.starts_with(&there) {
            return Err(holds_more(&path));
        }
        replace(&path, &octets)
    }
}

/// Where a tenant's annex is as a file, and what it says, if it is there.
pub(crate) fn annex_file(store: &Path, tenant: &Name) -> Result<Option<(PathBuf, Vec<u8>)>, StoreError> {
    let path = store.join("annex").join(file_name(tenant));
    match read_own(&path, MAX_ANNEX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error::io(&path, &error)),
        Ok(octets) => Ok(Some((path, octets))),
    }
}

/// The annex as a file is not the table's, nor the beginning of it.
pub(crate) fn holds_more(path: &Path) -> StoreError {
    StoreError::Projection(format!(
        "`{}` holds what the store lacks; keep it for whoever looks into it, and move it away to have it written again",
        path.display()
    ))
}

/// A tenant's annex as its file.
pub(super) fn annex(connection: &Connection, tenant: &str) -> Result<Vec<u8>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT line FROM annex WHERE tenant = ?1 ORDER BY sequence")
        .map_err(sql)?;
    let mut rows = statement.query([tenant]).map_err(sql)?;
    let mut octets = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        octets.extend_from_slice(row.get_ref(0).map_err(sql)?.as_blob().map_err(|e| corrupt(e.to_string()))?);
        octets.push(b'\n');
    }
    Ok(octets)
}

fn lines(connection: &Connection, stream: Stream, id: i64) -> Result<Vec<u8>, StoreError> {
    let mut statement = connection.prepare_cached(stream.query()).map_err(sql)?;
    let mut rows = statement.query(params![id, stream::FIRST]).map_err(sql)?;
    let mut octets = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        octets.extend_from_slice(row.get_ref(0).map_err(sql)?.as_blob().map_err(|e| corrupt(e.to_string()))?);
        octets.push(b'\n');
    }
    Ok(octets)
}

/// Writes beside `path`, makes it durable and puts it in its place.
fn replace(path: &Path, octets: &[u8]) -> Result<(), StoreError> {
    let io = |e: io::Error| error::io(path, &e);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    step()?;
    let mut file = options.open(&new).map_err(io)?;
    let (first, second) = octets.split_at(octets.len() / 2);
    file.write_all(first).map_err(io)?;
    step()?;
    file.write_all(second).and_then(|()| file.sync_all()).map_err(io)?;
    step()?;
    fs::rename(&new, path).map_err(io)?;
    step()?;
    sync_parent(path).map_err(io)
}

/// Removes a run's directory, the file that is locked last.
fn remove_directory(directory: &Path) -> Result<(), StoreError> {
    let io = |e: io::Error| error::io(directory, &e);
    let records = directory.join(Stream::Records.file_name());
    for entry in fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path != records {
            step()?;
            fs::remove_file(&path).map_err(io)?;
        }
    }
    step()?;
    fs::remove_file(&records).map_err(io)?;
    File::open(directory).and_then(|d| d.sync_all()).map_err(io)?;
    step()?;
    fs::remove_dir(directory).map_err(io)?;
    step()?;
    sync_parent(directory).map_err(io)
}
