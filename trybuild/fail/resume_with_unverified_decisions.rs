// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run resumed with decisions that are not verified
use fuze_agent::Deployment;
use fuze_agent::suspend::SignedDecision;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn resume(deployment: &Deployment, decisions: Vec<SignedDecision>) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), decisions).go().await;
}

fn main() {}
