//! The process dies at any point, the store fails at any write. Afterwards the run is recovered, and each `once` call has
//! happened at most once.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fuze_agent::RunError;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::law::residency::Eu;
use fuze_agent::model::{Model, ModelError, ModelIdentity, ModelRequest, ModelResponse};
use fuze_agent::prelude::*;
use fuze_agent::store::{RunStore, StoreError};
use fuze_agent::suspend::{Action, SignedDecision};
use fuze_agent_loop_tests::{
    Break, Desk, Evidence, Fragile, Person, SHORT, World, agent, asking, person, saying,
};
use fuze_evidence::RunId;
use fuze_evidence::vocab::RunStatus;
use serde_json::json;
use tokio::task::yield_now;

/// Reads.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn reads(ctx: &Ctx<'_, World>) -> Result<String, ToolError> {
    yield_now().await;
    ctx.deps().does("reads");
    yield_now().await;
    Ok("read".into())
}

/// Puts, and pays in between.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn puts(ctx: &Ctx<'_, World>) -> Result<String, ToolError> {
    ctx.deps().does("puts");
    yield_now().await;
    let paid = ctx.invoke(pays, PaysArgs { what: "inside".into() }).await?;
    yield_now().await;
    Ok(format!("put {paid}"))
}

type PaysArgs = <pays as Tool>::Args;

/// Pays.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn pays(ctx: &Ctx<'_, World>, what: String) -> Result<String, ToolError> {
    yield_now().await;
    ctx.deps().does(format!("pays {what}"));
    yield_now().await;
    Ok(what)
}

/// Asks first.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn asks(ctx: &Ctx<'_, World>, what: String) -> Result<String, ToolError> {
    yield_now().await;
    ctx.deps().does(format!("asks {what}"));
    yield_now().await;
    Ok(what)
}

/// Looks at tools' results, and takes its time.
#[derive(Clone)]
struct Watch;

#[async_trait::async_trait]
impl Guardrail for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::ToolResult
    }
    async fn check(&self, _: &str, _: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        yield_now().await;
        Ok(Verdict::Pass)
    }
}

type AsksArgs = <asks as Tool>::Args;

/// Plans: pays, asks a person, pays again.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent, requests_oversight)]
async fn plans(ctx: &Ctx<'_, World>) -> Result<String, ToolError> {
    ctx.deps().does("plans");
    ctx.invoke(pays, PaysArgs { what: "inside".into() }).await?;
    let asked = ctx.invoke(asks, AsksArgs { what: "within".into() }).await?;
    yield_now().await;
    match ctx.request_oversight("and now?").await {
        OversightAnswer::Approved => ctx.invoke(pays, PaysArgs { what: "answered".into() }).await,
        OversightAnswer::Rejected => Ok(asked),
    }
}

agent! { Worker [reads, puts, pays, asks, plans] String guardrails: [Watch], }

agent! { Other [reads, puts, pays, asks, plans] String }

/// What happens in a run, and what must have happened at its end.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    turns: &'static [&'static [(&'static str, &'static str)]],
    once: &'static [&'static str],
}

