// rule 11 · AI Act Art. 12, 14 · a context by the driver's constructor
use std::sync::Arc;

use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn forge<'c, Scope>(deps: &'c Arc<()>, scope: &'c Scope) -> ToolCtx<'c, ReadDossier> {
    ToolCtx::new(deps, scope)
}

fn main() {}
