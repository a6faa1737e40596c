// rule 13 · GDPR Art. 5(1)(c), 25 · a commitment to content that is not redacted
use fuze_evidence::content;
use fuze_evidence::random::Random;

pub fn record(random: &mut dyn Random) {
    let _ = content::commit(serde_json::json!({ "name": "Anna" }), random);
}

fn main() {}
