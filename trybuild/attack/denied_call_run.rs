// rule 10 · AI Act Art. 12, 14 · a denial in the place of a permit
use fuze_agent::{Tool, ToolCtx};
use fuze_agent_proof::tools::RecordDecision;

pub async fn run<'c>(denied: fuze_policy::Denied, ctx: ToolCtx<'c, RecordDecision>) {
    let _ = RecordDecision.run(denied, ctx).await;
}

fn main() {}
