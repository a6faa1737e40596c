//! Runs to store: real records, content, keys and roots from the recorder, with keys that are nowhere on disk.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuze_agent::store::{Batch, Claim, Ground, IssuedToken, Progress, RunState, SealedProgress};
use fuze_evidence::anchor::{AnchorLine, Blinding, Prepared};
use fuze_evidence::chain::{Opened, RecorderState, Times};
use fuze_evidence::keys::{FileSigner, MasterKey, SubjectKey, WrappedRunKeys};
use fuze_evidence::random::{OsRandom, Random as _};
use fuze_evidence::record::Entry;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::span::{AgentInvoke, OversightSuspend, RunCancel, RunGap, RunResume};
use fuze_evidence::vocab::{
    AnnexIii, Art22, CancelledBy, Gap, InvokeAgentOperation, LawfulBasis, Residency, ResumeCause, RunStatus,
    StartOutcome, Suite, SuspendReason,
};
use fuze_evidence::{
    Commitment, Common, Hash, Name, Record, Recorder, Redactor, RunId, RunKeys, SealedContent, SignedRoot,
    Signer, Span, Timestamp, content, sha256,
};

use serde_json::{Value, json};

use crate::Wrong;

/// A run that writes itself.
pub struct Sample {
    /// Its id.
    pub run: RunId,
    /// Whose signature its roots bear.
    pub signer: Arc<FileSigner>,
    /// What opens its content.
    pub master: Arc<MasterKey>,
    wrapped: WrappedRunKeys,
    keys: Arc<RunKeys>,
    recorder: Recorder,
    open_root: SignedRoot,
    step: u64,
}

/// A token of a run: claimable until `expires_at_unix_ms`.
#[must_use]
pub fn token(run: RunId, number: u64, expires_at_unix_ms: u64) -> IssuedToken {
    IssuedToken { token_hash: sha256(format!("{run}/{number}").as_bytes()), expires_at_unix_ms }
}

/// How far off [`far`] is: farther than the longest test, in milliseconds.
pub const FAR_MS: u64 = 24 * 3_600_000;

/// Unix milliseconds, a day from now.
#[must_use]
pub fn far() -> u64 {
    now().map_or(0, Timestamp::as_millis) + FAR_MS
}

fn now() -> Result<Timestamp, Wrong> {
    Ok(Timestamp::from_system_time(SystemTime::now())?)
}

fn far_off() -> Result<Timestamp, Wrong> {
    now()?.plus(Duration::from_millis(FAR_MS)).ok_or_else(|| Wrong::new("late"))
}

fn name(text: &str) -> Result<Name, Wrong> {
    Ok(Name::new(text)?)
}

fn start(signer: &FileSigner) -> Result<AgentInvoke, Wrong> {
    Ok(AgentInvoke {
        fingerprint: sha256(b"definition"),
        clock: name("system")?,
        model: name("scripted")?,
        signer: signer.identity(),
        sink: name("none")?,
        store: Some(name("suite")?),
        key_id: signer.key_id(),
        law_as_of: name("2026-08-02")?,
        law_source: name("suite")?,
        model_residency: Residency::Eu,
        model_snapshot: name("scripted-1")?,
        origin: name("suite")?,
        oversight_plan: None,
        registry_hash: None,
        training: None,
        bundle_hash: sha256(b"bundle"),
        engine: name("fixed")?,
        permissive: false,
        purpose: name("test")?,
        retention_content_days: 30,
        retention_decision_days: 200,
        retention_hash_days: 400,
        outcome: StartOutcome::Started,
        refusal: None,
        suite: Suite::Ed25519Sha256V1,
        agent_name: name("sample")?,
        operation: InvokeAgentOperation::InvokeAgent,
    })
}

