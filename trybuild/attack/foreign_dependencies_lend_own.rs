// rule 17 · GDPR Art. 5(1)(b) · somebody else's dependencies made to lend one's own
use fuze_agent::tool::{Lends, Uses};
use fuze_agent_proof::Deps;

pub struct Mine;

impl Lends<Uses<Mine>> for Deps {}

fn main() {}
