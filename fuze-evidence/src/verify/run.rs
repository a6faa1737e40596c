//! The walk over a run's records, with its roots and content beside it.
//!
//! Says the document's rules a second time, on purpose: nothing of the recorder is used but the reading of single lines.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::Value;

use super::chunks::{Chunks, Octets, lines};
use super::content::ContentCheck;
use super::explain::{End, Explained};
use super::frame::{Frame, Link};
use super::lines::{LineError, Lines};
use super::ordered::in_order;
use super::report::{Chain, ContentCounts, Failure, FieldStatus, MissingField, Report, VerifyError, What};
use super::{Options, RunFiles, RunKey, TrustedKeys};
use crate::chain::Steps;
use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::name::Name;
use crate::record::{Common, Entry, EntryError, RunId};
use crate::replay::rules::Rules;
use crate::retention::{Windows, is_oversight};
use crate::sign::{Root, RootDomain, SignatureError, SignedRoot};
use crate::sink::{CONTENT, KEYS, RECORDS, ROOTS};
use crate::span::Span;
use crate::time::Timestamp;
use crate::vocab::{RunStatus, StartOutcome, SuspendReason};

/// What record 0 fixes for the whole run.
struct Start {
    run_id: RunId,
    common: Common,
    origin: Name,
    key: RunKey,
    opened_at: Timestamp,
    refused: bool,
    windows: Windows,
}

struct Walk<'k, 'f> {
    trusted: &'k TrustedKeys<'k>,
    start: Start,
    roots: Option<Lines<'f>>,
    content: Option<ContentCheck<'f>>,
    explained: Explained<'k>,
    /// When the last record ended.
    last_at: Option<Timestamp>,
    link: Link,
    /// The hash of the last record.
    head: Hash,
    prev_root: Hash,
    last_root: Option<Hash>,
    segment: u32,
    steps: Steps,
    /// The first halves of the content roots of the records so far: whoever finds two roots with one half has their own run refused.
    committed: HashSet<[u8; 16]>,
    rules: Rules,
    last_sound: Option<(u64, Hash)>,
    broken: bool,
    closed: Option<RunStatus>,
    last_is_suspend: bool,
    verified_roots: u64,
    signed_records: u64,
    counts: ContentCounts,
    missing: Vec<MissingField>,
}

/// A finding without its place.
enum Finding {
    What(What),
    Cannot(String),
    /// In another file than the records.
    Elsewhere(VerifyError),
}

impl From<What> for Finding {
    fn from(what: What) -> Self {
        Self::What(what)
    }
}

fn differs(what: &'static str, expected: impl ToString, found: impl ToString) -> What {
    What::Differs { what, expected: expected.to_string(), found: found.to_string() }
}

fn same<T: PartialEq + ToString>(what: &'static str, expected: &T, found: &T) -> Result<(), What> {
    if expected == found { Ok(()) } else { Err(differs(what, expected.to_string(), found.to_string())) }
}

fn asked_for<T: PartialEq + ToString>(
    what: &'static str,
    expected: Option<&T>,
    found: &T,
) -> Result<(), What> {
    match expected.filter(|expected| *expected != found) {
        None => Ok(()),
        Some(expected) => Err(What::Other { what, expected: expected.to_string(), found: found.to_string() }),
    }
}

/// What has no canonical form, though it was read from one.
fn unwritable(error: impl ToString) -> What {
    What::not("what has a canonical form", error.to_string())
}

pub(super) fn failed(
    file: &'static str,
    line: u64,
    what: What,
    last_good: Option<(u64, Hash)>,
) -> VerifyError {
    VerifyError::Failed(Box::new(Failure { file, line, what, last_good }))
}

