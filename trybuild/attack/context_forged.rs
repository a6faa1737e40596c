// rule 11 · AI Act Art. 12, 14 · a context made from its fields
use std::sync::Arc;

use fuze_agent::Ctx;
use fuze_agent_proof::Deps;

pub fn forge<'c>(deps: &'c Arc<Deps>, other: Ctx<'c, Deps>) -> Ctx<'c, Deps> {
    Ctx { deps, ..other }
}

fn main() {}
