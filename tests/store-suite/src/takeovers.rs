//! Taking a run over after a crash.

use std::sync::Arc;

use fuze_agent::store::{Fence, RunState, StoreError};

use crate::{Given, Sample, Verdict, Wrong, same};

pub(crate) async fn a_take_over_fences_the_old_holder(given: Given) -> Verdict {
    let (store, other) = (given.store().await?, given.store().await?);
    let (mut sample, batch) = Sample::begin()?;
    let old = store.create(sample.run, batch).await?;
    store.commit(old, sample.go_on()?).await?;
    let new = other.take_over(sample.run, 1).await?;
    same("fence", &new, &Fence { run: sample.run, epoch: 2 })?;
    same("the old one", &store.commit(old, sample.fork()?.go_on()?).await, &Err(StoreError::Fenced))?;
    other.commit(new, sample.go_on()?).await?;
    let stored = store.load(sample.run).await?;
    same("epoch", &stored.epoch, &2)?;
    same("state", &stored.state, &RunState::Running)?;
    same("head", &stored.head, &sample.head())
}

pub(crate) async fn a_take_over_needs_the_epoch(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, batch) = Sample::begin()?;
    store.create(sample.run, batch).await?;
    for epoch in [0, 2, u64::MAX] {
        same("another epoch", &store.take_over(sample.run, epoch).await, &Err(StoreError::Fenced))?;
    }
    store.take_over(sample.run, 1).await?;
    same("the same again", &store.take_over(sample.run, 1).await, &Err(StoreError::Fenced))?;
    same("the next", &store.take_over(sample.run, 2).await?.epoch, &3)
}

pub(crate) async fn of_many_take_overs_one_wins(given: Given) -> Verdict {
    let stores = [given.store().await?, given.store().await?];
    let [store, _] = &stores;
    let (sample, batch) = Sample::begin()?;
    store.create(sample.run, batch).await?;
    let mut tasks = Vec::new();
    for store in stores.iter().cycle().take(16) {
        let (store, run) = (Arc::clone(store), sample.run);
        tasks.push(tokio::spawn(async move { store.take_over(run, 1).await }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await? {
            Ok(_) => won += 1,
            Err(StoreError::Fenced) => {}
            Err(other) => return Err(Wrong::new(format!("a loser: {other:?}"))),
        }
    }
    same("winners", &won, &1)?;
    same("epoch", &store.load(sample.run).await?.epoch, &2)
}
