// rule 12 · GDPR Art. 32 · the secrets read out of the deployment
use fuze_agent::{Deployment, Secrets};

pub fn read(deployment: &Deployment) -> &Secrets {
    deployment.secrets()
}

fn main() {}
