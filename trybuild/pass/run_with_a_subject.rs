// honest · a run with a subject, a run that needs none, and one that is taken up
use fuze_agent::law::residency;
use fuze_agent::suspend::SignedDecision;
use fuze_agent::testing::ScriptedModel;
use fuze_agent::{Deployment, Outcome};
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::{Guide, Screener};

pub async fn start(deployment: &Deployment, decisions: &[SignedDecision]) {
    let _ = deployment.run(Guide, (), ScriptedModel::<residency::Other>::hosted()).start().await;
    let outcome = deployment.run(Screener, Deps, ScriptedModel::new()).subject("42").start().await;
    if let Ok(Outcome::Suspended { suspended, .. }) = outcome
        && let Ok(resumable) = suspended.verify(decisions)
    {
        let _ = deployment.resume(Screener, Deps, ScriptedModel::new(), resumable).go().await;
    }
}

fn main() {}
