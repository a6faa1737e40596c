// rule 13 · GDPR Art. 5(1)(c), 25 · redacted content changed afterwards
use fuze_evidence::Redacted;

pub fn change(redacted: &mut Redacted) {
    redacted.0 = serde_json::json!("Anna");
}

fn main() {}
