// rule 17 · GDPR Art. 5(1)(b) · dependencies of one's own made to lend others, without lending
use fuze_agent::tool::{Lends, Uses};
use fuze_agent_proof::OtherDeps;

pub struct Mine;

impl Lends<Uses<OtherDeps>> for Mine {}

fn main() {}
