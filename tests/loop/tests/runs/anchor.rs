//! Runs in a transparency log: before anything is done, after the last record, once, whatever dies or fails in between.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fuze_agent::deployment::{ConfigError, DeploymentBuilder};
use fuze_agent::prelude::*;
use fuze_agent::store::{RunStore, StoreError};
use fuze_agent::suspend::{Action, Suspended};
use fuze_agent::{Anchored, RunError};
use fuze_agent_loop_tests::{Break, Desk, Fragile, Person, SHORT, SetClock, World, agent, person};
use fuze_evidence::anchor::{Anchor, AnchorError, AnchorLine, Blinding};
use fuze_evidence::annex::ErasureReason;
use fuze_evidence::erase::{Done, Order, Registrar, Target};
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::record::Entry;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::sink::{JsonlSink, MemorySink, Sink};
use fuze_evidence::{Name, RunId, SignedRoot, Timestamp};
use fuze_log::monitor::Monitor;
use fuze_log::proof::verify_anchor;
use fuze_log::{Log, LogOptions, Policy as LogPolicy};
use fuze_store::{Eraser, Options, SqliteStore};

use super::{run, suspended, why};

/// Files something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn file(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("file");
    Ok(1)
}

/// Files something, after approval.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn asks(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("asks");
    Ok(1)
}

agent! { Clerk [file] i64 }
agent! { Office [file, asks] i64 }

/// What the log does when it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Works,
    /// Takes nothing.
    Refuses,
    /// Takes the leaf, and its answer is lost.
    Forgets,
    /// Never answers.
    Hangs,
}

/// A real log that can be in a mood.
struct Moody {
    log: Arc<Log>,
    /// For opens, and for closes.
    moods: Mutex<[Mood; 2]>,
    asked: AtomicU32,
}

impl Moody {
    async fn answer(
        &self,
        close: bool,
        asked: impl Future<Output = Result<AnchorLine, AnchorError>> + Send,
    ) -> Result<AnchorLine, AnchorError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mood = self.moods.lock().unwrap()[usize::from(close)];
        match mood {
            Mood::Works => busily(asked).await,
            Mood::Refuses => Err(AnchorError::Busy("come back later".into())),
            Mood::Forgets => {
                busily(asked).await.unwrap();
                Err(AnchorError::Place("the line broke".into()))
            }
            Mood::Hangs => std::future::pending().await,
        }
    }
}

/// Waits without being idle: the log works on a thread of its own, and a paused clock must not go on meanwhile.
async fn busily<T>(asked: impl Future<Output = T>) -> T {
    let mut asked = std::pin::pin!(asked);
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => return answer,
            () = tokio::task::yield_now() => {}
        }
    }
}

#[async_trait]
impl Anchor for Moody {
    fn origin(&self) -> &Name {
        self.log.origin()
    }
    fn public_key(&self) -> [u8; 32] {
        Anchor::public_key(&*self.log)
    }
    async fn anchor_open(
        &self,
        root: &SignedRoot,
        deadline: Timestamp,
        blinding: &Blinding,
    ) -> Result<AnchorLine, AnchorError> {
        self.answer(false, self.log.anchor_open(root, deadline, blinding)).await
    }
    async fn anchor_close(&self, root: &SignedRoot, opened: &AnchorLine) -> Result<AnchorLine, AnchorError> {
        self.answer(true, self.log.anchor_close(root, opened)).await
    }
}

struct Case {
    desk: Desk,
    clock: SetClock,
    log: Arc<Moody>,
    world: World,
    anna: Person,
    _place: tempfile::TempDir,
}

fn new_log(place: &std::path::Path, origin: &str, signer: FileSigner) -> Arc<Log> {
    let origin = Name::new(origin).unwrap();
    Arc::new(Log::create(place, &origin, Arc::new(signer), LogOptions::new()).unwrap())
}

fn new_signer() -> FileSigner {
    FileSigner::ephemeral(Name::new("log").unwrap(), &mut OsRandom::new()).unwrap()
}

