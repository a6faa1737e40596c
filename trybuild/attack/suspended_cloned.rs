// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run cloned
use fuze_agent::suspend::Suspended;

pub fn copy(suspended: &Suspended) -> Suspended {
    suspended.clone()
}

fn main() {}
