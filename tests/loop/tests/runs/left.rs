//! What a tool asked for, and asked for no more when it ran again: it has its end all the same, wherever the process dies.

use std::collections::BTreeSet;

use fuze_agent::RunError;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::prelude::*;
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::{Break, Desk, Fragile, Person, SHORT, World, agent, person};
use fuze_evidence::RunId;
use fuze_evidence::vocab::RunStatus;
use serde_json::json;

type ReadsArgs = <reads as Tool>::Args;
type PutsArgs = <puts as Tool>::Args;
type PaysArgs = <pays as Tool>::Args;
type AsksArgs = <asks as Tool>::Args;

/// Reads.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = read)]
async fn reads(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("reads");
    Ok(1)
}

/// Puts, and asks first.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn puts(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does("puts");
    ctx.invoke(asks, AsksArgs { amount }).await
}

/// Pays.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn pays(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("pays {amount}"));
    Ok(amount)
}

/// Pays what a person approved.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = always)]
async fn asks(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("asks {amount}"));
    Ok(amount)
}

/// Does less each time.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn whims(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("whims");
    let time = ctx.deps().times("whims");
    if time < 3 {
        ctx.invoke(reads, ReadsArgs {}).await?;
        ctx.invoke(pays, PaysArgs { amount: 1 }).await?;
    }
    if time < 2 {
        ctx.invoke(puts, PutsArgs { amount: 2 }).await?;
        ctx.invoke(asks, AsksArgs { amount: 3 }).await?;
    }
    Ok(0)
}

/// Sees results, and takes no offence.
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
        Ok(Verdict::Pass)
    }
}

agent! { Moody [reads, puts, pays, asks, whims] i64 guardrails: [Watch], }

struct Case {
    desk: Desk,
    world: World,
    anna: Person,
    action: Action,
}

impl Case {
    fn new(action: &Action) -> Self {
        Self { desk: Desk::new(), world: World::new(), anna: person("anna"), action: action.clone() }
    }

    async fn starts(&self, deployment: &Deployment) -> Outcome<i64> {
        let model = ScriptedModel::new().call("whims", json!({})).answer(1);
        let run = deployment.run(Moody, self.world.clone(), model).tenant("t").principal("p").input("go");
        run.start().await.unwrap()
    }

    /// Decides what waits. `None`: nothing does.
    async fn decides(&self, deployment: &Deployment, id: RunId) -> Option<Outcome<i64>> {
        let waiting = deployment.suspended(id).await.ok()?;
        let decisions: Vec<_> = waiting
            .cases()
            .iter()
            .map(|case| match case.token().claims().reason.as_str() {
                "in_doubt" => self.anna.decides(case, &Action::NotDone),
                _ => self.anna.decides(case, &self.action),
            })
            .collect();
        let resumable = waiting.verify(&decisions).unwrap();
        let model = ScriptedModel::new().answer(1);
        let outcome = deployment.resume(Moody, self.world.clone(), model, resumable).go().await;
        Some(outcome.unwrap())
    }

    fn deployment(&self) -> Deployment {
        self.desk.deploy(Fixed::new().allow_classification("public"), &[&self.anna])
    }

    /// The whole of it, in a process that may die.
    async fn whole(&self, deployment: &Deployment) {
        let outcome = self.starts(deployment).await;
        let id = outcome.report().run_id;
        for _ in 0..5 {
            if self.decides(deployment, id).await.is_none() {
                return;
            }
        }
        panic!("the run does not end");
    }

    /// Whoever finds the run brings it to its end.
    async fn finish(&self, id: RunId) {
        let deployment = self.deployment();
        for _ in 0..10 {
            if self.decides(&deployment, id).await.is_some() {
                continue;
            }
            let model = ScriptedModel::new().answer(1);
            match deployment.recover(Moody, self.world.clone(), model, id).go().await {
                Ok(outcome) => drop(outcome),
                Err(RunError::NotSuspended) => return,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the run does not end");
    }
}

async fn ends(action: Action, whole: &[&str], asked: &str) {
    let case = Case::new(&action);
    case.whole(&case.deployment()).await;
    let evidence = case.desk.evidence(case.desk.store.runs()[0]);
    assert_eq!(evidence.status(), Some(RunStatus::Completed), "{:?}", evidence.spans());
    let mut ended = evidence.executions();
    // What was left ends in no order of its own.
    ended[3..].sort();
    assert_eq!(ended, whole, "{action:?}");
    let mut seen = BTreeSet::new();
    for how in [Break::Before, Break::After] {
        for nth in 1..=case.desk.store.writes() {
            let at = format!("{action:?} {how:?} write {nth}");
            let case = Case::new(&action);
            let (fragile, hung) = Fragile::at(&case.desk.store, nth, how);
            let policy = Fixed::new().allow_classification("public");
            let dying = case.desk.builder_on(fragile, policy, &[&case.anna]).build().unwrap();
            tokio::select! {
                () = case.whole(&dying) => panic!("{at}: it should hang"),
                () = hung.notified() => {}
            }
            let Some(id) = case.desk.store.runs().first().copied() else { continue };
            case.finish(id).await;
            // Read, it is held against the rules: each call has its end.
            let evidence = case.desk.evidence(id);
            let ended = evidence.executions();
            let doubt = ended.contains(&"pays in_doubt".to_owned());
            let status = if doubt { RunStatus::InDoubt } else { RunStatus::Completed };
            assert_eq!(evidence.status(), Some(status), "{at}: {ended:?}");
            assert!(case.world.times("pays 1") <= 1, "{at}");
            seen.extend(ended);
        }
    }
    // Before what was allowed had begun, and after; and what must not happen twice.
    let mut expected = BTreeSet::from(
        [
            "reads ok",
            "pays ok",
            "pays in_doubt",
            "puts not_run",
            "puts cancelled",
            "whims cancelled",
            "whims ok",
        ]
        .map(str::to_owned),
    );
    expected.insert(asked.to_owned());
    assert_eq!(seen, expected, "{action:?}");
}

#[tokio::test]
async fn what_was_approved_and_not_asked_for_again_did_not_run() {
    for action in [Action::Approve, Action::Modify(json!({"amount": 4}))] {
        let whole = ["reads ok", "pays ok", "whims ok", "asks not_run", "puts cancelled"];
        ends(action, &whole, "asks not_run").await;
    }
}

#[tokio::test]
async fn what_was_refused_and_not_asked_for_again_is_refused() {
    let whole = ["reads ok", "pays ok", "whims ok", "asks rejected", "puts cancelled"];
    ends(Action::Reject, &whole, "asks rejected").await;
}
