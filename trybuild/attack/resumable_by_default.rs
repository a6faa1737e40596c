// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions by default
use fuze_agent::suspend::Resumable;

pub fn forge() -> Resumable {
    Default::default()
}

fn main() {}
