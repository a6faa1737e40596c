//! Where a run's roots stand in a log: one line for the open root, one for the close root, and what is still to be done.

use fuze_agent::store::{RunStore, StoreError, Unanchored};
use fuze_evidence::anchor::AnchorLine;

use crate::{Given, Sample, Verdict, Wrong, check, same};

/// A run that has begun and may have closed, with the lines that a log gave for its roots.
struct Anchored {
    sample: Sample,
    open: AnchorLine,
}

async fn begun(store: &dyn RunStore) -> Result<Anchored, Wrong> {
    let (sample, batch) = Sample::begin()?;
    let open = sample.anchor_open(7)?;
    store.create(sample.run, batch).await?;
    Ok(Anchored { sample, open })
}

impl Anchored {
    async fn close(&self, store: &dyn RunStore) -> Result<AnchorLine, Wrong> {
        let batch = self.sample.fork()?.close()?;
        let line = self.sample.anchor_close(&batch, &self.open, 9)?;
        let epoch = store.load(self.sample.run).await?.epoch;
        store.commit(fuze_agent::store::Fence { run: self.sample.run, epoch }, batch).await?;
        Ok(line)
    }
}

fn bytes(lines: &[&AnchorLine]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| line.bytes().to_vec()).collect()
}

fn refused(what: &str, found: Result<(), StoreError>) -> Verdict {
    check(matches!(found, Err(StoreError::Rejected(_))), || {
        format!("{what}: expected a refusal, found {found:?}")
    })
}

pub(crate) async fn anchors_are_kept_in_order(given: Given) -> Verdict {
    let (store, other) = (given.store().await?, given.store().await?);
    let run = begun(&*store).await?;
    let id = run.sample.run;
    same("none", &store.load(id).await?.anchors, &vec![])?;
    store.add_anchor(id, &run.open).await?;
    same("the open", &other.load(id).await?.anchors, &bytes(&[&run.open]))?;
    let close = run.close(&*store).await?;
    other.add_anchor(id, &close).await?;
    same("both", &given.store().await?.load(id).await?.anchors, &bytes(&[&run.open, &close]))
}

pub(crate) async fn the_same_leaf_is_kept_once(given: Given) -> Verdict {
    let store = given.store().await?;
    let run = begun(&*store).await?;
    let id = run.sample.run;
    // Whoever crashed asks the log again: the same leaf, at another time.
    let again = run.sample.later(&run.open)?;
    check(again.bytes() != run.open.bytes(), || "the sample has one line, not two".into())?;
    for line in [&run.open, &again, &run.open] {
        store.add_anchor(id, line).await?;
    }
    same("the open", &store.load(id).await?.anchors, &bytes(&[&run.open]))?;
    let close = run.close(&*store).await?;
    for line in [&close, &run.sample.later(&close)?, &again] {
        store.add_anchor(id, line).await?;
    }
    same("both", &store.load(id).await?.anchors, &bytes(&[&run.open, &close]))
}

pub(crate) async fn a_run_is_anchored_once(given: Given) -> Verdict {
    let store = given.store().await?;
    let (run, other) = (begun(&*store).await?, begun(&*store).await?);
    let id = run.sample.run;
    let close = run.sample.anchor_close(&run.sample.fork()?.close()?, &run.open, 9)?;
    refused("a close without an open", store.add_anchor(id, &close).await)?;
    store.add_anchor(id, &run.open).await?;
    refused("another open", store.add_anchor(id, &other.open).await)?;
    refused("the same leaf elsewhere", store.add_anchor(id, &run.sample.moved(&run.open, 8)?).await)?;
    refused("a close of a run that goes on", store.add_anchor(id, &close).await)?;
    let close = run.close(&*store).await?;
    let foreign = other.sample.anchor_close(&other.sample.fork()?.close()?, &other.open, 9)?;
    refused("another run's close", store.add_anchor(id, &foreign).await)?;
    refused("an annex's line", store.add_anchor(id, &run.sample.anchor_annex(9)?).await)?;
    store.add_anchor(id, &close).await?;
    refused("a second close", store.add_anchor(id, &run.sample.moved(&close, 10)?).await)?;
    same("both", &store.load(id).await?.anchors, &bytes(&[&run.open, &close]))?;
    // A run from before there was a log may be anchored late.
    let late = begun(&*store).await?;
    late.close(&*store).await?;
    store.add_anchor(late.sample.run, &late.open).await?;
    let (unknown, _) = Sample::begin()?;
    same("no run", &store.add_anchor(unknown.run, &run.open).await, &Err(StoreError::NotFound))
}

pub(crate) async fn what_is_left_to_anchor_is_listed(given: Given) -> Verdict {
    let store = given.store().await?;
    let mut left: Vec<Unanchored> = Vec::new();
    for number in 0..8 {
        let run = begun(&*store).await?;
        let id = run.sample.run;
        if number % 4 != 0 {
            store.add_anchor(id, &run.open).await?;
        }
        match number % 4 {
            // Never in a log; or it goes on.
            0 => drop(run.close(&*store).await?),
            1 => {}
            2 => {
                run.close(&*store).await?;
                let (count, _) = store.load(id).await?.head;
                let close = store.records(id, count - 1, 1).await?.pop().unwrap_or_default();
                let (open_root, opened) =
                    (run.sample.open_root().bytes().to_vec(), run.open.bytes().to_vec());
                left.push(Unanchored { run: id, open_root, opened, close });
            }
            _ => store.add_anchor(id, &run.close(&*store).await?).await?,
        }
    }
    left.sort_unstable_by_key(|left| left.run);
    same("all", &store.unanchored(None, 100).await?, &left)?;
    let (first, rest) = left.split_first().ok_or_else(|| Wrong::new("none"))?;
    same("a page", &store.unanchored(None, 1).await?, &vec![first.clone()])?;
    same("the next", &store.unanchored(Some(first.run), 100).await?, &rest.to_vec())?;
    same("no more", &store.unanchored(left.last().map(|left| left.run), 100).await?, &vec![])
}
