// rule 17 · GDPR Art. 5(1)(b) · dependencies of one's own made to lend others, with the key inferred
use fuze_agent::tool::{Lends, Uses};
use fuze_agent_proof::OtherDeps;

pub struct Mine(OtherDeps);

impl Lends<Uses<OtherDeps>> for Mine {
    fn lend(&self, _: _) -> &OtherDeps {
        &self.0
    }
}

fn main() {}
