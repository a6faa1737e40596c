//! The run's files: what the tables hold, and an error when they hold something else.

#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use fuze_agent::store::{ClaimError, Fence, RunState, RunStore as _, StoreError};
use fuze_evidence::Signer as _;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::vocab::RunStatus;
use fuze_store::{Options, Query, SqliteStore};
use fuze_store_suite::{Sample, far, token};

const FILES: [&str; 4] = ["records.jsonl", "content.jsonl", "keys.jsonl", "roots.jsonl"];

fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(directory, &Options::default())
}

struct Written {
    place: tempfile::TempDir,
    sample: Sample,
    run: std::path::PathBuf,
}

impl Written {
    /// A run of four records, and its files.
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let store = open(&place.path().join("store")).expect("a store");
        let (mut sample, batch) = Sample::begin().expect("a sample");
        let fence = store.create(sample.run, batch).await.expect("created");
        for _ in 0..3 {
            store.commit(fence, sample.go_on().expect("a batch")).await.expect("committed");
        }
        let run = store.run_directory(sample.run);
        store.close().await.expect("closed");
        Self { place, sample, run }
    }

    fn directory(&self) -> std::path::PathBuf {
        self.place.path().join("store")
    }

    fn open(&self) -> Result<SqliteStore, StoreError> {
        open(&self.directory())
    }

    fn files(&self) -> [Vec<u8>; 4] {
        FILES.map(|name| fs::read(self.run.join(name)).expect("a file"))
    }
}

fn cut_lines(file: &[u8], lines: usize) -> Vec<u8> {
    file.split_inclusive(|&byte| byte == b'\n').take(lines).flatten().copied().collect()
}

#[tokio::test]
async fn a_closed_run_verifies_with_all_its_content() {
    let Written { place, mut sample, run } = Written::new().await;
    let store = open(&place.path().join("store")).expect("a store");
    let tokens = [token(sample.run, 0, far())];
    let batch = sample.suspend(1, &tokens).expect("a suspension");
    store.commit(Fence { run: sample.run, epoch: 1 }, batch).await.expect("suspended");
    let fence = store.claim(sample.claim(1, &tokens).expect("a claim")).await.expect("claimed");
    store.commit(fence, sample.go_on().expect("a batch")).await.expect("committed");
    let (master, key) = (sample.master.clone(), sample.signer.public_key());
    let records = sample.head().0 + 1;
    store.commit(fence, sample.close().expect("a close")).await.expect("closed");
    let keys = TrustedKeys::new().run_key(PublicKey::from_bytes(key).expect("a key")).master_key(&master);
    let report = verify(&run, &keys).expect("intact files");
    assert!(report.is_verified(), "{report:?}");
    assert_eq!(report.chain, Chain::Closed(RunStatus::BudgetExceeded));
    assert_eq!((report.records, report.roots, report.content.missing), (records, 3, 0));
    assert!(report.content.verified >= 5 * 8 && report.content.withheld == 0, "{report:?}");
    // The next process marks the run as complete, and one after that still opens.
    drop(store);
    for _ in 0..2 {
        let store = open(&place.path().join("store")).expect("a store");
        assert_eq!(
            store.query(Query::new()).await.expect("runs").runs.first().map(|run| run.state),
            Some(RunState::Closed)
        );
        store.close().await.expect("closed");
    }
}

