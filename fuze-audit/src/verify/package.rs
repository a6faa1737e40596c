//! What holds the members together: their names, the manifest, the digests.

use std::io::{Read, Seek};

use fuze_evidence::keys::history::Standing;
use fuze_evidence::sign::{KeyId, PublicKey, SignatureError};
use fuze_evidence::verify::What;
use fuze_evidence::{Hash, Timestamp, sha256};

use super::inspect::{Inspected, MEDIUM_BYTES, read_key, whole};
use super::outcome::{AuditError, BundleReport, Maker};
use super::{Members, Trust, after};
use crate::dsse::Envelope;
use crate::manifest::{Predicate, Statement, Subject};
use crate::report::{self, Made, Outline};
use crate::zip::Archive;
use crate::{member, readme};

/// Refuses members that no bundle has, and a bundle without those that each has.
pub(crate) fn check_names<R: Read + Seek>(archive: &Archive<R>) -> Result<(), AuditError> {
    if let Some(name) = archive.names().find(|name| !member::is_known(name)) {
        return Err(AuditError::line(
            name,
            "no bundle of version 1 has such a member",
            "the members of section 15",
            "another",
        ));
    }
    match member::REQUIRED.iter().find(|name| !archive.has(name)) {
        Some(name) => {
            Err(AuditError::line(name, "it is missing; every bundle has one", "the member", "no such member"))
        }
        None => Ok(()),
    }
}

pub(crate) fn check_manifest<R: Read + Seek>(
    archive: &mut Archive<R>,
    trust: &Trust,
    mut inspected: Inspected,
    outline: &Outline,
) -> Result<BundleReport, AuditError> {
    let octets = whole(archive, member::MANIFEST, MEDIUM_BYTES)?;
    let envelope = Envelope::read(&octets)
        .map_err(|e| AuditError::not(member::MANIFEST, "a DSSE envelope with one signature", e))?;
    let maker = maker_key(archive, &inspected.run_key)?;
    if envelope.key_id != maker.id() {
        return Err(AuditError::differs(member::MANIFEST, "keyid", maker.id(), envelope.key_id));
    }
    if !envelope.is_signed_by(&maker) {
        return Err(AuditError::at(member::MANIFEST, What::from(&SignatureError::Signature)));
    }
    let statement = Statement::read(&envelope.payload).ok_or_else(|| {
        AuditError::line(
            member::MANIFEST,
            "expected a canonical statement about a bundle",
            "a canonical statement about a bundle",
            "something else",
        )
    })?;
    let exported_at = check_predicate(&statement.predicate, &inspected)?;
    check_subjects(archive, &statement.subject)?;
    let id = maker.id();
    let trusted = trust.exporters.contains(&id) || may_sign(&id, trust, &inspected, exported_at);
    if !trusted && !trust.any_exporter {
        let why = format!(
            "the bundle was made by the key {id}, which is not trusted for bundles; trust that id as an exporter's if you know it from \
             elsewhere"
        );
        return Err(AuditError::Cannot { why });
    }
    inspected.roots.check_known(trust.known_roots.iter().copied())?;
    let anchoring = inspected.anchors.judge(trust)?;
    // As whoever made the bundle had it: believed or not, it is shown.
    inspected.history = after::any_history(archive)?;
    let entries = inspected.history.as_ref().and_then(|history| history.entries().ok());
    let first_key = entries.and_then(|entries| entries.first()?.subject().ok());
    let made = Made { exported_at, maker: id };
    let made_otherwise = [
        (member::REPORT, report::html(outline, &inspected, &made)),
        (member::README, readme::text(&inspected, &maker)),
    ];
    let made_otherwise = made_otherwise.into_iter().filter_map(|(name, text)| {
        let there = archive.digests(name).map(|digests| digests.sha256 == sha256(text.as_bytes()));
        (!there.unwrap_or(false)).then_some(name)
    });
    let made_otherwise = made_otherwise.collect();
    Ok(BundleReport {
        made_otherwise,
        run: inspected.run,
        close_root: inspected.close_root,
        maker: Maker { key_id: id, trusted },
        exported_at,
        decisions: inspected.decisions,
        reasons: inspected.reasons,
        overseers: inspected.overseers,
        first_key,
        anchoring,
        anchor_lines: inspected.anchors.lines(),
    })
}

