// rule 11 · AI Act Art. 12, 14 · the gate taken out of the deployment
use fuze_agent::Deployment;

pub fn ask(deployment: &Deployment) {
    let _ = deployment.gate();
}

fn main() {}