#[tokio::test]
async fn whatever_a_crash_left_is_completed() {
    let written = Written::new().await;
    let whole = written.files();
    for (name, content) in FILES.iter().zip(&whole) {
        // Every length that a crash could leave: whole lines, parts of lines, nothing.
        for length in (0..=content.len()).step_by(97).chain([content.len() - 1]) {
            fs::write(written.run.join(name), content.get(..length).expect("a prefix")).expect("cut");
            let store = written.open().expect("a store");
            assert!(written.files() == whole, "{name} of {length} octets on opening");
            store.close().await.expect("closed");
        }
    }
    // Zeros where the data never arrived.
    for name in FILES {
        let mut file = OpenOptions::new().write(true).open(written.run.join(name)).expect("a file");
        let length = file.metadata().expect("a length").len();
        let content = fs::read(written.run.join(name)).expect("a file");
        let kept = cut_lines(&content, 1).len();
        fs::write(written.run.join(name), content.get(..kept).expect("a line")).expect("cut");
        file.set_len(length).expect("zeros");
        file.flush().expect("nothing");
    }
    written.open().expect("a store").close().await.expect("closed");
    assert!(written.files() == whole, "zeros");
    fs::remove_dir_all(&written.run).expect("removed");
    written.open().expect("a store").close().await.expect("closed");
    assert!(written.files() == whole, "all gone");
}

/// Data need not arrive in its order: what was appended later may be there, and before it nothing.
#[tokio::test]
async fn holes_that_a_power_failure_left_are_filled_and_nothing_else_is() {
    let written = Written::new().await;
    let whole = written.files();
    for (name, content) in FILES.iter().zip(&whole) {
        let path = written.run.join(name);
        let hole = |from: usize, to: usize| {
            let mut holed = content.clone();
            holed.iter_mut().skip(from).take(to.min(content.len()) - from).for_each(|octet| *octet = 0);
            holed
        };
        for from in (0..content.len()).step_by(512) {
            let mut cut = hole(from, from + 512);
            cut.truncate(content.len() - 3);
            for left in [hole(from, from + 512), hole(from, from + 1), hole(0, from), cut] {
                fs::write(&path, left).expect("a hole");
                let store = written.open().expect("a store");
                assert!(store.bad_runs().is_empty(), "{name} at {from}: {:?}", store.bad_runs());
                assert!(written.files() == whole, "{name} at {from}");
                store.close().await.expect("closed");
            }
        }
        // A hole excuses no other octet, nor a line too many.
        let mut changed = hole(0, 16);
        *changed.last_mut().expect("octets") = b' ';
        changed.push(b'\n');
        let more = [hole(0, 16), content.clone()].concat();
        let mut other = hole(0, 16);
        *other.get_mut(20).expect("octets") ^= 1;
        for left in [changed, more, other] {
            fs::write(&path, &left).expect("a change");
            let store = written.open().expect("a store");
            assert_eq!(store.bad_runs().len(), 1, "{name}");
            assert!(fs::read(&path).expect("a file") == left, "{name}: what is looked into stays as it is");
            store.close().await.expect("closed");
        }
        fs::write(&path, content).expect("as it was");
    }
}

#[tokio::test]
async fn files_are_completed_when_a_run_is_loaded_claimed_or_taken_over() {
    let mut written = Written::new().await;
    let run = written.sample.run;
    let store = written.open().expect("a store");
    let cut = |written: &Written| {
        for name in FILES {
            let content = fs::read(written.run.join(name)).expect("a file");
            fs::write(written.run.join(name), cut_lines(&content, 1)).expect("cut");
        }
    };
    let whole = written.files();
    cut(&written);
    store.load(run).await.expect("loaded");
    assert!(written.files() == whole, "load");
    cut(&written);
    let fence = store.take_over(run, 1).await.expect("taken over");
    assert!(written.files() == whole, "take_over");
    let tokens = [token(run, 0, far())];
    let batch = written.sample.suspend(2, &tokens).expect("a suspension");
    store.commit(fence, batch).await.expect("suspended");
    let whole = written.files();
    cut(&written);
    store.claim(written.sample.claim(2, &tokens).expect("a claim")).await.expect("claimed");
    let now = written.files();
    for ((name, now), whole) in FILES.iter().zip(&now).zip(&whole) {
        assert!(now.starts_with(whole), "{name} after a claim");
    }
}

