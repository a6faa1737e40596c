//! A run read again as it was decided: step by step, what was asked, what was decided by which rule, who approved, how it ended.
//!
//! Executes nothing. Verifies first: what is shown are the very octets that were verified, or it is marked [`Trust::Unverified`].
//! While it reads it holds the records against the rules of the loop ([`Rule`]); the chain can be intact and signed, and what it
//! tells still be against the rules. Holds the whole run in memory, unlike verification.

mod calls;
mod capture;
mod diff;
pub(crate) mod rules;
mod told;

use std::fmt;

use serde_json::{Map, Value};

use crate::content::{DisclosedLeaf, Disclosure};
use crate::hash::Hash;
use crate::record::{Common, Entry, RunId};
use crate::span::{AgentInvoke, Span};
use crate::time::Timestamp;
use crate::verify::{Chain, ContentCounts, FieldStatus, Report, RunFiles, TrustedKeys, VerifyError};
use crate::vocab::RunStatus;

pub use calls::{Call, Decided, Ended, Person};
pub use diff::{Change, Comparison, Difference, NotCompared, diff};
use rules::Rules;
pub use rules::{Finding, Rule};

/// How far a step can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A root that was signed with a trusted key covers it.
    Signed,
    /// The chain holds, but nothing that is signed covers it: the end of a run that has not closed.
    Chained,
    /// Verification failed, or could not say anything.
    Unverified,
}

impl Trust {
    /// In one word, for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Chained => "chained",
            Self::Unverified => "unverified",
        }
    }
}

/// A run, read again.
#[derive(Debug)]
#[must_use = "a replay can say that verification failed or that rules are broken"]
pub struct Replay {
    /// What verification said, before anything was read.
    pub verdict: Result<Report, VerifyError>,
    /// What the first record says, if it can be read.
    pub opened: Option<Opened>,
    /// How the last record says that the run ended, if it says so.
    pub status: Option<RunStatus>,
    /// The records in their order.
    pub steps: Vec<Step>,
    /// What is against the rules: the first [`Report::MAX_FINDINGS`].
    pub findings: Vec<Finding>,
}

/// What the first record fixes for the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The run.
    pub run_id: RunId,
    /// Tenant, principal, subject, and what the law says about it.
    pub common: Common,
    /// The attributes of `agent.invoke`.
    pub invoke: AgentInvoke,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its place.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// The step's own number.
    pub step_id: u64,
    /// The step that it belongs to.
    pub parent: Option<u64>,
    /// How many steps it is below the first: 0 for `agent.invoke`. A parent that was cut off counts as one.
    pub depth: usize,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What happened.
    pub span: Span,
    /// The content it commits to. Of what is not verified nothing is opened.
    pub content: Option<Content>,
    /// How far it can be relied on.
    pub trust: Trust,
}

impl Step {
    /// How long it took, in nanoseconds.
    #[must_use]
    pub const fn duration_nanos(&self) -> u128 {
        match self.ended_at.nanos_since(self.started_at) {
            Some(nanos) => nanos,
            None => 0,
        }
    }

    /// Its attributes under their names on the wire.
    #[must_use]
    pub fn attributes(&self) -> Map<String, Value> {
        let mut out = Vec::new();
        // A span that was read has a canonical form.
        let written = self.span.write_attrs(&mut out).ok().and_then(|()| serde_json::from_slice(&out).ok());
        written.unwrap_or_default()
    }
}

/// What a record commits to, as far as it could be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The commitment.
    pub root: Hash,
    /// What holds for its leaves, decoys included.
    pub counts: ContentCounts,
    /// Each leaf that was opened, and each that is gone. What is withheld has none.
    pub fields: Vec<Field>,
    /// The whole value, if all of it was opened.
    pub value: Option<Value>,
}

/// One leaf of content.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What holds for it.
    pub status: FieldStatus,
    /// Where it stands (RFC 6901), and what it is: known only of one that was opened.
    pub opened: Option<(String, Value)>,
}

impl Replay {
    /// The steps are covered by a verified close, nothing is missing and no rule is broken.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.verdict.as_ref().is_ok_and(Report::is_verified)
    }

    /// The calls that the model or a tool asked for, in the order in which they were first decided on.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        calls::collect(&self.steps)
    }

    /// The step of this number.
    #[must_use]
    pub fn step(&self, step_id: u64) -> Option<&Step> {
        self.steps.iter().find(|step| step.step_id == step_id)
    }

    /// How long the run took from the beginning of its first record to the end of its last, in nanoseconds.
    #[must_use]
    pub fn duration_nanos(&self) -> u128 {
        let ends = self.steps.first().zip(self.steps.last());
        ends.and_then(|(first, last)| last.ended_at.nanos_since(first.started_at)).unwrap_or(0)
    }
}

