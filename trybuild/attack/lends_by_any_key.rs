// rule 17 · GDPR Art. 5(1)(b) · dependencies of one's own made to lend others, with the key left open
use std::sync::Arc;

use fuze_agent::tool::{Lends, Uses};
use fuze_agent_proof::OtherDeps;

pub struct Mine(Arc<OtherDeps>);

impl Lends<Uses<OtherDeps>> for Mine {
    fn lend(deps: &Arc<Self>, _: impl Sized) -> &Arc<OtherDeps> {
        &deps.0
    }
}

fn main() {}