/// Reads, pays, pays from within, asks a person.
pub(super) const PLAIN: Scene = Scene {
    turns: &[
        &[("reads", "{}"), ("pays", r#"{"what":"first"}"#), ("puts", "{}")],
        &[("reads", "{}"), ("asks", r#"{"what":"me"}"#), ("pays", r#"{"what":"last"}"#)],
    ],
    once: &["pays first", "pays inside", "asks me", "pays last"],
};

/// People approve, modify and reject, three times over, also in the midst of a tool.
pub(super) const WAITING: Scene = Scene {
    turns: &[&[
        ("plans", "{}"),
        ("asks", r#"{"what":"modify"}"#),
        ("asks", r#"{"what":"reject"}"#),
        ("pays", r#"{"what":"last"}"#),
    ]],
    once: &["pays inside", "asks within", "pays answered", "asks modified", "pays last"],
};

/// Answers by the history alone, so that a repeated request gets the same answer.
#[derive(Clone)]
struct ByHistory(Scene);

#[async_trait::async_trait]
impl Model for ByHistory {
    type Residency = Eu;
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "test".into(), model: "by-history".into(), snapshot: "1".into() }
    }
    async fn generate(&self, request: ModelRequest<'_>) -> Result<ModelResponse, ModelError> {
        yield_now().await;
        let turns =
            request.messages.iter().filter(|m| matches!(m, fuze_agent::model::Message::Assistant { .. }));
        Ok(self.0.turns.get(turns.count()).map_or_else(|| saying("end"), |calls| asking(calls)))
    }
}

pub(super) struct Case {
    pub(super) desk: Desk,
    pub(super) world: World,
    pub(super) anna: Person,
    scene: Scene,
}

impl Case {
    pub(super) fn new(scene: Scene) -> Self {
        Self { desk: Desk::new(), world: World::new(), anna: person("anna"), scene }
    }

    fn model(&self) -> ByHistory {
        ByHistory(self.scene)
    }

    /// What a person who knows what happened says.
    fn decides(&self, case: &fuze_agent::suspend::Case) -> SignedDecision {
        let what = case.arguments()["what"].as_str().unwrap_or_default().to_owned();
        let action = match case.token().claims().reason.as_str() {
            "in_doubt" => match self.world.times(&format!("{} {what}", case.tool())) {
                0 => Action::NotDone,
                _ => Action::Done(json!("done")),
            },
            "requested" => Action::Approve,
            _ => match what.as_str() {
                "modify" => Action::Modify(json!({"what": "modified"})),
                "reject" => Action::Reject,
                _ => Action::Approve,
            },
        };
        self.anna.decides(case, &action)
    }

    /// The whole of it in one process, which may not live to see its end.
    pub(super) async fn all_in_one(&self, deployment: &Deployment) -> Outcome<String> {
        let mut outcome = deployment.run(Worker, self.world.clone(), self.model()).start().await.unwrap();
        while outcome.status() == "suspended" {
            let waiting = deployment.suspended(outcome.report().run_id).await.unwrap();
            let decisions: Vec<_> = waiting.cases().iter().map(|case| self.decides(case)).collect();
            let resumable = waiting.verify(&decisions).unwrap();
            match deployment.resume(Worker, self.world.clone(), self.model(), resumable).go().await {
                Ok(next) => outcome = next,
                Err(RunError::Claim(_)) => break,
                Err(error) => panic!("{error}"),
            }
        }
        outcome
    }

    fn deployment(&self, store: Arc<dyn RunStore>) -> Deployment {
        let policy = Fixed::new().allow_classification("public");
        self.desk.builder_on(store, policy, &[&self.anna]).build().unwrap()
    }

    fn healthy(&self) -> Deployment {
        self.deployment(Arc::new(self.desk.store.clone()))
    }

    /// Drives whatever is there to its end: recovers what crashed, decides what waits.
    async fn to_the_end(&self) -> Option<Evidence> {
        let id = *self.desk.store.runs().first()?;
        self.finish(&self.healthy(), id).await;
        Some(self.desk.evidence(id))
    }

    pub(super) async fn finish(&self, deployment: &Deployment, id: RunId) {
        for _ in 0..20 {
            let (world, model) = (self.world.clone(), self.model());
            let outcome = match deployment.suspended(id).await {
                Ok(suspended) => {
                    let decisions: Vec<_> = suspended.cases().iter().map(|case| self.decides(case)).collect();
                    let resumable = suspended.verify(&decisions).unwrap();
                    deployment.resume(Worker, world, model, resumable).go().await
                }
                Err(RunError::NotSuspended) => deployment.recover(Worker, world, model, id).go().await,
                Err(error) => panic!("{error}"),
            };
            match outcome {
                Ok(outcome) => drop(outcome),
                // Neither waiting nor running: closed.
                Err(RunError::NotSuspended) => return,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the run does not end");
    }

    /// What must hold whatever happened.
    pub(super) fn holds(&self, evidence: &Evidence, at: &str) {
        for did in self.world.log().iter().filter(|did| did.contains(' ')) {
            assert_eq!(self.world.times(did), 1, "{at}: {did} ran twice: {:?}", self.world.log());
            assert!(self.scene.once.contains(&did.as_str()), "{at}: {did} was never approved");
        }
        let status = evidence.status();
        assert!(
            matches!(status, Some(RunStatus::Completed | RunStatus::InDoubt)),
            "{at}: {status:?} {:?} {:?}",
            evidence.executions(),
            evidence.decisions()
        );
        if status == Some(RunStatus::Completed) {
            // Nothing was left out: each was done, or a person said whether it was.
            for once in self.scene.once {
                let said = evidence.executions().iter().any(|e| e.contains("by_statement"));
                assert!(self.world.times(once) == 1 || said, "{at}: {once}: {:?}", evidence.executions());
            }
        }
        // Each result that the model saw was looked at first.
        let results = evidence.attrs("tool.execute", "fuze.tool.outcome");
        let ended = |outcome: &&String| !["in_doubt", "cancelled"].contains(&outcome.as_str());
        let told = results.iter().filter(ended).count();
        assert!(evidence.count("guardrail") >= told, "{at}: {:?}", evidence.spans());
    }
}

async fn whole(scene: Scene) -> (Case, u32) {
    let case = Case::new(scene);
    assert_eq!(case.all_in_one(&case.healthy()).await.status(), "completed");
    let evidence = case.desk.evidence(case.desk.store.runs()[0]);
    let mut done: Vec<String> = case.world.log().into_iter().filter(|did| did.contains(' ')).collect();
    done.sort();
    let mut expected = scene.once.to_vec();
    expected.sort_unstable();
    assert_eq!(done, expected, "{:?}", evidence.executions());
    case.holds(&evidence, "whole");
    let writes = case.desk.store.writes();
    (case, writes)
}

#[tokio::test]
async fn nothing_fails() {
    assert!(whole(PLAIN).await.1 > 10);
    assert!(whole(WAITING).await.1 > 10);
}

/// The store fails at each of its writes in turn, and at all after it, until somebody mends it.
async fn store_fails(scene: Scene) {
    let (_, writes) = whole(scene).await;
    for nth in 1..=writes {
        let case = Case::new(scene);
        case.desk.store.fail_from(nth, StoreError::Full);
        let outcome = case.all_in_one(&case.healthy()).await;
        match &outcome {
            // The claim itself failed.
            Outcome::Suspended { .. } => {}
            Outcome::Halted { why, .. } => assert!(why.contains("no room"), "write {nth}: {why}"),
            other => panic!("write {nth}: {other:?}"),
        }
        case.desk.store.mend();
        if let Some(evidence) = case.to_the_end().await {
            case.holds(&evidence, &format!("write {nth}"));
        } else {
            assert_eq!(case.world.log(), [""; 0], "nothing happens before the run is on record");
        }
    }
}

/// The process dies at each write, before it was done or before anybody knew.
async fn process_dies(scene: Scene) {
    let (_, writes) = whole(scene).await;
    for how in [Break::Before, Break::After] {
        for nth in 1..=writes {
            let case = Case::new(scene);
            let (fragile, hung) = Fragile::at(&case.desk.store, nth, how);
            let deployment = case.deployment(fragile);
            tokio::select! {
                outcome = case.all_in_one(&deployment) => panic!("{how:?} write {nth}: {outcome:?}"),
                () = hung.notified() => {}
            }
            if let Some(evidence) = case.to_the_end().await {
                case.holds(&evidence, &format!("{how:?} write {nth}"));
            }
        }
    }
}

/// The process dies at each await of a run whose store, model and tools yield wherever they can.
async fn process_stops(scene: Scene) {
    let mut polls = 0;
    loop {
        let case = Case::new(scene);
        let (fragile, _) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
        let deployment = case.deployment(fragile);
        let ended = {
            let mut whole = pin!(tokio::task::unconstrained(case.all_in_one(&deployment)));
            let mut step = |_| whole.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            (0..polls).map(&mut step).find_map(|polled| match polled {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            })
        };
        if let Some(evidence) = case.to_the_end().await {
            case.holds(&evidence, &format!("await {polls}"));
            if let Some(outcome) = ended {
                assert_eq!(outcome.status(), "completed");
                assert_eq!(evidence.count("run.gap"), 0);
                break;
            }
        }
        polls += 1;
        assert!(polls < 2_000, "no end");
    }
    assert!(polls > 30, "{polls}");
}

#[tokio::test]
async fn the_store_fails_at_each_write() {
    store_fails(PLAIN).await;
}

#[tokio::test]
async fn the_store_fails_at_each_write_while_people_decide() {
    store_fails(WAITING).await;
}

#[tokio::test]
async fn the_process_dies_at_each_write() {
    process_dies(PLAIN).await;
}

#[tokio::test]
async fn the_process_dies_at_each_write_while_people_decide() {
    process_dies(WAITING).await;
}

#[tokio::test]
async fn the_process_dies_at_each_await() {
    process_stops(PLAIN).await;
}

#[tokio::test]
async fn the_process_dies_at_each_await_while_people_decide() {
    process_stops(WAITING).await;
}

#[tokio::test]
async fn a_gap_is_on_record() {
    // The third write is the start of the first effect; the second made the decisions durable.
    for (nth, gaps) in [(1, &["model_request", "process"][..]), (3, &["process", "tool"])] {
        let case = Case::new(PLAIN);
        let (fragile, hung) = Fragile::at(&case.desk.store, nth, Break::After);
        let deployment = case.deployment(fragile);
        tokio::select! {
            _ = deployment.run(Worker, case.world.clone(), case.model()).start() => panic!("it should hang"),
            () = hung.notified() => {}
        }
        let evidence = case.to_the_end().await.unwrap();
        let mut found = evidence.attrs("run.gap", "fuze.gap.what");
        found.sort();
        assert_eq!(found, gaps);
        case.holds(&evidence, "gap");
    }
}

/// A run of the plain scene whose process died right after its first effect began.
async fn began() -> Case {
    let case = Case::new(PLAIN);
    let (fragile, hung) = Fragile::at(&case.desk.store, 3, Break::After);
    let deployment = case.deployment(fragile);
    tokio::select! {
        _ = deployment.run(Worker, case.world.clone(), case.model()).start() => panic!("it should hang"),
        () = hung.notified() => {}
    }
    case
}

#[tokio::test]
async fn what_began_is_in_doubt_whatever_the_policy_says_by_now() {
    let case = began().await;
    let id = case.desk.store.runs()[0];
    let policy = Fixed::new().allow_classification("public").deny_tool("pays");
    let deployment = case.desk.deploy(policy, &[&case.anna]);
    let outcome = deployment.recover(Worker, case.world.clone(), case.model(), id).go().await.unwrap();
    assert_eq!(outcome.status(), "suspended", "{outcome:?}");
    assert_eq!(case.world.times("pays first"), 0);
    assert!(case.desk.evidence(id).executions().contains(&"pays in_doubt".to_owned()));
}

#[tokio::test]
async fn another_snapshot_of_the_model_after_a_crash_is_recorded() {
    let case = began().await;
    let id = case.desk.store.runs()[0];
    let model = ScriptedModel::new().answer("end");
    let outcome = case.healthy().recover(Worker, case.world.clone(), model, id).go().await.unwrap();
    assert_eq!(outcome.status(), "suspended");
    let evidence = case.desk.evidence(id);
    assert_eq!(evidence.attrs("model.drift", "fuze.model.drift_acknowledged"), ["false"]);
}

#[tokio::test]
async fn another_agent_does_not_recover() {
    let case = began().await;
    let id = case.desk.store.runs()[0];
    let error = case.healthy().recover(Other, case.world.clone(), case.model(), id).go().await.unwrap_err();
    assert!(matches!(error, RunError::Drift { .. }), "{error}");
    let evidence = case.to_the_end().await.unwrap();
    case.holds(&evidence, "after the wrong agent");
}

#[tokio::test]
async fn whoever_was_left_behind_can_write_nothing_more() {
    let case = Case::new(PLAIN);
    let (fragile, _) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
    let deployment = case.deployment(fragile);
    let mut old =
        pin!(tokio::task::unconstrained(deployment.run(Worker, case.world.clone(), case.model()).start()));
    for _ in 0..12 {
        let polled = old.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    let id = case.desk.store.runs()[0];
    let evidence = case.to_the_end().await.unwrap();
    // It wakes up and finds that somebody else has its run.
    let outcome = old.await.unwrap();
    assert!(matches!(outcome, Outcome::Halted { .. }), "{outcome:?}");
    assert_eq!(case.desk.evidence(id).report, evidence.report);
    case.holds(&evidence, "fenced");
}

#[tokio::test]
async fn what_is_over_cannot_be_recovered() {
    let (case, _) = whole(PLAIN).await;
    let id = case.desk.store.runs()[0];
    let error = case.healthy().recover(Worker, case.world.clone(), case.model(), id).go().await.unwrap_err();
    assert!(matches!(error, RunError::NotSuspended | RunError::NotRunning), "{error}");
}

#[tokio::test]
async fn what_waits_cannot_be_recovered() {
    let case = Case::new(PLAIN);
    let started = case.healthy().run(Worker, case.world.clone(), case.model()).start().await.unwrap();
    let id = started.report().run_id;
    let error = case.healthy().recover(Worker, case.world.clone(), case.model(), id).go().await.unwrap_err();
    assert!(matches!(error, RunError::NotRunning), "{error}");
}