/// Whatever is changed in a file, the store does not go on, and does not mend it either.
#[tokio::test]
async fn a_line_that_the_store_lacks_or_has_otherwise_halts() {
    let written = Written::new().await;
    let whole = written.files();
    for (name, content) in FILES.iter().zip(&whole) {
        let mut changed = content.clone();
        if let Some(byte) = changed.get_mut(20) {
            *byte ^= 1;
        }
        let mut longer = content.clone();
        longer.extend_from_slice(b"{\"one\":\"more\"}\n");
        let mut partial = content.clone();
        partial.extend_from_slice(b"{\"one\":");
        let mut twice = content.clone();
        twice.extend_from_slice(&cut_lines(content, 1));
        let mut windows = content.clone();
        windows.splice(windows.len() - 1.., *b"\r\n");
        for (what, bytes) in [
            ("a changed octet", changed),
            ("a line more", longer),
            ("a part of a line more", partial),
            ("a repeated line", twice),
            ("another line ending", windows),
        ] {
            let path = written.run.join(name);
            let store = written.open().expect("a store");
            fs::write(&path, &bytes).expect("written");
            let run = written.sample.run;
            let refused =
                |error: &StoreError| matches!(error, StoreError::Projection(why) if why.contains(name));
            let loaded = store.load(run).await.expect_err(what);
            assert!(refused(&loaded), "{name}, {what}, load: {loaded:?}");
            let taken = store.take_over(run, 1).await.expect_err(what);
            assert!(refused(&taken), "{name}, {what}, take-over: {taken:?}");
            store.close().await.expect("closed");
            // The next process opens, says so, and refuses this run and no other.
            let store = written.open().expect("a store");
            let said = store.bad_runs().get(&run).expect(what);
            assert!(refused(said) && store.bad_runs().len() == 1, "{name}, {what}, open: {said:?}");
            let next = written.sample.fork().expect("a fork").go_on().expect("a batch");
            let halted = store.commit(Fence { run, epoch: 1 }, next).await.expect_err(what);
            assert!(refused(&halted), "{name}, {what}, commit: {halted:?}");
            let (mut other, batch) = Sample::begin().expect("a sample");
            let fence = store.create(other.run, batch).await.expect("created");
            store.commit(fence, other.go_on().expect("a batch")).await.expect("another run goes on");
            store.close().await.expect("closed");
            assert!(fs::read(&path).expect("a file") == bytes, "{name}, {what}: it was changed");
            fs::write(&path, content).expect("mended");
        }
    }
    written.open().expect("mended");
}

#[tokio::test]
async fn a_run_that_the_store_does_not_know_halts() {
    let written = Written::new().await;
    let stranger = Sample::begin().expect("a sample");
    let directory = written.directory().join("runs").join(stranger.0.run.to_string());
    let store = written.open().expect("a store");
    fs::create_dir(&directory).expect("a directory");
    let refused = store.create(stranger.0.run, stranger.1).await;
    assert!(matches!(refused, Err(StoreError::Projection(_))), "{refused:?}");
    assert_eq!(store.load(stranger.0.run).await.err(), Some(StoreError::NotFound));
    store.close().await.expect("closed");
    let store = written.open().expect("a store");
    let said: Vec<_> = store.bad_runs().iter().collect();
    assert!(
        matches!(said.as_slice(), [(run, StoreError::Projection(_))] if **run == stranger.0.run),
        "{said:?}"
    );
    store.close().await.expect("closed");
    fs::remove_dir(&directory).expect("removed");
    fs::create_dir(written.directory().join("runs/notes")).expect("a directory");
    assert!(written.open().expect("a store").bad_runs().is_empty(), "what is no run does not matter");
}

/// The database was put back to an earlier state: the files know more.
#[tokio::test]
async fn an_old_copy_of_the_database_halts() {
    let mut written = Written::new().await;
    let file = written.directory().join("fuze.sqlite");
    let old = fs::read(&file).expect("the file");
    let store = written.open().expect("a store");
    let fence = Fence { run: written.sample.run, epoch: 1 };
    store.commit(fence, written.sample.go_on().expect("a batch")).await.expect("committed");
    store.close().await.expect("closed");
    fs::write(&file, old).expect("put back");
    let store = written.open().expect("a store");
    assert!(matches!(store.bad_runs().get(&fence.run), Some(StoreError::Projection(_))));
    assert!(matches!(store.load(fence.run).await, Err(StoreError::Projection(_))));
}

