//! Runs that nobody can continue: nobody decided in time, or the data subject was erased. They end, once, and say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fuze_agent::RunError;
use fuze_agent::deployment::{Clock, DeploymentBuilder};
use fuze_agent::prelude::*;
use fuze_agent::store::{ClaimError, RunStore, StoreError};
use fuze_agent::suspend::{Action, Suspended};
use fuze_agent_loop_tests::{Break, Desk, Fragile, Person, SHORT, SetClock, World, agent, person};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{Chain, Report, RunFiles, TrustedKeys, verify_files};
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, RunId, Timestamp};
use fuze_store::{Options, SqliteStore};
use serde_json::{Value, json};

use super::suspended;

/// Files something, after approval.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn file(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("file {amount}"));
    Ok(amount)
}

/// Sends something, and does not know whether it arrived.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn send(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("send");
    Err(ToolError::new("no answer"))
}

agent! { Office [file, send] i64 }

const DAY: i128 = 24 * 3600;
/// Longer than a decision has time.
const LATE: i128 = 3 * DAY + 1;

fn policy() -> Fixed {
    // One of the two tools has less time than the other.
    let brief = Obligation { deadline_seconds: Some(3600), ..Obligation::default() };
    Fixed::new().allow_tool("file").approve_tool("send", brief)
}

/// A deployment by a clock that a test sets, on a store by the same clock.
struct Case {
    desk: Desk,
    clock: SetClock,
    world: World,
    anna: Person,
}

impl Case {
    fn new() -> Self {
        let clock = SetClock::now_ish();
        Self { desk: Desk::with_clock(&clock), clock, world: World::new(), anna: person("anna") }
    }

    fn on(&self, store: Arc<dyn RunStore>) -> DeploymentBuilder {
        let policy = Fixed::new().allow_classification("public");
        self.desk.builder_on(store, policy, &[&self.anna]).clock(Arc::new(self.clock.clone()))
    }

    fn deployment(&self) -> Deployment {
        self.on(Arc::new(self.desk.store.clone())).build().unwrap()
    }

    async fn waiting(&self, deployment: &Deployment) -> Suspended {
        self.waiting_for(deployment, "file", json!({"amount": 1})).await
    }

    async fn waiting_for(&self, deployment: &Deployment, tool: &str, args: Value) -> Suspended {
        let run = deployment.run(Office, self.world.clone(), ScriptedModel::new().call(tool, args).answer(1));
        let run = run.tenant("t").principal("p").subject("somebody").input("go");
        suspended(run.start().await.unwrap())
    }

    fn resumable(&self, waiting: Suspended) -> fuze_agent::suspend::Resumable {
        let now = self.clock.now();
        let decide = |case| self.anna.decides_at(case, &Action::Approve, now, vec![]);
        let decisions: Vec<_> = waiting.cases().iter().map(decide).collect();
        waiting.verify(&decisions).unwrap()
    }

    async fn resume(
        &self,
        deployment: &Deployment,
        resumable: fuze_agent::suspend::Resumable,
    ) -> Result<Outcome<i64>, RunError> {
        let model = ScriptedModel::new().answer(1);
        deployment.resume(Office, self.world.clone(), model, resumable).go().await
    }

    fn left(&self, run: RunId) -> Left {
        Left::of(&self.desk, &self.desk.store.files(run))
    }
}

/// What a run left, verified without the keys of its content.
struct Left {
    report: Report,
    payloads: Vec<Value>,
}

