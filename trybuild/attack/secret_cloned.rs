// rule 12 · GDPR Art. 32 · a secret cloned
use fuze_agent::Secret;

pub fn copy(secret: &Secret) -> Secret {
    secret.clone()
}

fn main() {}