pub(super) fn verify_run(
    files: RunFiles<'_>,
    trusted: &TrustedKeys<'_>,
    options: &Options,
) -> Result<Report, VerifyError> {
    let mut chunks = Chunks::new(Octets::Stream(files.records));
    let mut progress = Progress {
        trusted,
        walk: None,
        roots: files.roots.map(|reader| Lines::new(ROOTS, reader)),
        content: files.content.map(|(content, keys)| (Lines::new(CONTENT, content), Lines::new(KEYS, keys))),
        lines: 0,
    };
    let ended = in_order(
        options.threads(),
        || chunks.next(),
        |chunk| judge(chunk, options),
        |chunk, judged| judged.into_iter().try_for_each(|judged| progress.take(&chunk, judged)),
    )?;
    ended.map_err(|error| LineErrorAt(error).at(RECORDS, progress.lines, progress.last_good()))?;
    progress.walk.ok_or_else(|| failed(RECORDS, 0, What::Empty, None))?.finish()
}

/// A record by itself: read, and its hash compared. Where it stands is judged by [`Walk`].
struct JudgedLine {
    line: Range<usize>,
    entry: Entry,
    hash: Result<(), What>,
}

/// Judges the lines of `chunk` up to the first that is no record.
fn judge(chunk: &[u8], options: &Options) -> Vec<Result<JudgedLine, Finding>> {
    let mut judged = Vec::with_capacity(chunk.len() / 512);
    let mut frames = Vec::with_capacity(chunk.len() / 512);
    for line in lines(chunk) {
        let record = line.map_err(Finding::What).and_then(|range| {
            let octets = chunk.get(range.clone()).unwrap_or_default();
            let entry = read_entry(octets, options)?;
            frames.push(Frame::read(octets)?);
            Ok(JudgedLine { line: range, entry, hash: Ok(()) })
        });
        let wrong = record.is_err();
        judged.push(record);
        if wrong {
            break;
        }
    }
    // INVARIANT: every record has its frame.
    for (record, hash) in judged.iter_mut().flatten().zip(Frame::check_hashes(&frames)) {
        record.hash = hash;
    }
    judged
}

/// The walk, before and after its first record.
struct Progress<'k, 'f> {
    trusted: &'k TrustedKeys<'k>,
    walk: Option<Walk<'k, 'f>>,
    roots: Option<Lines<'f>>,
    content: Option<(Lines<'f>, Lines<'f>)>,
    /// How many lines were taken.
    lines: u64,
}

impl Progress<'_, '_> {
    fn last_good(&self) -> Option<(u64, Hash)> {
        self.walk.as_ref().and_then(Walk::last_good)
    }

    fn take(&mut self, chunk: &[u8], judged: Result<JudgedLine, Finding>) -> Result<(), VerifyError> {
        let last_good = self.last_good();
        let number = self.lines;
        self.lines += 1;
        judged.and_then(|judged| self.step(chunk, &judged)).map_err(|finding| match finding {
            Finding::What(what) => failed(RECORDS, number, what, last_good),
            Finding::Cannot(why) => VerifyError::Cannot { line: number, why },
            Finding::Elsewhere(error) => error,
        })
    }

    fn step(&mut self, chunk: &[u8], judged: &JudgedLine) -> Result<(), Finding> {
        let frame = Frame::read(chunk.get(judged.line.clone()).unwrap_or_default())?;
        if let Some(walk) = &mut self.walk {
            return walk.step(&frame, judged);
        }
        let trusted = self.trusted;
        let start = Start::read(&judged.entry, trusted)?;
        let explained = Explained::new(&trusted.annexes, &start.origin, &start.common.tenant, start.run_id)
            .map_err(Finding::Elsewhere)?;
        let subject = start.common.subject.as_ref();
        let content = self.content.take().map(|(content, keys)| {
            ContentCheck::begin(content, keys, trusted, start.run_id, subject, &explained)
        });
        let content = content.transpose().map_err(Finding::Elsewhere)?;
        let walk = Walk::new(trusted, start, self.roots.take(), content, explained);
        self.walk.insert(walk).step(&frame, judged)
    }
}

