// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions put to another run
use fuze_agent::suspend::{Resumable, Suspended};

pub fn swap(mut resumable: Resumable, other: Suspended) -> Resumable {
    resumable.suspended = other;
    resumable
}

fn main() {}
