// rule 19 · AI Act Art. 12, 14 · the permit of one dispatch with the context of another
use fuze_agent::{Permit, Tool, ToolCall, ToolCtx};
use fuze_agent_proof::tools::Lookup;

pub async fn run<'a, 'b>(permit: Permit<'a, ToolCall<Lookup>>, ctx: ToolCtx<'b, Lookup>) {
    let _ = Lookup.run(permit, ctx).await;
}

fn main() {}
