// rule 17 · AI Act Art. 14 · a truth value of one's own made enough for high-risk agents
use fuze_agent::logic::Yes;

pub struct Maybe;

impl fuze_agent::law::oversight::Suffices<Yes> for Maybe {}

fn main() {}
