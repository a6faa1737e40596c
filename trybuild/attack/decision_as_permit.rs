// rule 10 · AI Act Art. 12, 14 · an engine's answer in the place of a permit
use fuze_agent::{Tool, ToolCtx};
use fuze_agent_proof::tools::RecordDecision;

pub async fn run<'c>(ctx: ToolCtx<'c, RecordDecision>) {
    let _ = RecordDecision.run(fuze_policy::Decision::Allow, ctx).await;
}

fn main() {}
