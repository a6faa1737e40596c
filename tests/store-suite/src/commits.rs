//! Creating a run and adding to it.

use fuze_agent::store::{
    Batch, EffectEntry, EffectState, Fence, Progress, RunState, SealedProgress, Start, Stop, StoreError,
};
use fuze_evidence::{Name, RunId, sha256};

use crate::{Given, Sample, Verdict, Wrong, check, far, same, token};

fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, StoreError>) -> Verdict {
    check(result.is_err(), || format!("{what}: expected to be refused, found {result:?}"))
}

fn fenced<T: std::fmt::Debug + PartialEq>(what: &str, result: &Result<T, StoreError>) -> Verdict {
    check(matches!(result, Err(StoreError::Fenced)), || format!("{what}: expected Fenced, found {result:?}"))
}

pub(crate) async fn a_run_is_created_once(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let again = Batch {
        records: batch.records.clone(),
        contents: batch.contents.clone(),
        keys: batch.keys.clone(),
        roots: batch.roots.clone(),
        ..Batch::default()
    };
    let fence = store.create(sample.run, batch).await?;
    same("the first fence", &fence, &Fence { run: sample.run, epoch: 1 })?;
    same("a second creation", &store.create(sample.run, again).await, &Err(StoreError::Exists))?;
    store.commit(fence, sample.go_on()?).await?;
    same("records", &store.load(sample.run).await?.head, &sample.head())
}

pub(crate) async fn a_run_begins_with_its_keys_and_record_0(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, mut batch) = Sample::begin()?;
    batch.keys = None;
    refused("no keys", store.create(sample.run, batch).await)?;
    let (mut sample, batch) = Sample::begin()?;
    let late = Batch { keys: batch.keys.clone(), ..sample.go_on()? };
    refused("record 1", store.create(sample.run, late).await)?;
    let (other, other_batch) = Sample::begin()?;
    let foreign = Batch { keys: batch.keys.clone(), records: other_batch.records, ..Batch::default() };
    refused("another run's record", store.create(sample.run, foreign).await)?;
    for run in [sample.run, other.run] {
        check(matches!(store.load(run).await, Err(StoreError::NotFound)), || "a run was begun".into())?;
    }
    let fence = store.create(sample.run, batch).await?;
    let (again, _) = Sample::begin()?;
    let keys = Some(again.wrapped().clone());
    refused("keys again", store.commit(fence, Batch { keys, ..sample.fork()?.go_on()? }).await)?;
    let subject = Some(Name::new("somebody-else")?);
    refused("a subject", store.commit(fence, Batch { subject, ..sample.fork()?.go_on()? }).await)
}

pub(crate) async fn an_unknown_run_is_not_found(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, _) = Sample::begin()?;
    let fence = Fence { run: sample.run, epoch: 1 };
    let not_found = |what: &str, error: Option<StoreError>| same(what, &error, &Some(StoreError::NotFound));
    not_found("load", store.load(sample.run).await.err())?;
    not_found("take_over", store.take_over(sample.run, 1).await.err())?;
    not_found("request_stop", store.request_stop(sample.run, Stop::Operator).await.err())?;
    not_found("stop_requested", store.stop_requested(sample.run).await.err())?;
    refused("commit", store.commit(fence, sample.go_on()?).await)?;
    let started = store.start_effect(fence, sha256(b"effect"), far()).await;
    check(!matches!(started, Ok(Start::Go)), || "an effect of no run started".into())?;
    let token = token(sample.run, 0, far());
    check(store.claim(sample.claim(1, &[token])?).await.is_err(), || "no run was claimed".into())
}

pub(crate) async fn a_record_follows_the_last_one(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let mut ahead = sample.fork()?;
    ahead.go_on()?;
    refused("a record that leaves one out", store.commit(fence, ahead.go_on()?).await)?;
    let mut backwards = sample.fork()?;
    let (first, second) = (backwards.go_on()?, backwards.go_on()?);
    let records = second.records.into_iter().chain(first.records).collect();
    refused("records in reverse", store.commit(fence, Batch { records, ..Batch::default() }).await)?;
    store.commit(fence, sample.go_on()?).await?;
    same("head", &store.load(sample.run).await?.head, &sample.head())
}

pub(crate) async fn a_fork_is_refused(given: Given) -> Verdict {
    let (store, other) = (given.store().await?, given.store().await?);
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let mut fork = sample.fork()?;
    fork.go_on()?;
    store.commit(fence, sample.go_on()?).await?;
    // The right sequence, but after a record that the store does not have.
    fenced("the fork", &other.commit(fence, fork.go_on()?).await)?;
    store.commit(fence, sample.go_on()?).await?;
    same("head", &store.load(sample.run).await?.head, &sample.head())
}

