// rule 17 · AI Act Art. 14 · the relation for a type that is no tool
use fuze_agent::effect::MayRequestOversight;

pub struct Nothing;

impl MayRequestOversight for Nothing {}

fn main() {}
