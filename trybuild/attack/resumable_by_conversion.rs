// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · a suspended run converted to one that may go on
use fuze_agent::suspend::{Resumable, Suspended};

pub fn forge(suspended: Suspended) -> Resumable {
    suspended.into()
}

fn main() {}
