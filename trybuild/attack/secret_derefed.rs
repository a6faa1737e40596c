// rule 12 · GDPR Art. 32 · a secret taken for its text
use fuze_agent::Secret;

pub fn read(secret: &Secret) -> &str {
    secret
}

fn main() {}
