// rule 17 · GDPR Art. 44 · the relation for a type that is no tool
use fuze_agent::law::residency;

pub struct Nothing;

impl residency::MayReach<residency::Other> for Nothing {}

fn main() {}
