//! A store in memory that keeps to the contract, or breaks it in exactly one way.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use fuze_agent::store::{
    Batch, Claim, ClaimError, EffectEntry, EffectState, Fence, Ground, Progress, RunState, RunStore,
    SealedProgress, Start, Stop, StoreError, StoredRun, Unanchored, anchor_follows,
};
use fuze_evidence::anchor::AnchorLine;
use fuze_evidence::keys::WrappedRunKeys;
use fuze_evidence::{Hash, Name, RunId};
use fuze_store_suite::Place;

/// One way to break the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    CreatesTwice,
    ForgetsTheFence,
    ForgetsTheHead,
    ChecksTheSequenceOnly,
    WritesBeforeItChecks,
    ReopensClosedRuns,
    LetsWaitingRunsGoOn,
    TakesWaitingRunsOver,
    IssuesTokensAnytime,
    StartsTwice,
    StartsAfterALook,
    StartsWithoutIntent,
    StartsForTheOldEpoch,
    IgnoresStops,
    SoftensAborts,
    IgnoresDeadlines,
    TakesAnyEffect,
    ClaimsTwice,
    ClaimsAgainBySameId,
    ClaimsExpired,
    ClaimsForOthers,
    ClaimsSome,
    CountsTokens,
    ClaimsWithNothing,
    ClaimsAtAnyEpoch,
    UsesTokensUpBeforeItChecks,
    KeepsTheEpochOnClaim,
    ForgetsTheBatchOfAClaim,
    ReportsAWinThatIsLost,
    ClaimsAfterALook,
    KeepsTokensOfClosedRuns,
    KeepsTheEpochOnTakeOver,
    TakesOverAtAnyEpoch,
    AppendsInsteadOfReplacing,
    ReplacesInsteadOfAppending,
    LoadsAllRecords,
    LoadsTheFirstRoot,
    TakesAnyFirstBatch,
    StopsUnknownRuns,
    KeepsWaitingRunsOpen,
    TakesOneEffectABatch,
    ClaimsUnknown,
    RunsWhateverWasClaimed,
    LoadsNoEffects,
    ForgetsTheSubject,
    LosesTheHeadWithoutRecords,
    EndsInTime,
    EndsNothingErased,
    GoesOnInSilence,
    EndsOnlyWhereAllExpired,
    EndsTwice,
    ListsOtherRecords,
    LoadsTheLastRootAsOpen,
    ForgetsAnchors,
    KeepsAnchorsTwice,
    KeepsAnyAnchor,
    ListsRunsThatGoOn,
    ListsWithoutOrder,
}

#[derive(Clone)]
struct Token {
    run: RunId,
    expires: u64,
    claimed_by: Option<[u8; 16]>,
}

#[derive(Clone)]
struct Run {
    epoch: u64,
    state: RunState,
    lines: Vec<Vec<u8>>,
    head: Hash,
    keys: WrappedRunKeys,
    subject: Option<Name>,
    roots: Vec<Vec<u8>>,
    anchors: Vec<AnchorLine>,
    progress: Vec<SealedProgress>,
    effects: Vec<EffectEntry>,
    stop: Option<Stop>,
}

#[derive(Clone, Default)]
struct State {
    runs: HashMap<RunId, Run>,
    tokens: HashMap<Hash, Token>,
}

/// The place and its handles.
#[derive(Clone)]
pub(crate) struct Memory {
    state: Arc<Mutex<State>>,
    bug: Option<Bug>,
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a clock before the year 584554051")
}

impl Memory {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self { state: Arc::default(), bug }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction: works on a copy, which is kept if all went well.
    fn transaction<T, E>(&self, change: impl FnOnce(&mut State) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.lock();
        let mut copy = state.clone();
        let result = change(&mut copy);
        if result.is_ok() || self.has(Bug::WritesBeforeItChecks) {
            *state = copy;
        }
        result
    }

    fn examine(&self, batch: &Batch, run: RunId, first: bool) -> Result<(), StoreError> {
        let rejected = |what: &str| Err(StoreError::Rejected(what.into()));
        if first && self.has(Bug::TakesAnyFirstBatch) {
            return if batch.keys.is_some() { Ok(()) } else { rejected("keys") };
        }
        if batch.keys.as_ref().is_some_and(|keys| keys.run_id() == run) != first {
            return rejected("keys");
        }
        if !first && batch.subject.is_some() {
            return rejected("subject");
        }
        if first && batch.records.first().is_none_or(|record| record.sequence() != 0) {
            return rejected("first record");
        }
        let id = run.to_string();
        if batch.records.iter().any(|record| !String::from_utf8_lossy(record.bytes()).contains(&id)) {
            return rejected("another run's record");
        }
        if (batch.state == RunState::Suspended) == batch.tokens.is_empty()
            && !self.has(Bug::IssuesTokensAnytime)
        {
            return rejected("tokens");
        }
        Ok(())
    }