/// Reads a run again, from a directory, a store's tables, a bundle or memory.
///
/// # Errors
/// When a stream cannot be read. What is wrong with the evidence stands in [`Replay::verdict`].
pub fn replay(files: RunFiles<'_>, keys: &TrustedKeys<'_>) -> Result<Replay, VerifyError> {
    let (verdict, captured) = capture::verify(files, keys)?;
    let mut replay = Replay { verdict, opened: None, status: None, steps: Vec::new(), findings: Vec::new() };
    let mut rules = Rules::default();
    let mut content = match &replay.verdict {
        Ok(report) => captured.content(keys, report)?,
        Err(_) => None,
    };
    let signed = replay.verdict.as_ref().map_or(0, |report| report.signed_records);
    let intact = replay.verdict.is_ok();
    for (at, line) in captured.records().enumerate() {
        let sequence = u64::try_from(at).unwrap_or(u64::MAX);
        let Ok(entry) = Entry::read(line) else {
            rules.unreadable(sequence);
            continue;
        };
        rules.take(&entry);
        let opened = match (&mut content, entry.content) {
            (Some(check), Some(reference)) => Some(check.open(&reference)?),
            (None, Some(reference)) => Some((withheld(reference.leaves), None, FieldStatus::Withheld)),
            (_, None) => None,
        };
        let trust = match (intact, entry.sequence < signed) {
            (true, true) => Trust::Signed,
            (true, false) => Trust::Chained,
            (false, _) => Trust::Unverified,
        };
        replay.take(entry, opened, trust);
    }
    replay.findings = rules.into_findings();
    Ok(replay)
}

fn withheld(leaves: u32) -> ContentCounts {
    ContentCounts { withheld: u64::from(leaves), ..ContentCounts::default() }
}

impl Replay {
    fn take(
        &mut self,
        entry: Entry,
        opened: Option<(ContentCounts, Option<Disclosure>, FieldStatus)>,
        trust: Trust,
    ) {
        match &entry.span {
            Span::AgentInvoke(invoke) if self.opened.is_none() => {
                let (run_id, common) = (entry.run_id, entry.common.clone());
                self.opened = Some(Opened { run_id, common, invoke: invoke.clone() });
            }
            Span::RunClose(close) => self.status = Some(close.status),
            _ => {}
        }
        let depth = match entry.parent_step_id {
            None => 0,
            // A nested call ends before its caller: then the parent comes later and is counted as below the first step.
            Some(parent) => self.step(parent).map_or(1, |step| step.depth + 1),
        };
        let content = entry.content.zip(opened).map(|(reference, (counts, disclosure, gone))| {
            let value = disclosure.as_ref().and_then(|disclosure| disclosure.value(reference.root).ok());
            let fields = disclosure.map(|d| fields(d, gone)).unwrap_or_default();
            Content { root: reference.root, counts, fields, value }
        });
        self.steps.push(Step {
            sequence: entry.sequence,
            hash: entry.hash,
            step_id: entry.step_id,
            parent: entry.parent_step_id,
            depth,
            started_at: entry.started_at,
            ended_at: entry.ended_at,
            span: entry.span,
            content,
            trust,
        });
    }
}

/// The leaves in the order of their paths; decoys are nobody's field.
fn fields(disclosure: Disclosure, gone: FieldStatus) -> Vec<Field> {
    let mut fields: Vec<Field> = disclosure
        .leaves
        .into_iter()
        .filter_map(|leaf| match leaf {
            DisclosedLeaf::Leaf(opening) => {
                Some(Field { status: FieldStatus::Verified, opened: Some((opening.path, opening.value)) })
            }
            DisclosedLeaf::Decoy(_) => None,
            DisclosedLeaf::Hash(_) => Some(Field { status: gone, opened: None }),
        })
        .collect();
    fields.sort_by(|a, b| {
        let path = |field: &Field| field.opened.as_ref().map(|(path, _)| path.clone());
        path(a).cmp(&path(b))
    });
    fields
}

impl fmt::Display for Replay {
    /// In one line: what is said about the run as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Err(error) => write!(f, "unverified: {error}")?,
            Ok(report) => match report.chain {
                Chain::Closed(status) => write!(f, "closed as `{status}`, {} records", report.records)?,
                Chain::NotClosed => write!(f, "not closed, {} records", report.records)?,
            },
        }
        match self.findings.len() {
            0 => Ok(()),
            1 => f.write_str(", one rule broken"),
            more => write!(f, ", {more} rules broken"),
        }
    }
}
