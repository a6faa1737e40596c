// rule 13 · GDPR Art. 5(1)(c), 25 · redacted content cloned
use fuze_evidence::Redacted;

pub fn copy(redacted: &Redacted) -> Redacted {
    redacted.clone()
}

fn main() {}
