// rule 11 · AI Act Art. 12 · the signer taken out of the deployment
use fuze_agent::Deployment;

pub fn sign(deployment: &Deployment) {
    let _ = deployment.signer();
}

fn main() {}
