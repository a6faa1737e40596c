//! A store of runs in memory: durable as long as the process, and able to fail where a test says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::keys::WrappedRunKeys;
use fuze_evidence::{Hash, Name, RunId};

use crate::deployment::{Clock, ConfigError, SystemClock};
use crate::store::{
    Batch, Claim, ClaimError, EffectEntry, EffectState, Fence, Ground, IssuedToken, Progress, RunState,
    RunStore, SealedProgress, Start, Stop, StoreError, StoredRun, Unanchored, anchor_follows,
};

/// A [`RunStore`] in memory. Clones share their runs, as processes share a database.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    identity: Name,
    clock: Arc<dyn Clock>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    by_id: HashMap<RunId, Stored>,
    /// Writes until the next failure, and which.
    fails: Option<(u32, StoreError)>,
    writes: u32,
}

struct Stored {
    epoch: u64,
    state: RunState,
    keys: WrappedRunKeys,
    subject: Option<Name>,
    records: Vec<Vec<u8>>,
    contents: Vec<(Vec<u8>, Vec<u8>)>,
    roots: Vec<Vec<u8>>,
    anchors: Vec<AnchorLine>,
    head: (u64, Hash),
    progress: Vec<SealedProgress>,
    effects: BTreeMap<Hash, EffectState>,
    tokens: HashMap<Hash, Token>,
    stop: Option<Stop>,
}

struct Token {
    expires_at_unix_ms: u64,
    state: TokenState,
}

#[derive(PartialEq)]
enum TokenState {
    Open,
    Used,
    Void,
}

impl MemoryStore {
    /// An empty store.
    ///
    /// # Errors
    /// None in practice: its names are constants.
    pub fn new() -> Result<Self, ConfigError> {
        Self::with_clock(Arc::new(SystemClock::new()?))
    }

    /// An empty store with a clock of its own, by which tokens expire.
    ///
    /// # Errors
    /// None in practice: its name is a constant.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let identity = Name::new("memory/1").map_err(|error| ConfigError::Key(error.to_string()))?;
        Ok(Self(Arc::new(Shared { identity, clock, runs: Mutex::default() })))
    }

    /// The `nth` write from now on fails, and every one after it. 1 is the next.
    pub fn fail_from(&self, nth: u32, error: StoreError) {
        let mut runs = self.lock();
        runs.fails = Some((runs.writes + nth, error));
    }

    /// Writes succeed again.
    pub fn mend(&self) {
        self.lock().fails = None;
    }

    /// How many writes there were.
    #[must_use]
    pub fn writes(&self) -> u32 {
        self.lock().writes
    }

    /// The runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        let mut runs: Vec<RunId> = self.lock().by_id.keys().copied().collect();
        runs.sort_unstable();
        runs
    }

    /// A run's records as lines, without line feeds.
    #[must_use]
    pub fn records(&self, run: RunId) -> Vec<Vec<u8>> {
        self.lock().by_id.get(&run).map(|run| run.records.clone()).unwrap_or_default()
    }

    /// A run's directory as files of the evidence format: name and bytes.
    #[must_use]
    pub fn files(&self, run: RunId) -> Vec<(&'static str, Vec<u8>)> {
        let runs = self.lock();
        let Some(run) = runs.by_id.get(&run) else { return Vec::new() };
        let lines = |lines: &mut dyn Iterator<Item = &[u8]>| {
            let mut file = Vec::new();
            for line in lines {
                file.extend_from_slice(line);
                file.push(b'\n');
            }
            file
        };
        let key_line = run.keys.to_line().unwrap_or_default();
        let mut keys =
            std::iter::once(key_line.as_slice()).chain(run.contents.iter().map(|(_, keys)| keys.as_slice()));
        let mut files = vec![
            ("records.jsonl", lines(&mut run.records.iter().map(Vec::as_slice))),
            ("roots.jsonl", lines(&mut run.roots.iter().map(Vec::as_slice))),
            ("content.jsonl", lines(&mut run.contents.iter().map(|(content, _)| content.as_slice()))),
            ("keys.jsonl", lines(&mut keys)),
        ];
        if !run.anchors.is_empty() {
            files.push(("anchors.jsonl", lines(&mut run.anchors.iter().map(AnchorLine::bytes))));
        }
        files
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<MutexGuard<'_, Runs>, StoreError> {
        let mut runs = self.lock();
        runs.writes += 1;
        match &runs.fails {
            Some((from, error)) if runs.writes >= *from => Err(error.clone()),
            Some(_) | None => Ok(runs),
        }
    }

    fn now_unix_ms(&self) -> u64 {
        self.0.clock.now().as_millis()
    }
}

