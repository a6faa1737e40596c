// rule 17 · GDPR Art. 32 · the relation for a type that is no tool
use fuze_agent::boundary::ObservesSecrets;

pub struct Nothing;

impl ObservesSecrets for Nothing {}

fn main() {}
