//! What is stored of a run, opened and held against its records.

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::chain::Recorder;
use fuze_evidence::keys::RunKeys;
use fuze_evidence::sign::{PublicKey, SignedRoot};
use fuze_evidence::snapshot::open_snapshot;
use fuze_evidence::{Span, sha256};

use crate::deployment::Deployment;
use crate::driver::state::{Header, Piece, SNAPSHOT_VERSION, State};
use crate::model::Message;
use crate::run::RunError;
use crate::store::{RunState, SealedProgress, StoredRun};

pub(super) fn unwrap_keys(deployment: &Deployment, stored: &StoredRun) -> Result<RunKeys, RunError> {
    // Whether the run has a subject, and which alias, is in its records; the first of them is not loaded, so the alias
    // is kept beside the wrapped key.
    let alias = stored.subject.clone();
    let key = match &alias {
        None => None,
        Some(alias) => {
            let found = deployment.subjects().find(alias).map_err(RunError::internal)?;
            Some(found.ok_or(RunError::SubjectErased)?)
        }
    };
    RunKeys::unwrap(&stored.keys, deployment.master(), alias.zip(key.as_ref()))
        .map_err(|error| RunError::Snapshot(error.to_string()))
}

/// The line that opens the leaf which the run's recorder knows.
pub(super) fn anchor(
    deployment: &Deployment,
    stored: &StoredRun,
    index: u64,
) -> Result<AnchorLine, RunError> {
    let bad = |why: String| RunError::Snapshot(why);
    let line = stored.anchors.first().ok_or_else(|| bad("what opens its leaf in the log is gone".into()))?;
    let line = AnchorLine::read(line).map_err(|error| bad(error.to_string()))?;
    // Under another run's tag the close would not be this run's.
    line.opens_to(&open_root(deployment, stored)?).map_err(|error| bad(error.to_string()))?;
    match line.index() == index {
        true => Ok(line),
        false => {
            Err(bad(format!("its leaf in the log is {index}, and the store has one of {}", line.index())))
        }
    }
}

/// The signed open root, as it is stored.
pub(crate) fn open_root(deployment: &Deployment, stored: &StoredRun) -> Result<SignedRoot, RunError> {
    let bad = |why: String| RunError::Snapshot(why);
    let root = stored.open_root.as_ref().ok_or_else(|| bad("the open root is missing".into()))?;
    let key = PublicKey::from_bytes(deployment.public_key()).map_err(RunError::internal)?;
    SignedRoot::read(root, |id| (*id == key.id()).then_some(key)).map_err(|error| bad(error.to_string()))
}

/// Opens the stored pieces: the header of the last, the messages of all.
pub(super) fn open(stored: &StoredRun, keys: &RunKeys) -> Result<State, RunError> {
    let mut state: Option<State> = None;
    for sealed in &stored.progress {
        let piece = open_piece(sealed, keys)?;
        match &mut state {
            None => state = Some(State { header: piece.header, messages: piece.messages }),
            Some(state) => {
                state.header = piece.header;
                state.messages.extend(piece.messages);
            }
        }
    }
    state.ok_or_else(|| RunError::Snapshot("there is none".into()))
}

fn open_piece(sealed: &SealedProgress, keys: &RunKeys) -> Result<Piece<Header, Vec<Message>>, RunError> {
    let hash = sha256(&sealed.bytes);
    let plain = open_snapshot(&sealed.bytes, hash, keys, sealed.sequence, sealed.epoch)
        .map_err(|error| RunError::Snapshot(error.to_string()))?;
    #[derive(serde::Deserialize)]
    struct Version {
        v: u32,
    }
    let version: Version =
        serde_json::from_slice(&plain).map_err(|error| RunError::Snapshot(error.to_string()))?;
    if version.v != SNAPSHOT_VERSION {
        return Err(RunError::SnapshotVersion { found: version.v, known: SNAPSHOT_VERSION });
    }
    serde_json::from_slice(&plain).map_err(|error| RunError::Snapshot(error.to_string()))
}

/// A recorder at the run's last record: from the sealed state over every record and root that came after it.
///
/// A store that hands out an older state than its last one is refused: after the last piece of a run that was running
/// there are no records, and after that of a suspended run only the records of this very suspension, which name it.
pub(super) fn follow(
    deployment: &Deployment,
    stored: &StoredRun,
    state: &mut State,
) -> Result<Recorder, RunError> {
    let bad = |why: &str| RunError::Snapshot(why.to_owned());
    let chain = state.header.chain.clone().ok_or_else(|| bad("it holds no chain"))?;
    let mut recorder = Recorder::resume(chain).map_err(|error| RunError::Snapshot(error.to_string()))?;
    let last = stored.progress.last().ok_or_else(|| bad("there is none"))?;
    // A run that crashed again right after it was taken over has no piece of its newest epoch yet.
    let fits = match stored.state {
        RunState::Running => last.epoch <= stored.epoch,
        RunState::Suspended | RunState::Closed => last.epoch == stored.epoch,
    };
    if !fits {
        return Err(bad("it is of another epoch than the run"));
    }
    if last.sequence.checked_add(1) != Some(recorder.head().0) {
        return Err(bad("it is bound to another record than the last one it knows"));
    }
    let snapshot = sha256(&last.bytes);
    for line in &stored.records_after_progress {
        let entry = recorder.follow(line).map_err(|error| RunError::Snapshot(error.to_string()))?;
        state.header.next_step = state.header.next_step.max(entry.step_id + 1);
        match entry.span {
            Span::OversightSuspend(suspend)
                if stored.state == RunState::Suspended
                    && suspend.snapshot_hash == snapshot
                    && suspend.epoch == stored.epoch => {}
            _ => return Err(bad("a record after it does not name it: the store handed out an older state")),
        }
    }
    if recorder.head() != stored.head {
        return Err(bad("the records are not those of the snapshot"));
    }
    if stored.state == RunState::Suspended {
        let waits: usize = state.header.waits.iter().map(|wait| wait.tokens.len()).sum();
        if stored.progress.len() != 1 || stored.records_after_progress.len() != waits {
            return Err(bad("a suspended run has one snapshot, and one record for each of its tokens"));
        }
        let root = stored.last_root.as_ref().ok_or_else(|| bad("the suspend root is missing"))?;
        let key = PublicKey::from_bytes(deployment.public_key()).map_err(RunError::internal)?;
        let root = SignedRoot::read(root, |id| (*id == key.id()).then_some(key))
            .map_err(|error| RunError::Snapshot(error.to_string()))?;
        recorder.follow_root(&root).map_err(|error| RunError::Snapshot(error.to_string()))?;
    }
    Ok(recorder)
}