impl Left {
    fn of(desk: &Desk, files: &[(&'static str, Vec<u8>)]) -> Self {
        let octets = |name: &str| files.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, bytes)| bytes);
        let trusted = TrustedKeys::new().run_key(PublicKey::from_bytes(desk.public_key()).unwrap());
        let streams = RunFiles {
            records: Box::new(octets("records.jsonl")),
            roots: Some(Box::new(octets("roots.jsonl"))),
            content: Some((Box::new(octets("content.jsonl")), Box::new(octets("keys.jsonl")))),
        };
        let report = verify_files(streams, &trusted).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.content.missing, 0);
        let lines = octets("records.jsonl").split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let payloads = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()["payload"].clone());
        Self { report, payloads: payloads.collect() }
    }

    /// The end of a run that was closed because nobody could continue it: nothing was decided, nothing ran.
    fn ended(&self, by: &str, status: RunStatus) {
        assert_eq!(self.report.chain, Chain::Closed(status));
        let [.., waited, cancel, close] = self.payloads.as_slice() else { panic!("too few records") };
        assert_eq!(waited["span"], "oversight.suspend");
        assert_eq!(
            (&cancel["span"], &cancel["attrs"]["fuze.run.cancelled_by"]),
            (&json!("run.cancel"), &json!(by))
        );
        assert_eq!(
            (&close["span"], &close["attrs"]["fuze.run.status"]),
            (&json!("run.close"), &json!(status.as_str()))
        );
        let decided = self.payloads.iter().filter(|p| p["span"] == "human.oversight.decision").count();
        assert_eq!(decided, 0, "silence is nobody's decision");
    }
}

#[tokio::test]
async fn silence_closes_the_run_and_says_so() {
    let case = Case::new();
    let deployment = case.deployment();
    let waiting = case.waiting(&deployment).await;
    let id = waiting.run_id();
    let in_time = case.resumable(waiting);
    let error = deployment.expire(id).await.unwrap_err();
    assert_eq!(error, RunError::Claim(ClaimError::InTime), "people may still decide");
    case.clock.advance_seconds(LATE);
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::Cancelled));
    case.left(id).ended("expired", RunStatus::Cancelled);
    // A decision in hand, the run itself, a recovery, a second end: each is told what happened.
    assert_eq!(case.resume(&deployment, in_time).await.unwrap_err(), RunError::Expired);
    assert_eq!(deployment.suspended(id).await.unwrap_err(), RunError::Expired);
    assert_eq!(deployment.expire(id).await.unwrap_err(), RunError::Expired);
    let recovery = deployment.recover(Office, case.world.clone(), ScriptedModel::new().answer(1), id);
    assert_eq!(recovery.go().await.unwrap_err(), RunError::Expired);
    assert_eq!(case.world.log(), [""; 0]);
}

#[tokio::test]
async fn the_stores_clock_says_what_is_late() {
    let case = Case::new();
    // The deployment believes that the time is over; the store does not.
    let ahead = SetClock::now_ish();
    ahead.advance_seconds(LATE);
    let id = case.waiting(&case.deployment()).await.run_id();
    let store = Arc::new(case.desk.store.clone());
    let deployment = case.on(store).clock(Arc::new(ahead)).build().unwrap();
    assert_eq!(deployment.expire(id).await.unwrap_err(), RunError::Claim(ClaimError::InTime));
    assert!(case.deployment().suspended(id).await.is_ok());
}

#[tokio::test]
async fn a_decision_is_not_recorded_after_its_time_by_the_clock_of_the_records() {
    let (case, clock) = (Case::new(), SetClock::now_ish());
    let store = Arc::new(case.desk.store.clone());
    let deployment = case.on(store).clock(Arc::new(clock.clone())).build().unwrap();
    let waiting = case.waiting(&deployment).await;
    let (id, now) = (waiting.run_id(), fuze_agent::deployment::Clock::now(&clock));
    let signed = case.anna.decides_at(&waiting.cases()[0], &Action::Approve, now, vec![]);
    let in_time = waiting.verify(&[signed]).unwrap();
    clock.advance_seconds(LATE);
    // By the store's clock there is time left.
    let refused = case.resume(&deployment, in_time).await.unwrap_err();
    assert!(matches!(refused, RunError::Claim(ClaimError::Expired(_))), "{refused}");
    assert!(case.deployment().suspended(id).await.is_ok());
}

/// Is set forward once it has been read so often.
struct Jumps(SetClock, Arc<AtomicU32>);

impl Clock for Jumps {
    fn identity(&self) -> Name {
        self.0.identity()
    }
    fn now(&self) -> Timestamp {
        if self.1.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.0.advance_seconds(LATE);
        }
        self.0.now()
    }
}

