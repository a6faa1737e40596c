//! A run in a log, as an operator, a stranger and a forger see it.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../fuze-evidence/tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

use common::{Host, Sample, at, name};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::{SignedRoot, sha256};
use fuze_log::checkpoint::Checkpoint;
use fuze_log::log::LogError;
use fuze_log::proof::{ProofError, verify_leaf};
use fuze_log::tile::TilePath;
use fuze_log::{
    Anchor, AnchorError, AnchorLine, Blinding, Finding, LeafError, LeafKind, Log, LogOptions, LogReader,
    Monitor, Policy, Prepared, ReaderError, verify_anchor,
};

const ORIGIN: &str = "log.example/runs";

fn signer() -> Arc<FileSigner> {
    Arc::new(FileSigner::ephemeral(name("log"), &mut OsRandom::new()).unwrap())
}

fn create(directory: &Path) -> (Log, Arc<FileSigner>) {
    let signer = signer();
    let log = Log::create(directory, &name(ORIGIN), signer.clone(), LogOptions::new()).unwrap();
    (log, signer)
}

fn policy(log: &Log) -> Policy {
    Policy::from_vkeys(&log.vkey().to_string(), [], 0).unwrap()
}

/// The first, open root of a run, its suspend root, and the close root.
fn roots() -> [SignedRoot; 3] {
    let sample = Sample::closed_on(Host::new());
    let key = sample.host.public_key();
    let read = |line: &[u8]| SignedRoot::read(line, |_| Some(key)).unwrap();
    let mut lines = sample.files.roots.split(|&b| b == b'\n');
    let (open, suspend) = (read(lines.next().unwrap()), read(lines.next().unwrap()));
    let last = sample.files.records.split(|&b| b == b'\n').rev().nth(1).unwrap();
    let record: serde_json::Value = serde_json::from_slice(last).unwrap();
    let close = fuze_evidence::jcs::to_vec(&record["payload"]["signature"]).unwrap();
    [open, suspend, read(&close)]
}

fn blinding() -> Blinding {
    Blinding::generate(&mut OsRandom::new()).unwrap()
}

fn leaf() -> Prepared {
    Prepared::annex(sha256(b"line"), &blinding()).unwrap()
}

#[tokio::test]
async fn a_run_is_anchored_and_a_stranger_verifies_it() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    let [open, suspend, close] = roots();
    let opened = log.anchor_open(&open, at(1_000_000), &blinding()).await.unwrap();
    let closed = log.anchor_close(&close, &opened).await.unwrap();
    assert_eq!((opened.index(), closed.index()), (0, 1));
    assert_eq!(opened.leaf().run_tag(), closed.leaf().run_tag());
    assert_eq!(closed.closes(&close, &opened), Ok(()));

    // Only from here on what a stranger has: roots, lines, proofs, the log's key.
    let (policy, reader) = (policy(&log), LogReader::new(place.path()));
    let proof = |index| reader.proof(index).unwrap().to_string();
    let file = [opened.bytes(), b"\n", closed.bytes(), b"\n"].concat();
    let lines = AnchorLine::read_all(&file).unwrap();
    for (root, line) in [&open, &close].into_iter().zip(&lines) {
        let anchored = verify_anchor(root, line, proof(line.index()).as_bytes(), &policy).unwrap();
        assert_eq!((anchored.index, anchored.checkpoint.checkpoint().size()), (line.index(), 2));
    }
    let [opened, closed] = lines.as_slice() else { panic!() };
    let check =
        |root, line, proof: String, policy| verify_anchor(root, line, proof.as_bytes(), policy).unwrap_err();
    assert!(matches!(check(&close, opened, proof(0), &policy), ProofError::Leaf(LeafError::Kind { .. })));
    assert!(matches!(check(&suspend, opened, proof(0), &policy), ProofError::Leaf(LeafError::Root { .. })));
    let other = &roots()[0];
    assert!(matches!(check(other, opened, proof(0), &policy), ProofError::Leaf(LeafError::Commit { .. })));
    assert!(matches!(check(&open, opened, proof(1), &policy), ProofError::Index { expected: 0, found: 1 }));
    // The right index with the other leaf's path.
    let path = proof(1).replace("index 1", "index 0");
    assert!(matches!(check(&open, opened, path, &policy), ProofError::Merkle(_)));
    // Another log of the same name: its key is another.
    let elsewhere = tempfile::tempdir().unwrap();
    let (impostor, _) = create(elsewhere.path());
    impostor.append(opened_leaf(&open, &impostor).await.leaf()).unwrap();
    assert!(matches!(
        check(&open, opened, impostor.reader().proof(0).unwrap().to_string(), &policy),
        ProofError::Policy(_)
    ));
    assert!(matches!(check(&open, opened, proof(0), &self::policy(&impostor)), ProofError::Policy(_)));
    // Every bit of the proof matters.
    let good = proof(1);
    for bit in 0..good.len() * 8 {
        let mut octets = good.clone().into_bytes();
        octets[bit / 8] ^= 1 << (bit % 8);
        if let Ok(anchored) = verify_anchor(&close, closed, &octets, &policy) {
            panic!("bit {bit}: {anchored:?}");
        }
    }
}

