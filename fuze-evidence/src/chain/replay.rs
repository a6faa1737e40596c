//! A recorder made of the stored records alone: for a run whose snapshot nobody can open any more, and which must end all
//! the same.

use super::{FollowError, Last, Recorder, RecorderState, Steps};
use crate::anchor::AnchorLine;
use crate::hash::Hash;
use crate::jcs;
use crate::record::Entry;
use crate::sign::{RootDomain, SignedRoot};
use crate::span::Span;

impl Recorder {
    /// A recorder after the first record of a stored run. The others are then [followed](Self::follow).
    ///
    /// # Errors
    /// When the line is not the first record of a run.
    pub fn replay(first: &[u8]) -> Result<(Self, Entry), FollowError> {
        let entry = Entry::read(first).map_err(FollowError::Entry)?;
        let Span::AgentInvoke(invoke) = &entry.span else { return Err(FollowError::Chain { what: "span" }) };
        let state = RecorderState {
            run_id: entry.run_id,
            common: entry.common.clone(),
            origin: invoke.origin.clone(),
            key_id: invoke.key_id,
            opened_at: entry.started_at,
            next: 0,
            head: Hash::ZERO,
            segment: 0,
            prev_root: Hash::ZERO,
            open_leaf: None,
            steps: Steps::new(),
            last: Last::Any,
        };
        let common = jcs::to_vec(&state.common).map_err(|_| FollowError::Chain { what: "common" })?;
        let mut recorder = Self { state, common, run_id: entry.run_id.to_string() };
        let entry = recorder.follow(first)?;
        Ok((recorder, entry))
    }

    /// Takes over where the open root of a replayed run stands in a log: `line` opens to it.
    ///
    /// # Errors
    /// When it is no open root of this run, `line` is not its own, or the run has been anchored.
    pub fn replay_anchor(&mut self, open: &SignedRoot, line: &AnchorLine) -> Result<(), FollowError> {
        let root = open.root();
        for (holds, what) in [
            (root.domain == RootDomain::Open, "root's domain"),
            (root.run_id == self.state.run_id, "root's runId"),
            (root.key_id == self.state.key_id, "root's keyId"),
            (self.state.open_leaf.is_none(), "openLeaf"),
            (line.opens_to(open).is_ok(), "anchor"),
        ] {
            if !holds {
                return Err(FollowError::Chain { what });
            }
        }
        self.state.open_leaf = Some(line.index());
        Ok(())
    }

    /// Takes over the last root of a replayed run, when exactly the records that it covers were followed. Which root came before a suspend
    /// root stands in it: only the run's own key could have signed that.
    ///
    /// # Errors
    /// When it is not an open or suspend root of exactly these records.
    pub fn replay_root(&mut self, signed: &SignedRoot) -> Result<(), FollowError> {
        let (root, before) = (signed.root(), self.state.prev_root);
        if root.domain == RootDomain::Open {
            for (holds, what) in [
                (root.run_id == self.state.run_id, "root's runId"),
                (root.key_id == self.state.key_id, "root's keyId"),
                (root.count == 1 && self.state.next == 1, "root's count"),
                (root.head == self.state.head, "root's head"),
            ] {
                if !holds {
                    return Err(FollowError::Chain { what });
                }
            }
            self.state.prev_root = signed.hash();
            return Ok(());
        }
        self.state.prev_root = root.prev_root;
        self.follow_root(signed).inspect_err(|_| self.state.prev_root = before)
    }
}
