//! Writes that wait together: one COMMIT, and each its own outcome.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use fuze_agent::store::{
    Batch, ClaimError, EffectEntry, EffectState, Fence, IssuedToken, RunState, RunStore as _, StoreError,
};
use fuze_evidence::sha256;
use fuze_store_suite::{Sample, far, token};

use crate::database::Fault;
use crate::{Options, SqliteStore};

fn open(directory: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(directory.join("store"), &Options::default()).unwrap())
}

/// Keeps the store's thread busy until told.
async fn hold(store: &SqliteStore) -> Sender<()> {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (begun, running) = tokio::sync::oneshot::channel();
    let request = move |_: &mut crate::keeper::Keeper| {
        begun.send(()).unwrap();
        // Ends when the sender is dropped, too.
        wait.recv().ok();
    };
    store.requests().send(super::Request::Alone(Box::new(request))).await.ok().unwrap();
    running.await.unwrap();
    release
}

async fn commits(store: &SqliteStore) -> usize {
    store.ask(|keeper| Ok::<_, StoreError>(keeper.database.commits)).await.unwrap()
}

async fn fault_next(store: &SqliteStore, fault: Fault) {
    let set = store.ask(move |keeper| {
        keeper.database.fault = Some(fault);
        Ok::<_, StoreError>(())
    });
    set.await.unwrap();
}

async fn begun(store: &SqliteStore) -> (Sample, Fence) {
    let (sample, batch) = Sample::begin().unwrap();
    let fence = store.create(sample.run, batch).await.unwrap();
    (sample, fence)
}

async fn waiting(store: &SqliteStore) -> (Sample, [IssuedToken; 1]) {
    let (mut sample, fence) = begun(store).await;
    let tokens = [token(sample.run, 0, far())];
    store.commit(fence, sample.suspend(1, &tokens).unwrap()).await.unwrap();
    (sample, tokens)
}

/// Hands writes over while the thread is held, in this order, and gives their outcomes.
macro_rules! together {
    ($store:expr, $($write:expr),+ $(,)?) => {{
        let release = hold($store).await;
        let mut handed = Vec::new();
        $(
            let mut write: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin($write);
            // Polled once: in the queue.
            let first = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context))).await;
            assert!(first.is_pending(), "nothing is answered before the thread is free");
            handed.push(write);
        )+
        drop(release);
        let mut outcomes = Vec::new();
        for write in handed {
            outcomes.push(write.await);
        }
        outcomes
    }};
}

#[tokio::test]
async fn what_waits_shares_one_commit_and_a_bad_one_spoils_nothing() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let (mut one, one_fence) = begun(&store).await;
    let (mut two, two_fence) = begun(&store).await;
    let (three, three_fence) = begun(&store).await;
    let before = commits(&store).await;
    // Written in part before it is refused: its record stands in the tables when its effect turns out impossible.
    let spoilt = Batch {
        effects: vec![
            EffectEntry { exec_id: sha256(b"good"), state: EffectState::Intent },
            EffectEntry { exec_id: sha256(b"bad"), state: EffectState::InDoubt },
        ],
        ..three.fork().unwrap().go_on().unwrap()
    };
    let outcomes = together!(
        &*store,
        store.commit(one_fence, one.go_on().unwrap()),
        store.commit(three_fence, spoilt),
        store.commit(two_fence, two.go_on().unwrap()),
    );
    assert!(matches!(outcomes.as_slice(), [Ok(()), Err(StoreError::Rejected(_)), Ok(())]), "{outcomes:?}");
    assert_eq!(commits(&store).await, before + 1, "three writes, one COMMIT");
    for sample in [&one, &two, &three] {
        let stored = store.load(sample.run).await.unwrap();
        assert_eq!((stored.head, stored.effects), (sample.head(), vec![]));
    }
}

#[tokio::test]
async fn two_writes_of_one_run_keep_their_order_in_two_commits() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let (mut one, fence) = begun(&store).await;
    let before = commits(&store).await;
    let outcomes = together!(
        &*store,
        store.commit(fence, one.go_on().unwrap()),
        store.commit(fence, one.go_on().unwrap()),
    );
    assert_eq!(outcomes, [Ok(()), Ok(())]);
    assert_eq!(commits(&store).await, before + 2);
    assert_eq!(store.load(one.run).await.unwrap().head, one.head());
}

