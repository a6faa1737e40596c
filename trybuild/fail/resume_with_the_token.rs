// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run resumed with its token alone
use fuze_agent::Deployment;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn resume(deployment: &Deployment, token: fuze_agent::suspend::Token) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), token).go().await;
}

fn main() {}
