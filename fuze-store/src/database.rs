//! One connection and its transactions. A transaction's end has three outcomes, because a failed COMMIT may still have
//! taken place; nothing here writes outside a transaction.

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fuze_agent::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{self, sql};
use crate::schema;

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum Ended<T, E> {
    /// Committed, durably.
    Committed(T),
    /// Rolled back: nothing has changed.
    RolledBack(E),
    /// COMMIT failed. What a fresh connection sees decides; until then nobody may say.
    Unclear(T, StoreError),
}

/// A connection to the store's file.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    busy_timeout: Duration,
    max_bytes: Option<u64>,
    connection: Connection,
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
    /// How many COMMITs there were.
    #[cfg(test)]
    pub(crate) commits: usize,
}

/// What a test makes go wrong at the next COMMIT.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It fails and has not happened.
    CommitLost,
    /// It happens and says that it failed.
    CommitUnheard,
}

impl Database {
    /// Opens the file, checks whose it is and makes the tables if it is empty.
    pub(crate) fn open(
        path: PathBuf,
        busy_timeout: Duration,
        max_bytes: Option<u64>,
    ) -> Result<Self, StoreError> {
        let mut connection = connect(&path, busy_timeout)?;
        schema::examine(&connection)?;
        write_ahead(&connection, busy_timeout)?;
        configure(&connection, max_bytes)?;
        schema::create(&mut connection)?;
        Ok(Self {
            path,
            busy_timeout,
            max_bytes,
            connection,
            #[cfg(test)]
            fault: None,
            #[cfg(test)]
            commits: 0,
        })
    }

    /// Runs `read` over one moment of the database.
    pub(crate) fn snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction().map_err(sql)?;
        let result = read(&transaction)?;
        // Nothing was written: the end of the transaction cannot lose anything.
        transaction.finish().map_err(sql)?;
        Ok(result)
    }

    /// Runs `write` under the write lock, from its first statement. Any error rolls back.
    pub(crate) fn write<T, E: From<StoreError>>(
        &mut self,
        write: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Ended<T, E> {
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return Ended::RolledBack(sql(error).into());
        }
        match write(&self.connection) {
            Err(error) => {
                self.roll_back();
                Ended::RolledBack(error)
            }
            Ok(value) => self.end(value),
        }
    }

    /// Runs `count` writes in one transaction with one COMMIT, each under a savepoint of its own: `write` says of the one
    /// with the given number whether it stands. One that does not is undone and spoils no other.
    pub(crate) fn write_together(
        &mut self,
        count: usize,
        mut write: impl FnMut(&Connection, usize) -> bool,
    ) -> Ended<(), StoreError> {
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return Ended::RolledBack(sql(error));
        }
        let mut any = false;
        for number in 0..count {
            let stands = self.savepoint(|connection| write(connection, number));
            match stands {
                Ok(stands) => any |= stands,
                Err(error) => {
                    self.roll_back();
                    return Ended::RolledBack(error);
                }
            }
        }
        if any {
            return self.end(());
        }
        self.roll_back();
        Ended::Committed(())
    }

    fn savepoint(&self, write: impl FnOnce(&Connection) -> bool) -> Result<bool, StoreError> {
        let run = |text: &str| {
            self.connection
                .prepare_cached(text)
                .and_then(|mut statement| statement.execute([]))
                .map(drop)
                .map_err(sql)
        };
        run("SAVEPOINT one")?;
        let stands = write(&self.connection);
        // After some errors SQLite has rolled back all of it, the writes before this one too.
        if self.connection.is_autocommit() {
            return Err(StoreError::Io("SQLite gave up the transaction".into()));
        }
        if !stands {
            run("ROLLBACK TO one")?;
        }
        run("RELEASE one")?;
        Ok(stands)
    }

    fn end<T, E: From<StoreError>>(&mut self, value: T) -> Ended<T, E> {
        match self.commit() {
            Ok(()) => Ended::Committed(value),
            // SQLite refused before it began (a broken constraint, say): the transaction is still open.
            Err(error) if !self.connection.is_autocommit() => {
                self.roll_back();
                Ended::RolledBack(error.into())
            }
            Err(error) => Ended::Unclear(value, error),
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        #[cfg(test)]
        {
            self.commits += 1;
        }
        #[cfg(test)]
        match self.fault.take() {
            None => {}
            Some(Fault::CommitLost) => {
                self.connection.execute_batch("ROLLBACK").map_err(sql)?;
                return Err(StoreError::Io("injected: not committed".into()));
            }
            Some(Fault::CommitUnheard) => {
                self.connection.execute_batch("COMMIT").map_err(sql)?;
                return Err(StoreError::Io("injected: committed".into()));
            }
        }
        self.connection.execute_batch("COMMIT").map_err(sql)
    }

    /// After an error SQLite may have rolled back itself. A connection that cannot roll back is replaced: closing it does.
    fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && self.connection.execute_batch("ROLLBACK").is_err()
            && let Ok(fresh) = self.fresh()
        {
            self.connection = fresh;
        }
    }

    /// See [`truncate_log`].
    pub(crate) fn truncate_log(&self) -> Result<(), StoreError> {
        truncate_log(&self.connection)
    }

    /// Writes every page anew. What it needs besides goes to a nameless file: the memory may be smaller than the database.
    pub(crate) fn vacuum(&self) -> Result<(), StoreError> {
        let pragma = |value| self.connection.pragma_update(None, "temp_store", value).map_err(sql);
        pragma("FILE")?;
        let done = self.connection.execute_batch("VACUUM").map_err(sql);
        pragma("MEMORY")?;
        done
    }

    /// Closes the file. The last one to do so moves the log into it.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        self.connection.close().map_err(|(_, error)| sql(error))
    }

    /// Another connection to the same file, which knows nothing of what this one believes.
    pub(crate) fn fresh(&self) -> Result<Connection, StoreError> {
        let connection = connect(&self.path, self.busy_timeout)?;
        configure(&connection, self.max_bytes)?;
        Ok(connection)
    }
}

