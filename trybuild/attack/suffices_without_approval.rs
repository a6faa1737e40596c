// rule 17 · AI Act Art. 14 · no approval made enough for high-risk agents
use fuze_agent::logic::{No, Yes};

impl fuze_agent::law::oversight::Suffices<Yes> for No {}

fn main() {}
