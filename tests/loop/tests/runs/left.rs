//! What a tool asked for, and asked for no more when it ran again: it has its end all the same, wherever the process dies.

use std::collections::BTreeSet;

use fuze_agent::RunError;
use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::prelude::*;
use fuze_agent::suspend::Action;
use fuze_agent_loop_tests::{Break, Desk, Evidence, Fragile, Person, SHORT, World, agent, person};
use fuze_evidence::RunId;
use fuze_evidence::vocab::RunStatus;
use serde_json::{Value, json};

type ReadsArgs = <reads as Tool>::Args;
type PutsArgs = <puts as Tool>::Args;
type PaysArgs = <pays as Tool>::Args;
type AsksArgs = <asks as Tool>::Args;
type SpendsArgs = <spends as Tool>::Args;
type WaversArgs = <wavers as Tool>::Args;

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

/// Pays, and thinks better of it when it runs again.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn drops(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("drops");
    match ctx.deps().times("drops") {
        1 => ctx.invoke(pays, PaysArgs { amount: 1 }).await,
        _ => Ok(0),
    }
}

/// Pays, and cannot run again.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn buys(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("buys");
    ctx.invoke(pays, PaysArgs { amount: 1 }).await
}

/// Spends: much only if a person approves.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), needs_approval = |args| args.amount > 9)]
async fn spends(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does(format!("spends {amount}"));
    Ok(amount)
}

/// Spends much, but not the second time.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn wavers(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("wavers");
    match ctx.deps().times("wavers") {
        2 => Ok(0),
        _ => ctx.invoke(spends, SpendsArgs { amount: 10 }).await,
    }
}

/// Lets another tool spend, then spends itself.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn shops(ctx: &Ctx<'_, World>, amount: i64) -> Result<i64, ToolError> {
    ctx.deps().does("shops");
    ctx.invoke(wavers, WaversArgs {}).await?;
    ctx.invoke(spends, SpendsArgs { amount }).await
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

agent! { Moody [reads, puts, pays, asks, whims, drops, buys, spends, wavers, shops] i64 guardrails: [Watch], }

struct Case {
    desk: Desk,
    world: World,
    anna: Person,
    action: Action,
    call: (&'static str, Value),
}

impl Case {
    fn new(action: &Action, call: (&'static str, Value)) -> Self {
        let action = action.clone();
        Self { desk: Desk::new(), world: World::new(), anna: person("anna"), action, call }
    }

    async fn starts(&self, deployment: &Deployment) -> Outcome<i64> {
        let model = ScriptedModel::new().call(self.call.0, &self.call.1).answer(1);
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

/// Runs of a case whose process died at one write each, brought to their end.
async fn after_each_write(
    action: &Action,
    call: (&'static str, Value),
    whole: Case,
) -> Vec<(String, Case, Evidence)> {
    let mut ended = Vec::new();
    for how in [Break::Before, Break::After] {
        for nth in 1..=whole.desk.store.writes() {
            let at = format!("{call:?} {action:?} {how:?} write {nth}");
            let case = Case::new(action, call.clone());
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
            ended.push((at, case, evidence));
        }
    }
    ended
}

async fn ends(action: Action, whole: &[&str], asked: &str) {
    let case = Case::new(&action, ("whims", json!({})));
    case.whole(&case.deployment()).await;
    let evidence = case.desk.evidence(case.desk.store.runs()[0]);
    assert_eq!(evidence.status(), Some(RunStatus::Completed), "{:?}", evidence.spans());
    let mut ended = evidence.executions();
    // What was left ends in no order of its own.
    ended[3..].sort();
    assert_eq!(ended, whole, "{action:?}");
    let mut seen = BTreeSet::new();
    for (at, case, evidence) in after_each_write(&action, ("whims", json!({})), case).await {
        let ended = evidence.executions();
        let doubt = ended.contains(&"pays in_doubt".to_owned());
        let status = if doubt { RunStatus::InDoubt } else { RunStatus::Completed };
        assert_eq!(evidence.status(), Some(status), "{at}: {ended:?}");
        assert!(case.world.times("pays 1") <= 1, "{at}");
        seen.extend(ended);
    }
    // Before what was allowed had begun, and after; and what must not happen twice.
    let mut expected = BTreeSet::from(
        ["reads ok", "pays ok", "pays in_doubt", "puts not_run", "puts cancelled", "whims ok"]
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

#[tokio::test]
async fn what_is_in_doubt_is_not_forgotten_though_nobody_asks_for_it_again() {
    for tool in ["drops", "buys"] {
        let call = (tool, json!({}));
        let case = Case::new(&Action::Approve, call.clone());
        case.whole(&case.deployment()).await;
        assert_eq!(case.desk.evidence(case.desk.store.runs()[0]).status(), Some(RunStatus::Completed));
        let mut doubts = 0;
        for (at, case, evidence) in after_each_write(&Action::Approve, call, case).await {
            let ended = evidence.executions();
            let doubt = ended.contains(&"pays in_doubt".to_owned());
            let status = if doubt { RunStatus::InDoubt } else { RunStatus::Completed };
            assert_eq!(evidence.status(), Some(status), "{at}: {ended:?}");
            assert!(case.world.times("pays 1") <= 1, "{at}");
            doubts += u32::from(doubt);
        }
        assert!(doubts > 0, "{tool}");
    }
}

#[tokio::test]
async fn what_people_changed_and_a_call_of_the_same_tool_are_two_calls() {
    let changed = Action::Modify(json!({"amount": 20}));
    for (amount, ends) in [
        // Little needs nobody, whatever became of the call that people changed.
        (1, vec!["spends not_run", "spends ok", "shops ok", "wavers ok"]),
        // Much waits, and people change that, too.
        (11, vec!["spends not_run", "spends ok", "shops ok", "wavers ok"]),
    ] {
        let call = ("shops", json!({ "amount": amount }));
        let case = Case::new(&changed, call.clone());
        case.whole(&case.deployment()).await;
        let evidence = case.desk.evidence(case.desk.store.runs()[0]);
        assert_eq!(evidence.status(), Some(RunStatus::Completed));
        let mut ended = evidence.executions();
        ended.sort();
        let mut expected: Vec<String> = ends.into_iter().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(ended, expected, "{amount}");
        for (at, _, evidence) in after_each_write(&changed, call, case).await {
            let doubt = evidence.executions().contains(&"spends in_doubt".to_owned());
            let status = if doubt { RunStatus::InDoubt } else { RunStatus::Completed };
            assert_eq!(evidence.status(), Some(status), "{at}: {:?}", evidence.executions());
        }
    }
}
