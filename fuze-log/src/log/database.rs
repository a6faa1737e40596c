//! The log's table of leaves and of intents. Append-only by triggers; every commit is durable when it returns.

use std::io;
use std::path::Path;
use std::time::Duration;

use fuze_evidence::Hash;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::error::LogError;
use crate::disk::Disk;

/// How long to wait for another process's transaction. The lock on the directory makes it rare.
const PATIENCE: Duration = Duration::from_secs(10);

const APPLICATION_ID: i32 = 0x667a_6c67;
const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE log (one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, vkey TEXT NOT NULL) STRICT;
CREATE TABLE leaf (
    idx INTEGER PRIMARY KEY CHECK (idx >= 0),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    entry BLOB NOT NULL
) STRICT;
CREATE TABLE intent (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32)
) STRICT;
CREATE TRIGGER leaf_order BEFORE INSERT ON leaf WHEN NEW.idx != (SELECT coalesce(max(idx) + 1, 0) FROM leaf)
    BEGIN SELECT raise(ABORT, 'a leaf out of order'); END;
CREATE TRIGGER leaf_kept BEFORE DELETE ON leaf BEGIN SELECT raise(ABORT, 'a leaf is for good'); END;
CREATE TRIGGER leaf_fixed BEFORE UPDATE ON leaf BEGIN SELECT raise(ABORT, 'a leaf is for good'); END;
CREATE TRIGGER intent_grows BEFORE INSERT ON intent
    WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM intent)
    BEGIN SELECT raise(ABORT, 'an intent must grow'); END;
CREATE TRIGGER intent_kept BEFORE DELETE ON intent BEGIN SELECT raise(ABORT, 'an intent is for good'); END;
CREATE TRIGGER intent_fixed BEFORE UPDATE ON intent BEGIN SELECT raise(ABORT, 'an intent is for good'); END;
";

/// A size and the root that it has, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) size: u64,
    pub(super) root: Hash,
}

/// Where the database stands.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) leaves: u64,
    pub(super) last: Intent,
    pub(super) before: Option<Intent>,
}

#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
}

