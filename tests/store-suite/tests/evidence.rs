//! The store as evidence: searched, verified from its tables, nothing deleted without a line of the annex, older files brought up to date.

#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

use std::fs;
use std::path::{Path, PathBuf};

use fuze_agent::store::{Fence, RunState, RunStore as _, StoreError};
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::replay::replay;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{TrustedKeys, VerifyError};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, RunId, Signer as _, Timestamp};
use fuze_store::{Agreement, EvidenceError, Options, Query, SqliteStore, StoreReader};
use fuze_store_suite::{Sample, far, token};
use rusqlite::Connection;

struct Place {
    _place: tempfile::TempDir,
    directory: PathBuf,
}

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        Self { directory: place.path().join("store"), _place: place }
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.directory, &Options::default()).expect("a store")
    }

    fn connection(&self) -> Connection {
        Connection::open(self.directory.join("fuze.sqlite")).expect("the file")
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn trusted(sample: &Sample) -> TrustedKeys<'_> {
    let key = PublicKey::from_bytes(sample.signer.public_key()).expect("a key");
    TrustedKeys::new().run_key(key).master_key(&sample.master)
}

async fn begun(store: &SqliteStore) -> (Sample, Fence) {
    let (sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    (sample, fence)
}

/// A run of three records that has closed, and what it was before its close.
async fn closed(store: &SqliteStore) -> Sample {
    let (mut sample, fence) = begun(store).await;
    store.commit(fence, sample.go_on().expect("a batch")).await.expect("committed");
    let close = sample.fork().expect("a fork").close().expect("a close");
    store.commit(fence, close).await.expect("closed");
    sample
}

#[tokio::test]
async fn runs_are_found_by_what_they_are() {
    let place = Place::new();
    let store = place.open();
    let (anchored, fence) = begun(&store).await;
    let closed_run = anchored.run;
    store.add_anchor(closed_run, &anchored.anchor_open(3).expect("a line")).await.expect("anchored");
    store.commit(fence, anchored.close().expect("a close")).await.expect("closed");
    let (mut waits, fence) = begun(&store).await;
    let tokens = [token(waits.run, 0, far())];
    store.commit(fence, waits.suspend(1, &tokens).expect("a suspension")).await.expect("suspended");
    let (runs, _) = begun(&store).await;
    let reader = StoreReader::open(&place.directory).expect("a reader");
    let found = |query: &Query| -> Vec<RunId> {
        reader.query(query).expect("a listing").runs.iter().map(|run| run.run).collect()
    };
    let mut all = reader.query(&Query::new()).expect("a listing").runs;
    assert_eq!(all.iter().map(|run| run.run).collect::<Vec<_>>(), [closed_run, waits.run, runs.run]);
    let [first, second, third] = all.as_mut_slice() else { panic!("{all:?}") };
    assert_eq!((first.tenant.as_str(), first.agent.as_str(), &first.subject), ("tenant", "sample", &None));
    assert_eq!(first.closed.map(|(_, status)| status), Some(RunStatus::BudgetExceeded));
    assert_eq!((first.state, first.head.0, first.anchors), (RunState::Closed, 2, 1));
    assert_eq!((second.state, second.closed, second.anchors), (RunState::Suspended, None, 0));
    assert!(first.opened_at < second.opened_at && second.opened_at < third.opened_at);
    let just_closed = vec![closed_run];
    assert_eq!(found(&Query::new().status(RunStatus::BudgetExceeded)), just_closed);
    assert_eq!(found(&Query::new().state(RunState::Closed)), just_closed);
    assert_eq!(found(&Query::new().run(closed_run)), just_closed);
    assert_eq!(found(&Query::new().opened_before(second.opened_at)), just_closed);
    assert_eq!(found(&Query::new().opened_from(third.opened_at)), [runs.run]);
    assert_eq!(found(&Query::new().tenant(name("tenant")).agent(name("sample"))).len(), 3);
    for nothing in [
        Query::new().tenant(name("tenant2")),
        Query::new().agent(name("tenant")),
        Query::new().subject(name("tenant")),
        Query::new().status(RunStatus::Error),
        Query::new().run(Sample::begin().expect("a sample").0.run),
        Query::new().opened_from(Timestamp::from_nanos(9_000_000_000_000_000_000).expect("a time")),
    ] {
        assert_eq!(found(&nothing), [], "{nothing:?}");
    }
}

/// Runs that were opened at one moment are neither left out nor given twice where a page ends.
#[tokio::test]
async fn pages_together_are_the_whole() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..7 {
        begun(&store).await;
    }
    let same = "UPDATE summaries SET opened = '2026-11-21T20:50:56.000000000Z'";
    without_trigger(&place, "summaries_close_once", same).expect("changed");
    let all: Vec<RunId> =
        store.query(Query::new()).await.expect("a listing").runs.iter().map(|run| run.run).collect();
    assert_eq!(all.len(), 7);
    for limit in 1..=8 {
        let mut paged = Vec::new();
        let mut query = Query::new().limit(limit);
        loop {
            let page = store.query(query.clone()).await.expect("a page");
            assert!(page.runs.len() <= usize::try_from(limit).expect("few"));
            paged.extend(page.runs.iter().map(|run| run.run));
            let Some(next) = page.next else { break };
            query = query.after(next.to_string().parse().expect("a cursor"));
        }
        assert_eq!(paged, all, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_run_is_verified_and_read_again_from_the_tables() {
    let place = Place::new();
    let store = place.open();
    let sample = closed(&store).await;
    let keys = trusted(&sample);
    let found = store.verify(sample.run, &keys).expect("intact");
    assert!(found.report.is_verified() && found.files == Agreement::Whole, "{found:?}");
    let reader = StoreReader::open(&place.directory).expect("a reader");
    assert_eq!(reader.verify(sample.run, &keys).expect("intact"), found);
    let read = replay(reader.evidence(sample.run).expect("evidence").files(), &keys).expect("streams");
    assert!(read.is_sound() && read.steps.len() == 3, "{:?}", read.findings);
    let unknown = Sample::begin().expect("a sample").0.run;
    assert!(matches!(reader.verify(unknown, &keys), Err(EvidenceError::Store(StoreError::NotFound))));
    // Files that lack something are behind; files that have something else are wrong.
    let path = store.run_directory(sample.run).join("content.jsonl");
    let whole = fs::read(&path).expect("a file");
    fs::write(&path, whole.get(..whole.len() - 9).expect("a prefix")).expect("cut");
    assert_eq!(store.verify(sample.run, &keys).expect("intact").files, Agreement::Behind { octets: 9 });
    fs::remove_file(&path).expect("removed");
    let octets = u64::try_from(whole.len()).expect("few");
    assert_eq!(store.verify(sample.run, &keys).expect("intact").files, Agreement::Behind { octets });
    let mut changed = whole.clone();
    if let Some(byte) = changed.iter_mut().rev().nth(20) {
        *byte ^= 1;
    }
    for wrong in [changed, [whole.as_slice(), b"{}\n"].concat()] {
        fs::write(&path, wrong).expect("written");
        let Err(EvidenceError::Store(StoreError::Projection(why))) = store.verify(sample.run, &keys) else {
            panic!("files that hold something else");
        };
        assert!(why.contains("content.jsonl"), "{why}");
    }
}

/// The tables were changed by somebody who knows of the triggers, and the files too: the chain knows.
#[tokio::test]
async fn a_changed_table_fails_verification() {
    let place = Place::new();
    let store = place.open();
    let sample = closed(&store).await;
    let line: Vec<u8> = place
        .connection()
        .query_row("SELECT line FROM records WHERE sequence = 1", [], |row| row.get(0))
        .expect("a record");
    let changed = String::from_utf8(line).expect("text").replace("process", "tool");
    let change = format!("UPDATE records SET line = CAST('{changed}' AS BLOB) WHERE sequence = 1");
    without_trigger(&place, "records_stay", &change).expect("changed");
    let failed = store.verify(sample.run, &trusted(&sample));
    let Err(EvidenceError::Verify(VerifyError::Failed(failure))) = failed else { panic!("{failed:?}") };
    assert_eq!(failure.line, 1);
}

/// Runs statements as somebody who knows of the triggers.
fn without_trigger(place: &Place, trigger: &str, statement: &str) -> rusqlite::Result<()> {
    let connection = place.connection();
    let made: String =
        connection.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [trigger], |row| row.get(0))?;
    connection.execute_batch(&format!("DROP TRIGGER {trigger}; {statement}; {made}"))
}

const ANCHOR: &str = "INSERT INTO anchors (run, position, line) VALUES (1, 0, x'7b7d')";

#[tokio::test]
async fn nothing_goes_without_a_line_of_the_annex() {
    let place = Place::new();
    let store = place.open();
    let sample = closed(&store).await;
    let (mut other, fence) = begun(&store).await;
    let tokens = [token(other.run, 0, far())];
    store.commit(fence, other.suspend(1, &tokens).expect("a suspension")).await.expect("suspended");
    let connection = place.connection();
    connection.execute_batch(ANCHOR).expect("an anchor");
    connection
        .execute_batch("INSERT INTO annex (tenant, sequence, line) VALUES ('tenant', 0, x'7b7d')")
        .expect("a line about a tenant");
    for change in [
        "DELETE FROM records",
        "DELETE FROM contents",
        "DELETE FROM roots",
        "DELETE FROM anchors",
        "DELETE FROM annex",
        "DELETE FROM summaries",
        "DELETE FROM tokens",
        "PRAGMA foreign_keys = OFF; DELETE FROM runs",
        "UPDATE contents SET content = x'00'",
        "UPDATE contents SET root = zeroblob(32)",
        "UPDATE anchors SET line = x'00'",
        "UPDATE annex SET line = x'00'",
        "UPDATE runs SET keys = x''",
        "UPDATE runs SET run = upper(run)",
        "UPDATE summaries SET tenant = 'another'",
        "UPDATE summaries SET closed = NULL, status = NULL WHERE run = 1",
        // Replacing deletes without asking a trigger for deletion.
        "INSERT OR REPLACE INTO records SELECT run, sequence, x'00' FROM records",
        "INSERT OR REPLACE INTO records (rowid, run, sequence, line) SELECT rowid, run, 3, x'00' FROM records WHERE run = 1 LIMIT 1",
        "INSERT OR REPLACE INTO roots SELECT run, position, hash, x'00' FROM roots",
        "INSERT OR REPLACE INTO contents SELECT run, position, root, x'00', x'00' FROM contents",
        "INSERT OR REPLACE INTO contents SELECT run, 9, root, x'00', x'00' FROM contents",
        "INSERT OR REPLACE INTO anchors SELECT run, position, x'00' FROM anchors",
        "INSERT OR REPLACE INTO annex SELECT tenant, sequence, run, erases, root, x'00' FROM annex",
        "INSERT OR REPLACE INTO summaries SELECT run, 'another', subject, agent, opened, closed, status FROM summaries",
        "INSERT OR REPLACE INTO runs (id, run, epoch, state, count, head, keys) SELECT id, run, 1, 'running', 1, head, keys FROM runs",
        "INSERT OR REPLACE INTO tokens SELECT token_hash, run, epoch, expires_at_ms, NULL, NULL FROM tokens",
        "INSERT INTO records VALUES (1, 9, x'00')",
        "INSERT INTO annex (tenant, sequence, line) VALUES ('tenant', 2, x'7b7d')",
    ] {
        assert!(connection.execute_batch(change).is_err(), "{change}");
    }
    // What the annex explains goes, and nothing else.
    let run = sample.run;
    let root = "(SELECT root FROM contents WHERE run = 1 AND position = 0)";
    connection
        .execute_batch(&format!(
            "INSERT INTO annex (tenant, sequence, run, erases, root, line) VALUES ('tenant', 1, '{run}', 'content', {root}, x'7b7d')"
        ))
        .expect("a line about one content");
    assert!(connection.execute("DELETE FROM contents WHERE run = 1 AND position = 1", []).is_err());
    assert!(connection.execute("UPDATE runs SET keys = x'' WHERE id = 1", []).is_err());
    assert!(connection.execute("DELETE FROM records WHERE run = 1", []).is_err());
    assert!(
        connection
            .execute("UPDATE contents SET root = zeroblob(32) WHERE run = 1 AND position = 0", [])
            .is_err()
    );
    connection
        .execute("UPDATE contents SET content = x'7b' WHERE run = 1 AND position = 0", [])
        .expect("a field");
    connection
        .execute("DELETE FROM contents WHERE run = 1 AND position = 0", [])
        .expect("the record's content");
    connection
        .execute_batch(&format!(
            "INSERT INTO annex (tenant, sequence, run, erases, line) VALUES ('tenant', 2, '{run}', 'content', x'7b7d')"
        ))
        .expect("a line about a run");
    assert!(connection.execute("UPDATE runs SET keys = x'00' WHERE id = 1", []).is_err());
    connection.execute("UPDATE runs SET keys = x'' WHERE id = 1", []).expect("the run's key");
    connection.execute("DELETE FROM contents WHERE run = 1", []).expect("its content");
    assert!(connection.execute("DELETE FROM records WHERE run = 1", []).is_err());
    assert!(connection.execute("DELETE FROM contents WHERE run = 2", []).is_err(), "another run's");
    connection
        .execute_batch(&format!(
            "INSERT INTO annex (tenant, sequence, run, erases, line) VALUES ('tenant', 3, '{run}', 'evidence', x'7b7d')"
        ))
        .expect("a line about its evidence");
    for table in ["records", "roots", "anchors", "summaries"] {
        connection.execute(&format!("DELETE FROM {table} WHERE run = 1"), []).expect(table);
        assert!(
            connection.execute(&format!("DELETE FROM {table} WHERE run = 2"), []).is_err()
                || table == "anchors"
        );
    }
}

/// The tables of version 1 with two runs in them, as that version left them.
fn as_version_1(directory: &Path) {
    let connection = Connection::open(directory.join("fuze.sqlite")).expect("the file");
    let newer: Vec<(String, String)> = connection
        .prepare("SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL")
        .and_then(|mut s| s.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .expect("the schema");
    let old = [
        "runs",
        "records",
        "contents",
        "roots",
        "progress",
        "effects",
        "tokens",
        "runs_to_project",
        "tokens_of_run",
        "runs_go_forward",
        "records_stay",
        "roots_stay",
        "effects_go_forward",
        "tokens_once",
    ];
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    for kind in ["trigger", "index", "table"] {
        for (_, name) in newer.iter().filter(|(k, name)| k == kind && !old.contains(&name.as_str())) {
            connection.execute_batch(&format!("DROP {kind} IF EXISTS {name}")).expect("dropped");
        }
    }
    connection.execute_batch("PRAGMA user_version = 1").expect("a pragma");
}

#[tokio::test]
async fn a_store_of_version_1_is_brought_up_to_date() {
    let place = Place::new();
    let store = place.open();
    let sample = closed(&store).await;
    let (mut goes_on, fence) = begun(&store).await;
    let before = store.query(Query::new()).await.expect("a listing");
    store.close().await.expect("closed");
    let version = |place: &Place| -> i64 {
        place.connection().pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version")
    };
    let newest = version(&place);
    as_version_1(&place.directory);
    assert_eq!(version(&place), 1);
    // A reader brings nothing up to date, and says so.
    let refused = StoreReader::open(&place.directory).expect_err("an older version").to_string();
    assert!(refused.contains("has the version 1, expected"), "{refused}");
    assert_eq!(version(&place), 1);
    let store = place.open();
    assert_eq!(version(&place), newest);
    assert!(store.bad_runs().is_empty());
    assert_eq!(store.query(Query::new()).await.expect("a listing"), before);
    store.commit(fence, goes_on.go_on().expect("a batch")).await.expect("committed");
    assert!(store.verify(sample.run, &trusted(&sample)).expect("intact").report.is_verified());
    store.close().await.expect("closed");
    // A table that is not that of its version is refused, whichever version it says.
    as_version_1(&place.directory);
    place.connection().execute_batch("DROP TRIGGER roots_stay").expect("dropped");
    let refused = SqliteStore::open(&place.directory, &Options::default());
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
}

/// A run whose first record cannot be read does not keep an older store from being opened.
#[tokio::test]
async fn one_unreadable_run_does_not_block_the_step_from_version_1() {
    let place = Place::new();
    let store = place.open();
    let bad = closed(&store).await.run;
    let good = closed(&store).await.run;
    store.close().await.expect("closed");
    without_trigger(
        &place,
        "records_stay",
        "UPDATE records SET line = x'7b7d' WHERE run = 1 AND sequence = 0",
    )
    .expect("changed");
    as_version_1(&place.directory);
    let store = place.open();
    assert_eq!(store.bad_runs().keys().collect::<Vec<_>>(), [&bad]);
    let listed = store.query(Query::new()).await.expect("a listing").runs;
    assert_eq!(listed.iter().map(|run| run.run).collect::<Vec<_>>(), [good]);
    assert!(store.load(good).await.is_ok());
    assert!(store.load(bad).await.is_err());
}

#[tokio::test]
async fn anchors_are_written_to_a_file_of_their_own() {
    let place = Place::new();
    let store = place.open();
    let (sample, fence) = begun(&store).await;
    let path = store.run_directory(sample.run).join("anchors.jsonl");
    assert!(!path.exists());
    let open = sample.anchor_open(3).expect("a line");
    store.add_anchor(sample.run, &open).await.expect("anchored");
    let line = |line: &AnchorLine| [line.bytes(), b"\n"].concat();
    assert_eq!(fs::read(&path).expect("a file"), line(&open));
    let batch = sample.fork().expect("a fork").close().expect("a close");
    let close = sample.anchor_close(&batch, &open, 4).expect("a line");
    store.commit(fence, batch).await.expect("closed");
    store.add_anchor(sample.run, &close).await.expect("anchored");
    let both = [line(&open), line(&close)].concat();
    assert_eq!(fs::read(&path).expect("a file"), both);
    fs::remove_file(&path).expect("removed");
    store.load(sample.run).await.expect("loaded");
    assert_eq!(fs::read(&path).expect("a file"), both);
}