#[async_trait]
impl RunStore for MemoryStore {
    fn identity(&self) -> Name {
        self.0.identity.clone()
    }

    async fn create(&self, run: RunId, mut batch: Batch) -> Result<Fence, StoreError> {
        examine(run, &batch)?;
        let mut runs = self.write()?;
        if runs.by_id.contains_key(&run) {
            return Err(StoreError::Exists);
        }
        let keys =
            batch.keys.take().ok_or_else(|| StoreError::Rejected("the run's keys are missing".into()))?;
        let mut stored = Stored {
            epoch: 1,
            state: RunState::Running,
            keys,
            subject: batch.subject.take(),
            records: Vec::new(),
            contents: Vec::new(),
            roots: Vec::new(),
            anchors: Vec::new(),
            head: (0, Hash::ZERO),
            progress: Vec::new(),
            effects: BTreeMap::new(),
            tokens: HashMap::new(),
            stop: None,
        };
        stored.apply(batch)?;
        runs.by_id.insert(run, stored);
        Ok(Fence { run, epoch: 1 })
    }

    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        examine(fence.run, &batch)?;
        let mut runs = self.write()?;
        let issued =
            |token: &IssuedToken| runs.by_id.values().any(|r| r.tokens.contains_key(&token.token_hash));
        if batch.tokens.iter().any(issued) {
            return Err(StoreError::Rejected("a token was issued before".into()));
        }
        let stored = runs.by_id.get_mut(&fence.run).ok_or(StoreError::NotFound)?;
        // Only a claim lets a run that waits go on; it may be closed without one.
        let held = match stored.state {
            RunState::Running => true,
            RunState::Suspended => batch.state == RunState::Closed,
            RunState::Closed => false,
        };
        match held && stored.epoch == fence.epoch {
            true => stored.apply(batch),
            false => Err(StoreError::Fenced),
        }
    }

    async fn start_effect(
        &self,
        fence: Fence,
        exec_id: Hash,
        deadline_unix_ms: u64,
    ) -> Result<Start, StoreError> {
        let now = self.now_unix_ms();
        let mut runs = self.write()?;
        let stored = runs.by_id.get_mut(&fence.run).ok_or(StoreError::NotFound)?;
        if stored.epoch != fence.epoch || stored.state != RunState::Running {
            return Ok(Start::Fenced);
        }
        if let Some(stop) = stored.stop {
            return Ok(Start::Stopped(stop));
        }
        if now >= deadline_unix_ms {
            return Ok(Start::TooLate);
        }
        match stored.effects.get_mut(&exec_id) {
            Some(state @ EffectState::Intent) => {
                *state = EffectState::Started;
                Ok(Start::Go)
            }
            Some(EffectState::Started | EffectState::Done | EffectState::InDoubt) => {
                Ok(Start::AlreadyStarted)
            }
            None => Err(StoreError::Rejected(format!("the execution {exec_id} has no intent"))),
        }
    }

    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let runs = self.lock();
        let stored = runs.by_id.get(&run).ok_or(StoreError::NotFound)?;
        let after = stored.progress.last().map_or(0, |piece| piece.sequence + 1);
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(StoredRun {
            epoch: stored.epoch,
            state: stored.state,
            head: stored.head,
            keys: stored.keys.clone(),
            subject: stored.subject.clone(),
            records_after_progress: stored.records.get(after..).unwrap_or_default().to_vec(),
            open_root: stored.roots.first().cloned(),
            last_root: stored.roots.last().cloned(),
            anchors: stored.anchors.iter().map(|line| line.bytes().to_vec()).collect(),
            progress: stored.progress.clone(),
            effects: stored
                .effects
                .iter()
                .map(|(exec_id, state)| EffectEntry { exec_id: *exec_id, state: *state })
                .collect(),
            stop: stored.stop,
        })
    }

    async fn records(&self, run: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        let runs = self.lock();
        let stored = runs.by_id.get(&run).ok_or(StoreError::NotFound)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(stored.records.iter().skip(from).take(limit).cloned().collect())
    }

    async fn take_over(&self, run: RunId, expected_epoch: u64) -> Result<Fence, StoreError> {
        let mut runs = self.write()?;
        let stored = runs.by_id.get_mut(&run).ok_or(StoreError::NotFound)?;
        if stored.epoch != expected_epoch || stored.state != RunState::Running {
            return Err(StoreError::Fenced);
        }
        stored.epoch += 1;
        Ok(Fence { run, epoch: stored.epoch })
    }

    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError> {
        if claim.ground != Ground::Decided && claim.batch.state != RunState::Closed {
            let why = "silence and erasure close a run, they do not continue it";
            return Err(StoreError::Rejected(why.into()).into());
        }
        let now = self.now_unix_ms();
        let mut runs = self.write()?;
        let stored = runs.by_id.get_mut(&claim.run).ok_or(StoreError::NotFound)?;
        let mut silent = false;
        for token in &claim.tokens {
            match stored.tokens.get(token) {
                None | Some(Token { state: TokenState::Void, .. }) => {
                    return Err(ClaimError::Unknown(*token));
                }
                Some(Token { state: TokenState::Used, .. }) => return Err(ClaimError::Used(*token)),
                Some(known) if known.expires_at_unix_ms <= now => match claim.ground {
                    Ground::Decided => return Err(ClaimError::Expired(*token)),
                    Ground::Silence | Ground::Erased | Ground::Abandoned => silent = true,
                },
                Some(_) => {}
            }
        }
        let open = stored.tokens.values().filter(|token| token.state == TokenState::Open).count();
        let given: BTreeSet<Hash> = claim.tokens.iter().copied().collect();
        if given.is_empty() || open != given.len() {
            return Err(ClaimError::Incomplete);
        }
        if claim.ground == Ground::Silence && !silent {
            return Err(ClaimError::InTime);
        }
        if stored.epoch != claim.epoch || stored.state != RunState::Suspended {
            return Err(StoreError::Fenced.into());
        }
        stored.apply(claim.batch)?;
        for token in &claim.tokens {
            if let Some(token) = stored.tokens.get_mut(token) {
                token.state = TokenState::Used;
            }
        }
        stored.epoch += 1;
        Ok(Fence { run: claim.run, epoch: stored.epoch })
    }

    async fn add_anchor(&self, run: RunId, line: &AnchorLine) -> Result<(), StoreError> {
        let mut runs = self.write()?;
        let stored = runs.by_id.get_mut(&run).ok_or(StoreError::NotFound)?;
        if anchor_follows(&stored.anchors, stored.state == RunState::Closed, line)? {
            stored.anchors.push(line.clone());
        }
        Ok(())
    }

    async fn unanchored(&self, after: Option<RunId>, limit: u32) -> Result<Vec<Unanchored>, StoreError> {
        let runs = self.lock();
        let waiting =
            runs.by_id.iter().filter(|(id, run)| Some(**id) > after && run.state == RunState::Closed);
        let mut left: Vec<Unanchored> = waiting
            .filter_map(|(id, run)| {
                let [opened] = run.anchors.as_slice() else { return None };
                Some(Unanchored {
                    run: *id,
                    open_root: run.roots.first().cloned().unwrap_or_default(),
                    opened: opened.bytes().to_vec(),
                    close: run.records.last().cloned().unwrap_or_default(),
                })
            })
            .collect();
        left.sort_unstable_by_key(|left| left.run);
        left.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(left)
    }

    async fn request_stop(&self, run: RunId, stop: Stop) -> Result<(), StoreError> {
        let mut runs = self.write()?;
        let stored = runs.by_id.get_mut(&run).ok_or(StoreError::NotFound)?;
        stored.stop = stored.stop.max(Some(stop));
        Ok(())
    }

    async fn stop_requested(&self, run: RunId) -> Result<Option<Stop>, StoreError> {
        let runs = self.lock();
        runs.by_id.get(&run).map(|run| run.stop).ok_or(StoreError::NotFound)
    }
}