pub(crate) async fn another_epoch_is_fenced(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    for epoch in [0, 2, u64::MAX] {
        let stale = Fence { epoch, ..fence };
        fenced(&format!("epoch {epoch}"), &store.commit(stale, sample.fork()?.go_on()?).await)?;
    }
    Ok(store.commit(fence, sample.go_on()?).await?)
}

pub(crate) async fn a_refused_batch_leaves_nothing(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let (exec_id, never) = (sha256(b"effect"), sha256(b"never intended"));
    let mut fork = sample.fork()?;
    let token = token(sample.run, 0, far());
    let refused_batch = Batch {
        effects: vec![
            EffectEntry { exec_id, state: EffectState::Intent },
            // This is what spoils it, after everything else has been looked at.
            EffectEntry { exec_id: never, state: EffectState::InDoubt },
        ],
        ..fork.suspend(1, &[token])?
    };
    refused("the batch", store.commit(fence, refused_batch).await)?;
    let stored = store.load(sample.run).await?;
    same("head", &stored.head, &sample.head())?;
    same("state", &stored.state, &RunState::Running)?;
    same("effects", &stored.effects, &vec![])?;
    same("progress", &stored.progress, &vec![])?;
    store.commit(fence, sample.suspend(1, &[token])?).await?;
    Ok(())
}

/// A run that has closed, as `(sample before its close, fence)`.
async fn closed(given: &Given) -> Result<(Sample, Fence), Wrong> {
    let store = given.store().await?;
    let (sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let exec_id = sha256(b"effect");
    let mut before = sample.fork()?;
    let effects = vec![EffectEntry { exec_id, state: EffectState::Intent }];
    store.commit(fence, Batch { effects, ..before.go_on()? }).await?;
    store.commit(fence, before.fork()?.close()?).await?;
    Ok((before, fence))
}

pub(crate) async fn a_closed_run_accepts_nothing(given: Given) -> Verdict {
    let (mut before, fence) = closed(&given).await?;
    let store = given.store().await?;
    let run: RunId = before.run;
    let stored = store.load(run).await?;
    same("state", &stored.state, &RunState::Closed)?;
    let mut other = before.fork()?;
    fenced("a record", &store.commit(fence, other.go_on()?).await)?;
    fenced("nothing at all", &store.commit(fence, Batch::default()).await)?;
    let progress = Progress::Append(SealedProgress { sequence: 0, epoch: 1, bytes: vec![1] });
    let batch = Batch { progress: Some(progress), state: RunState::Closed, ..Batch::default() };
    fenced("progress", &store.commit(fence, batch).await)?;
    fenced("a second close", &store.commit(fence, before.fork()?.close()?).await)?;
    fenced("a take-over", &store.take_over(run, 1).await)?;
    same("an effect", &store.start_effect(fence, sha256(b"effect"), far()).await?, &Start::Fenced)?;
    let token = token(run, 0, far());
    check(store.claim(before.claim(1, &[token])?).await.is_err(), || "it was claimed".into())?;
    let after = store.load(run).await?;
    same("epoch", &after.epoch, &stored.epoch)?;
    same("head", &after.head, &stored.head)
}

pub(crate) async fn a_run_that_waits_goes_on_by_a_claim_alone(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let exec_id = sha256(b"effect");
    let token = token(sample.run, 0, far());
    let effects = vec![EffectEntry { exec_id, state: EffectState::Intent }];
    store.commit(fence, Batch { effects, ..sample.suspend(1, &[token])? }).await?;
    refused("a commit", store.commit(fence, sample.fork()?.go_on()?).await)?;
    fenced("a take-over", &store.take_over(sample.run, 1).await)?;
    same("an effect", &store.start_effect(fence, exec_id, far()).await?, &Start::Fenced)?;
    let fence = store.claim(sample.claim(1, &[token])?).await?;
    same("the effect afterwards", &store.start_effect(fence, exec_id, far()).await?, &Start::Go)
}

pub(crate) async fn a_run_that_waits_can_be_closed(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    store.commit(fence, sample.suspend(1, &[token(sample.run, 0, far())])?).await?;
    let run = sample.run;
    store.commit(fence, sample.close()?).await?;
    same("state", &store.load(run).await?.state, &RunState::Closed)
}

pub(crate) async fn tokens_belong_to_a_suspension(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let token = token(sample.run, 0, far());
    let running = Batch { state: RunState::Running, ..sample.fork()?.suspend(1, &[token])? };
    refused("tokens of a run that goes on", store.commit(fence, running).await)?;
    let silent = Batch { tokens: vec![], ..sample.fork()?.suspend(1, &[token])? };
    refused("a suspension that nobody can end", store.commit(fence, silent).await)?;
    store.commit(fence, sample.suspend(1, &[token])?).await?;
    let (mut second, batch) = Sample::begin()?;
    let fence = store.create(second.run, batch).await?;
    refused("a token twice", store.commit(fence, second.suspend(1, &[token])?).await)
}
