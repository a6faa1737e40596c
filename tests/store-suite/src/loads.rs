//! What comes back.

use fuze_agent::store::{
    Batch, EffectEntry, EffectState, Progress, RunState, SealedProgress, Start, StoreError, StoredRun,
};
use fuze_evidence::{Name, sha256};

use crate::{Given, Sample, Verdict, far, same, token};

fn piece(sequence: u64, epoch: u64, byte: u8) -> SealedProgress {
    SealedProgress { sequence, epoch, bytes: vec![byte; 40] }
}

fn lines(batch: &Batch) -> Vec<Vec<u8>> {
    batch.records.iter().map(|record| record.bytes().to_vec()).collect()
}

pub(crate) async fn a_run_loads_as_it_was_written(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, mut batch) = Sample::begin()?;
    let alias = Some(Name::new("alias-of-this-run")?);
    batch.subject = alias.clone();
    let root = batch.roots.first().map(|root| root.bytes().to_vec());
    let mut written = lines(&batch);
    let fence = store.create(sample.run, batch).await?;
    let ids = [sha256(b"c"), sha256(b"a"), sha256(b"b")];
    for exec_id in ids {
        let effects = vec![EffectEntry { exec_id, state: EffectState::Intent }];
        let batch = Batch { effects, ..sample.go_on()? };
        written.extend(lines(&batch));
        store.commit(fence, batch).await?;
    }
    let [first, ..] = ids;
    same("start", &store.start_effect(fence, first, far()).await?, &Start::Go)?;
    let StoredRun {
        epoch,
        state,
        head,
        keys,
        subject,
        records_after_progress,
        open_root,
        last_root,
        anchors,
        progress,
        mut effects,
        stop,
    } = given.store().await?.load(sample.run).await?;
    same("epoch", &epoch, &1)?;
    same("state", &state, &RunState::Running)?;
    same("head", &head, &sample.head())?;
    same("keys", &keys, sample.wrapped())?;
    same("subject", &subject, &alias)?;
    same("records", &records_after_progress, &written)?;
    same("root", &last_root, &root)?;
    same("open root", &open_root, &root)?;
    same("anchors", &anchors, &vec![])?;
    same("progress", &progress, &vec![])?;
    effects.sort_unstable_by_key(|entry| entry.exec_id);
    let mut expected = ids.map(|exec_id| EffectEntry {
        exec_id,
        state: if exec_id == first { EffectState::Started } else { EffectState::Intent },
    });
    expected.sort_unstable_by_key(|entry| entry.exec_id);
    same("effects", &effects, &expected.to_vec())?;
    same("stop", &stop, &None)
}

pub(crate) async fn progress_is_appended_and_replaced(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    let steps = [
        Progress::Replace(piece(0, 1, 1)),
        Progress::Append(piece(1, 1, 2)),
        Progress::Append(piece(2, 1, 3)),
    ];
    for progress in steps {
        store.commit(fence, Batch { progress: Some(progress), ..sample.go_on()? }).await?;
    }
    let found = store.load(sample.run).await?.progress;
    same("appended", &found, &vec![piece(0, 1, 1), piece(1, 1, 2), piece(2, 1, 3)])?;
    let progress = Some(Progress::Replace(piece(4, 1, 4)));
    store.commit(fence, Batch { progress, ..sample.go_on()? }).await?;
    let progress = Some(Progress::Append(piece(4, 1, 5)));
    store.commit(fence, Batch { progress, ..Batch::default() }).await?;
    let found = store.load(sample.run).await?.progress;
    same("replaced", &found, &vec![piece(4, 1, 4), piece(4, 1, 5)])
}

pub(crate) async fn records_beyond_the_progress_are_loaded(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    store.commit(fence, sample.go_on()?).await?;
    let progress = Some(Progress::Replace(piece(2, 1, 1)));
    store.commit(fence, Batch { progress, ..sample.go_on()? }).await?;
    same("none beyond", &store.load(sample.run).await?.records_after_progress, &vec![])?;
    let (first, second) = (sample.go_on()?, sample.go_on()?);
    let expected: Vec<_> = lines(&first).into_iter().chain(lines(&second)).collect();
    store.commit(fence, first).await?;
    // Bound to a record before the last one: what came after it is still beyond.
    let progress = Some(Progress::Append(piece(2, 1, 2)));
    store.commit(fence, Batch { progress, ..second }).await?;
    same("two beyond", &store.load(sample.run).await?.records_after_progress, &expected)
}

pub(crate) async fn the_open_and_the_last_root_are_loaded(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let open = batch.roots.first().map(|root| root.bytes().to_vec());
    let fence = store.create(sample.run, batch).await?;
    let batch = sample.suspend(1, &[token(sample.run, 0, far())])?;
    let root = batch.roots.first().map(|root| root.bytes().to_vec());
    store.commit(fence, batch).await?;
    let stored = store.load(sample.run).await?;
    same("last root", &stored.last_root, &root)?;
    same("open root", &stored.open_root, &open)?;
    same("state", &stored.state, &RunState::Suspended)
}

pub(crate) async fn the_head_follows_every_batch(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let fence = store.create(sample.run, batch).await?;
    for _ in 0..5 {
        store.commit(fence, sample.go_on()?).await?;
        same("head", &store.load(sample.run).await?.head, &sample.head())?;
        store.commit(fence, Batch::default()).await?;
        same("head without records", &store.load(sample.run).await?.head, &sample.head())?;
    }
    Ok(())
}

pub(crate) async fn records_are_listed_from_any_place(given: Given) -> Verdict {
    let store = given.store().await?;
    let (mut sample, batch) = Sample::begin()?;
    let mut written = lines(&batch);
    let fence = store.create(sample.run, batch).await?;
    for _ in 0..4 {
        let batch = sample.go_on()?;
        written.extend(lines(&batch));
        store.commit(fence, batch).await?;
    }
    let other = given.store().await?;
    for (from, limit) in [(0, 9), (0, 5), (0, 2), (2, 2), (4, 9), (5, 1), (2, 0)] {
        let expected: Vec<_> = written.iter().skip(from).take(limit).cloned().collect();
        let listed = other.records(sample.run, u64::try_from(from)?, u32::try_from(limit)?).await?;
        same(&format!("{limit} from {from}"), &listed, &expected)?;
    }
    let (unknown, _) = Sample::begin()?;
    same("an unknown run", &other.records(unknown.run, 0, 1).await, &Err(StoreError::NotFound))
}
