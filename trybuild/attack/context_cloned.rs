// rule 11 · AI Act Art. 12, 14 · a context cloned
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn copy<'c>(ctx: &ToolCtx<'c, ReadDossier>) -> ToolCtx<'c, ReadDossier> {
    ctx.clone()
}

fn main() {}