#[tokio::test]
async fn a_decision_is_not_recorded_after_its_time_wherever_the_clock_is_set_forward() {
    let (mut taken, mut refused) = (0, 0);
    for reads in 0..12 {
        let (case, left) = (Case::new(), Arc::new(AtomicU32::new(u32::MAX)));
        let clock = SetClock::now_ish();
        let jumps = Jumps(clock.clone(), left.clone());
        let store = Arc::new(case.desk.store.clone());
        let deployment = case.on(store).clock(Arc::new(jumps)).build().unwrap();
        let waiting = case.waiting(&deployment).await;
        let id = waiting.run_id();
        let signed = case.anna.decides_at(&waiting.cases()[0], &Action::Approve, clock.now(), vec![]);
        let in_time = waiting.verify(&[signed]).unwrap();
        left.store(reads, Ordering::SeqCst);
        match case.resume(&deployment, in_time).await {
            Ok(_) => taken += 1,
            Err(RunError::Claim(ClaimError::Expired(_))) => refused += 1,
            Err(error) => panic!("{reads}: {error}"),
        }
        assert_eq!(case.desk.replayed(id), [""; 0], "{reads}");
    }
    assert!(taken > 0 && refused > 1, "{taken} taken, {refused} refused");
}

#[tokio::test]
async fn one_case_whose_time_is_over_ends_the_run() {
    let case = Case::new();
    let store = Arc::new(case.desk.store.clone());
    let builder = case.desk.builder_on(store, policy(), &[&case.anna]).clock(Arc::new(case.clock.clone()));
    let deployment = builder.build().unwrap();
    let calls = [("file", json!({"amount": 1})), ("send", json!({}))];
    let run = deployment.run(Office, case.world.clone(), ScriptedModel::new().calls(&calls).answer(1));
    let waiting = suspended(run.start().await.unwrap());
    let (id, in_time) = (waiting.run_id(), case.resumable(waiting));
    case.clock.advance_seconds(3601);
    // The other case has time left, but no decision could continue the run.
    let refused = case.resume(&deployment, in_time).await.unwrap_err();
    assert!(matches!(refused, RunError::Claim(ClaimError::Expired(_))), "{refused}");
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::Cancelled));
    let left = case.left(id);
    assert_eq!(left.payloads.iter().filter(|p| p["span"] == "oversight.suspend").count(), 2);
    left.ended("expired", RunStatus::Cancelled);
}

#[tokio::test]
async fn an_erased_subjects_run_closes_without_any_key_of_the_subject() {
    let case = Case::new();
    let deployment = case.deployment();
    let waiting = case.waiting(&deployment).await;
    let (id, in_time) = (waiting.run_id(), case.resumable(waiting));
    case.desk.subjects.erase_all();
    assert_eq!(case.resume(&deployment, in_time).await.unwrap_err(), RunError::SubjectErased);
    // In time or not: nobody can ever continue it.
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::Cancelled));
    let left = case.left(id);
    left.ended("subject_erased", RunStatus::Cancelled);
    assert!(left.report.content.withheld > 0 && left.report.content.verified == 0, "{:?}", left.report);
    assert_eq!(deployment.expire(id).await.unwrap_err(), RunError::SubjectErased);
    assert_eq!(case.world.log(), [""; 0]);
}

#[tokio::test]
async fn a_doubt_outlives_silence() {
    let case = Case::new();
    let deployment = case.deployment();
    let waiting = case.waiting_for(&deployment, "send", json!({})).await;
    assert_eq!(waiting.cases()[0].token().claims().reason.as_str(), "in_doubt");
    let id = waiting.run_id();
    case.clock.advance_seconds(LATE);
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::InDoubt));
    case.left(id).ended("expired", RunStatus::InDoubt);
}

