// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run resumed with an action that nobody signed
use fuze_agent::Deployment;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn resume(deployment: &Deployment, action: fuze_agent::suspend::Action) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), action).go().await;
}

fn main() {}
