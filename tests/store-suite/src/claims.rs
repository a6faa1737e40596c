//! Claiming a suspended run's tokens: once, all together, or not at all.

use std::sync::Arc;

use fuze_agent::store::{
    Batch, Claim, ClaimError, EffectEntry, EffectState, Fence, Ground, IssuedToken, RunState, RunStore,
    StoreError,
};
use fuze_evidence::sha256;

use crate::{FAR_MS, Given, Sample, Verdict, Wrong, check, far, same, token};

/// A run that waits at epoch 1 for `tokens` tokens.
async fn waiting(store: &Arc<dyn RunStore>, tokens: u64) -> Result<(Sample, Vec<IssuedToken>), Wrong> {
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let tokens: Vec<_> = (0..tokens).map(|number| token(sample.run, number, far())).collect();
    store.commit(fence, sample.suspend(1, &tokens)?).await?;
    Ok((sample, tokens))
}

/// Nothing has happened: the run waits, and a right claim of `tokens` succeeds.
async fn still_waits(store: &Arc<dyn RunStore>, sample: &Sample, tokens: &[IssuedToken]) -> Verdict {
    let stored = store.load(sample.run).await?;
    same("state", &stored.state, &RunState::Suspended)?;
    same("epoch", &stored.epoch, &1)?;
    same("head", &stored.head, &sample.head())?;
    same("a right claim", &store.claim(sample.fork()?.claim(1, tokens)?).await, &ok(sample))
}

const fn ok(sample: &Sample) -> Result<Fence, ClaimError> {
    Ok(Fence { run: sample.run, epoch: 2 })
}

pub(crate) async fn a_token_is_claimed_once(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    let first = sample.fork()?.claim(1, &tokens)?;
    let same_id = first.claim_id;
    same("the first", &store.claim(first).await, &ok(&sample))?;
    let used = tokens.first().map(|token| Err(ClaimError::Used(token.token_hash)));
    for store in [store, given.store().await?] {
        let second = sample.fork()?.claim(1, &tokens)?;
        same("the second", &Some(store.claim(second).await), &used)?;
        let mut repeated = sample.fork()?.claim(1, &tokens)?;
        repeated.claim_id = same_id;
        same("the first again", &Some(store.claim(repeated).await), &used)?;
        let mut later = sample.fork()?.claim(2, &tokens)?;
        later.claim_id = same_id;
        same("at the new epoch", &Some(store.claim(later).await), &used)?;
    }
    Ok(())
}

pub(crate) async fn a_claim_fences_whoever_suspended(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, tokens) = waiting(&store, 1).await?;
    let old = Fence { run: sample.run, epoch: 1 };
    let new = store.claim(sample.claim(1, &tokens)?).await?;
    same("old", &store.commit(old, sample.fork()?.go_on()?).await, &Err(StoreError::Fenced))?;
    same("old close", &store.commit(old, sample.fork()?.close()?).await, &Err(StoreError::Fenced))?;
    store.commit(new, sample.go_on()?).await?;
    Ok(())
}

pub(crate) async fn a_claim_is_seen_by_others(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, tokens) = waiting(&store, 1).await?;
    let exec_id = sha256(b"approved");
    let mut claim = sample.claim(1, &tokens)?;
    claim.batch.effects = vec![EffectEntry { exec_id, state: EffectState::Intent }];
    store.claim(claim).await?;
    let stored = given.store().await?.load(sample.run).await?;
    same("state", &stored.state, &RunState::Running)?;
    same("epoch", &stored.epoch, &2)?;
    same("head", &stored.head, &sample.head())?;
    same("effects", &stored.effects, &vec![EffectEntry { exec_id, state: EffectState::Intent }])?;
    same("records beyond the progress", &stored.records_after_progress.len(), &1)
}

pub(crate) async fn an_expired_token_is_refused(given: Given) -> Verdict {
    let store = given.store().await?;
    for expires in [0, 1, far() - 2 * FAR_MS] {
        let (mut sample, batch) = Sample::begin()?;
        let fence = store.create(sample.run, batch).await?;
        let token = token(sample.run, 0, expires);
        store.commit(fence, sample.suspend(1, &[token])?).await?;
        for _ in 0..2 {
            let claimed = store.claim(sample.fork()?.claim(1, &[token])?).await;
            same("claim", &claimed, &Err(ClaimError::Expired(token.token_hash)))?;
        }
        let stored = store.load(sample.run).await?;
        same("state", &stored.state, &RunState::Suspended)?;
        same("head", &stored.head, &sample.head())?;
    }
    Ok(())
}