async fn opened_leaf(root: &SignedRoot, log: &Log) -> AnchorLine {
    log.anchor_open(root, at(1_000_000), &blinding()).await.unwrap()
}

#[tokio::test]
async fn a_log_is_opened_where_it_is_and_made_where_it_is_not() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("log");
    let signer = signer();
    let open =
        |origin: &str| Log::open_or_create(&directory, &name(origin), signer.clone(), LogOptions::new());
    let first = open(ORIGIN).unwrap();
    let line = first.anchor_annex(sha256(b"a line"), &blinding()).await.unwrap();
    assert_eq!(open(ORIGIN).unwrap().append(line.leaf()).unwrap(), line.index(), "the same log");
    assert!(matches!(open("log.example/other"), Err(LogError::OtherOrigin { .. })));
    let other = Log::open_or_create(&directory, &name(ORIGIN), self::signer(), LogOptions::new());
    assert!(matches!(other, Err(LogError::Key { .. })));
}

#[tokio::test]
async fn only_the_right_root_is_anchored() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    let [open, suspend, close] = roots();
    let deadline = at(1_000_000);
    for wrong in [&suspend, &close] {
        let anchored = log.anchor_open(wrong, deadline, &blinding()).await;
        assert!(matches!(anchored, Err(AnchorError::Leaf(LeafError::Root { .. }))), "{anchored:?}");
    }
    let too_early = log.anchor_open(&open, open.root().at, &blinding()).await;
    assert!(matches!(too_early, Err(AnchorError::Leaf(LeafError::Deadline { .. }))));
    let opened = log.anchor_open(&open, deadline, &blinding()).await.unwrap();
    for wrong in [&open, &suspend] {
        let anchored = log.anchor_close(wrong, &opened).await;
        assert!(matches!(anchored, Err(AnchorError::Leaf(LeafError::Root { .. }))), "{anchored:?}");
    }
    let annex = log.anchor_annex(sha256(b"a line"), &blinding()).await.unwrap();
    let anchored = log.anchor_close(&close, &annex).await;
    assert!(matches!(anchored, Err(AnchorError::Leaf(LeafError::Kind { .. }))), "{anchored:?}");
    // The open is in another log.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Log::create(elsewhere.path(), &name("log.example/b"), signer(), LogOptions::new()).unwrap();
    let anchored = other.anchor_close(&close, &opened).await;
    assert!(matches!(anchored, Err(AnchorError::Leaf(LeafError::Log { .. }))), "{anchored:?}");
    assert_eq!(log.checkpoint().unwrap().checkpoint().size(), 2, "what was refused is not in the log");
}

#[tokio::test]
async fn annex_and_key_lines_are_anchored_by_their_hash() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    let annex = log.anchor_annex(sha256(b"a line"), &blinding()).await.unwrap();
    let key = log.anchor_key(sha256(b"a key"), &blinding()).await.unwrap();
    assert_ne!(annex.leaf().run_tag(), key.leaf().run_tag());
    for (line, kind, what) in
        [(annex, LeafKind::Annex, sha256(b"a line")), (key, LeafKind::Key, sha256(b"a key"))]
    {
        assert_eq!(line.opens_to_hash(kind, what), Ok(()));
        assert!(line.opens_to_hash(kind, sha256(b"another")).is_err());
        assert!(line.opens_to_hash(LeafKind::RunOpen, what).is_err());
        let proof = log.reader().proof(line.index()).unwrap().to_string();
        assert_eq!(verify_leaf(&line, proof.as_bytes(), &policy(&log)).unwrap().index, line.index());
    }
}

#[test]
fn a_line_that_names_another_log_proves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    let prepared = leaf();
    let index = log.append(prepared.leaf()).unwrap();
    let line = prepared.anchored(index, name("log.example/other"), at(0)).unwrap();
    let proof = log.reader().proof(index).unwrap().to_string();
    let verified = verify_leaf(&line, proof.as_bytes(), &policy(&log));
    assert!(matches!(verified, Err(ProofError::Log { .. })), "{verified:?}");
}

