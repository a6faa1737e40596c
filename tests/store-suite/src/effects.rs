//! The ledger of effects and the last check before one.

use std::sync::Arc;

use fuze_agent::store::{Batch, EffectEntry, EffectState, Fence, RunStore, Start, Stop};
use fuze_evidence::{Hash, sha256};

use crate::{FAR_MS, Given, Sample, Verdict, Wrong, check, far, same};

/// A run with one intent.
async fn intended(store: &Arc<dyn RunStore>) -> Result<(Sample, Fence, Hash), Wrong> {
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let exec_id = sha256(b"effect");
    write(store, &mut sample, fence, exec_id, EffectState::Intent).await?;
    Ok((sample, fence, exec_id))
}

async fn write(
    store: &Arc<dyn RunStore>,
    sample: &mut Sample,
    fence: Fence,
    exec_id: Hash,
    state: EffectState,
) -> Verdict {
    let mut next = sample.fork()?;
    let effects = vec![EffectEntry { exec_id, state }];
    store.commit(fence, Batch { effects, ..next.go_on()? }).await?;
    *sample = next;
    Ok(())
}

async fn ledger(
    store: &Arc<dyn RunStore>,
    fence: Fence,
    exec_id: Hash,
) -> Result<Option<EffectState>, Wrong> {
    let effects = store.load(fence.run).await?.effects;
    Ok(effects.iter().find(|entry| entry.exec_id == exec_id).map(|entry| entry.state))
}

pub(crate) async fn an_effect_starts_once(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, fence, exec_id) = intended(&store).await?;
    same("first", &store.start_effect(fence, exec_id, far()).await?, &Start::Go)?;
    let other = given.store().await?;
    same("seen by others", &ledger(&other, fence, exec_id).await?, &Some(EffectState::Started))?;
    for store in [&store, &other] {
        same("again", &store.start_effect(fence, exec_id, far()).await?, &Start::AlreadyStarted)?;
    }
    write(&store, &mut sample, fence, exec_id, EffectState::InDoubt).await?;
    same("in doubt", &store.start_effect(fence, exec_id, far()).await?, &Start::AlreadyStarted)?;
    write(&store, &mut sample, fence, exec_id, EffectState::Done).await?;
    same("when done", &store.start_effect(fence, exec_id, far()).await?, &Start::AlreadyStarted)?;
    same("ledger", &ledger(&store, fence, exec_id).await?, &Some(EffectState::Done))
}

pub(crate) async fn of_many_starts_one_goes(given: Given) -> Verdict {
    let stores = [given.store().await?, given.store().await?];
    let [store, _] = &stores;
    let (_, fence, exec_id) = intended(store).await?;
    let mut tasks = Vec::new();
    for store in stores.iter().cycle().take(16) {
        let store = Arc::clone(store);
        tasks.push(tokio::spawn(async move { store.start_effect(fence, exec_id, far()).await }));
    }
    let mut went = 0;
    for task in tasks {
        match task.await?? {
            Start::Go => went += 1,
            Start::AlreadyStarted => {}
            other => return Err(Wrong::new(format!("a start: {other:?}"))),
        }
    }
    same("how many went", &went, &1)
}

pub(crate) async fn an_effect_without_an_intent_does_not_start(given: Given) -> Verdict {
    let store = given.store().await?;
    let (_, fence, _) = intended(&store).await?;
    let other = sha256(b"another effect");
    let found = store.start_effect(fence, other, far()).await;
    check(!matches!(found, Ok(Start::Go)), || "it started".into())?;
    same("ledger", &ledger(&store, fence, other).await?, &None)
}

pub(crate) async fn a_stop_keeps_effects_from_starting(given: Given) -> Verdict {
    let (store, other) = (given.store().await?, given.store().await?);
    let (_, fence, exec_id) = intended(&store).await?;
    same("before", &store.stop_requested(fence.run).await?, &None)?;
    other.request_stop(fence.run, Stop::Operator).await?;
    same("asked", &store.stop_requested(fence.run).await?, &Some(Stop::Operator))?;
    same("loaded", &store.load(fence.run).await?.stop, &Some(Stop::Operator))?;
    let found = store.start_effect(fence, exec_id, far()).await?;
    same("start", &found, &Start::Stopped(Stop::Operator))?;
    same("ledger", &ledger(&store, fence, exec_id).await?, &Some(EffectState::Intent))
}