impl Sample {
    /// A run and the batch that begins it.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn begin() -> Result<(Self, Batch), Wrong> {
        let random = &mut OsRandom::new();
        let signer = Arc::new(FileSigner::ephemeral(name("ephemeral")?, random)?);
        Self::begin_with(signer, Arc::new(MasterKey::ephemeral(random)?), None, json!("hello"))
    }

    /// The same under these keys, with this input, about `subject`, whose key is kept elsewhere under that alias.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn begin_with(
        signer: Arc<FileSigner>,
        master: Arc<MasterKey>,
        subject: Option<(Name, &SubjectKey)>,
        input: Value,
    ) -> Result<(Self, Batch), Wrong> {
        let mut random = OsRandom::new();
        let at = now()?;
        let run = RunId::generate(at, &mut random)?;
        let alias = subject.as_ref().map(|(alias, _)| alias.clone());
        let keys = Arc::new(RunKeys::generate(run, subject, &mut random)?);
        let common = Common {
            annex_iii: AnnexIii::None,
            art22: Art22::None,
            principal: name("principal")?,
            retention: name("retention")?,
            lawful_basis: alias.as_ref().map(|_| LawfulBasis::Contract),
            subject: alias.clone(),
            tenant: name("tenant")?,
        };
        let input = commitment(&keys, input)?;
        let Opened { recorder, record, root } =
            Recorder::open(run, common, start(&signer)?, Some(&input), Times::at(at), &*signer)?;
        let wrapped = keys.wrap(&master, &mut random)?;
        let contents = vec![seal(&input, &keys)?];
        let batch = Batch {
            records: vec![record],
            contents,
            keys: Some(wrapped.clone()),
            subject: alias,
            roots: vec![root.clone()],
            ..Batch::default()
        };
        Ok((Self { run, signer, master, wrapped, keys, recorder, open_root: root, step: 1 }, batch))
    }

    /// A copy that goes on from here by itself.
    ///
    /// # Errors
    /// None for a run that has not closed.
    pub fn fork(&self) -> Result<Self, Wrong> {
        Ok(Self {
            run: self.run,
            signer: Arc::clone(&self.signer),
            master: Arc::clone(&self.master),
            wrapped: self.wrapped.clone(),
            keys: Arc::clone(&self.keys),
            recorder: Recorder::resume(self.recorder.state().clone())?,
            open_root: self.open_root.clone(),
            step: self.step,
        })
    }

    /// How many records there are, and the hash of the last.
    #[must_use]
    pub fn head(&self) -> (u64, Hash) {
        self.recorder.head()
    }

    /// The open root.
    #[must_use]
    pub const fn open_root(&self) -> &SignedRoot {
        &self.open_root
    }

    /// Its keys as they are stored.
    #[must_use]
    pub const fn wrapped(&self) -> &WrappedRunKeys {
        &self.wrapped
    }

    fn append(&mut self, span: &Span, content: Option<&Commitment>) -> Result<Record, Wrong> {
        let record = self.recorder.append(self.step, 0, Times::at(now()?), span, content)?;
        self.step += 1;
        Ok(record)
    }

    /// A batch with one record, which has content.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn go_on(&mut self) -> Result<Batch, Wrong> {
        let said = commitment(&self.keys, json!("went on"))?;
        let span = RunGap { what: Gap::Process, exec_id: None }.into();
        let record = self.append(&span, Some(&said))?;
        Ok(Batch { records: vec![record], contents: vec![seal(&said, &self.keys)?], ..Batch::default() })
    }

    /// A batch that suspends the run at `epoch` and issues `tokens`. Its progress is the recorder's state, unsealed.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn suspend(&mut self, epoch: u64, tokens: &[IssuedToken]) -> Result<Batch, Wrong> {
        let mut records = Vec::new();
        for token in tokens {
            let span = OversightSuspend {
                epoch,
                expires_at: far_off()?,
                of: 1,
                reason: SuspendReason::Law,
                slot: 0,
                snapshot_hash: sha256(b"snapshot"),
                token_hash: token.token_hash,
                args_hash: None,
                call_index: None,
                tool: None,
            };
            records.push(self.append(&span.into(), None)?);
        }
        let root = self.recorder.suspend(now()?, &*self.signer)?;
        let progress = SealedProgress {
            sequence: self.head().0 - 1,
            epoch,
            bytes: serde_json::to_vec(&(self.recorder.state(), self.step))?,
        };
        Ok(Batch {
            records,
            roots: vec![root],
            tokens: tokens.to_vec(),
            progress: Some(Progress::Replace(progress)),
            state: RunState::Suspended,
            ..Batch::default()
        })
    }

    /// A claim of `tokens`, suspended at `epoch`, whose batch has the record `run.resume`.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn claim(&mut self, epoch: u64, tokens: &[IssuedToken]) -> Result<Claim, Wrong> {
        let (step, at) = (self.step, Times::at(now()?));
        let record = resume(&mut self.recorder, step, at, epoch)?;
        self.step += 1;
        claim(self.run, epoch, tokens.iter().map(|token| token.token_hash).collect(), record)
    }

    /// A claim of `tokens`, suspended at `epoch`, that closes the run because nobody can continue it.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn end(mut self, epoch: u64, tokens: &[IssuedToken], ground: Ground) -> Result<Claim, Wrong> {
        let cancelled_by = match ground {
            Ground::Decided | Ground::Silence => CancelledBy::Expired,
            Ground::Erased => CancelledBy::SubjectErased,
            Ground::Abandoned => CancelledBy::Abort,
        };
        let record = self.append(&RunCancel { cancelled_by }.into(), None)?;
        let run = self.run;
        let mut end = claim(run, epoch, tokens.iter().map(|token| token.token_hash).collect(), record)?;
        let Batch { records, state, .. } = self.close_as(RunStatus::Cancelled)?;
        end.ground = ground;
        end.batch.records.extend(records);
        end.batch.state = state;
        Ok(end)
    }

    fn line(&self, prepared: Prepared, index: u64, at: Timestamp) -> Result<AnchorLine, Wrong> {
        Ok(prepared.anchored(index, name("log.example/suite")?, at)?)
    }

    /// The line of the open root, as a log gives it at `index`.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn anchor_open(&self, index: u64) -> Result<AnchorLine, Wrong> {
        let blinding = Blinding::generate(&mut OsRandom::new())?;
        self.line(Prepared::open(&self.open_root, Timestamp::MAX, &blinding)?, index, now()?)
    }

    /// The line of the close root in `batch`.
    ///
    /// # Errors
    /// When the machine has no clock, or the batch does not close.
    pub fn anchor_close(&self, batch: &Batch, open: &AnchorLine, index: u64) -> Result<AnchorLine, Wrong> {
        let last = batch.records.last().ok_or_else(|| Wrong::new("no records"))?;
        let key = PublicKey::from_bytes(self.signer.public_key())?;
        let root = Entry::read(last.bytes())?.close_root(|_| Some(key))?;
        let root = root.ok_or_else(|| Wrong::new("no close"))?;
        self.line(Prepared::close(&root, open)?, index, now()?)
    }

    /// A line that is of no run.
    ///
    /// # Errors
    /// When the machine has no randomness or no clock.
    pub fn anchor_annex(&self, index: u64) -> Result<AnchorLine, Wrong> {
        self.line(
            Prepared::annex(sha256(b"annex"), &Blinding::generate(&mut OsRandom::new())?)?,
            index,
            now()?,
        )
    }

    /// The same leaf at the same place, seen a nanosecond later.
    ///
    /// # Errors
    /// None in practice.
    pub fn later(&self, line: &AnchorLine) -> Result<AnchorLine, Wrong> {
        let at = line.at().plus(Duration::from_nanos(1)).ok_or_else(|| Wrong::new("late"))?;
        changed(line, "at", serde_json::to_value(at)?)
    }

    /// The same leaf at another place.
    ///
    /// # Errors
    /// None in practice.
    pub fn moved(&self, line: &AnchorLine, index: u64) -> Result<AnchorLine, Wrong> {
        changed(line, "index", index.into())
    }

    /// The batch that closes the run: its time is over, and no model had answered.
    ///
    /// # Errors
    /// When the machine has no clock.
    pub fn close(self) -> Result<Batch, Wrong> {
        self.close_as(RunStatus::BudgetExceeded)
    }

    fn close_as(self, status: RunStatus) -> Result<Batch, Wrong> {
        let at = Times::at(now()?);
        let closed = self.recorder.close(self.step, 0, at, status, &*self.signer)?;
        Ok(Batch { records: vec![closed.into_record()], state: RunState::Closed, ..Batch::default() })
    }
}