    fn apply(&self, state: &mut State, id: RunId, batch: &Batch) -> Result<(), StoreError> {
        let run = state.runs.get_mut(&id).ok_or(StoreError::NotFound)?;
        if batch.records.is_empty() && self.has(Bug::LosesTheHeadWithoutRecords) {
            run.head = Hash::ZERO;
        }
        for record in &batch.records {
            let next = u64::try_from(run.lines.len()).expect("few records");
            let sequence = record.sequence() == next || self.has(Bug::ForgetsTheHead);
            let loose = self.has(Bug::ForgetsTheHead) || self.has(Bug::ChecksTheSequenceOnly);
            if !sequence || (record.prev_hash() != run.head && !loose) {
                return Err(StoreError::Fenced);
            }
            run.lines.push(record.bytes().to_vec());
            run.head = record.hash();
        }
        run.roots.extend(batch.roots.iter().map(|root| root.bytes().to_vec()));
        run.state = batch.state;
        match &batch.progress {
            None => {}
            Some(Progress::Append(piece)) => {
                if self.has(Bug::ReplacesInsteadOfAppending) {
                    run.progress.clear();
                }
                run.progress.push(piece.clone());
            }
            Some(Progress::Replace(piece)) => {
                if !self.has(Bug::AppendsInsteadOfReplacing) {
                    run.progress.clear();
                }
                run.progress.push(piece.clone());
            }
        }
        let effects = if self.has(Bug::TakesOneEffectABatch) { 1 } else { usize::MAX };
        for entry in batch.effects.iter().take(effects) {
            self.effect(run, *entry)?;
        }
        for token in &batch.tokens {
            let new = Token { run: id, expires: token.expires_at_unix_ms, claimed_by: None };
            if state.tokens.insert(token.token_hash, new).is_some() {
                return Err(StoreError::Rejected("the token was issued before".into()));
            }
        }
        Ok(())
    }

    fn effect(&self, run: &mut Run, entry: EffectEntry) -> Result<(), StoreError> {
        use EffectState::{Done, InDoubt, Intent, Started};
        let found = run.effects.iter_mut().find(|found| found.exec_id == entry.exec_id);
        let from = found.as_ref().map(|found| found.state);
        let allowed = matches!(
            (from, entry.state),
            (None | Some(Intent), Intent)
                | (Some(Intent | Started | InDoubt), Done)
                | (Some(Started), InDoubt)
        );
        if !allowed && !self.has(Bug::TakesAnyEffect) {
            return Err(StoreError::Rejected("the effect".into()));
        }
        match found {
            Some(found) => found.state = entry.state,
            None => run.effects.push(entry),
        }
        Ok(())
    }

