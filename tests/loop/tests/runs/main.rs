//! The loop as its users and its adversaries meet it. Whatever a run leaves is verified at its end.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod anchor;
mod art22;
mod blocking;
mod cancel;
mod cases;
mod cerbos;
mod chance;
mod crash;
mod effects;
mod ended;
mod expire;
mod guardrails;
mod input;
mod left;
mod lists;
mod names;
mod nested;
mod oversight;
mod permits;
mod policy;
mod privacy;
mod sqlite;
mod statuses;

use fuze_agent::agent::ToolList;
use fuze_agent::law::residency::HostedWithin;
use fuze_agent::logic::No;
use fuze_agent::model::Model;
use fuze_agent::prelude::*;
use fuze_agent_loop_tests::World;

/// Runs an agent without a subject to its end.
async fn run<A, M>(deployment: &Deployment, agent: A, world: &World, model: M) -> Outcome<A::Output>
where
    A: Agent<Deps = World, Tools: ToolList<Personal = No>>,
    M: Model<Residency: HostedWithin<A::ModelResidency>>,
{
    let run = deployment.run(agent, world.clone(), model).tenant("t").principal("p").input("go");
    run.start().await.unwrap()
}

/// The text beside the status, where a run was stopped.
fn why<O: std::fmt::Debug>(outcome: &Outcome<O>) -> String {
    match outcome {
        Outcome::Stopped { why, .. } | Outcome::Halted { why, .. } => why.clone(),
        other => panic!("{other:?}"),
    }
}

/// The suspended run of an outcome.
fn suspended<O: std::fmt::Debug>(outcome: Outcome<O>) -> fuze_agent::suspend::Suspended {
    match outcome {
        Outcome::Suspended { suspended, .. } => suspended,
        other => panic!("{other:?}"),
    }
}
