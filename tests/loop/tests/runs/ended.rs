//! What ends a run inside a tool ends it for good: wherever the process dies after that is on record, recovery closes the run and does
//! nothing else.

use std::collections::BTreeSet;

use fuze_agent::guardrail::{Guardrail, GuardrailError, GuardrailModel, Phase, Verdict};
use fuze_agent::prelude::*;
use fuze_agent::store::Stop;
use fuze_agent_loop_tests::{Break, Desk, Evidence, Fragile, SHORT, World, agent, person};
use fuze_evidence::vocab::RunStatus;
use serde_json::json;
use tokio::task::yield_now;

type PaysArgs = <pays as Tool>::Args;
type TriesArgs = <tries as Tool>::Args;

/// Pays.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent, grace_ms = 60_000)]
async fn pays(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("pays");
    // Long enough for somebody to stop the run.
    for _ in 0..10 {
        yield_now().await;
    }
    Ok(7)
}

/// Pays, from as deep as it is told, and takes no refusal for an answer.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none), effect = idempotent)]
async fn tries(ctx: &Ctx<'_, World>, deeper: i64) -> Result<i64, ToolError> {
    ctx.deps().does("tries");
    let paid = match deeper {
        0 => ctx.invoke(pays, PaysArgs {}).await,
        deeper => ctx.invoke(tries, TriesArgs { deeper: deeper - 1 }).await,
    };
    Ok(paid.unwrap_or(-1))
}

/// The same, and nobody knows what else.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn ventures(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("ventures");
    Ok(ctx.invoke(tries, TriesArgs { deeper: 0 }).await.unwrap_or(-1))
}

/// Trips over what was paid.
struct NoSeven;

#[async_trait::async_trait]
impl Guardrail for NoSeven {
    fn name(&self) -> &'static str {
        "no-seven"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn phase(&self) -> Phase {
        Phase::ToolResult
    }
    async fn check(&self, content: &str, _: &GuardrailModel) -> Result<Verdict, GuardrailError> {
        Ok(match content {
            "7" => Verdict::Trip { reason: "seven".into() },
            _ => Verdict::Pass,
        })
    }
}

agent! { Plain [pays, tries, ventures] i64 steps 40 retries 2 tokens 100_000 max_depth: 4, }
agent! { Guarded [pays, tries, ventures] i64 guardrails: [NoSeven], }

/// What ends the run.
#[derive(Clone, Copy, Debug)]
enum Way {
    Denied,
    TooDeep,
    Tripped,
    Stopped,
}