/// Reads a line strictly, and if that is asked for again with the second implementation of the canonical form.
fn read_entry(octets: &[u8], options: &Options) -> Result<Entry, Finding> {
    let entry = Entry::read(octets).map_err(|error| match error {
        EntryError::Version { .. } | EntryError::Suite { .. } => Finding::Cannot(error.to_string()),
        other => Finding::What(What::from(&other)),
    })?;
    if options.second_reader {
        let value: Value = serde_json::from_slice(octets).map_err(unwritable)?;
        if !serde_jcs::to_vec(&value).is_ok_and(|again| again == octets) {
            return Err(What::not("canonical octets", "a second reader finds it not canonical").into());
        }
    }
    Ok(entry)
}

impl Start {
    fn read(entry: &Entry, trusted: &TrustedKeys<'_>) -> Result<Self, Finding> {
        let Span::AgentInvoke(invoke) = &entry.span else {
            return Err(differs("span", "agent.invoke", entry.span.name()).into());
        };
        let key = trusted.run_key_at(invoke, entry.started_at).map_err(Finding::Cannot)?;
        let expected = &trusted.expected;
        asked_for("run", expected.run_id.as_ref(), &entry.run_id)?;
        asked_for("tenant", expected.tenant.as_ref(), &entry.common.tenant)?;
        asked_for("deployment", expected.origin.as_ref(), &invoke.origin)?;
        Ok(Self {
            run_id: entry.run_id,
            common: entry.common.clone(),
            origin: invoke.origin.clone(),
            key,
            opened_at: entry.started_at,
            refused: invoke.outcome == StartOutcome::Refused,
            windows: Windows::of(invoke),
        })
    }
}

impl<'k, 'f> Walk<'k, 'f> {
    fn new(
        trusted: &'k TrustedKeys<'k>,
        start: Start,
        roots: Option<Lines<'f>>,
        content: Option<ContentCheck<'f>>,
        explained: Explained<'k>,
    ) -> Self {
        Self {
            trusted,
            start,
            roots,
            content,
            explained,
            last_at: None,
            link: Link::genesis(),
            head: Hash::ZERO,
            prev_root: Hash::ZERO,
            last_root: None,
            segment: 0,
            steps: Steps::new(),
            committed: HashSet::new(),
            rules: Rules::default(),
            last_sound: None,
            broken: false,
            closed: None,
            last_is_suspend: false,
            verified_roots: 0,
            signed_records: 0,
            counts: ContentCounts::default(),
            missing: Vec::new(),
        }
    }

    fn last_good(&self) -> Option<(u64, Hash)> {
        self.link.next.checked_sub(1).map(|last| (last, self.head))
    }

    fn step(&mut self, frame: &Frame<'_>, judged: &JudgedLine) -> Result<(), Finding> {
        let entry = &judged.entry;
        if self.closed.is_some() {
            let what = What::line("a record after `run.close`", "nothing after `run.close`", "a record");
            return Err(what.into());
        }
        self.link.precedes(frame)?;
        judged.hash.clone()?;
        same("runId", &self.start.run_id, &entry.run_id)?;
        if entry.common != self.start.common {
            return Err(What::line(
                "`common` is not that of the first record",
                "`common` as in the first record",
                "another",
            )
            .into());
        }
        self.check_step(entry)?;
        self.check_order(entry)?;
        self.check_commitment(entry)?;
        // The close names the roots and the head before itself, so it is judged before the chain moves on.
        if let Span::RunClose(close) = &entry.span {
            same("fuze.run.count", &self.link.next, &close.count)?;
            self.check_close(entry, close.status)?;
        }
        self.steps.insert(entry.step_id);
        // Not to be sound is no failure of the evidence: the walk goes on.
        self.broken |= self.rules.take(entry);
        if !self.broken {
            self.last_sound = Some((entry.sequence, entry.hash));
        }
        self.link.advance(frame);
        self.head = entry.hash;
        self.last_at = Some(entry.ended_at);
        self.last_is_suspend = matches!(entry.span, Span::OversightSuspend(_));
        if let Span::RunResume(resume) = &entry.span {
            self.segment = resume.segment;
        }
        self.check_roots().map_err(Finding::Elsewhere)?;
        self.check_content(entry).map_err(Finding::Elsewhere)
    }