#[tokio::test]
async fn a_file_changed_behind_a_running_run_stops_it() {
    let mut written = Written::new().await;
    let store = written.open().expect("a store");
    let fence = Fence { run: written.sample.run, epoch: 1 };
    store.commit(fence, written.sample.go_on().expect("a batch")).await.expect("committed");
    let path = written.run.join("records.jsonl");
    let good = fs::read(&path).expect("a file");
    let mut file = OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(b"{\"forged\":true}\n").expect("written");
    let halted = store.commit(fence, written.sample.go_on().expect("a batch")).await;
    assert!(matches!(halted, Err(StoreError::Projection(_))), "{halted:?}");
    // And stays stopped, with nothing written any more.
    let head = written.sample.head();
    let halted = store.commit(fence, written.sample.fork().expect("a fork").go_on().expect("a batch")).await;
    assert!(matches!(halted, Err(StoreError::Projection(_))), "{halted:?}");
    fs::write(&path, good).expect("mended");
    assert_eq!(store.load(written.sample.run).await.expect("the run").head, head);
    store.commit(fence, written.sample.go_on().expect("a batch")).await.expect("committed");
    let lines = fs::read(&path).expect("a file").iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(u64::try_from(lines).expect("few"), written.sample.head().0);
}

/// The files cannot be written when a run suspends: its tokens must reach people all the same, and the claim waits for the files.
#[tokio::test]
async fn a_suspension_outlives_its_files() {
    let mut written = Written::new().await;
    let run = written.sample.run;
    let store = written.open().expect("a store");
    let path = written.run.join("roots.jsonl");
    let good = fs::read(&path).expect("a file");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("in its place");
    let tokens = [token(run, 0, far())];
    let batch = written.sample.suspend(1, &tokens).expect("a suspension");
    store.commit(Fence { run, epoch: 1 }, batch).await.expect("suspended");
    let refused =
        store.claim(written.sample.fork().expect("a fork").claim(1, &tokens).expect("a claim")).await;
    assert!(matches!(refused, Err(ClaimError::Store(StoreError::Io(_)))), "{refused:?}");
    fs::remove_dir(&path).expect("removed");
    fs::write(&path, good).expect("mended");
    let claimed = store.claim(written.sample.claim(1, &tokens).expect("a claim")).await;
    assert_eq!(claimed, Ok(Fence { run, epoch: 2 }));
    let roots = fs::read(&path).expect("a file").iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(roots, 2);
}

#[tokio::test]
async fn links_in_a_runs_directory_are_not_followed() {
    let mut written = Written::new().await;
    let store = written.open().expect("a store");
    let outside = written.place.path().join("outside");
    let path = written.run.join("records.jsonl");
    fs::rename(&path, &outside).expect("moved");
    std::os::unix::fs::symlink(&outside, &path).expect("a link");
    let before = fs::read(&outside).expect("a file");
    let fence = Fence { run: written.sample.run, epoch: 1 };
    let refused = store.commit(fence, written.sample.go_on().expect("a batch")).await;
    assert!(matches!(refused, Err(StoreError::Io(_))), "{refused:?}");
    assert!(fs::read(&outside).expect("a file") == before);
}

#[tokio::test]
async fn records_are_listed() {
    let written = Written::new().await;
    let store = written.open().expect("a store");
    let lines = store.records(written.sample.run, 1, 2).await.expect("records");
    let file = fs::read(written.run.join("records.jsonl")).expect("a file");
    let expected: Vec<&[u8]> = file.split(|&byte| byte == b'\n').skip(1).take(2).collect();
    assert_eq!(lines, expected);
    let unknown = Sample::begin().expect("a sample").0.run;
    assert_eq!(store.records(unknown, 0, 1).await, Err(StoreError::NotFound));
}
