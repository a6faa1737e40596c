// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run resumed by its id
use fuze_agent::Deployment;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;
use fuze_evidence::RunId;

pub async fn resume(deployment: &Deployment, run: RunId) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), run).go().await;
}

fn main() {}
