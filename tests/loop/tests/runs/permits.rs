//! A permit is good for five minutes: what was decided longer ago is decided again, with a store and without one.

use std::sync::Arc;

use fuze_agent::deployment::Clock;
use fuze_agent::prelude::*;
use fuze_agent_loop_tests::{Desk, Evidence, SHORT, SetClock, World, agent};
use fuze_evidence::sink::JsonlSink;
use fuze_evidence::vocab::RunStatus;
use fuze_evidence::{Name, Timestamp};
use serde_json::json;

use super::why;

/// Takes its time.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn works(ctx: &Ctx<'_, SetClock>, seconds: u32) -> Result<u32, ToolError> {
    ctx.deps().advance_seconds(seconds.into());
    Ok(seconds)
}

/// Does something.
#[tool(classification = public, retention = SHORT, threat_boundary(egress = none))]
async fn acts(ctx: &Ctx<'_, World>) -> Result<i64, ToolError> {
    ctx.deps().does("acts");
    Ok(1)
}

agent! { Actor [acts] i64 }

define_agent! {
    /// Works.
    Worker {
        purpose: "testing", instructions: "Work.", lawful_basis: contract, annex_iii: none, art22: none,
        oversight: none, model_residency: eu, retention: SHORT, tools: [works], deps: SetClock, output: i64,
        max_steps: 10, retry_budget: 1, token_budget: 10_000,
    }
}

fn allow() -> Fixed {
    Fixed::new().allow_classification("public")
}

/// Two calls that are decided together; how often each was decided until both had run.
async fn decided(seconds: u32, with_store: bool) -> usize {
    let (clock, dir) = (SetClock::now_ish(), tempfile::tempdir().unwrap());
    let desk = Desk::with_clock(&clock);
    let sink = Arc::new(JsonlSink::new(dir.path()));
    let builder = match with_store {
        true => desk.builder(allow(), &[]),
        false => Deployment::with_sink("test.example", desk.keys(), allow(), sink.clone()),
    };
    let deployment = builder.clock(Arc::new(clock.clone())).build().unwrap();
    let calls = [("works", json!({ "seconds": seconds })), ("works", json!({"seconds": 1}))];
    let model = ScriptedModel::new().calls(&calls).answer(1);
    let outcome = deployment.run(Worker, clock, model).start().await.unwrap();
    assert_eq!(outcome.status(), "completed", "{outcome:?}");
    let id = outcome.report().run_id;
    let evidence = match with_store {
        true => desk.evidence(id),
        false => {
            let place = sink.run_directory(id);
            let files = ["records.jsonl", "roots.jsonl", "content.jsonl", "keys.jsonl"]
                .map(|name| (name, std::fs::read(place.join(name)).unwrap()));
            Evidence::read(&desk, &files)
        }
    };
    assert_eq!(evidence.executions(), ["works ok", "works ok"]);
    evidence.count("policy.evaluate")
}

#[tokio::test]
async fn what_was_decided_too_long_ago_is_decided_again() {
    for with_store in [true, false] {
        assert_eq!(decided(299, with_store).await, 2, "store: {with_store}");
        assert_eq!(decided(300, with_store).await, 3, "store: {with_store}");
    }
}

/// Five minutes pass whenever somebody looks.
struct Hasty(SetClock);

impl Clock for Hasty {
    fn identity(&self) -> Name {
        self.0.identity()
    }
    fn now(&self) -> Timestamp {
        self.0.advance_seconds(300);
        self.0.now()
    }
}

#[tokio::test]
async fn where_no_permit_is_ever_in_time_nothing_runs() {
    let clock = SetClock::now_ish();
    let (desk, world, dir) = (Desk::new(), World::new(), tempfile::tempdir().unwrap());
    let sink = Arc::new(JsonlSink::new(dir.path()));
    let without = Deployment::with_sink("test.example", desk.keys(), allow(), sink);
    let without = without.clock(Arc::new(Hasty(clock))).build().unwrap();
    let model = || ScriptedModel::new().call("acts", json!({})).answer(1);
    let outcome = super::run(&without, Actor, &world, model()).await;
    assert_eq!(outcome.status(), RunStatus::Halted.as_str(), "{outcome:?}");
    assert!(why(&outcome).contains("no permit is ever in time"), "{outcome:?}");

    // The store's clock is ahead of the deployment's.
    let ahead = SetClock::now_ish();
    ahead.advance_seconds(600);
    let desk = Desk::with_clock(&ahead);
    let outcome = super::run(&desk.deploy(allow(), &[]), Actor, &world, model()).await;
    assert_eq!(outcome.status(), RunStatus::Halted.as_str(), "{outcome:?}");
    assert_eq!(desk.evidence(outcome.report().run_id).status(), Some(RunStatus::Halted));
    assert_eq!(world.log(), [""; 0]);
}