    /// Which tokens a claim would take, or why none.
    fn claimable(&self, state: &State, claim: &Claim) -> Result<(), ClaimError> {
        let run = state.runs.get(&claim.run).ok_or(StoreError::NotFound)?;
        if claim.ground != Ground::Decided {
            if claim.batch.state != RunState::Closed && !self.has(Bug::GoesOnInSilence) {
                return Err(StoreError::Rejected("it goes on in silence".into()).into());
            }
            if self.has(Bug::EndsTwice) {
                return Ok(());
            }
        }
        let mut silent = Vec::new();
        for &hash in &claim.tokens {
            let token = match state.tokens.get(&hash) {
                Some(token) => token,
                None if self.has(Bug::ClaimsUnknown) => continue,
                None => return Err(ClaimError::Unknown(hash)),
            };
            if token.run != claim.run && !self.has(Bug::ClaimsForOthers) {
                return Err(ClaimError::Unknown(hash));
            }
            let again = self.has(Bug::ClaimsAgainBySameId) && token.claimed_by == Some(claim.claim_id);
            if again || self.has(Bug::ClaimsTwice) {
                continue;
            }
            if token.claimed_by.is_some() {
                return Err(ClaimError::Used(hash));
            }
            let expired = token.expires <= now();
            silent.push(expired);
            if expired && claim.ground == Ground::Decided && !self.has(Bug::ClaimsExpired) {
                return Err(ClaimError::Expired(hash));
            }
        }
        let given: BTreeSet<Hash> = claim.tokens.iter().copied().collect();
        let open = |token: &&Token| token.run == claim.run && token.claimed_by.is_none();
        let expected = state.tokens.values().filter(open).count();
        let given = if self.has(Bug::CountsTokens) { claim.tokens.len() } else { given.len() };
        let excused = match self.bug {
            Some(Bug::ClaimsWithNothing) => claim.tokens.is_empty(),
            Some(Bug::ClaimsSome | Bug::ClaimsUnknown) => given > 0,
            Some(Bug::ClaimsForOthers | Bug::ClaimsTwice | Bug::ClaimsAgainBySameId) => given > 0,
            _ => false,
        };
        if (given < expected || given == 0) && !excused {
            return Err(ClaimError::Incomplete);
        }
        let over = match (claim.ground, self.bug) {
            (Ground::Decided, _) | (Ground::Silence, Some(Bug::EndsInTime)) => true,
            (Ground::Silence, Some(Bug::EndsOnlyWhereAllExpired)) => silent.iter().all(|expired| *expired),
            (Ground::Silence, _) | (Ground::Erased | Ground::Abandoned, Some(Bug::EndsNothingErased)) => {
                silent.contains(&true)
            }
            (Ground::Erased | Ground::Abandoned, _) => true,
        };
        if !over {
            return Err(ClaimError::InTime);
        }
        let excused = match self.bug {
            Some(Bug::ClaimsAtAnyEpoch) => run.state == RunState::Suspended,
            Some(Bug::ClaimsTwice | Bug::ClaimsAgainBySameId) => true,
            Some(Bug::KeepsTokensOfClosedRuns) => run.epoch == claim.epoch,
            _ => false,
        };
        if (run.epoch != claim.epoch || run.state != RunState::Suspended) && !excused {
            return Err(StoreError::Fenced.into());
        }
        Ok(())
    }

    fn take(&self, state: &mut State, claim: &Claim) -> Result<Fence, ClaimError> {
        for hash in &claim.tokens {
            if let Some(token) = state.tokens.get_mut(hash) {
                token.claimed_by = Some(claim.claim_id);
            }
        }
        if !self.has(Bug::ForgetsTheBatchOfAClaim) {
            self.apply(state, claim.run, &claim.batch)?;
        }
        let run = state.runs.get_mut(&claim.run).ok_or(StoreError::NotFound)?;
        run.state = if self.has(Bug::RunsWhateverWasClaimed) { RunState::Running } else { claim.batch.state };
        if !self.has(Bug::KeepsTheEpochOnClaim) {
            run.epoch += 1;
        }
        Ok(Fence { run: claim.run, epoch: claim.epoch + 1 })
    }

    fn startable(
        &self,
        state: &State,
        fence: Fence,
        exec_id: Hash,
        deadline: u64,
    ) -> Result<Start, StoreError> {
        let run = state.runs.get(&fence.run).ok_or(StoreError::NotFound)?;
        let other = run.epoch != fence.epoch && !self.has(Bug::StartsForTheOldEpoch);
        if other || run.state != RunState::Running {
            return Ok(Start::Fenced);
        }
        if let Some(stop) = run.stop
            && !self.has(Bug::IgnoresStops)
        {
            return Ok(Start::Stopped(stop));
        }
        if now() >= deadline && !self.has(Bug::IgnoresDeadlines) {
            return Ok(Start::TooLate);
        }
        match run.effects.iter().find(|entry| entry.exec_id == exec_id).map(|entry| entry.state) {
            None if self.has(Bug::StartsWithoutIntent) => Ok(Start::Go),
            None => Err(StoreError::Rejected("no intent".into())),
            Some(EffectState::Intent) => Ok(Start::Go),
            Some(_) if self.has(Bug::StartsTwice) => Ok(Start::Go),
            Some(_) => Ok(Start::AlreadyStarted),
        }
    }
}

