// rule 12 · GDPR Art. 32 · a secret read past its only door
use fuze_agent::Secret;

pub fn read(secret: &Secret) -> &str {
    &secret.0
}

fn main() {}
