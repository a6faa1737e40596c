// rule 17 · AI Act Art. 14 · a `No` made to say `Yes`
use fuze_agent::agent::Says;
use fuze_agent::logic::{No, Yes};

impl Says<Yes> for No {}

fn main() {}