#[async_trait]
impl Place for Memory {
    async fn open(&self) -> Result<Arc<dyn RunStore>, String> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl RunStore for Memory {
    fn identity(&self) -> Name {
        Name::new("memory").expect("a name")
    }

    async fn create(&self, id: RunId, batch: Batch) -> Result<Fence, StoreError> {
        self.examine(&batch, id, true)?;
        self.transaction(|state| {
            if state.runs.contains_key(&id) && !self.has(Bug::CreatesTwice) {
                return Err(StoreError::Exists);
            }
            let run = Run {
                epoch: 1,
                state: RunState::Running,
                lines: Vec::new(),
                head: Hash::ZERO,
                keys: batch.keys.clone().expect("examined"),
                subject: batch.subject.clone(),
                roots: Vec::new(),
                anchors: Vec::new(),
                progress: Vec::new(),
                effects: Vec::new(),
                stop: None,
            };
            state.runs.insert(id, run);
            self.apply(state, id, &batch)?;
            Ok(Fence { run: id, epoch: 1 })
        })
    }

    async fn commit(&self, fence: Fence, batch: Batch) -> Result<(), StoreError> {
        self.examine(&batch, fence.run, false)?;
        self.transaction(|state| {
            let run = state.runs.get(&fence.run).ok_or(StoreError::NotFound)?;
            if run.epoch != fence.epoch && !self.has(Bug::ForgetsTheFence) {
                return Err(StoreError::Fenced);
            }
            let allowed = match run.state {
                RunState::Running => true,
                RunState::Suspended => {
                    batch.state == RunState::Closed && !self.has(Bug::KeepsWaitingRunsOpen)
                        || self.has(Bug::LetsWaitingRunsGoOn)
                }
                RunState::Closed => self.has(Bug::ReopensClosedRuns),
            };
            if !allowed {
                return Err(StoreError::Fenced);
            }
            self.apply(state, fence.run, &batch)
        })
    }

    async fn start_effect(&self, fence: Fence, exec_id: Hash, deadline: u64) -> Result<Start, StoreError> {
        let looked = self.startable(&self.lock(), fence, exec_id, deadline);
        if self.has(Bug::StartsAfterALook) {
            // Long enough for the others to look as well.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.transaction(|state| {
            let start = if self.has(Bug::StartsAfterALook) {
                looked?
            } else {
                self.startable(state, fence, exec_id, deadline)?
            };
            let run = state.runs.get_mut(&fence.run).ok_or(StoreError::NotFound)?;
            if start == Start::Go
                && let Some(entry) = run.effects.iter_mut().find(|entry| entry.exec_id == exec_id)
            {
                entry.state = EffectState::Started;
            }
            Ok(start)
        })
    }

    async fn load(&self, id: RunId) -> Result<StoredRun, StoreError> {
        let state = self.lock();
        let run = state.runs.get(&id).ok_or(StoreError::NotFound)?;
        let seen = match run.progress.last() {
            Some(piece) if !self.has(Bug::LoadsAllRecords) => {
                usize::try_from(piece.sequence + 1).expect("few records")
            }
            _ => 0,
        };
        let root = if self.has(Bug::LoadsTheFirstRoot) { run.roots.first() } else { run.roots.last() };
        let last_as_open = self.has(Bug::LoadsTheLastRootAsOpen);
        let open = if last_as_open { run.roots.last() } else { run.roots.first() };
        Ok(StoredRun {
            epoch: run.epoch,
            state: run.state,
            head: (u64::try_from(run.lines.len()).expect("few records"), run.head),
            keys: run.keys.clone(),
            subject: if self.has(Bug::ForgetsTheSubject) { None } else { run.subject.clone() },
            records_after_progress: run.lines.iter().skip(seen).cloned().collect(),
            open_root: open.cloned(),
            last_root: root.cloned(),
            anchors: run.anchors.iter().map(|line| line.bytes().to_vec()).collect(),
            progress: run.progress.clone(),
            effects: if self.has(Bug::LoadsNoEffects) { Vec::new() } else { run.effects.clone() },
            stop: run.stop,
        })
    }

    async fn records(&self, id: RunId, from: u64, limit: u32) -> Result<Vec<Vec<u8>>, StoreError> {
        let state = self.lock();
        let run = state.runs.get(&id).ok_or(StoreError::NotFound)?;
        let from =
            usize::try_from(from).expect("few records") + usize::from(self.has(Bug::ListsOtherRecords));
        Ok(run.lines.iter().skip(from).take(usize::try_from(limit).expect("few records")).cloned().collect())
    }

