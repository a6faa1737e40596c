//! What happened after the close: erasures that the tenant's annex states, and keys that a history vouches for.

use std::collections::BTreeSet;

use fuze_evidence::annex::{Annex, Erased, Erasure, Event};
use fuze_evidence::content::{DisclosedLeaf, Disclosure};
use fuze_evidence::keys::history::{HistoryError, KeyHistory};
use fuze_evidence::sign::KeyId;
use fuze_evidence::verify::{Report, TrustedKeys};
use fuze_evidence::{Hash, RunId};

use super::Members;
use super::inspect::{MEDIUM_BYTES, whole};
use super::outcome::AuditError;
use crate::member;

/// An annex grows with a tenant's erasures, not with its runs.
const ANNEX_BYTES: u64 = 256 * 1024 * 1024;

/// The tenant's annex, if it lies in the bundle: whole, signed, of this deployment and tenant.
pub(super) fn read_annex(
    members: &mut dyn Members,
    keys: &TrustedKeys<'_>,
    run: &Report,
) -> Result<Option<Annex>, AuditError> {
    if !members.has(member::ANNEX) {
        return Ok(None);
    }
    let octets = whole(members, member::ANNEX, ANNEX_BYTES)?;
    let annex = Annex::read(&octets, keys).map_err(AuditError::of_annex)?;
    let first = annex.entries().first();
    match first.filter(|entry| entry.origin == run.origin && entry.tenant == run.tenant) {
        Some(_) => Ok(Some(annex)),
        None => {
            let found =
                first.map(|entry| format!("{} of {}", entry.tenant, entry.origin)).unwrap_or_default();
            let expected = format!("{} of {}", run.tenant, run.origin);
            Err(AuditError::differs(member::ANNEX, "tenant", expected, found))
        }
    }
}

fn erasures(annex: &Annex, run: RunId) -> impl Iterator<Item = &Erasure> {
    annex.of_run(run).filter_map(|entry| match &entry.event {
        Event::Erased(erasure) => Some(erasure),
        Event::Contested(_)
        | Event::LateOutcome(_)
        | Event::Hold(_)
        | Event::Release(_)
        | Event::GivenUp(_) => None,
    })
}

/// Each statement about a run must be about content that the run has; and a run that is here is not gone as a whole.
pub(super) fn check_statements(
    annex: &Annex,
    run: RunId,
    content: &BTreeSet<Hash>,
) -> Result<(), AuditError> {
    for erasure in erasures(annex, run) {
        let about = match &erasure.what {
            Erased::Field { root, .. } | Erased::Record { root } => Some(root),
            Erased::Run | Erased::Subject => None,
            Erased::Directory { .. } => {
                return Err(AuditError::line(
                    member::ANNEX,
                    "it says that the run is gone as a whole, and here it is",
                    "no such statement about a run that is here",
                    "one",
                ));
            }
        };
        if let Some(root) = about.filter(|root| !content.contains(root)) {
            return Err(AuditError::line(
                member::ANNEX,
                format_args!("the run has no content {root} to be erased"),
                "a statement about content of the run",
                format_args!("one about {root}"),
            ));
        }
    }
    Ok(())
}

/// Each leaf that a statement says is gone must be there as a hash, and as nothing else.
pub(super) fn check_fields(annex: &Annex, run: RunId, disclosed: &Disclosure) -> Result<(), String> {
    let hash_of = |leaf: &DisclosedLeaf| match leaf {
        DisclosedLeaf::Hash(hash) => Some(*hash),
        DisclosedLeaf::Leaf(_) | DisclosedLeaf::Decoy(_) => None,
    };
    let hashes: BTreeSet<Hash> = disclosed.leaves.iter().filter_map(hash_of).collect();
    for erasure in erasures(annex, run) {
        let Erased::Field { root, leaves } = &erasure.what else { continue };
        if *root != disclosed.root {
            continue;
        }
        if let Some(leaf) = leaves.iter().find(|leaf| !hashes.contains(leaf)) {
            return Err(format!("the annex says that the leaf {leaf} was erased; it is here, or never was"));
        }
    }
    Ok(())
}

/// A history that begins with a key whom the verifier trusts; of another nothing is believed.
pub(super) fn read_history(
    octets: &[u8],
    is_trusted: impl FnOnce(&KeyId) -> bool,
) -> Result<Option<KeyHistory>, AuditError> {
    let (first, history) = history_and_its_first_key(octets)?;
    Ok(is_trusted(&first).then_some(history))
}

/// The key history beside the run, whoever vouches for it: to be shown, and for nothing else.
pub(super) fn any_history(members: &mut dyn Members) -> Result<Option<KeyHistory>, AuditError> {
    if !members.has(member::KEY_HISTORY) {
        return Ok(None);
    }
    let octets = whole(members, member::KEY_HISTORY, MEDIUM_BYTES)?;
    history_and_its_first_key(&octets).map(|(_, history)| Some(history))
}

fn history_and_its_first_key(octets: &[u8]) -> Result<(KeyId, KeyHistory), AuditError> {
    let wrong = |error: HistoryError| {
        AuditError::not(member::KEY_HISTORY, "a key history that holds together", error)
    };
    let first = KeyHistory::first_key(octets).map_err(wrong)?;
    Ok((first, KeyHistory::read(octets, first).map_err(wrong)?))
}
