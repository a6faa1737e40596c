// rule 13 · GDPR Art. 5(1)(c), 25 · a name that holds free text

pub fn forge() -> fuze_evidence::Name {
    fuze_evidence::Name("Anna wants the job".into())
}

fn main() {}
