//! The recorder: turns what happened into a chain of canonical lines and signs it where it begins, waits and ends.
//!
//! Pure: no files, no clock, no randomness. A recorder exists only for a run that was opened, and closing consumes it,
//! so a signed close can only be of a run that has closed.

mod error;
mod line;
mod replay;
mod steps;

use serde::{Deserialize, Serialize};

use crate::anchor::{AnchorLine, LeafKind};
use crate::content::Commitment;
use crate::hash::{Hash, sha256};
use crate::jcs;
use crate::keys::Signer;
use crate::name::Name;
use crate::record::{Common, ContentRef, Entry, Record, RunId, is_safe};
use crate::sign::{KeyId, Root, RootDomain, SignedRoot};
use crate::span::attr::push_integer;
use crate::span::{AgentInvoke, RunClose, RunResume, Span};
use crate::time::Timestamp;
use crate::vocab::{RunStatus, StartOutcome, Suite};

use line::LINE_START;

pub use error::{AppendError, CloseError, FollowError};
pub use line::line_hash;
pub(crate) use line::line_hashes;
pub(crate) use steps::Steps;

/// When a step began and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; not before it began.
    pub ended_at: Timestamp,
}

impl Times {
    /// A step without duration.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self { started_at: time, ended_at: time }
    }
}

/// Where a recorder stands, to be kept in an (encrypted) snapshot. Holds no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecorderState {
    run_id: RunId,
    common: Common,
    origin: Name,
    key_id: KeyId,
    opened_at: Timestamp,
    /// The sequence of the next record.
    next: u64,
    head: Hash,
    segment: u32,
    prev_root: Hash,
    /// Where the open root stands in a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_leaf: Option<u64>,
    steps: Steps,
    last: Last,
}

/// What the last record allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Last {
    /// Anything but another start.
    Any,
    /// The start was refused: only a close.
    Refused,
    /// A suspension: may be signed.
    Suspend,
    /// Nothing at all.
    Close,
}

/// Writes the records of one run.
#[derive(Debug)]
#[must_use = "a run that is not closed proves nothing about its end"]
pub struct Recorder {
    state: RecorderState,
    /// Written once: both are the same in every record.
    common: Vec<u8>,
    run_id: String,
}

/// A run that has begun.
#[derive(Debug)]
pub struct Opened {
    /// Writes what follows.
    pub recorder: Recorder,
    /// `agent.invoke`.
    pub record: Record,
    /// The signed open root.
    pub root: SignedRoot,
}

/// A run that has ended. Nothing can be appended any more.
#[derive(Debug)]
#[must_use = "the last record and the root are to be stored"]
pub struct Closed {
    // INVARIANT: private: only the recorder that wrote the last record says how its run ended.
    record: Record,
    root: SignedRoot,
    status: RunStatus,
}

impl Closed {
    /// `run.close`, the last record.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The signed close root.
    #[must_use]
    pub const fn root(&self) -> &SignedRoot {
        &self.root
    }

    /// How it ended.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        self.status
    }

    /// The last record, to be stored.
    #[must_use]
    pub fn into_record(self) -> Record {
        self.record
    }
}

impl Recorder {
    /// Opens a run: writes `agent.invoke` as record 0, step 0, and signs the open root over it. A refused start is opened
    /// too, and then closed.
    ///
    /// # Errors
    /// When an attribute is not allowed or the signer fails; then nothing has begun.
    pub fn open(
        run_id: RunId,
        common: Common,
        start: AgentInvoke,
        content: Option<&Commitment>,
        times: Times,
        signer: &dyn Signer,
    ) -> Result<Opened, AppendError> {
        if start.key_id != signer.key_id() || start.signer != signer.identity() {
            return Err(AppendError::Key);
        }
        let common_bytes = jcs::to_vec(&common).map_err(AppendError::Canonical)?;
        let state = RecorderState {
            run_id,
            common,
            origin: start.origin.clone(),
            key_id: start.key_id,
            opened_at: times.started_at,
            next: 0,
            head: Hash::ZERO,
            segment: 0,
            prev_root: Hash::ZERO,
            open_leaf: None,
            steps: Steps::new(),
            last: Last::Any,
        };
        let mut recorder = Self { state, common: common_bytes, run_id: run_id.to_string() };
        let span = Span::AgentInvoke(start);
        recorder.check(0, None, times, &span)?;
        let record = recorder.write(0, None, times, &span, content)?;
        let root = recorder.sign(RootDomain::Open, times.ended_at, 1, record.hash, signer)?;
        recorder.commit(&record, 0, &span, content);
        recorder.state.prev_root = root.hash();
        Ok(Opened { recorder, record, root })
    }

