// rule 11 · AI Act Art. 12, 14 · dependencies lent with a default key
use std::sync::Arc;

use fuze_agent::tool::{Lends, Uses};
use fuze_agent_proof::Deps;

pub fn steal(deps: &Arc<Deps>) -> &Arc<Deps> {
    Lends::<Uses<Deps>>::lend(deps, Default::default())
}

fn main() {}
