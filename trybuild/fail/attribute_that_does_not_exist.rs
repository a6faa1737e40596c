// rule 13 · GDPR Art. 5(1)(c), 25 · an attribute that the span does not have

pub fn span(cancelled_by: fuze_evidence::vocab::CancelledBy) -> fuze_evidence::span::RunCancel {
    fuze_evidence::span::RunCancel { cancelled_by, reason: "Anna was bored" }
}

fn main() {}
