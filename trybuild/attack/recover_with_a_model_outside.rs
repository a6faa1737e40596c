// rule 5 · GDPR Art. 44 · a run recovered with a model that is hosted outside what the agent declares
use fuze_agent::Deployment;
use fuze_agent::law::residency;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;
use fuze_evidence::RunId;

pub fn recover(deployment: &Deployment, run: RunId) {
    let model = ScriptedModel::<residency::Us>::hosted();
    let _ = deployment.recover(Screener, Deps, model, run);
}

fn main() {}