    async fn take_over(&self, id: RunId, expected: u64) -> Result<Fence, StoreError> {
        self.transaction(|state| {
            let run = state.runs.get_mut(&id).ok_or(StoreError::NotFound)?;
            let epoch = run.epoch == expected || self.has(Bug::TakesOverAtAnyEpoch);
            let waits = run.state == RunState::Suspended && self.has(Bug::TakesWaitingRunsOver);
            if !epoch || !(run.state == RunState::Running || waits) {
                return Err(StoreError::Fenced);
            }
            if !self.has(Bug::KeepsTheEpochOnTakeOver) {
                run.epoch += 1;
            }
            Ok(Fence { run: id, epoch: run.epoch })
        })
    }

    async fn claim(&self, claim: Claim) -> Result<Fence, ClaimError> {
        self.examine(&claim.batch, claim.run, false)?;
        if self.has(Bug::ClaimsAfterALook) {
            self.claimable(&self.lock(), &claim)?;
            // Long enough for the others to look as well.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            return self.transaction(|state| {
                // The record would not follow any more; the one who forgets the look forgets that too.
                self.take(state, &claim).or(Ok(Fence { run: claim.run, epoch: claim.epoch + 1 }))
            });
        }
        if self.has(Bug::UsesTokensUpBeforeItChecks) {
            let mut state = self.lock();
            let before = state.clone();
            for hash in &claim.tokens {
                if let Some(token) = state.tokens.get_mut(hash)
                    && token.run == claim.run
                    && token.expires > now()
                {
                    token.claimed_by = token.claimed_by.or(Some(claim.claim_id));
                }
            }
            self.claimable(&before, &claim)?;
            let mut copy = state.clone();
            let fence = self.take(&mut copy, &claim)?;
            *state = copy;
            return Ok(fence);
        }
        if self.has(Bug::ReportsAWinThatIsLost) {
            // The museum's autocommit `UPDATE … RETURNING`: the answer is there, the commit is not.
            let mut copy = self.lock().clone();
            self.claimable(&copy, &claim)?;
            return self.take(&mut copy, &claim);
        }
        self.transaction(|state| {
            self.claimable(state, &claim)?;
            self.take(state, &claim)
        })
    }

    async fn add_anchor(&self, id: RunId, line: &AnchorLine) -> Result<(), StoreError> {
        let mut state = self.lock();
        let run = state.runs.get_mut(&id).ok_or(StoreError::NotFound)?;
        let follows = match anchor_follows(&run.anchors, run.state == RunState::Closed, line) {
            Ok(false) if self.has(Bug::KeepsAnchorsTwice) => true,
            Err(_) if self.has(Bug::KeepsAnyAnchor) => true,
            other => other?,
        };
        if follows && !self.has(Bug::ForgetsAnchors) {
            run.anchors.push(line.clone());
        }
        Ok(())
    }

    async fn unanchored(&self, after: Option<RunId>, limit: u32) -> Result<Vec<Unanchored>, StoreError> {
        let state = self.lock();
        let closed = |run: &Run| run.state == RunState::Closed || self.has(Bug::ListsRunsThatGoOn);
        let left = state.runs.iter().filter(|(_, run)| run.anchors.len() == 1 && closed(run));
        let mut left: Vec<Unanchored> = left
            .filter(|(id, _)| Some(**id) > after)
            .map(|(id, run)| Unanchored {
                run: *id,
                open_root: run.roots.first().cloned().unwrap_or_default(),
                opened: run.anchors.first().map(|line| line.bytes().to_vec()).unwrap_or_default(),
                close: run.lines.last().cloned().unwrap_or_default(),
            })
            .collect();
        left.sort_unstable_by_key(|left| left.run);
        if self.has(Bug::ListsWithoutOrder) {
            left.reverse();
        }
        left.truncate(usize::try_from(limit).expect("few runs"));
        Ok(left)
    }

    async fn request_stop(&self, id: RunId, stop: Stop) -> Result<(), StoreError> {
        let mut state = self.lock();
        if self.has(Bug::StopsUnknownRuns) && !state.runs.contains_key(&id) {
            return Ok(());
        }
        let run = state.runs.get_mut(&id).ok_or(StoreError::NotFound)?;
        run.stop = if self.has(Bug::SoftensAborts) { Some(stop) } else { run.stop.max(Some(stop)) };
        Ok(())
    }

    async fn stop_requested(&self, id: RunId) -> Result<Option<Stop>, StoreError> {
        Ok(self.lock().runs.get(&id).ok_or(StoreError::NotFound)?.stop)
    }
}