/// Whether a batch agrees with itself and is of this run.
fn examine(run: RunId, batch: &Batch) -> Result<(), StoreError> {
    let rejected = |why: &str| Err(StoreError::Rejected(why.into()));
    if batch.keys.as_ref().is_some_and(|keys| keys.run_id() != run) {
        return rejected("the wrapped keys are another run's");
    }
    // No string inside a record can hold an unescaped quotation mark, so this is the member and nothing else.
    let member = format!("\"runId\":\"{run}\"");
    let ours = |bytes: &[u8]| bytes.windows(member.len()).any(|window| window == member.as_bytes());
    if !batch.records.iter().all(|record| ours(record.bytes())) {
        return rejected("a record is another run's");
    }
    if (batch.state == RunState::Suspended) == batch.tokens.is_empty() {
        return rejected("tokens belong to a suspension");
    }
    Ok(())
}

impl Stored {
    /// All of a batch, or nothing.
    fn apply(&mut self, batch: Batch) -> Result<(), StoreError> {
        let mut head = self.head;
        for record in &batch.records {
            if record.sequence() != head.0 || record.prev_hash() != head.1 {
                return Err(StoreError::Fenced);
            }
            head = (record.sequence() + 1, record.hash());
        }
        let mut effects = self.effects.clone();
        for entry in &batch.effects {
            let before = effects.get(&entry.exec_id).copied();
            let allowed = matches!(
                (before, entry.state),
                (None | Some(EffectState::Intent), EffectState::Intent)
                    | (
                        Some(EffectState::Intent | EffectState::Started | EffectState::InDoubt),
                        EffectState::Done
                    )
                    | (Some(EffectState::Started), EffectState::InDoubt)
            );
            if !allowed {
                let why = format!("the execution {} cannot become {}", entry.exec_id, entry.state.name());
                return Err(StoreError::Rejected(why));
            }
            effects.insert(entry.exec_id, entry.state);
        }
        self.head = head;
        self.effects = effects;
        self.records.extend(batch.records.iter().map(|record| record.bytes().to_vec()));
        let lines = batch.contents.iter().map(|c| (c.content_line().to_vec(), c.keys_line().to_vec()));
        self.contents.extend(lines);
        self.roots.extend(batch.roots.iter().map(|root| root.bytes().to_vec()));
        match batch.progress {
            None => {}
            Some(Progress::Append(piece)) => self.progress.push(piece),
            Some(Progress::Replace(piece)) => self.progress = vec![piece],
        }
        if !batch.tokens.is_empty() {
            for token in self.tokens.values_mut().filter(|token| token.state == TokenState::Open) {
                token.state = TokenState::Void;
            }
        }
        for token in batch.tokens {
            let issued = Token { expires_at_unix_ms: token.expires_at_unix_ms, state: TokenState::Open };
            self.tokens.insert(token.token_hash, issued);
        }
        self.state = batch.state;
        Ok(())
    }
}
