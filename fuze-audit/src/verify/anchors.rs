//! Where the run's roots stand in a transparency log: first whether what is in the bundle holds together, under the key that lies
//! beside it and proves nothing; then whether the verifier's own log and witnesses say the same.

use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::keys::history::KeyHistory;
use fuze_evidence::sign::{PublicKey, SignedRoot};
use fuze_evidence::verify::What;
use fuze_evidence::{Hash, Name, Timestamp};
use fuze_log::policy::PolicyError;
use fuze_log::proof::ProofError;
use fuze_log::{Checkpoint, Policy, TlogProof, VerifierKey, verify_anchor};

use super::inspect::{MEDIUM_BYTES, SMALL_BYTES, whole};
use super::outcome::{Anchoring, AuditError};
use super::{Members, Trust};
use crate::anchored::roots_before_revocation;
use crate::member;

/// A proof and its line, at most one as large as a log writes it.
const PROOF_BYTES: u64 = fuze_log::proof::MAX_PROOF_BYTES as u64;

/// The run's signed roots, in their order; the close root last, if there is one.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) signed: Vec<SignedRoot>,
    pub(super) closed: bool,
}

/// What a `tlog-proof` must be.
const UNPROVEN: &str =
    "a proof that the log has the leaf of the line, and that the leaf is of the run's root";

impl Roots {
    /// Takes lines that verified already.
    pub(super) fn read(lines: &[Vec<u8>], closed: bool, key: PublicKey) -> Result<Self, AuditError> {
        let read = |line: &Vec<u8>| SignedRoot::read(line, |id| (*id == key.id()).then_some(key));
        let signed = lines.iter().map(read).collect::<Result<_, _>>();
        Ok(Self { signed: signed.map_err(|e| AuditError::at(member::ROOTS, What::from(&e)))?, closed })
    }

    fn open(&self) -> Option<&SignedRoot> {
        self.signed.first()
    }

    pub(super) fn close(&self) -> Option<&SignedRoot> {
        self.signed.last().filter(|_| self.closed)
    }

    /// Roots that the verifier knows from elsewhere must be among them.
    pub(super) fn check_known(&self, known: impl IntoIterator<Item = Hash>) -> Result<(), AuditError> {
        let missing = known.into_iter().find(|known| !self.signed.iter().any(|root| root.hash() == *known));
        match missing {
            None => Ok(()),
            Some(known) => {
                let found = self.signed.last().map_or(Hash::ZERO, SignedRoot::hash);
                Err(AuditError::differs(member::ROOTS, "a root that is known from elsewhere", known, found))
            }
        }
    }
}

/// A root in a log, as the bundle has it.
#[derive(Debug)]
struct Entry {
    root: SignedRoot,
    line: AnchorLine,
    proof: Vec<u8>,
    member: &'static str,
}

/// Where a root is said to stand. The names of who signed the checkpoint are names, and nothing more.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) what: &'static str,
    pub(crate) log: Name,
    pub(crate) index: u64,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) size: u64,
    pub(crate) signatures: Vec<String>,
}

/// The anchors of a run, consistent in themselves.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    open: Option<Entry>,
    close: Option<Entry>,
    closed: bool,
}

pub(super) fn read(members: &mut dyn Members, roots: &Roots) -> Result<Anchors, AuditError> {
    let names = [member::ANCHORS, member::LOG_KEY, member::ANCHOR_OPEN, member::ANCHOR_CLOSE];
    let mut anchors = Anchors { open: None, close: None, closed: roots.closed };
    if !names.iter().any(|name| members.has(name)) {
        return Ok(anchors);
    }
    let lines =
        AnchorLine::read_all(&whole(members, member::ANCHORS, SMALL_BYTES)?).map_err(|(line, e)| {
            AuditError::at_line(member::ANCHORS, line, What::not("a line about a leaf of a log", e))
        })?;
    let mut lines = lines.into_iter();
    let places = [
        (member::ANCHOR_OPEN, roots.open(), &mut anchors.open),
        (member::ANCHOR_CLOSE, roots.close(), &mut anchors.close),
    ];
    for (name, root, entry) in places {
        if !members.has(name) {
            continue;
        }
        let root = root
            .ok_or_else(|| {
                AuditError::line(
                    name,
                    "the run has no such root",
                    "a proof of a root that the run has",
                    "a proof of another",
                )
            })?
            .clone();
        let proof = whole(members, name, PROOF_BYTES)?;
        let line = lines.next().ok_or_else(|| {
            AuditError::line(member::ANCHORS, "a line is missing", "one line for each proof", "fewer")
        })?;
        *entry = Some(Entry { root, line, proof, member: name });
    }
    if lines.next().is_some() || anchors.entries().next().is_none() {
        return Err(AuditError::line(
            member::ANCHORS,
            "expected one line for each proof, the open's first",
            "one line for each proof, the open's first",
            "another number of them",
        ));
    }
    let policy = beside(&whole(members, member::LOG_KEY, SMALL_BYTES)?)?;
    for entry in anchors.entries() {
        verify_anchor(&entry.root, &entry.line, &entry.proof, &policy)
            .map(drop)
            .map_err(|e| AuditError::not(entry.member, UNPROVEN, e))?;
    }
    if let (Some(open), Some(close)) = (&anchors.open, &anchors.close) {
        close
            .line
            .closes(&close.root, &open.line)
            .map_err(|e| AuditError::not(member::ANCHORS, "a close of the run whose open stands there", e))?;
    }
    Ok(anchors)
}

