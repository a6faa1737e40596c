//! What the members say about the run: key, chain, content, decisions, copies of what was signed.
//!
//! Runs before a manifest is made as well as when a bundle is verified, so that nothing is exported that does not verify.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _};

use fuze_evidence::content::{DisclosedLeaf, Disclosure};
use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::record::{ContentRef, Entry};
use fuze_evidence::sign::{KeyId, PublicKey, SignedRoot, write_signature};
use fuze_evidence::verify::{ContentCounts, Report, RunFiles, TrustedKeys, What, verify_files};
use fuze_evidence::{Annex, Hash, RunId, Span, Timestamp, jcs, sha256};
use serde_json::Value;

use super::after;
use super::anchors::{self, Anchors, Roots};
use super::outcome::{AuditError, Decisions, Failure};
use super::{Members, Trust, Visit};
use crate::oversight::{OversightMember, Reasons, Recorded};
use crate::{disclose, member, spki};

/// What is read as a whole: keys, a signature, one signed root.
pub(super) const SMALL_BYTES: u64 = 64 * 1024;
/// The signed roots, a definition, a decision.
pub(super) const MEDIUM_BYTES: u64 = 16 * 1024 * 1024;
/// One content: its line in a run is at most 16 MiB, and what opens it is of the same order.
const CONTENT_BYTES: u64 = 64 * 1024 * 1024;

/// What is known of a run before the manifest is looked at.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) run: Report,
    pub(crate) run_key: PublicKey,
    pub(crate) close_root: Option<Hash>,
    pub(crate) decisions: Decisions,
    /// Why people decided so, where it is disclosed beside what they signed.
    pub(crate) reasons: Reasons,
    /// Whose signatures were verified.
    pub(super) overseers: BTreeSet<KeyId>,
    pub(super) roots: Roots,
    pub(crate) anchors: Anchors,
    /// What happened to runs of the tenant afterwards, if the bundle says so.
    pub(crate) annex: Option<Annex>,
    /// The key history in the bundle, if its first key is trusted.
    pub(crate) history: Option<KeyHistory>,
}

pub(crate) fn inspect(
    members: &mut dyn Members,
    trust: &Trust,
    visit: Visit<'_>,
) -> Result<Inspected, AuditError> {
    let run_key = read_key(members, member::RUN_HEX, member::RUN_PEM)?;
    let began = check_first_record(members, &run_key)?;
    let brought = read_history(members, trust)?;
    // What the verifier knows from elsewhere is newer than what the bundle brings, or as old.
    let histories = if trust.histories.is_empty() { brought.as_slice() } else { trust.histories.as_slice() };
    if !trust.run_keys.contains(&run_key.id()) && histories.is_empty() {
        let id = run_key.id();
        let why = if trust.first_keys.contains(&id) {
            format!(
                "the run is signed by the key {id}, which is trusted as the first of a history, and the bundle brings none: whether it was \
                 replaced or revoked nobody can say; give the history, or trust the key by itself"
            )
        } else {
            format!(
                "the run is signed by the key {id}, which is not trusted; trust that id, or the key, if you know it \
                 from elsewhere"
            )
        };
        return Err(AuditError::Cannot { why });
    }
    let stood = began.map(|began| anchors::before_revocation(members, trust, histories, &run_key, began));
    let roots = whole(members, member::ROOTS, MEDIUM_BYTES)?;
    let records = members.stream(member::RECORDS).map_err(|e| AuditError::of_zip(member::RECORDS, e))?;
    let files = RunFiles { records, roots: Some(Box::new(roots.as_slice())), content: None };
    let keys = || {
        let keys = TrustedKeys::new();
        // Where a history that the bundle brings is believed, that alone decides.
        let brought_decides = trust.histories.is_empty() && brought.is_some();
        let named = trust.run_keys.contains(&run_key.id());
        let keys = if named && !brought_decides { keys.run_key(run_key) } else { keys };
        let keys = histories.iter().cloned().fold(keys, TrustedKeys::history);
        stood.iter().flatten().copied().fold(keys, TrustedKeys::stood_before_revocation)
    };
    let run = verify_files(files, &keys()).map_err(AuditError::of_run)?;
    let annex = after::read_annex(members, &keys(), &run)?;
    let mut walk = Walk { run_id: Some(run.run_id), annex, ..Walk::default() };
    walk.records(members, visit)?;
    // What is said about this run is held against its records once more: a window that had not ended, an order before the close.
    if let Some(annex) = walk.annex.as_ref().filter(|annex| annex.of_run(run.run_id).next().is_some()) {
        let records = members.stream(member::RECORDS).map_err(|e| AuditError::of_zip(member::RECORDS, e))?;
        let files = RunFiles { records, roots: Some(Box::new(roots.as_slice())), content: None };
        verify_files(files, &keys().annex(annex)).map(drop).map_err(AuditError::of_run)?;
    }
    let (decisions, overseers) = walk.decisions(members, &run_key, trust)?;
    walk.check_definition(members)?;
    let roots = Roots::read(&walk.check_roots(members, &roots)?, walk.closed, run_key)?;
    let close_root = roots.close().map(SignedRoot::hash);
    let anchors = anchors::read(members, &roots)?;
    let run = Report { content: walk.counts, ..run };
    let (annex, reasons) = (walk.annex, walk.reasons);
    Ok(Inspected {
        run,
        run_key,
        close_root,
        decisions,
        reasons,
        overseers,
        roots,
        anchors,
        annex,
        history: brought,
    })
}

