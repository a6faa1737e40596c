//! The transparency log around a run: it holds the open root before anything is done, and the close root after the last
//! record (AI Act Art. 12, 19).
//!
//! What hides a leaf is durable with the run's first batch, before the log hears of it. Whoever crashes in between makes the
//! same leaf again and gets the same index: a run has one open and one close in the log, however often it is tried.

use std::time::Duration;

use fuze_evidence::anchor::{AnchorLine, Blinding};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, RunId, SignedRoot, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::journal::Home;
use super::{Driver, Exit};
use crate::deployment::Deployment;
use crate::outcome::Anchored;

/// A log that does not answer for so long has failed.
const LOG_TIME_LIMIT: Duration = Duration::from_secs(30);

/// A run that is to be anchored before anything else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Anchoring {
    pub(crate) log: Name,
    pub(crate) deadline: Timestamp,
    pub(crate) blinding: Blinding,
}

impl<D: Send + Sync + 'static> Driver<'_, D> {
    /// The log holds the open root, or the run ends here.
    pub(super) async fn anchor_open(&mut self) -> Result<(), Exit> {
        let Some(anchoring) = self.state.header.anchoring.clone() else { return Ok(()) };
        self.flush().await?;
        match open(self.deployment, self.journal.open_root(), &anchoring).await {
            Ok(line) => {
                self.journal.anchored(line).await?;
                self.header().anchoring = None;
                Ok(())
            }
            Err(why) => Err(Exit::Close(RunStatus::Halted, format!("the run could not be anchored: {why}"))),
        }
    }

    /// Where the run stands in the log when its last record is durable.
    pub(super) async fn anchor_close(&mut self, root: &SignedRoot) -> Anchored {
        let run = self.journal.run_id();
        match self.journal.anchor() {
            None => Anchored::Not,
            Some(opened) => match close(self.deployment, run, root, opened).await {
                Ok(closed) => Anchored::Closed { open: opened.index(), close: closed },
                Err(why) => Anchored::Pending { open: opened.index(), why },
            },
        }
    }
}

async fn open(
    deployment: &Deployment,
    root: Option<&SignedRoot>,
    anchoring: &Anchoring,
) -> Result<AnchorLine, String> {
    let root = root.ok_or("its open root is not known")?;
    let log = deployment.log().ok_or("the deployment has no log any more")?;
    let asked = log.anchor_open(root, anchoring.deadline, &anchoring.blinding);
    timeout(LOG_TIME_LIMIT, asked).await.map_err(|_| silent())?.map_err(|error| error.to_string())
}

/// Puts a close root into the log, and the line into the home. Done twice it is done once.
pub(crate) async fn close(
    deployment: &Deployment,
    run: RunId,
    root: &SignedRoot,
    opened: &AnchorLine,
) -> Result<u64, String> {
    let log = deployment.log().ok_or("the deployment has no log any more")?;
    let asked = log.anchor_close(root, opened);
    let line = timeout(LOG_TIME_LIMIT, asked).await.map_err(|_| silent())?;
    let line = line.map_err(|error| error.to_string())?;
    deployment.home().keep_anchor(run, &line).await?;
    Ok(line.index())
}

fn silent() -> String {
    format!("the log did not answer within {} seconds", LOG_TIME_LIMIT.as_secs())
}

impl Home {
    /// Keeps a line with its run, durably.
    pub(crate) async fn keep_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), String> {
        match self {
            Self::Store(store) => store.add_anchor(run, line).await.map_err(|error| error.to_string()),
            Self::Sink(sink) => {
                let anchors = vec![line.clone()];
                let batch =
                    fuze_evidence::sink::SinkBatch { anchors, ..fuze_evidence::sink::SinkBatch::new(run) };
                sink.append(&batch, true).await.map_err(|error| error.to_string())
            }
        }
    }
}
