// rule 17 · AI Act Art. 14 · a `Yes` said to an answer of one's own
use fuze_agent::agent::Says;
use fuze_agent::logic::Yes;

pub struct Maybe;

impl Says<Maybe> for Yes {}

fn main() {}
