//! The tables, and whether a file holds them. Every later version of the schema raises `VERSION` and brings the step from
//! the one before.

use fuze_agent::store::StoreError;
use rusqlite::{Connection, TransactionBehavior};

use crate::error::{corrupt, sql};

/// `fuze` in ASCII: SQLite's mark of whose file this is.
const APPLICATION_ID: i32 = 0x6675_7a65;
/// The newest schema that this version reads, and the only one that it writes.
const VERSION: i32 = 1;

/// The triggers repeat, inside the database, what must hold whoever writes: records and roots never change, an epoch never
/// falls, a closed run never reopens, a claimed token stays claimed, an effect never goes back.
const TABLES: &str = "
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE CHECK (length(run) = 36),
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    state TEXT NOT NULL CHECK (state IN ('running', 'suspended', 'closed')),
    stop TEXT CHECK (stop IN ('operator', 'abort')),
    count INTEGER NOT NULL CHECK (count >= 1),
    head BLOB NOT NULL CHECK (length(head) = 32),
    keys BLOB NOT NULL,
    subject TEXT,
    projected INTEGER NOT NULL DEFAULT 0 CHECK (projected IN (0, 1))
) STRICT;
CREATE INDEX runs_to_project ON runs (id) WHERE projected = 0;
CREATE TRIGGER runs_go_forward BEFORE UPDATE OF epoch, state, count ON runs
WHEN NEW.epoch < OLD.epoch OR NEW.count < OLD.count OR (OLD.state = 'closed' AND NEW.state <> 'closed')
BEGIN SELECT RAISE(ABORT, 'a run never goes back'); END;

CREATE TABLE records (
    run INTEGER NOT NULL REFERENCES runs (id),
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    line BLOB NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT;
CREATE TRIGGER records_stay BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'a record never changes'); END;

CREATE TABLE contents (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    content BLOB NOT NULL,
    keys BLOB NOT NULL,
    PRIMARY KEY (run, position),
    UNIQUE (run, root)
) STRICT;

CREATE TABLE roots (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    line BLOB NOT NULL,
    PRIMARY KEY (run, position)
) STRICT;
CREATE TRIGGER roots_stay BEFORE UPDATE ON roots
BEGIN SELECT RAISE(ABORT, 'a signed root never changes'); END;

CREATE TABLE progress (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL CHECK (position >= 0),
    sequence INTEGER NOT NULL CHECK (sequence >= 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    bytes BLOB NOT NULL,
    PRIMARY KEY (run, position)
) STRICT;

CREATE TABLE effects (
    run INTEGER NOT NULL REFERENCES runs (id),
    exec_id BLOB NOT NULL CHECK (length(exec_id) = 32),
    state TEXT NOT NULL CHECK (state IN ('intent', 'started', 'in_doubt', 'done')),
    PRIMARY KEY (run, exec_id)
) STRICT;
CREATE TRIGGER effects_go_forward BEFORE UPDATE ON effects
WHEN NEW.state = 'intent' AND OLD.state <> 'intent'
  OR NEW.state = 'started' AND OLD.state <> 'intent'
  OR NEW.state = 'in_doubt' AND OLD.state <> 'started'
  OR OLD.state = 'done'
BEGIN SELECT RAISE(ABORT, 'an effect never goes back'); END;

CREATE TABLE tokens (
    token_hash BLOB PRIMARY KEY NOT NULL CHECK (length(token_hash) = 32),
    run INTEGER NOT NULL REFERENCES runs (id),
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    expires_at_ms INTEGER NOT NULL,
    claim_id BLOB CHECK (length(claim_id) = 16),
    claimed_at_ms INTEGER,
    CHECK ((claim_id IS NULL) = (claimed_at_ms IS NULL))
) STRICT;
CREATE INDEX tokens_of_run ON tokens (run);
CREATE TRIGGER tokens_once BEFORE UPDATE ON tokens WHEN OLD.claim_id IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a token is claimed once'); END;
";

/// What a file says that it is.
enum Kind {
    Empty,
    Ours,
}

fn kind(connection: &Connection) -> Result<Kind, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(sql);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sql)?;
    match (application, version) {
        (0, 0) if objects == 0 => Ok(Kind::Empty),
        (APPLICATION_ID, VERSION) => Ok(Kind::Ours),
        (APPLICATION_ID, found) if found > VERSION => {
            Err(StoreError::NewerVersion { found: found.unsigned_abs(), known: VERSION.unsigned_abs() })
        }
        (APPLICATION_ID, found) => {
            Err(corrupt(format!("its schema has the version {found}, which never existed")))
        }
        (other, _) => Err(corrupt(format!(
            "the file belongs to another application (id {other:#010x}); choose another directory"
        ))),
    }
}

/// Refuses a file that is not a store of this version or empty, before anything is written to it.
pub(crate) fn examine(connection: &Connection) -> Result<(), StoreError> {
    match kind(connection)? {
        Kind::Empty => Ok(()),
        Kind::Ours => compare(connection),
    }
}

/// Makes the tables if there are none. Two processes may try at once.
pub(crate) fn create(connection: &mut Connection) -> Result<(), StoreError> {
    if matches!(kind(connection)?, Kind::Ours) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    // Looked at again under the lock: somebody else may have been first.
    if matches!(kind(&transaction)?, Kind::Empty) {
        transaction.execute_batch(TABLES).map_err(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(sql)?;
    }
    transaction.commit().map_err(sql)
}

/// A trigger more or a constraint less would change what the store promises.
fn compare(connection: &Connection) -> Result<(), StoreError> {
    let expected = Connection::open_in_memory().map_err(sql)?;
    expected.execute_batch(TABLES).map_err(sql)?;
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
