// rule 13 · GDPR Art. 5(1)(c), 25 · redacted content deserialised
use fuze_evidence::Redacted;

pub fn forge(text: &str) -> Redacted {
    serde_json::from_str(text).unwrap()
}

fn main() {}