#[tokio::test]
async fn an_unclear_commit_is_unclear_to_each_and_loading_tells() {
    for (fault, stands) in [(Fault::CommitLost, false), (Fault::CommitUnheard, true)] {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        let (one, one_fence) = begun(&store).await;
        let (two, two_fence) = begun(&store).await;
        let (three, _) = begun(&store).await;
        let (mut next_one, mut next_two) = (one.fork().unwrap(), two.fork().unwrap());
        fault_next(&store, fault).await;
        let outcomes = together!(
            &*store,
            store.commit(one_fence, next_one.go_on().unwrap()),
            store.commit(two_fence, next_two.go_on().unwrap()),
            // Refused for what it is, whatever becomes of the COMMIT.
            store.commit(Fence { epoch: 7, run: three.run }, Batch::default()),
        );
        assert!(
            matches!(
                outcomes.as_slice(),
                [Err(StoreError::Unclear(_)), Err(StoreError::Unclear(_)), Err(StoreError::Fenced)]
            ),
            "{outcomes:?}"
        );
        for (before, after) in [(&one, &next_one), (&two, &next_two)] {
            let head = if stands { after.head() } else { before.head() };
            assert_eq!(store.load(before.run).await.unwrap().head, head);
        }
    }
}

/// A claim in an unclear group is read back; it has won if it stands, and the others still do not know.
#[tokio::test]
async fn claims_in_an_unclear_group_are_read_back() {
    for (fault, stands) in [(Fault::CommitLost, false), (Fault::CommitUnheard, true)] {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        let (one, tokens) = waiting(&store).await;
        let (two, other_tokens) = waiting(&store).await;
        let claim = one.fork().unwrap().claim(1, &tokens).unwrap();
        let other = two.fork().unwrap().claim(1, &other_tokens).unwrap();
        fault_next(&store, fault).await;
        let outcomes = together!(&*store, store.claim(claim), store.claim(other));
        for (outcome, sample) in outcomes.iter().zip([&one, &two]) {
            match outcome {
                Ok(fence) => assert!(stands && *fence == Fence { run: sample.run, epoch: 2 }),
                Err(ClaimError::Store(StoreError::Unclear(_))) => assert!(!stands),
                Err(other) => panic!("{other:?}"),
            }
            let state = if stands { RunState::Running } else { RunState::Suspended };
            assert_eq!(store.load(sample.run).await.unwrap().state, state);
        }
    }
}

/// A constraint that is only checked at COMMIT: whose fault it was shows when each has a transaction to itself.
#[tokio::test]
async fn a_write_that_spoils_the_shared_commit_fails_alone() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let (one, tokens) = waiting(&store).await;
    let (two, other_tokens) = waiting(&store).await;
    let file = place.path().join("store/fuze.sqlite");
    let spoilt = tokens[0].token_hash.to_string();
    rusqlite::Connection::open(file)
        .unwrap()
        .execute_batch(&format!(
            "CREATE TABLE trap (run INTEGER REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER trap AFTER UPDATE ON tokens WHEN NEW.token_hash = x'{spoilt}' BEGIN INSERT INTO trap VALUES (-1); END;"
        ))
        .unwrap();
    let outcomes = together!(
        &*store,
        store.claim(one.fork().unwrap().claim(1, &tokens).unwrap()),
        store.claim(two.fork().unwrap().claim(1, &other_tokens).unwrap()),
    );
    assert!(matches!(outcomes[0], Err(ClaimError::Store(StoreError::Rejected(_)))), "{outcomes:?}");
    assert_eq!(outcomes[1], Ok(Fence { run: two.run, epoch: 2 }));
    assert_eq!(store.load(one.run).await.unwrap().state, RunState::Suspended);
    assert_eq!(store.load(two.run).await.unwrap().state, RunState::Running);
}

/// More than a group holds: all are carried out, in bounded groups.
#[tokio::test]
async fn groups_are_bounded() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    let mut samples = Vec::new();
    for _ in 0..super::MAX_WRITES + 3 {
        samples.push(begun(&store).await);
    }
    let before = commits(&store).await;
    let release = hold(&store).await;
    let mut tasks = Vec::new();
    for (sample, fence) in &mut samples {
        let (store, fence, batch) = (Arc::clone(&store), *fence, sample.go_on().unwrap());
        let mut write = Box::pin(async move { store.commit(fence, batch).await });
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(write.as_mut().poll(cx)));
        // So many at once would else be told to come again later, without having been handed over.
        assert!(tokio::task::unconstrained(first).await.is_pending());
        tasks.push(write);
    }
    drop(release);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(commits(&store).await, before + 2);
}