    /// Appends what happened in a step.
    ///
    /// # Errors
    /// When it is not allowed here; the chain is as it was.
    pub fn append(
        &mut self,
        step_id: u64,
        parent_step_id: u64,
        times: Times,
        span: &Span,
        content: Option<&Commitment>,
    ) -> Result<Record, AppendError> {
        if matches!(span, Span::RunClose(_)) {
            return Err(AppendError::Order { span: "run.close", expected: "close the recorder to write it" });
        }
        self.check(step_id, Some(parent_step_id), times, span)?;
        let record = self.write(step_id, Some(parent_step_id), times, span, content)?;
        self.commit(&record, step_id, span, content);
        Ok(record)
    }

    /// Says that a log holds the open root, as `line`: the close root names its index. Before anything is waited for.
    ///
    /// # Errors
    /// When it is no line of this run's open root, or the run has been anchored.
    pub fn anchored(&mut self, line: &AnchorLine) -> Result<(), AppendError> {
        if self.state.open_leaf.is_some() {
            return Err(AppendError::Anchored);
        }
        line.opens_to_hash(LeafKind::RunOpen, self.state.prev_root).map_err(AppendError::Anchor)?;
        self.state.open_leaf = Some(line.index());
        Ok(())
    }

    /// Where the open root stands in a log, if it does.
    #[must_use]
    pub const fn open_leaf(&self) -> Option<u64> {
        self.state.open_leaf
    }

    /// Signs that the run waits. The last record must be `oversight.suspend`. The root lies outside the chain.
    ///
    /// # Errors
    /// When it does not, or the signer fails.
    pub fn suspend(&mut self, at: Timestamp, signer: &dyn Signer) -> Result<SignedRoot, AppendError> {
        if self.state.last != Last::Suspend {
            return Err(AppendError::Order {
                span: "oversight.suspend",
                expected: "only a run whose last record says so waits",
            });
        }
        let root = self.sign(RootDomain::Suspend, at, self.state.next, self.state.head, signer)?;
        self.state.prev_root = root.hash();
        Ok(root)
    }

    /// Ends the run: writes and signs `run.close`.
    ///
    /// # Errors
    /// When the signer fails; the error holds the recorder.
    pub fn close(
        self,
        step_id: u64,
        parent_step_id: u64,
        times: Times,
        status: RunStatus,
        signer: &dyn Signer,
    ) -> Result<Closed, CloseError> {
        match self.close_record(step_id, parent_step_id, times, status, signer) {
            Ok((record, root)) => Ok(Closed { record, root, status }),
            Err(source) => Err(CloseError { recorder: Box::new(self), source }),
        }
    }

    fn close_record(
        &self,
        step_id: u64,
        parent_step_id: u64,
        times: Times,
        status: RunStatus,
        signer: &dyn Signer,
    ) -> Result<(Record, SignedRoot), AppendError> {
        let count = self.state.next;
        let span = Span::RunClose(RunClose {
            count,
            missing_oversight: status == RunStatus::OversightMissing,
            status,
        });
        self.check(step_id, Some(parent_step_id), times, &span)?;
        let step = Step { id: step_id, parent: Some(parent_step_id), times, span: &span, content: None };
        let mut unsigned = Vec::with_capacity(1024);
        self.write_payload(&mut unsigned, &step, None)?;
        let root = Root {
            close_hash: Some(sha256(&unsigned)),
            open_leaf: self.state.open_leaf,
            opened_at: Some(self.state.opened_at),
            status: Some(status),
            ..self.root(RootDomain::Close, times.ended_at, count, self.state.head, signer)?
        };
        let root = SignedRoot::sign(root, signer)?;
        let record = self.write_line(&step, Some(root.bytes()))?;
        Ok((record, root))
    }

    /// How many records there are, and the hash of the last.
    #[must_use]
    pub const fn head(&self) -> (u64, Hash) {
        (self.state.next, self.state.head)
    }