/// The claim that a process makes which knows a suspended run only from its store.
///
/// # Errors
/// When `progress` is not that of [`Sample::suspend`].
pub fn claim_from(
    run: RunId,
    epoch: u64,
    tokens: Vec<Hash>,
    progress: &SealedProgress,
) -> Result<Claim, Wrong> {
    let (state, step): (RecorderState, u64) = serde_json::from_slice(&progress.bytes)?;
    let record = resume(&mut Recorder::resume(state)?, step, Times::at(now()?), epoch)?;
    claim(run, epoch, tokens, record)
}

fn claim(run: RunId, epoch: u64, tokens: Vec<Hash>, record: Record) -> Result<Claim, Wrong> {
    let mut claim_id = [0; 16];
    OsRandom::new().fill(&mut claim_id)?;
    let batch = Batch { records: vec![record], ..Batch::default() };
    Ok(Claim { run, epoch, claim_id, ground: Ground::Decided, tokens, batch })
}

fn resume(recorder: &mut Recorder, step: u64, at: Times, epoch: u64) -> Result<Record, Wrong> {
    let span = RunResume {
        bundle_hash: sha256(b"bundle"),
        cause: ResumeCause::Decision,
        epoch: epoch + 1,
        segment: recorder.segment() + 1,
    };
    Ok(recorder.append(step, 0, at, &span.into(), None)?)
}

fn changed(line: &AnchorLine, member: &str, to: serde_json::Value) -> Result<AnchorLine, Wrong> {
    let mut value: serde_json::Value = serde_json::from_slice(line.bytes())?;
    value.as_object_mut().ok_or_else(|| Wrong::new("no object"))?.insert(member.into(), to);
    Ok(AnchorLine::read(&fuze_evidence::jcs::to_vec(&value)?)?)
}

fn commitment(keys: &RunKeys, value: Value) -> Result<Commitment, Wrong> {
    Ok(content::commit(Redactor::new(keys).redact(value), &mut OsRandom::new())?)
}

fn seal(commitment: &Commitment, keys: &RunKeys) -> Result<SealedContent, Wrong> {
    Ok(content::seal(commitment, keys, &mut OsRandom::new())?)
}