    fn check_step(&self, entry: &Entry) -> Result<(), What> {
        if entry.ended_at < entry.started_at {
            return Err(differs("endedAt", format!("not before {}", entry.started_at), entry.ended_at));
        }
        if entry.started_at < self.start.opened_at {
            return Err(differs(
                "startedAt",
                format!("not before {}", self.start.opened_at),
                entry.started_at,
            ));
        }
        if self.steps.contains(entry.step_id) {
            let step = entry.step_id;
            let why = format!("step {step} stands in an earlier record");
            return Err(What::line(why, "a step that no earlier record has", step));
        }
        match (self.link.next, entry.parent_step_id) {
            (0, None) => same("stepId", &0, &entry.step_id),
            (0, Some(parent)) => {
                let why = "the first record has no parent step";
                Err(What::line(why, "no `parentStepId`", parent))
            }
            (_, None) => Err(What::line("`parentStepId` is missing", "`parentStepId`", "no such member")),
            (_, Some(parent)) if parent >= entry.step_id => {
                Err(differs("parentStepId", format!("less than {}", entry.step_id), parent))
            }
            (_, Some(_)) => Ok(()),
        }
    }

    fn check_order(&self, entry: &Entry) -> Result<(), What> {
        if matches!(entry.span, Span::AgentInvoke(_)) != (self.link.next == 0) {
            let (expected, found) = match self.link.next {
                0 => ("`agent.invoke`", entry.span.name()),
                _ => ("another span than `agent.invoke`", entry.span.name()),
            };
            let why = "`agent.invoke` is the first record and no other";
            return Err(What::line(why, expected, format_args!("`{found}`")));
        }
        if self.start.refused && self.link.next == 1 && !matches!(entry.span, Span::RunClose(_)) {
            let found = entry.span.name();
            let why = "a refused start is followed by `run.close`";
            return Err(What::line(why, "`run.close`", format_args!("`{found}`")));
        }
        if let Span::RunResume(resume) = &entry.span {
            same("fuze.run.segment", &(self.segment + 1), &resume.segment)?;
        }
        Ok(())
    }

    /// What a record commits to no other does; and what a tool asks people stands in the record that asks them (section 4).
    fn check_commitment(&mut self, entry: &Entry) -> Result<(), What> {
        if let Span::OversightSuspend(suspend) = &entry.span {
            let said = |content| if content { "content" } else { "none" };
            let (expected, found) =
                (said(suspend.reason == SuspendReason::Requested), said(entry.content.is_some()));
            if expected != found {
                return Err(differs("content of a wait for this reason", expected, found));
            }
        }
        let half = |root: Hash| root.0.first_chunk::<16>().copied().unwrap_or_default();
        match entry.content {
            Some(content) if !self.committed.insert(half(content.root)) => Err(differs(
                "content root",
                "one that no earlier record commits to",
                format_args!("{}, which an earlier record commits to", content.root),
            )),
            _ => Ok(()),
        }
    }

    /// What every root of this run must say.
    fn check_root(
        &self,
        root: &Root,
        domain: RootDomain,
        count: u64,
        prev_root: Option<Hash>,
    ) -> Result<(), What> {
        same("root's domain", &domain, &root.domain)?;
        same("root's count", &count, &root.count)?;
        same("root's head", &self.head, &root.head)?;
        same("root's keyId", &self.start.key.key.id(), &root.key_id)?;
        same("root's origin", &self.start.origin, &root.origin)?;
        same("root's runId", &self.start.run_id, &root.run_id)?;
        same("root's segment", &self.segment, &root.segment)?;
        same("root's tenant", &self.start.common.tenant, &root.tenant)?;
        prev_root.map_or(Ok(()), |prev_root| same("root's prevRoot", &prev_root, &root.prev_root))
    }

