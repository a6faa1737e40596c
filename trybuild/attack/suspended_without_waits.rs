// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run whose waits are taken out
use fuze_agent::suspend::Suspended;

pub fn change(mut suspended: Suspended) -> Suspended {
    suspended.state.header.waits.clear();
    suspended
}

fn main() {}
