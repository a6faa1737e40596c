//! The tables, and whether a file holds them. Each version of the schema is the one before and a step; a file of an earlier
//! version is brought up to the newest when it is opened for writing.

mod v1;
mod v2;
mod v3;

use fuze_agent::store::StoreError;
use rusqlite::{Connection, TransactionBehavior};

use crate::error::{corrupt, sql};
use crate::summary;

/// `fuze` in ASCII: SQLite's mark of whose file this is.
const APPLICATION_ID: i32 = 0x6675_7a65;

/// One version more: its tables, and what they take from what is there.
struct Step {
    tables: &'static str,
    fill: fn(&Connection) -> Result<(), StoreError>,
}

/// The step to version 1 first.
const STEPS: [Step; 3] = [
    Step { tables: v1::V1, fill: |_| Ok(()) },
    Step { tables: v2::V2, fill: summary::fill },
    Step { tables: v3::V3, fill: |_| Ok(()) },
];

/// The newest schema that this version reads, and the only one that it writes.
const VERSION: usize = STEPS.len();

/// What a file says that it is.
enum Kind {
    Empty,
    /// A store of this version of the schema, at most ours.
    Ours(usize),
}

fn kind(connection: &Connection) -> Result<Kind, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(sql);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sql)?;
    match (application, usize::try_from(version)) {
        (0, Ok(0)) if objects == 0 => Ok(Kind::Empty),
        (APPLICATION_ID, Ok(found)) if (1..=VERSION).contains(&found) => Ok(Kind::Ours(found)),
        (APPLICATION_ID, Ok(found)) if found > VERSION => Err(StoreError::NewerVersion {
            found: version.unsigned_abs(),
            known: u32::try_from(VERSION).unwrap_or(u32::MAX),
        }),
        (APPLICATION_ID, _) => {
            Err(corrupt(format!("its schema has the version {version}, which never existed")))
        }
        (other, _) => Err(corrupt(format!(
            "the file belongs to another application (id {other:#010x}); choose another directory"
        ))),
    }
}

/// Refuses a file that is neither a store of a version that this one knows nor empty, before anything is written to it.
pub(crate) fn examine(connection: &Connection) -> Result<(), StoreError> {
    match kind(connection)? {
        Kind::Empty => Ok(()),
        Kind::Ours(version) => compare(connection, version),
    }
}

/// For a reader, which cannot bring a file up to date.
pub(crate) fn require_newest(connection: &Connection) -> Result<(), StoreError> {
    match kind(connection)? {
        Kind::Ours(VERSION) => compare(connection, VERSION),
        Kind::Ours(found) => Err(corrupt(format!(
            "its schema has the version {found}, expected {VERSION}; open it once for writing to bring it up to date"
        ))),
        Kind::Empty => Err(corrupt("the file is empty: no store has been made here")),
    }
}

/// Makes the tables, or the steps that are missing. Two processes may try at once.
pub(crate) fn create(connection: &mut Connection) -> Result<(), StoreError> {
    if matches!(kind(connection)?, Kind::Ours(VERSION)) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    // Looked at again under the lock: somebody else may have been first.
    let from = match kind(&transaction)? {
        Kind::Empty => 0,
        Kind::Ours(version) => version,
    };
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step.tables).map_err(sql)?;
        (step.fill)(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
    transaction
        .pragma_update(None, "user_version", i64::try_from(VERSION).unwrap_or(i64::MAX))
        .map_err(sql)?;
    transaction.commit().map_err(sql)
}

/// A trigger more or a constraint less would change what the store promises.
fn compare(connection: &Connection, version: usize) -> Result<(), StoreError> {
    let expected = Connection::open_in_memory().map_err(sql)?;
    for step in STEPS.iter().take(version) {
        expected.execute_batch(step.tables).map_err(sql)?;
    }
    if objects(connection)? == objects(&expected)? {
        Ok(())
    } else {
        Err(corrupt("its tables are not those of its version"))
    }
}

type Object = (String, String, Option<String>);

fn objects(connection: &Connection) -> Result<Vec<Object>, StoreError> {
    connection
        .prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
        .and_then(|mut statement| {
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })
        .map_err(sql)
}
