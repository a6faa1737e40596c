// rule 13 · GDPR Art. 5(1)(c), 25 · redacted content made from its field
use fuze_evidence::Redacted;

pub fn forge(value: serde_json::Value) -> Redacted {
    Redacted(value)
}

fn main() {}
