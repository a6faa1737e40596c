// rule 9 · GDPR Art. 4(1), 15, 17 · a run of an agent with personal tools, without a subject
use fuze_agent::Deployment;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn start(deployment: &Deployment) {
    let _ = deployment.run(Screener, Deps, ScriptedModel::new()).input("whom to hire?").start().await;
}

fn main() {}
