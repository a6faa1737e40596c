// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · verified decisions made from their fields
use fuze_agent::suspend::{Resumable, Suspended};

pub fn forge(suspended: Suspended) -> Resumable {
    Resumable { suspended, resolved: Vec::new() }
}

fn main() {}
