// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · one suspension verified twice
use fuze_agent::suspend::{SignedDecision, Suspended};

pub fn twice(suspended: Suspended, decisions: &[SignedDecision]) {
    let _ = suspended.verify(decisions);
    let _ = suspended.verify(decisions);
}

fn main() {}
