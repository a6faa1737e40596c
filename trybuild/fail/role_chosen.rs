// rule 13 · AI Act Art. 12 · a role other than that of the span

pub fn span(cancelled_by: fuze_evidence::vocab::CancelledBy) -> fuze_evidence::span::RunCancel {
    fuze_evidence::span::RunCancel { cancelled_by, role: fuze_evidence::span::Role::Oversight }
}

fn main() {}
