//! What a key signed before it was revoked (`docs/evidence-format.md`, section 14): whoever has a revoked key can write any time
//! into what is signed, so that only the order of a log tells.

use fuze_evidence::anchor::{AnchorLine, LeafKind};
use fuze_evidence::keys::history::{KeyHistory, Standing};
use fuze_evidence::sign::SignedRoot;
use fuze_evidence::{Hash, Timestamp};
use fuze_log::{Policy, verify_anchor, verify_leaf};

use super::{Anchored, KeyAnchor, RunRoots};

/// The hashes of those roots that stood in the log before the revocation of the key that signed them did.
///
/// `anchors` are roots with their anchors, `revocations` where lines of the history stand. Under a revocation that says since when
/// others may have had the key, a root of that time or later does not count, wherever it stands. What does not hold under
/// `policy` says nothing; so does a history in which the key was not revoked.
pub fn roots_before_revocation<'a>(
    history: &KeyHistory,
    anchors: impl IntoIterator<Item = (&'a SignedRoot, &'a AnchorLine, &'a [u8])>,
    began: Timestamp,
    revocations: &[KeyAnchor],
    policy: &Policy,
) -> Vec<Hash> {
    let stood = |(root, line, proof): (&SignedRoot, &AnchorLine, &[u8])| {
        let Standing::Revoked { compromised_since, line: revocation, .. } =
            history.standing(&root.root().key_id, began)
        else {
            return None;
        };
        let of_key = |anchor: &&KeyAnchor| {
            anchor.line.opens_to_hash(LeafKind::Key, revocation).is_ok()
                && verify_leaf(&anchor.line, &anchor.proof, policy).is_ok()
        };
        // The same line may have been appended again: its first leaf counts.
        let revoked = revocations.iter().filter(of_key).map(|anchor| anchor.line.index()).min()?;
        let before = verify_anchor(root, line, proof, policy).is_ok()
            && line.index() < revoked
            && compromised_since.is_none_or(|since| root.root().at < since);
        before.then(|| root.hash())
    };
    anchors.into_iter().filter_map(stood).collect()
}

impl Anchored {
    /// The hashes of the run's roots that stood in the log before the revocation of the key that signed them did.
    #[must_use]
    pub fn roots_before_revocation(
        &self,
        roots: &RunRoots,
        history: &KeyHistory,
        policy: &Policy,
    ) -> Vec<Hash> {
        roots_before_revocation(history, self.with_roots(roots), roots.began, &self.revocations, policy)
    }
}
