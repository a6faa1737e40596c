// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · the decisions of one run given with the id of another
use fuze_agent::Deployment;
use fuze_agent::suspend::Resumable;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;
use fuze_evidence::RunId;

pub async fn resume(deployment: &Deployment, resumable: Resumable, other: RunId) {
    let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), resumable, other).go().await;
}

fn main() {}
