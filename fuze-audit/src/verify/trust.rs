//! What a verifier relies on, given from outside.

use std::collections::{BTreeMap, BTreeSet};

use fuze_evidence::Hash;
use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::sign::{KeyId, PublicKey};
use fuze_log::Policy;

use crate::anchored::KeyAnchor;

/// Trust roots. Keys of runs and exporters are named by their ids, which are hashes of the keys: the keys themselves are in
/// the bundle.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub(super) run_keys: BTreeSet<KeyId>,
    pub(super) first_keys: BTreeSet<KeyId>,
    pub(super) exporters: BTreeSet<KeyId>,
    pub(super) any_exporter: bool,
    pub(super) overseers: BTreeMap<KeyId, PublicKey>,
    pub(super) log: Option<Policy>,
    pub(super) known_roots: BTreeSet<Hash>,
    pub(super) histories: Vec<KeyHistory>,
    pub(super) revocations: Vec<KeyAnchor>,
}

impl Trust {
    /// Trusts nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs signed by this key are accepted, and bundles too.
    #[must_use]
    pub fn run_key(mut self, id: KeyId) -> Self {
        self.run_keys.insert(id);
        self
    }

    /// The first key of the history that a bundle brings. The history decides about it as about the others: without one, nobody
    /// can say whether it was replaced or revoked, and it is not trusted.
    #[must_use]
    pub fn first_key(mut self, id: KeyId) -> Self {
        self.first_keys.insert(id);
        self
    }

    /// Bundles made by this key are accepted. It vouches for what no signature of the run covers: the report, the README,
    /// the policy, and that nothing was put in or left out of the disclosed.
    #[must_use]
    pub fn exporter(mut self, id: KeyId) -> Self {
        self.exporters.insert(id);
        self
    }

    /// Bundles made by anyone are accepted: enough to believe records, roots and disclosed content, and nothing else.
    #[must_use]
    pub const fn any_exporter(mut self) -> Self {
        self.any_exporter = true;
        self
    }

    /// The run must be anchored in this log, and cosigned by its witnesses as the policy asks.
    #[must_use]
    pub fn log(mut self, policy: Policy) -> Self {
        self.log = Some(policy);
        self
    }

    /// The hash of a signed root of this run that is known from elsewhere: an earlier bundle's close root, a root that was sent at
    /// a suspension. Another history under the same key does not have it.
    #[must_use]
    pub fn known_root(mut self, root: Hash) -> Self {
        self.known_roots.insert(root);
        self
    }

    /// Runs of the history's deployment signed by a key that was in force when they began are accepted. What lies in the bundle
    /// as a key history is then not asked: it may be older, and not know of a revocation.
    #[must_use]
    pub fn history(mut self, history: KeyHistory) -> Self {
        self.histories.push(history);
        self
    }

    /// Where the named log has the line of a key history that revokes a key: what the key signed and the log had before still
    /// counts. Of several for one line the first leaf counts. Without a log ([`Trust::log`]) it says nothing.
    #[must_use]
    pub fn revocation(mut self, anchor: KeyAnchor) -> Self {
        self.revocations.push(anchor);
        self
    }

    /// The signatures of decisions are verified by this overseer's key.
    #[must_use]
    pub fn overseer(mut self, key: PublicKey) -> Self {
        self.overseers.insert(key.id(), key);
        self
    }
}