/// Whether a key that may sign runs made the bundle. A history that knows the key decides: it was in force when the bundle was made. The
/// run's own key was judged with the run, and may have been replaced or revoked since.
fn may_sign(id: &KeyId, trust: &Trust, inspected: &Inspected, exported_at: Timestamp) -> bool {
    let is_of_run = *id == inspected.run_key.id();
    // What the verifier knows from elsewhere is newer than what the bundle brings, or as old.
    let histories =
        if trust.histories.is_empty() { inspected.history.as_slice() } else { trust.histories.as_slice() };
    let mut known = false;
    let allowed = histories.iter().all(|history| match history.standing(id, exported_at) {
        Standing::Unknown => true,
        Standing::InForce(_) => {
            known = true;
            history.is_of_runs(&inspected.run.origin)
        }
        Standing::NotYet { .. } | Standing::RotatedOut { .. } | Standing::Revoked { .. } => is_of_run,
    });
    allowed && (known || is_of_run || trust.run_keys.contains(id))
}

/// The key that made the bundle: the run's, unless another one is named.
fn maker_key<R: Read + Seek>(archive: &mut Archive<R>, run_key: &PublicKey) -> Result<PublicKey, AuditError> {
    match (archive.has(member::EXPORT_HEX), archive.has(member::EXPORT_PEM)) {
        (false, false) => Ok(*run_key),
        (true, true) => {
            let key = read_key(archive, member::EXPORT_HEX, member::EXPORT_PEM)?;
            if key == *run_key {
                let why = "it is the run's key, which is there already";
                return Err(AuditError::line(
                    member::EXPORT_HEX,
                    why,
                    "another key than the run's",
                    key.id(),
                ));
            }
            Ok(key)
        }
        _ => Err(AuditError::line(
            member::EXPORT_HEX,
            "expected the key in both its spellings or in none",
            "the key in both its spellings or in none",
            "one of them",
        )),
    }
}

fn check_predicate(predicate: &Predicate, inspected: &Inspected) -> Result<Timestamp, AuditError> {
    let run = &inspected.run;
    let text = |hash: Option<Hash>| hash.map_or("none".to_owned(), |hash| hash.to_string());
    for (what, expected, found) in [
        ("format", Predicate::FORMAT.to_string(), predicate.format.to_string()),
        ("closeRoot", text(inspected.close_root), text(predicate.close_root)),
        ("origin", run.origin.to_string(), predicate.origin.to_string()),
        ("runId", run.run_id.to_string(), predicate.run_id.to_string()),
        ("tenant", run.tenant.to_string(), predicate.tenant.to_string()),
        ("withheld", run.content.withheld.to_string(), predicate.withheld.to_string()),
    ] {
        if expected != found {
            return Err(AuditError::differs(member::MANIFEST, what, expected, found));
        }
    }
    Ok(predicate.exported_at)
}

/// The manifest lists every other member, in the order of the names, with its digest; and the zip's checksums hold.
fn check_subjects<R: Read + Seek>(archive: &mut Archive<R>, subjects: &[Subject]) -> Result<(), AuditError> {
    let mut subjects = subjects.iter();
    for name in Members::names(archive) {
        let digests = archive.digests(&name).map_err(|e| AuditError::of_zip(&name, e))?;
        if name != member::MANIFEST {
            let subject = subjects.next();
            let listed = subject.map_or("", |subject| subject.name.as_str());
            if listed != name {
                return Err(AuditError::differs(member::MANIFEST, "subject", name, listed));
            }
            let expected = subject.map_or(Hash::ZERO, Subject::sha256);
            if expected != digests.sha256 {
                return Err(AuditError::differs(&name, "sha256", expected, digests.sha256));
            }
        }
        if !digests.crc_holds {
            return Err(AuditError::line(
                &name,
                "the zip's checksum of it does not hold",
                "the checksum of the member's octets",
                "another",
            ));
        }
    }
    match subjects.next() {
        Some(subject) => Err(AuditError::differs(member::MANIFEST, "subject", "no more", &subject.name)),
        None => Ok(()),
    }
}
