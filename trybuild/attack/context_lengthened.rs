// rule 19 · AI Act Art. 12, 14 · a context lengthened
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::Lookup;

pub fn lengthen<'short>(ctx: ToolCtx<'short, Lookup>) -> ToolCtx<'static, Lookup> {
    ctx
}

fn main() {}
