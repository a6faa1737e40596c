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
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::{
    Break, Desk, Evidence, Fragile, Person, SHORT, World, agent, asking, person, saying,
};
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

agent! { Worker [reads, puts, pays, asks] String guardrails: [Watch], }

/// Answers by the history alone, so that a repeated request gets the same answer.
#[derive(Clone)]
struct ByHistory;

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
        Ok(match turns.count() {
            0 => asking(&[("reads", "{}"), ("pays", r#"{"what":"first"}"#), ("puts", "{}")]),
            1 => asking(&[("reads", "{}"), ("asks", r#"{"what":"me"}"#), ("pays", r#"{"what":"last"}"#)]),
            _ => saying("end"),
        })
    }
}

struct Case {
    desk: Desk,
    world: World,
    anna: Person,
}

impl Case {
    fn new() -> Self {
        Self { desk: Desk::new(), world: World::new(), anna: person("anna") }
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
        let deployment = self.healthy();
        for _ in 0..20 {
            let (world, model) = (self.world.clone(), ByHistory);
            let outcome = match deployment.suspended(id).await {
                Ok(suspended) => {
                    let say = |case: &fuze_agent::suspend::Case| {
                        let reason = case.token().claims().reason.as_str();
                        let done = self.world.log().iter().any(|did| {
                            did.starts_with(case.tool().as_str())
                                && did.ends_with(case.arguments()["what"].as_str().unwrap())
                        });
                        let action = match (reason, done) {
                            ("in_doubt", true) => Action::Done(json!("done")),
                            ("in_doubt", false) => Action::NotDone,
                            _ => Action::Approve,
                        };
                        self.anna.decides(case, &action)
                    };
                    let decisions: Vec<_> = suspended.cases().iter().map(say).collect();
                    let resumable = suspended.verify(&decisions).unwrap();
                    deployment.resume(Worker, world, model, resumable).go().await
                }
                Err(RunError::NotSuspended) => deployment.recover(Worker, world, model, id).go().await,
                Err(error) => panic!("{error}"),
            };
            match outcome {
                Ok(outcome) => drop(outcome),
                // Neither waiting nor running: closed.
                Err(RunError::NotSuspended) => return Some(self.desk.evidence(id)),
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the run does not end: {:?}", self.desk.evidence(id).spans());
    }

    /// What must hold whatever happened.
    fn holds(&self, evidence: &Evidence, at: &str) {
        for once in ["pays first", "pays inside", "pays last", "asks me"] {
            assert!(self.world.times(once) <= 1, "{at}: {once} ran twice: {:?}", self.world.log());
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
            for once in ["pays first", "pays inside", "pays last", "asks me"] {
                let said = evidence.executions().iter().any(|e| e.contains("by_statement"));
                assert!(self.world.times(once) == 1 || said, "{at}: {once}: {:?}", evidence.executions());
            }
        }
        // Each result that the model saw was looked at first.
        let results = evidence.attrs("tool.execute", "fuze.tool.outcome");
        let told = results.iter().filter(|outcome| *outcome != "in_doubt").count();
        assert!(evidence.count("guardrail") >= told, "{at}: {:?}", evidence.spans());
    }
}

async fn whole() -> (Case, u32) {
    let case = Case::new();
    let started = case.healthy().run(Worker, case.world.clone(), ByHistory).start().await.unwrap();
    assert_eq!(started.status(), "suspended", "{started:?}");
    let evidence = case.to_the_end().await.unwrap();
    assert_eq!(evidence.status(), Some(RunStatus::Completed), "{:?}", evidence.executions());
    case.holds(&evidence, "whole");
    let writes = case.desk.store.writes();
    (case, writes)
}

#[tokio::test]
async fn nothing_fails() {
    let (_, writes) = whole().await;
    assert!(writes > 10, "{writes}");
}

#[tokio::test]
async fn the_store_fails_at_each_write() {
    let (_, writes) = whole().await;
    for nth in 1..=writes {
        let case = Case::new();
        case.desk.store.fail_from(nth, StoreError::Full);
        let run = case.healthy().run(Worker, case.world.clone(), ByHistory);
        let outcome = run.start().await.unwrap();
        if outcome.status() == "suspended" {
            // This failure comes later: at the resumption, or it does not come.
            let id = outcome.report().run_id;
            let waiting = case.healthy().suspended(id).await.unwrap();
            let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
            let resumable = waiting.verify(&[decision]).unwrap();
            let resumed = case.healthy().resume(Worker, case.world.clone(), ByHistory, resumable).go().await;
            match resumed {
                Ok(outcome) if outcome.status() == "completed" => {
                    assert_eq!(case.desk.evidence(id).status(), Some(RunStatus::Completed));
                }
                Ok(outcome) => assert_eq!(outcome.status(), "halted", "write {nth}"),
                Err(error) => assert!(matches!(error, RunError::Claim(_)), "write {nth}: {error}"),
            }
        } else {
            assert!(matches!(outcome, Outcome::Halted { .. }), "write {nth}: {outcome:?}");
            assert!(super::why(&outcome).contains("no room"), "write {nth}: {outcome:?}");
        }
        case.desk.store.mend();
        if let Some(evidence) = case.to_the_end().await {
            case.holds(&evidence, &format!("write {nth}"));
        } else {
            assert_eq!(case.world.log(), [""; 0], "nothing happens before the run is on record");
        }
    }
}

#[tokio::test]
async fn the_process_dies_at_each_write() {
    let (_, writes) = whole().await;
    for how in [Break::Before, Break::After] {
        for nth in 1..=writes {
            let case = Case::new();
            let (fragile, hung) = Fragile::at(&case.desk.store, nth, how);
            let deployment = case.deployment(fragile);
            let run = deployment.run(Worker, case.world.clone(), ByHistory).start();
            let resumption = async {
                let outcome = run.await.unwrap();
                let waiting = deployment.suspended(outcome.report().run_id).await.unwrap();
                let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
                let resumable = waiting.verify(&[decision]).unwrap();
                drop(deployment.resume(Worker, case.world.clone(), ByHistory, resumable).go().await.unwrap());
            };
            tokio::select! {
                () = resumption => {}
                () = hung.notified() => {}
            }
            if let Some(evidence) = case.to_the_end().await {
                case.holds(&evidence, &format!("{how:?} write {nth}"));
            }
        }
    }
}

#[tokio::test]
async fn the_process_dies_at_each_await() {
    let mut polls = 0;
    loop {
        let case = Case::new();
        let (healthy, world) = (case.healthy(), case.world.clone());
        let (fragile, _) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
        let deployment = case.deployment(fragile);
        let ended = {
            let whole = async {
                let outcome = deployment.run(Worker, world.clone(), ByHistory).start().await.unwrap();
                let waiting = healthy.suspended(outcome.report().run_id).await.unwrap();
                let decision = case.anna.decides(&waiting.cases()[0], &Action::Approve);
                let resumable = waiting.verify(&[decision]).unwrap();
                deployment.resume(Worker, world.clone(), ByHistory, resumable).go().await.unwrap()
            };
            let mut whole = pin!(tokio::task::unconstrained(whole));
            let mut ended = false;
            for _ in 0..polls {
                if let Poll::Ready(outcome) = whole.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    assert_eq!(outcome.status(), "completed");
                    ended = true;
                    break;
                }
            }
            ended
        };
        if let Some(evidence) = case.to_the_end().await {
            case.holds(&evidence, &format!("await {polls}"));
            if ended {
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
async fn a_gap_is_on_record() {
    // The third write is the start of the first effect; the second made the decisions durable.
    for (nth, gaps) in [(1, &["model_request", "process"][..]), (3, &["process", "tool"])] {
        let case = Case::new();
        let (fragile, hung) = Fragile::at(&case.desk.store, nth, Break::After);
        let deployment = case.deployment(fragile);
        tokio::select! {
            _ = deployment.run(Worker, case.world.clone(), ByHistory).start() => panic!("it should hang"),
            () = hung.notified() => {}
        }
        let evidence = case.to_the_end().await.unwrap();
        let mut found = evidence.attrs("run.gap", "fuze.gap.what");
        found.sort();
        assert_eq!(found, gaps);
        case.holds(&evidence, "gap");
    }
}

#[tokio::test]
async fn whoever_was_left_behind_can_write_nothing_more() {
    let case = Case::new();
    let (fragile, _) = Fragile::at(&case.desk.store, u32::MAX, Break::Before);
    let deployment = case.deployment(fragile);
    let mut old =
        pin!(tokio::task::unconstrained(deployment.run(Worker, case.world.clone(), ByHistory).start()));
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
    let (case, _) = whole().await;
    let id = case.desk.store.runs()[0];
    let error = case.healthy().recover(Worker, case.world.clone(), ByHistory, id).go().await.unwrap_err();
    assert!(matches!(error, RunError::NotSuspended | RunError::NotRunning), "{error}");
}

#[tokio::test]
async fn what_waits_cannot_be_recovered() {
    let case = Case::new();
    let started = case.healthy().run(Worker, case.world.clone(), ByHistory).start().await.unwrap();
    let id = started.report().run_id;
    let error = case.healthy().recover(Worker, case.world.clone(), ByHistory, id).go().await.unwrap_err();
    assert!(matches!(error, RunError::NotRunning), "{error}");
}
