//! Anchoring what could not be anchored when it happened: closes that the log did not take.

use fuze_evidence::RunId;
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::record::Entry;
use fuze_evidence::sign::{KeyId, PublicKey, SignedRoot};

use super::RunError;
use crate::deployment::Deployment;
use crate::driver::anchor;
use crate::driver::journal::Home;
use crate::store::Unanchored;

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
            after = Some(last.run);
            for run in page {
                match self.settle(&run).await {
                    Ok(()) => settled.anchored.push(run.run),
                    Err(why) => settled.pending.push((run.run, why)),
                }
            }
        }
    }

    async fn settle(&self, run: &Unanchored) -> Result<(), String> {
        let opened = AnchorLine::read(&run.opened).map_err(|error| error.to_string())?;
        let own = PublicKey::from_bytes(self.public_key()).map_err(|error| error.to_string())?;
        let key = |id: &KeyId| (*id == own.id()).then_some(own);
        // Under another run's tag the close would be taken for that one's, which nobody would then look for.
        let open = SignedRoot::read(&run.open_root, key).map_err(|error| error.to_string())?;
        opened.opens_to(&open).map_err(|error| error.to_string())?;
        let entry = Entry::read(&run.close).map_err(|error| error.to_string())?;
        let close = entry.close_root(key).map_err(|error| error.to_string())?;
        let close = close.ok_or("its last record is no close")?;
        if [&open, &close].iter().any(|root| root.root().run_id != run.run) {
            return Err("a root that is stored with it is another run's".to_owned());
        }
        anchor::close(self, run.run, &close, &opened).await.map(drop)
    }
}
