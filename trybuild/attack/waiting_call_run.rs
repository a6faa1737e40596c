// rule 10 · AI Act Art. 12, 14 · a call that waits for a human, run as if permitted
use fuze_agent::{Tool, ToolCall, ToolCtx};
use fuze_agent_proof::tools::RecordDecision;

pub async fn run<'c>(
    waiting: fuze_policy::Waiting<ToolCall<RecordDecision>>,
    ctx: ToolCtx<'c, RecordDecision>,
) {
    let _ = RecordDecision.run(waiting.call, ctx).await;
}

fn main() {}
