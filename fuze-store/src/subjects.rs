//! Data subjects' keys in a database of their own: what protects a person is not where the person's runs are.
//!
//! The index leads from a person to the aliases by an HMAC; no reference stands here. Not here: runs.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use fuze_agent::store::StoreError;
use fuze_evidence::Name;
use fuze_evidence::keys::{Person, Secret, SubjectIndexKey, SubjectKey, SubjectKeyError, SubjectKeys};
use fuze_evidence::random::{OsRandom, Random as _};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::error::{corrupt, sql};
use crate::{database, network, place};

/// `fuzs` in ASCII: SQLite's mark of whose file this is.
const APPLICATION_ID: i32 = 0x6675_7a73;
const VERSION: i32 = 1;
const FILE: &str = "subjects.sqlite";

const TABLES: &str = "
CREATE TABLE index_key (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL CHECK (length(secret) = 32)) STRICT;
CREATE TABLE keys (
    alias TEXT PRIMARY KEY NOT NULL,
    tag BLOB NOT NULL CHECK (length(tag) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;
CREATE INDEX keys_of_person ON keys (tag, alias);
CREATE TRIGGER keys_stay BEFORE UPDATE ON keys
BEGIN SELECT RAISE(ABORT, 'a key never changes'); END;
";

/// Keys of data subjects in one SQLite file, shared by the processes of one machine. Each call is one transaction on the calling
/// thread.
pub struct SqliteSubjectKeys {
    connection: Mutex<Connection>,
    index: SubjectIndexKey,
}

impl fmt::Debug for SqliteSubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteSubjectKeys")
    }
}

impl SqliteSubjectKeys {
    /// Opens the keys in `directory`, which is made if it is not there, with the rights 0700. Choose another one than the store's, with
    /// backups of its own: a backup of both brings back what was erased.
    ///
    /// # Errors
    /// When the directory or the file is a link, open to others or on a network file system, or the file is something else.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = place::directory(directory.as_ref())?;
        network::refuse(&directory)?;
        let file = directory.join(FILE);
        place::database(&file)?;
        let mut connection = database::plain(&file, Duration::from_secs(10))?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let pragma =
            |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(sql);
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION_ID, VERSION) => {}
            (APPLICATION_ID, found) => {
                return Err(StoreError::NewerVersion {
                    found: found.unsigned_abs(),
                    known: VERSION.unsigned_abs(),
                });
            }
            (0, 0) => {
                let secret = fresh().map_err(|error| StoreError::Io(error.to_string()))?;
                transaction.execute_batch(TABLES).map_err(sql)?;
                transaction
                    .execute("INSERT INTO index_key (id, secret) VALUES (1, ?1)", [secret.as_slice()])
                    .map_err(sql)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
                transaction.pragma_update(None, "user_version", VERSION).map_err(sql)?;
            }
            (other, _) => {
                return Err(corrupt(format!("the file belongs to another application (id {other:#010x})")));
            }
        }
        let secret: [u8; 32] = transaction
            .query_row("SELECT secret FROM index_key WHERE id = 1", [], |row| row.get(0))
            .map_err(sql)?;
        transaction.commit().map_err(sql)?;
        Ok(Self { connection: Mutex::new(connection), index: SubjectIndexKey::new(Secret::new(secret)) })
    }

    fn locked(&self) -> Result<MutexGuard<'_, Connection>, SubjectKeyError> {
        self.connection
            .lock()
            .map_err(|_| SubjectKeyError::Store("a thread panicked while it held the keys".into()))
    }
}

fn fresh() -> Result<Secret, SubjectKeyError> {
    let mut secret = Secret::new([0; 32]);
    OsRandom::new().fill(secret.as_mut_slice()).map_err(SubjectKeyError::Random)?;
    Ok(secret)
}

fn failed(error: rusqlite::Error) -> SubjectKeyError {
    SubjectKeyError::Store(sql(error).to_string())
}

