// rule 9 · GDPR Art. 4(1), 15, 17 · a subject made from its field

pub fn forge() -> fuze_agent::run::Subject {
    fuze_agent::run::Subject("nobody".into())
}

fn main() {}
