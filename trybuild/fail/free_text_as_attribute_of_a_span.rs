// rule 13 · GDPR Art. 5(1)(c), 25 · free text as an attribute of a span

pub fn span() -> fuze_evidence::span::RunCancel {
    fuze_evidence::span::RunCancel { cancelled_by: "Anna, who was bored".to_owned() }
}

fn main() {}