impl SubjectKeys for SqliteSubjectKeys {
    fn create(&self, alias: &Name, person: Person<'_>) -> Result<SubjectKey, SubjectKeyError> {
        let (secret, tag) = (fresh()?, self.index.tag(person)?);
        let made = self.locked()?.execute(
            "INSERT INTO keys (alias, tag, secret) VALUES (?1, ?2, ?3) ON CONFLICT (alias) DO NOTHING",
            params![alias.as_str(), tag.as_bytes(), secret.as_slice()],
        );
        match made.map_err(failed)? {
            1 => Ok(SubjectKey::from_secret(secret)),
            _ => Err(SubjectKeyError::Exists { alias: alias.clone() }),
        }
    }

    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError> {
        let found: Option<[u8; 32]> = self
            .locked()?
            .query_row("SELECT secret FROM keys WHERE alias = ?1", [alias.as_str()], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        Ok(found.map(|secret| SubjectKey::from_secret(Secret::new(secret))))
    }

    fn aliases(&self, person: Person<'_>) -> Result<Vec<Name>, SubjectKeyError> {
        let tag = self.index.tag(person)?;
        let connection = self.locked()?;
        let mut statement = connection
            .prepare_cached("SELECT alias FROM keys WHERE tag = ?1 ORDER BY alias")
            .map_err(failed)?;
        let aliases = statement.query_map([tag.as_bytes()], |row| row.get::<_, String>(0)).map_err(failed)?;
        aliases
            .map(|alias| {
                Name::new(alias.map_err(failed)?).map_err(|error| SubjectKeyError::Store(error.to_string()))
            })
            .collect()
    }

    fn erase(&self, alias: &Name) -> Result<(), SubjectKeyError> {
        let connection = self.locked()?;
        connection.execute("DELETE FROM keys WHERE alias = ?1", [alias.as_str()]).map_err(failed)?;
        // What was deleted stays in the write-ahead log until that is cut.
        database::truncate_log(&connection).map_err(|error| SubjectKeyError::Store(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn a_key_is_found_by_its_person_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("subjects");
        let keys = SqliteSubjectKeys::open(&directory).unwrap();
        let (acme, other) = (name("acme"), name("other"));
        let reference = "applicant-17@example.org";
        let person = Person { tenant: &acme, reference };
        let aliases: Vec<Name> = (0..40).map(|number| name(&format!("s-{number:02}"))).collect();
        for alias in &aliases {
            assert!(keys.find(alias).unwrap().is_none());
            keys.create(alias, person).unwrap();
            assert!(matches!(keys.create(alias, person), Err(SubjectKeyError::Exists { .. })));
        }
        let again = SqliteSubjectKeys::open(&directory).unwrap();
        assert_eq!(again.aliases(person).unwrap(), aliases);
        assert_eq!(again.aliases(Person { tenant: &other, reference }).unwrap(), []);
        assert_eq!(scan::find(place.path(), reference.as_bytes()), None);
        let secret: [u8; 32] = keys
            .locked()
            .unwrap()
            .query_row("SELECT secret FROM keys WHERE alias = 's-07'", [], |row| row.get(0))
            .unwrap();
        assert!(scan::find(place.path(), &secret).is_some());
        keys.erase(&aliases[7]).unwrap();
        keys.erase(&aliases[7]).unwrap();
        assert_eq!(scan::find(place.path(), &secret), None);
        assert!(again.find(&aliases[7]).unwrap().is_none());
        assert!(again.find(&aliases[8]).unwrap().is_some());
        assert_eq!(again.aliases(person).unwrap().len(), 39);
    }

    #[test]
    fn another_file_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let directory = place::directory(&place.path().join("subjects")).unwrap();
        place::database(&directory.join(FILE)).unwrap();
        let file = Connection::open(directory.join(FILE)).unwrap();
        file.pragma_update(None, "application_id", 7).unwrap();
        drop(file);
        assert!(matches!(SqliteSubjectKeys::open(&directory), Err(StoreError::Corrupt(_))));
    }
}