/// The run until its end, or until the store hangs.
async fn first<A>(way: Way, agent: A, deployment: &Deployment, world: &World, call: (&'static str, i64))
where
    A: Agent<Deps = World, ModelResidency = fuze_agent::law::residency::Eu>,
    A::Tools: fuze_agent::agent::ToolList<Personal = fuze_agent::logic::No>,
{
    let arguments = if call.0 == "tries" { json!({"deeper": call.1}) } else { json!({}) };
    let model = ScriptedModel::new().call(call.0, arguments).answer(1);
    let run = deployment.run(agent, world.clone(), model).tenant("t").principal("p").input("go");
    let handle = run.cancel_handle();
    let stop = async {
        while world.times("pays") == 0 {
            yield_now().await;
        }
        handle.stop(Stop::Operator);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = run.start() => drop(outcome.unwrap()),
        () = stop, if matches!(way, Way::Stopped) => {}
    }
}

/// Whether the records say that the run is over.
fn is_over(evidence: &Evidence) -> bool {
    evidence.attrs("policy.evaluate", "fuze.policy.decision").contains(&"deny".to_owned())
        || evidence.attrs("guardrail", "fuze.guardrail.outcome").contains(&"tripped".to_owned())
        || evidence.count("run.cancel") > 0
}

async fn stays_ended<A>(way: Way, agent: fn() -> A, call: (&'static str, i64), status: RunStatus)
where
    A: Agent<Deps = World, ModelResidency = fuze_agent::law::residency::Eu>,
    A::Tools: fuze_agent::agent::ToolList<Personal = fuze_agent::logic::No>,
{
    let lenient = || Fixed::new().allow_classification("public");
    let policy = || match way {
        Way::Denied => lenient().deny_tool("pays"),
        Way::TooDeep | Way::Tripped | Way::Stopped => lenient(),
    };
    let anna = person("anna");
    let whole = Desk::new();
    first(way, agent(), &whole.deploy(policy(), &[&anna]), &World::new(), call).await;
    assert_eq!(whole.evidence(whole.store.runs()[0]).status(), Some(status), "{way:?} {call:?}");
    // How many ends of tools were on record when the process died after what had ended the run.
    let mut places = BTreeSet::new();
    for how in [Break::Before, Break::After] {
        for nth in 1..=whole.store.writes() {
            let at = format!("{way:?} {call:?} {how:?} write {nth}");
            let (desk, world) = (Desk::new(), World::new());
            let (fragile, hung) = Fragile::at(&desk.store, nth, how);
            let dying = desk.builder_on(fragile, policy(), &[&anna]).build().unwrap();
            tokio::select! {
                () = first(way, agent(), &dying, &world, call) => panic!("{at}: it should hang"),
                () = hung.notified() => {}
            }
            let Some(id) = desk.store.runs().first().copied() else { continue };
            let before = desk.evidence(id);
            let did = world.log();
            if before.status().is_some() || !is_over(&before) {
                continue;
            }
            places.insert(before.count("tool.execute"));
            // Whoever takes it up would allow anything by now.
            let healthy = desk.deploy(lenient(), &[&anna]);
            let model = ScriptedModel::new().answer(1);
            let outcome = healthy.recover(agent(), world.clone(), model, id).go().await.unwrap();
            let evidence = desk.evidence(id);
            assert_eq!(evidence.status(), Some(status), "{at}: {} {:?}", outcome.status(), evidence.spans());
            assert_eq!(world.log(), did, "{at}");
            for span in ["model.generate", "policy.evaluate", "guardrail", "run.cancel"] {
                assert_eq!(evidence.count(span), before.count(span), "{at}: {:?}", evidence.spans());
            }
        }
    }
    assert!(places.len() > 1, "{way:?} {call:?}: {places:?}");
}

#[tokio::test]
async fn a_denial_stays_one() {
    stays_ended(Way::Denied, || Plain, ("tries", 1), RunStatus::PolicyDenied).await;
    stays_ended(Way::Denied, || Plain, ("ventures", 0), RunStatus::InDoubt).await;
}

#[tokio::test]
async fn a_limit_stays_reached() {
    stays_ended(Way::TooDeep, || Plain, ("tries", 9), RunStatus::BudgetExceeded).await;
}

#[tokio::test]
async fn what_tripped_stays_so() {
    stays_ended(Way::Tripped, || Guarded, ("tries", 1), RunStatus::Tripwire).await;
    stays_ended(Way::Tripped, || Guarded, ("ventures", 0), RunStatus::InDoubt).await;
}

#[tokio::test]
async fn what_was_stopped_stays_so() {
    stays_ended(Way::Stopped, || Plain, ("tries", 1), RunStatus::Cancelled).await;
    stays_ended(Way::Stopped, || Plain, ("ventures", 0), RunStatus::InDoubt).await;
}

#[tokio::test]
async fn what_was_stopped_may_be_given_up() {
    let anna = person("anna");
    let policy = || Fixed::new().allow_classification("public");
    let whole = Desk::new();
    let call = ("tries", 1);
    first(Way::Stopped, Plain, &whole.deploy(policy(), &[&anna]), &World::new(), call).await;
    let mut stopped = 0;
    for nth in 1..=whole.store.writes() {
        let (desk, world) = (Desk::new(), World::new());
        let (fragile, hung) = Fragile::at(&desk.store, nth, Break::After);
        let dying = desk.builder_on(fragile, policy(), &[&anna]).build().unwrap();
        tokio::select! {
            () = first(Way::Stopped, Plain, &dying, &world, call) => panic!("write {nth}: it should hang"),
            () = hung.notified() => {}
        }
        let id = desk.store.runs()[0];
        let before = desk.evidence(id);
        if before.status().is_some() || before.count("run.cancel") == 0 {
            continue;
        }
        stopped += 1;
        desk.deploy(policy(), &[&anna]).abandon(id).await.unwrap();
        let evidence = desk.evidence(id);
        assert_eq!(evidence.attrs("run.cancel", "fuze.run.cancelled_by"), ["operator", "abort"]);
    }
    assert!(stopped > 0);
}
