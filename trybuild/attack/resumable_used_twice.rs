// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions used twice
use fuze_agent::Deployment;
use fuze_agent::suspend::Resumable;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn resume(deployment: &Deployment, resumable: Resumable) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), resumable).go().await;
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), resumable).go().await;
}

fn main() {}