pub(super) fn whole(members: &mut dyn Members, name: &str, limit: u64) -> Result<Vec<u8>, AuditError> {
    members.whole(name, limit).map_err(|error| AuditError::of_zip(name, error))
}

/// A key in both its spellings, which must be of the same key.
pub(super) fn read_key(members: &mut dyn Members, hex: &str, pem: &str) -> Result<PublicKey, AuditError> {
    let key = spki::read_hex(&whole(members, hex, SMALL_BYTES)?)
        .map_err(|e| AuditError::not(hex, "an Ed25519 public key in hex and a line feed", e))?;
    if whole(members, pem, SMALL_BYTES)? == spki::pem(&key) {
        Ok(key)
    } else {
        Err(AuditError::line(
            pem,
            format_args!("expected the key of `{hex}` as RFC 8410 has it"),
            format_args!("the key of `{hex}` as RFC 8410 has it"),
            "something else",
        ))
    }
}

/// The key beside the run must be the one that record 0 names: else another key was put beside it. Returns when the run began.
fn check_first_record(members: &mut dyn Members, key: &PublicKey) -> Result<Option<Timestamp>, AuditError> {
    let records = members.stream(member::RECORDS).map_err(|e| AuditError::of_zip(member::RECORDS, e))?;
    let mut line = Vec::new();
    io::Read::take(records, MEDIUM_BYTES).read_until(b'\n', &mut line).map_err(AuditError::Io)?;
    line.pop();
    // What is no record is judged with its place by the walk over the chain.
    let Ok(Entry { span: Span::AgentInvoke(invoke), hash, started_at, .. }) = Entry::read(&line) else {
        return Ok(None);
    };
    if invoke.key_id == key.id() {
        return Ok(Some(started_at));
    }
    match fuze_evidence::chain::line_hash(&line) {
        // The record is as it was written, so that it is the key that was put in another's place.
        Some(found) if found == hash => {
            Err(AuditError::differs(member::RUN_HEX, "fuze.key_id", invoke.key_id, key.id()))
        }
        found => {
            let (expected, found) = (found.unwrap_or(Hash::ZERO).to_string(), hash.to_string());
            let what = What::Differs { what: "hash", expected, found };
            let (member, line) = (member::RECORDS.to_owned(), Some(0));
            Err(AuditError::Failed(Box::new(Failure { member, line, what, last_good: None })))
        }
    }
}

/// The history beside the run, if the verifier trusts the key that it begins with.
fn read_history(members: &mut dyn Members, trust: &Trust) -> Result<Option<KeyHistory>, AuditError> {
    if !members.has(member::KEY_HISTORY) {
        return Ok(None);
    }
    let octets = whole(members, member::KEY_HISTORY, MEDIUM_BYTES)?;
    after::read_history(&octets, |first| trust.run_keys.contains(first) || trust.first_keys.contains(first))
}

/// A second walk over records that verified.
#[derive(Default)]
struct Walk {
    run_id: Option<RunId>,
    annex: Option<Annex>,
    counts: ContentCounts,
    content: BTreeSet<Hash>,
    recorded: Recorded,
    decisions: Decisions,
    reasons: Reasons,
    fingerprint: Option<Hash>,
    last_good: Option<(u64, Hash)>,
    last_line: Vec<u8>,
    closed: bool,
}

impl Walk {
    /// Content is judged record by record. Members and records cannot be read side by side, so lines come in batches.
    fn records(&mut self, members: &mut dyn Members, visit: Visit<'_>) -> Result<(), AuditError> {
        let mut offset = 0;
        loop {
            let batch = read_batch(members, offset).map_err(AuditError::Io)?;
            if batch.is_empty() {
                break;
            }
            offset += batch.len() as u64;
            for line in batch.split_inclusive(|&octet| octet == b'\n') {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                self.record(members, line, visit)?;
            }
        }
        let known =
            |name: &String| member::content_root(name).is_none_or(|root| self.content.contains(&root));
        match members.names().into_iter().find(|name| !known(name)) {
            Some(name) => Err(AuditError::line(
                &name,
                "no record commits to this content",
                "content that a record commits to",
                "other content",
            )),
            None => self.check_statements(),
        }
    }