    fn read_root(&self, octets: &[u8]) -> Result<SignedRoot, What> {
        SignedRoot::read(octets, |id| (*id == self.start.key.key.id()).then_some(self.start.key.key)).map_err(
            |error| match error {
                SignatureError::Key => What::line(
                    "a root is signed by another key than the run's",
                    format_args!("a root by the key {}", self.start.key.key.id()),
                    "one by another key",
                ),
                other => What::from(&other),
            },
        )
    }

    fn check_close(&mut self, entry: &Entry, status: RunStatus) -> Result<(), What> {
        let signature = entry.signature.as_ref().ok_or_else(|| {
            What::line("`run.close` is not signed", "the signed close root in `signature`", "no such member")
        })?;
        let octets = jcs::to_vec(signature).map_err(unwritable)?;
        let signed = self.read_root(&octets)?;
        let root = signed.root();
        let prev_root = self.roots.is_some().then_some(self.prev_root);
        self.check_root(root, RootDomain::Close, self.link.next, prev_root)?;
        let unsigned = entry
            .unsigned
            .as_ref()
            .ok_or_else(|| What::line("`run.close` has no payload", "`payload`", "no such member"))?;
        let close_hash = sha256(&jcs::to_vec(unsigned).map_err(unwritable)?);
        let text = |value: Option<String>| value.unwrap_or_default();
        same("closeHash", &close_hash.to_string(), &text(root.close_hash.map(|h| h.to_string())))?;
        same("root's status", &status.to_string(), &text(root.status.map(|s| s.to_string())))?;
        same(
            "root's openedAt",
            &self.start.opened_at.to_string(),
            &text(root.opened_at.map(|t| t.to_string())),
        )?;
        same("root's at", &entry.ended_at.to_string(), &root.at.to_string())?;
        self.closed = Some(status);
        self.last_root = Some(signed.hash());
        self.verified_roots += 1;
        self.signed_records = self.link.next + 1;
        Ok(())
    }

    /// Takes the roots that end at the record just read.
    fn check_roots(&mut self) -> Result<(), VerifyError> {
        let Some(mut roots) = self.roots.take() else { return Ok(()) };
        let result = self.check_roots_in(&mut roots);
        self.roots = Some(roots);
        result
    }

    fn check_roots_in(&mut self, roots: &mut Lines<'_>) -> Result<(), VerifyError> {
        let last_good = self.last_good();
        if self.closed.is_some() {
            return Ok(());
        }
        let domain = match (self.link.next, self.last_is_suspend) {
            (1, _) => RootDomain::Open,
            (_, true) => RootDomain::Suspend,
            _ => return Ok(()),
        };
        let number = roots.number;
        let Some(octets) =
            roots.peek().map_err(|e| LineErrorAt(e).at(ROOTS, number, last_good))?.map(<[u8]>::to_vec)
        else {
            // Of several suspended calls only the last is signed for; a run that is not closed may end before its root.
            let missing = What::line(
                "the signed open root is missing: a crash while the run began, which the deployment's own recovery puts aside, or it was taken away",
                "the signed open root",
                "no line",
            );
            return if domain == RootDomain::Open {
                Err(failed(ROOTS, number, missing, None))
            } else {
                Ok(())
            };
        };
        let at_roots = |what| failed(ROOTS, number, what, last_good);
        let signed = self.read_root(&octets).map_err(at_roots)?;
        if domain == RootDomain::Suspend && signed.root().count > self.link.next {
            return Ok(());
        }
        self.check_root(signed.root(), domain, self.link.next, Some(self.prev_root)).map_err(at_roots)?;
        roots.next().map_err(|e| LineErrorAt(e).at(ROOTS, number, last_good))?;
        self.prev_root = sha256(&octets);
        self.last_root = Some(self.prev_root);
        self.verified_roots += 1;
        self.signed_records = self.link.next;
        Ok(())
    }

