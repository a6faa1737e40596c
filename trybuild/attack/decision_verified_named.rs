// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a verified decision named

use fuze_agent::suspend::decision::VerifiedDecision;

pub fn forge() -> Option<VerifiedDecision> {
    None
}

fn main() {}