impl Case {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let log = new_log(&place.path().join("log"), "log.example/runs", new_signer());
        let log = Moody { log, moods: Mutex::new([Mood::Works; 2]), asked: AtomicU32::new(0) };
        let clock = SetClock::now_ish();
        Self {
            desk: Desk::with_clock(&clock),
            clock,
            log: Arc::new(log),
            world: World::new(),
            anna: person("anna"),
            _place: place,
        }
    }

    fn mood(&self, open: Mood, close: Mood) {
        *self.log.moods.lock().unwrap() = [open, close];
    }

    fn builder(&self, store: Arc<dyn RunStore>) -> DeploymentBuilder {
        let policy = Fixed::new().allow_classification("public");
        let builder = self.desk.builder_on(store, policy, &[&self.anna]);
        builder.clock(Arc::new(self.clock.clone())).log(self.log.clone())
    }

    fn on(&self, store: Arc<dyn RunStore>) -> Deployment {
        self.builder(store).build().unwrap()
    }

    fn deployment(&self) -> Deployment {
        self.on(Arc::new(self.desk.store.clone()))
    }

    async fn run(&self, deployment: &Deployment) -> Outcome<i64> {
        run(deployment, Clerk, &self.world, filing()).await
    }

    async fn waiting(&self, deployment: &Deployment) -> Suspended {
        let model = ScriptedModel::new().call("asks", serde_json::json!({})).answer(1);
        let run = deployment.run(Office, self.world.clone(), model).tenant("t").principal("p").input("go");
        suspended(run.subject("somebody").start().await.unwrap())
    }

    async fn approve(&self, deployment: &Deployment, waiting: Suspended) -> Result<Outcome<i64>, RunError> {
        let now = fuze_agent::deployment::Clock::now(&self.clock);
        let decide = |case| self.anna.decides_at(case, &Action::Approve, now, vec![]);
        let decisions: Vec<_> = waiting.cases().iter().map(decide).collect();
        let resumable = waiting.verify(&decisions).unwrap();
        let model = ScriptedModel::new().answer(1);
        deployment.resume(Office, self.world.clone(), model, resumable).go().await
    }

    fn size(&self) -> u64 {
        self.log.log.checkpoint().unwrap().checkpoint().size()
    }

    /// The runs of the store, in the order of their ids.
    fn only(&self) -> RunId {
        let [run] = self.desk.store.runs().try_into().unwrap();
        run
    }

    fn left(&self, run: RunId) -> Left {
        Left::read(&self.desk, &self.desk.store.files(run))
    }

    /// What a stranger sees who has the log, the run's files and the log's key: both roots are proven, once, and nothing is missing.
    fn in_order(&self, run: RunId) {
        let left = self.left(run);
        let [open, close] = left.lines.as_slice() else { panic!("{:?}", left.lines) };
        let closing = left.close.as_ref().unwrap();
        assert_eq!(closing.root().open_leaf, Some(open.index()), "the close names the leaf of the open");
        close.closes(closing, open).unwrap();
        let policy = LogPolicy::new(self.log.log.vkey().clone(), vec![], 0).unwrap();
        for (root, line) in [(&left.open, open), (closing, close)] {
            let proof = self.log.log.reader().proof(line.index()).unwrap().to_string();
            let proven = verify_anchor(root, line, proof.as_bytes(), &policy).unwrap();
            assert_eq!(proven.index, line.index());
        }
        assert_eq!(self.findings(), [], "neither missing nor there twice");
    }

    fn findings(&self) -> Vec<fuze_log::monitor::Finding> {
        let policy = LogPolicy::new(self.log.log.vkey().clone(), vec![], 0).unwrap();
        let mut monitor = Monitor::new();
        let reader = self.log.log.reader();
        reader.audit(&policy, |index, entry| monitor.observe(index, entry)).unwrap();
        monitor.report(Timestamp::MAX)
    }
}

fn filing() -> ScriptedModel {
    ScriptedModel::new().call("file", serde_json::json!({})).answer(1)
}

/// What a run left: its roots, and what opens their leaves.
struct Left {
    open: SignedRoot,
    close: Option<SignedRoot>,
    lines: Vec<AnchorLine>,
}

