//! Data subjects' keys in a database of their own: what protects a person is not where the person's runs are.
//!
//! The index leads from a person to the aliases by an HMAC; no reference stands here. Not here: runs.
//!
//! SQLite moves rows between pages when some are deleted, and what it moved stays behind in what a page does not use, `secure_delete` or
//! not. So a row is written once, at the end, and never leaves its place: to erase a key is to write zeros over it. The alias stays.

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
const VERSION: i32 = 2;
const FILE: &str = "subjects.sqlite";

const TABLES: &str = "
CREATE TABLE index_key (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL CHECK (length(secret) = 32)) STRICT;
CREATE TABLE keys (
    alias TEXT PRIMARY KEY NOT NULL,
    tag BLOB NOT NULL CHECK (length(tag) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;
";

/// No index over the tags: it would move them about. A person is looked for when something is to be erased, which is seldom.
const RULES: &str = "
CREATE TRIGGER keys_stay BEFORE UPDATE ON keys
WHEN NEW.rowid <> OLD.rowid OR NEW.alias <> OLD.alias OR NEW.tag <> zeroblob(32) OR NEW.secret <> zeroblob(32)
BEGIN SELECT RAISE(ABORT, 'a key never changes, but to nothing'); END;
CREATE TRIGGER keys_keep BEFORE DELETE ON keys
BEGIN SELECT RAISE(ABORT, 'an alias is not given twice'); END;
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
        let found = (pragma("application_id")?, pragma("user_version")?);
        match found {
            (APPLICATION_ID, VERSION) => {}
            (APPLICATION_ID, 1) => {
                transaction
                    .execute_batch("DROP INDEX keys_of_person; DROP TRIGGER keys_stay;")
                    .and_then(|()| transaction.execute_batch(RULES))
                    .and_then(|()| transaction.pragma_update(None, "user_version", VERSION))
                    .map_err(sql)?;
            }
            (APPLICATION_ID, found) => {
                return Err(StoreError::NewerVersion {
                    found: found.unsigned_abs(),
                    known: VERSION.unsigned_abs(),
                });
            }
            (0, 0) => {
                let secret = fresh().map_err(|error| StoreError::Io(error.to_string()))?;
                transaction
                    .execute_batch(TABLES)
                    .and_then(|()| transaction.execute_batch(RULES))
                    .map_err(sql)?;
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
        if found == (APPLICATION_ID, 1) {
            // What version 1 left behind where it had moved rows.
            connection.execute_batch("VACUUM").map_err(sql)?;
            database::truncate_log(&connection)?;
        }
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
            .query_row(
                "SELECT secret FROM keys WHERE alias = ?1 AND secret <> zeroblob(32)",
                [alias.as_str()],
                |row| row.get(0),
            )
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
        connection
            .execute(
                "UPDATE keys SET tag = zeroblob(32), secret = zeroblob(32) WHERE alias = ?1",
                [alias.as_str()],
            )
            .map_err(failed)?;
        // What was there stays in the write-ahead log until that is cut.
        database::truncate_log(&connection).map_err(|error| SubjectKeyError::Store(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use fuze_evidence::sha256;

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

    /// In memory where there is such a place: thousands of syncs.
    fn place() -> tempfile::TempDir {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
    }

    /// Whether any quarter of one of `secrets` is in the file.
    fn leaves(file: &Path, secrets: &[[u8; 32]]) -> bool {
        let quarters: HashSet<[u8; 8]> =
            secrets.iter().flat_map(|secret| secret.as_chunks::<8>().0.iter().copied()).collect();
        let octets = std::fs::read(file).unwrap();
        octets.windows(8).any(|eight| quarters.contains(&<[u8; 8]>::try_from(eight).unwrap()))
    }

    fn secret_of(keys: &SqliteSubjectKeys, alias: &Name) -> [u8; 32] {
        let sql = "SELECT secret FROM keys WHERE alias = ?1";
        keys.locked().unwrap().query_row(sql, [alias.as_str()], |row| row.get(0)).unwrap()
    }

    /// Keys come and go. In these orders copies of whole keys stayed in the file when rows were deleted: SQLite had moved them before.
    #[test]
    fn no_key_outlives_its_erasure_in_a_page() {
        let acme = name("acme");
        let person = Person { tenant: &acme, reference: "17" };
        for seed in [9, 13, 15, 18] {
            let place = place();
            let keys = SqliteSubjectKeys::open(place.path().join("subjects")).unwrap();
            let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed;
            let mut below = |most: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 33).unwrap() % most
            };
            let (mut live, mut gone) = (Vec::new(), Vec::new());
            for number in 0..1_500 {
                if live.is_empty() || below(20) < 11 {
                    let alias = name(&format!("s-{:08x}{:08x}{number:016x}", below(1 << 30), below(1 << 30)));
                    keys.create(&alias, person).unwrap();
                    live.push(alias);
                } else {
                    let alias = live.swap_remove(below(live.len()));
                    gone.push(secret_of(&keys, &alias));
                    keys.erase(&alias).unwrap();
                }
                if number % 100 == 99 {
                    assert!(!leaves(&place.path().join("subjects").join(FILE), &gone), "{seed} {number}");
                }
            }
            assert_eq!(keys.aliases(person).unwrap().len(), live.len());
        }
    }

    /// A key that was erased is not given again, and nobody finds it, whatever is written to the file.
    #[test]
    fn an_alias_that_was_erased_is_spent() {
        let place = place();
        let directory = place.path().join("subjects");
        let keys = SqliteSubjectKeys::open(&directory).unwrap();
        let (acme, alias, other) = (name("acme"), name("s-1"), name("s-2"));
        let person = Person { tenant: &acme, reference: "17" };
        keys.create(&alias, person).unwrap();
        keys.create(&other, person).unwrap();
        keys.erase(&alias).unwrap();
        assert!(matches!(keys.create(&alias, person), Err(SubjectKeyError::Exists { .. })));
        assert!(keys.find(&alias).unwrap().is_none());
        assert_eq!(keys.aliases(person).unwrap(), std::slice::from_ref(&other));
        // Somebody whose tag is nothing finds nothing.
        let none: i64 = keys
            .locked()
            .unwrap()
            .query_row("SELECT count(*) FROM keys WHERE tag = ?1", [[0; 32]], |row| row.get(0))
            .unwrap();
        assert_eq!(none, 1);
        let file = Connection::open(directory.join(FILE)).unwrap();
        for sql in [
            "UPDATE keys SET secret = randomblob(32)",
            "UPDATE keys SET secret = zeroblob(32)",
            "UPDATE keys SET tag = zeroblob(32)",
            "UPDATE keys SET alias = 's-3', tag = zeroblob(32), secret = zeroblob(32)",
            "DELETE FROM keys",
        ] {
            assert!(file.execute(sql, []).is_err(), "{sql}");
        }
        assert!(keys.find(&other).unwrap().is_some());
    }

    /// A file of the first version: the keys stay, and what it left behind goes.
    #[test]
    fn a_file_of_version_1_is_brought_up_to_date() {
        let place = place();
        let directory = place::directory(&place.path().join("subjects")).unwrap();
        let file = directory.join(FILE);
        place::database(&file).unwrap();
        let old = database::plain(&file, Duration::from_secs(10)).unwrap();
        old.execute_batch(TABLES).unwrap();
        old.execute_batch(
            "CREATE INDEX keys_of_person ON keys (tag, alias);
             CREATE TRIGGER keys_stay BEFORE UPDATE ON keys BEGIN SELECT RAISE(ABORT, 'a key never changes'); END;
             INSERT INTO index_key (id, secret) VALUES (1, randomblob(32));",
        )
        .unwrap();
        let mut secrets = Vec::new();
        for number in 0..300_u32 {
            let secret: [u8; 32] = sha256(&number.to_le_bytes()).0;
            secrets.push(secret);
            old.execute(
                "INSERT INTO keys (alias, tag, secret) VALUES (?1, randomblob(32), ?2)",
                params![format!("s-{number:03}"), secret],
            )
            .unwrap();
        }
        // As if a page had kept it: deleted without being overwritten.
        old.pragma_update(None, "secure_delete", "OFF").unwrap();
        old.execute("DELETE FROM keys WHERE alias >= 's-100'", []).unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        database::truncate_log(&old).unwrap();
        drop(old);
        assert!(leaves(&file, &secrets[100..]));
        let keys = SqliteSubjectKeys::open(&directory).unwrap();
        assert!(!leaves(&file, &secrets[100..]));
        assert_eq!(secret_of(&keys, &name("s-007")), secrets[7]);
        keys.erase(&name("s-007")).unwrap();
        assert!(keys.find(&name("s-007")).unwrap().is_none());
        assert!(!leaves(&file, &secrets[7..8]));
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
