// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run resumed with what verification refused
use fuze_agent::Deployment;
use fuze_agent::suspend::{SignedDecision, Suspended};
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub async fn resume(deployment: &Deployment, suspended: Suspended, decisions: &[SignedDecision]) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), suspended.verify(decisions)).go().await;
}

fn main() {}
