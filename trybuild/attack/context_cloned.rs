// rule 11 · AI Act Art. 12, 14 · a context cloned
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::Lookup;

pub fn copy<'c>(ctx: &ToolCtx<'c, Lookup>) -> ToolCtx<'c, Lookup> {
    ctx.clone()
}

fn main() {}
