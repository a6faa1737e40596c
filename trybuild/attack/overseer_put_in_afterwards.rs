// rule 14 · AI Act Art. 26(2) · an overseer put into the registry of a deployment that runs
use fuze_agent::Deployment;

pub fn add(deployment: &Deployment) {
    let _ = deployment.overseers();
}

fn main() {}
