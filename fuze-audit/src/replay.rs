//! A bundle's run read again, step by step, with what is disclosed of its content. A bundle that does not verify is not shown.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use fuze_evidence::Annex;
use fuze_evidence::content::{DisclosedLeaf, Disclosure};
use fuze_evidence::record::RunId;
use fuze_evidence::replay::{Content, Field, Replay};
use fuze_evidence::verify::{ContentCounts, FieldStatus, RunFiles, TrustedKeys};

use crate::member;
use crate::report::Outline;
use crate::verify::{AuditError, BundleReport, Members, Trust, inspect, package};
use crate::zip::Archive;

/// No member of a bundle is longer.
const MEMBER_BYTES: u64 = u32::MAX as u64;

/// Verifies a bundle and reads its run again. [`Replay::verdict`] is then the bundle's.
///
/// # Errors
/// As [`crate::verify::verify`]: nothing is shown of a bundle that fails or about which nothing can be said.
pub fn replay(bundle: impl Read + Seek, trust: &Trust) -> Result<(BundleReport, Replay), AuditError> {
    let mut archive = Archive::open(bundle).map_err(|error| AuditError::of_zip("", error))?;
    package::check_names(&archive)?;
    let mut disclosed: BTreeMap<u64, Option<Disclosure>> = BTreeMap::new();
    let mut outline = Outline::default();
    let inspected = inspect(&mut archive, trust, &mut |entry, disclosure| {
        outline.add(entry, disclosure);
        if entry.content.is_some() {
            disclosed.insert(entry.sequence, disclosure.cloned());
        }
    })?;
    let (key, annex) = (inspected.run_key, inspected.annex.clone());
    let report = package::check_manifest(&mut archive, trust, inspected, &outline)?;
    let mut octets =
        |name| archive.whole(name, MEMBER_BYTES).map_err(|error| AuditError::of_zip(name, error));
    let (records, roots) = (octets(member::RECORDS)?, octets(member::ROOTS)?);
    let files = RunFiles {
        records: Box::new(records.as_slice()),
        roots: Some(Box::new(roots.as_slice())),
        content: None,
    };
    // The file is read once more: whoever changed it meanwhile has to sign what is shown, too.
    let mut replay =
        fuze_evidence::replay::replay(files, &TrustedKeys::new().run_key(key)).map_err(AuditError::of_run)?;
    match &replay.verdict {
        Ok(again) if again.head == report.run.head => {}
        Ok(again) => {
            return Err(AuditError::differs(member::RECORDS, "head", report.run.head, again.head));
        }
        Err(_) => {
            return Err(AuditError::line(
                member::RECORDS,
                "it changed while it was read; try again",
                "what was verified",
                "something else",
            ));
        }
    }
    replay.verdict = Ok(report.run.clone());
    for step in &mut replay.steps {
        let (Some(content), Some(disclosure)) = (&mut step.content, disclosed.remove(&step.sequence)) else {
            continue;
        };
        *content = opened(content, disclosure, report.run.run_id, annex.as_ref());
    }
    Ok((report, replay))
}

/// What is disclosed of a content; `withheld` is what is known of it without.
fn opened(withheld: &Content, disclosure: Option<Disclosure>, run: RunId, annex: Option<&Annex>) -> Content {
    let root = withheld.root;
    let Some(disclosure) = disclosure else {
        let counts = ContentCounts { erased: withheld.counts.withheld, ..ContentCounts::default() };
        return Content { counts, ..withheld.clone() };
    };
    let (mut counts, mut fields) = (ContentCounts::default(), Vec::new());
    for leaf in &disclosure.leaves {
        match leaf {
            DisclosedLeaf::Leaf(opening) => {
                counts.verified += 1;
                let opened = Some((opening.path.clone(), opening.value.clone()));
                fields.push(Field { status: FieldStatus::Verified, opened });
            }
            DisclosedLeaf::Decoy(_) => counts.verified += 1,
            DisclosedLeaf::Hash(leaf) if annex.is_some_and(|annex| annex.explains(run, root, *leaf)) => {
                counts.erased += 1;
                fields.push(Field { status: FieldStatus::Erased, opened: None });
            }
            DisclosedLeaf::Hash(_) => counts.withheld += 1,
        }
    }
    fields.sort_by(|a, b| {
        a.opened.as_ref().map(|(path, _)| path).cmp(&b.opened.as_ref().map(|(path, _)| path))
    });
    Content { root, counts, fields, value: disclosure.value(root).ok() }
}