pub(crate) async fn an_unknown_token_is_refused(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    let unknown = token(sample.run, 77, far());
    let both: Vec<_> = tokens.iter().copied().chain([unknown]).collect();
    for wrong in [&[unknown][..], &both] {
        let claimed = store.claim(sample.fork()?.claim(1, wrong)?).await;
        same("claim", &claimed, &Err(ClaimError::Unknown(unknown.token_hash)))?;
    }
    still_waits(&store, &sample, &tokens).await
}

pub(crate) async fn another_runs_token_is_refused(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    let (other, others) = waiting(&store, 1).await?;
    let expected = others.first().map(|token| Err(ClaimError::Unknown(token.token_hash)));
    let claimed = store.claim(sample.fork()?.claim(1, &others)?).await;
    same("claim", &Some(claimed), &expected)?;
    still_waits(&store, &sample, &tokens).await?;
    still_waits(&store, &other, &others).await
}

pub(crate) async fn all_tokens_are_claimed_together(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 3).await?;
    for some in [tokens.get(..1), tokens.get(1..), tokens.get(..2)].into_iter().flatten() {
        let claimed = store.claim(sample.fork()?.claim(1, some)?).await;
        same("some of them", &claimed, &Err(ClaimError::Incomplete))?;
    }
    let reversed: Vec<_> = tokens.iter().rev().copied().collect();
    still_waits(&store, &sample, &reversed).await
}

pub(crate) async fn a_token_given_twice_counts_once(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 2).await?;
    let Some(&first) = tokens.first() else { return Err(Wrong::new("no token")) };
    let claimed = store.claim(sample.fork()?.claim(1, &[first, first])?).await;
    check(claimed.is_err(), || format!("one token for two: {claimed:?}"))?;
    still_waits(&store, &sample, &tokens).await
}

pub(crate) async fn no_token_is_no_claim(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    let claimed = store.claim(sample.fork()?.claim(1, &[])?).await;
    same("nothing", &claimed, &Err(ClaimError::Incomplete))?;
    still_waits(&store, &sample, &tokens).await?;
    // Nor for a run that never waited.
    let (mut running, batch) = Sample::begin()?;
    store.create(running.run, batch).await?;
    check(store.claim(running.claim(1, &[])?).await.is_err(), || "a running run was claimed".into())
}

pub(crate) async fn a_claim_at_another_epoch_changes_nothing(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    for epoch in [0, 2] {
        let claimed = store.claim(sample.fork()?.claim(epoch, &tokens)?).await;
        same("claim", &claimed, &Err(ClaimError::Store(StoreError::Fenced)))?;
    }
    still_waits(&store, &sample, &tokens).await
}

pub(crate) async fn a_claim_whose_batch_is_refused_changes_nothing(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    let mut ahead = sample.fork()?;
    ahead.go_on()?;
    let claimed = store.claim(ahead.claim(1, &tokens)?).await;
    check(matches!(claimed, Err(ClaimError::Store(_))), || format!("a gap: {claimed:?}"))?;
    let mut claim = sample.fork()?.claim(1, &tokens)?;
    claim.batch.effects = vec![EffectEntry { exec_id: sha256(b"x"), state: EffectState::InDoubt }];
    let claimed = store.claim(claim).await;
    check(matches!(claimed, Err(ClaimError::Store(_))), || format!("an effect: {claimed:?}"))?;
    still_waits(&store, &sample, &tokens).await
}

pub(crate) async fn one_expired_token_spoils_the_claim_and_nothing_else(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let (good, expired) = (token(sample.run, 0, far()), token(sample.run, 1, 1));
    store.commit(fence, sample.suspend(1, &[good, expired])?).await?;
    for given in [[good, expired], [expired, good]] {
        let claimed = store.claim(sample.fork()?.claim(1, &given)?).await;
        same("both", &claimed, &Err(ClaimError::Expired(expired.token_hash)))?;
    }
    // The good one was not used up by that.
    let claimed = store.claim(sample.fork()?.claim(1, &[good])?).await;
    same("the good one", &claimed, &Err(ClaimError::Incomplete))?;
    same("state", &store.load(sample.run).await?.state, &RunState::Suspended)
}

