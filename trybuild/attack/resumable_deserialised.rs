// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions deserialised
use fuze_agent::suspend::Resumable;

pub fn forge(text: &str) -> Resumable {
    serde_json::from_str(text).unwrap()
}

fn main() {}