impl Left {
    fn read(desk: &Desk, files: &[(&'static str, Vec<u8>)]) -> Self {
        let octets = |name: &str| files.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, found)| found);
        let key = PublicKey::from_bytes(desk.public_key()).unwrap();
        let first = octets("roots.jsonl").split(|octet| *octet == b'\n').next().unwrap();
        let last = octets("records.jsonl").split(|octet| *octet == b'\n').rev().nth(1).unwrap();
        Self {
            open: SignedRoot::read(first, |_| Some(key)).unwrap(),
            close: Entry::read(last).unwrap().close_root(|_| Some(key)).unwrap(),
            lines: AnchorLine::read_all(octets("anchors.jsonl")).unwrap(),
        }
    }
}

#[tokio::test]
async fn both_roots_of_a_run_stand_in_the_log() {
    let case = Case::new();
    let outcome = case.run(&case.deployment()).await;
    assert_eq!(outcome.report().anchored, Anchored::Closed { open: 0, close: 1 });
    assert_eq!((outcome.status(), case.world.times("file"), case.size()), ("completed", 1, 2));
    case.in_order(case.only());
    assert!(case.desk.evidence(case.only()).files.contains("\"openLeaf\":0"));
    let deadline = case.left(case.only()).lines[0].leaf().deadline().unwrap();
    let began = case.left(case.only()).open.root().at;
    assert_eq!(deadline.nanos_since(began), Some(30 * 24 * 3600 * 1_000_000_000));
}

#[tokio::test]
async fn without_a_log_nothing_is_anchored() {
    let desk = Desk::new();
    let outcome =
        run(&desk.deploy(Fixed::new().allow_tool("file"), &[]), Clerk, &World::new(), filing()).await;
    assert_eq!(outcome.report().anchored, Anchored::Not);
    assert!(!desk.evidence(outcome.report().run_id).files.contains("openLeaf"));
}

