//! Several processes on one store, some of them killed.

#![allow(clippy::expect_used, clippy::panic, reason = "what fails here fails the test, helpers included")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use fuze_agent::store::{EffectState, IssuedToken, RunState, RunStore as _};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, TrustedKeys, verify};
use fuze_evidence::{Hash, RunId, Signer as _};
use fuze_store::{Options, Query, SqliteStore};
use fuze_store_suite::{Sample, far, token};

fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory, &Options::default()).expect("a store")
}

/// A run that waits for one token.
async fn waiting(store: &SqliteStore) -> (Sample, IssuedToken) {
    let (mut sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    let token = token(sample.run, 0, far());
    let batch = sample.suspend(1, &[token]).expect("a suspension");
    store.commit(fence, batch).await.expect("suspended");
    (sample, token)
}

/// Processes, and what all of them say, in the order in which it arrives. Killed when dropped.
struct Holders {
    children: Vec<(Child, ChildStdin)>,
    said: Receiver<String>,
}

impl Holders {
    fn spawn(how_many: usize, arguments: &[&str]) -> Self {
        let (to, said) = mpsc::channel();
        let children = (0..how_many).map(|_| {
            let mut child = Command::new(env!("CARGO_BIN_EXE_holder"))
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a process");
            let out = BufReader::new(child.stdout.take().expect("its output"));
            let to = to.clone();
            std::thread::spawn(move || {
                // Ends with the process. Whoever no longer listens has all that it needs.
                out.lines().map_while(Result::ok).try_for_each(|line| to.send(line))
            });
            let stdin = child.stdin.take().expect("its input");
            (child, stdin)
        });
        Self { children: children.collect(), said }
    }

    fn claim(how_many: usize, directory: &Path, run: RunId, token: Hash, times: u32) -> Self {
        let directory = directory.to_str().expect("a path in UTF-8");
        let arguments = ["claim", directory, &run.to_string(), &token.to_string(), &times.to_string()];
        let holders = Self::spawn(how_many, &arguments);
        for _ in 0..how_many {
            assert_eq!(holders.said.recv().as_deref(), Ok("ready"));
        }
        holders
    }

    fn go(&mut self) {
        for (_, stdin) in &mut self.children {
            stdin.write_all(b"go\n").expect("somebody who listens");
        }
    }

    /// Afterwards `said` ends with what they could still say.
    fn kill(&mut self) {
        for (child, _) in &mut self.children {
            child.kill().expect("a kill");
            child.wait().expect("an end");
        }
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The id of the claim that stands, straight from the file.
fn claimed_by(directory: &Path) -> Option<String> {
    let connection = rusqlite::Connection::open(directory.join("fuze.sqlite")).expect("the file");
    let intact: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(intact, "ok");
    let id: Option<[u8; 16]> =
        connection.query_row("SELECT claim_id FROM tokens", [], |row| row.get(0)).expect("a token");
    id.map(|id| format!("{:032x}", u128::from_be_bytes(id)))
}

/// Museum: two concurrent resumes of one token both went on, because the check and the mark were two steps.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_claims_over_four_processes_one_wins_and_knows_it() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("store");
    let store = open(&directory);
    let (sample, token) = waiting(&store).await;
    let mut holders = Holders::claim(4, &directory, sample.run, token.token_hash, 250);
    holders.go();
    let (mut won, mut used, mut done) = (Vec::new(), 0, 0);
    while done < 4 {
        let line = holders.said.recv().expect("four that say when they are done");
        match line.split_once(' ') {
            Some(("won", id)) => won.push(id.to_owned()),
            None if line == "used" => used += 1,
            None if line == "done" => done += 1,
            _ => panic!("{line}"),
        }
    }
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(used, 999);
    assert_eq!(claimed_by(&directory), won.pop());
    let stored = store.load(sample.run).await.expect("the run");
    assert_eq!((stored.state, stored.epoch), (RunState::Running, 2));
    assert_eq!(stored.head.0, sample.head().0 + 1);
    verify_open(&store, sample.run, &sample.signer.public_key(), stored.head.0);
}

fn verify_open(store: &SqliteStore, run: RunId, key: &[u8; 32], records: u64) {
    let keys = TrustedKeys::new().run_key(PublicKey::from_bytes(*key).expect("a key"));
    let report = verify(&store.run_directory(run), &keys).expect("intact files");
    assert_eq!((report.chain, report.records, report.orphans), (Chain::NotClosed, records, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_claim_has_won_or_not_and_the_store_agrees() {
    let mut reported = 0;
    for round in 0..12_u32 {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("store");
        let store = open(&directory);
        let (mut sample, token) = waiting(&store).await;
        store.close().await.expect("closed");
        let mut holders = Holders::claim(4, &directory, sample.run, token.token_hash, 50);
        holders.go();
        // Killed at once, or when the first answers are out: each round a little later.
        let mut said = Vec::new();
        for _ in 0..round {
            said.push(holders.said.recv().expect("an answer"));
        }
        holders.kill();
        said.extend(holders.said.iter());
        let won: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("won ")).collect();
        let expected = |line: &String| line.starts_with("won ") || line == "used" || line == "done";
        assert!(said.iter().all(expected), "{said:?}");
        assert!(won.len() <= 1, "{won:?}");

        let store = open(&directory);
        let stored = store.load(sample.run).await.expect("the run");
        let stands = claimed_by(&directory);
        if let Some(&won) = won.first() {
            assert_eq!(stands.as_deref(), Some(won));
            reported += 1;
        }
        // Whoever was told `used` was told the truth, even if the winner died before it could speak.
        assert!(stands.is_some() || said.is_empty(), "{said:?}");
        let before = sample.head().0;
        if stands.is_some() {
            assert_eq!((stored.state, stored.epoch, stored.head.0), (RunState::Running, 2, before + 1));
            assert_eq!(store.take_over(sample.run, 2).await.expect("taken over").epoch, 3);
        } else {
            assert_eq!((stored.state, stored.epoch, stored.head.0), (RunState::Suspended, 1, before));
            let claim = sample.claim(1, &[token]).expect("a claim");
            assert_eq!(store.claim(claim).await.expect("claimed").epoch, 2);
        }
        verify_open(&store, sample.run, &sample.signer.public_key(), before + 1);
    }
    assert!(reported > 0, "no round got as far as a winner that could speak");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_was_told_is_there() {
    for round in 1..10_usize {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("store");
        let mut holders = Holders::spawn(2, &["write", directory.to_str().expect("a path in UTF-8")]);
        let mut said = Vec::new();
        for _ in 0..round * 7 {
            said.push(holders.said.recv().expect("an answer"));
        }
        holders.kill();
        said.extend(holders.said.iter());

        let store = open(&directory);
        let mut keys = HashMap::new();
        for line in &said {
            if let Some((run, key)) = line.strip_prefix("run ").and_then(|rest| rest.split_once(' ')) {
                let key: Vec<u8> = key
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| {
                        let pair = std::str::from_utf8(pair).expect("hex");
                        u8::from_str_radix(pair, 16).expect("hex")
                    })
                    .collect();
                let key: [u8; 32] = key.try_into().expect("a key");
                keys.insert(run.parse::<RunId>().expect("a run id"), key);
            }
        }
        let (mut intents, mut started) = (0, 0);
        for summary in store.query(Query::new().limit(1000)).await.expect("a listing").runs {
            let stored = store.load(summary.run).await.expect("the run");
            for entry in &stored.effects {
                intents += 1;
                started += usize::from(entry.state == EffectState::Started);
            }
            assert_eq!(stored.head.0, 1 + u64::try_from(stored.effects.len()).expect("few"));
            // A run that was created but not spoken of has a key that nobody knows.
            if let Some(key) = keys.remove(&summary.run) {
                verify_open(&store, summary.run, &key, stored.head.0);
            }
            store.take_over(summary.run, 1).await.expect("taken over");
        }
        assert!(keys.is_empty(), "runs that were acknowledged are gone: {keys:?}");
        let told = |what: &str| said.iter().filter(|line| line.starts_with(what)).count();
        // Each of the two may have done one thing more than it could say.
        for (what, there) in [("intent ", intents), ("started ", started)] {
            assert!((told(what)..=told(what) + 2).contains(&there), "{what}{there}: {said:?}");
        }
    }
}
