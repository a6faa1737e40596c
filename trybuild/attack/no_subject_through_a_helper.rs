// rule 9 · GDPR Art. 4(1), 15, 17 · a run without a subject, started by a function that takes any run
use fuze_agent::Deployment;
use fuze_agent::run::{EnoughFor, NoSubject, Run};
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn start<S: EnoughFor<fuze_agent::logic::No>>(run: Run<Screener, ScriptedModel, S>) {
    let _ = run.start().await;
}

pub async fn run(deployment: &Deployment) {
    start::<NoSubject>(deployment.run(Screener, Deps, ScriptedModel::new())).await;
}

fn main() {}
