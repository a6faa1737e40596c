// rule 17 · GDPR Art. 5(1)(b) · the need for dependencies of one's own implemented anew
use fuze_agent::tool::{Need, Uses};
use fuze_agent_proof::Deps;

pub struct Mine;

impl Need for Uses<Mine> {
    type Target = Deps;
}

fn main() {}
