//! Anchoring what could not be anchored when it happened: closes that the log did not take.

use fuze_evidence::RunId;
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::record::Entry;
use fuze_evidence::sign::PublicKey;

use super::RunError;
use crate::deployment::Deployment;
use crate::driver::anchor;
use crate::driver::journal::Home;
use crate::resume::open_root;

/// Runs are looked for in pages of this many.
const PAGE: u32 = 256;

/// What [`Deployment::settle_anchors`] came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what is still pending is to be reported"]
pub struct Settled {
    /// Runs whose close root the log holds now.
    pub anchored: Vec<RunId>,
    /// Runs of which it does not, and why.
    pub pending: Vec<(RunId, String)>,
}

impl Deployment {
    /// Puts into the log the close roots of all closed runs of the store whose open root is in it and whose close root is
    /// not: the log did not answer, or the process died between the close and the log. To be called when a service starts,
    /// and from time to time. Two at once do no harm: the same root is the same leaf.
    ///
    /// Runs of a sink: `fuze log anchor` when the process that wrote them has ended. Within it, whoever has their files finds what is
    /// missing with `fuze_audit::missing_close`, gives it to the log and the line to [`Sink::append`](fuze_evidence::Sink::append).
    ///
    /// # Errors
    /// When the deployment has no store or the store cannot be asked. What the log refuses is in [`Settled::pending`].
    pub async fn settle_anchors(&self) -> Result<Settled, RunError> {
        let Home::Store(store) = self.home() else { return Err(RunError::NoStore) };
        let mut settled = Settled::default();
        let mut after = None;
        loop {
            let page = store.unanchored(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(settled) };
            after = Some(*last);
            for run in page {
                match self.settle(run).await {
                    Ok(()) => settled.anchored.push(run),
                    Err(why) => settled.pending.push((run, why)),
                }
            }
        }
    }

    async fn settle(&self, run: RunId) -> Result<(), String> {
        let Home::Store(store) = self.home() else { return Err(RunError::NoStore.to_string()) };
        let stored = store.load(run).await.map_err(|error| error.to_string())?;
        let opened = stored.anchors.first().ok_or("its open root is in no log")?;
        let opened = AnchorLine::read(opened).map_err(|error| error.to_string())?;
        // Under another run's tag the close would be taken for that one's, which nobody would then look for.
        let open = open_root(self, &stored).map_err(|error| error.to_string())?;
        opened.opens_to(&open).map_err(|error| error.to_string())?;
        let last = stored.head.0.saturating_sub(1);
        let lines = store.records(run, last, 1).await.map_err(|error| error.to_string())?;
        let line = lines.first().ok_or("its last record is gone")?;
        let entry = Entry::read(line).map_err(|error| error.to_string())?;
        let key = PublicKey::from_bytes(self.public_key()).map_err(|error| error.to_string())?;
        let root = entry.close_root(|id| (*id == key.id()).then_some(key)).map_err(|e| e.to_string())?;
        let root = root.ok_or("its last record is no close")?;
        anchor::close(self, run, &root, &opened).await.map(drop)
    }
}