    fn check_content(&mut self, entry: &Entry) -> Result<(), VerifyError> {
        let Some(content) = entry.content else { return Ok(()) };
        let last_good = self.last_good();
        self.explained.see(&content, is_oversight(&entry.span));
        let Some(check) = &mut self.content else {
            let leaves = u64::from(content.leaves);
            let explained = match self.explained.gone(content.root) {
                Some(_) => leaves,
                None => u64::try_from(self.explained.fields(content.root).len()).unwrap_or(leaves),
            };
            self.counts.add_explained(explained, FieldStatus::Withheld, leaves);
            return Ok(());
        };
        let counts = check.record(&content, &self.explained, last_good)?;
        self.counts.verified += counts.verified;
        self.counts.erased += counts.erased;
        self.counts.withheld += counts.withheld;
        self.counts.missing += counts.missing;
        if counts.missing > 0 && self.missing.len() < Report::MAX_MISSING {
            let place = MissingField {
                sequence: entry.sequence,
                root: content.root,
                leaves: counts.missing,
                gone_from: check.gone_from(),
            };
            self.missing.push(place);
        }
        Ok(())
    }

    /// Whoever has a revoked key can sign for any time: only what a log had before the revocation counts, and all of it.
    fn check_revocation(&self) -> Result<(), VerifyError> {
        let Some(at) = self.start.key.revoked else { return Ok(()) };
        let covers_all = self.signed_records == self.link.next;
        if covers_all && self.last_root.is_some_and(|root| self.trusted.stood(&root)) {
            return Ok(());
        }
        let why = format!(
            "the run's key {} was revoked at {at}, and no log proof shows that the run's last signed root stood there before",
            self.start.key.key.id()
        );
        Err(VerifyError::Cannot { line: 0, why })
    }

    fn finish(mut self) -> Result<Report, VerifyError> {
        let last_good = self.last_good();
        if let Some(mut roots) = self.roots.take() {
            let number = roots.number;
            if roots.next().map_err(|e| LineErrorAt(e).at(ROOTS, number, last_good))?.is_some() {
                let what = What::line(
                    "a signed root covers records that are not there, or does not belong to the run",
                    "no root but those of the open and of each suspension here",
                    "one more",
                );
                return Err(failed(ROOTS, number, what, last_good));
            }
        }
        let orphans = match &mut self.content {
            Some(content) => content.finish(self.closed.is_some(), last_good)?,
            None => 0,
        };
        let (closed, count) = (self.closed.is_some(), self.link.next);
        let end = End { last_at: self.last_at, closed, count, head: self.head };
        self.explained.finish(&end, self.start.windows)?;
        self.check_revocation()?;
        Ok(Report {
            run_id: self.start.run_id,
            origin: self.start.origin,
            tenant: self.start.common.tenant,
            subject: self.start.common.subject,
            chain: self.closed.map_or(Chain::NotClosed, Chain::Closed),
            records: self.link.next,
            head: self.head,
            last_root: self.last_root,
            key_id: self.start.key.key.id(),
            roots: self.verified_roots,
            signed_records: self.signed_records,
            content: self.counts,
            missing: self.missing,
            orphans,
            findings: self.rules.into_findings(),
            last_sound: self.last_sound,
        })
    }
}

/// A line that could not be read, to be placed.
pub(super) struct LineErrorAt(pub(super) LineError);

impl LineErrorAt {
    pub(super) fn at(self, file: &'static str, number: u64, last_good: Option<(u64, Hash)>) -> VerifyError {
        match self.0 {
            LineError::What(what) => failed(file, number, what, last_good),
            LineError::Io(source) => VerifyError::Io { path: file.into(), source },
        }
    }
}