/// A connection that reads, to a file that is there. It leaves nothing beside it.
#[derive(Debug)]
pub(crate) struct ReadOnly {
    connection: Connection,
    /// Of a file that is read without locks: what it was at first.
    found: Option<Found>,
}

/// A file, as far as its directory knows it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    octets: u64,
    modified: Option<SystemTime>,
}

impl Deref for ReadOnly {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl ReadOnly {
    /// Opens the file. Whoever reads beside a writer needs files that both share, and these a right to write; where there is none, the
    /// file is read as it is, which holds only as long as nobody writes: see [`Self::check`].
    pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let alone = !has_log(path)?;
        // The last one to close such a connection takes away what it shared; a connection that may not write leaves it behind.
        let access = if alone { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let shared = connect_as(access, path, busy_timeout);
        let shared = shared.and_then(|connection| {
            if alone && connection.is_readonly("main").map_err(sql)? {
                return Err(StoreError::Io("the file cannot be written".into()));
            }
            reads(&connection)?;
            Ok(connection)
        });
        match shared {
            Ok(connection) => Self { connection, found: None }.configured(),
            Err(StoreError::Io(error)) if !alone => Err(StoreError::Io(format!(
                "{error}; beside `{}` lies a write-ahead log that holds what the file does not have yet, and without the right to write here \
                 it cannot be read: copy the store's directory as a whole to where you can write, and read it there",
                path.display()
            ))),
            Err(StoreError::Io(_)) => Self::unshared(path),
            Err(other) => Err(other),
        }
    }

    /// The file as it is, without locks, and without a log, which is not there.
    fn unshared(path: &Path) -> Result<Self, StoreError> {
        let found = Some(Found::at(path)?);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(uri(path), flags).map_err(sql)?;
        reads(&connection)?;
        Self { connection, found }.configured()
    }

