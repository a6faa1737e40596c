// rule 14 · AI Act Art. 14(4), GDPR Art. 22(3) · what verification refused, resumed with its problems taken out
use fuze_agent::suspend::{NotResumable, Resumable};

pub fn resumable(refused: NotResumable) -> Resumable {
    Resumable { suspended: refused.suspended, resolved: Vec::new() }
}

fn main() {}
