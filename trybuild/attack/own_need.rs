// rule 17 · GDPR Art. 5(1)(b) · a need of one's own
use fuze_agent::tool::Need;
use fuze_agent_proof::Deps;

pub struct Everything;

impl Need for Everything {
    type Target = Deps;
}

fn main() {}