    /// The run.
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        self.state.run_id
    }

    /// What is common to its records.
    #[must_use]
    pub const fn common(&self) -> &Common {
        &self.state.common
    }

    /// How often it was resumed.
    #[must_use]
    pub const fn segment(&self) -> u32 {
        self.state.segment
    }

    /// Where it stands, for a snapshot.
    #[must_use]
    pub const fn state(&self) -> &RecorderState {
        &self.state
    }

    /// A recorder that goes on from `state`. Records and roots that were written after the state was taken are then
    /// [followed](Self::follow).
    ///
    /// # Errors
    /// When the run had closed, or the common attributes have no canonical form.
    pub fn resume(state: RecorderState) -> Result<Self, AppendError> {
        if state.last == Last::Close {
            return Err(AppendError::Order { span: "run.resume", expected: "the run has closed" });
        }
        let common = jcs::to_vec(&state.common).map_err(AppendError::Canonical)?;
        let run_id = state.run_id.to_string();
        Ok(Self { state, common, run_id })
    }

    /// Takes over a stored record that continues this chain.
    ///
    /// # Errors
    /// When it does not.
    pub fn follow(&mut self, line: &[u8]) -> Result<Entry, FollowError> {
        let entry = Entry::read(line).map_err(FollowError::Entry)?;
        let differs = |what| Err(FollowError::Chain { what });
        if entry.run_id != self.state.run_id {
            return differs("runId");
        }
        if entry.common != self.state.common {
            return differs("common");
        }
        if entry.sequence != self.state.next {
            return differs("sequence");
        }
        if entry.prev_hash != self.state.head {
            return differs("prevHash");
        }
        if line_hash(line) != Some(entry.hash) {
            return differs("hash");
        }
        let times = Times { started_at: entry.started_at, ended_at: entry.ended_at };
        self.check(entry.step_id, entry.parent_step_id, times, &entry.span).map_err(FollowError::Append)?;
        let record = Record {
            sequence: entry.sequence,
            hash: entry.hash,
            prev_hash: entry.prev_hash,
            bytes: Vec::new(),
        };
        self.commit(&record, entry.step_id, &entry.span, None);
        Ok(entry)
    }

    /// Takes over a stored suspend root that continues this chain.
    ///
    /// # Errors
    /// When it does not.
    pub fn follow_root(&mut self, signed: &SignedRoot) -> Result<(), FollowError> {
        let root = signed.root();
        let state = &self.state;
        for (holds, what) in [
            (root.domain == RootDomain::Suspend && state.last == Last::Suspend, "root's domain"),
            (root.run_id == state.run_id, "root's runId"),
            (root.key_id == state.key_id, "root's keyId"),
            (root.count == state.next, "root's count"),
            (root.head == state.head, "root's head"),
            (root.segment == state.segment, "root's segment"),
            (root.prev_root == state.prev_root, "root's prevRoot"),
        ] {
            if !holds {
                return Err(FollowError::Chain { what });
            }
        }
        self.state.prev_root = signed.hash();
        Ok(())
    }

    /// Everything that must hold before a record is written; the verifier follows the same rules.
    fn check(&self, step_id: u64, parent: Option<u64>, times: Times, span: &Span) -> Result<(), AppendError> {
        let first = self.state.next == 0;
        let order = |expected| Err(AppendError::Order { span: span.name(), expected });
        if matches!(span, Span::AgentInvoke(_)) != first {
            return order("`agent.invoke` is the first record and no other");
        }
        match self.state.last {
            Last::Refused if !matches!(span, Span::RunClose(_)) => {
                return order("a refused start is followed by `run.close`");
            }
            Last::Close => return order("the run has closed"),
            Last::Any | Last::Refused | Last::Suspend => {}
        }
        if let Span::RunResume(RunResume { segment, .. }) = span
            && self.state.segment.checked_add(1) != Some(*segment)
        {
            return order("its `fuze.run.segment` is one more than before");
        }
        if let Span::RunClose(RunClose { count, .. }) = span
            && *count != self.state.next
        {
            return order("its `fuze.run.count` is its sequence");
        }
        if times.ended_at < times.started_at || times.started_at < self.state.opened_at {
            return Err(AppendError::Time);
        }
        match parent {
            None if !first => return Err(AppendError::Parent { parent_step_id: step_id }),
            Some(parent) if first || parent >= step_id => {
                return Err(AppendError::Parent { parent_step_id: parent });
            }
            _ => {}
        }
        if self.state.steps.contains(step_id) || first && step_id != 0 {
            return Err(AppendError::Step { step_id });
        }
        if !is_safe(step_id) || !is_safe(self.state.next) {
            return Err(AppendError::Range);
        }
        Ok(span.check()?)
    }

    fn write(
        &self,
        step_id: u64,
        parent: Option<u64>,
        times: Times,
        span: &Span,
        content: Option<&Commitment>,
    ) -> Result<Record, AppendError> {
        if content.is_some_and(Commitment::is_recorded) {
            return Err(AppendError::ContentUsed);
        }
        let content = content.map(Commitment::content_ref);
        self.write_line(&Step { id: step_id, parent, times, span, content }, None)
    }

    /// Moves the chain on; nothing here can fail.
    fn commit(&mut self, record: &Record, step_id: u64, span: &Span, content: Option<&Commitment>) {
        if let Some(content) = content {
            content.mark_recorded();
        }
        let state = &mut self.state;
        state.steps.insert(step_id);
        state.next = record.sequence + 1;
        state.head = record.hash;
        state.last = match span {
            Span::AgentInvoke(AgentInvoke { outcome: StartOutcome::Refused, .. }) => Last::Refused,
            Span::OversightSuspend(_) => Last::Suspend,
            Span::RunClose(_) => Last::Close,
            _ => Last::Any,
        };
        if let Span::RunResume(resume) = span {
            state.segment = resume.segment;
        }
    }

    fn sign(
        &self,
        domain: RootDomain,
        at: Timestamp,
        count: u64,
        head: Hash,
        signer: &dyn Signer,
    ) -> Result<SignedRoot, AppendError> {
        Ok(SignedRoot::sign(self.root(domain, at, count, head, signer)?, signer)?)
    }

    fn root(
        &self,
        domain: RootDomain,
        at: Timestamp,
        count: u64,
        head: Hash,
        signer: &dyn Signer,
    ) -> Result<Root, AppendError> {
        let state = &self.state;
        if signer.key_id() != state.key_id {
            return Err(AppendError::Key);
        }
        Ok(Root {
            at,
            close_hash: None,
            count,
            domain,
            head,
            key_id: state.key_id,
            open_leaf: None,
            opened_at: None,
            origin: state.origin.clone(),
            prev_root: state.prev_root,
            run_id: state.run_id,
            segment: state.segment,
            status: None,
            suite: Suite::Ed25519Sha256V1,
            tenant: state.common.tenant.clone(),
        })
    }

    /// Serialises once: the octets that are hashed are the tail of the octets that are stored.
    fn write_line(&self, step: &Step<'_>, signature: Option<&[u8]>) -> Result<Record, AppendError> {
        let mut bytes = Vec::with_capacity(1024 + self.common.len() + signature.map_or(0, <[u8]>::len));
        bytes.extend_from_slice(LINE_START);
        bytes.extend_from_slice(&[b'0'; 64]);
        // The brace stands where the comma will: so what is hashed lies in one piece.
        let hashed = bytes.len() + 1;
        bytes.extend_from_slice(b"\"{\"payload\":");
        self.write_payload(&mut bytes, step, signature)?;
        bytes.extend_from_slice(b",\"prevHash\":\"");
        self.state.head.push_hex(&mut bytes);
        bytes.extend_from_slice(b"\",\"sequence\":");
        push_integer(&mut bytes, self.state.next);
        bytes.push(b'}');
        let hash = sha256(bytes.get(hashed..).unwrap_or_default());
        if let Some([place @ .., _, comma]) = bytes.get_mut(LINE_START.len()..=hashed) {
            place.copy_from_slice(&hash.to_hex());
            *comma = b',';
        }
        Ok(Record { sequence: self.state.next, hash, prev_hash: self.state.head, bytes })
    }

    fn write_payload(
        &self,
        out: &mut Vec<u8>,
        step: &Step<'_>,
        signature: Option<&[u8]>,
    ) -> Result<(), AppendError> {
        out.extend_from_slice(b"{\"attrs\":");
        step.span.write_attrs(out)?;
        out.extend_from_slice(b",\"common\":");
        out.extend_from_slice(&self.common);
        if let Some(content) = step.content {
            out.extend_from_slice(b",\"content\":{\"leaves\":");
            push_integer(out, u64::from(content.leaves));
            out.extend_from_slice(b",\"root\":\"");
            content.root.push_hex(out);
            out.extend_from_slice(b"\"}");
        }
        out.extend_from_slice(b",\"endedAt\":\"");
        out.extend_from_slice(&step.times.ended_at.to_rfc3339());
        if let Some(parent) = step.parent {
            out.extend_from_slice(b"\",\"parentStepId\":");
            push_integer(out, parent);
            out.extend_from_slice(b",\"role\":\"");
        } else {
            out.extend_from_slice(b"\",\"role\":\"");
        }
        out.extend_from_slice(step.span.role().as_str().as_bytes());
        out.extend_from_slice(b"\",\"runId\":\"");
        out.extend_from_slice(self.run_id.as_bytes());
        if let Some(signature) = signature {
            out.extend_from_slice(b"\",\"signature\":");
            out.extend_from_slice(signature);
            out.extend_from_slice(b",\"span\":\"");
        } else {
            out.extend_from_slice(b"\",\"span\":\"");
        }
        out.extend_from_slice(step.span.name().as_bytes());
        out.extend_from_slice(b"\",\"startedAt\":\"");
        out.extend_from_slice(&step.times.started_at.to_rfc3339());
        out.extend_from_slice(b"\",\"stepId\":");
        push_integer(out, step.id);
        out.extend_from_slice(b",\"v\":1}");
        Ok(())
    }
}

struct Step<'s> {
    id: u64,
    parent: Option<u64>,
    times: Times,
    span: &'s Span,
    content: Option<ContentRef>,
}
