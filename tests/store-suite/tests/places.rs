//! Directories and files that are no store, or not only ours, and faults that SQLite itself reports.

#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fuze_agent::store::{ClaimError, RunState, RunStore as _, StoreError};
use fuze_store::{Options, SqliteStore};
use fuze_store_suite::{Sample, far, token};
use rusqlite::Connection;

fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a directory");
    let store = place.path().join("store");
    (place, store)
}

fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(directory, &Options::default())
}

async fn with_a_run(directory: &Path) -> Sample {
    let store = open(directory).expect("a store");
    let (mut sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    store.commit(fence, sample.go_on().expect("a batch")).await.expect("committed");
    store.close().await.expect("closed");
    sample
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights");
}

fn sql(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("fuze.sqlite")).expect("the file");
    connection.execute_batch(sql).expect("the statement");
}

/// What somebody can do who writes to the file and knows of its triggers.
fn without_trigger(directory: &Path, trigger: &str, statement: &str) {
    let connection = Connection::open(directory.join("fuze.sqlite")).expect("the file");
    let made: String = connection
        .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [trigger], |row| row.get(0))
        .expect("the trigger");
    connection.execute_batch(&format!("DROP TRIGGER {trigger}; {statement}; {made}")).expect("the statement");
}

#[tokio::test]
async fn everything_is_made_for_its_owner_alone() {
    let (_place, directory) = place();
    let store = open(&directory).expect("a store");
    let (sample, batch) = Sample::begin().expect("a sample");
    store.create(sample.run, batch).await.expect("created");
    let run = store.run_directory(sample.run);
    for path in [&directory, &directory.join("runs"), &run] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    for name in ["fuze.sqlite", "fuze.sqlite-wal", "fuze.sqlite-shm"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
    for name in ["records.jsonl", "content.jsonl", "keys.jsonl", "roots.jsonl"] {
        assert_eq!(mode(&run.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn rights_that_are_too_wide_are_refused() {
    let (_place, directory) = place();
    with_a_run(&directory).await;
    let file = directory.join("fuze.sqlite");
    for (path, wide, narrow) in
        [(&directory, 0o750, 0o700), (&directory, 0o701, 0o700), (&file, 0o640, 0o600)]
    {
        set_mode(path, wide);
        let refused = open(&directory).expect_err("others can use it").to_string();
        assert!(refused.contains("chmod"), "{refused}");
        set_mode(path, narrow);
        open(&directory).expect("mended");
    }
}

#[tokio::test]
async fn links_are_not_followed() {
    let (place, directory) = place();
    with_a_run(&directory).await;
    let link = place.path().join("link");
    symlink(&directory, &link).expect("a link");
    assert!(open(&link).is_err());
    let other = place.path().join("other");
    fs::create_dir(&other).expect("a directory");
    set_mode(&other, 0o700);
    symlink(directory.join("fuze.sqlite"), other.join("fuze.sqlite")).expect("a link");
    assert!(open(&other).is_err());
    // One that leads nowhere must not lead to a new file there either.
    let nowhere = place.path().join("nowhere");
    fs::remove_file(other.join("fuze.sqlite")).expect("removed");
    symlink(&nowhere, other.join("fuze.sqlite")).expect("a link");
    assert!(open(&other).is_err());
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let (_place, directory) = place();
    with_a_run(&directory).await;
    let known: u32 = Connection::open(directory.join("fuze.sqlite"))
        .and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0)))
        .expect("a version");
    let found = known + 1;
    sql(&directory, &format!("PRAGMA user_version = {found}"));
    let before = fs::read(directory.join("fuze.sqlite")).expect("the file");
    assert_eq!(open(&directory).err(), Some(StoreError::NewerVersion { found, known }));
    assert_eq!(fs::read(directory.join("fuze.sqlite")).expect("the file"), before);
    for impossible in [0, -1] {
        sql(&directory, &format!("PRAGMA user_version = {impossible}"));
        assert!(matches!(open(&directory), Err(StoreError::Corrupt(_))), "version {impossible}");
    }
}

#[tokio::test]
async fn another_applications_file_is_left_alone() {
    for make in [
        "CREATE TABLE cookies (name TEXT)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1; CREATE TABLE runs (id INTEGER)",
    ] {
        let (_place, directory) = place();
        fs::create_dir(&directory).expect("a directory");
        set_mode(&directory, 0o700);
        sql(&directory, make);
        set_mode(&directory.join("fuze.sqlite"), 0o600);
        let before = fs::read(directory.join("fuze.sqlite")).expect("the file");
        assert!(matches!(open(&directory), Err(StoreError::Corrupt(_))), "{make}");
        assert_eq!(fs::read(directory.join("fuze.sqlite")).expect("the file"), before);
    }
}

#[tokio::test]
async fn a_schema_that_was_changed_is_corrupt() {
    for change in [
        "DROP TRIGGER tokens_once",
        "CREATE TRIGGER spy AFTER INSERT ON records BEGIN SELECT 1; END",
        "CREATE TABLE more (x)",
        "DROP INDEX runs_to_project",
    ] {
        let (_place, directory) = place();
        with_a_run(&directory).await;
        sql(&directory, change);
        assert!(matches!(open(&directory), Err(StoreError::Corrupt(_))), "{change}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let (_place, directory) = place();
    let sample = with_a_run(&directory).await;
    let file = directory.join("fuze.sqlite");
    let good = fs::read(&file).expect("the file");
    let mut garbage = good.clone();
    garbage.iter_mut().for_each(|byte| *byte ^= 0x5a);
    let mut torn = good.clone();
    torn.iter_mut().skip(4096).take(4096).for_each(|byte| *byte = 0xff);
    for (what, bytes) in [
        ("garbage", garbage),
        ("half of it", good.iter().take(good.len() / 2).copied().collect()),
        ("a torn page", torn),
    ] {
        fs::write(&file, &bytes).expect("written");
        let found = match open(&directory) {
            Err(error) => error,
            Ok(store) => store.load(sample.run).await.expect_err(what),
        };
        assert!(matches!(found, StoreError::Corrupt(_)), "{what}: {found:?}");
    }
    fs::write(&file, &good).expect("written");
    assert_eq!(
        open(&directory).expect("mended").load(sample.run).await.expect("the run").head,
        sample.head()
    );
}

#[tokio::test]
async fn records_that_are_gone_from_the_tables_are_found() {
    for (loss, whole) in [
        ("DELETE FROM records WHERE sequence = 1", false),
        ("DELETE FROM records WHERE sequence = 0", false),
        // With the files gone too, the run's own row still knows.
        ("DELETE FROM records WHERE sequence = 1", true),
        ("DELETE FROM records WHERE sequence = 0", true),
    ] {
        let (_place, directory) = place();
        let sample = with_a_run(&directory).await;
        without_trigger(&directory, "records_keep", loss);
        if whole {
            fs::remove_dir_all(directory.join("runs")).expect("removed");
        }
        let found = open(&directory).expect("a store").load(sample.run).await.expect_err(loss);
        match found {
            StoreError::Projection(_) if !whole => {}
            StoreError::Corrupt(_) if whole => {}
            other => panic!("{loss}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_store_that_is_held_is_locked_and_then_not() {
    let (_place, directory) = place();
    let mut sample = with_a_run(&directory).await;
    let fence = fuze_agent::store::Fence { run: sample.run, epoch: 1 };
    let impatient = Options::default().busy_timeout(Duration::from_millis(10));
    let store = SqliteStore::open(&directory, &impatient).expect("a store");
    let holder = Connection::open(directory.join("fuze.sqlite")).expect("the file");
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let batch = sample.fork().expect("a fork").go_on().expect("a batch");
    assert_eq!(store.commit(fence, batch).await, Err(StoreError::Locked));
    assert_eq!(store.take_over(sample.run, 1).await, Err(StoreError::Locked));
    // Reading goes on beside a writer.
    assert_eq!(store.load(sample.run).await.expect("the run").head, sample.head());
    holder.execute_batch("ROLLBACK").expect("let go");
    store.commit(fence, sample.go_on().expect("a batch")).await.expect("committed");
}

#[tokio::test]
async fn a_store_without_room_is_full_and_recovers() {
    let (_place, directory) = place();
    let limited = Options::default().max_bytes(200 * 1024);
    let store = SqliteStore::open(&directory, &limited).expect("a store");
    let (mut sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    let full = loop {
        let mut next = sample.fork().expect("a fork");
        match store.commit(fence, next.go_on().expect("a batch")).await {
            Ok(()) => sample = next,
            Err(error) => break error,
        }
        assert!(sample.head().0 < 10_000, "it never gets full");
    };
    assert_eq!(full, StoreError::Full);
    assert_eq!(store.load(sample.run).await.expect("the run").head, sample.head());
    store.close().await.expect("closed");
    let store = open(&directory).expect("a store");
    let fence = store.take_over(sample.run, fence.epoch).await.expect("taken over");
    store.commit(fence, sample.go_on().expect("a batch")).await.expect("committed");
}

/// Museum: `UPDATE … RETURNING` gave its row and the commit failed. A real one: a constraint that is checked at COMMIT.
#[tokio::test]
async fn a_claim_whose_commit_fails_has_not_won() {
    let (_place, directory) = place();
    let store = open(&directory).expect("a store");
    let (mut sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    let tokens = [token(sample.run, 0, far())];
    let batch = sample.suspend(1, &tokens).expect("a suspension");
    store.commit(fence, batch).await.expect("suspended");
    sql(
        &directory,
        "CREATE TABLE trap (run INTEGER REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER trap AFTER UPDATE ON tokens BEGIN INSERT INTO trap VALUES (-1); END;",
    );
    let claimed = store.claim(sample.fork().expect("a fork").claim(1, &tokens).expect("a claim")).await;
    assert!(matches!(claimed, Err(ClaimError::Store(StoreError::Rejected(_)))), "{claimed:?}");
    let stored = store.load(sample.run).await.expect("the run");
    assert_eq!((stored.state, stored.epoch, stored.head), (RunState::Suspended, 1, sample.head()));
    sql(&directory, "DROP TRIGGER trap; DROP TABLE trap");
    let claimed = store.claim(sample.claim(1, &tokens).expect("a claim")).await;
    assert_eq!(claimed.expect("claimed").epoch, 2);
}

/// What the store's code forbids, the database forbids too.
#[tokio::test]
async fn the_tables_themselves_refuse_to_go_back() {
    let (_place, directory) = place();
    let store = open(&directory).expect("a store");
    let (mut sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    let tokens = [token(sample.run, 0, far())];
    let batch = sample.suspend(1, &tokens).expect("a suspension");
    store.commit(fence, batch).await.expect("suspended");
    let fence = store.claim(sample.claim(1, &tokens).expect("a claim")).await.expect("claimed");
    store.commit(fence, sample.close().expect("a close")).await.expect("closed");
    let connection = Connection::open(directory.join("fuze.sqlite")).expect("the file");
    for back in [
        "UPDATE runs SET state = 'running'",
        "UPDATE runs SET epoch = 1",
        "UPDATE runs SET count = 1",
        "UPDATE records SET line = x'00'",
        "UPDATE roots SET line = x'00'",
        "UPDATE tokens SET claim_id = NULL, claimed_at_ms = NULL",
        "UPDATE tokens SET claim_id = zeroblob(16)",
    ] {
        assert!(connection.execute(back, []).is_err(), "{back}");
    }
}