/// A doubt that a person resolved is none any more.
#[tokio::test]
async fn an_earlier_suspension_does_not_count() {
    let case = Case::new();
    let deployment = case.deployment();
    let waiting = case.waiting_for(&deployment, "send", json!({})).await;
    let id = waiting.run_id();
    let now = case.clock.now();
    let decision = case.anna.decides_at(&waiting.cases()[0], &Action::NotDone, now, vec![]);
    let resumable = waiting.verify(&[decision]).unwrap();
    let model = ScriptedModel::new().call("file", json!({"amount": 2})).answer(1);
    let outcome = deployment.resume(Office, case.world.clone(), model, resumable).go().await.unwrap();
    assert_eq!(suspended(outcome).cases().len(), 1);
    case.clock.advance_seconds(LATE);
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::Cancelled));
    assert_eq!(case.left(id).report.chain, Chain::Closed(RunStatus::Cancelled));
}

#[tokio::test]
async fn what_does_not_wait_does_not_expire() {
    let case = Case::new();
    let deployment = case.deployment();
    let waiting = case.waiting(&deployment).await;
    let id = waiting.run_id();
    let resumable = case.resumable(waiting);
    // A resumed run whose process ended: it waits for nobody.
    let (fragile, hung) = Fragile::at(&case.desk.store, 2, Break::Before);
    let dying = case.on(fragile).build().unwrap();
    tokio::select! {
        _ = case.resume(&dying, resumable) => panic!("it should hang"),
        () = hung.notified() => {}
    }
    case.clock.advance_seconds(LATE);
    assert_eq!(deployment.expire(id).await, Err(RunError::NotSuspended));
    let recovery = deployment.recover(Office, case.world.clone(), ScriptedModel::new().answer(1), id);
    assert_eq!(recovery.go().await.unwrap().status(), "completed");
    assert_eq!(deployment.expire(id).await, Err(RunError::NotSuspended));
    let unknown: RunId = "01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1".parse().unwrap();
    assert_eq!(deployment.expire(unknown).await, Err(RunError::Store(StoreError::NotFound)));
    let without = Deployment::in_memory(Fixed::new()).unwrap();
    assert_eq!(without.expire(id).await, Err(RunError::NoStore));
}

#[tokio::test]
async fn another_deployment_closes_nothing() {
    let case = Case::new();
    let id = case.waiting(&case.deployment()).await.run_id();
    case.clock.advance_seconds(LATE);
    let store = Arc::new(case.desk.store.clone());
    let elsewhere = Deployment::with_store("other.example", case.desk.keys(), policy(), store.clone());
    let elsewhere = elsewhere.clock(Arc::new(case.clock.clone())).build().unwrap();
    assert!(matches!(elsewhere.expire(id).await, Err(RunError::OtherDeployment { .. })));
    let strangers = Deployment::with_store("test.example", Desk::new().keys(), policy(), store);
    let strangers = strangers.clock(Arc::new(case.clock.clone())).build().unwrap();
    // Without the subject's key it looks like an erasure; without the signing key that helps nobody.
    let error = strangers.expire(id).await.unwrap_err();
    assert!(matches!(error, RunError::Records(_)), "{error}");
    assert_eq!(case.deployment().expire(id).await, Ok(RunStatus::Cancelled));
}

/// Records that somebody changed are not signed.
#[tokio::test]
async fn records_that_do_not_hold_are_not_closed() {
    type Change = fn(&mut fuze_agent::store::StoredRun);
    let changes: [(&str, Change); 4] = [
        ("another head", |run| run.head.0 += 1),
        ("a shorter chain", |run| run.head.0 -= 1),
        ("no root", |run| run.last_root = None),
        ("another root", |run| run.last_root.as_mut().unwrap()[200] ^= 1),
    ];
    for (what, change) in changes {
        let case = Case::new();
        let id = case.waiting(&case.deployment()).await.run_id();
        case.clock.advance_seconds(LATE);
        let altered = Arc::new(fuze_agent_loop_tests::Altered::new(&case.desk.store, change));
        let error = case.on(altered).build().unwrap().expire(id).await.unwrap_err();
        assert!(matches!(error, RunError::Records(_)), "{what}: {error}");
        assert_eq!(case.deployment().expire(id).await, Ok(RunStatus::Cancelled), "{what}");
    }
}

