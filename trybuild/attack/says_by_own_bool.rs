// rule 17 · AI Act Art. 14 · an answer of one's own, said to be whatever the tools say
use fuze_agent::agent::Says;
use fuze_agent::logic::{No, Yes};

pub struct Maybe;

impl Says<Yes> for Maybe {}
impl Says<No> for Maybe {}

fn main() {}