    /// A statement about content that this run does not have is false.
    fn check_statements(&self) -> Result<(), AuditError> {
        match (&self.annex, self.run_id) {
            (Some(annex), Some(run)) => after::check_statements(annex, run, &self.content),
            _ => Ok(()),
        }
    }

    fn record(&mut self, members: &mut dyn Members, line: &[u8], visit: Visit<'_>) -> Result<(), AuditError> {
        let entry = Entry::read(line).map_err(|e| AuditError::at(member::RECORDS, What::from(&e)))?;
        self.recorded.observe(&entry).map_err(|why| {
            AuditError::not(member::RECORDS, "each decision and each token in one record", why)
        })?;
        let disclosure = match &entry.content {
            Some(content) => self.content(members, &entry, *content)?,
            None => None,
        };
        match &entry.span {
            Span::AgentInvoke(invoke) => self.fingerprint = Some(invoke.fingerprint),
            Span::HumanDecision(_) => self.decisions.recorded += 1,
            Span::RunClose(_) => {
                self.closed = true;
                self.last_line = line.to_vec();
            }
            _ => {}
        }
        self.last_good = Some((entry.sequence, entry.hash));
        visit(&entry, disclosure.as_ref());
        Ok(())
    }

    fn content(
        &mut self,
        members: &mut dyn Members,
        entry: &Entry,
        content: ContentRef,
    ) -> Result<Option<Disclosure>, AuditError> {
        let name = member::content(content.root);
        let failed = |what| {
            let (member, last_good) = (name.clone(), self.last_good);
            AuditError::Failed(Box::new(Failure { member, line: None, what, last_good }))
        };
        // No other record commits to it: that was verified.
        self.content.insert(content.root);
        let gone =
            self.annex.as_ref().is_some_and(|annex| annex.explains_content(entry.run_id, content.root));
        if gone && !members.has(&name) {
            self.counts.erased += u64::from(content.leaves);
            return Ok(None);
        }
        if gone {
            let why = "the annex says that it was erased, and here it is";
            return Err(failed(What::line(why, "no such member, as the annex says", "one")));
        }
        if !members.has(&name) {
            let why = format!(
                "record {} commits to content that is not here, and no erasure explains it",
                entry.sequence
            );
            return Err(failed(What::line(why, "the member, or an erasure in the annex", "neither")));
        }
        let octets = whole(members, &name, CONTENT_BYTES)?;
        let disclosure = disclose::read(&octets, content.root).map_err(|error| {
            failed(What::not(format_args!("what hashes to the content {}", content.root), error))
        })?;
        let leaves = disclosure.leaves.len();
        if u32::try_from(leaves) != Ok(content.leaves) {
            let (expected, found) = (content.leaves.to_string(), leaves.to_string());
            return Err(failed(What::Differs { what: "leaves", expected, found }));
        }
        if let Some(annex) = &self.annex {
            after::check_fields(annex, entry.run_id, &disclosure).map_err(|why| {
                failed(What::not("hashes alone of the leaves that the annex says were erased", why))
            })?;
        }
        let explains =
            |leaf| self.annex.as_ref().is_some_and(|annex| annex.explains(entry.run_id, content.root, leaf));
        for leaf in &disclosure.leaves {
            match leaf {
                DisclosedLeaf::Leaf(_) | DisclosedLeaf::Decoy(_) => self.counts.verified += 1,
                DisclosedLeaf::Hash(hash) if explains(*hash) => self.counts.erased += 1,
                DisclosedLeaf::Hash(_) => self.counts.withheld += 1,
            }
        }
        Ok(Some(disclosure))
    }

    fn decisions(
        &mut self,
        members: &mut dyn Members,
        run_key: &PublicKey,
        trust: &Trust,
    ) -> Result<(Decisions, BTreeSet<KeyId>), AuditError> {
        let (mut seen, mut overseers) = (BTreeSet::new(), BTreeSet::new());
        for name in members.names().iter().filter(|name| member::is_oversight(name)) {
            let octets = whole(members, name, MEDIUM_BYTES)?;
            let read = OversightMember::read(&octets).ok_or_else(|| {
                AuditError::line(
                    name,
                    "expected a canonical decision with its token",
                    "a canonical decision with its token",
                    "something else",
                )
            })?;
            // It was judged with its record.
            let mut disclosed = |root| {
                let octets = members.whole(&member::content(root), CONTENT_BYTES).ok()?;
                disclose::read(&octets, root).ok()
            };
            let checked = read
                .check(run_key, &self.recorded, &trust.overseers, &mut disclosed)
                .map_err(|why| AuditError::not(name, "a decision that fits its token and its record", why))?;
            if !seen.insert(checked.decision) {
                return Err(AuditError::line(
                    name,
                    "the decision stands in an earlier member",
                    "a decision that no earlier member has",
                    checked.decision,
                ));
            }
            self.reasons.keep(checked.decision, &read);
            self.decisions.disclosed += 1;
            self.decisions.signatures_verified += u64::from(checked.verified_by.is_some());
            overseers.extend(checked.verified_by);
        }
        Ok((self.decisions, overseers))
    }

