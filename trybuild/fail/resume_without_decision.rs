// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run resumed without a decision
use fuze_agent::Deployment;
use fuze_agent::suspend::Suspended;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn resume(deployment: &Deployment, suspended: Suspended) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), suspended).go().await;
}

fn main() {}
