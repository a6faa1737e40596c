// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions with the cases taken out
use fuze_agent::suspend::Resumable;

pub fn change(mut resumable: Resumable) -> Resumable {
    resumable.resolved.clear();
    resumable
}

fn main() {}
