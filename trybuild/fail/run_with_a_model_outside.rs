// rule 5 · GDPR Art. 44 · a run with a model that is hosted outside what the agent declares
use fuze_agent::Deployment;
use fuze_agent::law::residency;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub fn start(deployment: &Deployment) {
    let model = ScriptedModel::<residency::Us>::hosted();
    let _ = deployment.run(Screener, Deps, model);
}

fn main() {}
