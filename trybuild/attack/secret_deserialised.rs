// rule 12 · GDPR Art. 32 · a secret read from a file as it is
use fuze_agent::Secret;

pub fn read(text: &str) -> Secret {
    serde_json::from_str(text).unwrap()
}

fn main() {}