pub(crate) async fn an_abort_is_not_softened(given: Given) -> Verdict {
    let store = given.store().await?;
    let (_, fence, exec_id) = intended(&store).await?;
    store.request_stop(fence.run, Stop::Operator).await?;
    store.request_stop(fence.run, Stop::Abort).await?;
    store.request_stop(fence.run, Stop::Operator).await?;
    same("stop", &store.stop_requested(fence.run).await?, &Some(Stop::Abort))?;
    same("start", &store.start_effect(fence, exec_id, far()).await?, &Start::Stopped(Stop::Abort))
}

pub(crate) async fn a_deadline_keeps_an_effect_from_starting(given: Given) -> Verdict {
    let store = given.store().await?;
    let (_, fence, exec_id) = intended(&store).await?;
    for past in [0, 1, far() - 2 * FAR_MS] {
        same("past", &store.start_effect(fence, exec_id, past).await?, &Start::TooLate)?;
    }
    same("ledger", &ledger(&store, fence, exec_id).await?, &Some(EffectState::Intent))?;
    same("ahead", &store.start_effect(fence, exec_id, far()).await?, &Start::Go)
}

pub(crate) async fn an_old_epoch_starts_nothing(given: Given) -> Verdict {
    let store = given.store().await?;
    let (_, fence, exec_id) = intended(&store).await?;
    let new = store.take_over(fence.run, 1).await?;
    same("old", &store.start_effect(fence, exec_id, far()).await?, &Start::Fenced)?;
    same("new", &store.start_effect(new, exec_id, far()).await?, &Start::Go)
}

pub(crate) async fn the_ledger_goes_forward(given: Given) -> Verdict {
    use EffectState::{Done, InDoubt, Intent, Started};
    let store = given.store().await?;
    // From where (how it gets there), and what a batch may make of it.
    let ways: [(Option<EffectState>, &[EffectState], &[EffectState]); 5] = [
        (None, &[], &[Intent]),
        (Some(Intent), &[Intent], &[Intent, Done]),
        (Some(Started), &[Intent, Started], &[Done, InDoubt]),
        (Some(InDoubt), &[Intent, Started, InDoubt], &[Done]),
        (Some(Done), &[Intent, Started, Done], &[]),
    ];
    for (from, way, allowed) in ways {
        for to in [Intent, Started, Done, InDoubt] {
            let (mut sample, batch) = Sample::begin()?;
            let fence = store.create(sample.run, batch).await?;
            let exec_id = sha256(b"effect");
            for &state in way {
                if state == Started {
                    same("start", &store.start_effect(fence, exec_id, far()).await?, &Start::Go)?;
                } else {
                    write(&store, &mut sample, fence, exec_id, state).await?;
                }
            }
            let written = write(&store, &mut sample, fence, exec_id, to).await;
            check(written.is_ok() == allowed.contains(&to), || {
                format!("from {from:?} to {to:?}: {}", if written.is_ok() { "allowed" } else { "refused" })
            })?;
            let now = if written.is_ok() { Some(to) } else { from };
            same("ledger", &ledger(&store, fence, exec_id).await?, &now)?;
        }
    }
    Ok(())
}

pub(crate) async fn one_batch_may_take_several_steps(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, fence, exec_id) = intended(&store).await?;
    let second = sha256(b"second");
    let entry = |exec_id, state| EffectEntry { exec_id, state };
    let effects = vec![
        entry(second, EffectState::Intent),
        entry(exec_id, EffectState::Done),
        entry(second, EffectState::Done),
    ];
    store.commit(fence, Batch { effects, ..sample.go_on()? }).await?;
    same("first", &ledger(&store, fence, exec_id).await?, &Some(EffectState::Done))?;
    same("second", &ledger(&store, fence, second).await?, &Some(EffectState::Done))
}