    fn configured(self) -> Result<Self, StoreError> {
        self.connection.set_prepared_statement_cache_capacity(64);
        for (pragma, value) in [("query_only", "ON"), ("trusted_schema", "OFF"), ("cell_size_check", "ON")] {
            self.connection.pragma_update(None, pragma, value).map_err(sql)?;
        }
        Ok(self)
    }

    /// Whether what was read up to here can be relied on: of a file that is read without locks, whether nobody has written to it since.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let Some(found) = &self.found else { return Ok(()) };
        if Found::at(&found.path)? == *found && !has_log(&found.path)? {
            return Ok(());
        }
        Err(StoreError::Io(format!(
            "`{}` was written to while it was read without the right to write, which takes no locks; read it again",
            found.path.display()
        )))
    }
}

impl Found {
    fn at(path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path).map_err(|e| error::io(path, &e))?;
        Ok(Self { path: path.to_owned(), octets: found.len(), modified: found.modified().ok() })
    }
}

/// Whether a write-ahead log with something in it lies beside a database.
fn has_log(path: &Path) -> Result<bool, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    match fs::metadata(&log) {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error::io(&log, &error)),
    }
}

/// Nothing is read from a file before something is asked.
fn reads(connection: &Connection) -> Result<(), StoreError> {
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map(drop)
        .map_err(sql)
}

/// A path as SQLite takes it with options.
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for octet in path.as_os_str().as_encoded_bytes() {
        match octet {
            b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*octet)),
            octet if octet.is_ascii_alphanumeric() => uri.push(char::from(*octet)),
            octet => uri.push_str(&format!("%{octet:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// Moves the write-ahead log into the file and cuts it to nothing, so that what was erased does not stay in it. SQLite syncs what it moves and
/// not the cut: after a power failure the log would be as long as before, with all that was in it. No lock is on the log itself, so that it can
/// be opened and closed beside SQLite.
pub(crate) fn truncate_log(connection: &Connection) -> Result<(), StoreError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(sql)?;
    if busy != 0 {
        return Err(StoreError::Locked);
    }
    let Some(path) = connection.path() else { return Ok(()) };
    let log = PathBuf::from(format!("{path}-wal"));
    match File::open(&log).and_then(|log| log.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error::io(&log, &error)),
        _ => Ok(()),
    }
}

/// A connection to write with, to a file with other tables than the store's.
pub(crate) fn plain(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let connection = connect(path, busy_timeout)?;
    write_ahead(&connection, busy_timeout)?;
    configure(&connection, None)?;
    Ok(connection)
}

fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    connect_as(OpenFlags::SQLITE_OPEN_READ_WRITE, path, busy_timeout)
}

fn connect_as(access: OpenFlags, path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let flags = access
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags).map_err(sql)?;
    connection.busy_timeout(busy_timeout).map_err(sql)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// SQLite does not wait for the lock that this switch needs, so that a second opener has to.
fn write_ahead(connection: &Connection, patience: Duration) -> Result<(), StoreError> {
    let begun = std::time::Instant::now();
    loop {
        let mode: Result<String, _> =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode.map_err(sql) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Io(format!(
                    "SQLite cannot keep a write-ahead log here (it offers `{mode}`); use a local disk"
                )));
            }
            Err(StoreError::Locked) if begun.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

fn configure(connection: &Connection, max_bytes: Option<u64>) -> Result<(), StoreError> {
    for (pragma, value) in [
        ("synchronous", "FULL"),
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        // What is deleted must be gone from the file, not only from the tables.
        ("secure_delete", "ON"),
        ("temp_store", "MEMORY"),
        // In pages, some 16 MiB: an append in hundreds pays for moving the log into the file, not one in a hundred.
        ("wal_autocheckpoint", "4096"),
    ] {
        connection.pragma_update(None, pragma, value).map_err(sql)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(sql)?;
    // Else SQLite plans a statement anew whenever another value is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sql)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(sql)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false).map_err(sql)?;
    if let Some(bytes) = max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(sql)?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX).checked_div(page).unwrap_or(1).max(1);
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
            .map_err(sql)?;
    }
    Ok(())
}