    fn check_definition(&self, members: &mut dyn Members) -> Result<(), AuditError> {
        if !members.has(member::DEFINITION) {
            return Ok(());
        }
        let octets = whole(members, member::DEFINITION, MEDIUM_BYTES)?;
        jcs::from_slice(&octets).map_err(|e| AuditError::at(member::DEFINITION, What::from(&e)))?;
        let found = sha256(&octets);
        match self.fingerprint {
            Some(expected) if expected == found => Ok(()),
            expected => Err(AuditError::differs(
                member::DEFINITION,
                "fuze.agent.fingerprint",
                expected.unwrap_or(Hash::ZERO),
                found,
            )),
        }
    }

    /// The octets that were signed, one file for each root, must be those of the roots; and no others may be there. Returns the
    /// signed roots.
    fn check_roots(&self, members: &mut dyn Members, roots: &[u8]) -> Result<Vec<Vec<u8>>, AuditError> {
        let (mut expected, mut signed) = (BTreeSet::new(), Vec::new());
        for (n, line) in (0..).zip(roots.split_inclusive(|&octet| octet == b'\n')) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            signed.push(line.to_vec());
            expected.extend(check_copy(
                members,
                member::ROOTS,
                line,
                member::root_json(n),
                member::root_sig(n),
            )?);
        }
        if self.closed {
            let close = signed_close(&self.last_line)?;
            let (json, sig) = (member::CLOSE_JSON.to_owned(), member::CLOSE_SIG.to_owned());
            expected.extend(check_copy(members, member::RECORDS, &close, json, sig)?);
            signed.push(close);
        }
        let known =
            |name: &String| !name.starts_with("roots/") || name == member::ROOTS || expected.contains(name);
        match members.names().into_iter().find(|name| !known(name)) {
            Some(name) => Err(AuditError::line(
                &name,
                "the run has no such root",
                "one file for each root of the run",
                "one more",
            )),
            None => Ok(signed),
        }
    }
}

/// Whole lines from `offset` on, at least one, until about 1 MiB; empty at the end.
fn read_batch(members: &mut dyn Members, offset: u64) -> io::Result<Vec<u8>> {
    const BATCH_BYTES: usize = 1 << 20;
    let mut reader = members.stream_from(member::RECORDS, offset).map_err(io::Error::other)?;
    let mut batch = Vec::new();
    while batch.len() < BATCH_BYTES && reader.read_until(b'\n', &mut batch)? > 0 {}
    Ok(batch)
}

/// The canonical octets of the signed close root in the line of `run.close`.
pub(crate) fn signed_close(line: &[u8]) -> Result<Vec<u8>, AuditError> {
    let failed = |e: &dyn std::fmt::Display| AuditError::not(member::RECORDS, "the signed close root", e);
    let record: Value = jcs::from_slice(line).map_err(|e| failed(&e))?;
    let signed = record.pointer("/payload/signature").unwrap_or(&Value::Null);
    jcs::to_vec(signed).map_err(|e| failed(&e))
}

/// What `openssl` is given for a signed root: the octets that were signed, and the raw signature.
pub(crate) fn signed_parts(signed: &[u8]) -> Option<(Vec<u8>, [u8; 64])> {
    let value = jcs::from_slice(signed).ok()?;
    let octets = jcs::to_vec(value.get("root")?).ok()?;
    let signature = fuze_evidence::sign::read_signature(value.get("signature")?.as_str()?).ok()?;
    Some((octets, signature))
}

/// The signed root that [`signed_parts`] took apart.
pub(crate) fn joined(root: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    let signature = write_signature(signature.try_into().ok()?);
    jcs::to_vec(&serde_json::json!({"root": jcs::from_slice(root).ok()?, "signature": signature})).ok()
}

fn check_copy(
    members: &mut dyn Members,
    origin: &str,
    signed: &[u8],
    json: String,
    sig: String,
) -> Result<[String; 2], AuditError> {
    let (octets, signature) = signed_parts(signed).ok_or_else(|| {
        AuditError::line(origin, "expected a signed root", "a signed root", "something else")
    })?;
    for (name, expected) in [(&json, octets.as_slice()), (&sig, &signature)] {
        if whole(members, name, SMALL_BYTES)? != expected {
            return Err(AuditError::line(
                name,
                format_args!("it is not what stands in `{origin}`"),
                format_args!("the octets of `{origin}`"),
                "others",
            ));
        }
    }
    Ok([json, sig])
}
