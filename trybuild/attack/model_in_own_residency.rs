// rule 17 · GDPR Art. 44 · a model of one's own in a residency of one's own
use fuze_agent::Deployment;
use fuze_agent::testing::ScriptedModel;
use fuze_agent_proof::Deps;
use fuze_agent_proof::agents::Screener;

pub struct Moon;

pub fn start(deployment: &Deployment, model: ScriptedModel<Moon>) {
    let _ = deployment.run(Screener, Deps, model);
}

fn main() {}