#[tokio::test(start_paused = true)]
async fn what_the_log_does_not_take_does_nothing() {
    for mood in [Mood::Refuses, Mood::Forgets, Mood::Hangs] {
        let case = Case::new();
        case.mood(mood, Mood::Works);
        let outcome = case.run(&case.deployment()).await;
        assert_eq!((outcome.status(), &outcome.report().anchored), ("halted", &Anchored::Not));
        assert!(why(&outcome).starts_with("the run could not be anchored: "), "{outcome:?}");
        assert_eq!(case.world.log(), Vec::<String>::new());
        let evidence = case.desk.evidence(case.only());
        let spans: Vec<_> = evidence.records.iter().map(|record| record["span"].as_str().unwrap()).collect();
        assert_eq!(spans, ["agent.invoke", "run.close"], "no model was asked");
        assert_eq!(case.left(case.only()).close.unwrap().root().open_leaf, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_the_log_does_not_take_is_settled_later_and_stands_there_once() {
    for mood in [Mood::Refuses, Mood::Forgets, Mood::Hangs] {
        let case = Case::new();
        case.mood(Mood::Works, mood);
        let deployment = case.deployment();
        let outcome = case.run(&deployment).await;
        let Anchored::Pending { open: 0, why } = &outcome.report().anchored else { panic!("{outcome:?}") };
        assert!(!why.is_empty());
        assert_eq!(outcome.status(), "completed", "the answer is not lost");
        let id = case.only();
        let settled = deployment.settle_anchors().await.unwrap();
        assert_eq!((settled.anchored.as_slice(), settled.pending.len()), (&[][..], 1), "still in that mood");
        assert_eq!(settled.pending[0].0, id);
        case.mood(Mood::Works, Mood::Works);
        let settled = case.deployment().settle_anchors().await.unwrap();
        assert_eq!((settled.anchored.as_slice(), settled.pending.len()), (&[id][..], 0));
        case.in_order(id);
        let asked = case.log.asked.load(Ordering::SeqCst);
        assert_eq!(deployment.settle_anchors().await.unwrap(), fuze_agent::Settled::default());
        assert_eq!(case.log.asked.load(Ordering::SeqCst), asked, "what is settled is not asked for again");
    }
}

/// The process dies before or after each write of the store; then it is recovered, and settled if it had closed.
#[tokio::test]
async fn whenever_the_process_dies_the_run_is_in_the_log_once() {
    let mut recovered = 0;
    for how in [Break::Before, Break::After] {
        for at in 1..40 {
            let case = Case::new();
            let (store, hung) = Fragile::at(&case.desk.store, at, how);
            let deployment = case.on(store);
            let done = tokio::select! {
                outcome = case.run(&deployment) => Some(outcome),
                () = hung.notified() => None,
            };
            if done.is_some_and(|outcome| outcome.status() == "completed") {
                assert!(recovered > 6, "dies at few places: {recovered}");
                break;
            }
            let Some(id) = case.desk.store.runs().first().copied() else {
                assert_eq!(case.size(), 0, "a run that is nowhere is in no log");
                continue;
            };
            recovered += 1;
            let deployment = case.deployment();
            match deployment.recover(Clerk, case.world.clone(), filing(), id).go().await {
                Ok(outcome) => assert!(
                    matches!(outcome.report().anchored, Anchored::Closed { .. }),
                    "{how:?} {at}: {outcome:?}"
                ),
                Err(RunError::NotRunning | RunError::NotSuspended) => {
                    assert!(deployment.settle_anchors().await.unwrap().pending.is_empty());
                }
                Err(error) => panic!("{how:?} {at}: {error}"),
            }
            case.in_order(id);
        }
    }
}

/// The log has the leaf, and the line is not kept: the run ends there, and after recovery it is the same leaf.
#[tokio::test]
async fn a_line_that_the_store_does_not_keep_is_asked_for_again() {
    let case = Case::new();
    // The first write is the run's creation, the second its line.
    case.desk.store.fail_from(2, StoreError::Full);
    let outcome = case.run(&case.deployment()).await;
    assert!(matches!(outcome, Outcome::Halted { .. }), "{outcome:?}");
    assert_eq!((case.size(), case.world.log().len()), (1, 0));
    case.desk.store.mend();
    let id = case.only();
    let recovered = case.deployment().recover(Clerk, case.world.clone(), filing(), id).go().await.unwrap();
    assert_eq!(recovered.report().anchored, Anchored::Closed { open: 0, close: 1 });
    case.in_order(id);
}

#[tokio::test]
async fn a_run_that_waited_closes_under_the_leaf_it_opened_with() {
    let case = Case::new();
    let waiting = case.waiting(&case.deployment()).await;
    let id = case.only();
    assert_eq!((case.size(), case.left(id).lines.len()), (1, 1));
    // Others come and go meanwhile.
    case.run(&case.deployment()).await.output().unwrap();
    let outcome = case.approve(&case.deployment(), waiting).await.unwrap();
    assert_eq!(outcome.report().anchored, Anchored::Closed { open: 0, close: 3 });
    case.in_order(id);
}

#[tokio::test]
async fn a_run_ends_in_the_log_it_began_in() {
    let case = Case::new();
    let waiting = case.waiting(&case.deployment()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = new_log(&elsewhere.path().join("log"), "log.example/other", new_signer());
    let store = || Arc::new(case.desk.store.clone());
    let builder = || {
        let policy = Fixed::new().allow_classification("public");
        case.desk.builder_on(store(), policy, &[&case.anna]).clock(Arc::new(case.clock.clone()))
    };
    for (log, now) in [(None, None), (Some(other), Some("log.example/other"))] {
        let deployment = match log {
            None => builder().build().unwrap(),
            Some(log) => builder().log(log).build().unwrap(),
        };
        let waits = deployment.suspended(waiting.run_id()).await.unwrap();
        let refused = case.approve(&deployment, waits).await.unwrap_err();
        let RunError::OtherLog { began, now: found } = &refused else { panic!("{refused}") };
        assert_eq!((began.as_str(), found.as_ref().map(Name::as_str)), ("log.example/runs", now));
    }
    assert_eq!(case.world.log(), Vec::<String>::new());
    case.approve(&case.deployment(), waiting).await.unwrap().output().unwrap();
    case.in_order(case.only());
}

#[tokio::test]
async fn a_run_that_nobody_can_continue_is_closed_in_the_log_too() {
    for erased in [false, true] {
        let case = Case::new();
        let waiting = case.waiting(&case.deployment()).await;
        let id = waiting.run_id();
        case.run(&case.deployment()).await.output().unwrap();
        match erased {
            true => case.desk.subjects.erase_all(),
            false => case.clock.advance_seconds(4 * 24 * 3600),
        }
        // The log is away just then.
        case.mood(Mood::Works, Mood::Refuses);
        case.deployment().expire(id).await.unwrap();
        assert_eq!(case.left(id).close.unwrap().root().open_leaf, Some(0));
        case.mood(Mood::Works, Mood::Works);
        assert_eq!(case.deployment().settle_anchors().await.unwrap().anchored, [id]);
        case.in_order(id);
    }
    let case = Case::new();
    let waiting = case.waiting(&case.deployment()).await;
    case.clock.advance_seconds(4 * 24 * 3600);
    case.deployment().expire(waiting.run_id()).await.unwrap();
    case.in_order(case.only());
}

/// A store that lost the line, or has another's, cannot make the run close without it.
#[tokio::test]
async fn a_line_that_is_gone_or_anothers_stops_the_run() {
    let case = Case::new();
    let waiting = case.waiting(&case.deployment()).await;
    let other = Case::new();
    other.run(&other.deployment()).await.output().unwrap();
    other.run(&other.deployment()).await.output().unwrap();
    let runs = other.desk.store.runs();
    let foreign = other.left(runs[1]).lines[0].bytes().to_vec();
    let id = waiting.run_id();
    let same_place = String::from_utf8(foreign.clone()).unwrap().replace("\"index\":2", "\"index\":0");
    for lines in [vec![], vec![foreign.clone()], vec![same_place.into_bytes()], vec![b"{}".to_vec()]] {
        let altered = fuze_agent_loop_tests::Altered::new(&case.desk.store, move |stored| {
            stored.anchors.clone_from(&lines);
        });
        let refused = case.on(Arc::new(altered)).suspended(id).await;
        assert!(matches!(refused, Err(RunError::Snapshot(_))), "{refused:?}");
    }
    // Nor does a run that is ended from its records alone take another's line for its own.
    case.clock.advance_seconds(4 * 24 * 3600);
    let altered = fuze_agent_loop_tests::Altered::new(&case.desk.store, move |stored| {
        stored.anchors = vec![foreign.clone()];
    });
    let refused = case.on(Arc::new(altered)).expire(id).await;
    assert!(matches!(refused, Err(RunError::Records(_))), "{refused:?}");
}

#[tokio::test]
async fn runs_without_a_store_are_anchored_beside_their_records() {
    let case = Case::new();
    let place = tempfile::tempdir().unwrap();
    let memory = MemorySink::new();
    let jsonl = Arc::new(JsonlSink::new(place.path()));
    let sinks: [Arc<dyn Sink>; 2] = [Arc::new(memory.clone()), jsonl.clone()];
    let mut ids = Vec::new();
    for sink in sinks {
        let policy = Fixed::new().allow_classification("public");
        let deployment = Deployment::with_sink("test.example", case.desk.keys(), policy, sink);
        let deployment = deployment.log(case.log.clone()).build().unwrap();
        let outcome = case.run(&deployment).await;
        assert!(matches!(outcome.report().anchored, Anchored::Closed { .. }), "{outcome:?}");
        ids.push(outcome.report().run_id);
        assert!(matches!(deployment.settle_anchors().await, Err(RunError::NoStore)));
    }
    let lines = AnchorLine::read_all(&memory.run(ids[0]).unwrap().anchors).unwrap();
    assert_eq!(lines.iter().map(AnchorLine::index).collect::<Vec<_>>(), [0, 1]);
    let directory = jsonl.run_directory(ids[1]);
    jsonl.finish(ids[1]);
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let files = ["records.jsonl", "roots.jsonl", "anchors.jsonl"].map(|name| (name, read(name)));
    let left = Left::read(&case.desk, &files);
    assert_eq!(left.lines.iter().map(AnchorLine::index).collect::<Vec<_>>(), [2, 3]);
    left.lines[1].closes(left.close.as_ref().unwrap(), &left.lines[0]).unwrap();
    assert_eq!(case.findings(), []);
}

#[tokio::test]
async fn logs_runs_and_overseers_have_different_keys() {
    let case = Case::new();
    let place = tempfile::tempdir().unwrap();
    let log = Arc::new(
        Log::create(
            place.path(),
            &Name::new("log.example/a").unwrap(),
            case.desk.signer(),
            LogOptions::new(),
        )
        .unwrap(),
    );
    let built = case.builder(Arc::new(case.desk.store.clone())).log(log).build();
    assert!(matches!(built, Err(ConfigError::LogKey)));
    let hasty = case.builder(Arc::new(case.desk.store.clone())).close_within(std::time::Duration::ZERO);
    assert!(matches!(hasty.build(), Err(ConfigError::CloseWithin)));
}

/// Whoever can write to the store puts another run's tag where this one's was: under it the close would be taken for that one's, of which
/// nobody would ask any more.
#[tokio::test]
async fn a_close_does_not_go_under_another_runs_tag() {
    let case = Case::new();
    case.mood(Mood::Works, Mood::Refuses);
    case.run(&case.deployment()).await.output().unwrap();
    let id = case.only();
    let other = case.waiting(&case.deployment()).await.run_id();
    let line = |run| case.left(run).lines[0].bytes().to_vec();
    let [own, others] =
        [id, other].map(|run| serde_json::from_slice::<serde_json::Value>(&line(run)).unwrap());
    let mut forged = others;
    forged["index"] = own["index"].clone();
    let forged = fuze_evidence::jcs::to_vec(&forged).unwrap();
    assert!(AnchorLine::read(&forged).is_ok());
    let store = fuze_agent_loop_tests::Altered::new(&case.desk.store, move |stored| {
        stored.anchors[0].clone_from(&forged);
    });
    case.mood(Mood::Works, Mood::Works);
    let settled = case.on(Arc::new(store)).settle_anchors().await.unwrap();
    assert_eq!((settled.anchored.len(), settled.pending.len(), case.size()), (0, 1, 2));
    assert!(settled.pending[0].1.contains("another's"), "{settled:?}");
    // Nor with that run's open root beside it.
    let theirs = case.desk.store.load(other).await.unwrap();
    let (anchors, open_root) = (theirs.anchors, theirs.open_root);
    let store = fuze_agent_loop_tests::Altered::new(&case.desk.store, move |stored| {
        stored.anchors.clone_from(&anchors);
        stored.open_root.clone_from(&open_root);
    });
    let settled = case.on(Arc::new(store)).settle_anchors().await.unwrap();
    assert_eq!((settled.anchored.len(), settled.pending.len(), case.size()), (0, 1, 2));
    assert_eq!(case.deployment().settle_anchors().await.unwrap().anchored, [id]);
    assert_eq!(case.left(id).lines[1].leaf().run_tag(), case.left(id).lines[0].leaf().run_tag());
}

/// An erasure takes content and keys, and leaves all that the log needs: the run does not stand there as one that never closed.
#[tokio::test]
async fn the_close_of_a_run_that_was_erased_is_anchored_all_the_same() {
    let case = Case::new();
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(place.path().join("store"), &Options::default()).unwrap());
    let deployment = case.on(store.clone());
    case.mood(Mood::Works, Mood::Refuses);
    let outcome = case.run(&deployment).await;
    assert!(matches!(outcome.report().anchored, Anchored::Pending { open: 0, .. }), "{outcome:?}");
    let id = outcome.report().run_id;
    let registrar = Registrar::new(Name::new("test.example").unwrap(), case.desk.signer()).unwrap();
    let order = Order { at: Timestamp::MAX, by: Name::new("dpo").unwrap(), reason: ErasureReason::Request };
    let eraser = Eraser::new(&store, registrar);
    assert_eq!(eraser.erase(id, Target::Run, order).await.unwrap(), Done::Erased);
    assert_eq!(store.load(id).await.map(drop), Err(StoreError::Erased));
    case.mood(Mood::Works, Mood::Works);
    assert_eq!(deployment.settle_anchors().await.unwrap().anchored, [id]);
    assert_eq!(deployment.settle_anchors().await.unwrap(), fuze_agent::Settled::default());
    assert_eq!((case.size(), case.findings()), (2, vec![]));
    let lines = std::fs::read(store.run_directory(id).join("anchors.jsonl")).unwrap();
    let lines = AnchorLine::read_all(&lines).unwrap();
    assert_eq!(lines.iter().map(AnchorLine::index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(lines[0].leaf().run_tag(), lines[1].leaf().run_tag());
}