pub(crate) async fn a_second_suspension_has_tokens_of_its_own(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, first) = waiting(&store, 2).await?;
    let fence = store.claim(sample.claim(1, &first)?).await?;
    let second = [token(sample.run, 10, far())];
    store.commit(fence, sample.suspend(2, &second)?).await?;
    let claimed = store.claim(sample.fork()?.claim(2, &first)?).await;
    check(matches!(claimed, Err(ClaimError::Used(_))), || format!("the old tokens: {claimed:?}"))?;
    let claimed = store.claim(sample.fork()?.claim(2, &second)?).await;
    same("the new one", &claimed, &Ok(Fence { run: sample.run, epoch: 3 }))
}

pub(crate) async fn a_closed_runs_token_is_void(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 1).await?;
    store.commit(Fence { run: sample.run, epoch: 1 }, sample.fork()?.close()?).await?;
    let mut claim = sample.fork()?.claim(1, &tokens)?;
    // Without a record there is nothing in the batch that would not fit.
    claim.batch = Batch::default();
    for claim in [claim, sample.fork()?.claim(1, &tokens)?] {
        check(store.claim(claim).await.is_err(), || "it was claimed".into())?;
    }
    same("state", &store.load(sample.run).await?.state, &RunState::Closed)
}

pub(crate) async fn a_claim_may_close_the_run(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, tokens) = waiting(&store, 1).await?;
    let mut claim = sample.claim(1, &tokens)?;
    let run = sample.run;
    let Batch { records, state, .. } = sample.close()?;
    claim.batch.records.extend(records);
    claim.batch.state = state;
    store.claim(claim).await?;
    let stored = store.load(run).await?;
    same("state", &stored.state, &RunState::Closed)?;
    same("epoch", &stored.epoch, &2)
}

