// rule 17 · GDPR Art. 5(2) · a truth value of one's own
use fuze_agent::logic::{Bool, Yes};

pub struct Maybe;

impl Bool for Maybe {
    const VALUE: bool = true;
    type Or<O: Bool> = Yes;
    type And<O: Bool> = Yes;
    type Implies<O: Bool> = Yes;
    type Not = Yes;
}

fn main() {}
