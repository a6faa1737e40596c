// rule 15 · AI Act Art. 12, 19 · a signed root deserialised, its signature unread
use fuze_evidence::SignedRoot;

pub fn forge(text: &str) -> SignedRoot {
    serde_json::from_str(text).unwrap()
}

fn main() {}