pub(crate) async fn of_many_claims_one_wins(given: Given) -> Verdict {
    let stores = [given.store().await?, given.store().await?];
    let [store, _] = &stores;
    let (sample, tokens) = waiting(store, 1).await?;
    let mut tasks = Vec::new();
    for store in stores.iter().cycle().take(32) {
        let (store, claim) = (Arc::clone(store), sample.fork()?.claim(1, &tokens)?);
        tasks.push(tokio::spawn(async move { store.claim(claim).await }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await? {
            Ok(fence) => {
                same("fence", &fence.epoch, &2)?;
                won += 1;
            }
            Err(ClaimError::Used(_)) => {}
            Err(other) => return Err(Wrong::new(format!("a loser: {other:?}"))),
        }
    }
    same("winners", &won, &1)?;
    let stored = store.load(sample.run).await?;
    same("epoch", &stored.epoch, &2)?;
    same("records", &stored.head.0, &(sample.head().0 + 1))
}

/// A run that waits at epoch 1 for tokens that expire at these times.
async fn waiting_until(
    store: &Arc<dyn RunStore>,
    times: &[u64],
) -> Result<(Sample, Vec<IssuedToken>), Wrong> {
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let tokens: Vec<_> = (0..).zip(times).map(|(number, at)| token(sample.run, number, *at)).collect();
    store.commit(fence, sample.suspend(1, &tokens)?).await?;
    Ok((sample, tokens))
}

pub(crate) async fn silence_closes_a_run_whose_time_is_over(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting_until(&store, &[1, 1]).await?;
    let ended = store.claim(sample.fork()?.end(1, &tokens, Ground::Silence)?).await;
    same("the end", &ended, &ok(&sample))?;
    let stored = store.load(sample.run).await?;
    same("state", &stored.state, &RunState::Closed)?;
    same("epoch", &stored.epoch, &2)?;
    same("records", &stored.head.0, &(sample.head().0 + 2))?;
    // Which of the two it names is the store's affair.
    let used = |claimed: &Result<Fence, ClaimError>| matches!(claimed, Err(ClaimError::Used(used)) if tokens.iter().any(|token| token.token_hash == *used));
    for ground in [Ground::Silence, Ground::Erased, Ground::Abandoned] {
        let again = store.claim(sample.fork()?.end(1, &tokens, ground)?).await;
        check(used(&again), || format!("again: {again:?}"))?;
    }
    let decided = store.claim(sample.fork()?.claim(1, &tokens)?).await;
    check(used(&decided), || format!("a decision: {decided:?}"))
}

pub(crate) async fn silence_closes_nothing_that_is_in_time(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting(&store, 2).await?;
    let ended = store.claim(sample.fork()?.end(1, &tokens, Ground::Silence)?).await;
    same("the end", &ended, &Err(ClaimError::InTime))?;
    still_waits(&store, &sample, &tokens).await
}

pub(crate) async fn silence_of_one_case_closes_the_run(given: Given) -> Verdict {
    let store = given.store().await?;
    let (sample, tokens) = waiting_until(&store, &[far(), 1]).await?;
    // Not with some of the tokens, nor at another epoch.
    let some =
        store.claim(sample.fork()?.end(1, tokens.get(1..).unwrap_or_default(), Ground::Silence)?).await;
    same("some", &some, &Err(ClaimError::Incomplete))?;
    let other = store.claim(sample.fork()?.end(2, &tokens, Ground::Silence)?).await;
    same("another epoch", &other, &Err(StoreError::Fenced.into()))?;
    let ended = store.claim(sample.fork()?.end(1, &tokens, Ground::Silence)?).await;
    same("the end", &ended, &ok(&sample))
}

pub(crate) async fn an_erased_subjects_run_closes_at_any_time(given: Given) -> Verdict {
    let store = given.store().await?;
    for time in [1, far()] {
        let (sample, tokens) = waiting_until(&store, &[time]).await?;
        let ended = store.claim(sample.fork()?.end(1, &tokens, Ground::Erased)?).await;
        same("the end", &ended, &ok(&sample))?;
        same("state", &store.load(sample.run).await?.state, &RunState::Closed)?;
    }
    Ok(())
}

pub(crate) async fn silence_and_erasure_never_continue_a_run(given: Given) -> Verdict {
    let store = given.store().await?;
    for ground in [Ground::Silence, Ground::Erased, Ground::Abandoned] {
        let (sample, tokens) = waiting_until(&store, &[1]).await?;
        let claim = Claim { ground, ..sample.fork()?.claim(1, &tokens)? };
        let claimed = store.claim(claim).await;
        check(matches!(claimed, Err(ClaimError::Store(StoreError::Rejected(_)))), || format!("{claimed:?}"))?;
        let stored = store.load(sample.run).await?;
        same("state", &stored.state, &RunState::Suspended)?;
        same("head", &stored.head, &sample.head())?;
    }
    Ok(())
}

pub(crate) async fn of_decisions_and_ends_one_wins(given: Given) -> Verdict {
    let stores = [given.store().await?, given.store().await?];
    let [store, _] = &stores;
    let (sample, tokens) = waiting(store, 1).await?;
    let mut tasks = Vec::new();
    for (nth, store) in stores.iter().cycle().take(32).enumerate() {
        let ends = nth % 4 < 2;
        let claim = match ends {
            true => sample.fork()?.end(1, &tokens, Ground::Erased)?,
            false => sample.fork()?.claim(1, &tokens)?,
        };
        let store = Arc::clone(store);
        tasks.push((ends, tokio::spawn(async move { store.claim(claim).await })));
    }
    let mut won = Vec::new();
    for (ends, task) in tasks {
        match task.await? {
            Ok(_) => won.push(ends),
            Err(ClaimError::Used(_)) => {}
            Err(other) => return Err(Wrong::new(format!("a loser: {other:?}"))),
        }
    }
    let stored = store.load(sample.run).await?;
    let (state, records) = match won.as_slice() {
        [true] => (RunState::Closed, 2),
        [false] => (RunState::Running, 1),
        other => return Err(Wrong::new(format!("{} winners", other.len()))),
    };
    same("state", &stored.state, &state)?;
    same("records", &stored.head.0, &(sample.head().0 + records))
}
