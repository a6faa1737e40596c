// rule 12 · GDPR Art. 32 · the deployment's secrets searched without declaring it
use fuze_agent::{Secret, Secrets};

pub fn read(secrets: &Secrets) -> Option<&Secret> {
    secrets.find("api-key")
}

fn main() {}
