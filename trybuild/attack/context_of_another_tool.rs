// rule 11 · AI Act Art. 12, 14 · the context of one tool for another
use fuze_agent::{Permit, Tool, ToolCall, ToolCtx};
use fuze_agent_proof::tools::{Lookup, Record};

pub async fn run<'c>(permit: Permit<'c, ToolCall<Record>>, ctx: ToolCtx<'c, Lookup>) {
    let _ = Record.run(permit, ctx).await;
}

fn main() {}