impl Database {
    /// Makes the tables, with the intent of the empty tree.
    pub(super) fn create(disk: &dyn Disk, path: &Path, vkey: &str, first: Intent) -> Result<(), LogError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables != 0 {
            let directory = path.parent().unwrap_or(path).to_owned();
            return Err(LogError::Exists { directory });
        }
        transact(&connection, disk, |connection| {
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.execute_batch(SCHEMA)?;
            connection
                .execute("INSERT INTO log (one, format, vkey) VALUES (1, ?1, ?2)", params![FORMAT, vkey])?;
            insert_intent(connection, first)
        })
    }

    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let connection = connect(path, OpenFlags::empty())?;
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let format = || connection.query_row("SELECT format FROM log", [], |row| row.get::<_, i64>(0));
        match id {
            APPLICATION_ID if format()? == FORMAT => Ok(Self { connection }),
            APPLICATION_ID => Err(LogError::Corrupt { what: "it is of another version".into() }),
            // A creation that was cut off has left an empty file.
            0 => Err(LogError::Missing { directory: path.parent().unwrap_or(path).to_owned() }),
            _ => Err(LogError::Corrupt { what: "it is another program's".into() }),
        }
    }

    pub(super) fn vkey(&self) -> Result<String, LogError> {
        Ok(self.connection.query_row("SELECT vkey FROM log", [], |row| row.get(0))?)
    }

    pub(super) fn head(&self) -> Result<Head, LogError> {
        let leaves = self.connection.query_row(
            // The triggers keep the order; counting would read the whole table.
            "SELECT coalesce(max(idx) + 1, 0) FROM leaf",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        let mut query =
            self.connection.prepare_cached("SELECT size, root FROM intent ORDER BY size DESC LIMIT 2")?;
        let intents = query
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))?
            .map(|row| {
                let (size, root) = row?;
                Ok(Intent { size: number(size)?, root: Hash(root) })
            })
            .collect::<Result<Vec<_>, LogError>>()?;
        let mut intents = intents.into_iter();
        let last = intents.next().ok_or_else(|| LogError::Corrupt { what: "it has no intent".into() })?;
        Ok(Head { leaves: number(leaves)?, last, before: intents.next() })
    }

    /// The root that was meant for `size` leaves, if any was.
    pub(super) fn root_of(&self, size: u64) -> Result<Option<Hash>, LogError> {
        let mut query = self.connection.prepare_cached("SELECT root FROM intent WHERE size = ?1")?;
        let found: Option<[u8; 32]> = query.query_row([signed(size)?], |row| row.get(0)).optional()?;
        Ok(found.map(Hash))
    }

    pub(super) fn find(&self, hash: Hash) -> Result<Option<u64>, LogError> {
        let mut query = self.connection.prepare_cached("SELECT idx FROM leaf WHERE hash = ?1")?;
        let found: Option<i64> = query.query_row([hash.0], |row| row.get(0)).optional()?;
        found.map(number).transpose()
    }

    /// Leaves and the intent that covers them, in one transaction.
    pub(super) fn append(
        &mut self,
        disk: &dyn Disk,
        from: u64,
        leaves: &[(Hash, Vec<u8>)],
        intent: Intent,
    ) -> Result<(), LogError> {
        transact(&self.connection, disk, |connection| {
            let mut insert =
                connection.prepare_cached("INSERT INTO leaf (idx, hash, entry) VALUES (?1, ?2, ?3)")?;
            for (index, (hash, entry)) in (from..).zip(leaves) {
                insert.execute(params![signed(index)?, hash.0, entry])?;
            }
            insert_intent(connection, intent)
        })
    }

    /// Each leaf's octets from index `from` on, in their order, with their hash checked.
    pub(super) fn for_each(
        &self,
        from: u64,
        mut each: impl FnMut(&[u8]) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT idx, hash, entry FROM leaf WHERE idx >= ?1 ORDER BY idx")?;
        let mut rows = query.query([signed(from)?])?;
        let mut expected = from;
        while let Some(row) = rows.next()? {
            let entry = row.get_ref(2)?.as_blob().map_err(|e| LogError::Corrupt { what: e.to_string() })?;
            let hash = Hash(row.get(1)?);
            if number(row.get(0)?)? != expected || hash != crate::merkle::leaf_hash(entry) {
                return Err(LogError::Corrupt { what: format!("leaf {expected} is missing or was changed") });
            }
            each(entry)?;
            expected += 1;
        }
        Ok(())
    }
}

fn insert_intent(connection: &Connection, intent: Intent) -> Result<(), LogError> {
    let mut insert = connection.prepare_cached("INSERT INTO intent (size, root) VALUES (?1, ?2)")?;
    insert.execute(params![signed(intent.size)?, intent.root.0])?;
    Ok(())
}

fn number(n: i64) -> Result<u64, LogError> {
    u64::try_from(n).map_err(|_| LogError::Corrupt { what: format!("it holds the number {n}") })
}

fn signed(n: u64) -> Result<i64, LogError> {
    i64::try_from(n).map_err(|_| LogError::Corrupt { what: format!("{n} leaves are too many") })
}

/// Runs `write` in a transaction. A COMMIT that failed may have happened all the same: whoever calls reads again.
fn transact(
    connection: &Connection,
    disk: &dyn Disk,
    write: impl FnOnce(&Connection) -> Result<(), LogError>,
) -> Result<(), LogError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = write(connection).and_then(|()| {
        let mut failed = None;
        let committed = disk.commit(&mut || {
            connection.execute_batch("COMMIT").map_err(|error| {
                let text = error.to_string();
                failed = Some(error);
                io::Error::other(text)
            })
        });
        match (committed, failed) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(error)) => Err(error.into()),
            (Err(error), None) => Err(LogError::Database { why: error.to_string() }),
        }
    });
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

fn connect(path: &Path, create: OpenFlags) -> Result<Connection, LogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE
        | create;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(LogError::Database {
            why: format!("no write-ahead log here (SQLite offers `{mode}`); use a local disk"),
        });
    }
    for (pragma, value) in [
        ("synchronous", "FULL"),
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("temp_store", "MEMORY"),
    ] {
        connection.pragma_update(None, pragma, value)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    Ok(connection)
}