#[test]
fn many_at_once_share_checkpoints_and_each_gets_its_own_index() {
    let place = tempfile::tempdir().unwrap();
    let options = LogOptions::new().max_batch_leaves(16);
    let log = Log::create(place.path(), &name(ORIGIN), signer(), options).unwrap();
    let mut indexes: Vec<u64> = std::thread::scope(|scope| {
        let append = || {
            let prepared: Vec<_> = (0..25).map(|_| leaf()).collect();
            prepared.iter().map(|leaf| log.append(leaf.leaf()).unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(append)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    indexes.sort_unstable();
    assert_eq!(indexes, (0..200).collect::<Vec<_>>());
    let mut seen = 0;
    let verified = log.reader().audit(&policy(&log), |_, _| seen += 1).unwrap();
    assert_eq!((verified.checkpoint().size(), seen), (200, 200));
}

#[test]
fn the_same_leaf_has_one_place() {
    let place = tempfile::tempdir().unwrap();
    let (log, signer) = create(place.path());
    let (a, b) = (leaf(), leaf());
    assert_eq!(log.append(a.leaf()), Ok(0));
    let before = log.checkpoint().unwrap();
    assert_eq!(log.append(a.leaf()), Ok(0));
    assert_eq!(log.checkpoint().unwrap(), before, "nothing was signed for it");
    assert_eq!(log.append(b.leaf()), Ok(1));
    drop(log);
    let log = Log::open(place.path(), signer, LogOptions::new()).unwrap();
    assert_eq!((log.append(b.leaf()), log.append(a.leaf())), (Ok(1), Ok(0)));
}

/// Two instances have two file locks and two connections: as two processes do.
#[test]
fn two_writers_take_turns() {
    let place = tempfile::tempdir().unwrap();
    let (one, signer) = create(place.path());
    let two = Log::open(place.path(), signer, LogOptions::new()).unwrap();
    let logs = [&one, &two];
    std::thread::scope(|scope| {
        for log in logs {
            scope.spawn(move || (0..150).for_each(|_| assert!(log.append(leaf().leaf()).is_ok())));
        }
    });
    let mut seen = 0;
    one.reader().audit(&policy(&one), |_, _| seen += 1).unwrap();
    assert_eq!(seen, 300);
    // Partial tiles that a full one replaced are gone, the newest are there.
    let tile = |path: &str| place.path().join(path).exists();
    assert!(tile("tile/0/000") && tile("tile/0/001.p/44") && tile("tile/1/000.p/1"));
    assert!(!tile("tile/0/000.p") && !tile("tile/entries/000.p"));
}

#[test]
fn a_log_is_made_once_and_opened_by_its_key() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("log");
    let missing = Log::open(&directory, signer(), LogOptions::new());
    assert!(matches!(missing, Err(LogError::Missing { .. })), "{missing:?}");
    let (log, signer) = create(&directory);
    assert_eq!((log.origin().as_str(), log.vkey().name().as_str()), (ORIGIN, ORIGIN));
    assert_eq!(log.checkpoint().unwrap().checkpoint().size(), 0);
    drop(log);
    let again = Log::create(&directory, &name(ORIGIN), signer.clone(), LogOptions::new());
    assert!(matches!(again, Err(LogError::Exists { .. })), "{again:?}");
    let stranger = Log::open(&directory, self::signer(), LogOptions::new());
    assert!(matches!(stranger, Err(LogError::Key { .. })), "{stranger:?}");
    assert!(Log::open(&directory, signer, LogOptions::new()).is_ok());
    for wrong in ["a+b", "cosignature/v1"] {
        let made = Log::create(&place.path().join("b"), &name(wrong), self::signer(), LogOptions::new());
        assert!(matches!(made, Err(LogError::Origin { .. })), "{made:?}");
    }
}

#[test]
fn a_reader_gives_out_nothing_that_does_not_fit() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    for _ in 0..3 {
        log.append(leaf().leaf()).unwrap();
    }
    let reader = log.reader();
    assert!(reader.proof(2).is_ok() && reader.proof(3).is_err());
    let first = Checkpoint::read(reader.proof(0).unwrap().checkpoint().text()).unwrap();
    log.append(leaf().leaf()).unwrap();
    let second = log.checkpoint().unwrap().checkpoint().clone();
    assert_eq!(reader.consistency(&first, &second).unwrap().len(), 3);
    assert!(reader.consistency(&second, &first).is_err());
    let policy = policy(&log);
    for tile in ["tile/0/000.p/4", "tile/entries/000.p/4"] {
        let path = place.path().join(tile);
        let octets = std::fs::read(&path).unwrap();
        for bit in (0..octets.len() * 8).step_by(97) {
            let mut changed = octets.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, changed).unwrap();
            assert!(reader.audit(&policy, |_, _| ()).is_err(), "{tile} bit {bit}");
            let touched = (0..4).filter(|index| reader.proof(*index).is_err()).count();
            assert!(touched >= 1, "{tile} bit {bit}");
        }
        std::fs::write(&path, [octets.clone(), vec![0]].concat()).unwrap();
        assert!(reader.audit(&policy, |_, _| ()).is_err(), "{tile} longer");
        std::fs::remove_file(&path).unwrap();
        assert!(reader.audit(&policy, |_, _| ()).is_err(), "{tile} gone");
        std::fs::write(&path, octets).unwrap();
    }
    assert!(reader.audit(&policy, |_, _| ()).is_ok());
    assert!(LogReader::new(place.path().join("nowhere")).checkpoint().is_err());
}

#[tokio::test]
async fn a_run_that_never_closes_is_reported_from_public_files_alone() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    let [open, _, close] = roots();
    let forgotten = log.anchor_open(&roots()[0], at(5_000), &blinding()).await.unwrap();
    let opened = log.anchor_open(&open, at(5_000), &blinding()).await.unwrap();
    log.anchor_close(&close, &opened).await.unwrap();
    let mut monitor = Monitor::new();
    log.reader().audit(&policy(&log), |index, entry| monitor.observe(index, entry)).unwrap();
    assert_eq!(monitor.report(at(5_000)), []);
    let overdue = Finding::Overdue { tag: forgotten.leaf().run_tag(), index: 0, deadline: at(5_000) };
    assert_eq!(monitor.report(at(5_001)), [overdue]);
}