/// The roots that the verifier's log had before the key's revocation, of a run that nobody has verified yet. What cannot be read
/// or does not hold says nothing here: it is found where it is judged.
pub(super) fn before_revocation(
    members: &mut dyn Members,
    trust: &Trust,
    histories: &[KeyHistory],
    key: &PublicKey,
    began: Timestamp,
) -> Vec<Hash> {
    let (Some(policy), false) = (&trust.log, trust.revocations.is_empty()) else { return Vec::new() };
    let small = |members: &mut dyn Members, name| members.whole(name, SMALL_BYTES).ok();
    let lines = small(members, member::ANCHORS).and_then(|octets| AnchorLine::read_all(&octets).ok());
    let mut lines = lines.unwrap_or_default().into_iter();
    let mut anchors = Vec::new();
    for (copy, signature, proof) in [
        ("roots/0.json", "roots/0.sig", member::ANCHOR_OPEN),
        (member::CLOSE_JSON, member::CLOSE_SIG, member::ANCHOR_CLOSE),
    ] {
        let Ok(proof) = members.whole(proof, PROOF_BYTES) else { continue };
        let root = members.whole(copy, MEDIUM_BYTES).ok().zip(small(members, signature));
        let root = root.and_then(|(root, signature)| crate::verify::joined(&root, &signature));
        let root =
            root.and_then(|octets| SignedRoot::read(&octets, |id| (*id == key.id()).then_some(*key)).ok());
        if let Some((root, line)) = root.zip(lines.next()) {
            anchors.push((root, line, proof));
        }
    }
    let anchors = || anchors.iter().map(|(root, line, proof)| (root, line, proof.as_slice()));
    let of = |history| roots_before_revocation(history, anchors(), began, &trust.revocations, policy);
    histories.iter().flat_map(of).collect()
}

/// The log's key as it lies in the bundle: enough to see that the proofs hold together.
fn beside(octets: &[u8]) -> Result<Policy, AuditError> {
    let wrong = |why: &dyn std::fmt::Display| {
        AuditError::not(member::LOG_KEY, "a log's verifier key in its one spelling and a line feed", why)
    };
    let text = std::str::from_utf8(octets).ok().and_then(|text| text.strip_suffix('\n'));
    let key: VerifierKey = text.unwrap_or_default().parse().map_err(|e| wrong(&e))?;
    if format!("{key}\n").as_bytes() != octets {
        return Err(wrong(&"expected the key's one spelling and a line feed"));
    }
    Policy::new(key, Vec::new(), 0).map_err(|e| wrong(&e))
}

impl Anchors {
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.open.iter().chain(&self.close)
    }

    /// The line of each proof.
    pub(super) fn lines(&self) -> Vec<AnchorLine> {
        self.entries().map(|entry| entry.line.clone()).collect()
    }

    /// Where the roots are said to stand: the open's place first.
    pub(crate) fn places(&self) -> Vec<Place> {
        let place = |entry: &Entry| {
            let proof = TlogProof::read(&entry.proof).ok()?;
            let note = proof.checkpoint();
            let named = note.signatures().iter().map(|signature| signature.name().to_string());
            Some(Place {
                what: if entry.member == member::ANCHOR_OPEN { "open" } else { "close" },
                log: entry.line.log().clone(),
                index: entry.line.index(),
                deadline: entry.line.leaf().deadline(),
                size: Checkpoint::read(note.text()).ok()?.size(),
                signatures: named.collect(),
            })
        };
        self.entries().filter_map(place).collect()
    }

    /// Where the roots are said to stand, in words.
    pub(crate) fn summary(&self) -> Option<String> {
        let first = self.entries().next()?;
        let place = |what: &str, entry: &Option<Entry>| {
            entry.as_ref().map(|entry| format!("{what} as leaf {}", entry.line.index()))
        };
        let places: Vec<String> =
            place("the open", &self.open).into_iter().chain(place("the close", &self.close)).collect();
        Some(format!("log {}: {}", first.line.log(), places.join(", ")))
    }

    /// What the verifier's own log and witnesses say. Asked for a log, a run without a fit anchor cannot be verified.
    pub(super) fn judge(&self, trust: &Trust) -> Result<Anchoring, AuditError> {
        let Some(first) = self.entries().next() else {
            return match &trust.log {
                None => Ok(Anchoring::None),
                Some(policy) => {
                    Err(cannot(format!("the run is anchored in no log, expected `{}`", policy.origin())))
                }
            };
        };
        let log: Name = first.line.log().clone();
        let index = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.line.index());
        let (open, close) = (index(&self.open), index(&self.close));
        let Some(policy) = &trust.log else { return Ok(Anchoring::Unknown { log, open, close }) };
        let mut witnesses = usize::MAX;
        for entry in self.entries() {
            let anchored =
                verify_anchor(&entry.root, &entry.line, &entry.proof, policy).map_err(
                    |error| match error {
                        ProofError::Log { .. }
                        | ProofError::Policy(
                            PolicyError::Witnesses { .. } | PolicyError::LogSignature { .. },
                        ) => cannot(format!("`{}`: {error}", entry.member)),
                        other => AuditError::not(entry.member, UNPROVEN, other),
                    },
                )?;
            witnesses = witnesses.min(anchored.checkpoint.cosigned().len());
        }
        if self.closed && self.close.is_none() {
            return Err(cannot("the run is closed and its close is anchored in no log".to_owned()));
        }
        // Whoever leaves out the open could hide that the log has another one, or a deadline that passed.
        let named = self.close.as_ref().and_then(|close| close.root.root().open_leaf);
        if let Some(leaf) = named.filter(|_| self.open.is_none()) {
            return Err(cannot(format!(
                "the close names leaf {leaf} as the run's open, which is not proven here"
            )));
        }
        Ok(Anchoring::Trusted { log, open, close, witnesses })
    }
}

const fn cannot(why: String) -> AuditError {
    AuditError::Cannot { why }
}
