// rule 11 · AI Act Art. 12, 14 · the context of one tool for another
use fuze_agent::{Permit, Tool, ToolCall, ToolCtx};
use fuze_agent_proof::tools::{ReadDossier, RecordDecision};

pub async fn run<'c>(permit: Permit<'c, ToolCall<RecordDecision>>, ctx: ToolCtx<'c, ReadDossier>) {
    let _ = RecordDecision.run(permit, ctx).await;
}

fn main() {}