#[test]
fn a_full_queue_says_so() {
    // The lock is held elsewhere, so the writer waits and the queue fills.
    let place = tempfile::tempdir().unwrap();
    let signer = signer();
    let options = LogOptions::new().max_waiting_leaves(1).max_batch_leaves(1);
    let log = Log::create(place.path(), &name(ORIGIN), signer, options).unwrap();
    let lock = std::fs::File::open(place.path().join("lock")).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| log.append(leaf().leaf()))).collect();
        // One is with the writer and one waits: a third or a later one is refused at once.
        while !threads.iter().any(|thread| thread.is_finished()) {
            std::thread::yield_now();
        }
        lock.unlock().unwrap();
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(results.contains(&Err(LogError::Busy { limit: 1 })), "{results:?}");
        assert!(results.iter().any(Result::is_ok), "{results:?}");
    });
}

/// Partial tiles may be removed once the full one is there. Where they stay they are what it begins with, or the log had other entries.
#[tokio::test]
async fn partial_tiles_that_stay_agree_with_what_took_their_place() {
    let place = tempfile::tempdir().unwrap();
    let (log, _) = create(place.path());
    for _ in 0..3 {
        log.append(leaf().leaf()).unwrap();
    }
    let read = |path: &str| std::fs::read(place.path().join(path)).unwrap();
    let kept = ["tile/0/000.p/3", "tile/entries/000.p/3"].map(|path| (path, read(path)));
    for _ in 3..300 {
        log.append(leaf().leaf()).unwrap();
    }
    assert!(place.path().join("tile/0/000").exists());
    let (policy, reader) = (policy(&log), log.reader());
    let audit = || reader.audit(&policy, |_, _| {}).map(|verified| verified.checkpoint().size());
    assert_eq!(audit(), Ok(300));
    let ahead = [("tile/0/001.p/45", read("tile/0/001.p/44")), ("tile/0/001", read("tile/0/001.p/44"))];
    for (path, octets) in kept.iter().chain(&ahead) {
        let file = place.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let tile = TilePath::from_str(path).unwrap();
        let mut whole = octets.clone();
        if !path.contains("entries") {
            whole.resize(usize::from(tile.width()) * 32, 7);
        }
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(audit(), Ok(300), "{path}");
        for at in [2, octets.len() - 1] {
            let mut other = whole.clone();
            other[at] ^= 1;
            std::fs::write(&file, &other).unwrap();
            assert_eq!(audit(), Err(ReaderError::Differs { tile }), "{path}");
        }
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        assert!(audit().is_err(), "{path}: cut off");
        std::fs::remove_file(&file).unwrap();
    }
    assert_eq!(audit(), Ok(300));
}
