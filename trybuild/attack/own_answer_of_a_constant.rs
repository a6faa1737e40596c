// rule 17 · GDPR Art. 5(2) · a type of one's own as the answer that a constant gives
use fuze_agent::logic::{Decided, Yes};

pub struct Surely;

impl Decided for Surely {
    type Answer = Yes;
}

fn main() {}
