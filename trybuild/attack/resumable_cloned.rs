// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions cloned
use fuze_agent::suspend::Resumable;

pub fn copy(resumable: &Resumable) -> Resumable {
    resumable.clone()
}

fn main() {}
