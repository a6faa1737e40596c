// rule 11 · AI Act Art. 12, 14 · the driver's side of a context reached through `Deref`
use fuze_agent::ToolCtx;
use fuze_agent_proof::tools::ReadDossier;

pub fn reach<'c>(ctx: ToolCtx<'c, ReadDossier>) {
    let _ = &ctx.scope.secrets;
}

fn main() {}
