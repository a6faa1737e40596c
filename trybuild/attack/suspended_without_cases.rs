// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run whose cases are taken out
use fuze_agent::suspend::Suspended;

pub fn change(mut suspended: Suspended) -> Suspended {
    suspended.cases.clear();
    suspended
}

fn main() {}
