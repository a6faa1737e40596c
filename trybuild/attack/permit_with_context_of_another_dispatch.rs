// rule 19 · AI Act Art. 12, 14 · the permit of one dispatch with the context of another
use fuze_agent::{Permit, Tool, ToolCall, ToolCtx};
use fuze_agent_proof::tools::ReadDossier;

pub async fn run<'a, 'b>(permit: Permit<'a, ToolCall<ReadDossier>>, ctx: ToolCtx<'b, ReadDossier>) {
    let _ = ReadDossier.run(permit, ctx).await;
}

fn main() {}
