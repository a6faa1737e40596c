// rule 19 · AI Act Art. 12, 14 · a context lengthened
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn lengthen<'short>(ctx: ToolCtx<'short, ReadDossier>) -> ToolCtx<'static, ReadDossier> {
    ctx
}

fn main() {}
