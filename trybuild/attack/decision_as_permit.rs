// rule 10 · AI Act Art. 12, 14 · an engine's answer in the place of a permit
use fuze_agent::{Tool, ToolCtx};
use fuze_agent_proof::tools::Record;

pub async fn run<'c>(ctx: ToolCtx<'c, Record>) {
    let _ = Record.run(fuze_policy::Decision::Allow, ctx).await;
}

fn main() {}
