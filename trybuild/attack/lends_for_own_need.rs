// rule 17 · GDPR Art. 5(1)(b) · dependencies that lend for a need of one's own
use fuze_agent::tool::Lends;
use fuze_agent_proof::OtherDeps;

pub struct Everything;

impl Lends<Everything> for OtherDeps {}

fn main() {}
