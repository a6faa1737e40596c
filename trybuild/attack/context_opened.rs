// rule 11 · AI Act Art. 12, 14 · the driver's side of a context reached through its fields
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn reach<'c>(ctx: ToolCtx<'c, ReadDossier>) {
    let _ = &ctx.base.scope.requests;
}

fn main() {}