/// Both have read the run before either claims it, whichever comes first.
#[tokio::test]
async fn of_a_resume_and_an_erasure_one_wins_and_the_other_knows() {
    for resume_first in [true, false] {
        let case = Case::new();
        let (store, _) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
        let deployment = case.on(store).build().unwrap();
        let waiting = case.waiting(&deployment).await;
        let (id, resumable) = (waiting.run_id(), case.resumable(waiting));
        let resume = case.resume(&deployment, resumable);
        // The subject is erased once the resume has read the run.
        let end = async {
            case.desk.subjects.erase_all();
            deployment.expire(id).await
        };
        let (resumed, ended) = if resume_first {
            tokio::join!(biased; resume, end)
        } else {
            // The resume reads the run and stops before its claim; then the end overtakes it.
            let mut resume = std::pin::pin!(resume);
            let polled =
                std::future::poll_fn(|context| std::task::Poll::Ready(resume.as_mut().poll(context)));
            assert!(polled.await.is_pending());
            let ended = end.await;
            (resume.await, ended)
        };
        match (resume_first, resumed, ended) {
            (true, Ok(outcome), Err(RunError::Claim(ClaimError::Used(_)))) => {
                assert_eq!(outcome.status(), "completed");
                assert_eq!(case.world.log(), ["file 1"]);
                assert_eq!(case.left(id).report.chain, Chain::Closed(RunStatus::Completed));
            }
            (false, Err(RunError::Claim(ClaimError::Used(_))), Ok(RunStatus::Cancelled)) => {
                assert_eq!(case.world.log(), [""; 0]);
                case.left(id).ended("subject_erased", RunStatus::Cancelled);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The process dies at the one write of an end, before it was done or before anybody knew.
#[tokio::test]
async fn an_end_happens_once_wherever_the_process_dies() {
    for (how, erased) in
        [(Break::Before, false), (Break::After, false), (Break::Before, true), (Break::After, true)]
    {
        let case = Case::new();
        let deployment = case.deployment();
        let id = case.waiting(&deployment).await.run_id();
        let (by, error) = if erased {
            case.desk.subjects.erase_all();
            ("subject_erased", RunError::SubjectErased)
        } else {
            case.clock.advance_seconds(LATE);
            ("expired", RunError::Expired)
        };
        let (fragile, hung) = Fragile::at(&case.desk.store, 1, how);
        let dying = case.on(fragile).build().unwrap();
        tokio::select! {
            ended = dying.expire(id) => panic!("it should hang: {ended:?}"),
            () = hung.notified() => {}
        }
        let again = deployment.expire(id).await;
        match how {
            Break::Before => assert_eq!(again, Ok(RunStatus::Cancelled)),
            Break::After => assert_eq!(again, Err(error)),
        }
        case.left(id).ended(by, RunStatus::Cancelled);
        // There is no second write.
        let (fragile, _) = Fragile::at(&case.desk.store, 1, how);
        assert!(case.on(fragile).build().unwrap().expire(id).await.is_err());
    }
}

#[tokio::test]
async fn a_store_that_fails_leaves_the_run_waiting() {
    let case = Case::new();
    let deployment = case.deployment();
    let id = case.waiting(&deployment).await.run_id();
    case.clock.advance_seconds(LATE);
    case.desk.store.fail_from(1, StoreError::Full);
    let error = deployment.expire(id).await.unwrap_err();
    assert_eq!(error, RunError::Claim(ClaimError::Store(StoreError::Full)));
    case.desk.store.mend();
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::Cancelled));
}

/// The same on SQLite, by its own clock: a run that began days ago is late, one that begins now is not.
#[tokio::test]
async fn sqlite_closes_what_is_late_or_erased_wherever_the_process_dies() {
    let at = [None, Some(Break::Before), Some(Break::After)];
    for (how, erased) in at.into_iter().flat_map(|how| [(how, false), (how, true)]) {
        let (case, dir) = (Case::new(), tempfile::tempdir().unwrap());
        let place = dir.path().join("store");
        let open = || Arc::new(SqliteStore::open(&place, &Options::default()).unwrap());
        let store = open();
        let deployment = case.on(store.clone()).build().unwrap();
        let waiting = case.waiting(&deployment).await;
        let mut id = waiting.run_id();
        assert_eq!(deployment.expire(id).await, Err(RunError::Claim(ClaimError::InTime)));
        let mut resumable = case.resumable(waiting);
        if erased {
            case.desk.subjects.erase_all();
        } else {
            case.clock.advance_seconds(-LATE - DAY);
            let waiting = case.waiting(&deployment).await;
            id = waiting.run_id();
            resumable = case.resumable(waiting);
        }
        if let Some(how) = how {
            let (fragile, hung) = Fragile::around(store.clone(), 1, how);
            let dying = case.on(fragile).build().unwrap();
            tokio::select! {
                ended = dying.expire(id) => panic!("it should hang: {ended:?}"),
                () = hung.notified() => {}
            }
        }
        drop((deployment, store));
        let store = open();
        let deployment = case.on(store.clone()).build().unwrap();
        let (by, error) = match erased {
            true => ("subject_erased", RunError::SubjectErased),
            false => ("expired", RunError::Expired),
        };
        match (deployment.expire(id).await, how) {
            (Ok(RunStatus::Cancelled), None | Some(Break::Before)) => {}
            (Err(found), Some(Break::After)) => assert_eq!(found, error),
            other => panic!("{other:?}"),
        }
        assert_eq!(case.resume(&deployment, resumable).await.unwrap_err(), error);
        let place = store.run_directory(id);
        let files = ["records.jsonl", "roots.jsonl", "content.jsonl", "keys.jsonl"]
            .map(|name| (name, std::fs::read(place.join(name)).unwrap()));
        Left::of(&case.desk, &files).ended(by, RunStatus::Cancelled);
        assert_eq!(case.world.log(), [""; 0]);
    }
}

impl Case {
    /// A run that dies at the `nth` write of its store, before it or after it, and whose data subject is erased then.
    async fn left_behind(&self, nth: u32, how: Break) -> Option<RunId> {
        let (fragile, hung) = Fragile::at(&self.desk.store, nth, how);
        let dying = self.on(fragile).build().unwrap();
        let model = ScriptedModel::new().call("send", json!({})).answer(1);
        let run = dying.run(Office, self.world.clone(), model).tenant("t").principal("p").subject("somebody");
        tokio::select! {
            _ = run.input("go").start() => return None,
            () = hung.notified() => {}
        }
        self.desk.subjects.erase_all();
        self.desk.store.runs().first().copied()
    }
}

/// Wherever a run was left behind: without its data subject nobody can recover it, and it ends all the same.
#[tokio::test]
async fn a_run_left_behind_by_a_crash_ends_when_its_subject_is_erased() {
    let mut seen = std::collections::BTreeSet::new();
    for how in [Break::Before, Break::After] {
        for nth in 1..20 {
            let case = Case::new();
            let Some(id) = case.left_behind(nth, how).await else { continue };
            let deployment = case.deployment();
            let model = ScriptedModel::new().answer(1);
            let recovery = deployment.recover(Office, case.world.clone(), model, id).go().await;
            assert_eq!(recovery.unwrap_err(), RunError::SubjectErased);
            let status = deployment.expire(id).await.unwrap();
            seen.insert((status.as_str(), case.world.log().len()));
            let left = case.left(id);
            assert_eq!(left.report.chain, Chain::Closed(status), "{how:?} {nth}");
            let cancel = &left.payloads[left.payloads.len() - 2];
            assert_eq!(cancel["attrs"]["fuze.run.cancelled_by"], "subject_erased");
            let replayed = case.desk.replayed(id);
            assert_eq!(replayed, [""; 0], "{how:?} {nth}");
            assert_eq!(deployment.expire(id).await.unwrap_err(), RunError::SubjectErased);
        }
    }
    // Also where the tool had sent, and nobody wrote down how that ended; never `cancelled` then.
    assert!(seen.contains(&("cancelled", 0)) && seen.contains(&("in_doubt", 1)), "{seen:?}");
    assert!(!seen.contains(&("cancelled", 1)), "{seen:?}");
}

#[tokio::test]
async fn an_end_of_a_run_left_behind_may_die_too() {
    for how in [Break::Before, Break::After] {
        for nth in 1..=2 {
            let case = Case::new();
            let id = case.left_behind(3, Break::After).await.unwrap();
            let (fragile, hung) = Fragile::at(&case.desk.store, nth, how);
            let dying = case.on(fragile).build().unwrap();
            tokio::select! {
                ended = dying.expire(id) => panic!("it should hang: {ended:?}"),
                () = hung.notified() => {}
            }
            match (nth, how) {
                (2, Break::After) => {
                    assert_eq!(case.deployment().expire(id).await, Err(RunError::SubjectErased))
                }
                _ => assert!(case.deployment().expire(id).await.is_ok()),
            }
            assert!(matches!(case.left(id).report.chain, Chain::Closed(_)));
        }
    }
}

/// An operator ends what waits, in time or not, and what a crash left behind; once.
#[tokio::test]
async fn an_operator_ends_any_open_run_once() {
    let case = Case::new();
    let deployment = case.deployment();
    let waiting = case.waiting(&deployment).await;
    let (id, in_time) = (waiting.run_id(), case.resumable(waiting));
    assert_eq!(deployment.abandon(id).await, Ok(RunStatus::Cancelled));
    case.left(id).ended("abort", RunStatus::Cancelled);
    assert_eq!(case.desk.replayed(id), [""; 0]);
    assert!(case.resume(&deployment, in_time).await.is_err());
    assert_eq!(deployment.abandon(id).await.unwrap_err(), RunError::NotSuspended);
    let doubt = case.waiting_for(&deployment, "send", json!({})).await.run_id();
    assert_eq!(deployment.abandon(doubt).await, Ok(RunStatus::InDoubt));
    assert_eq!(Deployment::in_memory(Fixed::new()).unwrap().abandon(id).await, Err(RunError::NoStore));
    for how in [Break::Before, Break::After] {
        let case = Case::new();
        let id = case.left_behind(4, how).await.unwrap();
        let status = case.deployment().abandon(id).await.unwrap();
        let left = case.left(id);
        assert_eq!(left.report.chain, Chain::Closed(status));
        let cancel = &left.payloads[left.payloads.len() - 2];
        assert_eq!(cancel["attrs"]["fuze.run.cancelled_by"], "abort");
        assert_eq!(case.desk.replayed(id), [""; 0]);
    }
}

/// A run that still goes on somewhere is stopped at its next write; one whose subject is there is left alone.
#[tokio::test]
async fn who_still_runs_an_erased_subjects_run_is_fenced_off() {
    let case = Case::new();
    let (fragile, hung) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
    drop(hung);
    let running = case.on(fragile).build().unwrap();
    let model = ScriptedModel::new().call("send", json!({})).answer(1);
    let run = running.run(Office, case.world.clone(), model).tenant("t").principal("p").subject("somebody");
    let mut run = std::pin::pin!(run.input("go").start());
    while case.desk.store.runs().is_empty() {
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(run.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    }
    let id = case.desk.store.runs()[0];
    let deployment = case.deployment();
    assert_eq!(deployment.expire(id).await, Err(RunError::NotSuspended), "its subject is there");
    // Who has neither its keys nor its subject cannot stop it.
    let store = Arc::new(case.desk.store.clone());
    let strangers =
        Deployment::with_store("test.example", Desk::new().keys(), policy(), store).build().unwrap();
    assert!(matches!(strangers.expire(id).await, Err(RunError::Records(_))));
    assert_eq!(case.desk.store.load(id).await.unwrap().epoch, 1, "nobody was fenced off");
    case.desk.subjects.erase_all();
    assert_eq!(deployment.expire(id).await, Ok(RunStatus::Cancelled));
    let outcome = run.await.unwrap();
    assert!(matches!(outcome, Outcome::Halted { .. }), "{outcome:?}");
    assert_eq!(case.world.log(), [""; 0], "what was not begun is not begun");
    assert_eq!(case.left(id).report.chain, Chain::Closed(RunStatus::Cancelled));
}
